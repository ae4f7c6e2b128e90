"""Runs every command of docs/pki.md, in order, in an empty directory."""

import json
import re
from pathlib import Path

import pytest

from tests.guides import ROOT, Guide

COOKBOOK = Guide((ROOT / "docs/pki.md").read_text())
FOREIGN = json.loads((ROOT / "tests/pki/data/iso15118-0.31.2.json").read_text())


def test_every_command_does_what_the_text_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("authorization.exi").write_bytes(bytes.fromhex(FOREIGN["authorization"]))
    COOKBOOK.follow()


def test_the_text_has_commands() -> None:
    assert len(COOKBOOK.commands) > 20
    named = set(re.findall(r"v2g pki (\w+)", COOKBOOK.text))
    assert named >= {
        "create",
        "verify",
        "show",
        "broken",
        "csr",
        "sign",
        "revoke",
        "crl",
        "ocsp",
        "status",
        "staple",
        "cps",
        "est",
        "renew",
    }
