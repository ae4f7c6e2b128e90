"""Kinds of faults that a test double of our station is seeded with: each returns what puts the fault into this process.

They change what the station says, what it takes, or one decision; the product knows of none.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

import v2g.session.v2gtp as v2gtp
from secc.engine import SeccSession
from secc.iso20.answers import ANSWERS
from v2g.iso20.generation import ISO20
from v2g.messages.common_types import responseCodeType
from v2g.session.v2gtp import FrameReader, PayloadType

Change = Callable[[Any], Any]
Seed = Callable[[], None]
Code = responseCodeType
FOR_EVER = 600.0  # s
put = msgspec.structs.replace


def says(kind: type, change: Change) -> Seed:
    """A response of one kind is changed before it is written."""

    def seed() -> None:
        write = ISO20.write
        changed: Any = lambda message, *more, **named: write(change(message) if type(message) is kind else message, *more, **named)  # noqa: E731
        object.__setattr__(ISO20, "write", changed)

    return seed


def wrong_code(kind: type, code: responseCodeType, other: responseCodeType = Code.FAILED) -> Seed:
    """One code of a response is another one."""
    return says(kind, lambda response: put(response, ResponseCode=other) if response.ResponseCode is code else response)


def grants(kind: type) -> Seed:
    """What is refused is told as granted; the session ends all the same."""
    return says(kind, lambda response: response if response.ResponseCode.value.startswith("OK") else put(response, ResponseCode=Code.OK))


def late(kind: type, seconds: float) -> Seed:
    """A response of one kind comes late."""

    def slept(response: Any) -> Any:
        time.sleep(seconds)
        return response

    return says(kind, slept)


def framed_as(kind: type, payload_type: PayloadType) -> Seed:
    """A response of one kind goes out under another payload type."""

    def seed() -> None:
        write = ISO20.write

        def changed(message: Any, *more: Any, **named: Any) -> Any:
            written = write(message, *more, **named)
            return written._replace(payload_type=payload_type) if type(message) is kind else written

        object.__setattr__(ISO20, "write", changed)

    return seed


def answers(kind: type, change: Callable[[Any, Any, Any], Any]) -> Seed:
    """The response to a request of one kind is changed, by the request and what the session knows."""

    def seed() -> None:
        answer = ANSWERS[kind]

        def changed(request: Any, known: Any) -> Any:
            reply: Any = answer(request, known)
            response = getattr(reply, "response", None)
            return reply if response is None else replace(reply, response=change(request, known, response))

        ANSWERS[kind] = changed

    return seed


def refuses(kind: type, refuse: Callable[[Any, Any], None]) -> Seed:
    """A refusal of a request of one kind is something else: `refuse(session, end)`, where `end()` is the whole of it."""

    def seed() -> None:
        refused = SeccSession._refuse

        def changed(self: Any, request: type, *more: Any) -> None:
            if request is kind:
                refuse(self, lambda: refused(self, request, *more))
            else:
                refused(self, request, *more)

        SeccSession._refuse = changed  # type: ignore[method-assign, assignment]

    return seed


def stays(session: Any, refusal: Any) -> None:
    """The refusal goes out, and the session does not end."""
    end = session._end
    session._end = lambda *_: None
    try:
        refusal()
    finally:
        session._end = end


def mute(*_: Any) -> None:
    """No answer, and no end."""


def sequence(request: type, seconds: float) -> Seed:
    """What follows the response to a request is waited for that long."""

    def seed() -> None:
        timing = ISO20.timing
        changed: Any = lambda each: replace(timing(each), sequence_timeout=seconds) if each is request else timing(each)  # noqa: E731
        object.__setattr__(ISO20, "timing", changed)

    return seed


def of_iso20(name: str, value: Any) -> Seed:
    """A value of the generation is another one."""
    return lambda: object.__setattr__(ISO20, name, value)


def puts(module: Any, name: str, value: Any) -> Seed:
    """Something else stands under a name of a module or class."""
    return lambda: setattr(module, name, value)


def dies(*_: object, **__: object) -> Any:
    """The program ends as by a fault of memory."""
    os.abort()


def dies_of(kind: type, fits: Change) -> Seed:
    """The program dies of requests of one kind."""

    def seed() -> None:
        answer = ANSWERS[kind]
        ANSWERS[kind] = lambda request, known: dies() if fits(request) else answer(request, known)

    return seed


def dies_of_header(fits: Callable[[int, int, int], bool]) -> Seed:
    """The program dies of a header of V2GTP: (its first two octets, payload type, length)."""

    def seed() -> None:
        judge = v2gtp._header

        def changed(octets: Any, *more: Any) -> Any:
            if fits(*(int.from_bytes(octets[begin:end], "big") for begin, end in ((0, 2), (2, 4), (4, 8)))):
                dies()
            return judge(octets, *more)

        v2gtp._header = changed

    return seed


def fed(change: Callable[[Any, bytes], bytes]) -> Seed:
    """A reader of frames is fed with something else."""

    def seed() -> None:
        feed = FrameReader.feed
        changed: Any = lambda self, octets: feed(self, change(self, octets))  # noqa: E731
        FrameReader.feed = changed  # type: ignore[method-assign]

    return seed


def failing(response: Any) -> Any:
    """The response with FAILED."""
    return put(response, ResponseCode=Code.FAILED)


def all_of(*seeds: Seed) -> Seed:
    """Several faults at once."""

    def seed() -> None:
        for each in seeds:
            each()

    return seed
