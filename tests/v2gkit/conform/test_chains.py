"""The chains that CRT judges: what RFC 5280 and OpenSSL say of the tables, and that no verifier is blamed for what is allowed."""

import asyncio
import itertools
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.issue import Hierarchy, build
from pki.plan import Plan
from pki.profiles import Role
from pki.store import create
from tests.conformance.harness import NOW
from tests.starved import again
from tests.v2gkit.conform.stations import Own, station
from v2g.iso2.generation import ISO2
from v2gkit.authorities.broken import VARIANTS, Bench, Chain
from v2gkit.conform.cases.iso2_contract import unbelieved
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.chains import open_ones, refused, sound, unfit
from v2gkit.conform.verdict import Verdict
from v2gkit.conform.wire import Reply

JUDGED = [(role, False) for role in (Role.SECC, Role.VEHICLE, Role.CONTRACT, Role.PROVISIONING)] + [
    (Role.SECC, True),
    (Role.CONTRACT, True),
]
ROOTS = {Role.SECC: Role.V2G_ROOT, Role.VEHICLE: Role.OEM_ROOT, Role.PROVISIONING: Role.OEM_ROOT, Role.CONTRACT: Role.MO_ROOT}


@cache
def hierarchy() -> Hierarchy:
    return build(Plan(), "secp256r1", NOW)


def chain(role: Role, name: str) -> Chain:
    return next(each for each in VARIANTS if each.name == name).chain(Bench(hierarchy(), role, NOW))


@pytest.mark.parametrize(("role", "older"), JUDGED)
def test_what_must_be_taken_is_a_path(role: Role, older: bool) -> None:
    for name in sound(role, older):
        shown = chain(role, name)
        path = [x509.load_der_x509_certificate(each) for each in shown]
        assert len(set(shown)) == len(shown), name  # no certificate more than once (RFC 5280, 6.1)
        for below, above in itertools.pairwise(path):
            below.verify_directly_issued_by(above)


@pytest.mark.parametrize(("role", "older"), JUDGED)
def test_a_chain_is_in_one_table(role: Role, older: bool) -> None:
    tables = [sound(role, older), refused(role, older), unfit(role, older), open_ones(role, older)]
    assert all(tables)
    assert len({name for table in tables for name in table}) == sum(map(len, tables))
    assert "doubled-end" in tables[-1]


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("role", ROOTS)
def test_openssl_says_of_a_path_what_the_tables_say(role: Role, tmp_path: Path) -> None:
    (tmp_path / "roots").write_bytes(hierarchy()[ROOTS[role]].certificate.public_bytes(Encoding.PEM))
    verdicts = {name: taken(tmp_path, chain(role, name)) for name in (*sound(role), *refused(role))}
    assert verdicts == dict.fromkeys(sound(role), True) | dict.fromkeys(refused(role), False)


def taken(folder: Path, shown: Chain) -> bool:
    """Whether `openssl verify` takes a chain below the roots in a folder."""
    leaf, *above = (x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in shown)
    (folder / "leaf").write_bytes(leaf)
    (folder / "above").write_bytes(b"".join(above))
    command = ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-CAfile", "roots"]
    done = subprocess.run([*command, *(["-untrusted", "above"] if above else []), "leaf"], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0


class Gone:
    """A station of -2 that ends the connection where it is shown a contract, or answers with octets that are no message."""

    generation, wallet = ISO2, None

    def __init__(self, reply: Reply):
        self.reply = reply

    async def at2(self, step: str, **_: object) -> "Gone":
        return self

    async def ask(self, message: object) -> Reply:
        return self.reply


@pytest.mark.parametrize(
    ("reply", "closes", "verdict"),
    [
        (Reply("closed", 0.1, how="closed in order"), True, Verdict.PASS),
        (Reply("closed", 0.1, how="closed in order"), False, Verdict.FAIL),
        (Reply("garbage", 0.1, how="no message"), True, Verdict.FAIL),
        (Reply("silence", 2.0), True, Verdict.FAIL),
    ],
)
def test_who_ends_the_connection_has_not_believed_a_contract(reply: Reply, closes: bool, verdict: Verdict) -> None:
    bench: Any = Gone(reply)
    assert asyncio.run(unbelieved(bench, lambda _: None, closes=closes)).verdict is verdict  # type: ignore[arg-type, return-value]


@again
def test_cars_offer_what_a_station_on_another_curve_takes(tmp_path: Path) -> None:
    """Without the profile nobody could say what a station on P-256 makes of chains: no handshake would come so far."""
    certs = tmp_path / "p256"
    create(certs, [build(Plan(), "secp256r1", NOW)])
    parts = {"S-CRT-01": "good", "S-CRT-02": "expired"}
    cases = [replace(catalogue()[each], parts=(part,)) for each, part in parts.items()]
    with station(tmp_path, certs, outlets=1, more='profile = "interop"') as outlets:
        found = {
            profile: {each.id: each.verdict for each in Own(outlets, certs, profile=profile).judged(cases).values()}
            for profile in ("conformance", "interop")
        }
    assert found["interop"] == dict.fromkeys(parts, Verdict.PASS)
    assert found["conformance"] == {"S-CRT-01": Verdict.FAIL, "S-CRT-02": Verdict.INCONCLUSIVE}  # who refuses everybody proves nothing
