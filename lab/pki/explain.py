"""`v2g sign explain`: one signed message, step by step: what was digested, what was signed, by whom, and whether it holds."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from lab.output import put
from pki import provisioning2
from pki import signature as xmldsig
from pki.certificate import facts, read
from pki.chains import octets_of
from pki.errors import CertificateError, SignatureError, StoreError
from pki.profiles import INTEROP, ISO2, ISO20, Role
from pki.signature import Element, Step
from pki.store import Store, read_chain
from pki.tariff import price_schedules
from pki.verify import verify
from v2g.exi.codec import decode
from v2g.exi.errors import DecodeError
from v2g.legible import legible
from v2g.messages import common_messages as cm
from v2g.messages import schema_set
from v2g.messages.iso2 import msg_body as body2

EXPLAIN = """one signed message, step by step
  v2g sign explain authorization.exi --store certs
  v2g sign explain 8004... --set common --profile interop
  v2g sign explain metering.exi --certificate contract.pem --json"""
LIMIT = 65_536  # octets of a message


@dataclass(frozen=True, slots=True)
class Signed:
    """Where a message keeps what is signed, and whose chain it carries; without one the certificate has to be given."""

    elements: Callable[[Any], Sequence[Element]]
    chain: Callable[[Any], tuple[bytes, ...]] | None = None
    role: Role | None = None


KINDS: dict[type, Signed] = {
    cm.AuthorizationReq: Signed(
        lambda m: [m.PnC_AReqAuthorizationMode], lambda m: octets_of(m.PnC_AReqAuthorizationMode.ContractCertificateChain), Role.CONTRACT
    ),
    cm.CertificateInstallationReq: Signed(
        lambda m: [m.OEMProvisioningCertificateChain], lambda m: octets_of(m.OEMProvisioningCertificateChain), Role.PROVISIONING
    ),
    cm.CertificateInstallationRes: Signed(lambda m: [m.SignedInstallationData], lambda m: octets_of(m.CPSCertificateChain), Role.CPS),
    cm.MeteringConfirmationReq: Signed(lambda m: [m.SignedMeteringData]),
    cm.ScheduleExchangeRes: Signed(lambda m: tuple(price_schedules(m))),
    body2.AuthorizationReq: Signed(lambda m: [m]),
    body2.MeteringReceiptReq: Signed(lambda m: [m]),
    body2.CertificateInstallationReq: Signed(lambda m: [m], lambda m: (m.OEMProvisioningCert,), Role.PROVISIONING),
    body2.CertificateUpdateReq: Signed(lambda m: [m], lambda m: octets_of(m.ContractSignatureCertChain), Role.CONTRACT),
    body2.CertificateInstallationRes: Signed(provisioning2.signed_parts, lambda m: octets_of(m.SAProvisioningCertificateChain), Role.CPS),
    body2.CertificateUpdateRes: Signed(provisioning2.signed_parts, lambda m: octets_of(m.SAProvisioningCertificateChain), Role.CPS),
}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("message", help="EXI: a file, hex, or - for standard input")
    parser.add_argument("--set", default=None, choices=["common", "iso2"], help="schema set; default: whichever reads it")
    parser.add_argument("--certificate", type=Path, help="PEM of who signed, where the message does not say")
    parser.add_argument("--store", type=Path, help="whose roots are trusted; without it the chain is not judged")
    parser.add_argument("--profile", default="conformance", choices=["conformance", "interop"])


def run(given: argparse.Namespace) -> int:
    octets = _octets(given.message)
    name, message, signature = _read(octets, given.set)
    kind = KINDS.get(type(message))
    if kind is None:
        known = ", ".join(sorted({one.__name__ for one in KINDS}))
        raise StoreError(f"{type(message).__name__} is not signed in ISO 15118; these are: {known}")
    chain = _chain(given, kind, message)
    leaf = facts(read(chain[0]))
    suites = xmldsig.INTEROP if given.profile == "interop" else xmldsig.ISO2 if name == "iso2" else xmldsig.ISO20
    public: Any = leaf.public_key
    steps, error = xmldsig.explain(signature, kind.elements(message), public, schema_set(name), suites=suites)
    judged = _judged(given, kind, chain, name)
    holds = error is None and not judged.startswith("refused")
    if given.json:
        put(json.dumps(_json(type(message).__name__, leaf.name, steps, error, judged, holds)))
    else:
        _print(type(message).__name__, leaf.name, steps, error, judged)
    return 0 if holds else 1


def _octets(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read(LIMIT)
    try:
        return bytes.fromhex(text)
    except ValueError:
        content = Path(text).read_bytes()[:LIMIT]
    try:
        return bytes.fromhex(content.decode("ascii").strip())  # a file may hold hex as well
    except ValueError:
        return content


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


def _chain(given: argparse.Namespace, kind: Signed, message: Any) -> tuple[bytes, ...]:
    if given.certificate:
        return tuple(one.public_bytes(Encoding.DER) for one in read_chain(given.certificate))
    if kind.chain is None:
        raise StoreError(f"{type(message).__name__} does not say who signed it; give --certificate")
    return kind.chain(message)


def _judged(given: argparse.Namespace, kind: Signed, chain: tuple[bytes, ...], name: str) -> str:
    if not given.store or kind.role is None:
        return "not judged: no --store" if kind.role else "not judged: the message carries no chain"
    rules = INTEROP if given.profile == "interop" else ISO2 if name == "iso2" else ISO20
    try:
        proof = verify(chain, kind.role, Store(given.store).anchors, datetime.now(UTC), rules=rules)
    except CertificateError as error:
        return f"refused as {kind.role.value}: {error}"
    return f"accepted as {kind.role.value}, under {facts(proof.anchor).name}"


def _print(name: str, signer: str, steps: Sequence[Step], error: SignatureError | None, judged: str) -> None:
    put(f"{name}, signed by {legible(signer)}")
    for number, step in enumerate(steps, 1):
        put(f"{number:3} {step.name}: {legible(step.detail)}")
        for line in range(0, len(step.octets), 48):
            put(f"      {step.octets[line : line + 48].hex()}")
    put(f"chain: {legible(judged)}")
    put(f"refused: {legible(error)}" if error else "the signature holds")


def _json(name: str, signer: str, steps: Sequence[Step], error: SignatureError | None, judged: str, holds: bool) -> dict[str, Any]:
    return {
        "message": name,
        "signer": signer,
        "steps": [{"step": step.name, "detail": step.detail, "octets": step.octets.hex()} for step in steps],
        "error": str(error) if error else None,
        "flaw": error.flaw.value if error else None,
        "chain": judged,
        "holds": holds,
    }
