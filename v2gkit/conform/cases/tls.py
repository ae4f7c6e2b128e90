"""TLS: which lists a station takes, what it demands, and which cars it refuses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.certificate import loadable
from pki.errors import CertificateError
from pki.errors import Kind as Kinds
from pki.keys import ALGORITHMS
from pki.profiles import Role
from pki.status_book import Silence, by_records, check_staples
from pki.store import Credential
from pki.verify import verify
from v2g.session import handshake
from v2g.session.errors import Misuse
from v2g.session.tls import CONFORMANCE, ISO2, Profile, TlsError
from v2gkit.authorities.broken import octets
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.running import Blocked
from v2gkit.conform.verdict import Outcome, blocked, failed, inconclusive, judged, passed
from v2gkit.conform.wire import Offer, Wire

QUIET = 2.0  # s without an answer that count as silence
REFUSED = "the handshake is refused"
AES, CHACHA = CONFORMANCE.suites
case = partial(Case, role="station", domain="CMN", condition=("tls",), precondition="TCP is up", claim="connection", lasts=1.0)


async def shaken(bench: AtStation, offer: Offer) -> Wire | TlsError:
    """The connection after a handshake, or why there is none. Raises Blocked where this side's library cannot make the offer."""
    try:
        return await bench.handshake(offer)
    except Misuse as error:
        raise Blocked(f"this side's TLS library cannot offer that: {error}") from None


def completed(found: Wire | TlsError) -> Outcome:
    """Pass where the handshake is complete on both sides."""
    if isinstance(found, TlsError):
        return failed(f"refused: {found}")
    facts = found.facts
    return passed(f"{facts.version}, {facts.suite}, {facts.group}, {facts.peer_scheme}")


async def refused(bench: AtStation, found: Wire | TlsError) -> Outcome:
    """Pass where the station refused the handshake, and does not refuse the good car, which comes after it."""
    if not isinstance(found, TlsError):
        return failed(f"complete: {found.facts.suite}, {found.facts.group}")
    if found.by == "us" and found.alert is None:
        return inconclusive(f"this side gave up: {found}")
    good = await shaken(bench, sound(bench))
    if isinstance(good, TlsError):
        return inconclusive(f"refused: {found}; but so is a good car: {good}")
    good.abandon()
    return passed(turned_away(found))


def turned_away(found: TlsError) -> str:
    """How a handshake was refused, in words."""
    return f"refused{f' by alert {found.alert}' if found.alert else ''}: {found.reason}"


def sound(bench: AtStation, **lists: object) -> Offer:
    """What a good car offers, with other lists in its profile."""
    profile: Profile = replace(bench.profile, name="a car of a tester", **lists)  # type: ignore[arg-type]
    return Offer(bench.wallet.tls(Role.VEHICLE), profile)


# --- lists ---


async def usual(bench: AtStation) -> Outcome:
    """The good car, whose lists are in the other order: the station's order counts."""
    found = await shaken(bench, sound(bench, suites=(CHACHA, AES)))
    outcome = completed(found)
    if isinstance(found, TlsError):
        return outcome
    return judged(found.facts.suite == AES, outcome.seen)


async def chacha(bench: AtStation) -> Outcome:
    """The second suite, offered alone."""
    return completed(await shaken(bench, sound(bench, suites=(CHACHA,))))


async def other_suite(bench: AtStation) -> Outcome:
    """A suite of TLS 1.3 that -20 does not have."""
    return await refused(bench, await shaken(bench, sound(bench, suites=("TLS_AES_128_GCM_SHA256",))))


async def group(bench: AtStation) -> Outcome:
    """One group of -20, offered alone."""
    return completed(await shaken(bench, sound(bench, groups=(bench.part,))))


async def other_group(bench: AtStation) -> Outcome:
    """A group that -20 does not have."""
    return await refused(bench, await shaken(bench, sound(bench, groups=(bench.part,))))


async def ed448(bench: AtStation) -> Outcome:
    """A car with certificates on Ed448."""
    held = next((each for each in bench.wallet.credentials(Role.VEHICLE) if each.curve == "ed448"), None)
    if held is None:
        return blocked("the folder of certificates has no vehicle certificate on Ed448; v2g pki create DIR --curve ed448 makes one")
    return completed(await shaken(bench, bench.offer(bench.wallet.tls(Role.VEHICLE, held.for_tls(), held.key))))


async def older(bench: AtStation) -> Outcome:
    """TLS 1.2, and -20 over it."""
    wire = await bench.tcp()
    try:
        await wire.secure(Offer(None, ISO2))
    except (TlsError, TimeoutError) as error:
        return passed(f"refused: {error}")
    await wire.tell(asked.negotiation(bench.ways()))
    reply = await wire.reply(QUIET + bench.pics.test.slack)
    return judged(not reply.ok, f"TLS 1.2 is up; -20 over it: {reply}")


# --- what the station demands ---


async def request(bench: AtStation) -> handshake.CertificateRequest | None:
    """The CertificateRequest of the station; None where it sends none."""
    wire = await bench.wire(sound(bench))
    found = wire.handshake_messages(handshake.CERTIFICATE_REQUEST)
    return handshake.certificate_request(found[0], handshake.TLS13) if found else None


async def demanded(bench: AtStation) -> Outcome:
    """The station demands the car's certificate."""
    found = await request(bench)
    return judged(found is not None, "CertificateRequest came" if found is not None else "no CertificateRequest came")


async def none_shown(bench: AtStation) -> Outcome:
    """A car without a certificate."""
    return await refused(bench, await shaken(bench, bench.offer(None)))


async def roots(bench: AtStation) -> Outcome:
    """The station names the roots that it trusts."""
    found = await request(bench)
    if found is None:
        return failed("no CertificateRequest came")
    own = {each.subject.public_bytes() for each in (*bench.wallet.store.anchors.oem, *bench.wallet.store.anchors.v2g)}
    shared = own & set(found.certificate_authorities)
    return judged(bool(shared), f"{len(found.certificate_authorities)} roots are named, {len(shared)} of them of the tester's folder")


async def schemes(bench: AtStation) -> Outcome:
    """The station names the schemes of -20 in their order, and asks for nothing besides."""
    found = await request(bench)
    if found is None:
        return failed("no CertificateRequest came")
    names = tuple(handshake.name(handshake.SCHEMES, each) for each in found.signature_schemes)
    besides = {handshake.OID_FILTERS, handshake.STATUS_REQUEST} & set(found.extensions)
    seen = f"signature_algorithms {', '.join(names)}" + (f", extensions {sorted(besides)}" if besides else "")
    return judged(names == CONFORMANCE.signature_schemes and not besides, seen)


async def staples(bench: AtStation) -> Outcome:
    """OCSP responses for the whole chain."""
    found = await shaken(bench, replace(sound(bench), staples=True))
    if isinstance(found, TlsError):
        return completed(found)
    facts = found.facts
    present = [each is not None for each in facts.staples] or [False] * len(facts.peer_chain)
    return judged(all(present), f"{sum(present)} of {len(present)} certificates came with a response")


async def good_staples(bench: AtStation) -> Outcome:
    """OCSP responses that are fresh, and say good."""
    found = await shaken(bench, replace(sound(bench), staples=True))
    if isinstance(found, TlsError):
        return completed(found)
    now = datetime.now(UTC)
    try:
        proof = verify(found.facts.peer_chain, Role.SECC, bench.wallet.store.anchors, now)
        status = check_staples(proof.chain, proof.anchor, found.facts.staples, now)
    except CertificateError as error:
        return failed(str(error))
    return judged(
        any(status), f"{sum(each is not None for each in status)} responses are good, each for a week ({timedelta(weeks=1)}) at most"
    )


async def by_root(bench: AtStation) -> Outcome:
    """The chain that ends at the root which the car names."""
    from v2g.session.transport import libssl  # reads a table of C declarations, which costs 60 ms

    if not libssl.available():
        return blocked("this system has no TLS library that names roots in its hello")
    anchors = bench.wallet.store.anchors.v2g
    if len(anchors) < 2:
        return blocked("the folder of certificates has one V2G root; [test] needs two")
    (wanted,) = loadable(anchors[-1:])
    found = await shaken(bench, replace(sound(bench), authorities=(wanted,)))
    if isinstance(found, TlsError):
        return completed(found)
    try:
        proof = verify(found.facts.peer_chain, Role.SECC, bench.wallet.store.anchors, datetime.now(UTC))
    except CertificateError as error:
        return failed(str(error))
    return judged(proof.anchor == anchors[-1], f"the chain ends at {proof.anchor.subject.rfc4514_string()}")


# --- cars that are refused ---


async def chain(bench: AtStation) -> Outcome:
    """A vehicle chain that is wrong in the way that the part names."""
    if bench.part == "leaf-by-leaf":
        made = bench.wallet.bench(Role.VEHICLE)
        below = made.again(made.leaf, issuer=made.leaf, key=ALGORITHMS[made.curve].generate())
        return await refused(bench, await shaken(bench, bench.offer(bench.wallet.tls(Role.VEHICLE, octets(below), below.key))))
    return await refused(
        bench, await shaken(bench, bench.offer(bench.wallet.tls(Role.VEHICLE, bench.wallet.broken(Role.VEHICLE, bench.part))))
    )


async def whole(bench: AtStation) -> Outcome:
    """A chain without its sub-CAs is refused; one in another order or with more is complete, as this car and no other, or refused."""
    if bench.part.startswith("missing"):
        return await chain(bench)
    found = await shaken(bench, bench.offer(bench.wallet.tls(Role.VEHICLE, bench.wallet.broken(Role.VEHICLE, bench.part))))
    return passed(turned_away(found) if isinstance(found, TlsError) else completed(found).seen)


async def revoked(bench: AtStation) -> Outcome:
    """A vehicle that was revoked, by the records of the folder, which the station must know too."""
    held = next(filter(partial(_is_revoked, bench), bench.wallet.credentials(Role.VEHICLE)), None)
    if held is None:
        return blocked("the folder has no vehicle certificate that its records call revoked; see: v2g pki revoke --help")
    return await refused(bench, await shaken(bench, bench.offer(bench.wallet.tls(Role.VEHICLE, held.for_tls(), held.key))))


def _is_revoked(bench: AtStation, held: Credential) -> bool:
    status = by_records(bench.wallet.store, Silence.PASSES)
    try:
        return len(held.chain) > 1 and status(held.leaf, held.chain[1], datetime.now(UTC)) is not None
    except CertificateError as error:
        return error.kind is Kinds.REVOKED


async def contract(bench: AtStation) -> Outcome:
    """A contract certificate for a vehicle certificate."""
    return await refused(bench, await shaken(bench, bench.offer(bench.wallet.tls(Role.CONTRACT))))


async def weak(bench: AtStation) -> Outcome:
    """A vehicle certificate whose key is of another generation, or weak."""
    made = bench.wallet.bench(Role.VEHICLE)
    key = ec.generate_private_key(ec.SECP256R1()) if bench.part == "P-256" else rsa.generate_private_key(65537, 2048)
    leaf = made.again(made.leaf, key=key)  # type: ignore[arg-type]
    wide = replace(CONFORMANCE, name="wide", signature_schemes=("ecdsa_secp521r1_sha512", "ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"))
    return await refused(bench, await shaken(bench, Offer(bench.wallet.tls(Role.VEHICLE, octets(leaf), key), wide)))


KEYS = ("P-256", "RSA")
CASES = (
    case(
        id="S-TLS-01", kind=Kind.POSITIVE, requirement=("V2G20-1264", "V2G20-2458", "V2G20-1856"),
        purpose="A good car is taken, by the first suite of the standard", stimulus="a sound hello with both suites, the second one first",
        expected=(f"complete on both sides with {AES}",), script=usual,
    ),
    case(
        id="S-TLS-02", kind=Kind.POSITIVE, requirement=("V2G20-2458",), purpose="The second suite is spoken too",
        stimulus=f"{CHACHA} alone", expected=("complete on both sides",), script=chacha,
    ),
    case(
        id="S-TLS-03", kind=Kind.NEGATIVE, requirement=("V2G20-2458",), purpose="No other suite is spoken",
        stimulus="TLS_AES_128_GCM_SHA256 alone", expected=(REFUSED,), script=other_suite, control="S-TLS-01",
    ),
    case(
        id="S-TLS-04", kind=Kind.POSITIVE, requirement=("V2G20-1634", "V2G20-1637"), purpose="Both groups are spoken",
        stimulus="one group alone", expected=("complete on both sides",), script=group, parts=CONFORMANCE.groups,
    ),
    case(
        id="S-TLS-05", kind=Kind.NEGATIVE, requirement=("V2G20-2460",), purpose="No other group is spoken",
        stimulus="x25519 alone, secp256r1 alone", expected=(REFUSED,), script=other_group, parts=("x25519", "secp256r1"),
        control="S-TLS-01",
    ),
    case(
        id="S-TLS-06", kind=Kind.POSITIVE, requirement=("V2G20-2319", "V2G20-2320"), condition=("tls", "ed448"),
        purpose="A car on Ed448 is taken", stimulus="a vehicle chain on Ed448", expected=("complete on both sides",), script=ed448,
    ),
    case(
        id="S-TLS-07", kind=Kind.NEGATIVE, requirement=("V2G20-2356", "V2G20-2359"), purpose="-20 is not spoken over TLS 1.2",
        stimulus="a hello of TLS 1.2, and -20 where that is taken", expected=(REFUSED, "-20 is not taken over it"), script=older,
        control="S-TLS-01",
    ),
    case(
        id="S-TLS-08", kind=Kind.POSITIVE, requirement=("V2G20-2400",), purpose="The car's certificate is demanded",
        stimulus="a sound hello",
        expected=("CertificateRequest",), script=demanded,
    ),
    case(
        id="S-TLS-09", kind=Kind.ROBUSTNESS, requirement=("V2G20-2400",),
        purpose="A car without a certificate is refused, and the next is served",
        stimulus="a handshake without the car's certificate", expected=(f"{REFUSED}; a good car is served afterwards",), script=none_shown,
        control="S-TLS-01",
    ),
    case(
        id="S-TLS-10", kind=Kind.POSITIVE, requirement=("V2G20-2401", "V2G20-2402", "V2G20-2403", "V2G20-2404"),
        purpose="The station names the roots of cars that it trusts", stimulus="a sound hello",
        expected=("certificate_authorities with the root of the car, or a V2G root",), script=roots,
    ),
    case(
        id="S-TLS-11", kind=Kind.POSITIVE, requirement=("V2G20-1667", "V2G20-2406", "V2G20-2407"),
        purpose="The station names the schemes of the standard, and nothing besides", stimulus="a sound hello",
        expected=("signature_algorithms in the order of the standard, no oid_filters, no status_request",), script=schemes,
    ),
    case(
        id="S-TLS-12", kind=Kind.POSITIVE, requirement=("V2G20-1007", "V2G20-2379"), condition=("tls", "two_roots"),
        purpose="The chain follows the root that the car names", stimulus="certificate_authorities with one of two roots",
        expected=("a chain that ends there",), script=by_root,
    ),
    case(
        id="S-TLS-13", kind=Kind.POSITIVE, requirement=("V2G20-2372", "V2G20-2388", "V2G20-2391"), condition=("tls", "chain_staples"),
        purpose="The whole chain comes with its status", stimulus="status_request", expected=("an OCSP response for each certificate",),
        script=staples,
    ),
    case(
        id="S-TLS-14", kind=Kind.POSITIVE, requirement=("V2G20-1021",), condition=("tls", "staples"),
        purpose="A status is fresh and signed",
        stimulus="status_request", expected=("responses that say good, are signed by whom they must be, and no older than a week",),
        script=good_staples,
    ),
    case(
        id="S-TLS-15", kind=Kind.ROBUSTNESS, requirement=(), purpose="A vehicle counts within its dates",
        stimulus="a vehicle certificate that has ended, or has not begun", expected=(f"{REFUSED}; a good car is served afterwards",),
        script=chain, parts=("expired", "not-yet-valid"), control="S-TLS-01",
    ),
    case(
        id="S-TLS-16", kind=Kind.NEGATIVE, requirement=(), condition=("tls", "revocation"), purpose="A revoked vehicle is refused",
        stimulus="a vehicle certificate that is revoked", expected=(REFUSED,), script=revoked, control="S-TLS-01",
    ),
    case(
        id="S-TLS-17", kind=Kind.NEGATIVE, requirement=("V2G20-2331",), purpose="Only known roots count, by their key",
        stimulus="a chain below a root that nobody knows, below one of the same name with another key", expected=(REFUSED,), script=chain,
        parts=("unknown-root", "twin-root"), control="S-TLS-01",
    ),
    case(
        id="S-TLS-18", kind=Kind.NEGATIVE, requirement=(), purpose="A chain must be whole",
        stimulus="a chain without sub-CAs, out of order, with another certificate",
        expected=(f"{REFUSED} without sub-CAs; else complete, or refused",), script=whole,
        parts=("missing-subs", "missing-sub2", "swapped-tls", "extra"), control="S-TLS-01",
    ),
    case(
        id="S-TLS-19", kind=Kind.NEGATIVE, requirement=("Annex B.8",), purpose="A vehicle certificate is for clients",
        stimulus="extended key usage of a server, and none", expected=(REFUSED,), script=chain, parts=("wrong-purpose", "no-purpose"),
        control="S-TLS-01",
    ),
    case(
        id="S-TLS-20", kind=Kind.NEGATIVE, requirement=(), purpose="Certificates do what they are for",
        stimulus="no digitalSignature; a leaf below a leaf; one sub-CA more than the path length", expected=(REFUSED,), script=chain,
        parts=("no-digital-signature", "leaf-by-leaf", "path-length"), control="S-TLS-01",
    ),
    case(
        id="S-TLS-21", kind=Kind.NEGATIVE, requirement=(), purpose="A critical extension that nobody knows refuses",
        stimulus="an unknown critical extension in the leaf, in a sub-CA", expected=(REFUSED,), script=chain,
        parts=("unknown-critical", "unknown-critical-sub"), control="S-TLS-01",
    ),
    case(
        id="S-TLS-22", kind=Kind.NEGATIVE, requirement=("V2G20-2339", "V2G20-2331"), purpose="A contract is no vehicle",
        stimulus="the contract certificate with its chain", expected=(REFUSED,), script=contract, control="S-TLS-01",
    ),
    case(
        id="S-TLS-23", kind=Kind.NEGATIVE, requirement=("V2G20-2674",), purpose="A weak key refuses",
        stimulus="a vehicle certificate on P-256, on RSA", expected=(REFUSED,), script=weak, parts=KEYS, control="S-TLS-01",
    ),
)  # fmt: skip
