"""Signed meter values: what pyocmf and a package of npm say of the same records, and what hostile records do."""

import importlib.util
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from secc.ocmf import signed
from secc.station import MeterReading, SignedReading
from v2gkit.peers.referees_setup import OCMF, missing_npm, npm_of
from v2gkit.revenue.ocmf import MOST_OCTETS, read

INTEROP = Path(__file__).parents[3] / ".interop"
T = 1_790_000_100.0
KEY = ec.derive_private_key(7, ec.SECP256R1())
STRANGER = signed(MeterReading("M1", 0.0, 0.0, T), ec.derive_private_key(8, ec.SECP256R1()), 1).public_key
pytestmark = pytest.mark.skipif(importlib.util.find_spec("pyocmf") is None, reason="pyocmf is not installed: pip install v2gkit[ocmf]")


def record(imported: float = 14_183.0, exported: float = 250.0) -> SignedReading:
    return signed(MeterReading("V2G-7", imported, exported, T), KEY, 3)


def proven(octets: bytes, key: bytes) -> bool:
    """Whether the record is read and proven; no error but ValueError, and none of a page's length, may come of it."""
    try:
        return read(octets, key).verified
    except ValueError as error:
        if len(str(error)) > 400:
            raise
        return False


def bent() -> dict[str, SignedReading]:
    """Records that are no proof, by name."""
    good = record()
    text = good.record.decode()
    return {
        "a digit": replace(good, record=text.replace("14.183", "14.184").encode()),
        "the time": replace(good, record=text.replace("2026-09", "2026-10", 1).encode()),
        "the key": replace(good, public_key=STRANGER),
        "a blank": replace(good, record=text.replace('"FV":', '"FV": ', 1).encode()),
        "the signature": replace(good, record=text[:-6].encode() + b"00" + text[-4:].encode()),
    }


def test_registers_meter_and_time_are_read_and_the_signature_holds() -> None:
    good = record()
    value = read(good.record, good.public_key, trusted=True)
    assert value.verified
    assert value.trusted
    assert value.meter == "V2G-7"
    assert value.registers == ("export", "import")
    assert [(one.at, one.imported, one.exported) for one in value.readings] == [(T, 14_183.0, 250.0)]
    assert value.problems == ()
    assert not read(good.record).verified  # nobody's key proves nothing
    assert read(good.record, good.public_key).trusted is False


@pytest.mark.parametrize("name", sorted(bent()))
def test_what_was_changed_by_one_character_is_no_proof(name: str) -> None:
    bad = bent()[name]
    assert bad != record()
    assert not proven(bad.record, bad.public_key)


@pytest.mark.skipif(bool(missing_npm(INTEROP)), reason=missing_npm(INTEROP) or "-")
def test_a_verifier_that_nobody_here_wrote_says_the_same() -> None:
    asked = {"good": record(), "other": record(108_814.0, 0.0), **bent()}
    lines = "".join(json.dumps({"record": one.record.decode(), "key": one.public_key.hex()}) + "\n" for one in asked.values())
    done = subprocess.run(["node", OCMF, npm_of(INTEROP)], input=lines, capture_output=True, text=True, check=True)
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["verified"] for one in theirs] == [True, True] + [False] * len(bent())
    for one, said in list(zip(asked.values(), theirs, strict=True))[:2]:
        ours = read(one.record, one.public_key)
        assert ours.verified
        assert said["registers"] == [ours.readings[0].imported / 1000, ours.readings[0].exported / 1000]


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"OCMF|",
        b"OCMF|{}|{}",
        b"OCMF|" + b"[" * 20_000 + b"|{}",
        b"\xff\xfe",
        b"4f434d46",
        b"x" * (MOST_OCTETS + 1),
        record().record.replace(b"14.183", b"1e999999"),
        record().record.replace(b"14.183", b"-1"),
        record().record.replace(b"14.183", b"NaN"),
        record().record.replace(b"kWh", b"mOhm"),
        record().record.replace(b'"RD":[', b'"RD":[' + b",".join([b'{"TM":"x"}'] * 900) + b","),
    ],
)
def test_a_hostile_record_is_one_error_or_no_proof(hostile: bytes) -> None:
    assert not proven(hostile, record().public_key)
