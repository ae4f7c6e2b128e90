"""The lines between a station and its firmware: one JSON object a line, told apart by `type`. The classes are the schema.

Powers in W, currents in A, voltages in V, energies in Wh, times in s; + is into the car, - out of it. A command bears an `id` and is
answered by `done` with the same id, in any order; everything else is answered by nothing. Either side that hears nothing for `silence`
seconds takes the other for dead: the firmware opens the contactor by itself, the station ends the session.

The schema is published as docs/firmware.schema.json.
"""

import inspect
from typing import Annotated, Any, Literal

import msgspec

from v2g.energy.der import GridControl
from v2g.session.wireless import Condition

VERSION = 1
SILENCE = 2.0  # s; a charge loop may take as long to be missed (V2G_EVCC_Msg_Timeout)
SIGN_OF_LIFE = 0.5  # s between two of either side
LINE_LIMIT = 8_192  # octets of a line; the longest of ours, a report of limits, has 500

Deviation = Annotated[int, msgspec.Meta(ge=-32_768, le=32_767)]  # in the unit of the hardware: the vehicle is told it as it is


class Word(
    msgspec.Struct, frozen=True, tag_field="type", tag=lambda name: "".join("_" + c.lower() if c.isupper() else c for c in name)[1:]
):
    """The base of every line between station and firmware."""


class Command(Word, frozen=True, kw_only=True):
    """A line that is answered by `done` with the same id."""

    id: int


# --- from the station ---


class Welcome(Word, frozen=True):
    """The first line of the station: version, its EVSE, and how long (s) either side may be silent."""

    version: int
    evse_id: str
    silence: float  # s


class Ping(Word, frozen=True):
    """A sign of life of the station, sent regularly."""


class CloseContactor(Command, frozen=True):
    """Connect the car; done once the feedback says closed, `ok` false where it does not. The car waits 1.4 s."""


class OpenContactor(Command, frozen=True):
    """Make the outlet safe: no voltage, contactor open. It overtakes whatever is under way."""


class LockConnector(Command, frozen=True):
    """Lock the connector; `ok` false ends the session before anything is live."""


class UnlockConnector(Command, frozen=True):
    """Unlock the connector, after the contactor has opened."""


class CheckIsolation(Command, frozen=True):
    """DC: measure the isolation at `voltage` (V), then switch the voltage off; `ok` says that the isolation is sound."""

    voltage: float


class SetOutput(Command, frozen=True):
    """DC: bring the output to `voltage` (V) and `current` (A); their product must never exceed `power` (W)."""

    voltage: float
    current: float
    power: float


class SetPower(Command, frozen=True):
    """AC: the power that the car is told to take. WPT: what the ground device gives from now on, and never more."""

    power: float


class FollowGrid(Command, frozen=True):
    """DC: what the grid asks of the charger's inverter from now on, of what it was configured to follow; what is null is asked no more.

    Units are V, Hz, W, var, s, shares and cos phi; + is out of the grid: taken, absorbed. What is commanded stays the limit.
    """

    control: GridControl


class ConnectDevice(Command, frozen=True):
    """ACDP: bring the device down to the vehicle; done once it is in its end position. The outlet is dead meanwhile."""


class DisconnectDevice(Command, frozen=True):
    """ACDP: bring the device home; done once it is there. The contactor is open; the outlet serves nobody before it is done."""


class PairVehicle(Command, frozen=True):
    """WPT: find out whether the vehicle over the ground device is this session's; `observed` is the code that it has observed, if any.

    Done once that is known, `ok` false with the reason where it is not. Sent again where the vehicle observes a code later.
    """

    observed: int | None = None


class CheckAlignment(Command, frozen=True):
    """WPT: excite the coil with `current` (A), measure, switch it off again; done then, `ok` says that the coils are aligned."""

    current: float


class Authorize(Command, frozen=True):
    """May this car charge (card, app, button)? `ok` null leaves it to the backend. It may take as long as a person does."""

    evccid: str


class SessionBegan(Word, frozen=True):
    """A car has introduced itself; `evccid` is the id it gave."""

    evccid: str


class SessionEnded(Word, frozen=True):
    """The session of the car is over and the contactor open; `how` and `reason` say how it ended."""

    well: bool
    how: str
    reason: str


class Car(Word, frozen=True):
    """What the car reported in its last charge loop; null where it reported nothing."""

    power: float | None = None
    soc: float | None = None  # %
    energy_target: float | None = None


class Refused(Word, frozen=True):
    """The firmware sent a wrong line, for this reason; the connection is closed."""

    reason: str


# --- from the firmware ---


class Hello(Word, frozen=True):
    """The first line of the firmware: the version that it speaks, and its name."""

    version: int
    name: str = ""


class Alive(Word, frozen=True):
    """A sign of life of the firmware, sent regularly."""


class Done(Word, frozen=True):
    """The answer to the command `id`: `ok` false where it was not carried out, with a reason."""

    id: int
    ok: bool | None = True
    reason: str = ""


class LimitsAre(Word, frozen=True, tag="limits"):
    """The present limits of the outlet; those that are left out stay as they were."""

    charge_power: float | None = None
    charge_power_minimum: float | None = None
    discharge_power: float | None = None
    discharge_power_minimum: float | None = None
    charge_current: float | None = None
    charge_current_minimum: float | None = None
    discharge_current: float | None = None
    discharge_current_minimum: float | None = None
    voltage: float | None = None
    voltage_minimum: float | None = None
    nominal_voltage: float | None = None
    nominal_frequency: float | None = None
    phases: Literal[1, 2, 3] | None = None


class Output(Word, frozen=True):
    """The present output, several times a second while the outlet is live."""

    voltage: float
    current: float
    power: float | None = None


class Meter(Word, frozen=True):
    """The registers of the meter, about once a second under power; `signature` in hex where the meter signs."""

    meter_id: str
    imported: float
    exported: float = 0.0
    at: float | None = None  # epoch s; null: now
    signature: str | None = None
    status: int | None = None


class Pilot(Word, frozen=True):
    """The state of the control pilot."""

    state: Literal["A", "B", "C", "D", "E", "F"]


class Lock(Word, frozen=True):
    """The state of the connector lock."""

    locked: bool


class Contactor(Word, frozen=True):
    """The state of the contactor, by its feedback, whenever it changes."""

    closed: bool


class Link(Word, frozen=True):
    """Whether the data link to a car stands."""

    linked: bool


class Position(Word, frozen=True):
    """ACDP, WPT: how far the vehicle stands from the middle, how far it may stand, and whether the device can reach it."""

    x: Deviation
    y: Deviation
    window_x: Deviation
    window_y: Deviation
    reachable: bool


class Device(Word, frozen=True):
    """ACDP: where the device is, whenever that changes; one that is not in its end position under power ends the session."""

    state: Literal["Home", "Moving", "EndPosition"]


class Alignment(Word, frozen=True):
    """WPT: whether the coils are aligned: before the check is done with what was measured in it, and whenever it changes."""

    aligned: bool
    power: float | None = None  # W that was transmitted
    current: float | None = None  # A of the supply device
    reason: str = ""


class AssociationLost(Word, frozen=True):
    """WPT: the vehicle over the ground device is no longer the one of this session."""

    reason: str


class GroundDevice(Word, frozen=True):
    """WPT: the condition of the ground device, whenever it changes: NoIssue, a foreign object, a living one, a heat, an anomaly."""

    condition: Condition


class EmergencyStop(Word, frozen=True):
    """Power off at once: the button, or the hardware's own supervision."""

    reason: str


class Stop(Word, frozen=True):
    """The car shall be asked to stop: a button."""

    reason: str = "the outlet's button"


class Fault(Word, frozen=True):
    """The reason why the outlet serves nobody; an empty one: it serves again."""

    reason: str


FromStation = (
    Welcome
    | Ping
    | CloseContactor
    | OpenContactor
    | LockConnector
    | UnlockConnector
    | CheckIsolation
    | SetOutput
    | SetPower
    | FollowGrid
    | ConnectDevice
    | DisconnectDevice
    | PairVehicle
    | CheckAlignment
    | Authorize
    | SessionBegan
    | SessionEnded
    | Car
    | Refused
)
FromFirmware = (
    Hello
    | Alive
    | Done
    | LimitsAre
    | Output
    | Meter
    | Pilot
    | Lock
    | Contactor
    | Link
    | Position
    | Device
    | Alignment
    | AssociationLost
    | GroundDevice
    | EmergencyStop
    | Stop
    | Fault
)

_decoder = msgspec.json.Decoder(FromFirmware)
_encoder = msgspec.json.Encoder()


def read(line: bytes) -> FromFirmware:
    """The word in a line of the firmware. Raises ValueError, which names what is wrong."""
    word: FromFirmware = _decoder.decode(line)
    return word


def word_from(said: dict[str, Any]) -> FromFirmware:
    """A word of the firmware from its values by name. Raises ValueError, which names what is wrong."""
    word: FromFirmware = msgspec.convert(said, FromFirmware)
    return word


def line_of(word: FromStation) -> bytes:
    """A word of the station as a line."""
    return _encoder.encode(word) + b"\n"


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of both directions."""
    (station, firmware), components = msgspec.json.schema_components((FromStation, FromFirmware), ref_template="#/$defs/{name}")
    for word in components.values():
        if "description" in word:  # there are versions of msgspec that leave a docstring as it is indented
            word["description"] = inspect.cleandoc(word["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"station and firmware, version {VERSION}",
        "$defs": {**components, "FromStation": station, "FromFirmware": firmware},
        "anyOf": [{"$ref": "#/$defs/FromStation"}, {"$ref": "#/$defs/FromFirmware"}],
    }


def schema_text() -> str:
    """The schema as the text of docs/firmware.schema.json."""
    return msgspec.json.format(msgspec.json.encode(schema(), order="sorted"), indent=2).decode()
