"""ISO 15118-2 and TLS 1.2: which lists a station takes, what it shows, and what it does without a handshake."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from pki.errors import CertificateError
from pki.profiles import ISO2 as RULES
from pki.profiles import Role
from pki.verify import verify
from v2g.session import handshake
from v2g.session.errors import Misuse
from v2g.session.tls import ISO2, TlsError
from v2g.session.v2gtp import PayloadType
from v2gkit.conform import asked2
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.tls import turned_away
from v2gkit.conform.hello import numbers, vector
from v2gkit.conform.running import Blocked
from v2gkit.conform.spoilt import header
from v2gkit.conform.verdict import Outcome, failed, inconclusive, judged, passed
from v2gkit.conform.wire import Offer, Wire

ECDHE, STATIC = 0xC023, 0xC025  # with ECDSA, AES-128-CBC and SHA-256
QUIET = 2.0  # s without an answer that count as silence
case = partial(
    Case, role="station", domain="CMN", condition=("generation_2", "tls12"), precondition="TCP is up", claim="connection", lasts=1.0,
    control="S2-TLS-01",
)  # fmt: skip


async def shaken(bench: AtStation, **lists: object) -> Wire | TlsError:
    """The connection after a handshake with these lists, or why there is none. Raises Blocked where the library cannot."""
    wire = await bench.tcp()
    try:
        await wire.secure(Offer(None, replace(ISO2, name="a car of a tester", **lists)))  # type: ignore[arg-type]
    except TlsError as error:
        return error
    except TimeoutError:
        return TlsError("the handshake was not complete after 10 s", "peer")
    except Misuse as error:
        raise Blocked(f"this side's TLS library cannot offer that: {error}") from None
    return wire


async def refused(bench: AtStation, found: Wire | TlsError) -> Outcome:
    """Pass where the station refused the handshake, and does not refuse the good car, which comes after it."""
    if not isinstance(found, TlsError):
        return failed(f"complete: {found.facts.version}, {found.facts.suite}, {found.facts.group}")
    if found.by == "us" and found.alert is None:
        return inconclusive(f"this side gave up: {found}")
    good = await shaken(bench)
    if isinstance(good, TlsError):
        return inconclusive(f"refused: {found}; but so is a good car: {good}")
    good.abandon()
    return passed(turned_away(found))


async def usual(bench: AtStation) -> Outcome:
    """The suite of -2, and its protocol over it."""
    found = await shaken(bench)
    if isinstance(found, TlsError):
        return failed(f"refused: {found}")
    await found.tell(asked2.negotiation())
    reply = await found.reply(QUIET + bench.pics.test.slack)
    return judged(reply.ok, f"{found.facts.version}, {found.facts.suite}, {found.facts.group}; -2 over it: {reply}")


SUITES = {
    "GCM": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "AES-256": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "ChaCha": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}
NUMBERS = {"RSA": 0x002F, "RC4": 0xC007, "3DES": 0xC008, "no encryption": 0xC006, "anonymous": 0xC018, "AES-128-CBC with SHA-1": 0xC009}


async def other_suite(bench: AtStation) -> Outcome:
    """Suites that -2 does not have: none is weaker than its own, and yet no station need speak it."""
    found = await shaken(bench, suites=(SUITES[bench.part],))
    return passed(turned_away(found) if isinstance(found, TlsError) else f"spoken all the same: {found.facts.suite}")


def client_hello(*suites: int, version: int = 0x0303, group: int = 0x0017, compression: bytes = b"\x00") -> bytes:
    """A record with a ClientHello of TLS 1.2 or older that offers these suites and this group."""
    extensions = (
        (handshake.SUPPORTED_GROUPS, vector(numbers(group))),
        (11, vector(b"\x00", 1)),  # uncompressed points
        (handshake.SIGNATURE_ALGORITHMS, vector(numbers(0x0403))),
    )
    listed = b"".join(numbers(code) + vector(content) for code, content in extensions)
    body = numbers(version) + os.urandom(32) + vector(b"", 1) + vector(numbers(*suites)) + vector(compression, 1) + vector(listed)
    return b"\x16\x03\x01" + vector(b"\x01" + vector(body, 3))


async def hello(bench: AtStation, octets: bytes) -> tuple[int | None, str]:
    """The suite that a station picks of a hello; None where it picks none, with what it did instead."""
    wire = await bench.tcp()
    await wire.beneath(octets)
    heard = b""
    while len(heard) < 80:
        found = await wire.octets(QUIET + bench.pics.test.slack)
        if not found:
            break
        heard += found
    if heard[:1] == b"\x15":
        return None, f"alert {heard[6] if len(heard) > 6 else '?'}"
    if heard[:1] != b"\x16" or heard[5:6] != b"\x02":
        return None, f"{len(heard)} octets that are no ServerHello" if heard else "the end of the connection, or silence"
    version, at = int.from_bytes(heard[9:11], "big"), 44 + heard[43]
    suite = int.from_bytes(heard[at : at + 2], "big")
    return suite, f"ServerHello of 0x{version:04X} with suite 0x{suite:04X}, compression {heard[at + 2]}"


async def weaker(bench: AtStation) -> Outcome:
    """A suite that is weaker than those of -2, alone."""
    suite, seen = await hello(bench, client_hello(NUMBERS[bench.part]))
    return judged(suite is None, seen)


async def static(bench: AtStation) -> Outcome:
    """The suite with a fixed key, alone."""
    suite, seen = await hello(bench, client_hello(STATIC))
    return judged(suite == STATIC, seen)


async def both_suites(bench: AtStation) -> Outcome:
    """A suite that -2 has not stands before both of its own: one of its own is picked."""
    suite, seen = await hello(bench, client_hello(0x002F, ECDHE, STATIC))
    return judged(suite in (ECDHE, STATIC), seen)


VERSIONS = {"TLS 1.1": 0x0302, "TLS 1.0": 0x0301, "SSL 3.0": 0x0300}


async def older(bench: AtStation) -> Outcome:
    """A hello of an older version."""
    suite, seen = await hello(bench, client_hello(0xC009, 0xC00A, ECDHE, version=VERSIONS[bench.part]))
    return judged(suite is None, seen)


async def compressed(bench: AtStation) -> Outcome:
    """A hello that would have everything compressed, and may do without."""
    suite, seen = await hello(bench, client_hello(ECDHE, compression=b"\x01\x00"))
    return judged(suite is None or seen.endswith("compression 0"), seen)


async def other_group(bench: AtStation) -> Outcome:
    """A curve that -2 does not have."""
    return await refused(bench, await shaken(bench, groups=(bench.part,)))


async def unasked(bench: AtStation) -> Outcome:
    """No certificate of the car is demanded: it has none to show."""
    found = await shaken(bench)
    if isinstance(found, TlsError):
        return failed(f"refused: {found}")
    return judged(True, "complete without a certificate of the car")


async def shows(bench: AtStation) -> Outcome:
    """The chain of the station, by the rules of -2: on P-256, of a charge point operator, below a V2G root."""
    found = await shaken(bench)
    if isinstance(found, TlsError):
        return failed(f"refused: {found}")
    try:
        proof = verify(found.facts.peer_chain, Role.SECC, bench.wallet.store.anchors, datetime.now(UTC), rules=RULES)
    except CertificateError as error:
        return failed(str(error))
    return judged(True, f"{proof.common_name}, {len(found.facts.peer_chain)} certificates")


async def staples(bench: AtStation) -> Outcome:
    """An OCSP response for the station's certificate."""
    wire = await bench.tcp()
    try:
        facts = await wire.secure(Offer(None, ISO2, staples=True))
    except TlsError as error:
        return failed(f"refused: {error}")
    present = [each is not None for each in facts.staples]
    return judged(bool(present) and present[0], f"{sum(present)} responses came for {len(facts.peer_chain)} certificates")


OCTETS = {
    "a frame without TLS": header(PayloadType.EXI, 4) + b"\x80\x00\x00\x00",
    "half a hello": client_hello(ECDHE)[:40],
    "random octets": bytes(range(255, 0, -1)),
    "a record of 16 MiB": b"\x16\x03\x01\xff\xff" + bytes(64),
}


async def no_hello(bench: AtStation) -> Outcome:
    """Octets in the place of a hello, on a connection that then is dropped."""
    wire = await bench.tcp()
    await wire.beneath(OCTETS[bench.part])
    await wire.octets(QUIET)
    wire.abandon()
    wrong = await bench.recovered()
    return judged(not wrong, wrong or "the next car is served")


async def plain(bench: AtStation) -> Outcome:
    """-2 without TLS at a station that has it with TLS alone."""
    visit = await bench.visit2(None)
    reply = await visit.ask(asked2.negotiation(), QUIET + bench.pics.test.slack)
    return judged(not reply.ok, str(reply))


async def resumed(bench: AtStation) -> Outcome:
    """Two handshakes of one car: each proves the station anew."""
    for _ in range(2):
        found = await shaken(bench)
        if isinstance(found, TlsError):
            return failed(f"refused: {found}")
        if found.facts.resumed or not found.facts.peer_chain:
            return failed("a handshake without the station's certificate")
        await found.close()
    return passed("both handshakes with the station's certificate")


CASES = (
    case(
        id="S2-TLS-01", kind=Kind.POSITIVE, requirement=("V2G2-067", "V2G2-602"), purpose="A good car is taken by TLS 1.2", control="",
        stimulus="TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 on P-256, then SupportedAppProtocol", expected=("complete, and -2 is spoken",),
        script=usual,
    ),
    case(
        id="S2-TLS-02", kind=Kind.POSITIVE, requirement=("V2G2-602",), purpose="A suite of -2 is picked among others",
        stimulus="a hello with one suite before both of -2", expected=("a suite of -2",), script=both_suites,
    ),
    case(
        id="S2-TLS-03", kind=Kind.POSITIVE, requirement=("V2G2-602",), condition=("generation_2", "tls12", "static_ecdh"), script=static,
        purpose="The suite with a fixed key is spoken too", stimulus="TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256 alone",
        expected=("that suite",),
    ),
    case(
        id="S2-TLS-04", kind=Kind.NEGATIVE, requirement=("V2G2-602",), purpose="No weaker suite is spoken", script=weaker,
        stimulus="RSA, RC4, 3DES, no encryption, anonymous, SHA-1, each alone", expected=("an alert, the end of the connection, silence",),
        parts=tuple(NUMBERS),
    ),
    case(
        id="S2-TLS-05", kind=Kind.POSITIVE, requirement=(), basis="7.7.3, table 7", purpose="Whether stronger suites are spoken is known",
        stimulus="GCM, AES-256, ChaCha, each alone", expected=("for information: refused or spoken",), script=other_suite,
        parts=tuple(SUITES),
    ),
    case(
        id="S2-TLS-06", kind=Kind.NEGATIVE, requirement=("V2G2-067",), purpose="No older version is spoken", script=older,
        stimulus="a hello of TLS 1.1, TLS 1.0, SSL 3.0", expected=("an alert, the end of the connection, silence",), parts=tuple(VERSIONS),
    ),
    case(
        id="S2-TLS-07", kind=Kind.NEGATIVE, requirement=("V2G2-006",), purpose="No other curve is spoken", script=other_group,
        stimulus="another curve alone", expected=("the handshake is refused",), parts=("secp384r1", "x25519"),
    ),
    case(
        id="S2-TLS-08", kind=Kind.NEGATIVE, requirement=(), basis="RFC 5246, 6.2.2", purpose="Nothing is compressed", script=compressed,
        stimulus="a hello that offers compression", expected=("none is picked",),
    ),
    case(
        id="S2-TLS-09", kind=Kind.POSITIVE, requirement=("V2G2-068",), purpose="A car needs no certificate", script=unasked,
        stimulus="a car without a certificate", expected=("complete",),
    ),
    case(
        id="S2-TLS-10", kind=Kind.POSITIVE, requirement=("V2G2-925", "V2G2-006"), purpose="The station proves who it is", script=shows,
        stimulus="a handshake", expected=("a chain on P-256 below a V2G root, whose leaf is of an operator (DC=CPO)",),
    ),
    case(
        id="S2-TLS-11", kind=Kind.POSITIVE, requirement=(), basis="7.7.3.3, status_request", condition=("generation_2", "tls12", "staples"),
        purpose="The station shows that it is not revoked", stimulus="a hello with status_request", expected=("an OCSP response",),
        script=staples,
    ),
    case(
        id="S2-TLS-12", kind=Kind.ROBUSTNESS, requirement=(), basis="7.7.3", purpose="What is no hello harms nobody", script=no_hello,
        stimulus="a frame without TLS, half a hello, random octets, a record of 16 MiB", expected=("a good car is served afterwards",),
        parts=tuple(OCTETS), lasts=3.0, claim="outlet",
    ),
    case(
        id="S2-TLS-13", kind=Kind.NEGATIVE, requirement=(), basis="7.7.3", condition=("generation_2", "tls12", "not plain_tcp"),
        script=plain,
        purpose="-2 is not spoken without TLS where the station has it so", stimulus="SupportedAppProtocol over plain TCP", claim="outlet",
        expected=("Failed_NoNegotiation", "the end of the connection", "silence"),
    ),
    case(
        id="S2-TLS-14", kind=Kind.POSITIVE, requirement=("V2G2-068",), purpose="Each handshake proves the station", script=resumed,
        stimulus="two handshakes, one after the other", expected=("each with the station's certificate",), lasts=2.0,
    ),
)  # fmt: skip
