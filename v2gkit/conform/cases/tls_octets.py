"""TLS octet by octet: what no library says, and octets that are no handshake."""

import asyncio
import os
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from v2g.iso20 import frames
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.hello import PSK, client_hello, server_hello
from v2gkit.conform.verdict import Outcome, judged, passed
from v2gkit.conform.wire import Wire

QUIET = 2.0  # s without an answer that count as silence
case = partial(
    Case, role="station", domain="CMN", condition=("tls",), precondition="TCP is up", claim="connection", lasts=1.0, control="S-TLS-01"
)


def public_key() -> bytes:
    """A share of secp521r1, whose private half nobody keeps."""
    return ec.generate_private_key(ec.SECP521R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


async def early(bench: AtStation) -> Outcome:
    """A ticket that the station never gave, and early data behind it."""
    wire = await bench.tcp()
    data = frames.framed(asked.negotiation(bench.ways()))
    await wire.beneath(client_hello(public_key(), psk=os.urandom(32)) + b"\x17\x03\x03" + len(data).to_bytes(2, "big") + data)
    heard = await _heard(wire)
    hello = server_hello(heard)
    if hello is None:
        return judged(heard[:1] in (b"", b"\x15"), f"{'an alert' if heard else 'the end of the connection'}, no ServerHello")
    return judged(
        PSK not in hello, "ServerHello without pre_shared_key: early data is not taken" if PSK not in hello else "the ticket is taken"
    )


async def fragments(bench: AtStation) -> Outcome:
    """A car that asks for short records: ServerHello says that the handshake goes on."""
    wire = await bench.tcp()
    await wire.beneath(client_hello(public_key(), fragment=1))
    heard = await _heard(wire)
    return judged(
        server_hello(heard) is not None, "ServerHello came" if server_hello(heard) is not None else f"{heard[:7].hex() or 'nothing'}"
    )


async def _heard(wire: Wire) -> bytes:
    """The first octets that come back."""
    try:
        async with asyncio.timeout(QUIET):
            return await wire.reader.read(4096)
    except (TimeoutError, OSError):
        return b""


async def garbage(bench: AtStation) -> Outcome:
    """Octets that are no handshake, and handshakes that are left."""
    if bench.part == "left in the middle":
        for _ in range(100):
            wire = await bench.tcp()
            await wire.beneath(client_hello(public_key()))
            wire.abandon()
        return passed("100 handshakes left after their first flight")
    wire = await bench.tcp()
    plain = frames.framed(asked.negotiation(bench.ways()))
    await wire.beneath(
        os.urandom(512) if bench.part == "random" else b"\x16\x03\x01\x02\x00" + os.urandom(512) if bench.part == "records" else plain
    )
    heard = await _heard(wire)
    plainly = bench.part == "plain V2GTP" and heard[:2] == b"\x01\xfe"  # a port of -2 as well: whether it grants -20 is S-SAP-07's
    return judged(not heard or heard[0] == 0x15 or plainly, f"answered by {heard[:7].hex() or 'nothing'}")


GARBAGE = ("random", "records", "plain V2GTP", "left in the middle")
CASES = (
    case(
        id="S-TLS-24", kind=Kind.NEGATIVE, requirement=(), purpose="No early data is taken",
        stimulus="a hello with a ticket that nobody gave, and supportedAppProtocolReq as early data",
        expected=("an alert, or ServerHello without pre_shared_key",), script=early,
    ),
    case(
        id="S-TLS-25", kind=Kind.ROBUSTNESS, requirement=(), purpose="Octets that are no handshake harm nobody",
        stimulus="random octets, records of them, V2GTP without TLS, a hundred handshakes left in the middle",
        expected=("an alert, the end, or a plain answer that is no -20; a good car is served afterwards",), script=garbage, parts=GARBAGE,
        claim="station", within=60.0, lasts=5.0,
    ),
    case(
        id="S-TLS-26", kind=Kind.POSITIVE, requirement=("V2G20-2446",), purpose="A car may ask for short records",
        stimulus="a hello with max_fragment_length", expected=("ServerHello: honoured or passed over",), script=fragments,
    ),
)  # fmt: skip
