"""CertificateInstallation: a contract for a car that has none."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cryptography import x509

from pki.chains import der, signed_chain
from pki.errors import CertificateError, EnvelopeError, SignatureError
from pki.issue import Issued
from pki.keys import ALGORITHMS, PrivateKey
from pki.profiles import Role
from pki.provisioning import accept, opened
from pki.signature import sign
from v2g.messages import schema_set
from v2g.messages.common_messages import CertificateInstallationReq, SignedCertificateChainType, SubCertificatesType
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging import changed
from v2gkit.conform.judging import FOREIGN, NOTHING_GRANTED, OUT_OF_TURN, fatal, foreign_of, nothing, out_of_turn, polled
from v2gkit.conform.verdict import Outcome, failed, judged, passed

SIGNATURE = "FAILED_SignatureError"
DATES = {"expired": "WARNING_CertificateExpired", "not-yet-valid": "WARNING_CertificateNotYetValid"}
NOBODY = ("WARNING_NoContractMatchingPCIDFound", "WARNING_NoCertificateAvailable")
case = partial(
    Case, role="station", domain="CMN", condition=("certificate_installation",), precondition="the setup of the authorization is done"
)


def request(bench: AtStation, most: int = 1) -> CertificateInstallationReq:
    """The request of the good car."""
    return asked.installation(bench.wallet.credential(Role.PROVISIONING), bench.wallet.store.anchors.v2g[:20], most)


def by(sound: CertificateInstallationReq, chain: SignedCertificateChainType, key: PrivateKey) -> Any:
    """The request by another chain, signed with any key."""
    return changed(asked.signed(sound, sign([chain], key, schema_set("common"))), "OEMProvisioningCertificateChain", chain)


def chain_of(chain: tuple[bytes, ...]) -> SignedCertificateChainType:
    """A chain (DER, leaf first) as the request carries it."""
    subs = SubCertificatesType(Certificate=chain[1:4]) if chain[1:] else None
    return SignedCertificateChainType(Id="id1", Certificate=chain[0], SubCertificates=subs)


async def installed(bench: AtStation) -> Outcome:
    """A contract is handed out, is signed by its service, and opens in the car."""
    visit = await bench.at("Authorization")
    reply = await polled(visit, request(bench))
    if not reply.ok or reply.name != "CertificateInstallationRes":
        return failed(str(reply))
    held, response = bench.wallet.credential(Role.PROVISIONING), visit.heard.of("CertificateInstallationRes")
    try:
        found = accept(response, held, bench.wallet.store.anchors, datetime.now(UTC))
    except (CertificateError, SignatureError, EnvelopeError) as error:
        return failed(f"{reply}, but {error}")
    return passed(f"{reply}, contract {found.emaid}, its key opens by {response.SignedInstallationData.ECDHCurve.value}")


async def sealed(bench: AtStation) -> Outcome:
    """The key of a contract is sealed for this car, by an agreement of -20."""
    visit = await bench.at("Authorization")
    reply = await polled(visit, request(bench))
    if not reply.ok or reply.name != "CertificateInstallationRes":
        return failed(str(reply))
    held, data = bench.wallet.credential(Role.PROVISIONING), visit.heard.of("CertificateInstallationRes").SignedInstallationData
    try:
        opened(data, held)
    except (CertificateError, EnvelopeError) as error:
        return failed(f"{reply}, but {error}")
    return passed(f"{reply}, the key opens by {data.ECDHCurve.value}")


def other_key(bench: AtStation) -> Any:
    """Signed with a key that is not that of the certificate."""
    sound = request(bench)
    return by(sound, sound.OEMProvisioningCertificateChain, ALGORITHMS[bench.wallet.credential(Role.PROVISIONING).curve].generate())


def other_body(bench: AtStation) -> Any:
    """Changed after it was signed."""
    return changed(request(bench), "OEMProvisioningCertificateChain.SubCertificates", None)


def no_signature(bench: AtStation) -> Any:
    """The request without its signature."""
    return changed(request(bench), "Header.Signature", None)


FORGED: Mapping[str, Callable[[AtStation], Any]] = {
    "another key": other_key,
    "the body changed": other_body,
    "no signature": no_signature,
}


async def forged(bench: AtStation) -> Outcome:
    """A request that its certificate did not sign."""
    visit = await bench.at("Authorization")
    return await fatal(bench, visit, await polled(visit, FORGED[bench.part](bench)), SIGNATURE)


async def dated(bench: AtStation) -> Outcome:
    """A provisioning certificate out of its time."""
    visit = await bench.at("Authorization")
    chain = chain_of(bench.wallet.broken(Role.PROVISIONING, bench.part))
    reply = await polled(visit, by(request(bench), chain, bench.wallet.credential(Role.PROVISIONING).key))
    return judged(reply.code == DATES[bench.part], str(reply))


async def unknown(bench: AtStation) -> Outcome:
    """A car that nobody knows."""
    visit = await bench.at("Authorization")
    made = bench.wallet.bench(Role.PROVISIONING)
    kept = [each for each in made.leaf.certificate.subject if each.oid != x509.NameOID.COMMON_NAME]
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WMIV2GKIT999999999"), *kept])
    one: Issued = made.again(made.leaf, subject=name)
    reply = await polled(visit, by(request(bench), signed_chain("id1", one.chain), one.key))
    return judged(reply.code in NOBODY, str(reply))


async def vehicle(bench: AtStation) -> Outcome:
    """The vehicle certificate in the place of the provisioning certificate."""
    visit = await bench.at("Authorization")
    held = bench.wallet.credential(Role.VEHICLE)
    return nothing(await polled(visit, by(request(bench), chain_of(der(held.chain)), held.key)))


async def counted(bench: AtStation) -> Outcome:
    """One contract at a time, and the number of those that remain goes down to zero."""
    visit = await bench.at("Authorization")
    remaining: list[int] = []
    while not remaining or remaining[-1]:
        reply = await polled(visit, request(bench, most=1))
        if not reply.ok:
            return failed(f"{reply} after {remaining} remained")
        left = visit.heard.of("CertificateInstallationRes").RemainingContractCertificateChains
        if remaining and left >= remaining[-1]:
            return failed(f"{left} remain after {remaining[-1]} remained")
        remaining.append(left)
    return passed(f"{len(remaining)} contracts, remaining {remaining}")


async def elsewhere(bench: AtStation) -> Outcome:
    """A request of another session, or too late."""
    if bench.part == "another session":
        visit = await bench.at("Authorization")
        return await foreign_of(bench, visit, request(bench))
    return await out_of_turn(bench, await bench.at("ServiceDiscovery"), request(bench))


async def unoffered(bench: AtStation) -> Outcome:
    """A request where nothing of the kind is offered."""
    visit = await bench.at("Authorization")
    return nothing(await visit.ask(request(bench)))


CASES = (
    case(
        id="S-CIN-01", kind=Kind.POSITIVE, requirement=(), purpose="A car is given its contract",
        stimulus="CertificateInstallationReq, properly signed by a provisioning certificate",
        expected=("OK, in the end Finished, with a contract that its service signed and this car can open",), script=installed, within=90.0,
    ),
    case(
        id="S-CIN-02", kind=Kind.NEGATIVE, requirement=(), purpose="Only who holds the provisioning certificate is given anything",
        stimulus="CertificateInstallationReq by another key, changed after signing, or unsigned",
        expected=(f"{SIGNATURE}, and the connection ends",), script=forged, parts=tuple(FORGED), control="S-CIN-01", within=90.0,
    ),
    case(
        id="S-CIN-03", kind=Kind.NEGATIVE, requirement=(), purpose="A provisioning certificate counts within its dates",
        stimulus="CertificateInstallationReq by a provisioning certificate that has ended, or has not begun",
        expected=("the warning that says which",), script=dated, parts=tuple(DATES), control="S-CIN-01", within=90.0,
    ),
    case(
        id="S-CIN-04", kind=Kind.NEGATIVE, requirement=(), purpose="A car that nobody knows is given no contract",
        condition=("certificate_installation", "pcid_known"),
        stimulus="CertificateInstallationReq by a provisioning certificate of the right authorities with another PCID",
        expected=NOBODY, script=unknown, control="S-CIN-01", within=90.0,
    ),
    case(
        id="S-CIN-05", kind=Kind.NEGATIVE, requirement=(), purpose="A vehicle certificate is no provisioning certificate",
        stimulus="CertificateInstallationReq by the vehicle certificate", expected=(NOTHING_GRANTED, "a warning"), script=vehicle,
        control="S-CIN-01", within=90.0,
    ),
    case(
        id="S-CIN-06", kind=Kind.POSITIVE, requirement=(), purpose="Contracts come as many at a time as the car wants",
        stimulus="CertificateInstallationReq for one contract, again until none remains",
        expected=("one contract each time, and RemainingContractCertificateChains goes down to 0",), script=counted, control="S-CIN-01",
        within=120.0,
    ),
    case(
        id="S-CIN-07", kind=Kind.NEGATIVE, requirement=("V2G20-460", "V2G20-459"), purpose="A contract is asked for in its turn",
        stimulus="CertificateInstallationReq with a foreign SessionID; after the car is authorized",
        expected=(FOREIGN, OUT_OF_TURN), script=elsewhere, parts=("another session", "too late"), control="S-CIN-01", within=90.0,
    ),
    case(
        id="S-CIN-08", kind=Kind.ROBUSTNESS, requirement=(), purpose="A request for what is not offered harms nobody",
        condition=("not certificate_installation",), stimulus="CertificateInstallationReq at a station that does not offer it",
        expected=(f"{NOTHING_GRANTED}, or a warning; a good car is served afterwards",), script=unoffered, control="S-AUS-05",
    ),
    case(
        id="S-CIN-09", kind=Kind.POSITIVE, requirement=("V2G20-2674",), purpose="The key of a contract comes sealed for this car alone",
        stimulus="CertificateInstallationReq, properly signed", expected=("a key agreement on secp521r1 or x448 whose seal opens",),
        script=sealed, control="S-CIN-01", within=90.0,
    ),
)  # fmt: skip
