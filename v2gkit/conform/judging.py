"""What followed, judged against what may follow: the outcomes that many cases share. A shell where it waits for a connection to end."""

import asyncio
from collections.abc import Collection
from typing import Any

from v2g.exi.schema import Type
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.guest import PACE, Guest, busy, kind_of
from v2gkit.conform.running import Broken
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit import Visit
from v2gkit.conform.wire import Reply

SEQUENCE, UNKNOWN = "FAILED_SequenceError", "FAILED_UnknownSession"
# admissible outcomes in words
OUT_OF_TURN = "the paired response with FAILED_SequenceError, and the connection ends"
FOREIGN = "FAILED_UnknownSession, and the connection ends"
NOTHING_GRANTED = "no answer that grants it: silence, a fatal code, or the end of the connection"


def granted(reply: Reply, name: str = "", *codes: str) -> Outcome:
    """Pass where the answer grants what was asked: that message, with one of these codes, or any that is OK."""
    well = reply.ok and (not name or reply.name == name) and (not codes or reply.code in codes)
    return judged(well, str(reply))


async def fatal(bench: AtStation, visit: Guest, reply: Reply, *codes: str, of: type[Type] | None = None) -> Outcome:
    """Pass where the answer has one of these codes (none: any FAILED), is the response to `of`, and the connection then ends in time."""
    named = of is None or reply.name == visit.generation.responses[of].__name__
    if not named or (reply.code not in codes if codes else not reply.fatal):
        return failed(str(reply))
    wrong = await bench.ends(visit.wire, reply)
    return judged(not wrong, wrong or f"{reply}, then the end of the connection")


async def refused(bench: AtStation, visit: Guest, reply: Reply) -> Outcome:
    """Pass where the session is over: a FAILED answer after which the connection ends in time, or the end of the connection alone."""
    if reply.kind == "closed":
        return passed(str(reply))
    return await fatal(bench, visit, reply)


def told(visit: Guest, reply: Reply, *codes: str, of: type[Type]) -> Outcome:
    """Pass where the answer is the response to `of` with one of these codes (none: any FAILED), whatever becomes of the connection."""
    named = reply.name == visit.generation.responses[of].__name__
    return judged(named and (reply.code in codes if codes else reply.fatal), str(reply))


def nothing(reply: Reply) -> Outcome:
    """Pass where nothing was granted: silence, a fatal or warning code, or the end of the connection."""
    return judged(not reply.ok and reply.kind != "garbage", str(reply))


async def out_of_turn(bench: AtStation, visit: Guest, message: Any, **given: Any) -> Outcome:
    """Send a request out of turn: pass where the paired response says so and the connection ends."""
    return await fatal(bench, visit, await visit.ask(message, **given), SEQUENCE, of=kind_of(message))


async def foreign(bench: AtStation, visit: Guest, session_id: bytes | None = None) -> Outcome:
    """Send what is due under another SessionID: pass where it is unknown and the connection ends."""
    return await foreign_of(bench, visit, visit.due(), session_id)


async def foreign_of(bench: AtStation, visit: Guest, message: Any, session_id: bytes | None = None) -> Outcome:
    """Send a request under another SessionID: pass where it is unknown and the connection ends."""
    other = session_id if session_id is not None else bytes(octet ^ 0xA5 for octet in visit.heard.session_id)
    return await fatal(bench, visit, await visit.ask(message, session_id=other), UNKNOWN, of=kind_of(message))


async def polled(visit: Guest, message: Any, limit: int = 600) -> Reply:
    """Send a request again while the station says that it is busy; the first reply that does not."""
    for _ in range(limit):
        reply = await visit.ask(message)
        if reply.kind != "answer" or not reply.ok or not busy(reply.message):
            return reply
        await asyncio.sleep(PACE)
    raise Broken(f"{kind_of(message).__name__} is answered Ongoing for ever")


async def not_authorized(bench: AtStation, visit: Visit, message: Any, codes: Collection[str] = ()) -> Outcome:
    """Send an AuthorizationReq that must not authorize: pass where it is refused (by one of `codes`) and no services are told after it."""
    reply = await polled(visit, message)
    if reply.ok:
        return failed(f"authorized: {reply}")
    if codes and reply.code not in codes:
        return failed(str(reply))
    if reply.refused:
        return await refused(bench, visit, reply)
    after = await visit.ask(asked.discovery())
    return judged(not after.ok, f"{reply}; a ServiceDiscoveryReq after it: {after}")
