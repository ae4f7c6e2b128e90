"""Explains one signed message step by step: what was digested, what was signed, by whom, and whether the signature is valid."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from pki import signature as xmldsig
from pki.certificate import facts, read
from pki.errors import CertificateError, SignatureError, StoreError
from pki.profiles import INTEROP, ISO2, ISO20
from pki.signature import Step
from pki.signed import SIGNED, Signed
from pki.store import Store, read_chain
from pki.verify import verify
from v2g.exi.codec import decode
from v2g.exi.errors import DecodeError
from v2g.messages import schema_set

LIMIT = 65_536  # octets of a message


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one signed message; `chain` says in words what was found about the signer's certificates."""

    message: str
    signer: str
    steps: Sequence[Step]
    error: SignatureError | None
    chain: str

    @property
    def holds(self) -> bool:
        """Whether the signature is valid and the chain is not refused."""
        return self.error is None and not self.chain.startswith("refused")


def explain(octets: bytes, *, set: str | None, certificate: Path | None, store: Path | None, profile: str) -> Explanation:
    """Explain a signed message (EXI). `set` is its schema set, "common" or "iso2", None: whichever fits.

    `certificate` is the signer's, for a message without chain. Without `store` the chain is not verified. Raises StoreError for octets that
    are no message, or a message that is never signed.
    """
    name, message, signature = _read(octets, set)
    kind = SIGNED.get(type(message))
    if kind is None:
        known = ", ".join(sorted({one.__name__ for one in SIGNED}))
        raise StoreError(f"{type(message).__name__} is not signed in ISO 15118; these are: {known}")
    chain = _chain(certificate, kind, message)
    leaf = facts(read(chain[0]))
    suites = xmldsig.INTEROP if profile == "interop" else xmldsig.ISO2 if name == "iso2" else xmldsig.ISO20
    public: Any = leaf.public_key
    steps, error = xmldsig.explain(signature, kind.elements(message), public, schema_set(name), suites=suites)
    return Explanation(type(message).__name__, leaf.name, steps, error, _judged(store, profile, kind, chain, name))


def _read(octets: bytes, wanted: str | None) -> tuple[str, Any, Any]:
    """Name of the schema set, the message (the body, in -2), and its signature."""
    reasons = []
    for name in (wanted,) if wanted else ("common", "iso2"):
        try:
            message: Any = decode(octets, schema_set(name))
        except DecodeError as error:
            reasons.append(f"{name}: {error}")
            continue
        return name, message.Body.BodyElement if name == "iso2" else message, message.Header.Signature
    raise StoreError(f"no message of {' or '.join(reasons)}")


def _chain(certificate: Path | None, kind: Signed, message: Any) -> tuple[bytes, ...]:
    if certificate:
        return tuple(one.public_bytes(Encoding.DER) for one in read_chain(certificate))
    if kind.chain is None:
        raise StoreError(f"{type(message).__name__} does not say who signed it; give --certificate")
    return kind.chain(message)


def _judged(store: Path | None, profile: str, kind: Signed, chain: tuple[bytes, ...], name: str) -> str:
    if not store or kind.role is None:
        return "not judged: no --store" if kind.role else "not judged: the message carries no chain"
    rules = INTEROP if profile == "interop" else ISO2 if name == "iso2" else ISO20
    try:
        proof = verify(chain, kind.role, Store(store).anchors, datetime.now(UTC), rules=rules)
    except CertificateError as error:
        return f"refused as {kind.role.value}: {error}"
    return f"accepted as {kind.role.value}, under {facts(proof.anchor).name}"
