"""What a VEN reports of an event, in the words of OpenADR 3: what was drawn in its intervals, and how it stands to it. Pure.

    reports = Reports("depot")
    reports.know(events, shifts)          the events of a round, and how far the random start of each moves it
    reports.sample("meter", 7_400.0, at)  a reading of a meter (W, + from the grid)
    for due in reports.due(states, now):  ... sent; then reports.sent(due)

A VTN says by `reportDescriptors` of an event what it wants: DEMAND (kW, the mean of an interval), USAGE (kWh) and OPERATING_STATE are told.
What was read before this process began is not known: an interval of which less than half was read is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from v2gkit.grid.openadr3.words import Event
from v2gkit.grid.times import written

Json = dict[str, Any]
Placed = tuple[float, float, int]
"""From, to (epoch s) and the id of an interval."""
METERED: Final = ("DEMAND", "USAGE")
STATE: Final = "OPERATING_STATE"
KNOWN: Final = {"DEMAND": "KW", "USAGE": "KWH", STATE: None}
HALF: Final = 0.5  # of an interval that must have been read
GAP: Final = 120.0  # s between two readings beyond which nobody knows what was drawn
INTERVALS: Final = 256  # of an event that are told of, the last ones
OUT: Final = "RUNNING_OPTED_OUT"  # the event is not followed
CURTAILED: Final = "RUNNING_CURTAILED"  # it holds
NORMAL: Final = "RUNNING_NORMAL"  # it does not hold yet, or no more


@dataclass(frozen=True, slots=True)
class Due:
    """A report that is to be sent: of which event, its body, and what it was made of."""

    event: str
    body: Json
    mark: object


@dataclass(slots=True)
class _Slot:
    """An interval of an event, with what meters read in it: Wh and s by meter."""

    start: float
    end: float
    number: int
    energy: dict[str, float] = field(default_factory=dict)
    read: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Followed:
    """An event with what is wanted of it. `every`: after how many intervals a report is due; 0: after the last."""

    wanted: tuple[str, ...]
    every: int
    slots: list[_Slot]
    told: object = None


class Reports:
    """The reports of one VEN, by the name that it has at its VTN."""

    def __init__(self, ven: str) -> None:
        self._ven = ven
        self._events: dict[str, _Followed] = {}
        self._last: dict[str, tuple[float, float]] = {}  # meter -> epoch s, W

    @property
    def events(self) -> frozenset[str]:
        """The events that are known, by their ids."""
        return frozenset(self._events)

    def know(self, events: Iterable[tuple[Event, Sequence[Placed]]]) -> None:
        """Take the events that a VTN has, each with its intervals in their time; what it has no more is told of no more."""
        found: dict[str, _Followed] = {}
        for event, placed in events:
            wanted = tuple(dict.fromkeys(each.payload_type for each in event.report_descriptors or () if each.payload_type in KNOWN))
            every = min((max(each.frequency, 0) for each in event.report_descriptors or () if each.payload_type in wanted), default=0)
            before = self._events.get(event.id)
            known = {(slot.start, slot.end, slot.number): slot for slot in before.slots} if before is not None else {}
            slots = [known.get(each) or _Slot(*each) for each in placed[-INTERVALS:]]
            found[event.id] = _Followed(wanted, every, slots, before.told if before is not None else None)
        self._events = found

    def sample(self, meter: str, power: float, at: float) -> None:
        """Take a reading of a meter: since the one before it the mean of both was drawn, unless that is too long ago."""
        since, before = self._last.get(meter, (at, power))
        self._last[meter] = at, power
        if not 0 < at - since <= GAP:
            return
        mean = (power + before) / 2
        for followed in self._events.values():
            for slot in followed.slots:
                if (span := min(slot.end, at) - max(slot.start, since)) > 0:
                    slot.energy[meter] = slot.energy.get(meter, 0.0) + mean * span / 3_600.0
                    slot.read[meter] = slot.read.get(meter, 0.0) + span

    def due(self, states: Mapping[str, str], now: float) -> list[Due]:
        """The reports that are to be sent now. `states` say of each event how the VEN stands to it; `OUT` is told unasked."""
        made = []
        for id_, followed in self._events.items():
            over = sum(slot.end <= now for slot in followed.slots)
            whole = over == len(followed.slots)
            state = states.get(id_, NORMAL if whole else None)
            asked = STATE in followed.wanted and state is not None
            count = over if whole else over // followed.every * followed.every if followed.every else 0
            meters = [kind for kind in followed.wanted if kind in METERED]
            mark = (state if asked or state == OUT else None, count if meters else 0)
            if mark in (followed.told, (None, 0)):
                continue
            resources = self._metered(followed.slots[:count], meters) if meters else []
            if mark[0] is not None:
                interval = {
                    "id": 0,
                    "intervalPeriod": {"start": written(now), "duration": "PT0S"},
                    "payloads": [{"type": STATE, "values": [state]}],
                }
                resources.append({"resourceName": self._ven, "intervals": [interval]})
            if resources:
                kinds = [*meters, *([STATE] if mark[0] is not None else [])]
                made.append(Due(id_, self._body(id_, kinds, resources), mark))
        return made

    def sent(self, due: Due) -> None:
        """Note that a report was taken."""
        if due.event in self._events:
            self._events[due.event].told = due.mark

    def _metered(self, slots: Sequence[_Slot], kinds: Sequence[str]) -> list[Json]:
        """What each meter read, interval by interval."""
        found = []
        for meter in sorted({name for slot in slots for name in slot.read}):
            intervals = []
            for slot in slots:
                read, length = slot.read.get(meter, 0.0), slot.end - slot.start
                if read < HALF * length:
                    continue
                power = slot.energy[meter] / read * 3.6  # kW: Wh in s
                values = {"DEMAND": power, "USAGE": power * length / 3_600.0}
                payloads = [{"type": kind, "values": [round(values[kind], 3)]} for kind in kinds]
                period = {"start": written(slot.start), "duration": f"PT{length:.0f}S"}
                intervals.append({"id": slot.number, "intervalPeriod": period, "payloads": payloads})
            if intervals:
                found.append({"resourceName": meter, "intervals": intervals})
        return found

    def _body(self, event: str, kinds: Sequence[str], resources: list[Json]) -> Json:
        descriptors: list[Json] = [
            {"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": kind, "readingType": "MEAN" if kind == "DEMAND" else "DIRECT_READ"}
            | ({"units": KNOWN[kind]} if KNOWN[kind] else {})
            for kind in kinds
        ]
        named = {"objectType": "REPORT", "eventID": event, "clientName": self._ven, "reportName": f"{self._ven}:{event}"[:128]}
        return named | {"payloadDescriptors": descriptors, "resources": resources}
