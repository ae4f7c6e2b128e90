"""DER controls (block R of OCPP 2.1): the store of what a CSMS asks of inverters, and which of it holds now (pure).

Of a controlType a scheduled control outranks the default one while it runs; among scheduled ones, and among defaults, the lower priority
number wins. One that is superseded never comes back. Where a control ends or is cleared the default holds, and below it the station's own.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ocpp_bridge.wire.ration import Ration
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch
from v2g.energy.der import Alarm, GridControl, Shares

CURVES: Final = (
    "FreqWatt", "HFMustTrip", "HFMayTrip", "HVMustTrip", "HVMomCess", "HVMayTrip", "LFMustTrip", "LVMustTrip", "LVMomCess", "LVMayTrip",
    "PowerMonitoringMustTrip", "VoltVar", "VoltWatt", "WattPF", "WattVar",
)  # fmt: skip
BODIES: Final[dict[str, str]] = dict.fromkeys(CURVES, "curve") | {  # controlType -> the field that holds its settings
    "EnterService": "enterService",
    "FreqDroop": "freqDroop",
    "FixedPFAbsorb": "fixedPFAbsorb",
    "FixedPFInject": "fixedPFInject",
    "FixedVar": "fixedVar",
    "Gradients": "gradient",
    "LimitMaxDischarge": "limitMaxDischarge",
}
DEFAULT_ONLY: Final = ("EnterService", "Gradients")
# Of one type, default or scheduled: as many ids as one answer may name as superseded, and as one page of a report may hold. Beyond it those
# that are superseded make room; where all of them count, one more is refused.
MOST: Final = 24
FARTHEST: Final = 366 * 86_400.0  # s; how far ahead a control may begin, and how long it may last: what nobody clears ends within two years


class Refused(ValueError):
    """A control that is not taken: `status` and OCPP's reasonCode, the words for people."""

    def __init__(self, status: str, reason: str, text: str):
        super().__init__(text)
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class Control:
    """One DER control. `body` holds its settings as they came; `number` counts in which order controls were set."""

    id: str
    type: str
    default: bool
    body: Payload
    number: int
    start: float = -math.inf  # epoch s
    until: float = math.inf  # epoch s
    superseded: bool = False
    begun: bool = False  # the CSMS was told that it has started
    overrules: tuple[str, ...] = ()  # ids that it supersedes once it starts

    @property
    def priority(self) -> int:
        """The priority, of which 0 is the highest."""
        return int(self.body["priority"])

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The order of controls of a kind: the least of them holds, of equal ones the latest word of the CSMS."""
        return self.default, self.priority, -self.number

    @property
    def kept(self) -> dict[str, Any]:
        """The control as JSON, for the store."""
        times = {} if self.default else {"start": self.start, "until": self.until}
        flags = {"superseded": self.superseded, "begun": self.begun, "overrules": list(self.overrules)}
        return {"id": self.id, "type": self.type, "default": self.default, "body": self.body, "number": self.number} | times | flags


def of_kept(said: dict[str, Any]) -> Control:
    """The control that was kept as JSON."""
    return Control(**said | {"overrules": tuple(said["overrules"])})


@dataclass(frozen=True, slots=True)
class Turn:
    """A control that has started or ended, for NotifyDERStartStop, with the ids that it superseded by starting."""

    control: Control
    started: bool
    superseded: tuple[str, ...] = ()


@dataclass(slots=True)
class CarInverter:
    """The inverter of the car at an EVSE: what is asked of it, as its session was told last, and what it told."""

    functions: tuple[str, ...] = ()  # of `GridControl`, that the outlet's own inverter follows (DC)
    asked: tuple[GridControl, Shares] = (GridControl(), Shares())
    feeding: bool = False  # power flowed out of the car when it last flowed
    alarms: tuple[Alarm, ...] = ()  # that stand


@dataclass(slots=True)
class Controls:
    """The DER controls of a station, by id, over what the station itself asks of cars that feed the grid (`codes`)."""

    held: dict[str, Control] = field(default_factory=dict)
    numbers: int = 0
    codes: GridControl = field(default_factory=GridControl)
    ration: Ration = field(default_factory=lambda: Ration(60, 400, "alarms of inverters"))

    def select(self, default: bool | None = None, type_: str | None = None, id_: str | None = None) -> list[Control]:
        """The controls of that kind, in the order in which they were set."""
        wanted = ((default, "default"), (type_, "type"), (id_, "id"))
        return [each for each in self.held.values() if all(value in (None, getattr(each, name)) for value, name in wanted)]

    def put(self, asked: Payload, wall: float) -> tuple[str, ...]:
        """Take a SetDERControl that `judged` let pass, at `wall` (epoch s). Returns the ids that are superseded by it, or its own."""
        fresh = read(asked, self.numbers + 1)
        others = [each for each in self.select(fresh.default, fresh.type) if each.id != fresh.id]
        if len(others) >= MOST:
            self._make_room(others)
        self.numbers += 1
        rivals = [each for each in others if not each.superseded]
        if any(each.priority < fresh.priority for each in rivals):
            self.held[fresh.id] = replace(fresh, superseded=True)
            return (fresh.id,)
        weaker = [each for each in rivals if each.priority > fresh.priority]
        running = tuple(each.id for each in weaker if not each.default and each.start <= wall)  # they go on until the stronger one begins
        for each in weaker:
            if each.id not in running:
                self.held[each.id] = replace(each, superseded=True)
        self.held[fresh.id] = replace(fresh, overrules=running)
        return tuple(each.id for each in weaker)

    def _make_room(self, others: list[Control]) -> None:
        """Forget the oldest of these that is superseded; Refused where all of them count."""
        gone = next((each for each in others if each.superseded), None)
        if gone is None:
            raise Refused("Rejected", "TooManyElements", f"{MOST} controls {others[0].type} of this kind are there: clear some first")
        del self.held[gone.id]

    def clear(self, chosen: Iterable[Control]) -> None:
        """Forget these controls, whether they run or not."""
        for each in chosen:
            self.held.pop(each.id, None)

    def turns(self, wall: float) -> Iterator[Turn]:
        """Start and end the scheduled controls whose time has come at `wall` (epoch s), one by one, and forget those that are over."""
        for each in sorted(self.select(default=False), key=lambda one: (one.start, one.number)):
            now = self.held[each.id]  # one that started just before may have superseded it
            if wall >= now.until:
                del self.held[now.id]
                if now.begun and not now.superseded:
                    yield Turn(now, started=False)
            elif not now.begun and not now.superseded and wall >= now.start:
                yield self._begun(now)

    def _begun(self, control: Control) -> Turn:
        rivals = [self.held[id_] for id_ in control.overrules if id_ in self.held]
        gone = [each for each in rivals if not each.superseded and each.priority > control.priority]
        for each in gone:
            self.held[each.id] = replace(each, superseded=True)
        self.held[control.id] = replace(control, begun=True, overrules=())
        return Turn(self.held[control.id], True, tuple(each.id for each in gone))

    def due(self) -> float | None:
        """When the next control starts or ends (epoch s); None: never."""
        scheduled = self.select(default=False)
        return min((each.until if each.begun or each.superseded else each.start for each in scheduled), default=None)

    def holding(self, wall: float) -> dict[str, Control]:
        """The control that holds now of each controlType, as far as there is one."""
        live = [each for each in self.held.values() if not each.superseded and each.start <= wall < each.until]
        return {each.type: each for each in sorted(live, key=lambda one: one.rank, reverse=True)}

    def discharge_share(self, wall: float) -> float | None:
        """The share of its rated power that a car may give back now, by LimitMaxDischarge; None: nothing limits it."""
        held = self.holding(wall).get("LimitMaxDischarge")
        return None if held is None else float(held.body["pctMaxDischargePower"]) / 100.0


def read(asked: Payload, number: int) -> Control:
    """The control of a SetDERControl that `judged` let pass."""
    body = asked[BODIES[asked["controlType"]]]
    what = {"id": asked["controlId"], "type": asked["controlType"], "default": asked["isDefault"], "body": body, "number": number}
    if asked["isDefault"]:
        return Control(**what)
    start = epoch(body["startTime"])
    return Control(**what, start=start, until=start + body["duration"])


def judged(asked: Payload, modes: Iterable[str], wall: float) -> None:
    """Raise `Refused` for a SetDERControl that breaks the rules of R04, or that none of `modes` (ModesSupported of all EVSEs) is."""
    type_, bodies = asked["controlType"], [name for name in set(BODIES.values()) if name in asked]
    if type_ not in modes:
        raise Refused("NotSupported", "UnsupportedParam", f"{type_} is not in ModesSupported of ACDERCtrlr or DCDERCtrlr of any EVSE")
    if bodies != [BODIES[type_]]:
        raise Refused("Rejected", "InvalidValue", f"{type_} takes {BODIES[type_]} alone, not {', '.join(sorted(bodies)) or 'nothing'}")
    body = asked[BODIES[type_]]
    times = [name for name in ("startTime", "duration") if name in body]
    if asked["isDefault"]:
        if times:
            raise Refused("Rejected", "InvalidValue", f"a default control has no {' and no '.join(times)}")
        return
    if type_ in DEFAULT_ONLY:
        raise Refused("Rejected", "InvalidValue", f"{type_} can be a default control alone: give isDefault true")
    if len(times) < 2:
        raise Refused("Rejected", "MissingParam", "a scheduled control has startTime and duration")
    try:
        start = epoch(body["startTime"])
    except ValueError as error:
        raise Refused("Rejected", "InvalidValue", f"startTime: {error}") from None
    if not 0 < body["duration"] <= FARTHEST or start > wall + FARTHEST:
        raise Refused("Rejected", "InvalidValue", f"a scheduled control begins and lasts within {FARTHEST:.0f} s, and lasts more than 0 s")
    if start + body["duration"] <= wall:
        raise Refused("Rejected", "InvalidValue", f"it was over at {body['startTime']} and {body['duration']:g} s: that is past")
