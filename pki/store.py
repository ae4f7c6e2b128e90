"""The directory of certificates and keys. A shell: it reads and writes files, everything else in this package does not.

    store = Store("certs")
    store.anchors                     # Anchors(v2g, oem, mo, private)
    store.secc                        # Credential: the station's, for TLS
    store.vehicle                     # Credential: the car's, for TLS
    store.contract, store.contracts   # Credential(s): for AuthorizationReq
    store.provisioning, store.cps     # Credential: for CertificateInstallationReq, for its response
    store.credentials(Role.SECC)      # all of a role, e.g. one per curve or per root

    credential.chain                  # tuple of x509.Certificate, leaf first, without root
    credential.key                    # private key object of cryptography
    credential.chain_path, credential.key_path     # PEM files, for a TLS library

Layout, everything PEM:

    roots/v2g/*.pem  roots/oem/*.pem  roots/mo/*.pem  roots/private/*.pem      whom this end trusts, one root each
    ROLE/NAME.chain.pem  ROLE/NAME.key.pem                                     a credential: secc, vehicle, contract, cps, mo-sub2, ocsp ...
    ROLE/NAME.key.uri                                                          instead of the key: a PKCS #11 URI, the key stays in hardware
    responses/*.der  crl/*.pem                                                 OCSP responses and revocation lists kept for later

ROLE is a value of `pki.profiles.Role`, NAME is free (`create` takes the curve). Files are replaced atomically, keys are readable by their
owner alone (0600). `changed()` tells a server that has it loaded to build new contexts; running sessions keep what they hold.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from pki.certificate import PARSE_ERRORS, Loose, directly_issued, facts, read_pem
from pki.chains import der
from pki.errors import CertificateError, Kind, StoreError
from pki.issue import Hierarchy, Issued
from pki.keys import ALGORITHMS, PrivateKey, belongs, key_name
from pki.order import arranged
from pki.profiles import EXPIRES_SOON, PROFILES, Anchor, Role
from pki.status import certificate_id, outweighs
from pki.token import TokenKey, address, token_key
from pki.verify import Anchors

RESPONSES = "responses"
KEY_MODE, FILE_MODE, DIRECTORY_MODE = 0o600, 0o644, 0o755
PREFERENCE = tuple(ALGORITHMS)  # the curve of `store.secc` and its like, when a role has several
ANCHOR_OF = {Role.V2G_ROOT: Anchor.V2G, Role.OEM_ROOT: Anchor.OEM, Role.MO_ROOT: Anchor.MO, Role.PRIVATE_ROOT: Anchor.PRIVATE}


@dataclass(frozen=True, slots=True)
class Credential:
    """A chain with the key of its leaf."""

    role: Role
    name: str
    chain: tuple[x509.Certificate, ...]  # leaf first, without root
    key: PrivateKey
    chain_path: Path
    key_path: Path
    remarks: tuple[str, ...] = ()  # what was not in order in the file; `chain` is

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def certificate(self) -> x509.Certificate:
        """The same: as an authority, it signs by this one."""
        return self.chain[0]

    def for_tls(self) -> tuple[bytes, ...]:
        """DER of the chain, as a TLS library serves it. Raises StoreError for what no TLS library loads."""
        loose = next((depth for depth, one in enumerate(self.chain) if isinstance(one, Loose)), None)
        if loose is not None:
            amiss = "; ".join(sorted(lapse.value for lapse in facts(self.chain[loose]).lapses))
            cure = "TLS cannot serve it; have it issued anew"
            raise StoreError(f"{self.chain_path}: certificate {loose} is not strict DER ({amiss}), {cure}")
        return der(self.chain)

    @property
    def curve(self) -> str:
        return key_name(self.key)

    @property
    def common_name(self) -> str:
        """EVCCID, PCID, eMAID or EVSEID, as the role has it."""
        return facts(self.leaf).common_name


Found = TypeVar("Found", Credential, x509.Certificate)


class Store:
    """A directory of anchors and credentials. Files are read on first use and kept; `reload` forgets them.

    Raises StoreError, naming the file and the cure, for what is missing or unusable.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise StoreError(f"{self.path} is no directory; create one with: v2g pki create {self.path}")
        self._seen = self._fingerprint()

    # --- reading ---

    @cached_property
    def anchors(self) -> Anchors:
        """The trusted roots by family. A certificate that is no self-signed CA is refused, not trusted."""
        return Anchors(**{family.value: tuple(_or_raise(self.roots(family))) for family in Anchor})

    @cached_property
    def _by_role(self) -> dict[Role, tuple[Credential, ...]]:
        return {}

    def credentials(self, role: Role) -> tuple[Credential, ...]:
        """All credentials of a role, the preferred curve first. Empty when there is none."""
        if role not in self._by_role:
            found = list(_or_raise(self.held(role)))
            self._by_role[role] = tuple(sorted(found, key=lambda one: (PREFERENCE.index(one.curve), len(one.name), one.name)))
        return self._by_role[role]

    def held(self, role: Role) -> Iterator[Credential | StoreError]:
        """Every credential of a role, or what is wrong with it, file by file."""
        for path in sorted((self.path / role.value).glob("*.chain.pem")):
            try:
                yield self._credential(role, path)
            except StoreError as error:
                yield error

    def roots(self, family: Anchor) -> Iterator[x509.Certificate | StoreError]:
        """Every root of a family, or what is wrong with it, file by file."""
        for path in sorted(self.root_path(family).glob("*.pem")):
            try:
                for certificate in read_chain(path):
                    demand_root(certificate)
                    yield certificate
            except StoreError as error:
                yield error
            except CertificateError as error:
                yield StoreError(f"{path}: {error.reason}; remove it, or put it where it belongs")

    def credential(self, role: Role, curve: str | None = None) -> Credential:
        """The first of a role, or of a role on a curve."""
        for found in self.credentials(role):
            if curve in (None, found.curve):
                return found
        on = f" on {curve}" if curve else ""
        raise StoreError(f"{self.path / role.value} holds no {role.value} credential{on}; see: v2g pki create --help")

    @property
    def secc(self) -> Credential:
        return self.credential(Role.SECC)

    @property
    def vehicle(self) -> Credential:
        return self.credential(Role.VEHICLE)

    @property
    def provisioning(self) -> Credential:
        return self.credential(Role.PROVISIONING)

    @property
    def contract(self) -> Credential:
        return self.credential(Role.CONTRACT)

    @property
    def contracts(self) -> tuple[Credential, ...]:
        return self.credentials(Role.CONTRACT)

    @property
    def cps(self) -> Credential:
        return self.credential(Role.CPS)

    def root_path(self, family: Anchor) -> Path:
        """Directory of the PEM files of one family of roots."""
        return self.path / "roots" / family.value

    def warnings(self, now: datetime) -> tuple[str, ...]:
        """One line for every credential that has ended or soon will."""
        found = []
        for role in Role:
            for credential in self.credentials(role):
                left = facts(credential.leaf).not_after - now
                if left < EXPIRES_SOON:
                    state = "has expired" if left.total_seconds() < 0 else f"expires in {left.days} days"
                    found.append(f"{credential.chain_path}: {credential.common_name} {state}")
        return tuple(found)

    # --- noticing changes ---

    def changed(self) -> bool:
        """Whether any file was replaced, added or removed since this store was opened or last reloaded; responses are read anew anyway."""
        return self._fingerprint() != self._seen

    def reload(self) -> None:
        """Forget what was read. Credentials already handed out stay valid: they are values."""
        self.__dict__.pop("anchors", None)
        self.__dict__.pop("_by_role", None)
        self._seen = self._fingerprint()

    def _fingerprint(self) -> frozenset[tuple[str, int, int]]:
        found = set()
        for path in self.path.rglob("[!.]*.*"):  # a file on its way into place begins with a dot
            with suppress(FileNotFoundError):  # somebody took it away meanwhile, which is a change of its own
                if path.parent.name != RESPONSES and path.is_file():
                    stat = path.stat()
                    found.add((str(path), stat.st_mtime_ns, stat.st_ino))
        return frozenset(found)

    # --- writing ---

    def save_root(self, certificate: x509.Certificate, family: Anchor, name: str) -> Path:
        """Trust a root. Raises CertificateError(WRONG_PROFILE) for a certificate that is no root."""
        demand_root(certificate)
        path = self.root_path(family) / f"{safe_name(name)}.pem"
        replace_file(path, certificate.public_bytes(serialization.Encoding.PEM))
        self.reload()
        return path

    def save(self, role: Role, name: str, chain: Iterable[x509.Certificate], key: PrivateKey) -> Credential:
        """Put a credential in place: the key first, so that no reader finds a chain without one."""
        chain = tuple(chain)
        if not belongs(key, chain[0].public_key()):
            raise StoreError(f"the key given for {role.value} {name} does not belong to its certificate")
        stem = self.path / role.value / safe_name(name)
        chain_path = Path(f"{stem}.chain.pem")
        if isinstance(key, TokenKey):
            key_path = Path(f"{stem}.key.uri")
            replace_file(key_path, f"{key.place}\n".encode(), KEY_MODE)
        else:
            key_path = Path(f"{stem}.key.pem")
            private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            replace_file(key_path, private, KEY_MODE)
        replace_file(chain_path, b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))
        self.reload()
        return Credential(role, name, chain, key, chain_path, key_path)

    def save_response(self, certificate: x509.Certificate, issuer: x509.Certificate, response: bytes) -> Path:
        """Keep an OCSP response (DER) for a certificate, unless a revocation is kept that it does not outweigh."""
        path, held = self.response_path(certificate, issuer), self.response(certificate, issuer)
        if held is None or outweighs(response, held, certificate, issuer):
            replace_file(path, response)
        return path

    def response(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
        """The OCSP response kept for a certificate, read anew each time: somebody renews it. None when there is none."""
        try:
            return self.response_path(certificate, issuer).read_bytes()
        except FileNotFoundError:
            return None

    @property
    def crls(self) -> tuple[x509.CertificateRevocationList, ...]:
        """The revocation lists kept in the store."""
        found = []
        for path in sorted((self.path / "crl").glob("*.pem")):
            try:
                found.append(x509.load_pem_x509_crl(path.read_bytes()))
            except PARSE_ERRORS as error:
                raise StoreError(f"{path} holds no revocation list ({error}); fetch it anew or take the file away") from None
        return tuple(found)

    def response_path(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Path:
        """Where the response for a certificate lies: by OCSP's CertID, since the octets of its signature name nothing."""
        name, key, serial = certificate_id(certificate, issuer, hashes.SHA256())
        return self.path / RESPONSES / f"{name.hex()[:16]}-{key.hex()[:32]}-{serial:x}.der"

    # --- one file ---

    def _credential(self, role: Role, chain_path: Path) -> Credential:
        name = chain_path.name.removesuffix(".chain.pem")
        key_path = chain_path.with_name(f"{name}.key.uri")
        if not key_path.exists():
            key_path = chain_path.with_name(f"{name}.key.pem")
        chain, key = read_chain(chain_path), read_key(key_path)
        _demand_readable(chain_path, chain)
        if not belongs(key, chain[0].public_key()):
            reason = f"{key_path} is not the key of the first certificate in {chain_path}"
            raise StoreError(f"{reason}; put the right key there, and the leaf first in the chain")
        served, remarks = arranged(chain)
        return Credential(role, name, served, key, chain_path, key_path, remarks)


def _or_raise(found: Iterable[Found | StoreError]) -> Iterator[Found]:
    for one in found:
        if isinstance(one, StoreError):
            raise one
        yield one


def create(path: str | os.PathLike[str], hierarchies: Iterable[Hierarchy]) -> Store:
    """A store that holds everything issued: roots as trust anchors too, so that one directory serves both ends of a demo."""
    Path(path).mkdir(parents=True, exist_ok=True)
    store = Store(path)
    for hierarchy in hierarchies:
        for one in hierarchy.issued:
            _keep(store, one)
    return store


def _keep(store: Store, one: Issued) -> None:
    if PROFILES[one.role].issuer is None and one.issuer is None:
        store.save_root(one.certificate, ANCHOR_OF[one.role], one.name)
    role = Role.SECC if one.role is Role.PRIVATE_SECC else one.role
    name = f"private-{one.name}" if one.role is Role.PRIVATE_SECC else one.name
    store.save(role, name, one.chain, one.key)


# --- files ---


def read_chain(path: Path) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM file, in order. Raises StoreError."""
    try:
        return read_pem(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; put PEM certificates there, or take it away") from None
    except CertificateError as error:
        raise StoreError(f"{path}: {error.reason}; put PEM certificates there, or take the file away") from None


def _demand_readable(path: Path, chain: tuple[x509.Certificate, ...]) -> None:
    for depth, certificate in enumerate(chain):
        try:
            facts(certificate)
        except CertificateError as error:
            raise StoreError(f"{path}: certificate {depth}: {error.reason}; have it issued anew, or take the file away") from None


def read_key(path: Path, password: bytes | None = None) -> PrivateKey:
    """The private key of a PEM file, or the one in hardware that a `.key.uri` file points to. Raises StoreError."""
    if path.suffix == ".uri":
        return _token_key(path)
    try:
        key: PrivateKeyTypes = serialization.load_pem_private_key(path.read_bytes(), password)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; put the key of the first certificate there") from None
    except PARSE_ERRORS as error:
        if isinstance(error, TypeError) and password is None:
            raise StoreError(f"{path} is encrypted, and keys are read without a password; openssl pkey -in {path} -out KEY") from None
        raise StoreError(f"{path} holds no usable private key ({error}); put the key of the first certificate there") from None
    if key_name(key) not in ALGORITHMS:
        raise StoreError(f"{path} holds a {key_name(key)} key; ISO 15118 signs with {', '.join(ALGORITHMS)}")
    return cast(PrivateKey, key)


def _token_key(path: Path) -> TokenKey:
    uri = path.read_text().strip()
    source = address(uri).pin_source
    try:
        return token_key(uri, Path(source).read_text().strip() if source else None)
    except OSError as error:
        raise StoreError(f"the PIN for {path} cannot be read from {source}: {error.strerror}") from None


def replace_file(path: Path, content: bytes, mode: int = FILE_MODE) -> None:
    """Write beside and rename over: a reader sees the old file or the new one. The mode is set before a secret is in it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # created 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if path.exists():  # the new content must be on the disk before the old one goes
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def safe_name(name: str) -> str:
    """A name that is one path component. An eMAID comes from a peer: it may not choose where its file lies."""
    plain = "".join(character if character.isalnum() or character in "-_." else "_" for character in name).strip(".")
    if not plain:
        raise StoreError(f"{name!r} gives no file name")
    return plain[:120]


def demand_root(certificate: x509.Certificate) -> None:
    """Raises CertificateError(WRONG_PROFILE) unless this is a self-signed CA certificate."""
    fact = facts(certificate)
    if not fact.authority or fact.subject != fact.issuer:
        raise CertificateError(Kind.WRONG_PROFILE, f"{fact.name} is no root: a trust anchor is a self-signed CA certificate")
    if not directly_issued(certificate, certificate):
        raise CertificateError(Kind.BROKEN_CHAIN, f"{fact.name} names itself as issuer but is signed by another key")
