"""The command line is a table of modules: each is imported when it is called."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from v2g.exi import engine
from v2gkit.cli.exi import COMMANDS as EXI
from v2gkit.cli.main import COMMANDS
from v2gkit.cli.pki import COMMANDS as PKI
from v2gkit.cli.sign import COMMANDS as SIGN

ROOT = Path(__file__).parents[3]
IMPORTED = """
import sys
from v2gkit.cli.main import main

try:
    main(sys.argv[1:])
finally:
    sys.stderr.write("\\n".join(sys.modules))
"""
LISTENING = """
import sys
import v2gkit.station.service as service
from v2gkit.cli.main import main

def settled():
    sys.stderr.write("\\n".join(sys.modules))
    raise SystemExit

service.settled = settled
main(sys.argv[1:])
"""
ASKED_FOR = (  # what a station imports when somebody wants it, and not to listen
    "v2g.slac", "v2gkit.insight.readings", "v2gkit.insight.report", "v2gkit.insight.progress", "v2gkit.insight.pcapng",
    "v2gkit.insight.cpu", "v2gkit.insight.conversation", "v2gkit.insight.live.feed", "v2gkit.authorities", "v2gkit.station.firmware",
    "v2gkit.station.csms", "v2gkit.station.site", "v2gkit.metrics", "secc.yard", "secc.neighbour",
    "v2g.energy.fleet.joint", "v2g.energy.market.document", "pki.provisioners",
    "ocpp_bridge", "evcc", "http", "urllib.request", "highspy", "numpy", "websockets", "rich",
    "lxml", "prometheus_client", "sqlite3", "multiprocessing",
)  # fmt: skip
LIGHT = {
    "v2g",
    "v2g.legible",
    "v2g.settings",
    "v2g.settings.suggestion",
    "v2gkit",
    "v2gkit.cli",
    "v2gkit.output",
    "v2gkit.extras",
    "v2gkit.shadow",
}
HEAVY = {"asyncio", "cryptography", "msgspec", "OpenSSL", "ssl", "importlib.metadata", "dataclasses", "socket"}


def imported(*arguments: str) -> set[str]:
    """Every module that a command line has imported when it is done."""
    done = subprocess.run([sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, timeout=300)
    return set(done.stderr.splitlines())


def test_the_overview_imports_no_command() -> None:
    """What it costs is what it imports: a few modules of ours, and nothing that takes long."""
    names = imported("--help")
    ours = {name for name in names if name.split(".")[0] in ("v2g", "v2gkit", "secc", "evcc", "pki", "ocpp_bridge")}
    assert ours - LIGHT == {"v2gkit.cli.main", "v2gkit.cli.guard", "v2gkit.cli.parser"}
    assert not names & HEAVY


def test_a_station_listens_before_it_imports_what_nobody_asked_for() -> None:
    """What starting costs is what it imports: a third of a second and the memory are these modules."""
    command = [sys.executable, "-c", LISTENING, "secc", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--auth", "EIM", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    names = done.stderr.split()
    assert "secc.server" in names, done.stderr[-2000:]
    assert not [name for name in names for each in ASKED_FOR if name == each or name.startswith(f"{each}.")]
    if "compiled" in engine.ENGINES:
        assert "v2g.exi.straight_reader" not in names


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_imports_no_other(name: str) -> None:
    names = imported(name, "--help")
    assert COMMANDS[name].module in names
    others = {command.module for other, command in COMMANDS.items() if other != name}
    assert not [module for module in names & others if not (name == "sign" and module == "v2gkit.cli.pki")]


def test_a_command_of_a_command_imports_no_other() -> None:
    names = imported("pki", "create", "--help")
    assert "v2gkit.cli.pki.create" in names
    assert not names & {command.module for other, command in PKI.items() if other != "create"}
    assert not imported("pki", "--help") & {command.module for command in PKI.values()}
    names = imported("exi", "json", "--help")
    assert "v2gkit.cli.exi.json" in names
    assert not names & {command.module for other, command in EXI.items() if other != "json"}


def test_the_command_line_of_exi_reads_and_writes_no_octets_itself() -> None:
    """That is done in a room which returns values: a tool of somebody else's calls it as `v2g exi` does."""
    for file in (ROOT / "v2gkit" / "cli" / "exi").glob("*.py"):
        text = file.read_text()
        assert not re.search(r"v2g\.exi\.(codec|explain|derive|xml|json|grammar)|from v2g\.exi import (?!dialect )|schema_set", text), file


@pytest.mark.parametrize("command", [*COMMANDS.values(), *PKI.values(), *SIGN.values(), *EXI.values()], ids=lambda command: command.module)
def test_a_row_is_a_module_with_one_line(command: object) -> None:
    module, help_ = command  # type: ignore[misc]
    path = ROOT / Path(*module.split("."))
    assert path.with_suffix(".py").exists() or (path / "__init__.py").exists()
    assert 10 < len(help_) < 100
    assert "\n" not in help_
