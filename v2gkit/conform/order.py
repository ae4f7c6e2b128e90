"""What holds in every state of every generation: turn, session id, pace, the end after a failure, cars beside each other. A shell."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from v2g.exi.schema import Type
from v2g.session.endpoint import FrameReceived
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Script
from v2gkit.conform.guest import Guest
from v2gkit.conform.judging import foreign_of, out_of_turn
from v2gkit.conform.verdict import Outcome, failed, judged

G = TypeVar("G", bound=Guest)
Reaching = Callable[[AtStation], Awaitable[G]]
"""Brings a car to a station in one state. Raises Unreached."""
STRANGERS: dict[str, Callable[[bytes], bytes]] = {  # what is no SessionID of a session, made of its own
    "zero": lambda own: bytes(8),
    "one bit": lambda own: own[:-1] + bytes((own[-1] ^ 1,)),
    "four octets": lambda own: own[:4],
    "none": lambda own: b"",
}


def untimely(reaching: Reaching[G], kinds: Sequence[type[Type]], request: Callable[[G, type[Type]], Any]) -> Script:
    """The script that sends a request out of turn, the one of `kinds` that the part names, as `request` makes it."""

    async def script(bench: AtStation) -> Outcome:
        visit = await reaching(bench)
        kind = next(each for each in kinds if each.__name__ == bench.part)
        return await out_of_turn(bench, visit, request(visit, kind))

    return script


def estranged(reaching: Reaching[G]) -> Script:
    """The script that sends what is due under another SessionID."""

    async def script(bench: AtStation) -> Outcome:
        visit = await reaching(bench)
        return await foreign_of(bench, visit, visit.due(), STRANGERS[bench.part](visit.heard.session_id))

    return script


async def after_failure(bench: AtStation, visit: Guest, message: Any) -> Outcome:
    """A request out of turn, then the one that was due, on a connection whose session has failed by it."""
    first = await visit.ask(message)
    if not first.fatal:
        return failed(f"a request out of turn is answered by {first}")
    second = await visit.ask(visit.due(), bench.pics.test.close + bench.pics.test.slack)
    if second.ok:
        return failed(f"{first}; a sound request after it: {second}")
    wrong = await bench.ends(visit.wire, second)
    return judged(not wrong, wrong or f"{first}; a sound request after it: {second}")


def kept_pace(bench: AtStation) -> Outcome:
    """Whether each answer that a bench has seen came within its performance time and the slack; how long they took."""
    late, every = list[str](), list[float]()
    for _, event in bench.evidence:
        found = bench.speaks.times(type(event.message)) if isinstance(event, FrameReceived) and event.message is not None else None
        if found is None or not isinstance(event, FrameReceived) or event.since_previous is None:
            continue
        every.append(event.since_previous)
        limit = found[1].secc_performance + bench.pics.test.slack
        if event.since_previous > limit:
            late.append(f"{type(event.message).__name__} after {event.since_previous:.2f} s, at most {limit:g} s")
    every.sort()
    told = ", ".join(f"p{share} {every[share * (len(every) - 1) // 100] * 1000:.0f} ms" for share in (50, 95, 99, 100))
    return judged(not late, "; ".join(late) or f"{len(every)} answers, {told}")


async def beside(bench: AtStation, setup: Any, message: Any) -> Outcome:
    """Another car at the outlet of a car, which begins with `setup` and speaks for the first by what that one is asked for."""
    first = await bench.guest("ServiceDiscovery")
    mine = first.heard.session_id
    try:
        second = await bench.guest("SessionSetup")
        reply = await second.ask(setup)
        seen = f"the second car: {reply}"
        if reply.ok and reply.session_id == mine:
            return failed(f"both cars have SessionID {mine.hex()}")
        crossed = await second.ask(message, session_id=mine)
        if crossed.ok:
            return failed(f"the second car speaks for the first: {crossed}")
    except Exception as refused:
        seen = f"the second car: {refused}"
    after = await first.ask(first.due())
    return judged(after.ok, f"{seen}; the first goes on: {after}")
