"""Limits for octets of unknown senders that every generation shares: how large a message may be, and what a signature of none has.

A frame is bounded three times before anything is made of it:

    its header      by the state: the largest message that may come now, so a length costs eight octets and no memory
    its first bits  by the message that they name: octets, and elements of complex type with items of lists
    each element    by what the schema admits in every signature and no message has (`SIGNED`)

One octet or element more is answered like any other message that cannot be read: the paired response with FAILED, or the end.
"""

from typing import Final, NamedTuple

from v2g.exi.codec import Bounds, Reading, receive, root
from v2g.exi.errors import DecodeError
from v2g.exi.grammar import SchemaSet
from v2g.exi.schema import Type
from v2g.messages import xmldsig
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes

KIB: Final = 1024


class Limit(NamedTuple):
    """The most that one message may have: octets of EXI, and items: its elements of complex type and its list entries of simple type."""

    octets: int
    items: int


ANY_OTHER: Final = Limit(KIB, 96)  # what has no list of any length, signed; each generation's numbers say what that is
# 20 protocols of 100 characters are 2.3 KiB; what cars send, three to five of 30, is a tenth of that
NEGOTIATION: Final[dict[type[Type], Limit]] = {supportedAppProtocolReq: Limit(5 * KIB // 2, 24), supportedAppProtocolRes: ANY_OTHER}

# [V2G2-771] names what a signature does not use, and -20 has kept it; an HMACOutputLength costs nothing and is left to the verifier. Four
# references are the most that a message of any generation signs.
SIGNED: Final[dict[tuple[type[Type], str], int]] = {
    (xmldsig.SignatureType, "KeyInfo"): 0,
    (xmldsig.SignatureType, "Object"): 0,
    (xmldsig.SignedInfoType, "Reference"): 4,
    (xmldsig.TransformsType, "Transform"): 1,
    (xmldsig.TransformType, "XPath"): 0,
}
# What is unusual and still a request, an undeclared end or a reference to an earlier string, comes in requests of a few hundred octets; a
# profile of 96 steps has 700 codes. What is broken shows where within as much. The patient walk takes 4 to 5 us for a code: 5 ms for the
# worst frame.
UNUSUAL: Final = 8 * KIB
PATIENCE: Final = 1_000
# A car has one connection, and no neighbour whose answer waits: it looks into responses as far as they go.
CAR_UNUSUAL: Final = 2 * KIB * KIB
CAR_PATIENCE: Final = 200_000

# A peer waits for the answer before it asks again; two streams make two frames. Whoever sends more at once wants work, not a charge.
FRAMES_AT_ONCE: Final = 8


def read_negotiation(exi: bytes, schemas: SchemaSet, bounds: Bounds) -> Reading:
    """The message of the protocol negotiation in `exi`, whose schema set is `schemas`. Raises DecodeError, with the message's name."""
    element = root(exi, schemas)
    limit = NEGOTIATION[element.type]
    demand_octets(exi, limit, element.name)
    return receive(exi, schemas, bounds, limit.items)


def demand_octets(exi: bytes, limit: Limit, name: str) -> None:
    """Raise DecodeError where the message of that name is longer than its limit."""
    if len(exi) > limit.octets:
        raise DecodeError(f"{len(exi)} octets, it has at most {limit.octets}", 8, (name,))
