"""Without extras every command works as far as it can, and says which extra it wants for the rest."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_packaging import DECLARED
from v2gkit.extras import EXTRAS, cure, missing

WITHOUT = """
import sys

sys.modules.update(dict.fromkeys(sys.argv[1].split(","), None))  # as if they were not installed
from v2gkit.cli.main import main

sys.exit(main(sys.argv[2:]))
"""
BARE = ",".join(EXTRAS)
HELLO = "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"
XML = "<a/>"


def without(absent: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", WITHOUT, absent, *arguments], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (f"exi decode {HELLO}", "xml"),
        (f"exi encode {XML} --set app", "xml"),
        ("csms --port 0", "ocpp"),
        ("secc --no-tls --port 0 --auth EIM --ocpp ws://127.0.0.1:1/ocpp", "ocpp"),
        ("secc --no-tls --port 0 --auth EIM --ui", "ui"),
        ("csms --port 0 --ui", "ui"),
        ("csms --port 0 --state {}", "ocpp"),
        ("demo --output {}", "energy,ocpp"),
        ("demo --output {} --no-ocpp", "energy"),
        ("secc --no-tls --port 0 --auth EIM --prices {}/prices.csv", "energy"),
    ],
)
def test_a_command_names_the_extra_that_it_wants(arguments: str, extra: str, tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("start,import_price,export_price\n00:00,0.3,0.1\n12:00,0.2,0.1\n")
    done = without(BARE, *arguments.replace("{}", str(tmp_path)).split())
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert f"pip install 'v2gkit[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "doctor",
        f"exi json {HELLO}",
        f"exi explain {HELLO}",
        f"exi decode --json {HELLO}",
        "pki show --profiles",
        "interop --list",
    ],
)
def test_the_rest_needs_none(arguments: str) -> None:
    done = without(BARE, *arguments.split())
    assert (done.returncode, done.stderr) == (0, "")


def test_the_doctor_names_every_library_and_its_extra() -> None:
    told = without(BARE, "doctor").stdout
    for module in EXTRAS:
        assert f"{module} is missing" in told
        assert cure(module) in told


def test_the_table_is_what_is_declared() -> None:
    extras = DECLARED["project"]["optional-dependencies"]
    names = {"python-pkcs11": "pkcs11", "jsonschema-rs": "jsonschema_rs", "prometheus-client": "prometheus_client"}
    names |= {"psycopg[binary]": "psycopg", "nats-py": "nats", "pyocmf[crypto]": "pyocmf", "pyjwt[crypto]": "jwt"}
    declared: dict[str, str] = {}
    for extra in ("xml", "energy", "ocpp", "web", "hsm", "mqtt", "terminal", "metrics", "csms", "ocmf", "fleet"):
        for requirement in extras[extra]:
            name = requirement.partition(">")[0]
            declared.setdefault(names.get(name, name), extra)  # csms has those of web too
    assert declared == EXTRAS


def test_what_is_there_is_not_missing() -> None:
    assert missing(["xml", "energy", "ocpp"]) is None
