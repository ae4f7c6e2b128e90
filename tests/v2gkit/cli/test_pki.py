"""`v2g pki` and `v2g sign` as scripts use them: exit codes, one JSON document, one line of error."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from pki.errors import Kind
from pki.profiles import Role
from pki.store import Store
from v2gkit.authorities.broken import VARIANTS
from v2gkit.authorities.broken_form import ca_false, long_length, null_parameters
from v2gkit.authorities.broken_status import STATUS_VARIANTS
from v2gkit.cli.main import main
from v2gkit.station.staples import certificates

FOREIGN = json.loads((Path(__file__).parents[2] / "pki/data/iso15118-0.31.2.json").read_text())
COMMANDS = ["create", "verify", "show", "csr", "sign", "revoke", "crl", "staple", "broken", "ocsp", "status", "cps", "est", "renew"]


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "certs"
    assert main(["pki", "create", str(path)]) == 0
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> Any:
    assert main([*map(str, arguments), "--json"]) == code
    told = capsys.readouterr()
    assert told.err == ""
    return json.loads(told.out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 2) -> str:
    assert main([*map(str, arguments)]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith(f"v2g {arguments[0]} {arguments[1]}: ")
    return told.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pki", command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"v2g pki {command}" in shown.partition("examples:")[2]
    assert "exit codes: 0 well, 1" in shown
    assert "--json" in shown


def test_show_says_in_which_way_a_certificate_is_no_strict_der(certs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sub2 = Store(certs).credentials(Role.MO_SUB2)[0]
    contract = Store(certs).contract
    for form, said in (
        (ca_false, "a default value is written out"),
        (null_parameters, "NULL parameters"),
        (long_length, "a length in more"),
    ):
        text = base64.encodebytes(form(contract.leaf, sub2.key)).decode()
        (tmp_path / "x.pem").write_text(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
        assert main(["pki", "show", str(tmp_path / "x.pem"), "--json"]) == 0
        (shown,) = json.loads(capsys.readouterr().out)
        assert shown["form"].startswith(said)
        assert "CN=DEV2GC00000001G" in shown["subject"]
    assert main(["pki", "show", str(contract.chain_path), "--json"]) == 0
    assert {one["form"] for one in json.loads(capsys.readouterr().out)} == {""}


def test_a_created_store_is_complete(certs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(certs)
    assert {role for role in Role if store.credentials(role)} == set(Role) - {Role.PRIVATE_ROOT, Role.PRIVATE_SECC}
    assert all(store.response(one, issuer) for one, issuer in certificates(store))
    assert {stat.S_IMODE(path.stat().st_mode) for path in certs.rglob("*.key.pem")} == {0o600}
    assert "--force" in complaint(capsys, "pki", "create", certs)


def test_a_verdict_for_machines(certs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain = certs / "secc/secp521r1.chain.pem"
    good = answer(capsys, "pki", "verify", chain, "--role", "secc", "--store", certs, "--revocation", "strict")
    assert (good["verdict"], good["kind"], good["warnings"]) == ("accepted", None, [])
    assert all(finding["complaint"] is None for finding in good["findings"])
    bad = answer(capsys, "pki", "verify", chain, "--role", "vehicle", "--store", certs, code=1)
    assert (bad["verdict"], bad["kind"]) == ("refused", "wrong profile")
    assert next(finding["requirement"] for finding in bad["findings"] if finding["complaint"]) == "Annex B.8"
    late = answer(capsys, "pki", "verify", chain, "--role", "secc", "--store", certs, "--at", "2070-01-01", "--revocation", "off", code=1)
    assert late["kind"] == "expired"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_every_broken_chain_on_disk_reaches_its_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "pki", "broken", tmp_path, "--role", "contract", "--curve", "ed448")["chains"] > 40
    rows = json.loads((tmp_path / "broken/verdicts.json").read_text())
    names = {variant.name for variant in VARIANTS if Role.CONTRACT in variant.roles}
    assert {row["name"] for row in rows} == names | {f"status-{variant.name}" for variant in STATUS_VARIANTS}
    for row in rows:
        files = [tmp_path / "broken/contract" / row["name"] / f"{depth}.der" for depth in range(row["certificates"])]
        wanted = row["verdict"]
        stapled = ["--response", files[0].with_name(row["response"])] if "response" in row else []
        code = 0 if wanted == "accepted" else 1
        verdict = answer(capsys, "pki", "verify", *files, *stapled, "--role", "contract", "--store", tmp_path, code=code)
        assert (verdict["kind"] or verdict["verdict"]) == wanted
    assert {row["verdict"] for row in rows} >= {kind.value for kind in Kind}


def test_what_is_wrong_is_one_line(certs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain, nowhere = certs / "secc/secp521r1.chain.pem", tmp_path / "none"
    assert "nothing to show" in complaint(capsys, "pki", "show")
    assert "there is no such file" in complaint(capsys, "pki", "verify", nowhere, "--role", "secc", "--store", certs)
    assert "v2g pki create" in complaint(capsys, "pki", "verify", chain, "--role", "secc", "--store", nowhere)
    assert "no trust anchors" in complaint(capsys, "pki", "verify", chain, "--role", "secc")
    assert "none" in complaint(capsys, "pki", "status", nowhere)
    plan = tmp_path / "plan.toml"
    plan.write_text('curvs = ["ed448"]')
    assert "curvs" in complaint(capsys, "pki", "create", tmp_path / "x", "--plan", plan)
    plan.write_text("curves = [")
    assert "not TOML" in complaint(capsys, "pki", "create", tmp_path / "x", "--plan", plan)
    assert "no authority" in complaint(capsys, "pki", "revoke", chain, "--store", _empty(tmp_path))
    assert "https" in complaint(capsys, "pki", "renew", "--store", certs, "--url", "http://[::1]:1", "--user", "a:b")
    with pytest.raises(SystemExit) as ended:
        main(["pki", "verify", str(chain), "--role", "king"])
    assert ended.value.code == 2


def _empty(path: Path) -> Path:
    (path / "empty").mkdir()
    return path / "empty"


def test_a_request_that_is_not_sound_is_refused(certs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stem = tmp_path / "new"
    answer(capsys, "pki", "csr", stem, "--role", "vehicle", "--name", "WMI1")
    request = f"{stem}.csr.pem"
    assert "DC is absent" in complaint(capsys, "pki", "sign", request, "--role", "secc", "--store", certs, code=1)
    made = answer(capsys, "pki", "sign", request, "--role", "vehicle", "--store", certs, "--out", tmp_path / "chain.pem")
    assert made["subject"] == "O=v2gkit,CN=WMI1"
    assert "any authority" in complaint(capsys, "pki", "sign", request, "--role", "ocsp", "--store", certs)


def test_the_table_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer(capsys, "pki", "show", "--profiles")
    assert [row["role"] for row in rows] == [role.value for role in Role]


def test_certificates_for_machines(certs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = answer(capsys, "pki", "show", certs / "vehicle/secp521r1.chain.pem")
    assert [one["depth"] for one in shown] == [0, 1, 2]
    assert (shown[0]["subject"], shown[0]["purposes"], shown[0]["key"]) == ("O=v2gkit,CN=WMIV2GKIT0000000001", "clientAuth", "secp521r1")


# --- sign explain ---


def test_a_foreign_signature_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for name, message in (("authorization", "AuthorizationReq"), ("installation", "CertificateInstallationReq")):
        told = answer(capsys, "sign", "explain", FOREIGN[name], "--profile", "interop")
        assert (told["message"], told["holds"], told["error"]) == (message, True, None)
        assert "fragment" in [step["step"] for step in told["steps"]]
    told = answer(capsys, "sign", "explain", FOREIGN["installation2"])
    assert (told["message"], told["holds"]) == ("CertificateInstallationRes", True)
    assert len([step for step in told["steps"] if step["step"] == "fragment"]) == 4


def test_a_refusal_is_explained(certs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "sign", "explain", FOREIGN["authorization"], code=1)
    assert (told["holds"], told["flaw"]) == (False, "algorithm not allowed")
    told = answer(capsys, "sign", "explain", FOREIGN["authorization"], "--profile", "interop", "--store", certs, code=1)
    assert told["chain"].startswith("refused as contract: untrusted root")


def test_what_cannot_be_explained_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no message" in complaint(capsys, "sign", "explain", "00")
    assert "there is no such file" in complaint(capsys, "sign", "explain", str(tmp_path / "zz"))
    session_setup = "808c00000000000000000000000000000000000000"
    assert complaint(capsys, "sign", "explain", session_setup).startswith("v2g sign explain: ")
