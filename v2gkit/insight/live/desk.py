"""What a CSMS and its stations say, as traces: a connection for each transaction, and one for each station beside them.

It runs in the process of the CSMS and writes the records of a trace, with the side "csms"; the viewer's process makes lines of them.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from v2g.session.trace import OcppFrame, Trace, line
from v2gkit.insight.conversation import Conversation

LONGEST: Final = 1 << 20  # octets of a frame whose payload is shown: as long as a frame of OCPP may be
PLACES: Final = 64  # transactions of a station whose place is known: one more, and the oldest has none
WELL: Final = frozenset(  # stoppedReason of a transaction with which nothing went wrong; absent means Local
    ["Local", "Remote", "EVDisconnected", "StoppedByEV", "SOCLimitReached", "EnergyLimitReached", "TimeLimitReached", "MasterPass"]
)


class Desk:
    """Hears every frame of a CSMS. `write` takes lines of a trace, `wall` gives epoch s for monotonic ones."""

    def __init__(self, write: Callable[[str], object], wall: Callable[[float], float]):
        self._write, self._wall = write, wall
        self.count = 0  # connections so far
        self._stations: dict[str, _Talk] = {}

    def frame(self, station: str, direction: str, text: str) -> None:
        """Take one frame of a station, that came "in" or goes "out" at the CSMS."""
        now = time.monotonic()
        talk = self._stations.get(station)
        if talk is None:
            talk = self._stations[station] = _Talk(station, self)
        talk.frame(now, direction, text)

    def address(self, viewer: str, station: str, transaction: str) -> str | None:
        """Where a viewer at this address shows a transaction that runs; None: nothing of it was heard."""
        talk = self._stations.get(station)
        place = talk.places.get(transaction) if talk is not None else None
        return None if place is None else f"{viewer}#c={place}"

    def opened(self, at: float, about: Mapping[str, Any]) -> Trace:
        """A trace of its own, whose first record is written."""
        self.count += 1
        trace = Trace("csms", self._wall, (), connection=self.count)
        self._write(line(trace.opening(at, about)))
        return trace

    def write(self, record: dict[str, Any]) -> None:
        """Write one record of a trace."""
        self._write(line(record))


class _Talk:
    """One station: its own trace, and those of its transactions by EVSE."""

    def __init__(self, station: str, desk: Desk):
        self._name, self._desk = station, desk
        self._frames = Conversation({}, LONGEST)
        self._own: Trace | None = None
        self._evses: dict[int, Trace] = {}  # EVSE -> its latest transaction
        self.places: dict[str, int] = {}  # transaction -> its connection in the viewer, of those that run
        self._open: set[int] = set()  # EVSEs whose transaction has not ended

    def frame(self, now: float, direction: str, text: str) -> None:
        frame = self._frames.frame(now, direction, text)
        if frame is None:
            return
        evse = self._frames.evse or (next(iter(self._open)) if len(self._open) == 1 else 0)
        event = frame.payload or {} if frame.action == "TransactionEvent" and frame.kind == "call" else {}
        if event and evse not in self._open and event.get("eventType") != "Ended":
            self._begin(now, evse, event)
        trace = self._evses.get(evse)
        if trace is None:
            trace = self._own = self._own or self._desk.opened(now, {"station": self._name, "evse": ""})
        self._desk.write(trace.record(frame))
        if event.get("eventType") == "Ended" and evse in self._open:
            self._open.discard(evse)
            self.places.pop(str(event.get("transactionInfo", {}).get("transactionId", "")), None)
            self._desk.write(_ended(trace, frame, event))

    def _begin(self, now: float, evse: int, event: Mapping[str, Any]) -> None:
        transaction = str(event.get("transactionInfo", {}).get("transactionId", ""))
        about = {"station": self._name, "evse": str(evse) if evse else "", "transaction": transaction}
        self._evses[evse] = self._desk.opened(now, about)
        self._open.add(evse)
        if len(self.places) >= PLACES:
            self.places.pop(next(iter(self.places)))
        self.places[transaction] = self._desk.count - 1  # the viewer counts from 0


def _ended(trace: Trace, frame: OcppFrame, event: Mapping[str, Any]) -> dict[str, Any]:
    """The record of the end of a transaction."""
    reason = str(event.get("transactionInfo", {}).get("stoppedReason", "Local"))
    well = reason in WELL
    said = {"how": reason, "well": well, "error": None if well else f"the station stopped the transaction: {reason}", "requirement": None}
    times = {name: value for name, value in trace.record(frame).items() if name in ("connection", "at", "epoch")}
    return {"type": "end", **times, **said, "asked": "", "closed_by": "peer", "clean": True, "reason": str(event.get("triggerReason", ""))}
