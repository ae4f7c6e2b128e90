"""E-TLS: a car's ClientHello and certificate, and what it makes of stations whose certificates, staples or handshakes are wrong."""

from dataclasses import replace
from functools import partial

from cryptography.hazmat.primitives.asymmetric import rsa

from pki.certificate import facts, read
from pki.keys import ALGORITHMS
from pki.profiles import CLIENT, Role
from pki.verify import VerifiedChain
from v2g.messages import app_protocol as sap
from v2g.messages import common_messages as cm
from v2g.session.handshake import GROUPS, SCHEMES, SUITES, TLS12, TLS13, ClientHello, name
from v2g.session.tls import CONFORMANCE, ISO2, Credential, Profile
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car_negotiation import ISO20
from v2gkit.conform.running import Blocked, Unreached
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.door import Tls
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.judging import refused_tls
from v2gkit.conform.scripted.play import Play
from v2gkit.conform.scripted.trust import Certificates
from v2gkit.conform.verdict import Outcome, failed, judged, passed

GOOD = "E-END-01"
REACH = 20.0  # s for a car to refuse, or to speak
ABORT = ("the handshake is aborted", "the connection is closed without a message")
EMPTY_STATUS_REQUEST = bytes((1, 0, 0, 0, 0))  # OCSP, no responder ids, no extensions
WILDCARD, NO_CONSTRAINTS = "a wildcard as name", "a sub-CA without basic constraints"
car = partial(Case, role="car", domain="CMN", control=GOOD, condition=("tls",), within=60.0)
CHAINS = {
    "expired": "expired",
    "not yet valid": "not-yet-valid",
    "an unknown root": "unknown-root",
    "a root of the same name": "twin-root",
    "for clients": "wrong-purpose",
    WILDCARD: "wildcard",
    "the domain component of another role": "wrong-component",
    NO_CONSTRAINTS: "no-constraints",
    "an unknown critical extension": "unknown-critical",
    "one sub-CA too many": "path-length",
}
# A TLS library of our days sends no staple of another certificate: it looks whether the response speaks of the one that it shows.
STAPLES = {"revoked": "revoked", "by another authority": "other-authority", "expired": "ended", "none": ""}
GARBAGE = bytes.fromhex("1603030020") + bytes(range(0xE0, 0x100))


async def hello(bench: CarBench) -> tuple[ClientHello, Encounter]:
    """The ClientHello of a car that comes for a good session. Raises Unreached where there is none."""
    seen = await bench.visit(Play())
    if seen.hello is None:
        raise Unreached(f"no ClientHello came: {seen.story}")
    return seen.hello, seen


def order_of(wanted: tuple[str, ...], offered: list[str], what: str) -> str:
    """Why an offer lacks what is pinned or has it in another order, in words; empty where it does not."""
    missing = [each for each in wanted if each not in offered]
    if missing:
        return f"{what} lack {', '.join(missing)}"
    found = [each for each in offered if each in wanted]
    return "" if tuple(found) == wanted else f"{what} are in the order {', '.join(found)}"


async def offered(bench: CarBench) -> Outcome:
    """Version, suites, groups and signature schemes of the ClientHello."""
    said, _ = await hello(bench)
    suites, groups = [name(SUITES, each) for each in said.suites], [name(GROUPS, each) for each in said.groups]
    schemes = [name(SCHEMES, each) for each in said.signature_schemes]
    wrong = [
        "" if TLS13 in said.versions else "TLS 1.3 is not offered",
        order_of(CONFORMANCE.suites, suites, "suites"),
        order_of(CONFORMANCE.groups, groups, "groups"),
        order_of(CONFORMANCE.signature_schemes, schemes, "signature schemes"),
    ]
    if told := "; ".join(filter(None, wrong)):
        return failed(told)
    return passed(f"TLS 1.3; {', '.join(suites)}; {', '.join(groups)}; {', '.join(schemes)}")


async def names_roots(bench: CarBench) -> Outcome:
    """The roots that the ClientHello names in certificate_authorities."""
    said, _ = await hello(bench)
    held = bench.certificates.store.anchors.v2g
    known = {each.subject.public_bytes(): each.subject.rfc4514_string() for each in held}
    named = [known[each] for each in said.certificate_authorities if each in known]
    told = f"{len(said.certificate_authorities)} roots are named, of ours {', '.join(named) or 'none'}"
    return judged(len(named) == len(known), told)


async def asks_for_staples(bench: CarBench) -> Outcome:
    """What the ClientHello says in status_request."""
    said, _ = await hello(bench)
    if said.status_request is None:
        return failed("the ClientHello has no status_request")
    return judged(said.status_request == EMPTY_STATUS_REQUEST, f"status_request {said.status_request.hex()}")


async def shows_its_certificate(bench: CarBench) -> Outcome:
    """The chain that the car shows, judged by the roots of the folder."""
    seen = await bench.visit(Play())
    if seen.facts is None:
        raise Unreached(f"there was no TLS: {seen.story}")
    verdict, chain = seen.facts.verified, seen.facts.peer_chain
    if not isinstance(verdict, VerifiedChain):
        return failed(f"the chain of {len(chain)} certificates is no vehicle's: {verdict}" if chain else "no certificate was shown")
    leaf, setups = facts(read(chain[0])), seen.of(cm.SessionSetupReq)
    evccid = setups[0].EVCCID if setups else "unknown"
    told = f"CN={leaf.common_name}, EVCCID {evccid}, {len(chain)} certificates"
    purposes = leaf.purposes or ()
    return judged(leaf.common_name == evccid and CLIENT in purposes, told)


# --- certificates that may not be believed ---


async def shown(bench: CarBench, credential: Credential, profile: Profile | None = None) -> Encounter:
    """A visit at a station that shows a credential."""
    return await bench.visit(Play(), tls=(bench.certificates.tls(credential, profile),), reach=REACH)


async def chain_refused(bench: CarBench) -> Outcome:
    """A station's chain that is wrong in one point."""
    held = bench.certificates
    if bench.part == "revoked":
        return judged_staple(await shown(bench, stapled(held, "revoked")))
    if bench.part == "an authority of providers":
        return refused_tls(await shown(bench, held.under(Role.CONTRACT)))
    outcome = refused_tls(await shown(bench, held.broken(CHAINS[bench.part])))
    if bench.part in (WILDCARD, NO_CONSTRAINTS):
        return passed(f"recorded: {outcome.seen}")
    return outcome


def stapled(held: Certificates, variant: str) -> Credential:
    """The folder's station certificate with a staple that is wrong, or with none."""
    response = held.staple(variant) if variant else None
    return held.own(lambda at: response)


async def staple_refused(bench: CarBench) -> Outcome:
    """A staple that does not prove the certificate good; none at all is the car's policy."""
    seen = await shown(bench, stapled(bench.certificates, STAPLES[bench.part]))
    if bench.part == "none":
        return passed(f"recorded: {refused_tls(seen).seen}")
    return judged_staple(seen)


def judged_staple(seen: Encounter) -> Outcome:
    """A pass where the car refused the staple. Raises Blocked where it was not sent."""
    if seen.facts is not None and not any(seen.facts.staples):
        raise Blocked("the TLS library of this station did not send the staple, or the car asked for none")
    return refused_tls(seen)


async def weak_key(bench: CarBench) -> Outcome:
    """A leaf with a key of another generation, or a weak one. A car that does not offer its signature scheme cannot be shown it."""
    said, _ = await hello(bench)
    if bench.part == "RSA-1024":
        code, scheme, key = 0x0804, "rsa_pss_rsae_sha256", rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak is the point
    else:
        code, scheme, key = 0x0403, "ecdsa_secp256r1_sha256", ALGORITHMS["secp256r1"].generate()  # type: ignore[assignment]
    if code not in said.signature_schemes:
        return passed(f"{scheme} is not offered, so that no such certificate can be shown")
    profile = replace(bench.certificates.profile, signature_schemes=(*bench.certificates.profile.signature_schemes, scheme))
    return refused_tls(await shown(bench, bench.certificates.with_key(key), profile))


async def older_tls(bench: CarBench) -> Outcome:
    """A station that speaks TLS 1.2 alone."""
    held = bench.certificates
    key = ALGORITHMS["secp256r1"].generate()
    seen = await bench.visit(Play(), tls=(held.tls(held.with_key(key), ISO2),), reach=REACH)
    offers = seen.of(sap.supportedAppProtocolReq)
    if not offers and seen.hello is not None and TLS12 not in seen.hello.versions:
        return passed("TLS 1.2 is not offered, so that there is no handshake")
    if not offers:
        return refused_tls(seen)
    named = [each.ProtocolNamespace for each in offers[0].AppProtocol]
    return judged(not set(named) & set(ISO20), f"over TLS 1.2 it offers {', '.join(named)}")


async def no_request(bench: CarBench) -> Outcome:
    """A station that does not ask for the car's certificate: what the car does is recorded."""
    profile = replace(bench.certificates.profile, mutual=False)
    seen = await bench.visit(Play(), tls=(bench.certificates.tls(None, profile),), reach=REACH)
    if seen.hello is None:
        raise Unreached(f"no ClientHello came: {seen.story}")
    return passed(f"recorded: {seen.story}")


async def cut_handshake(bench: CarBench) -> Outcome:
    """A handshake that the station cuts, or answers with what is none."""
    instead = GARBAGE if bench.part == "a garbage record" else b""
    seen = await bench.visit(Play(), tls=(Tls(instead=instead),))
    if seen.hello is None:
        raise Unreached(f"no ClientHello came: {seen.story}")
    crash = bench.crashed(seen)
    return failed(crash) if crash else passed(seen.story)


CASES = (
    car(
        id="E-TLS-01",
        kind=Kind.POSITIVE,
        requirement=("V2G20-2365", "V2G20-2459", "V2G20-1858"),
        purpose="The ClientHello offers what is pinned, in its order",
        stimulus="none: the ClientHello is read",
        expected=("TLS 1.3, the two suites, secp521r1 and x448, the two signature schemes, each in order",),
        script=offered,
    ),
    car(
        id="E-TLS-02",
        kind=Kind.POSITIVE,
        requirement=("V2G20-1006", "V2G20-2368"),
        purpose="A car names the roots that it holds",
        stimulus="none: the ClientHello is read",
        expected=("certificate_authorities has the V2G roots",),
        script=names_roots,
    ),
    car(
        id="E-TLS-03",
        kind=Kind.POSITIVE,
        requirement=("V2G20-2372", "V2G20-2373"),
        purpose="A car asks for OCSP responses",
        stimulus="none: the ClientHello is read",
        expected=("status_request with an empty responder_id_list",),
        script=asks_for_staples,
    ),
    car(
        id="E-TLS-04",
        kind=Kind.POSITIVE,
        requirement=("V2G20-2339", "V2G20-2598"),
        purpose="A car shows its vehicle certificate, and no other of its certificates",
        stimulus="none: the car's Certificate is read",
        expected=("a vehicle chain up to the root, named as EVCCID, for clients",),
        script=shows_its_certificate,
    ),
    car(
        id="E-TLS-05",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2413",),
        purpose="A station certificate has its time, and may be revoked",
        stimulus="a station certificate that is expired, not yet valid, or revoked by its staple",
        expected=ABORT,
        script=chain_refused,
        parts=("expired", "not yet valid", "revoked"),
    ),
    car(
        id="E-TLS-06",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2339",),
        purpose="A station is trusted below the V2G roots alone",
        stimulus="a chain of an unknown root, of one of the same name, or of the providers' authorities",
        expected=ABORT,
        script=chain_refused,
        parts=("an unknown root", "a root of the same name", "an authority of providers"),
    ),
    car(
        id="E-TLS-07",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="A station certificate is one by its profile",
        stimulus="a chain that is wrong in one point of its profile",
        expected=(*ABORT, f"{WILDCARD}, and {NO_CONSTRAINTS}: recorded"),
        script=chain_refused,
        parts=(*(each for each in list(CHAINS)[4:]),),
    ),
    car(
        id="E-TLS-08",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2674",),
        purpose="A -20 session has keys of its generation",
        stimulus="a station leaf on P-256, or RSA of 1024 bits",
        expected=(*ABORT, "its signature scheme is not offered"),
        script=weak_key,
        parts=("P-256", "RSA-1024"),
        within=60.0,
    ),
    car(
        id="E-TLS-09",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-1240", "V2G20-2411", "V2G20-2415"),
        purpose="An OCSP response proves a certificate good, or the station is refused",
        stimulus="a staple that says revoked, is signed by another authority, or has expired; none",
        expected=(*ABORT, "none: recorded"),
        script=staple_refused,
        parts=tuple(STAPLES),
    ),
    car(
        id="E-TLS-10",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-1237",),
        purpose="-20 is spoken over TLS 1.3 alone",
        stimulus="a station that speaks TLS 1.2",
        expected=(*ABORT, "an offer without -20"),
        script=older_tls,
    ),
    car(
        id="E-TLS-11",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2400",),
        purpose="A station that does not ask who comes",
        stimulus="no CertificateRequest",
        expected=("recorded",),
        script=no_request,
    ),
    car(
        id="E-TLS-12",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        purpose="A car outlives a handshake that breaks",
        stimulus="TCP closed after ClientHello; a record of garbage",
        expected=("a stop or another try, and the car comes again",),
        script=cut_handshake,
        parts=("closed", "a garbage record"),
        lasts=6.0,
        within=60.0,
    ),
)
