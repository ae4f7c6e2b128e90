"""Faults of a station below its messages: discovery, and TLS octet by octet."""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import secc.din.conduct as conduct_din
import secc.iso2.conduct as conduct2
import secc.iso20.conduct as conduct20
import v2g.session.sdp as sdp
import v2g.session.transport.server as server
from secc.outlet import Outlet
from tests.v2gkit.conform.seeding import Seed, dies
from v2g.din.services import PROTOCOL as PROTOCOL_DIN
from v2g.iso2.services import PROTOCOL as PROTOCOL2
from v2g.iso20.services import PROTOCOLS
from v2g.session.errors import FramingError
from v2g.session.sdp import Request, Security, Transport
from v2g.session.transport.connection import Phase
from v2g.session.transport.openssl import Context
from v2g.session.transport.pump import Pump
from v2gkit.conform.hello import FRAGMENT, PSK, numbers, vector

ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure
Fits = Callable[["Offered"], bool]


class Offered:
    """What a ClientHello offers, read from the octets of its first record."""

    def __init__(self, octets: bytes):
        self.version, at = int.from_bytes(octets[9:11], "big"), 44 + octets[43]
        end = at + 2 + int.from_bytes(octets[at : at + 2], "big")
        self.suites = [int.from_bytes(octets[each : each + 2], "big") for each in range(at + 2, end, 2)]
        self.compressions = octets[end + 1 : end + 1 + octets[end]]
        self.extensions: list[int] = []
        at = end + 1 + octets[end] + 2
        while at + 4 <= len(octets):
            self.extensions.append(int.from_bytes(octets[at : at + 2], "big"))
            at += 4 + int.from_bytes(octets[at + 2 : at + 4], "big")


def server_hello(suite: int, version: int = 0x0303, compression: int = 0, extensions: bytes = b"") -> bytes:
    """A record with a ServerHello, behind which nothing comes."""
    body = numbers(version) + bytes(32) + vector(b"", 1) + numbers(suite) + bytes((compression,)) + vector(extensions)
    return b"\x16" + numbers(version) + vector(b"\x02" + vector(body, 3))


def answers_hello(fits: Fits, octets: bytes) -> Seed:
    """A hello that fits is answered by these octets, and by nothing else."""

    def seed() -> None:
        take = Pump._take

        def changed(self: Any, heard: bytes, now: float) -> None:
            if self.phase is Phase.HELLO and heard[:1] == b"\x16" and heard[5:6] == b"\x01" and len(heard) > 60 and fits(Offered(heard)):
                self._transport.write(octets)
            else:
                take(self, heard, now)

        Pump._take = changed  # type: ignore[method-assign]

    return seed


def every_second() -> Fits:
    counter = count()
    return lambda offered: next(counter) % 2 == 1


WEAK_SUITE = answers_hello(lambda offered: offered.suites == [0x002F], server_hello(0x002F))
OLD_VERSION = answers_hello(lambda offered: offered.version < 0x0303, server_hello(0xC009, 0x0302))
COMPRESSES = answers_hello(lambda offered: 1 in offered.compressions, server_hello(0xC023, compression=1))
EARLY_DATA = answers_hello(lambda offered: PSK in offered.extensions, server_hello(0x1302, extensions=numbers(PSK) + vector(bytes(2))))
NO_SHORT_RECORDS = answers_hello(lambda offered: FRAGMENT in offered.extensions, ALERT)
ONE_OF_TWO = answers_hello(every_second(), ALERT)


def dies_of_no_hello() -> None:
    """The program dies where a connection begins with octets that are no hello."""
    broken = Pump._broken

    def changed(self: Any, error: Any) -> None:
        if self.phase is Phase.HELLO and self.spoke and "closed" not in str(error) and "within" not in str(error):
            dies()
        broken(self, error)

    Pump._broken = changed  # type: ignore[method-assign]


def dies_of_no_certificate() -> None:
    """The program dies where a handshake fails for want of the car's certificate."""
    broken = Pump._broken

    def changed(self: Any, error: Any) -> None:
        if self.phase is Phase.HANDSHAKE:
            dies()
        broken(self, error)

    Pump._broken = changed  # type: ignore[method-assign]


def shows_its_leaf_alone() -> None:
    """In TLS 1.2 the station's chain is its leaf."""
    own = Context._own

    def changed(self: Any, credential: Any) -> None:
        own(self, replace(credential, chain=credential.chain[:1]) if self.profile.version == "TLSv1.2" else credential)

    Context._own = changed  # type: ignore[method-assign]


def one_chain() -> None:
    """One chain is shown, whatever root a car names."""
    server._best = lambda offers, hello: offers[-1]


def anywhere() -> None:
    """-20 is spoken on every connection, whatever protects it."""
    object.__setattr__(conduct20.CONDUCT, "protocols", lambda known: tuple(PROTOCOLS.values()))
    object.__setattr__(conduct20.CONDUCT, "welcome", lambda *_: ())
    plain()


def plain() -> None:
    """Cars come without TLS, whatever is offered, and speak what they speak there."""
    Outlet.plain = property(lambda self: True)  # type: ignore[method-assign, assignment]
    object.__setattr__(conduct2.CONDUCT, "protocols", lambda known: (PROTOCOL2,))


def din_over_tls() -> None:
    """DIN SPEC 70121 is selected on every connection."""
    object.__setattr__(conduct_din.CONDUCT, "protocols", lambda known: (PROTOCOL_DIN,))
    object.__setattr__(conduct_din.CONDUCT, "welcome", lambda *_: ())


# --- discovery ---


def answered(change: Callable[[Any, Any], Any]) -> Seed:
    """The answer to a request of discovery is another one, or none: change(request, answer)."""

    def seed() -> None:
        answer = sdp.answer
        sdp.answer = lambda request, station, **named: change(request, answer(request, station, **named))  # type: ignore[assignment]

    return seed


def taken_for(request: Callable[[bytes], Any]) -> Seed:
    """What is no request is taken for one."""

    def seed() -> None:
        read = sdp.request_of

        def changed(data: bytes, **named: Any) -> Any:
            try:
                found = read(data, **named)
            except FramingError:
                return request(data)
            return found if found.transport is Transport.TCP else request(data)

        sdp.request_of = changed  # type: ignore[assignment]

    return seed


ANYTHING = taken_for(lambda data: Request(Security.TLS))
ELSEWHERE = answered(lambda request, answer: replace(answer, port=9))
WITHOUT = answered(lambda request, answer: replace(answer, security=Security.NONE))
WITH = answered(lambda request, answer: replace(answer, security=Security.TLS))
BY_UDP = answered(lambda request, answer: replace(answer, transport=Transport.UDP))


def only_every_second() -> None:
    counter = count()
    answered(lambda request, answer: answer if next(counter) % 2 else None)()


def tired(after: int) -> Seed:
    """So many requests are answered in all."""

    def seed() -> None:
        read, counter = sdp.request_of, count()

        def changed(data: bytes, **named: Any) -> Any:
            if next(counter) > after:
                raise FramingError("tired")
            return read(data, **named)

        sdp.request_of = changed  # type: ignore[assignment]

    return seed


def reads_slowly(seconds: float) -> Seed:
    """Nothing else is done while a request of discovery is read."""

    def seed() -> None:
        read = sdp.request_of

        def changed(data: bytes, **named: Any) -> Any:
            time.sleep(seconds)
            return read(data, **named)

        sdp.request_of = changed  # type: ignore[assignment]

    return seed


def no_staple() -> None:
    """No OCSP response is shown."""
    begin = Context.__init__

    def changed(self: Any, *more: Any, credential: Any = None, **named: Any) -> None:
        begin(self, *more, credential=None if credential is None else replace(credential, staple=None), **named)

    Context.__init__ = changed  # type: ignore[method-assign]
