"""From a directory of certificates to what a station needs: its TLS, its judge of vehicles, its verifier of contracts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.certificate import loadable, read
from pki.errors import CertificateError, StoreError
from pki.profiles import INTEROP, ISO20, Role, Rules
from pki.provisioning import ProvisioningService
from pki.status import Good, check
from pki.status_book import Silence, by_records
from pki.store import Credential, Store
from pki.tariff import sign_prices
from pki.verify import Anchors, Status, VerifiedChain, verify
from secc.verifier import SUITES, PkiVerifier
from v2g.messages.common_messages import ScheduleExchangeRes
from v2g.messages.xmldsig import SignatureType
from v2g.session.profiles import Profile
from v2g.session.tls import PROFILES
from v2g.session.tls import Credential as TlsCredential
from v2g.session.transport import ServerTls

RULES: dict[Profile, Rules] = {"conformance": ISO20, "interop": INTEROP}


@dataclass(frozen=True, slots=True)
class VehicleJudge:
    """Verifies the chain that a car shows in TLS: a vehicle certificate below an OEM or V2G root [V2G20-2331] [V2G20-2339].

    Under the interop profile an OEM provisioning certificate passes too; the session says so.
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
    """Revocation by the responses and lists that the store holds; where they say nothing a certificate passes [V2G20-2409]."""
    return by_records(store, Silence.PASSES)


def station_tls(store: Store, profile: Profile = "conformance", wall: Callable[[], float] | None = None) -> ServerTls:
    """TLS with every station credential of a store, which judges cars at the time of `wall` (epoch s). StoreError when there is none."""
    rules, anchors = RULES[profile], store.anchors
    usable = [each for each in store.credentials(Role.SECC) if each.curve in rules.algorithms]
    if not usable:
        raise StoreError(f"{store.path} has no station certificate for the profile {profile}; make one with: v2g pki create {store.path}")
    roots = tuple(loadable((*anchors.v2g, *anchors.oem)))  # [V2G20-2401]
    credentials = [_credential(each, store) for each in usable]
    judge = VehicleJudge(anchors, rules, station_status(store))
    return ServerTls(credentials, judge, authorities=roots, profile=PROFILES[profile], wall=wall)


def station_verifier(store: Store, profile: Profile = "conformance") -> PkiVerifier:
    """The verifier of what cars sign, with the roots of a store."""
    return PkiVerifier(store.anchors, RULES[profile], SUITES[profile], status=station_status(store))


@dataclass(frozen=True, slots=True)
class PriceSigning:
    """Signs prices for those who can verify it: the holder of a contract knows who issued it, others may hold a tariff signer's.

    A station in the field holds neither key; a laboratory's has those of the provider too.
    """

    issuers: tuple[Credential, ...]
    tariffs: tuple[Credential, ...]

    def __call__(self, response: ScheduleExchangeRes, contract: bytes) -> SignatureType:
        """By the issuing sub-CA of the contract, where its key is here, else by the first tariff signer."""
        issuer = read(contract).issuer if contract else None
        return sign_prices(response, next((one for one in self.issuers if one.leaf.subject == issuer), self.tariffs[0]).key)


def price_signing(store: Store, profile: Profile = "conformance") -> PriceSigning | None:
    """Who signs prices by this store, None: nobody. Named peers are not sent what they may not read."""
    held = {role: tuple(c for c in store.credentials(role) if c.curve in ISO20.algorithms) for role in (Role.MO_SUB2, Role.TARIFF)}
    if profile != "conformance" or not held[Role.TARIFF]:
        return None
    return PriceSigning(held[Role.MO_SUB2], held[Role.TARIFF])


def provisioning_service(store: Store, profile: Profile, entropy: Callable[[int], bytes]) -> ProvisioningService | None:
    """A laboratory's provisioning service: whoever proves its provisioning certificate gets the contracts of the store.

    None where the store has no provisioning service or no contract.
    """
    if not store.credentials(Role.CPS) or not store.contracts:
        return None
    rules, suites = RULES[profile], SUITES[profile]
    status = station_status(store)
    return ProvisioningService(store.cps, store.anchors, lambda pcid: store.contracts, entropy, status, rules, suites)


def _credential(credential: Credential, store: Store) -> TlsCredential:
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsCredential(credential.for_tls(), key, staple=Staple(store, credential.leaf, issuer_of(credential, store)))


def issuer_of(credential: Credential, store: Store) -> x509.Certificate | None:
    """Who issued a station's certificate: the next of its chain, or the root it hangs under."""
    above = (*credential.chain[1:2], *store.anchors.private, *store.anchors.v2g)
    return next((one for one in above if one.subject == credential.leaf.issuer), None)


@dataclass(slots=True)
class Staple:
    """The OCSP response that the store keeps for a station's certificate, as long as it is good [V2G20-2388]; judged once."""

    store: Store
    leaf: x509.Certificate
    issuer: x509.Certificate | None
    _judged: tuple[bytes, Good] | None = None

    def __call__(self, at: float) -> bytes | None:
        """What to staple now (epoch s). A response that does not say "good" is worse than none: it is kept back."""
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
