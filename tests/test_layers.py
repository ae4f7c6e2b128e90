"""Who may import whom: the architecture as an executable table."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"v2g", "secc", "evcc", "pki", "energy", "ocpp_bridge", "lab"}
MAY_IMPORT = {  # room -> what of ours it may use, besides itself
    "v2g.exi": (),
    "v2g.messages": ("v2g.exi.schema", "v2g.exi.grammar", "v2g.exi.dialect"),
    "v2g.suggestion": (),
    "v2g.settings": ("v2g.suggestion",),
    "v2g.legible": (),
    "v2g.address": ("v2g.legible",),
    "v2g.tasks": ("v2g.legible",),
    "v2g.session": ("v2g.exi", "v2g.messages", "v2g.legible"),
    "pki": ("v2g.exi", "v2g.messages"),
    "energy": (),
    "secc": ("v2g", "pki", "energy"),
    "evcc": ("v2g", "pki", "energy"),
    "ocpp_bridge": ("secc.station", "energy", "pki", "v2g.address", "v2g.legible", "v2g.tasks"),
    "lab": ("v2g", "pki", "energy", "secc", "evcc", "ocpp_bridge"),
}
SHELL_MODULES = {"asyncio", "socket", "ssl", "time", "random", "os", "secrets", "subprocess", "threading", "select"}
SHELLS = (
    "v2g/tasks.py",
    "v2g/session/transport",
    "secc/server.py",
    "secc/driver.py",
    "evcc/client.py",
    "ocpp_bridge/charge_point.py",
    "ocpp_bridge/link.py",
    "pki/files.py",
    "pki/store.py",
    "lab/",
    "__main__.py",
)
ONLY_IMPORTER = {"lxml": ("v2g/exi/xml.py",), "OpenSSL": ("v2g/session/transport",)}
FILES = sorted(p.relative_to(ROOT).as_posix() for room in OURS for p in (ROOT / room).rglob("*.py"))


def imported(path: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


@pytest.mark.parametrize("path", FILES)
def test_a_file_imports_only_what_its_room_may(path: str) -> None:
    module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    room = next((r for r in MAY_IMPORT if within(module, r)), None)
    for name in imported(path):
        top = name.split(".")[0]
        if top in OURS and room is not None and not within(name, room):
            allowed = MAY_IMPORT[room]
            assert any(within(name, a) or within(a, name) for a in allowed), f"{path} imports {name}; {room} may use {allowed}"
        if top in SHELL_MODULES:
            assert any(s in path for s in SHELLS), f"{path} imports {name}: only shells touch the clock, the network and the system"
        if top in ONLY_IMPORTER:
            assert any(s in path for s in ONLY_IMPORTER[top]), f"{path} imports {name}; only {ONLY_IMPORTER[top]} may"


def test_conformance_cases_know_no_station_internals() -> None:
    cases = [p for p in FILES if p.startswith("lab/conformance/cases")]
    for path in cases:
        assert not [n for n in imported(path) if within(n, "secc")], f"{path} judges foreign stations too"
