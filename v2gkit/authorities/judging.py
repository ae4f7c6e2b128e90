"""Verifies a certificate chain in files, by the roots, revocation lists and OCSP responses that are named."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pki.errors import CertificateError, StoreError
from pki.profiles import PROFILES, Role, Rules
from pki.status import check
from pki.status_book import Silence, StatusBook, by_records
from pki.store import Store, read_chain
from pki.verify import Anchors, Finding, Status, explain, verify


def verify_files(
    files: Sequence[Path],
    role: Role,
    rules: Rules,
    at: datetime,
    *,
    store: Path | None = None,
    roots: Sequence[Path] = (),
    revocation: str = "known",
    responses: Sequence[Path] = (),
) -> tuple[tuple[Finding, ...], CertificateError | None, tuple[str, ...]]:
    """Verify a chain: every check with its outcome, the error that refuses the chain (None: accepted), and remarks about it.

    `store` and `roots` are the trust anchors, `responses` OCSP responses in the order of the chain; `revocation` is off, known or strict.
    Raises StoreError for files that cannot be read, and where there is no trust anchor.
    """
    chain = [octets for path in files for octets in _octets(path)]
    anchors, status = _anchors(role, store, roots), _status(chain, store, revocation, responses)
    findings = explain(chain, role, anchors, at, rules=rules, status=status)
    try:
        return findings, None, verify(chain, role, anchors, at, rules=rules, status=status).warnings
    except CertificateError as refused:
        return findings, refused, ()


def _octets(path: Path) -> list[bytes]:
    """DER of the certificates in a file; a file that is no PEM is taken for one DER certificate, whatever it holds."""
    if b"-----BEGIN" not in (content := path.read_bytes()):
        return [content]
    return [one.public_bytes(serialization.Encoding.DER) for one in read_chain(path)]


def _status(chain: Sequence[bytes], store: Path | None, revocation: str, responses: Sequence[Path]) -> Status | None:
    if revocation == "off":
        return None
    silence = Silence.REFUSES if revocation == "strict" else Silence.PASSES
    known = by_records(Store(store), silence) if store else StatusBook(silence).status
    stapled = dict(zip(chain, [path.read_bytes() for path in responses], strict=False))

    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        response = stapled.get(certificate.public_bytes(serialization.Encoding.DER))
        if response is None:
            return known(certificate, issuer, now)
        check(response, certificate, issuer, now)  # what is stapled must prove it [V2G20-2413]
        return None

    return status


def _anchors(role: Role, store: Path | None, roots: Sequence[Path]) -> Anchors:
    given = tuple(root for path in roots for root in read_chain(path))
    held = Store(store).anchors if store else Anchors()
    if not given and not store:
        raise StoreError("no trust anchors: name a --store or a --root")
    return Anchors(**{family.value: held.of(family) + given for family in PROFILES[role].anchors})
