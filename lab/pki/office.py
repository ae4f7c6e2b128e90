"""The authorities of a store with their memory: whom they issued, whom they revoked. They sign requests, lists and responses.

Kept in the store: `issued/SERIAL.pem` for what was signed on request, `revoked.jsonl` with one line per revocation.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import directly_issued
from pki.errors import StoreError
from pki.files import replace as replace_file
from pki.issue import issue
from pki.plan import Names, Plan
from pki.profiles import PROFILES, Role
from pki.request import demand_sound
from pki.status import Lookup, Responder, Revocation, revocation_list
from pki.store import Credential, Store, read_chain

AUTHORITIES = tuple(role for role, profile in PROFILES.items() if profile.authority)
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Office:
    """All authorities whose keys a store holds."""

    store: Store

    @property
    def names(self) -> Names:
        """The names of the plan the store was built by: where revocation is answered, above all."""
        path = self.store.path / "plan.json"
        return msgspec.json.decode(path.read_bytes(), type=Plan).names if path.exists() else Names()

    # --- who is there ---

    def authorities(self) -> Iterator[Credential]:
        for role in AUTHORITIES:
            yield from self.store.credentials(role)

    def issuer_of(self, certificate: x509.Certificate) -> Credential:
        """The authority that signed a certificate. Raises StoreError."""
        for found in self.authorities():
            if _issued_by(certificate, found.leaf):
                return found
        raise StoreError(f"no authority in {self.store.path} issued {certificate.subject.rfc4514_string()}")

    # --- signing requests ---

    def sign(
        self,
        request: x509.CertificateSigningRequest,
        role: Role,
        by: Credential,
        now: datetime,
        *,
        validity: timedelta | None = None,
        names: Names | None = None,
    ) -> tuple[x509.Certificate, ...]:
        """The chain for a request. Its key and its name are granted, all else is by the row of the role: the table says what a role may do.

        Raises CertificateError for a request that is not sound, or whose name does not fit the role.
        """
        key: Any = demand_sound(request, PROFILES[role], by.key)
        certificate = issue(PROFILES[role], by, names or self.names, key, now, validity=validity, subject=request.subject)
        path = self.store.path / "issued" / f"{certificate.serial_number:x}.pem"
        replace_file(path, certificate.public_bytes(Encoding.PEM))
        return (certificate, *_above(by))

    # --- revoking ---

    def revoke(self, certificate: x509.Certificate, at: datetime, reason: str = "unspecified") -> Credential:
        """Remember a revocation; gives the authority that now says so. Raises StoreError for a certificate of nobody here."""
        authority = self.issuer_of(certificate)
        entry = {"authority": _name(authority.leaf), "serial": f"{certificate.serial_number:x}", "at": at.isoformat(), "reason": reason}
        replace_file(self._record, b"".join((*self._lines(), json.dumps(entry).encode() + b"\n")))
        return authority

    def revoked(self, authority: x509.Certificate) -> dict[int, Revocation]:
        """Serial numbers an authority revoked, with when and why."""
        entries = [json.loads(line) for line in self._lines()]
        return {
            int(entry["serial"], 16): Revocation(datetime.fromisoformat(entry["at"]), entry["reason"])
            for entry in entries
            if entry["authority"] == _name(authority)
        }

    def known(self, authority: x509.Certificate) -> set[int]:
        """Serial numbers of everything in the store that an authority issued."""
        files = [*self.store.path.rglob("*.chain.pem"), *(self.store.path / "issued").glob("*.pem")]
        return {one.serial_number for path in files for one in read_chain(path) if _issued_by(one, authority)}

    @property
    def _record(self) -> Path:
        return self.store.path / "revoked.jsonl"

    def _lines(self) -> list[bytes]:
        return self._record.read_bytes().splitlines(keepends=True) if self._record.exists() else []

    # --- speaking of it ---

    def responder(self, authority: Credential, validity: timedelta = A_DAY) -> Responder:
        """An authority's voice for OCSP: the responder it delegated, else itself. It reads its memory anew for every question."""
        signer = next((one for one in self.store.credentials(Role.OCSP) if _issued_by(one.leaf, authority.leaf)), authority)
        return Responder(authority.leaf, signer.leaf, signer.key, self._lookup(authority.leaf), validity)

    def responders(self) -> list[Responder]:
        return [self.responder(authority) for authority in self.authorities()]

    def crl(self, authority: Credential, now: datetime) -> x509.CertificateRevocationList:
        return revocation_list(authority.leaf, authority.key, self.revoked(authority.leaf), now)

    def staples(self, chain: tuple[x509.Certificate, ...], now: datetime, validity: timedelta = A_DAY) -> tuple[bytes, ...]:
        """The OCSP responses a station staples, one per certificate of its chain [V2G20-2388]."""
        return tuple(self.responder(self.issuer_of(one), validity).staple(one, now) for one in chain)

    def staple(self, now: datetime, validity: timedelta = A_DAY) -> int:
        """Put the responses for every station certificate, and the authorities above it, into the store; gives their number."""
        above = {one: None for credential in self.store.credentials(Role.SECC) for one in credential.chain}
        for certificate in above:
            issuer = self.issuer_of(certificate)
            self.store.save_response(certificate, issuer.leaf, self.responder(issuer, validity).staple(certificate, now))
        return len(above)

    def _lookup(self, authority: x509.Certificate) -> Lookup:
        def lookup(serial: int) -> Any:
            return self.revoked(authority).get(serial) or ("good" if serial in self.known(authority) else "unknown")

        return lookup


def _above(by: Credential) -> tuple[x509.Certificate, ...]:
    """What stands between a new leaf and its root."""
    return () if by.leaf.subject == by.leaf.issuer else by.chain


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    return certificate.issuer == authority.subject and directly_issued(certificate, authority)


def _name(authority: x509.Certificate) -> str:
    """An authority by its key: its certificates, cross certificates among them, share one memory."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()).digest)
    return digest.finalize().hex()
