"""The queue of calls from the station to the CSMS, in the order in which things happened.

A call that must arrive (`kept`: TransactionEvent, critical SecurityEventNotification) waits while there is no connection and is sent again
when it fails, and those of its action wait behind it, so that seqNo stays in order; others pass. A NotifyEvent is kept over a lost
connection, too, but any answer settles it. A CSMS that never answers a TransactionEvent hangs, and is waited for; one that never answers
another action does not know it, and is asked a few times. Whatever else is said is about the present and is dropped with the connection.
One call is under way at a time.

Nothing is said before what it rests on is on the disk: what must outlive the process is numbered in the order in which it came to be (a
kept call, or a kept value of `Charger.keep`), and a call waits until the store has written all that there was before it.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ocpp_bridge.wire.rpc import CONNECTION_LOST, TIMEOUT
from ocpp_bridge.wire.schemas import Payload

UNSAYABLE: Final = "Unsayable"  # the failure of a call that the version of the link has no words for: another attempt says no more
EVENT: Final = "TransactionEvent"
ONCE: Final = frozenset({"NotifyEvent"})  # kept, but not sent again once the CSMS had it in whatever way
METER_VALUES: Final = "MeterValues"
QUEUED: Final = frozenset({METER_VALUES, "ReservationStatusUpdate"})  # kept as well where OCPPCommCtrlr.QueueAllMessages says so
# About 20 MB of events: weeks offline. Beyond it, Updated events and MeterValues are thinned out from the middle
KEPT_MAXIMUM: Final = 20_000


@dataclass(slots=True, eq=False)
class Call:
    """One CALL of the station. `about` is kept for whoever handles its answer, such as a transaction id."""

    action: str
    payload: Payload
    evse: int = 0
    about: Any = None
    kept: bool = False
    urgent: bool = False  # overtakes what waits: a car stands before the answer
    solicited: bool = False  # the CSMS asked for it
    attempts: int = 0
    due: float = 0.0  # monotonic s; not before
    number: int = 0  # of a kept call
    rests_on: int | None = None  # number of the last thing that must be on the disk before it is said; None: not looked at yet


@dataclass(frozen=True, slots=True)
class Batch:
    """What a store must write in one commit: everything that came to be up to `number`, since the batch before."""

    number: int
    calls: dict[int, bytes] = field(default_factory=dict)  # JSON of calls that must be delivered
    over: tuple[int, ...] = ()  # numbers of calls that are
    values: dict[str, bytes | None] = field(default_factory=dict)  # JSON by name; None: forgotten

    def before(self, later: "Batch") -> "Batch":
        """This batch and the one after it as one."""
        over = {*self.over, *later.over}
        calls = {number: body for number, body in (self.calls | later.calls).items() if number not in over}
        return Batch(later.number, calls, tuple(over), self.values | later.values)


@dataclass(slots=True)
class Outbox:
    """Calls that wait, the one that is under way, and the rule by which a failed one is sent again."""

    attempts: int = 3  # MessageAttempts[TransactionEvent]
    interval: float = 30.0  # s, MessageAttemptInterval[TransactionEvent], times the number of sends before
    waiting: deque[Call] = field(default_factory=deque)
    under_way: Call | None = None
    discarded: int = 0  # kept calls that were given up
    number: int = 0  # of the last thing that must outlive the process
    durable: float = math.inf  # everything up to this number is on the disk; without a store nothing waits for one
    hung: int = 0  # calls in a row that were not answered in time
    fresh: dict[int, Call] = field(default_factory=dict)  # kept calls that the store does not have yet
    over: list[int] = field(default_factory=list)  # numbers of calls that it may forget

    def put(self, call: Call) -> None:
        """Add a call; urgent ones go before all that are not."""
        if call.kept:
            self._note(call)
        if not call.urgent:
            self.waiting.append(call)
            if call.kept and len(self.waiting) > KEPT_MAXIMUM:
                self._thin()
            return
        place = sum(1 for other in self.waiting if other.urgent)
        self.waiting.insert(place, call)

    def recall(self, calls: list[Call]) -> None:
        """Queue kept calls of a former run, with the numbers that they have in the store, before everything else."""
        self.number = max([self.number, *(call.number for call in calls)])
        self.waiting.extendleft(reversed(calls))

    def batch(self, values: dict[str, Any]) -> Batch | None:
        """Take what the store must write, with these kept values; None: it has everything."""
        if not (self.fresh or self.over or values):
            return None
        calls = {number: msgspec.json.encode(_kept(call)) for number, call in self.fresh.items()}
        written = {name: None if value is None else msgspec.json.encode(value) for name, value in values.items()}
        made = Batch(self.number, calls, tuple(self.over), written)
        self.fresh, self.over = {}, []
        return made

    def next(self, now: float, may: Callable[[Call], bool]) -> Call | None:
        """Take the first call for which `may` is true, to be sent at `now` (monotonic s); None while one is under way or none may go."""
        if self.under_way is not None:
            return None
        held: set[str] = set()  # actions of which a kept call waits for its next attempt
        for call in self.waiting:
            if call.rests_on is None:
                call.rests_on = call.number or self.number
            if (call.kept and call.action in held) or not may(call):
                continue
            if now < call.due or call.rests_on > self.durable:
                if call.kept:
                    held.add(call.action)
                continue
            self.waiting.remove(call)
            call.attempts += 1
            self.under_way = call
            return call
        return None

    def deadline(self) -> float | None:
        """The time (monotonic s) at which a call that failed may be sent again; None: there is no such call."""
        if self.under_way is not None:
            return None
        first: dict[str, Call] = {}  # of each action: the others wait behind it
        for call in self.waiting:
            if call.kept:
                first.setdefault(call.action, call)
        return min((call.due for call in first.values() if call.number <= self.durable), default=None)  # the store says when it has it

    def settled(self, code: str | None, now: float) -> Call | None:
        """The call under way was answered (`code` None) or failed. Returns it if it is over, None if it will be sent again."""
        call, self.under_way = self.under_way, None
        self.hung = self.hung + 1 if code == TIMEOUT else 0
        if call is None or not call.kept:
            return call
        if code is None:
            self._done(call)
            return call
        if code == CONNECTION_LOST or (code == TIMEOUT and call.action == EVENT):
            call.attempts -= 1  # being offline is no attempt, nor is being hung: the CSMS has said nothing about the call
            call.due = now + (self.interval if code == TIMEOUT else 0.0)
        elif code == UNSAYABLE or call.action in ONCE or call.attempts >= self.attempts:
            self.discarded += 1
            self._done(call)
            return call
        else:
            call.due = now + self.interval * call.attempts
        self.waiting.appendleft(call)
        return None

    def offline(self) -> list[Call]:
        """Drop the calls that need not arrive, and return them, so that those who wait for an answer go on without."""
        self.hung = 0
        dropped = [call for call in self.waiting if not call.kept]
        self.waiting = deque(call for call in self.waiting if call.kept)
        return dropped

    @property
    def kept(self) -> list[Call]:
        """The calls that must arrive, in order."""
        under_way = [self.under_way] if self.under_way is not None and self.under_way.kept else []
        return under_way + [call for call in self.waiting if call.kept]

    def _note(self, call: Call) -> None:
        self.number += 1
        call.number = self.number
        self.fresh[call.number] = call

    def _done(self, call: Call) -> None:
        """The store may forget a call; one that it has never had is not written any more."""
        if self.fresh.pop(call.number, None) is None:
            self.over.append(call.number)

    def _thin(self) -> None:
        """Give up every second Updated event and MeterValues in the middle half; Started and Ended stay."""
        quarter = len(self.waiting) // 4
        calls = list(self.waiting)
        kept = [
            call
            for place, call in enumerate(calls)
            if not (
                quarter <= place < 3 * quarter and place % 2 and (call.action == METER_VALUES or call.payload.get("eventType") == "Updated")
            )
        ]
        self.discarded += len(calls) - len(kept)
        for call in set(calls) - set(kept):
            if call.kept:
                self._done(call)
        self.waiting = deque(kept)


def _kept(call: Call) -> dict[str, Any]:
    """A kept call as the store has it."""
    return {"action": call.action, "evse": call.evse, "about": call.about, "payload": call.payload}
