"""From a directory of certificates to what a station needs: its TLS, its judge of vehicles, its verifier of contracts."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.errors import CertificateError, StoreError
from pki.profiles import INTEROP, ISO20, Role, Rules
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
        try:
            return verify(chain, Role.VEHICLE, self.anchors, now, rules=self.rules, status=self.status)
        except CertificateError:
            if self.rules is not INTEROP:
                raise
            return verify(chain, Role.PROVISIONING, self.anchors, now, rules=self.rules, status=self.status)


def station_tls(store: Store, profile: Profile = "conformance") -> ServerTls:
    """TLS with every station credential of a store. Raises StoreError when there is none."""
    rules, anchors = RULES[profile], store.anchors
    usable = [each for each in store.credentials(Role.SECC) if each.curve in rules.algorithms]
    if not usable:
        raise StoreError(f"{store.path} has no station certificate for the profile {profile}; make one with: v2g pki create {store.path}")
    roots = tuple(root.public_bytes(Encoding.DER) for root in (*anchors.v2g, *anchors.oem))  # [V2G20-2401]
    credentials = [_credential(each) for each in usable]
    return ServerTls(credentials, VehicleJudge(anchors, rules), authorities=roots, profile=PROFILES[profile])


def station_verifier(store: Store, profile: Profile = "conformance") -> PkiVerifier:
    """The verifier of what cars sign, with the roots of a store."""
    return PkiVerifier(store.anchors, RULES[profile], SUITES[profile])


def _credential(credential: Credential) -> TlsCredential:
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsCredential(tuple(certificate.public_bytes(Encoding.DER) for certificate in credential.chain), key)
