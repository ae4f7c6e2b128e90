"""Makes what a station needs from a folder of certificates: TLS, the judge of vehicle chains, the verifier of what cars sign."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki import signature as xmldsig
from pki.certificate import loadable, read
from pki.errors import CertificateError, StoreError
from pki.profiles import INTEROP, ISO20, Role, Rules
from pki.profiles import ISO2 as RULES2
from pki.status import Good, check
from pki.status_book import Silence, by_records
from pki.store import Credential, Store
from pki.tariff import delegable, sign_prices, suites_of
from pki.verify import Anchors, Status, VerifiedChain, verify
from secc.claims import Claim, Signed, Trust, Verifier
from secc.conduct import Conduct
from secc.generations import CONDUCTS
from secc.station import Objection
from v2g.session.profiles import Profile
from v2g.session.tls import PROFILES
from v2g.session.tls import Credential as TlsCredential
from v2g.session.transport import ServerTls

if TYPE_CHECKING:  # a station that installs no contracts does without them
    from pki.provisioners import Provisioners

RULES: dict[Profile, Rules] = {"conformance": ISO20, "interop": INTEROP}
SUITES: dict[Profile, Collection[str]] = {"conformance": xmldsig.ISO20, "interop": xmldsig.INTEROP}


@dataclass(frozen=True, slots=True)
class VehicleJudge:
    """Verifies the chain that a car shows in TLS: a vehicle certificate below an OEM or V2G root [V2G20-2331] [V2G20-2339].

    Under the interop profile an OEM provisioning certificate is accepted too, and the trace says so.
    """

    anchors: Anchors
    rules: Rules = ISO20
    status: Status | None = None

    def __call__(self, chain: tuple[bytes, ...], at: float) -> VerifiedChain:
        now = datetime.fromtimestamp(at, UTC)
        demanding = replace(self.rules, names=True, purposes=True, critical_usage=True)
        try:
            return verify(chain, Role.VEHICLE, self.anchors, now, rules=demanding, status=self.status)
        except CertificateError:
            if self.rules is not INTEROP:
                raise
            return verify(chain, Role.PROVISIONING, self.anchors, now, rules=self.rules, status=self.status)


def station_status(store: Store) -> Status:
    """Revocation status by the OCSP responses and CRLs in the store; a certificate of which they say nothing is accepted [V2G20-2409]."""
    return by_records(store, Silence.PASSES)


def station_tls(
    store: Store, profile: Profile = "conformance", wall: Callable[[], float] | None = None, generations: Collection[str] = ("20",)
) -> ServerTls:
    """TLS with every station credential of a store; cars are judged at the time of `wall` (epoch s).

    StoreError without a credential for -20, where that is among the `generations` that the station speaks, else without any.
    """
    rules, anchors = RULES[profile], store.anchors
    usable = [each for each in store.credentials(Role.SECC) if each.curve in rules.algorithms]
    roots = tuple(loadable((*anchors.v2g, *anchors.oem)))  # [V2G20-2401]
    credentials = [_credential(each, store) for each in usable]
    judge = VehicleJudge(anchors, rules, station_status(store))
    # cars of ISO 15118-2 shake hands by TLS 1.2, for which the station shows its certificate on P-256, where it has one
    older = [_credential(each, store) for each in store.credentials(Role.SECC) if each.curve in RULES2.algorithms]
    if not usable and ("20" in generations or not older):
        curve = "" if "20" in generations else " --curve secp256r1"
        raise StoreError(
            f"{store.path} has no station certificate for the profile {profile}; make one with: v2g pki create {store.path}{curve}"
        )
    return ServerTls(credentials, judge, authorities=roots, profile=PROFILES[profile], iso2=older, wall=wall)


class Verifiers:
    """The verifiers of all generations in one `Verifier`: each judges its own messages. KeyError for a message that no generation has."""

    def __init__(self, trust: Trust, conducts: Sequence[Conduct] = CONDUCTS):
        made = [(conduct.verifier(trust), conduct.generation) for conduct in conducts]
        self._of: dict[Any, Verifier] = {request: verifier for verifier, generation in made for request in generation.responses}

    def contract(self, request: Any, challenge: bytes, wall: float) -> Claim:
        return self._of[type(request)].contract(request, challenge, wall)

    def provisioning(self, request: Any, wall: float) -> Objection | None:
        return self._of[type(request)].provisioning(request, wall)

    def metering(self, request: Any, contract: bytes) -> None:
        self._of[type(request.message if isinstance(request, Signed) else request)].metering(request, contract)


def station_verifier(store: Store, profile: Profile = "conformance", *, central: bool = False) -> Verifier:
    """The verifier for what cars sign, with the roots of a store as trust anchors. `central`: a backend judges contracts of other roots."""
    return Verifiers(Trust(store.anchors, RULES[profile], SUITES[profile], status=station_status(store), central=central))


@dataclass(frozen=True, slots=True)
class PriceSigning:
    """Signs prices with a key whose certificate the car can verify: the issuer of its contract, else a tariff signer.

    A station in the field has neither key; a laboratory's store has those of the provider too.
    """

    issuers: tuple[Credential, ...]
    tariffs: tuple[Credential, ...]

    def __call__(self, response: Any, contract: bytes) -> Any:
        """The signature over all prices of a response, by the issuer of `contract` (DER), else by a tariff signer where one may.

        None where no key is held by which these prices may be signed.
        """
        issuer, suites = read(contract).issuer if contract else None, suites_of(response)
        own = [one for one in self.issuers if one.leaf.subject == issuer]
        fitting = [one for one in (*own, *(self.tariffs if delegable(response) else ())) if one.curve in suites]
        return sign_prices(response, fitting[0].key) if fitting else None


def price_signing(store: Store, profile: Profile = "conformance") -> PriceSigning | None:
    """The signer of prices with the keys of a store; None where it has none, or the profile is of peers that cannot read signed prices."""
    issuers, signers = (store.credentials(role) for role in (Role.MO_SUB2, Role.TARIFF))
    if profile != "conformance" or not (issuers or signers):
        return None
    return PriceSigning(tuple(issuers), tuple(signers))


def provisioning_service(store: Store, profile: Profile, entropy: Callable[[int], bytes]) -> "Provisioners | None":
    """A laboratory's provisioning services: a car that proves its provisioning certificate gets the contracts of the store.

    None where the store has no credential of a provisioning service, or no contract, that fits any generation.
    """
    from pki.provisioners import provisioners

    return provisioners(store, entropy, status=station_status(store), rules=RULES[profile], suites=SUITES[profile])


def _credential(credential: Credential, store: Store) -> TlsCredential:
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsCredential(credential.for_tls(), key, staple=Staple(store, credential.leaf, issuer_of(credential, store)))


def issuer_of(credential: Credential, store: Store) -> x509.Certificate | None:
    """The certificate of the issuer of a station's certificate: the next of its chain, or its root; None where the store lacks it."""
    above = (*credential.chain[1:2], *store.anchors.private, *store.anchors.v2g)
    return next((one for one in above if one.subject == credential.leaf.issuer), None)


@dataclass(slots=True)
class Staple:
    """Gives the OCSP response in the store for a station's certificate, as long as it is valid and good [V2G20-2388]."""

    store: Store
    leaf: x509.Certificate
    issuer: x509.Certificate | None
    _judged: tuple[bytes, Good] | None = None

    def __call__(self, at: float) -> bytes | None:
        """The OCSP response (DER) to staple at `at` (epoch s); None where there is none that is valid and says "good"."""
        now = datetime.fromtimestamp(at, UTC)
        response = None if self.issuer is None else self.store.response(self.leaf, self.issuer)
        if response is None or self.issuer is None:
            return None
        if self._judged is None or self._judged[0] != response:
            try:
                self._judged = response, check(response, self.leaf, self.issuer, now)
            except CertificateError:
                return None
        return response if now < self._judged[1].next_update else None
