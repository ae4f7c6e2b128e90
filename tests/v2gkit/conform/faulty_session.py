"""Faults of a station in how its sessions begin, stand beside each other, and end."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import secc.iso20.setup as setup
from secc import reception
from secc.engine import CLOSE, SETUP, SeccSession
from secc.iso20.answers import ANSWERS
from secc.iso20.setup import demand_free
from tests.v2gkit.conform.seeding import ASKED, FOR_EVER, Code, Seed, all_of, grants_where, put, puts, remembers, responds
from v2g.messages import common_messages as cm
from v2g.session.errors import Refused

How = cm.chargingSessionType
GIVEN: set[bytes] = set()  # ids of sessions
PAUSED: set[bytes] = set()  # of those that paused


def counted() -> Callable[..., bytes]:
    """Ids of sessions are numbers in turn."""
    ids = iter(range(1, 10_000))
    return lambda *_: next(ids).to_bytes(8, "big")


def _paused(request: Any, response: Any, session: Any) -> Any:
    if request.ChargingSession is How.Pause:
        PAUSED.add(request.Header.SessionID)
    return response


def _given() -> None:
    """The ids of sessions are kept."""
    fresh = setup.fresh_id

    def changed(known: Any) -> bytes:
        found = fresh(known)
        GIVEN.add(found)
        return found

    setup.fresh_id = changed


KEEPS_IDS = all_of(_given, responds(cm.SessionStopReq, _paused))


def joins(fits: Callable[[bytes], bool]) -> Seed:
    """Whoever names a session that fits is told to have joined it; it is a new one all the same."""

    def joined(request: Any, response: Any, session: Any) -> Any:
        asked = request.Header.SessionID
        new = any(asked) and response.ResponseCode is Code.OK_NewSessionEstablished and fits(asked)
        return put(response, ResponseCode=Code.OK_OldSessionJoined) if new else response

    return all_of(KEEPS_IDS, responds(cm.SessionSetupReq, joined))


def _near(session_id: bytes) -> bool:
    """Whether one bit is between an id and one that was given."""
    number = int.from_bytes(session_id, "big")
    return any((number ^ int.from_bytes(each, "big")).bit_count() == 1 for each in GIVEN)


JOINS_STRANGERS = joins(lambda asked: asked not in GIVEN)
JOINS_WHAT_IS_OVER = joins(lambda asked: asked in GIVEN - PAUSED)
NEAR_ENOUGH = all_of(KEEPS_IDS, grants_where(cm.AuthorizationSetupReq, lambda request, response: _near(request.Header.SessionID)))


def half_a_challenge() -> None:
    """Half of every challenge is zeros."""
    offer = ANSWERS[cm.AuthorizationSetupReq]

    def changed(request: Any, known: Any) -> Any:
        entropy = known.given.entropy
        poor = replace(known.given, entropy=lambda count: bytes(count // 2) + entropy(count - count // 2))
        reply: Any = offer(request, replace(known, given=poor))
        return replace(reply, known=replace(reply.known, given=known.given))

    ANSWERS[cm.AuthorizationSetupReq] = changed


def after_the_negotiation(change: Callable[[float, float], float]) -> Seed:
    """When the setup of a session that is negotiated must be over: change(when it is now, now)."""

    def seed() -> None:
        move = SeccSession._move

        def moves(self: Any, then: Any, how: str, request: type, stream: str, now: float) -> None:
            move(self, then, how, request, stream, now)
            if request is reception.REQUEST and self._timer is not None and self._timer.name == SETUP:
                self._timer = replace(self._timer, due=change(self._timer.due, now))

        SeccSession._move = moves  # type: ignore[method-assign, assignment]

    return seed


def stands_after_power() -> None:
    """After a session with power the connection stands until the car closes it."""
    powered: WeakSet[SeccSession] = WeakSet()
    move = SeccSession._move

    def charges(request: Any, response: Any, session: Any) -> Any:
        powered.add(session)
        return response

    def moves(self: Any, then: Any, how: str, request: type, stream: str, now: float) -> None:
        move(self, then, how, request, stream, now)
        asked = ASKED.get(self)
        if self in powered and type(asked) is cm.SessionStopReq and asked.ChargingSession is How.Terminate:
            self._arm(CLOSE, FOR_EVER, now, "close")

    responds(cm.PowerDeliveryReq, charges)()
    SeccSession._move = moves  # type: ignore[method-assign, assignment]


def second_ends_first() -> None:
    """A second car at an outlet is refused, and the session of the first one ended."""
    remembers()

    def demanded(known: Any) -> None:
        try:
            demand_free(known)
        except Refused:
            for session in list(ASKED):
                context = session.context
                if context.outlet.evse_id == known.outlet.evse_id and any(context.session.id):
                    session.abort("another car came", known.now)
            raise

    puts(setup, "demand_free", demanded)()


def often(kind: type, change: Callable[[Any], Any], after: int) -> Seed:
    """Responses to requests of one kind are changed, from so many of a session on."""
    counts: WeakKeyDictionary[SeccSession, int] = WeakKeyDictionary()

    def counted(request: Any, response: Any, session: Any) -> Any:
        counts[session] = count = counts.get(session, 0) + 1
        return change(response) if count >= after else response

    return responds(kind, counted)
