"""E2-TLS: the ClientHello of a car of ISO 15118-2, and what it makes of stations whose certificates or staples are wrong (TLS 1.2)."""

import hashlib
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding

from pki.profiles import Role
from v2g.session.handshake import SUITES, TLS12, ClientHello, name
from v2g.session.tls import Credential
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car2_exchanges import CLAIM2, play2
from v2gkit.conform.cases.car_tls import ABORT, CHAINS, GARBAGE, NO_CONSTRAINTS, REACH, STAPLES, WILDCARD, stapled
from v2gkit.conform.running import Blocked, Unreached
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.door import Tls
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.judging import refused_tls
from v2gkit.conform.verdict import Outcome, failed, judged, passed

GOOD = "E2-TLS-01"
TRIGGER = "tls"
PINNED = ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256")
P256 = 0x0017
RECORDED = (WILDCARD, NO_CONSTRAINTS)  # of which no rule of -2 speaks
car = partial(Case, role="car", domain="CMN", control=GOOD, condition=(*CLAIM2, "tls"), within=60.0)


async def shown(bench: CarBench, credential: Credential | None = None) -> Encounter:
    """A visit of a car at a station that speaks TLS 1.2 and shows a credential. Raises Unreached where the car offers no TLS 1.2."""
    seen = await bench.visit(play2(), tls=(bench.certificates.older.tls(credential),), trigger=TRIGGER, reach=REACH)
    if seen.hello is None or TLS12 not in seen.hello.versions:
        raise Unreached(f"the car offers no TLS 1.2, by which a station of -2 proves itself: {seen.story}")
    return seen


async def charges(bench: CarBench) -> Outcome:
    """A good station in TLS 1.2."""
    seen = await shown(bench)
    if seen.facts is None:
        return failed(f"no handshake with a station whose chain is in order: {seen.story}")
    return judged(seen.charged, f"{seen.facts.version}, {seen.facts.suite}: {seen.story}")


async def hello(bench: CarBench) -> ClientHello:
    """The ClientHello of a car. Raises Unreached where it offers no TLS 1.2."""
    said = (await shown(bench)).hello
    assert said is not None
    return said


async def offered(bench: CarBench) -> Outcome:
    """The suites and groups of the ClientHello."""
    said = await hello(bench)
    suites = [name(SUITES, each) for each in said.suites]
    told = f"{', '.join(suites)}; P-256 {'is' if P256 in said.groups else 'is not'} among the groups"
    return judged(bool(set(PINNED) & set(suites)) and P256 in said.groups, told)


async def names_its_roots(bench: CarBench) -> Outcome:
    """The roots that the ClientHello names in trusted_ca_keys, by the SHA-1 of their certificates."""
    said = await hello(bench)
    held = [each.public_bytes(Encoding.DER) for each in bench.certificates.store.anchors.v2g]
    known = {hashlib.sha1(der).digest() for der in held}  # noqa: S324 - as RFC 6066 has it
    named = said.trusted_ca_keys
    return judged(bool(known & set(named)), f"{len(named)} roots are named, {len(known & set(named))} of them the folder's")


async def asks_for_a_staple(bench: CarBench) -> Outcome:
    """Whether the ClientHello asks for an OCSP response."""
    said = await hello(bench)
    return judged(said.status_request is not None, f"status_request {said.status_request.hex() if said.status_request else 'is not there'}")


async def chain_refused(bench: CarBench) -> Outcome:
    """A station's chain that is wrong in one point."""
    held = bench.certificates.older
    wrong = held.under(Role.CONTRACT) if bench.part == "an authority of providers" else held.broken(CHAINS[bench.part])
    outcome = refused_tls(await shown(bench, wrong))
    return passed(f"recorded: {outcome.seen}") if bench.part in RECORDED else outcome


async def staple_refused(bench: CarBench) -> Outcome:
    """A staple that does not prove the certificate good; none at all is recorded."""
    seen = await shown(bench, stapled(bench.certificates.older, STAPLES[bench.part]))
    if bench.part == "none":
        return passed(f"recorded: {refused_tls(seen).seen}")
    if seen.hello is not None and seen.hello.status_request is None:
        raise Blocked("the car asked for no OCSP response, so that none is sent")
    return refused_tls(seen)


async def cut_handshake(bench: CarBench) -> Outcome:
    """A handshake that the station cuts, or answers with what is none."""
    seen = await bench.visit(play2(), tls=(Tls(instead=GARBAGE if bench.part == "a garbage record" else b""),), trigger=TRIGGER)
    if seen.hello is None:
        raise Unreached(f"no ClientHello came: {seen.story}")
    crash = bench.crashed(seen)
    return failed(crash) if crash else passed(seen.story)


CASES = (
    car(
        id=GOOD,
        kind=Kind.POSITIVE,
        requirement=("V2G2-602",),
        purpose="A car charges over TLS 1.2",
        stimulus="a station whose chain and staple are in order",
        expected=("the charge loop",),
        script=charges,
        control="",
    ),
    car(
        id="E2-TLS-02",
        kind=Kind.POSITIVE,
        requirement=("V2G2-602",),
        purpose="The ClientHello offers a suite of ISO 15118-2",
        stimulus="none: the ClientHello is read",
        expected=("ECDHE or static ECDH with AES_128_CBC_SHA256, and P-256",),
        script=offered,
    ),
    car(
        id="E2-TLS-03",
        kind=Kind.POSITIVE,
        requirement=("V2G2-651",),
        purpose="A car names the roots that it holds",
        stimulus="none: the ClientHello is read",
        expected=("trusted_ca_keys has a root of the station's",),
        script=names_its_roots,
    ),
    car(
        id="E2-TLS-04",
        kind=Kind.POSITIVE,
        requirement=("V2G2-871",),
        purpose="A car asks for an OCSP response",
        stimulus="none: the ClientHello is read",
        expected=("status_request",),
        script=asks_for_a_staple,
    ),
    car(
        id="E2-TLS-05",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-925",),
        purpose="A station is believed by its chain alone",
        stimulus="chains that expired, of an unknown root, of another role, and others that are wrong in one point",
        expected=ABORT,
        script=chain_refused,
        parts=(*CHAINS, "an authority of providers"),
    ),
    car(
        id="E2-TLS-06",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-873",),
        purpose="A staple must prove the certificate good",
        stimulus="staples that are revoked, of another authority, expired; none",
        expected=(*ABORT, "none: recorded"),
        script=staple_refused,
        parts=tuple(STAPLES),
    ),
    car(
        id="E2-TLS-07",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        basis="none: octets that are no handshake",
        purpose="A car outlives a handshake that is cut",
        stimulus="the connection closed after the ClientHello, a record of garbage",
        expected=("it stops, and comes again",),
        script=cut_handshake,
        parts=("closed", "a garbage record"),
    ),
)
