"""Cars that fill what each state admits to the last octet: the largest message that is valid there, and the same broken at its very end.

Before a session anybody may send so much; behind it a car that was authorized, whose certificate may be stolen. At the attacked outlet one
car at a time has a session, so several take turns.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import msgspec

from evcc.car import Control
from evcc.iso20.known import Car
from evcc.iso20.misbehaving import upto
from evcc.script import Part, Raw
from fuzz.siege.attacks import HELLO, Attack, Target, secured, speak, times
from fuzz.siege.fullest import filled
from fuzz.siege.guests import visit_of
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.limits import LIMITS
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.common_messages import (
    AuthorizationReq,
    CertificateInstallationReq,
    PowerDeliveryReq,
    ScheduleExchangeReq,
    SessionSetupReq,
)
from v2g.session.errors import SessionError
from v2g.session.v2gtp import frame

# What a request is sent in the place of: the first that its state admits, where a car need not send it.
INSTEAD: Final[Mapping[type[Type], type[Type]]] = MappingProxyType({CertificateInstallationReq: AuthorizationReq})
KINDS: Final = (
    supportedAppProtocolReq,
    SessionSetupReq,
    AuthorizationReq,
    CertificateInstallationReq,
    ScheduleExchangeReq,
    PowerDeliveryReq,
)


@cache
def message(kind: type[Type]) -> Any:
    """The largest request of a class."""
    return filled(kind)[0]


def payloads(kind: type[Type], header: Any = None) -> tuple[bytes, ...]:
    """Payloads of exactly the limit: valid, with zeros behind it; ended by an octet that is none; and the message cut in its last octet."""
    request = message(kind) if header is None else msgspec.structs.replace(message(kind), Header=header)
    exi, size = frames.exi(request), LIMITS[kind].octets
    whole = exi + bytes(size - len(exi))
    return whole, whole[:-1] + b"\1", exi[:-1]


def framed(kind: type[Type], header: Any = None) -> tuple[bytes, ...]:
    """The same with V2GTP headers."""
    return tuple(frame(frames.payload_type_of(kind), each) for each in payloads(kind, header))


def _at_the_door(kind: type[Type]) -> Attack:
    """From anybody with a vehicle's certificate, each on a connection of its own."""
    turns = itertools.cycle(range(3))

    async def attack(target: Target) -> None:
        async with secured(target) as (channel, sock):
            if kind is not supportedAppProtocolReq:
                await speak(channel, sock, HELLO)
            await speak(channel, sock, framed(kind)[next(turns)])
            target.count("frames")

    return attack


def _inside(kind: type[Type]) -> Attack:
    """From cars that came so far, again and again until their session is ended for it."""
    turns = itertools.cycle(range(3))

    async def attack(target: Target) -> None:
        def script(car: Car) -> Part[str]:
            request: Any = yield from upto(car, INSTEAD.get(kind, kind))
            while not target.over:
                header = car.stamped(request).Header
                target.count("frames")
                yield Raw(framed(kind, header)[next(turns)])
            return "over"

        control: Control = "Scheduled" if kind is ScheduleExchangeReq or kind is PowerDeliveryReq else "Dynamic"
        with contextlib.suppress(SessionError, OSError):
            await visit_of(target.store, None, script, control=control).at(target.host, target.port)
        target.count("cars")
        await asyncio.sleep(0.05)

    return attack


def _rows() -> Iterator[tuple[str, Attack]]:
    for kind in KINDS:
        before = kind in (supportedAppProtocolReq, SessionSetupReq)
        name = f"{kind.__name__} of {LIMITS[kind].octets} octets, {10 if before else 3} cars"
        yield name, times(10, _at_the_door(kind)) if before else times(3, _inside(kind))


BY_STATE: Final[Mapping[str, Attack]] = MappingProxyType(dict(_rows()))
