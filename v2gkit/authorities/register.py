"""The register of an `Office`: which CA issued which serial number, and which it revoked. Files are read once, later only new ones.

A question costs a look at a few folders and one signature, however many certificates there are: a folder that did not change is not listed,
a file that is known is not read.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from pki.certificate import PARSE_ERRORS, directly_issued
from pki.errors import StoreError
from pki.profiles import PROFILES, Role
from pki.status import DIGESTS, Lookup, Responder, Revocation, answer
from pki.store import Credential, Store, read_chain

AUTHORITIES: Final = tuple(role for role, profile in PROFILES.items() if profile.authority)
A_DAY: Final = timedelta(days=1)
SETTLED: Final = 10**8  # ns after which what seems unchanged is: two changes within a tick of the system's clock bear the same time
ISSUED: Final = "issued"
REVOKED: Final = "revoked.jsonl"

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _Folder:
    """A folder as it was when it was listed."""

    stamp: Stamp | None  # None: it is not there, or has changed so lately that it must be looked at again
    files: dict[str, Stamp] = field(default_factory=dict)


class Register:
    """The certificates that the CAs of a store issued and revoked. It may be asked from several threads."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.files_read = 0  # since it was made; for those who doubt that it is an index
        self._lock = threading.RLock()
        self._folders: dict[Path, _Folder] = {}
        self._known: dict[str, set[int]] = {}  # by `name_of` the authority
        self._files: dict[Path, list[tuple[str, int]]] = {}  # what each file told
        self._revoked: dict[str, dict[int, Revocation]] = {}
        self._record: Stamp | None = None
        self._authorities: tuple[Credential, ...] | None = None
        self._by_hash: dict[tuple[str, bytes, bytes], Responder] = {}

    # --- asking ---

    def authorities(self) -> tuple[Credential, ...]:
        """Every authority whose key the store holds."""
        with self._lock:
            self._refresh()
            return self._own()

    def known(self, authority: x509.Certificate) -> set[int]:
        """The serial numbers of all certificates in the store that a CA issued."""
        with self._lock:
            self._refresh()
            return set(self._known.get(name_of(authority), ()))

    def revoked(self, authority: x509.Certificate) -> dict[int, Revocation]:
        """The revocations of a CA by serial number."""
        with self._lock:
            self._refresh()
            return dict(self._revoked.get(name_of(authority), {}))

    def lookup(self, authority: x509.Certificate) -> Lookup:
        """A function that gives what a CA knows of a serial number at the moment of the call."""
        name = name_of(authority)

        def lookup(serial: int) -> Any:
            with self._lock:
                self._refresh()
                return self._revoked.get(name, {}).get(serial) or ("good" if serial in self._known.get(name, ()) else "unknown")

        return lookup

    def responder(self, authority: Credential, validity: timedelta = A_DAY) -> Responder:
        """The OCSP responder for a CA: with the certificate it delegated, else with the CA's own."""
        with self._lock:
            self._refresh()
            signer = next((one for one in self.store.credentials(Role.OCSP) if issued_by(one.leaf, authority.leaf)), authority)
        return Responder(authority.leaf, signer.leaf, signer.key, self.lookup(authority.leaf), validity)

    def answer(self, der: bytes, now: datetime) -> bytes:
        """The OCSPResponse (DER) to any octets, at the time `now`."""
        try:
            asked = ocsp.load_der_ocsp_request(der)
            key = asked.hash_algorithm.name, asked.issuer_name_hash, asked.issuer_key_hash
        except (*PARSE_ERRORS, NotImplementedError):
            return answer((), der, now)
        with self._lock:
            self._refresh()
            if not self._by_hash:
                speaking = [self.responder(authority) for authority in self._own()]
                self._by_hash = {(name, *one.named(name)): one for one in speaking for name in DIGESTS}
            responder = self._by_hash.get(key)
        return answer(() if responder is None else (responder,), der, now)

    # --- keeping up with the files ---

    def _own(self) -> tuple[Credential, ...]:
        if self._authorities is None:
            self._authorities = tuple(one for role in AUTHORITIES for one in self.store.credentials(role))
        return self._authorities

    def _refresh(self) -> None:
        """Read what has changed since the last look. Raises StoreError for a store that is being changed; then all is read anew."""
        try:
            self._read()
        except BaseException:
            self._folders.clear()
            raise

    def _read(self) -> None:
        roles = [self.store.path / role.value for role in Role]
        changed = [self._listed(folder, ".chain.pem") for folder in roles]
        if any(changed):
            self.store.reload()
            self._authorities = None
            self._by_hash.clear()
            self._files.clear()
            self._known.clear()
            self._folders.pop(self.store.path / ISSUED, None)
            for folder in roles:
                self._learn(folder, self._folders[folder].files)
        issued = self.store.path / ISSUED
        before = self._folders.get(issued)
        if self._listed(issued, ".pem", replaced=False):  # a serial number is one certificate
            old, new = before.files.keys() if before is not None else set(), self._folders[issued].files.keys()
            for gone in old - new:
                self._forget(issued / gone)
            self._learn(issued, sorted(new - old))
        self._read_record()

    def _listed(self, folder: Path, ending: str, *, replaced: bool = True) -> bool:
        """List a folder anew where it may have changed; whether it had. `replaced`: a file of the same name may be another."""
        stamp, kept = _stamp(folder), self._folders.get(folder)
        if kept is not None and stamp is not None and kept.stamp == stamp:
            return False
        files: dict[str, Stamp] = {}
        if stamp is not None:
            with os.scandir(folder) as entries:
                found = [each for each in entries if each.name.endswith(ending) and not each.name.startswith(".")]
                files = {each.name: _stamp_of(each.stat()) if replaced else (0, 0, 0) for each in found}
        self._folders[folder] = _Folder(stamp if _settled(stamp) else None, files)
        return kept is None or kept.files != files

    def _learn(self, folder: Path, names: Any) -> None:
        own = self._own()
        for name in names:
            path = folder / name
            try:
                chain = read_chain(path)
            except StoreError:
                continue  # on its way out, or no certificate; `v2g doctor` says so
            self.files_read += 1
            told = [(name_of(one.leaf), each.serial_number) for each in chain for one in own if _issued(each, one.leaf)]
            self._files[path] = told
            for authority, serial in told:
                self._known.setdefault(authority, set()).add(serial)

    def _forget(self, path: Path) -> None:
        for authority, serial in self._files.pop(path, ()):
            self._known[authority].discard(serial)

    def _read_record(self) -> None:
        stamp = _stamp(self.store.path / REVOKED)
        if stamp == self._record and stamp is not None:
            return
        self._revoked = {}
        for line in lines_of(self.store):
            entry = json.loads(line)
            revocation = Revocation(datetime.fromisoformat(entry["at"]), entry["reason"])
            self._revoked.setdefault(entry["authority"], {})[int(entry["serial"], 16)] = revocation
        self._record = stamp if _settled(stamp) else None


def lines_of(store: Store) -> Iterator[bytes]:
    """The lines of the file of revocations, one for each."""
    path = store.path / REVOKED
    yield from path.read_bytes().splitlines(keepends=True) if path.exists() else ()


def name_of(authority: x509.Certificate) -> str:
    """The name of a CA in the register: made of its key, since all its certificates, cross certificates too, share one register."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()).digest)
    return digest.finalize().hex()


def issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether a certificate names `authority` as issuer and is signed by its key."""
    return certificate.issuer == authority.subject and directly_issued(certificate, authority)


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """The same of a file of our own store: where it names its authority's key, that is taken for the signature, which is 2 ms to verify."""
    if certificate.issuer != authority.subject:
        return False
    try:
        named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, *PARSE_ERRORS):
        return directly_issued(certificate, authority)
    return named == own


def _settled(stamp: Stamp | None) -> bool:
    return stamp is not None and time.time_ns() - stamp[0] >= SETTLED


def _stamp(path: Path) -> Stamp | None:
    try:
        return _stamp_of(path.stat())
    except OSError:
        return None


def _stamp_of(stat: os.stat_result) -> Stamp:
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
