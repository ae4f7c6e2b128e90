"""A folder of certificates and keys. A shell: it reads and writes files.

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

ROLE is a value of `pki.profiles.Role`, NAME is free (`create` takes the curve). What is written comes by one switch (`pki.files`); folders
are their owner's alone (0700), keys too (0600). `changed()` tells a server that has it loaded to build new contexts; running sessions keep
what they hold.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from pki.certificate import PARSE_ERRORS, Loose, directly_issued, facts
from pki.chains import der
from pki.errors import CertificateError, Kind, StoreError
from pki.files import File, settle, switch, unfinished
from pki.files import replace as replace_file
from pki.issue import Hierarchy, Issued
from pki.keys import ALGORITHMS, PrivateKey, belongs, key_name
from pki.order import in_order
from pki.pem import demand_readable
from pki.pem import read_chain as read_chain
from pki.pem import read_key as read_key
from pki.profiles import EXPIRES_SOON, PROFILES, Anchor, Role
from pki.status import certificate_id, outweighs
from pki.status_book import Told
from pki.token import TokenKey
from pki.verify import Anchors

RESPONSES = "responses"
TOLD = ".told.json"  # beside a response: what a backend said of the certificate
KEY_MODE, FILE_MODE = 0o600, 0o644
PREFERENCE = tuple(ALGORITHMS)  # the curve of `store.secc` and its like, when a role has several
ANCHOR_OF = {Role.V2G_ROOT: Anchor.V2G, Role.OEM_ROOT: Anchor.OEM, Role.MO_ROOT: Anchor.MO, Role.PRIVATE_ROOT: Anchor.PRIVATE}


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate chain with the private key of its leaf, and the files they come from."""

    role: Role
    name: str
    chain: tuple[x509.Certificate, ...]  # leaf first, without root
    key: PrivateKey
    chain_path: Path
    key_path: Path
    remarks: tuple[str, ...] = ()  # what was not in order in the file; `chain` is

    @property
    def leaf(self) -> x509.Certificate:
        """The first certificate of the chain."""
        return self.chain[0]

    @property
    def certificate(self) -> x509.Certificate:
        """The leaf, under the name that it has in `issue.Authority`: a CA signs certificates by it."""
        return self.chain[0]

    def for_tls(self) -> tuple[bytes, ...]:
        """The chain (DER) for a TLS library. Raises StoreError for certificates that no TLS library loads."""
        loose = next((depth for depth, one in enumerate(self.chain) if isinstance(one, Loose)), None)
        if loose is not None:
            amiss = "; ".join(sorted(lapse.value for lapse in facts(self.chain[loose]).lapses))
            cure = "TLS cannot serve it; have it issued anew"
            raise StoreError(f"{self.chain_path}: certificate {loose} is not strict DER ({amiss}), {cure}")
        return der(self.chain)

    @property
    def curve(self) -> str:
        """The algorithm of the key: secp521r1, ed448 or secp256r1."""
        return key_name(self.key)

    @property
    def common_name(self) -> str:
        """The common name of the leaf: EVCCID, PCID, eMAID or EVSEID, by its role."""
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
        self._settle()
        if unfinished(self.path) and not any((self.path / place).is_dir() for place in ("roots", *(role.value for role in Role))):
            raise StoreError(f"{self.path} is half made: its making was cut off; finish it with: v2g pki create {self.path}")
        self._seen = self._fingerprint()

    # --- reading ---

    @cached_property
    def anchors(self) -> Anchors:
        """The trusted roots by family. Raises StoreError for a certificate that is no self-signed CA."""
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
        """Every credential of a role, file by file; in place of one that cannot be used, the StoreError."""
        for path in sorted((self.path / role.value).glob("*.chain.pem")):
            try:
                yield self._credential(role, path)
            except StoreError:
                yield self._again(role, path)  # perhaps it was read while it was being written

    def roots(self, family: Anchor) -> Iterator[x509.Certificate | StoreError]:
        """Every root of a family, file by file; in place of one that cannot be used, the StoreError."""
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
        """The first credential of a role, of those on `curve` where given. Raises StoreError where there is none."""
        for found in self.credentials(role):
            if curve in (None, found.curve):
                return found
        on = f" on {curve}" if curve else ""
        raise StoreError(f"{self.path / role.value} holds no {role.value} credential{on}; see: v2g pki create --help")

    @property
    def secc(self) -> Credential:
        """The station's chain and key for TLS. Raises StoreError where there is none."""
        return self.credential(Role.SECC)

    @property
    def vehicle(self) -> Credential:
        """The car's chain and key for TLS. Raises StoreError where there is none."""
        return self.credential(Role.VEHICLE)

    @property
    def provisioning(self) -> Credential:
        return self.credential(Role.PROVISIONING)

    @property
    def contract(self) -> Credential:
        return self.credential(Role.CONTRACT)

    @property
    def contracts(self) -> tuple[Credential, ...]:
        """Every contract of the store, chain and key."""
        return self.credentials(Role.CONTRACT)

    @property
    def cps(self) -> Credential:
        """Chain and key of the provisioning service. Raises StoreError where there is none."""
        return self.credential(Role.CPS)

    def root_path(self, family: Anchor) -> Path:
        """The folder with the PEM files of a family of roots."""
        return self.path / "roots" / family.value

    def warnings(self, now: datetime) -> tuple[str, ...]:
        """One line for every credential that is out of date at `now` or soon will be."""
        found = []
        for role in Role:
            for credential in self.credentials(role):
                left = facts(credential.leaf).not_after - now
                if left < EXPIRES_SOON:
                    state = "has expired" if left.total_seconds() < 0 else f"expires in {left.days} days"
                    found.append(f"{credential.chain_path}: {credential.common_name} {state}")
        return tuple(found)

    def _again(self, role: Role, path: Path) -> Credential | StoreError:
        self._settle()
        try:
            return self._credential(role, path)
        except StoreError as error:
            return error

    # --- noticing changes ---

    def changed(self) -> bool:
        """Whether any file was replaced, added or removed since this store was opened or last reloaded; OCSP responses do not count."""
        return self._fingerprint() != self._seen

    def reload(self) -> None:
        """Forget what was read, so that files are read anew. Credentials that were returned before stay as they are."""
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
        """Write a root to the trusted roots of a family. Raises CertificateError(WRONG_PROFILE) for a certificate that is no root."""
        files = files_of_root(certificate, family, name)
        switch(self.path, files)
        self.reload()
        return self.path / next(iter(files))

    def save(self, role: Role, name: str, chain: Iterable[x509.Certificate], key: PrivateKey) -> Credential:
        """Write a credential to the store, key and chain in one step, so that they always belong to each other."""
        chain = tuple(chain)
        files = files_of(role, name, chain, key)
        switch(self.path, files)
        self.reload()
        chain_path, key_path, _ = (self.path / one for one in files)
        return Credential(role, name, chain, key, chain_path, key_path)

    def save_response(self, certificate: x509.Certificate, issuer: x509.Certificate, response: bytes) -> Path:
        """Write an OCSP response (DER) for a certificate to the store, unless a revocation there may not be replaced by it."""
        path, held = self.response_path(certificate, issuer), self.response(certificate, issuer)
        if held is None or outweighs(response, held, certificate, issuer):
            replace_file(path, response)
        return path

    def response(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
        """The OCSP response (DER) in the store for a certificate, read anew each time; None when there is none."""
        try:
            return self.response_path(certificate, issuer).read_bytes()
        except FileNotFoundError:
            return None

    def save_told(self, certificate: x509.Certificate, issuer: x509.Certificate, told: Told) -> Path:
        """Write the word of a backend on a certificate to the store, in place of the one before."""
        path = self.response_path(certificate, issuer).with_suffix(TOLD)
        replace_file(path, json.dumps(asdict(told)).encode())
        return path

    def told(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Told | None:
        """The word of a backend in the store on a certificate, read anew each time; None when there is none.

        Raises CertificateError (STATUS_UNKNOWN) for a file that cannot be read as one: nobody knows what it said.
        """
        path = self.response_path(certificate, issuer).with_suffix(TOLD)
        try:
            said = json.loads(path.read_bytes())
            return Told(bool(said["revoked"]), str(said["by"]), float(said["at"]), float(said["until"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise CertificateError(Kind.STATUS_UNKNOWN, f"{path} cannot be read ({error!r}); take it away to have it asked anew") from None

    @property
    def crls(self) -> tuple[x509.CertificateRevocationList, ...]:
        """The revocation lists in the store."""
        found = []
        for path in sorted((self.path / "crl").glob("*.pem")):
            try:
                found.append(x509.load_pem_x509_crl(path.read_bytes()))
            except PARSE_ERRORS as error:
                raise StoreError(f"{path} holds no revocation list ({error}); fetch it anew or take the file away") from None
        return tuple(found)

    def response_path(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Path:
        """The path of the OCSP response for a certificate, which is named by OCSP's CertID."""
        name, key, serial = certificate_id(certificate, issuer, hashes.SHA256())
        return self.path / RESPONSES / f"{name.hex()[:16]}-{key.hex()[:32]}-{serial:x}.der"

    def _settle(self) -> None:
        """Finish what a writer had switched and was cut off in; whoever may not write reads what is in place."""
        with suppress(OSError):
            settle(self.path)

    # --- one file ---

    def _credential(self, role: Role, chain_path: Path) -> Credential:
        name = chain_path.name.removesuffix(".chain.pem")
        key_path = chain_path.with_name(f"{name}.key.uri")
        if not key_path.exists():
            key_path = chain_path.with_name(f"{name}.key.pem")
        chain, key = read_chain(chain_path), read_key(key_path)
        demand_readable(chain_path, chain)
        if not belongs(key, chain[0].public_key()):
            reason = f"{key_path} is not the key of the first certificate in {chain_path}"
            raise StoreError(f"{reason}; put the right key there, and the leaf first in the chain")
        served, remarks = in_order(chain)
        return Credential(role, name, served, key, chain_path, key_path, remarks)


def _or_raise(found: Iterable[Found | StoreError]) -> Iterator[Found]:
    for one in found:
        if isinstance(one, StoreError):
            raise one
        yield one


def create(path: str | os.PathLike[str], hierarchies: Iterable[Hierarchy], also: Mapping[str, File] | None = None) -> Store:
    """Write a store that holds everything issued, with its roots as trust anchors, so that one folder serves station and car.

    All files, with those of `also`, are written in one step: the store is made or replaced as a whole, or not at all.
    """
    files: dict[str, File] = dict(also or {})
    for hierarchy in hierarchies:
        for one in hierarchy.issued:
            files |= _files_of_issued(one)
    switch(Path(path), files)
    return Store(path)


def _files_of_issued(one: Issued) -> dict[str, File]:
    anchor = PROFILES[one.role].issuer is None and one.issuer is None
    role = Role.SECC if one.role is Role.PRIVATE_SECC else one.role
    name = f"private-{one.name}" if one.role is Role.PRIVATE_SECC else one.name
    root = files_of_root(one.certificate, ANCHOR_OF[one.role], one.name) if anchor else {}
    return root | files_of(role, name, one.chain, one.key)


def files_of_root(certificate: x509.Certificate, family: Anchor, name: str) -> dict[str, File]:
    """The file of a root, by its path in a store. Raises CertificateError(WRONG_PROFILE) for a certificate that is no root."""
    demand_root(certificate)
    return {f"roots/{family.value}/{safe_name(name)}.pem": File(certificate.public_bytes(serialization.Encoding.PEM), FILE_MODE)}


def files_of(role: Role, name: str, chain: Sequence[x509.Certificate], key: PrivateKey) -> dict[str, File]:
    """The files of a credential, by their paths in a store: chain and key; and the deletion of a key of the other kind (file or URI)."""
    if not belongs(key, chain[0].public_key()):
        raise StoreError(f"the key given for {role.value} {name} does not belong to its certificate")
    stem = f"{role.value}/{safe_name(name)}"
    pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
    if isinstance(key, TokenKey):
        kept, other, secret = f"{stem}.key.uri", f"{stem}.key.pem", f"{key.place}\n".encode()
    else:
        kept, other = f"{stem}.key.pem", f"{stem}.key.uri"
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {f"{stem}.chain.pem": File(pem, FILE_MODE), kept: File(secret, KEY_MODE), other: File(None)}


def safe_name(name: str) -> str:
    """A name as one component of a path: an eMAID from a peer must not choose the folder of its file."""
    plain = "".join(character if character.isalnum() or character in "-_." else "_" for character in name).strip(".")
    if not plain:
        raise StoreError(f"{name!r} gives no file name")
    return plain[:120]


def demand_root(certificate: x509.Certificate) -> None:
    """Raise CertificateError(WRONG_PROFILE) unless this is a self-signed CA certificate."""
    fact = facts(certificate)
    if not fact.authority or fact.subject != fact.issuer:
        raise CertificateError(Kind.WRONG_PROFILE, f"{fact.name} is no root: a trust anchor is a self-signed CA certificate")
    if not directly_issued(certificate, certificate):
        raise CertificateError(Kind.BROKEN_CHAIN, f"{fact.name} names itself as issuer but is signed by another key")
