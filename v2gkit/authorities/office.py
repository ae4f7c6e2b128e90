"""The CAs of a store at work: they sign requests, revocation lists and OCSP responses, and keep what they issued and revoked.

Kept in the store: `issued/SERIAL.pem` for what was signed on request, `revoked.jsonl` with one line per revocation.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import StoreError
from pki.files import replace as replace_file
from pki.issue import issue
from pki.plan import Names, Plan
from pki.profiles import PROFILES, Role
from pki.request import demand_sound
from pki.status import Responder, Revocation, revocation_list
from pki.status_book import Silence, by_records
from pki.store import Credential, Store
from v2gkit.authorities.register import A_DAY, REVOKED, Register, issued_by, lines_of, name_of


@dataclass(frozen=True, slots=True)
class Office:
    """All CAs whose keys a store holds, with their register of issued and revoked certificates."""

    store: Store
    register: Register = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "register", Register(self.store))

    @property
    def names(self) -> Names:
        """The names of the plan by which the store was built, with the URLs at which revocation is answered."""
        path = self.store.path / "plan.json"
        return msgspec.json.decode(path.read_bytes(), type=Plan).names if path.exists() else Names()

    # --- who is there ---

    def authorities(self) -> tuple[Credential, ...]:
        """Every authority whose key the store holds."""
        return self.register.authorities()

    def issuer_of(self, certificate: x509.Certificate) -> Credential:
        """The CA of this store that signed a certificate. Raises StoreError where none did."""
        for found in self.authorities():
            if issued_by(certificate, found.leaf):
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
        """Issue a certificate on request; its chain. Key and name are those of the request, everything else follows the role's profile.

        Raises CertificateError for a request with a wrong signature or key, or a name that does not fit the role.
        """
        key: Any = demand_sound(request, PROFILES[role], by.key)
        certificate = issue(PROFILES[role], by, names or self.names, key, now, validity=validity, subject=request.subject)
        path = self.store.path / "issued" / f"{certificate.serial_number:x}.pem"
        replace_file(path, certificate.public_bytes(Encoding.PEM))
        return (certificate, *_above(by))

    # --- revoking ---

    def revoke(self, certificate: x509.Certificate, at: datetime, reason: str = "unspecified") -> Credential:
        """Record the revocation of a certificate; returns the CA that issued it. Raises StoreError where none of this store did."""
        authority = self.issuer_of(certificate)
        entry = {"authority": name_of(authority.leaf), "serial": f"{certificate.serial_number:x}", "at": at.isoformat(), "reason": reason}
        replace_file(self._record, b"".join((*lines_of(self.store), json.dumps(entry).encode() + b"\n")))
        return authority

    def revoked(self, authority: x509.Certificate) -> dict[int, Revocation]:
        """The revocations of a CA by serial number."""
        return self.register.revoked(authority)

    def status(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        """Whether a certificate is revoked, for `pki.verify.verify`: by the register of these CAs, then by the store's OCSP responses."""
        found = self.revoked(issuer).get(certificate.serial_number)
        if found is not None:
            return f"revoked {found.at:%Y-%m-%d %H:%M} UTC, {found.reason}"
        return by_records(self.store, Silence.PASSES)(certificate, issuer, now)

    def known(self, authority: x509.Certificate) -> set[int]:
        """The serial numbers of all certificates in the store that a CA issued."""
        return self.register.known(authority)

    @property
    def _record(self) -> Path:
        return self.store.path / REVOKED

    # --- speaking of it ---

    def responder(self, authority: Credential, validity: timedelta = A_DAY) -> Responder:
        """The OCSP responder for a CA: with the certificate it delegated, else with the CA's own."""
        return self.register.responder(authority, validity)

    def answer(self, der: bytes, now: datetime) -> bytes:
        """The OCSPResponse (DER) to any octets, by the responder for the CA that they ask about."""
        return self.register.answer(der, now)

    def crl(self, authority: Credential, now: datetime) -> x509.CertificateRevocationList:
        """The revocation list of a CA at `now`, signed."""
        return revocation_list(authority.leaf, authority.key, self.revoked(authority.leaf), now)

    def staples(self, chain: tuple[x509.Certificate, ...], now: datetime, validity: timedelta = A_DAY) -> tuple[bytes, ...]:
        """The OCSP responses (DER) for a station to staple, one per certificate of its chain [V2G20-2388]."""
        return tuple(self.responder(self.issuer_of(one), validity).staple(one, now) for one in chain)

    def staple(self, now: datetime, validity: timedelta = A_DAY) -> int:
        """Write OCSP responses for every station certificate, and the CAs above it, into the store; returns how many."""
        above = {one: None for credential in self.store.credentials(Role.SECC) for one in credential.chain}
        for certificate in above:
            issuer = self.issuer_of(certificate)
            self.store.save_response(certificate, issuer.leaf, self.responder(issuer, validity).staple(certificate, now))
        return len(above)


def _above(by: Credential) -> tuple[x509.Certificate, ...]:
    """What stands between a new leaf and its root."""
    return () if by.leaf.subject == by.leaf.issuer else by.chain
