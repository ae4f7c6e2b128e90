"""From a directory of certificates to what a station needs: its TLS, its judge of vehicles, its verifier of contracts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.errors import CertificateError, StoreError
from pki.profiles import INTEROP, ISO20, Role, Rules
from pki.provisioning import ProvisioningService
from pki.status import check
from pki.status_book import Silence, StatusBook
from pki.store import Credential, Store
from pki.verify import Anchors, Status, VerifiedChain, verify
from secc.verifier import SUITES, PkiVerifier
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
    book = StatusBook(Silence.PASSES, store.crls)

    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        response = store.response(certificate)
        if response is not None:
            book.learn(certificate, response)
        return book.status(certificate, issuer, now)

    return status


def station_tls(store: Store, profile: Profile = "conformance") -> ServerTls:
    """TLS with every station credential of a store. Raises StoreError when there is none."""
    rules, anchors = RULES[profile], store.anchors
    usable = [each for each in store.credentials(Role.SECC) if each.curve in rules.algorithms]
    if not usable:
        raise StoreError(f"{store.path} has no station certificate for the profile {profile}; make one with: v2g pki create {store.path}")
    roots = tuple(root.public_bytes(Encoding.DER) for root in (*anchors.v2g, *anchors.oem))  # [V2G20-2401]
    credentials = [_credential(each, store) for each in usable]
    return ServerTls(credentials, VehicleJudge(anchors, rules, station_status(store)), authorities=roots, profile=PROFILES[profile])


def station_verifier(store: Store, profile: Profile = "conformance") -> PkiVerifier:
    """The verifier of what cars sign, with the roots of a store."""
    return PkiVerifier(store.anchors, RULES[profile], SUITES[profile], status=station_status(store))


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
    chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in credential.chain)

    def staple(at: float) -> bytes | None:
        """The response that the store keeps for the leaf, as long as it is good [V2G20-2388]."""
        response = store.response(credential.leaf)
        try:
            if response is not None and len(credential.chain) > 1:
                check(response, credential.leaf, credential.chain[1], datetime.fromtimestamp(at, UTC))
                return response
        except CertificateError:
            pass
        return None

    return TlsCredential(chain, key, staple=staple)
