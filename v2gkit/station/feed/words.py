"""What is told a station beside its cars: one JSON object a line, told apart by `type`. The classes are the schema.

Powers in W, + from the grid and into the car; frequencies in Hz; times in s. `evse` is the EVSE id of an outlet; without it the whole
station is meant. Whoever tells a frequency or a power of the upstream meter tells it again and again: what is silent counts as unknown.

The schema is published as docs/site.schema.json.
"""

import inspect
from typing import Annotated, Any, Literal

import msgspec

LINE_LIMIT = 4_096  # octets of a line; the longest has 200
LASTS = 60.0  # s for which a setpoint holds that says nothing else
LASTS_MAXIMUM = 3_600.0  # s; an energy management that has fallen silent for an hour leads nobody

Power = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]  # W
Magnitude = Annotated[float, msgspec.Meta(ge=0, le=1e9)]  # W
Evse = Annotated[str, msgspec.Meta(max_length=64)]  # EVSE id


class Word(msgspec.Struct, frozen=True, tag_field="type", tag=lambda name: name.lower()):
    """The base of every line."""


class Frequency(Word, frozen=True):
    """The frequency (Hz) of the grid, more often than each 3 s: cars in LocalFrequency follow it."""

    hertz: Annotated[float, msgspec.Meta(gt=0, lt=1_000)]


class Upstream(Word, frozen=True):
    """The power at the meter before the station and its neighbours, more often than each 10 s: LocalLoadBalancing holds it in its band.

    `at` names a feeder of [site], without CSMS, whose meter it is.
    """

    power: Power
    at: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class Setpoint(Word, frozen=True):
    """What the energy management wants of a car for `lasts` s, null: nothing any more. Cars in ExternalSetpoint follow it."""

    power: Power | None
    evse: Evse | None = None
    lasts: Annotated[float, msgspec.Meta(gt=0, le=LASTS_MAXIMUM)] = LASTS


class Limit(Word, frozen=True):
    """A limit of the energy management or grid operator, magnitudes. It holds until one without any power takes it back, however silent.

    `generation`: it is what local generation adds to what profiles let a car charge.
    """

    source: Literal["EMS", "SO", "Other"] = "EMS"
    evse: Evse | None = None
    charge: Magnitude | None = None
    discharge: Magnitude | None = None
    critical: bool = False
    generation: bool = False


class Priority(Word, frozen=True):
    """Somebody at the outlet asks for priority, or no more; without effect where no profile of the CSMS gives any."""

    evse: Evse
    activated: bool


class Override(Word, frozen=True):
    """Somebody at the outlet lets the car charge in peak hours ([off_peak]), and without random delays, until it leaves; or no more."""

    evse: Evse
    activated: bool


class Battery(Word, frozen=True):
    """How full a battery of [site] is (%), and what flows at its meter, more often than each 10 s. Who says it is told its `Order`."""

    name: Annotated[str, msgspec.Meta(max_length=64)]
    soc: Annotated[float, msgspec.Meta(ge=0, le=100)]
    power: Power


class Order(Word, frozen=True):
    """What a station wants of a battery, to whoever spoke for it last: a power for `lasts` s. After that it stands still by itself."""

    name: str
    power: Power
    lasts: float


class Report(Word, frozen=True):
    """Whoever tells wants to know how the outlets are: all that it told before is taken, and a `state` with this `id` answers."""

    id: Annotated[str, msgspec.Meta(max_length=64)] = ""


Told = Frequency | Upstream | Setpoint | Limit | Priority | Override | Battery | Report


class Outlet(msgspec.Struct, frozen=True, omit_defaults=True):
    """An outlet as it is: powers in W, energies in Wh, `departure` in epoch s. What nobody knows is left out."""

    evse: str  # EVSE id
    here: bool  # whether a car is there
    power: float | None = None  # + into the car
    charge: float | None = None  # the least that limits told here let the outlet, or the station, charge; none: no limit
    discharge: float | None = None  # likewise
    most: float | None = None  # that the car can take
    give: float = 0.0  # that it can give, 0 once it is down to its reserve
    missing: float | None = None  # until what its driver wants
    departure: float | None = None
    imported: float | None = None  # into cars, by the register of its meter as it was read last
    exported: float | None = None  # out of cars, likewise


class State(msgspec.Struct, frozen=True, tag_field="type", tag="state"):
    """What answers a `report`."""

    id: str
    outlets: tuple[Outlet, ...]


_decoder = msgspec.json.Decoder(Told)


def read(line: bytes) -> Told:
    """The word in a line. Raises ValueError, which names what is wrong."""
    word: Told = _decoder.decode(line)
    return word


def word_of(name: str, payload: object) -> Told:
    """The word of that name whose values are a JSON object. Raises ValueError for a message that is none."""
    octets = payload if isinstance(payload, bytes) else b""
    if len(octets) > LINE_LIMIT:
        raise ValueError(f"{len(octets)} octets, at most {LINE_LIMIT}")
    said = msgspec.json.decode(octets or b"{}", type=dict[str, Any])
    word: Told = msgspec.convert({**said, "type": name}, Told)
    return word


def order(name: str, power: float, lasts: float) -> bytes:
    """The line that tells a battery its power (W) for so many seconds."""
    return msgspec.json.encode(Order(name, round(power, 1), lasts)) + b"\n"


def answered(state: State) -> bytes:
    """The line that answers a report."""
    return msgspec.json.encode(state) + b"\n"


def refused(reason: str) -> bytes:
    """The line that says what was wrong with one; the connection is closed after it."""
    return msgspec.json.encode({"type": "refused", "reason": reason}) + b"\n"


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a line."""
    (told, *_), components = msgspec.json.schema_components((Told, Order, State), ref_template="#/$defs/{name}")
    for word in components.values():
        if "description" in word:  # there are versions of msgspec that leave a docstring as it is indented
            word["description"] = inspect.cleandoc(word["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "what is told a station beside its cars",
        "$defs": components,
        **told,
    }


def schema_text() -> str:
    """The schema as the text of docs/site.schema.json."""
    return msgspec.json.format(msgspec.json.encode(schema(), order="sorted"), indent=2).decode()
