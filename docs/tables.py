"""Prints the tables of the documents from the code that holds their facts.

A document says `<!-- table: NAME -->` where a table belongs and `<!-- end of table -->` behind it; `make tables` writes what is between.
To add a table, add a function to `TABLES`. `python -m docs.tables NAME` prints one, `--check` names the documents that are stale.
"""

import argparse
import ast
import contextlib
import io
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

from docs import coverage
from docs.generation_tables import code, code_table, mode_table, pair_table, sequence_table, table, timing_table
from docs.use_cases import use_cases
from evcc.iso20.quirks import QUIRKS
from ocpp_bridge.model.variables import STATION
from ocpp_bridge.table import BLOCKS
from ocpp_bridge.wire.dialects import CUT, ITEMS, REPLACED, SPARED, shape
from ocpp_bridge.wire.schemas import actions
from tests import rooms
from tests.conformance.requirements import PROVEN
from v2g.iso20.services import SERVICES
from v2g.session.profiles import EVERYWHERE, PROFILES
from v2g.session.v2gtp import PAYLOADS
from v2gkit.cli.main import main as v2g
from v2gkit.conform import results
from v2gkit.lab.personality import personalities
from v2gkit.lab.scenarios import names as scenarios
from v2gkit.lab.scenarios import scenario
from v2gkit.station.feed.words import schema_text as feed_text
from v2gkit.station.firmware.words import schema_text

ROOT = Path(__file__).parents[1]
PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)
PACKAGES = ("v2g", "secc", "evcc", "pki", "ocpp_bridge", "v2gkit")
REQUIREMENT = re.compile(r"\b(?:V2G20|V2G2|V2G3|V2G-DC)-[A-Z]?\d+(?:-\d+)?\b")


# --- OCPP ---


def _only_newer(newer: dict[str, Any], older: dict[str, Any], path: str) -> Iterable[str]:
    """The paths of fields that 2.0.1 does not have: what stands below one of them is not named."""
    for name, each in newer.get("properties", {}).items():
        there = f"{path}.{name}" if path else name
        if name not in older.get("properties", {}):
            yield there
        else:
            yield from _only_newer(each, older["properties"][name], there)
    if "items" in newer:
        yield from _only_newer(newer["items"], older.get("items", {}), path)


def dialect_table() -> str:
    """What is said in OCPP 2.1 and has no words in 2.0.1: what becomes of it on such a link."""
    newer, older = actions("ocpp2.1"), actions("ocpp2.0.1")
    rows = [(", ".join(map(code, sorted(newer - older))), "the action", "not sent (a call ends at once, as if it had failed), not served")]
    rows += [
        (code(word) if word else "any other word", code(field), f"replaced by {code(said)}")
        for field, words in REPLACED.items()
        for word, said in words.items()
    ]
    rows.append(("a service that 2.0.1 does not know", code("requestedEnergyTransfer"), "replaced by its name for charging alone"))
    lost: dict[str, list[str]] = {}
    for action in sorted(newer & older):
        for direction in ("Request", "Response"):
            for path in _only_newer(shape("ocpp2.1", action + direction), shape("ocpp2.0.1", action + direction), ""):
                lost.setdefault(path, []).append(action if direction == "Request" else f"{action} (answer)")
    places: dict[str, list[str]] = {}
    for path, where in lost.items():
        places.setdefault(", ".join(where), []).append(code(path))
    rows += [(", ".join(fields), where, "dropped") for where, fields in places.items()]
    rows.append((", ".join(map(code, CUT)), "a text for people that is too long", "cut"))
    rows.append((", ".join(map(code, SPARED)), "too long, or with a word that 2.0.1 lacks", "dropped alone"))
    rows.append((", ".join(map(code, ITEMS)), "an item with a word that 2.0.1 lacks, such as a measurand", "the item is dropped"))
    rows.append(("anything else", "with a word that 2.0.1 lacks, or too long", "the message is refused"))
    return table(("2.1", "where", "on a link of 2.0.1"), rows)


def coverage_table() -> str:
    """Every action of OCPP, what becomes of it here, and the test that proves it."""
    heads = ("action", "version", "from the", "block or use cases", "the station", "`v2g csms`", "test")
    return table(heads, [(code(one[0]), *one[1:6], code(one[6].removeprefix("tests/"))) for one in coverage.rows()])


def use_case_table() -> str:
    """Every use case of OCPP 2.1, and the tests that hold it."""
    rows = [
        (one.number, one.title, ", ".join(code(test.removeprefix("tests/ocpp_bridge/").removeprefix("tests/")) for test in one.tests))
        for one in use_cases()
    ]
    return table(("use case", "what it is", "tests"), rows)


# --- the session ---


def quirks_table() -> str:
    """What cars were seen to do, on what evidence, and the requirement that it breaks."""
    rows = [(code(name), quirk.what, quirk.car, quirk.evidence, quirk.requirement or "none") for name, quirk in QUIRKS.items()]
    return table(("quirk", "the car", "seen of", "evidence", "requirement it breaks"), rows)


def shipped_table() -> str:
    """Cars and scenarios that are shipped."""
    cars = [(code(f"--personality {name}"), car.about) for name, car in personalities().items()]
    visits = [(code(f"--scenario {name}"), scenario(name).about) for name in scenarios()]
    return table(("", "what it is"), [*cars, *visits])


def deviation_table() -> str:
    """What a named profile lets pass, with peer, evidence and the requirement that it relaxes."""
    return table(
        ("deviation", "peer", "evidence", "relaxes", "profile"),
        [
            (row.name, row.peer, row.evidence, row.requirement, name)
            for name, rows in (*PROFILES.items(), ("every", EVERYWHERE))
            for row in rows
        ],
    )


def payload_table() -> str:
    """The payload types of V2GTP: schema sets, stream, and who sends it first."""
    return table(
        ("payload type", "name", "schema set", "stream", "opened by"),
        [(f"0x{each:04X}", code(each.name), ", ".join(row.schema_sets), row.stream, row.opens) for each, row in PAYLOADS.items()],
    )


def service_table() -> str:
    """Each service with its id, the messages that carry it, what its plug says, and OCPP's names of it."""
    heads = ("service", "id", "messages", "plug", "current", "gives back", "Connector", "OCPP 2.1", "OCPP 2.0.1")
    lines = []
    for row in SERVICES.values():
        connectors = [str(row.connector), *([f"{row.connector_three_phase} (three phases)"] if row.connector_three_phase else [])]
        kinds = (row.schema_set, row.plug, "direct" if row.dc else "alternating", "yes" if row.bidirectional else "no")
        names = (", ".join(map(code, row.ocpp[version])) for version in ("ocpp2.1", "ocpp2.0.1"))
        lines.append((code(row.name), str(row.id), *kinds, ", ".join(connectors), *names))
    return table(heads, lines)


def variable_table() -> str:
    """Each variable of the OCPP device model: what kind of value, what it begins with, whether it may be set, and who requires it."""
    heads = ("variable", "of", "type", "unit", "at first", "set by the CSMS", "required by")
    lines = []
    for row in [*STATION, *(row for block in BLOCKS for row in block.variables)]:
        name = f"{row.component}.{row.variable}" + (f"[{row.instance}]" if row.instance else "")
        others = [each for each in row.attributes if each != "Actual"]
        kind = row.type + (f" ({', '.join(others)} too)" if others else "")
        settable = "no" if row.rule is None else "after a reset" if row.reboot else "never read" if row.secret else "yes"
        place = "connector" if row.connector else "EVSE" if row.each else "station"
        lines.append((code(name), place, kind, row.unit, code(row.value), settable, row.required))
    return table(heads, sorted(lines))


# --- the command line ---


def help_of(*command: str) -> str:
    """What a command says about itself, unbroken. Raises RuntimeError where it has no help."""
    said = io.StringIO()
    with (
        mock.patch.dict("os.environ", {"COLUMNS": "400", "NO_COLOR": "1"}),
        contextlib.redirect_stdout(said),
        contextlib.suppress(SystemExit),
    ):
        v2g([*command, "--help"])
    if not said.getvalue():
        raise RuntimeError(f"v2g {' '.join(command)} --help says nothing; what failed stands on standard error")
    return said.getvalue()


def commands(*above: str) -> Iterable[tuple[tuple[str, ...], str]]:
    """Every command beneath one, with its line of help."""
    page = help_of(*above)
    listed = re.search(r"^  (?:COMMAND|VERB)\n((?:    +\S.*\n)+)", page, re.MULTILINE) or re.search(
        r"^positional arguments:\n  (?:COMMAND|VERB)\n?((?:    +\S.*\n)+)", page, re.MULTILINE
    )
    rows = re.sub(r"^(    \S+)\n +", r"\1 ", listed[1], flags=re.MULTILINE) if listed else ""  # a long name stands on a line of its own
    for name, line in re.findall(r"^    (\S+) +(.*)$", rows, re.MULTILINE):
        yield (*above, name), line
        yield from commands(*above, name)


def command_table() -> str:
    """Every command with its line of help."""
    return table(("command", "what it does"), [(code("v2g " + " ".join(path)), line) for path, line in commands()])


def exit_table() -> str:
    """The exit codes that each command speaks of in its help."""
    lines = []
    for path in [(), *(path for path, _ in commands() if len(path) == 1)]:
        found = re.search(r"exit codes:\s*(.*?)(?:\n\n|\Z)", help_of(*path), re.DOTALL)
        lines.append((code(" ".join(("v2g", *path))), re.sub(r"\s+", " ", found[1]).strip() if found else "as `v2g`"))
    return table(("command", "exit codes"), lines)


def purposes() -> dict[str, str]:
    """What each extra is for: the remark behind it in pyproject.toml."""
    return dict(re.findall(r"^(\w+) = \[.*# (.*)$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))


def extra_table() -> str:
    """The extras of the package: what each is for, and what it installs."""
    says = purposes()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [("(none)", "codec, sessions, certificates, the command line", ", ".join(map(code, project["dependencies"])))]
    for name, packages in project["optional-dependencies"].items():
        inner = re.fullmatch(r"v2gkit\[(.*)\]", packages[0])
        purpose = f"what a station, a car and a CSMS use: {inner[1].replace(',', ', ')}" if inner else says.get(name, "")
        lines.append((code(name), purpose, "" if inner else ", ".join(code(p.split(";")[0]) for p in packages)))
    return table(("extra", "what for", "installs"), lines)


# --- the house ---


def room_table() -> str:
    """The rooms: what each is, what it may import, where its tests are."""
    return rooms.table() + "\n"


def shell_table() -> str:
    """What may touch clock, network and system, with what it says of itself."""
    lines = []
    for shell in rooms.SHELLS:
        path = ROOT / shell if shell.endswith(".py") else ROOT / shell / "__init__.py"
        says = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()
        lines.append((code(shell), says[0] if says else ""))
    return table(("shell", "what it is"), lines)


# --- requirements ---


def citations(folders: Iterable[str]) -> dict[str, set[str]]:
    """The files beneath some folders that cite each requirement id."""
    cited: dict[str, set[str]] = {}
    for path in sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py")):
        for requirement in REQUIREMENT.findall(path.read_text()):
            cited.setdefault(requirement, set()).add(str(path.relative_to(ROOT)))
    return cited


def proven() -> dict[str, set[str]]:
    """The files of tests that name each requirement id, and those of which a row of the table says that they prove it.

    The cases of `v2g conform` are such tests: our own station and car are judged by them.
    """
    here = "tests/conformance/requirements.py"
    tested = {id_: files - {here} for id_, files in citations(["tests", "v2gkit/conform/cases"]).items() if files - {here}}
    for id_, tests in PROVEN.items():
        tested[id_] = tested.get(id_, set()) | {f"tests/{test.partition('::')[0]}" for test in tests}
    return tested


def requirement_table() -> str:
    """The requirement ids that code cites: where a line obeys each, and which tests prove it."""
    lived, tested = citations(PACKAGES), proven()
    order = sorted(lived, key=lambda id_: (id_.rsplit("-", 1)[0], int(re.sub(r"\D", "", id_.rsplit("-", 1)[1]))))
    return table(
        ("requirement", "obeyed, reported or relaxed in", "proven by"),
        [(id_, "<br>".join(map(code, sorted(lived[id_]))), "<br>".join(map(code, sorted(tested.get(id_, ()))))) for id_ in order],
    )


TABLES: dict[str, Callable[[], str]] = {
    "quirks": quirks_table,
    "shipped": shipped_table,
    "sequence": sequence_table,
    "timing": timing_table,
    "timing-of-requests": pair_table,
    "codes": code_table,
    "modes": mode_table,
    "deviations": deviation_table,
    "services": service_table,
    "payload-types": payload_table,
    "variables": variable_table,
    "commands": command_table,
    "exit-codes": exit_table,
    "extras": extra_table,
    "rooms": room_table,
    "shells": shell_table,
    "requirements": requirement_table,
    "dialects": dialect_table,
    "actions": coverage_table,
    "use-cases": use_case_table,
}
AT_BUILD = {"requirements", "variables", "actions", "use-cases"}
"""Tables that every second commit changes: they are printed when the site is built, so that no document is stale in between."""


def printed(text: str, names: Iterable[str] | None = None) -> str:
    """A document with its tables as the code has them now: those of `names`, or all that stand in the repository."""
    wanted = set(TABLES) - AT_BUILD if names is None else set(names)
    return PLACE.sub(lambda m: f"{m[1]}\n{TABLES[m[2]]()}\n{m[4]}" if m[2] in wanted else m[0], text)


def documents() -> list[Path]:
    """Every document that may hold a table."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "packaging").glob("*.md")])


def stale() -> dict[Path, str]:
    """The documents whose tables are not what the code says, each as it should be."""
    found = {}
    for path in documents():
        text = path.read_text()
        if (right := printed(text)) != text:
            found[path] = right
    printed_whole = (("firmware", schema_text()), ("site", feed_text()), ("results", results.schema_text()))  # documents of their own
    for name, right in printed_whole:
        schema = ROOT / "docs" / f"{name}.schema.json"
        if not schema.exists() or schema.read_text() != right + "\n":
            found[schema] = right + "\n"
    return found


def main() -> int:
    """Write the tables into the documents, or print one, or say what is stale."""
    parser = argparse.ArgumentParser(prog="python -m docs.tables", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(TABLES), help="print this one")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a document is stale")
    options = parser.parse_args()
    if options.name:
        sys.stdout.write(TABLES[options.name]())
        return 0
    old = stale()
    for path, text in old.items():
        if not options.check:
            path.write_text(text)
        print(f"{path.relative_to(ROOT)}: {'stale, cure: make tables' if options.check else 'written'}")
    return 1 if options.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
