"""Kinds of faults that a test double of our station is seeded with: each returns what puts the fault into this process.

They change what the station says, what it takes, or one decision; the product knows of none.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

import v2g.session.v2gtp as v2gtp
from pki.errors import CertificateError, Kind
from secc.din.answers import ANSWERS as ANSWERS_DIN
from secc.engine import SeccSession
from secc.iso2.answers import ANSWERS as ANSWERS2
from secc.iso20.answers import ANSWERS as ANSWERS20
from v2g.generations import GENERATIONS
from v2g.iso2.generation import ISO2
from v2g.iso20.generation import ISO20
from v2g.messages.common_types import processingType, responseCodeType
from v2g.session.v2gtp import FrameReader, PayloadType

Change = Callable[[Any], Any]
Seed = Callable[[], None]
Code = responseCodeType
FINISHED = processingType.Finished
FOR_EVER = 600.0  # s
put = msgspec.structs.replace


def patched(name: str, change: Callable[[Any], Any]) -> None:
    """A function of every generation becomes `change` of it."""
    for generation in GENERATIONS:
        object.__setattr__(generation, name, change(getattr(generation, name)))


def answers_to(kind: type) -> dict[type, Any]:
    """The table of answers that has a request."""
    return next(table for table in (ANSWERS20, ANSWERS2, ANSWERS_DIN) if kind in table)  # type: ignore[return-value]


def says(kind: type, change: Change) -> Seed:
    """A response of one kind is changed before it is written."""
    return lambda: patched(
        "write", lambda write: lambda message, *more, **named: write(change(message) if type(message) is kind else message, *more, **named)
    )


def says_everywhere(change: Change) -> Seed:
    """Every response that has a code is changed before it is written."""

    def changed(message: Any) -> Any:
        return change(message) if hasattr(message, "ResponseCode") else message

    return lambda: patched("write", lambda write: lambda message, *more, **named: write(changed(message), *more, **named))


def wrong_code(kind: type, code: Any, other: Any = None) -> Seed:
    """One code of a response is another one: FAILED where none is named."""
    said = other or type(code).FAILED
    return says(kind, lambda response: put(response, ResponseCode=said) if response.ResponseCode is code else response)


def wrong_code_everywhere(code: Any) -> Seed:
    """One code is FAILED in every response."""
    return says_everywhere(lambda response: put(response, ResponseCode=type(code).FAILED) if response.ResponseCode is code else response)


def grants(kind: type) -> Seed:
    """What is refused is told as granted; the session ends all the same."""

    def granted(response: Any) -> Any:
        code = response.ResponseCode
        return response if code.value.startswith("OK") else put(response, ResponseCode=type(code).OK)

    return says(kind, granted)


def late(kind: type, seconds: float) -> Seed:
    """A response of one kind comes late, while the rest of the station goes on; one that ends the session does not."""

    def seed() -> None:
        send, out, deadline = SeccSession._send, SeccSession.octets_to_send, SeccSession.deadline
        due: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

        def sends(self: Any, message: Any, *more: Any) -> None:
            if type(message) is kind:
                due[self] = time.monotonic() + seconds
            send(self, message, *more)

        def kept(self: Any) -> bytes:
            if self.ended is None and due.get(self, 0.0) > time.monotonic():
                return b""
            due.pop(self, None)
            return out(self)

        def wakes(self: Any) -> float | None:
            own = deadline(self)
            held = due.get(self)
            return own if held is None else min(held, own if own is not None else held)

        SeccSession._send, SeccSession.octets_to_send, SeccSession.deadline = sends, kept, wakes  # type: ignore[method-assign, assignment]

    return seed


def framed_as(kind: type, payload_type: PayloadType) -> Seed:
    """A response of one kind goes out under another payload type."""

    def changed(write: Any) -> Any:
        def written(message: Any, *more: Any, **named: Any) -> Any:
            found = write(message, *more, **named)
            return found._replace(payload_type=payload_type) if type(message) is kind else found

        return written

    return lambda: patched("write", changed)


def answers(kind: type, change: Callable[[Any, Any, Any], Any]) -> Seed:
    """The response to a request of one kind is changed, by the request and what the session knows."""

    def seed() -> None:
        table = answers_to(kind)
        answer = table[kind]

        def changed(request: Any, known: Any) -> Any:
            reply: Any = answer(request, known)
            response = getattr(reply, "response", None)
            return reply if response is None else replace(reply, response=change(request, known, response))

        table[kind] = changed

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


ASKED: WeakKeyDictionary[SeccSession, Any] = WeakKeyDictionary()
"""What each session was asked last; filled where a fault looks at it (`remembers`)."""


@cache
def remembers() -> None:
    """From now on what a session is asked is kept in `ASKED`."""
    heard, answer = SeccSession._heard, SeccSession._answer

    def hears(self: Any, unread: Any, now: float) -> None:
        ASKED.pop(self, None)
        with suppress(Exception):
            ASKED[self] = unread.message()[0].reading.message
        heard(self, unread, now)

    def answers(self: Any, parked: Any, now: float) -> None:
        ASKED[self] = parked.request
        answer(self, parked, now)

    SeccSession._heard, SeccSession._answer = hears, answers  # type: ignore[method-assign, assignment]


def responds(kind: type, change: Callable[[Any, Any, Any], Any]) -> Seed:
    """What answers a request of one kind, a refusal too, is changed before it is written: change(request, response, session)."""

    def seed() -> None:
        remembers()
        send = SeccSession._send

        def sends(self: Any, message: Any, *more: Any) -> None:
            asked = ASKED.get(self)
            send(self, change(asked, message, self) if type(asked) is kind else message, *more)

        SeccSession._send = sends  # type: ignore[method-assign, assignment]

    return seed


def grants_where(kind: type, fits: Callable[[Any, Any], bool]) -> Seed:
    """What is refused is told as granted where request and response fit; the session ends all the same."""

    def granted(request: Any, response: Any, session: Any) -> Any:
        code = response.ResponseCode
        refused = not code.value.startswith("OK") and fits(request, response)
        return put(response, ResponseCode=type(code).OK) if refused else response

    return responds(kind, granted)


def stays_where(kind: type, fits: Callable[[Any, Any], bool], seconds: float = FOR_EVER) -> Seed:
    """After the refusal of a request that fits (request, session) the session goes on for so long."""

    def refused(session: Any, refusal: Any) -> None:
        if not fits(ASKED.get(session), session):
            refusal()
            return
        stays(session, refusal)
        session._arm("close", seconds, session.heard, "close")

    return all_of(remembers, refuses(kind, refused))


def dies_of_error(*words: str) -> Seed:
    """The program dies of octets that are no message, for a reason with one of these words."""

    def seed() -> None:
        undecodable = SeccSession._undecodable

        def changed(self: Any, error: Any, *more: Any) -> None:
            if any(word in str(error) for word in words):
                dies()
            undecodable(self, error, *more)

        SeccSession._undecodable = changed  # type: ignore[method-assign]

    return seed


def mute(*_: Any) -> None:
    """No answer, and no end."""


def sequence(request: type | None, seconds: float) -> Seed:
    """What follows the response to a request (None: to any) is waited for that long."""

    def changed(timing: Any) -> Any:
        return lambda each: replace(timing(each), sequence_timeout=seconds) if request in (None, each) else timing(each)

    return lambda: patched("timing", changed)


def of_iso20(name: str, value: Any) -> Seed:
    """A value of the generation is another one."""
    return lambda: object.__setattr__(ISO20, name, value)


def of_iso2(name: str, value: Any) -> Seed:
    """A value of the generation -2 is another one."""
    return lambda: object.__setattr__(ISO2, name, value)


def dies_of_a_frame(fits: Callable[[bytes], bool]) -> Seed:
    """The program dies of the octets of a document."""

    def changed(read: Any) -> Any:
        return lambda payload_type, exi, *more, **named: dies() if fits(exi) else read(payload_type, exi, *more, **named)

    return lambda: patched("read", changed)


def puts(module: Any, name: str, value: Any) -> Seed:
    """Something else stands under a name of a module or class."""
    return lambda: setattr(module, name, value)


def dies(*_: object, **__: object) -> Any:
    """The program ends as by a fault of memory."""
    os.abort()


def dies_of(kind: type, fits: Change) -> Seed:
    """The program dies of requests of one kind."""

    def seed() -> None:
        table = answers_to(kind)
        answer = table[kind]
        table[kind] = lambda request, known: dies() if fits(request) else answer(request, known)

    return seed


def dies_where(kind: type, fits: Change) -> Seed:
    """The program dies of requests of one kind, where what the session knows fits."""

    def seed() -> None:
        table = answers_to(kind)
        answer = table[kind]
        table[kind] = lambda request, known: dies() if fits(known) else answer(request, known)

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
    """The response with FAILED, where it is not refused already."""
    code = response.ResponseCode
    return put(response, ResponseCode=type(code).FAILED) if code.value.startswith("OK") else response


def in_kind(request: Any, response: Any) -> bool:
    """Whether a request is refused for what it says, not for its turn or its session."""
    return response.ResponseCode not in (Code.FAILED_SequenceError, Code.FAILED_UnknownSession)


def all_of(*seeds: Seed) -> Seed:
    """Several faults at once."""

    def seed() -> None:
        for each in seeds:
            each()

    return seed


def refuses_a_root(error: CertificateError | None, chain: Any) -> None:
    """A chain in order is refused where its root is sent along."""
    if error is None and len(chain) > 3:
        raise CertificateError(Kind.WRONG_PROFILE, "it is too long")


def dies_of_malformed(error: CertificateError | None, chain: Any) -> None:
    """The program dies of a certificate that is none."""
    if error is not None and error.kind is Kind.MALFORMED:
        dies()


def judges(judge: type, wrong: Callable[[CertificateError | None, Any], None]) -> Seed:
    """Something else is done once a chain is judged by a class of judges: `wrong(error, chain)`, None where the chain is in order."""

    def seed() -> None:
        usual = judge.__call__  # type: ignore[operator]

        def called(self: Any, chain: Any, at: float) -> Any:
            try:
                found = usual(self, chain, at)
            except CertificateError as error:
                wrong(error, chain)
                raise
            wrong(None, chain)
            return found

        judge.__call__ = called  # type: ignore[operator]

    return seed
