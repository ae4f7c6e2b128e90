"""Accidents in every state of the sequence, at the car: contactors open in time, the session says why it ended, and the car may come again.

The states are those of the table. A car of ours comes to each at our station, in one virtual time, asks for what is due there, and is then
left to its accident.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import pytest

from evcc.engine import PILOT_FAILURES, EvccSession
from evcc.iso20.charge import charge
from evcc.iso20.standby import standby
from secc import station as words
from tests.evcc.test_pair import car
from tests.evcc.virtual_pair import Pair, outlet
from tests.evcc.watch import Did, Watched
from v2g.iso20.sequence import SEQUENCE, State
from v2g.iso20.services import SERVICES
from v2g.iso20.timing import timing
from v2g.session.endpoint import Ended, FrameSent
from v2g.session.errors import ConnectionLost, PeerMisbehaved, Stopped, TimedOut
from v2g.session.tls import TlsError

WAITING: Final = tuple(dict.fromkeys(row.state for row in SEQUENCE))


class Halted(Pair):
    """Goes on until the car has asked for what is due in a state, which its station does not hear any more; None: to the end."""

    halt: State | None = None

    def __post_init__(self) -> None:
        self.at: dict[State, FrameSent] = {}  # by the states of the station: what the car asked first in each
        self.halted = False
        super().__post_init__()

    def _moves(self) -> bool:
        self.seen += self.evcc.events()
        asked = next((event for event in reversed(self.seen) if isinstance(event, FrameSent)), None)
        if asked is not None and self.evcc._out:
            state = self.station.context.state
            self.at.setdefault(state, asked)
            self.halted = state is self.halt
        if self.halted:
            self.evcc.octets_to_send()
            return False
        return super()._moves()


@dataclass(frozen=True)
class Journey:
    """One way to charge, which comes by some states."""

    service: str
    script: Callable[[], Any] = lambda: charge  # a script anew, for those that remember something
    facts: tuple[tuple[int, words.Fact], ...] = ()

    def __call__(self, halt: State | None) -> Halted:
        visitor = car(self.service, loops=60)
        visitor.ev = Watched(visitor.ev.battery, energy=visitor.ev.energy)
        visitor.ev.say = lambda what, value: visitor.noted.append(Did(visitor.now, what, value))
        kind = type("Halted", (Halted,), {"halt": halt})
        halted: Halted = kind(visitor, outlet(standby="closed"), self.script(), facts=dict(self.facts), hardware=0.001)
        return halted


RENEGOTIATION = ((3, words.RenegotiationAsked("Schedule")),)
KINDS = {(row.dc, row.wireless): row.name for row in SERVICES.values() if not row.der and not row.docked}.values()  # one of each loop
JOURNEYS = (
    *map(Journey, SERVICES),
    *(Journey(service, facts=RENEGOTIATION) for service in KINDS),
    *(Journey(service, lambda: standby(10, 5.0)) for service in KINDS),
)


@cache
def ways() -> dict[State, Journey]:
    """A journey that comes by each state."""
    found: dict[State, Journey] = {}
    for journey in JOURNEYS:
        for state in journey(None).at:
            found.setdefault(state, journey)
    return found


def test_a_car_comes_by_every_state_of_the_table() -> None:
    assert set(ways()) == set(WAITING)


# --- the accidents ---

Act = Callable[[EvccSession, float], None]
Expected = Callable[[Ended, FrameSent], float]


def silent(session: EvccSession, now: float) -> None:
    """Nobody answers."""


def timed_out(ended: Ended, asked: FrameSent) -> float:
    assert isinstance(ended.error, TimedOut)
    limit = timing(type(asked.message)).msg_timeout
    assert (ended.error.timer, ended.error.limit) == ("V2G_EVCC_Msg_Timeout", limit)
    assert ended.requirement == "V2G20-436"
    return limit


def at_once(kind: type[Exception], said: str) -> Expected:
    """It ends in the same instant, for this reason; no requirement was broken that has a number."""

    def expected(ended: Ended, asked: FrameSent) -> float:
        assert isinstance(ended.error, kind)
        assert said in (ended.reason or "")
        assert ended.requirement is None
        return 0.0

    return expected


def pilot(state: str) -> Act:
    return lambda session, now: session.pilot(state, now)


RESET = ConnectionLost("the connection was lost: Connection reset by peer")
ALERT = TlsError("TLS broke: peer sent alert bad_record_mac", "peer", alert="bad_record_mac")
ACCIDENTS: dict[str, tuple[Act, Expected]] = {
    "the connection is reset": (
        lambda session, now: session.lost(RESET, now), at_once(ConnectionLost, "Connection reset by peer; waiting for")
    ),
    "the station hangs up": (lambda session, now: session.receive(b"", now), at_once(ConnectionLost, "closed the connection; waiting for")),
    "an alert": (lambda session, now: session.lost(ALERT, now), at_once(TlsError, "alert bad_record_mac")),
    "the station is silent": (silent, timed_out),
    **{f"pilot {state}": (pilot(state), at_once(PeerMisbehaved, f"state {state}: {why}")) for state, why in PILOT_FAILURES.items()},
    "the power is lost": (
        lambda session, now: session.abort("the car's hardware has no power", now), at_once(Stopped, "the car's hardware has no power")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCIDENTS)
@pytest.mark.parametrize("state", WAITING, ids=lambda state: state.value)
def test_a_car_survives_an_accident_in_every_state(state: State, name: str) -> None:
    act, expected = ACCIDENTS[name]
    journey = ways()[state]
    pair = journey(state)
    assert pair.halted
    session, closed = pair.evcc, pair.car.closed
    asked = next(event for event in reversed(pair.seen) if isinstance(event, FrameSent))
    act(session, pair.now)
    now = pair.now
    while session.ended is None:
        due = session.deadline()
        assert due is not None, "the session waits for nothing"
        now = max(due, now)
        session.tick(now)
    assert session.ended.reason
    assert now - asked.at <= expected(session.ended, asked) + (pair.now - asked.at) + 1e-6
    told = [(event.what, event.value, event.at) for event in session.events() if isinstance(event, Did) and event.what != "took"]
    assert told[-1] == ("pilot", "B", now), "the car wants power after the end"
    if closed:
        assert ("contactors", False, now) in told, "the contactors stay closed"
    assert not pair.car.closed
    assert session.deadline() is None
    assert session.octets_to_send() == b""

    again = pair.car.anew(pair.car.link)
    again.now, again.wish = now, replace(again.wish, loops=again.loops + 3)
    assert Pair(again, outlet(standby="closed")).evcc.ended == Ended("Terminate")
