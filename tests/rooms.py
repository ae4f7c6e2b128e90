"""The rooms of the house: what each is, what it may import besides itself, where its tests are. And how its files import each other.

`docs/architecture.md` prints this table; `tests/test_layers.py` holds both, and the files, to it.
"""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
OURS = ("v2g", "pki", "secc", "evcc", "ocpp_bridge", "v2gkit")


class Room(NamedTuple):
    """`may` names rooms, or single modules of a room (`secc.station`)."""

    what: str
    may: tuple[str, ...]
    tests: tuple[str, ...]


EXI = ("v2g.exi", "v2g.messages")
# what commands of every kind need
COMMAND = (
    "v2gkit.output",
    "v2gkit.extras",
    "v2gkit.metrics",
    "v2gkit.shadow",
    "v2gkit.private",
    "v2gkit.wall",
)
ROOMS: Mapping[str, Room] = {
    "v2g": Room("`python -m v2g`", ("v2gkit.start",), ("tests/v2gkit/cli",)),
    "v2g.legible": Room("text of strangers made fit for people", (), ("tests/v2gkit/test_hostile_text.py",)),
    "v2g.address": Room("addresses of hosts and services", ("v2g.legible",), ("tests/v2g/test_address.py",)),
    "v2g.tasks": Room("background work that is watched", ("v2g.legible",), ("tests/v2g/session/test_tasks.py",)),
    "v2g.workers": Room("work that takes long, on few threads", ("v2g.energy.patience",), ("tests/v2g/test_workers.py",)),
    "v2g.reasons": Room("why a station refuses, in words that every generation has", (), ("tests/secc/test_refusals.py",)),
    "v2g.settings": Room("strict TOML", (), ("tests/secc/test_config.py", "tests/evcc/test_config.py")),
    "v2g.exi": Room("EXI 1.0 from declared classes; knows no V2G", (), ("tests/v2g/exi",)),
    "v2g.messages": Room(
        "one module an XSD, one class a complex type", ("v2g.exi.schema", "v2g.exi.grammar", "v2g.exi.dialect"), ("tests/v2g/messages",)
    ),
    "v2g.energy": Room("series, needs, scheduler, ledger: plain numbers in SI, no protocol", (), ("tests/v2g/energy",)),
    "v2g.session": Room(
        "what a session is, whoever plays it: framing, discovery, negotiation, errors, transport, trace",
        (*EXI, "v2g.legible", "v2g.reasons"),
        ("tests/v2g/session",),
    ),
    "v2g.slac": Room(
        "matching on the power line (ISO 15118-3), both sides",
        ("v2g.session.errors", "v2g.session.link", "v2g.session.transport.addresses"),
        ("tests/v2g/slac",),
    ),
    "v2g.iso20": Room(
        "sequence, timing, limits, services, refusals of ISO 15118-20: one `Generation`",
        (*EXI, "v2g.session", "v2g.energy", "v2g.reasons"),
        ("tests/v2g/iso20", "tests/v2g/session/test_limits.py", "tests/secc/test_order.py"),
    ),
    "v2g.iso2": Room(
        "sequence, timing, limits, services, refusals of ISO 15118-2: one `Generation`",
        (*EXI, "v2g.session", "v2g.reasons"),
        ("tests/v2g/iso2",),
    ),
    "v2g.din": Room(
        "sequence, timing, limits, services, refusals of DIN SPEC 70121: one `Generation`",
        (*EXI, "v2g.session", "v2g.reasons"),
        ("tests/v2g/din",),
    ),
    "v2g.services": Room(
        "the services of all generations, by name", ("v2g.iso20.services", "v2g.session.service"), ("tests/test_service_rows.py",)
    ),
    "v2g.generations": Room(
        "the generations that are spoken here", ("v2g.iso20", "v2g.iso2", "v2g.din", "v2g.session"), ("tests/v2g/test_generations.py",)
    ),
    "pki": Room(
        "certificate profiles, issuing, verification, signatures, status",
        (*EXI, "v2g.reasons", "v2g.iso20.refusals"),
        ("tests/pki",),
    ),
    "secc": Room(
        "the station: its words, engine, hardware, server; `iso20/`, `iso2/`, `din/` answer, by what `neutral/` and `enveloped/` share",
        (
            *EXI,
            "v2g.session",
            "v2g.iso20",
            "v2g.iso2",
            "v2g.din",
            "v2g.generations",
            "v2g.energy",
            "v2g.reasons",
            "v2g.services",
            "v2g.settings",
            "v2g.legible",
            "v2g.address",
            "v2g.tasks",
            "v2g.workers",
            "pki",
        ),
        ("tests/secc", "tests/conformance"),
    ),
    "evcc": Room(
        "the car: battery, goal, plan, engine, client; `iso20/`, `iso2/`, `din/` scripts, `early/` what -2 and DIN share",
        (
            *EXI,
            "v2g.session",
            "v2g.iso20",
            "v2g.iso2",
            "v2g.din",
            "v2g.generations",
            "v2g.energy",
            "v2g.services",
            "v2g.settings",
            "v2g.legible",
            "v2g.address",
            "v2g.tasks",
            "pki",
        ),
        ("tests/evcc", "tests/conformance"),
    ),
    "ocpp_bridge": Room(
        "the station's words, as OCPP 2.x",
        ("secc.station", "v2g.energy", "v2g.reasons", "v2g.services", "v2g.legible", "v2g.address", "v2g.tasks", "v2g.workers", "pki"),
        ("tests/ocpp_bridge",),
    ),
    "v2gkit": Room(
        "what every command needs: output, extras, private files, the wall clock",
        ("v2gkit.cli.main", "v2g.legible", "v2g.session.clock", "v2g.tasks", "pki.system"),
        ("tests/v2gkit",),
    ),
    "v2gkit.cli": Room("the command line", ("v2g.*", "pki", "secc", "evcc", "ocpp_bridge", "v2gkit.*"), ("tests/v2gkit/cli",)),
    "v2gkit.lab": Room(
        "demo, market and doctor",
        ("v2g.*", "pki", "evcc", *COMMAND, "v2gkit.insight", "v2gkit.station", "v2gkit.fleet"),
        ("tests/v2gkit/lab",),
    ),
    "v2gkit.station": Room(
        "a station that is run: hardware, staples, CSMS, supervisor, from its configuration",
        ("v2g.*", "pki", "secc", "ocpp_bridge", *COMMAND, "v2gkit.authorities"),
        ("tests/v2gkit/station",),
    ),
    "v2gkit.insight": Room(
        "from observation to page: recorder, captures, decoding, story, report, viewer",
        ("v2g.*", "pki", *COMMAND),
        ("tests/v2gkit/insight",),
    ),
    "v2gkit.revenue": Room(
        "what a session earned, and for whom: signed values, metered intervals, tariff to books and a page",
        ("v2g.*", *COMMAND, "v2gkit.insight.report"),
        ("tests/v2gkit/revenue",),
    ),
    "v2gkit.regulation": Room(
        "rules of law as checks: what a station's file, its traces, the books and documents say of each",
        ("v2g.*", "pki", "secc.config", "secc.station", *COMMAND, "v2gkit.insight.report", "v2gkit.revenue"),
        ("tests/v2gkit/regulation",),
    ),
    "v2gkit.testing": Room(
        "for tests of others: a pair in virtual time, a plugin of pytest with fixtures",
        ("v2g.*", "pki", "secc", "evcc"),
        ("tests/v2gkit/testing",),
    ),
    "v2gkit.authorities": Room(
        "EST, OCSP, CPS, a contract office, certificates broken on purpose", ("v2g.*", "pki", *COMMAND), ("tests/v2gkit/authorities",)
    ),
    "v2gkit.csms": Room(
        "the CSMS: stations, history, steering, certificates, REST, processes that share stations",
        ("v2g.*", "pki", "ocpp_bridge", *COMMAND, "v2gkit.authorities", "v2gkit.insight.live", "v2gkit.insight.viewer", "v2gkit.sql"),
        ("tests/v2gkit/csms",),
    ),
    "v2gkit.sql": Room(
        "rows in SQLite or PostgreSQL: schemas with their versions, a keeper that writes in group commits",
        ("v2g.legible",),
        ("tests/v2gkit/csms/test_store.py", "tests/v2gkit/fleet/test_store.py"),
    ),
    "v2gkit.fleet": Room(
        "the aggregator: tenants, sites, assets, signals to ranked dispatch, settlement; log and store behind two contracts",
        (
            "v2g.*",
            *COMMAND,
            "v2gkit.sql",
            "v2gkit.grid",
            "v2gkit.csms",
            "v2gkit.authorities",
            "v2gkit.insight.live",
            "v2gkit.insight.viewer",
            "ocpp_bridge.wire",
        ),
        ("tests/v2gkit/fleet",),
    ),
    "v2gkit.grid": Room(
        "signals of the grid: a pure translator and a thin shell each, one book of what became of them",
        ("v2g.energy", "v2g.legible", "v2g.tasks", "v2g.address", "v2g.settings", *COMMAND, "v2gkit.authorities.route"),
        ("tests/v2gkit/grid",),
    ),
    "v2gkit.conform": Room(
        "the conformance suite: cases as data, benches that misbehave on purpose, verdicts, results",
        ("v2g.*", "pki", *COMMAND, "v2gkit.authorities", "v2gkit.insight", "v2gkit.conform.cases", "ocpp_bridge.wire"),
        ("tests/v2gkit/conform",),
    ),
    "v2gkit.conform.cases": Room(
        "the cases, a module a family",
        ("v2g.*", "pki", "v2gkit.authorities", "v2gkit.conform"),
        ("tests/v2gkit/conform",),
    ),
    "v2gkit.peers": Room("foreign stacks, each in an interpreter of its own", ("v2g.*", "pki", "v2gkit"), ("tests/interop",)),
}
SHELL_MODULES = frozenset(
    ["asyncio", "fcntl", "os", "random", "secrets", "select", "selectors", "signal", "socket", "ssl", "subprocess", "threading", "time"]
)
NEUTRAL = ("v2g/session", "v2g/energy", "secc", "evcc", "ocpp_bridge")  # runs any generation and names none: it is handed a value
OF_ONE = (
    "secc/iso20",
    "secc/iso2",
    "secc/din",
    "evcc/iso20",
    "evcc/iso2",
    "evcc/din",
    "secc/generations.py",
    "evcc/generations.py",
)  # but these: a generation, and the tables that name it
DOORS = ("v2g.services", "v2g.generations", "evcc.generations", "secc.generations", "pki")  # by which one asks for what is of a generation
SHELLS = (  # files and folders that may touch clock, network and system
    "v2g/tasks.py",
    "v2g/workers.py",
    "v2g/session/transport",
    "v2g/slac/wire.py",
    "secc/bay.py",
    "secc/front.py",
    "secc/server.py",
    "secc/driver.py",
    "secc/watches.py",
    "secc/opening.py",
    "secc/readers.py",
    "secc/memory.py",
    "evcc/client.py",
    "ocpp_bridge/charge_point.py",
    "ocpp_bridge/cashier.py",
    "ocpp_bridge/upload.py",
    "ocpp_bridge/transfer.py",
    "ocpp_bridge/installing.py",
    "ocpp_bridge/errands.py",
    "ocpp_bridge/keeping.py",
    "ocpp_bridge/wire/endpoint.py",
    "ocpp_bridge/wire/link.py",
    "ocpp_bridge/wire/opening.py",
    "ocpp_bridge/wire/store.py",
    "pki/files.py",
    "pki/store.py",
    "pki/system.py",
    "v2gkit",
)
PURE = {"v2gkit/grid": ("v2gkit/grid/shell",)}  # of the kit: a room that touches nothing of the system but in these files and folders
ONLY_IMPORTER = {"lxml": "v2g/exi/xml.py", "OpenSSL": "v2g/session/transport"}
SPEAKERS = {  # who parses arguments or prints besides v2gkit/cli: to become fewer
    "v2gkit/shadow.py": "speaks when nothing of ours can be imported",
    "v2gkit/output.py": "is what the command line prints with",
    "v2gkit/peers/ecog_car.py": "a program of a foreign interpreter",
    "v2gkit/peers/ecog_car2.py": "a program of a foreign interpreter",
    "v2gkit/peers/ecog_codec.py": "a program of a foreign interpreter",
    "v2gkit/peers/ecog_session.py": "a program of a foreign interpreter",
    "v2gkit/peers/ecog_station.py": "a program of a foreign interpreter",
    "v2gkit/peers/exificient.py": "a program of a foreign interpreter",
    "v2gkit/peers/judge.py": "a program of the CI: what a foreign judge says of recorded frames",
    "v2gkit/peers/junit_setup.py": "a program of the Makefile: it says what this machine lacks",
    "v2gkit/peers/npm_setup.py": "a program of the Makefile: it says what this machine lacks",
    "v2gkit/peers/ocpp_csms.py": "a program that speaks for a foreign library",
    "v2gkit/peers/modem.py": "a program in a network namespace of its own",
    "v2gkit/peers/grid_modbus.py": "a program of a foreign interpreter",
    "v2gkit/peers/grid_openadr2.py": "a program of a foreign interpreter",
    "v2gkit/peers/grid_s2.py": "a program of a foreign interpreter",
    "v2gkit/peers/grid_openadr3.py": "a program of a foreign interpreter",
    "v2gkit/peers/grid_reports3.py": "a program of a foreign interpreter",
    "v2gkit/peers/pyslac_station.py": "a program of a foreign interpreter",
    "v2gkit/insight/recorder.py": "lends standard output to code that prints",
}
LONG_FILES: set[str] = set()  # beyond 400 lines, to become fewer
FACES = ("secc.station",)  # packages that are entered by their face alone: what is inside may be moved
LONG_FUNCTIONS: dict[str, str] = {}  # beyond 50 lines, to become fewer
CIRCLES: tuple[frozenset[str], ...] = ()  # that stand: to become fewer


def module_of(path: str) -> str:
    """The dotted name of a file: `v2g/exi/__init__.py` is `v2g.exi`."""
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


FILES = {module_of(path): path for room in OURS for path in sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / room).rglob("*.py"))}


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def room_of(module: str) -> str:
    """The innermost room."""
    return max((room for room in ROOMS if within(module, room)), key=len)


def may_import(room: str, module: str) -> bool:
    """`v2g.*` is every room in v2g; `v2g`, without, would be its own files alone."""
    home = room_of(module)
    for allowed in ROOMS[room].may:
        if allowed.endswith(".*") and module != (house := allowed[:-2]) and within(module, house):
            return True
        if home == allowed or (allowed not in ROOMS and within(module, allowed)):
            return True
    return home == room


@cache
def tree_of(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@cache
def imported(path: str) -> frozenset[str]:
    """Every name that a file imports, anywhere in it: at its head, in a function, for types alone.

    What is imported for types alone counts: whoever reads the one must have read the other.
    """
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def target(name: str) -> str | None:
    """The file of ours that an imported name is found in, as a dotted name."""
    if name.split(".")[0] not in OURS:
        return None
    while name and name not in FILES:
        name = name.rpartition(".")[0]
    return name or None


def imports_of_ours(module: str) -> frozenset[str]:
    found = {target(name) for name in imported(FILES[module])}
    return frozenset(name for name in found if name and name != module)


def circles(arrows: Mapping[str, Iterable[str]]) -> list[frozenset[str]]:
    """The strongly connected components larger than one (Tarjan)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_ones: list[str] = []
    found: list[frozenset[str]] = []

    def visit(node: str) -> None:
        numbers[node] = lowest[node] = len(numbers)
        open_ones.append(node)
        for other in arrows.get(node, ()):
            if other not in numbers:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in open_ones:
                lowest[node] = min(lowest[node], numbers[other])
        if lowest[node] == numbers[node]:
            component = open_ones[open_ones.index(node) :]
            del open_ones[open_ones.index(node) :]
            if len(component) > 1:
                found.append(frozenset(component))

    for node in sorted(arrows):
        if node not in numbers:
            visit(node)
    return found


def table() -> str:
    """The rooms as a Markdown table."""
    rows = ["| room | what it is | may import, besides itself | its tests |", "|---|---|---|---|"]
    for name, room in ROOMS.items():
        may = ", ".join(f"`{each}`" for each in room.may) or "nothing of ours"
        rows.append(f"| `{name}` | {room.what} | {may} | {', '.join(f'`{each}`' for each in room.tests)} |")
    return "\n".join(rows)
