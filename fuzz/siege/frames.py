"""Frames as large as a frame may be, of every kind that was ever seen to cost more than its octets."""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import msgspec

from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.messages import schema_set, xmldsig
from v2g.messages.common_messages import SessionSetupReq
from v2g.messages.common_types import MessageHeaderType
from v2g.session.v2gtp import PayloadType, frame

SIZE: Final = 256 * 1024 - 512  # octets of a payload, within what a frame may have


def _setup(**fields: Any) -> bytes:
    signature = msgspec.structs.replace(least(xmldsig.SignatureType), **fields)
    header = msgspec.structs.replace(least(MessageHeaderType), Signature=signature)
    return encode(msgspec.structs.replace(least(SessionSetupReq), Header=header), schema_set("common"))


def _filled(one: Any, place: Callable[[tuple[Any, ...]], bytes]) -> bytes:
    """A message with as many of them as fit."""
    less, more = len(place((one,) * 1000)), len(place((one,) * 2000))
    return place((one,) * (int((SIZE - less) / ((more - less) / 1000)) + 990))


def _objects() -> bytes:
    return _filled(xmldsig.ObjectType(), lambda many: _setup(Object=many))


def _references() -> bytes:
    def place(many: tuple[Any, ...]) -> bytes:
        return _setup(SignedInfo=msgspec.structs.replace(least(xmldsig.SignedInfoType), Reference=many))

    return _filled(least(xmldsig.ReferenceType), place)


def _key_names(text: str) -> bytes:
    return _filled(xmldsig.KeyName(value=text), lambda many: _setup(KeyInfo=xmldsig.KeyInfoType(items=many)))


def _issuer_serials() -> bytes:
    serial = xmldsig.X509IssuerSerial(X509IssuerName="i", X509SerialNumber=2**140)
    return _filled(serial, lambda many: _setup(KeyInfo=xmldsig.KeyInfoType(items=(xmldsig.X509DataType(items=many),))))


KINDS: Final[Mapping[str, Callable[[], bytes]]] = MappingProxyType(
    {
        "Objects": _objects,
        "References": _references,
        "KeyNames": lambda: _key_names("k"),
        "KeyNames of 4-octet characters": lambda: _key_names("\U0001f50c" * 400),
        "X509IssuerSerials": _issuer_serials,
    }
)


@cache
def largest(kind: str, cut: bool = False) -> bytes:
    """The frame of that kind; `cut` takes its last 40 octets away, so that it is malformed at the very end."""
    exi = KINDS[kind]()
    return frame(PayloadType.COMMON, exi[:-40] if cut else exi)
