"""An OCSP question among many certificates: the answer with its signature, against the signature alone."""

import base64
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from pki import keys
from pki.issue import build
from pki.keys import ALGORITHMS
from pki.plan import Names, Plan
from pki.profiles import PROFILES, Role
from pki.request import request
from pki.status import request as ocsp_request
from pki.store import create
from v2gkit.authorities.office import Office

QUESTIONS = 300


def run() -> None:
    """Print the CPU time per question with 10, 1,000 and 10,000 certificates on record."""
    now = datetime.now(UTC)
    for count in (10, 1_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            store = create(folder, [build(Plan(), "secp521r1", now)])
            office, authority = Office(store), store.credential(Role.CPO_SUB2)
            key = ALGORITHMS["secp521r1"].generate()
            leaf = office.sign(request(PROFILES[Role.SECC], Names(), key), Role.SECC, authority, now)[0]
            _fill(store.path / "issued", leaf.public_bytes(Encoding.DER), leaf.serial_number, count)
            time.sleep(0.3)
            der = ocsp_request(leaf, authority.leaf)
            began = time.process_time()
            office.answer(der, now)
            first = time.process_time() - began
            answer, signature = _each(partial(office.answer, der, now)), _each(partial(keys.sign, key, bytes(300)))
            print(
                f"{count:6} certificates: {answer * 1e3:.2f} ms an answer, as {answer / signature:.1f} signatures; the first {first:.2f} s"
            )


def _each(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(QUESTIONS):
        work()
    return (time.process_time() - began) / QUESTIONS


def _fill(folder: Path, der: bytes, serial: int, count: int) -> None:
    """Certificates that differ in their serial numbers alone."""
    length = (serial.bit_length() + 8) // 8
    for number in range(count):
        other = int.from_bytes(b"\x11" * length, "big") + number
        octets = der.replace(serial.to_bytes(length, "big"), other.to_bytes(length, "big"), 1)
        pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(octets) + b"-----END CERTIFICATE-----\n"
        (folder / f"{other:x}.pem").write_bytes(pem)
