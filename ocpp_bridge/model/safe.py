"""The certificates of a station as OCPP speaks of them: trusted roots by their use, its own chains by their type, and requests under way.

A `Cabinet` holds the files; what it holds is read into a `Safe`, by which everything here decides. Keys never come here: the cabinet makes
them, and tells the public half alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ocpp_bridge.model.networks import Networks
from ocpp_bridge.wire.schemas import Payload
from pki.certificate import directly_issued, facts, read, read_pem
from pki.errors import CertificateError, Kind
from pki.keys import raw_public
from pki.profiles import CLIENT, ISO2, ISO20, Role, Rules
from pki.status import DIGESTS, certificate_id
from pki.status_book import Told
from pki.store import demand_root
from pki.verify import Anchors, verify

Type = Literal["ChargingStationCertificate", "V2GCertificate", "V2G20Certificate"]
Use = Literal["V2GRootCertificate", "MORootCertificate", "OEMRootCertificate", "CSMSRootCertificate", "ManufacturerRootCertificate"]
CURVES: Final[dict[Type, tuple[str, ...]]] = {  # of the key of each type, the preferred one first
    "ChargingStationCertificate": ("secp256r1",),
    "V2GCertificate": ("secp256r1",),
    "V2G20Certificate": ("secp521r1", "ed448"),
}
RULES: Final[dict[Type, Rules]] = {"V2GCertificate": ISO2, "V2G20Certificate": ISO20}
CSMS_ROOT: Final[Use] = "CSMSRootCertificate"
V2G_CHAIN: Final = "V2GCertificateChain"
ROOTS_MAXIMUM: Final = 40  # of all uses: a GetInstalledCertificateIds of 30 kB; one beyond is refused. Fields of cars hold fewer than ten
CHAIN_MAXIMUM: Final = 5  # certificates in a CertificateSigned: leaf, three sub-CAs, and the root that some CSMS sends along
CERTIFICATE_MAXIMUM: Final = 7_400  # octets of DER: what the 10,000 characters of a message hold


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of the station: its type, its name in the cabinet, the certificates (DER, leaf first, without root)."""

    type: Type
    name: str
    certificates: tuple[bytes, ...]
    hardware: bool = False  # its key lies in a token, from which it cannot be renewed here

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the station itself."""
        return read(self.certificates[0], CERTIFICATE_MAXIMUM)


@dataclass(frozen=True, slots=True)
class Subject:
    """The names in a certificate signing request."""

    common_name: str
    organization: str
    country: str = ""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a cabinet holds: roots by use, own chains, and the public keys (DER) of requests that are still open."""

    roots: Mapping[Use, tuple[bytes, ...]] = field(default_factory=dict)
    fixed: frozenset[bytes] = frozenset()  # roots that the station's file names: a CSMS does not delete them
    chains: tuple[Chain, ...] = ()
    asked: Mapping[Type, bytes] = field(default_factory=dict)

    def having(self, use: Use, roots: tuple[bytes, ...]) -> "Holdings":
        """A copy of the holdings with other roots for a use."""
        return replace(self, roots={name: held for name, held in {**self.roots, use: roots}.items() if held})

    def without(self, chains: Sequence[Chain]) -> "Holdings":
        """A copy of the holdings without some chains."""
        return replace(self, chains=tuple(chain for chain in self.chains if chain not in chains))


class Cabinet(Protocol):
    """The files of a station's certificates and keys. Every method blocks on the disk, and raises OSError or StoreError."""

    def types(self) -> frozenset[Type]:
        """The types of certificate that this station can keep and use."""

    def uses(self) -> frozenset[Use]:
        """The uses of roots that this station can keep."""

    def read(self) -> Holdings:
        """Everything that is held at present."""

    def make(self, type_: Type, curve: str, subject: Subject) -> tuple[str, bytes]:
        """Make and keep a key; the request for a certificate of it (PEM), and its public half (DER)."""

    def keep_chain(self, type_: Type, name: str, chain: Sequence[bytes]) -> None:
        """Put a chain to the key that was made for its type, in place of the one of that name."""

    def credentials(self) -> tuple[tuple[Path, Path], ...]:
        """Chain and key (PEM files) by which the CSMS may know the station, of those that it signed, the newest first."""

    def roots(self) -> tuple[bytes, ...]:
        """The CSMS roots (DER) that were installed."""

    def worked(self) -> None:
        """Forget the certificate for the CSMS before the newest, which has worked."""

    def keep_root(self, use: Use, certificate: bytes, instead: Iterable[bytes] = ()) -> None:
        """Keep a root (DER) for a use; those of `instead` go."""

    def drop_root(self, use: Use, certificate: bytes) -> None:
        """Forget a root (DER) of a use."""

    def keep_told(self, certificate: bytes, issuer: bytes, told: Told) -> None:
        """Keep the CSMS's word on a certificate of a vehicle (DER, with its issuer's), by which handshakes are judged."""

    def drop_chain(self, chain: Chain) -> None:
        """Forget a chain and its key."""


@dataclass(slots=True)
class Asked:
    """A request for a certificate under way: whom the answer is to replace, and when the station asks again."""

    type: Type
    name: str  # of the chain in the cabinet that is to be replaced or made
    request_id: int
    csr: str = ""  # PEM, once the key is made
    public: bytes = b""  # DER of the key
    root: bytes = b""  # DER of the root that shall sign, if that is known
    tries: int = 0  # SignCertificates sent so far
    due: float | None = None  # monotonic s; when it is asked again
    solicited: bool = False  # the CSMS triggered it


@dataclass(slots=True)
class Safe:
    """The present certificates of the station, and its requests under way by their type."""

    cabinet: Cabinet | None = None
    station_id: str = ""  # by which the CSMS knows the station
    password: bool = False  # it has one for the CSMS
    certified: bool = False  # it has a certificate for the CSMS by its configuration
    system_roots: bool = False  # the CSMS is verified by the roots of the operating system
    holdings: Holdings = field(default_factory=Holdings)
    asked: dict[Type, Asked] = field(default_factory=dict)
    rests: dict[Type, float] = field(default_factory=dict)  # monotonic s until when a type is not asked for unbidden
    look_due: float | None = None  # monotonic s of the next look at what grows old
    installing: int = 0  # roots that are on their way to the disk
    anew: str = ""  # why the shell shall connect anew, once its answers are sent
    networks: Networks = field(default_factory=Networks)  # where the station connects by them

    def roots(self, use: Use) -> tuple[bytes, ...]:
        """The roots (DER) of a use."""
        return self.holdings.roots.get(use, ())

    def count(self) -> int:
        """How many certificates are held: roots, and chains as one each."""
        return sum(len(roots) for roots in self.holdings.roots.values()) + len(self.holdings.chains)

    def chains(self, type_: Type) -> tuple[Chain, ...]:
        """The chains of a type, the one that ends first before the others."""
        found = [chain for chain in self.holdings.chains if chain.type == type_]
        return tuple(sorted(found, key=lambda chain: facts(chain.leaf).not_after))

    def anchors(self) -> Anchors:
        """The roots under which a station's certificate for cars may hang."""
        return Anchors(v2g=tuple(read(root, CERTIFICATE_MAXIMUM) for root in self.roots("V2GRootCertificate")))


# --- hash data ---


def hash_data(certificate: x509.Certificate, issuer: x509.Certificate, algorithm: str = "SHA256") -> Payload:
    """CertificateHashData of a certificate: its CertID of RFC 6960, the serial number in hex without leading zeros."""
    name, key, serial = certificate_id(certificate, issuer, DIGESTS[algorithm.lower()]())
    return {"hashAlgorithm": algorithm, "issuerNameHash": name.hex(), "issuerKeyHash": key.hex(), "serialNumber": f"{serial:x}"}


def same(one: Payload, other: Payload) -> bool:
    """Whether two CertificateHashData name the same certificate, in whatever way they spell hexadecimal numbers. ValueError for none."""
    if one["hashAlgorithm"] != other["hashAlgorithm"]:
        return False
    hashes_ = all(one[name].lower() == other[name].lower() for name in ("issuerNameHash", "issuerKeyHash"))
    return hashes_ and int(one["serialNumber"], 16) == int(other["serialNumber"], 16)


def issuer_among(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """The first of the candidates that issued a certificate; None where none did."""
    return next((one for one in candidates if directly_issued(certificate, one)), None)


def chain_hashes(chain: Chain, roots: Sequence[bytes], algorithm: str = "SHA256") -> list[Payload]:
    """CertificateHashData of a chain, the leaf first, as far as the issuers are known."""
    certificates = [read(der, CERTIFICATE_MAXIMUM) for der in chain.certificates]
    above = [read(root, CERTIFICATE_MAXIMUM) for root in roots]
    found = []
    for depth, certificate in enumerate(certificates):
        issuer = issuer_among(certificate, (*certificates[depth + 1 : depth + 2], *above))
        if issuer is None:
            break
        found.append(hash_data(certificate, issuer, algorithm))
    return found


# --- judging ---


def judged_root(text: str, use: Use, now: datetime, before: Sequence[bytes] = (), *, signed: bool = False) -> bytes:
    """DER of the one root in a PEM text. Raises CertificateError for what is none or has ended, or with `signed` is of nobody `before`.

    `signed` is OCPP's AdditionalRootCertificateCheck: a CSMS root must come from the one that it replaces.
    """
    found = read_pem(text.encode(), CERTIFICATE_MAXIMUM)
    if len(found) != 1:
        raise CertificateError(Kind.TOO_LONG, f"{len(found)} certificates where one root is to be installed")
    root, fact = found[0], facts(found[0])
    if signed and use == CSMS_ROOT and before:
        if not fact.authority or issuer_among(root, [read(one, CERTIFICATE_MAXIMUM) for one in before]) is None:
            raise CertificateError(Kind.UNTRUSTED_ROOT, f"{fact.name} is not signed by the CSMS root that it is to replace")
    else:
        demand_root(root)
    if use not in (CSMS_ROOT, "ManufacturerRootCertificate") and fact.key not in ISO20.algorithms | ISO2.algorithms:
        raise CertificateError(Kind.WEAK_ALGORITHM, f"a {fact.key} key, which no car and no contract of ISO 15118 has")
    if now >= fact.not_after:
        raise CertificateError(Kind.EXPIRED, f"{fact.name} ended {fact.not_after:%Y-%m-%d}")
    return _der(root)


def judged_chain(text: str, asked: Asked, safe: Safe, now: datetime) -> tuple[bytes, ...]:
    """The chain (DER, leaf first, without root) of a CertificateSigned. Raises CertificateError unless it is what was asked for:

    our key, a path to a root that is trusted for the type, valid now, for the purpose of the type.
    """
    found = read_pem(text.encode(), CERTIFICATE_MAXIMUM)
    if len(found) > CHAIN_MAXIMUM:
        raise CertificateError(Kind.TOO_LONG, f"{len(found)} certificates where {CHAIN_MAXIMUM} are possible")
    if raw_public(facts(found[0]).public_key) != asked.public:
        raise CertificateError(Kind.WRONG_PROFILE, "the first certificate is not of the key that the station asked for")
    if asked.type in RULES:
        proof = verify(found, Role.SECC, safe.anchors(), now, rules=RULES[asked.type])
        return tuple(_der(one) for one in proof.chain)
    return _client_chain(found, [read(root, CERTIFICATE_MAXIMUM) for root in safe.roots(CSMS_ROOT)], now)


def _client_chain(found: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime) -> tuple[bytes, ...]:
    """The path from a client certificate of TLS to a CSMS root."""
    path: list[x509.Certificate] = []
    for depth, one in enumerate(found):
        if depth and one in roots:
            break  # the root itself, sent along
        _demand_client(one, depth, now)
        path.append(one)
        if issuer_among(one, roots) is not None:
            return tuple(map(_der, path))
        if depth + 1 == len(found) or not directly_issued(one, found[depth + 1]):
            break
    reason = "no path to a CSMS root that is installed here" if roots else "no CSMS root is installed here: install one first"
    raise CertificateError(Kind.UNTRUSTED_ROOT, reason)


def _demand_client(one: x509.Certificate, depth: int, now: datetime) -> None:
    fact = facts(one)
    if now < fact.not_before:
        raise CertificateError(Kind.NOT_YET_VALID, f"{fact.name} begins {fact.not_before:%Y-%m-%d %H:%M} UTC", depth=depth)
    if now >= fact.not_after:
        raise CertificateError(Kind.EXPIRED, f"{fact.name} ended {fact.not_after:%Y-%m-%d %H:%M} UTC", depth=depth)
    if depth and not fact.authority:
        raise CertificateError(Kind.WRONG_PROFILE, f"{fact.name} is no authority, and signs a certificate", depth=depth)
    if not depth and (fact.authority or (fact.usage is not None and "digital_signature" not in fact.usage)):
        raise CertificateError(Kind.WRONG_PROFILE, f"{fact.name} is no certificate that signs a handshake", depth=depth)
    if not depth and fact.purposes is not None and CLIENT not in fact.purposes:
        raise CertificateError(Kind.WRONG_PROFILE, f"{fact.name} is not for TLS clients (extended key usage)", depth=depth)


def root_of(chain: Chain, roots: Sequence[bytes]) -> bytes:
    """DER of the root at which a chain ends; empty where it is not among those."""
    last = read(chain.certificates[-1], CERTIFICATE_MAXIMUM)
    return next((root for root in roots if directly_issued(last, read(root, CERTIFICATE_MAXIMUM))), b"")


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
