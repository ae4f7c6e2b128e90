"""What documents repeat of the code is what the code says, and notebooks are kept without what they answered."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from docs import tables
from v2g.generations import GENERATIONS
from v2g.iso20.services import SERVICES
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType
from v2g.reasons import Reason
from v2g.session.profiles import EVERYWHERE, PROFILES
from v2g.session.v2gtp import PayloadType

ROOT = Path(__file__).parents[1]


def test_no_table_of_a_document_is_stale() -> None:
    assert not tables.stale(), f"{[str(path.relative_to(ROOT)) for path in tables.stale()]}: printed from older code; cure: make tables"


def test_a_stale_table_is_noticed() -> None:
    page = (ROOT / "docs/reference/sequence.md").read_text()
    assert tables.printed(page) == page
    assert tables.printed(page.replace("`DC_PreChargeReq`", "`DC_Nothing`")) == page


def test_every_table_has_its_place() -> None:
    placed = [name for path in tables.documents() for _, name, _, _ in tables.PLACE.findall(path.read_text())]
    assert sorted(placed) == sorted(tables.TABLES)


def test_every_page_is_in_the_navigation() -> None:
    pages = {str(path.relative_to(ROOT / "docs")) for kind in ("*.md", "*.ipynb") for path in (ROOT / "docs").rglob(kind)}
    named = set(re.findall(r"(?:: |- )([\w/-]+\.(?:md|ipynb))$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert pages == named, f"mkdocs.yml: {sorted(pages - named)} are not in nav, {sorted(named - pages)} are no pages"


def test_the_tables_hold_every_row() -> None:
    sequence = tables.sequence_table()
    for generation in GENERATIONS:
        (part,) = (part for part in sequence.split("### ") if part.startswith(f"{generation.name}\n"))
        requests = {row.request.__name__ for row in generation.rows.values()}
        assert requests == {name for name in part.split("`") if name.endswith("Req") or name == "SessionStopType"}  # DIN's
        for row in generation.rows.values():
            assert row.state.value in part
    assert all(reason.value in tables.code_table() for reason in Reason)
    assert all(f"`{mode.value}`" in tables.mode_table() for mode in EnergyTransferModeType)
    assert len(re.findall("every other request", tables.pair_table())) == len(GENERATIONS)
    assert "| `SECC_ONGOING_TIMEOUT` | 55 s |" in tables.timing_table()
    deviations = tables.deviation_table()
    assert all(row.name in deviations and row.requirement in deviations for rows in PROFILES.values() for row in rows)
    assert all(row.name in deviations and row.requirement in deviations for row in EVERYWHERE)
    services = tables.service_table()
    assert all(f"| `{row.name}` | {row.id} |" in services for row in SERVICES.values())
    assert all(f"0x{int(one):04X}" in tables.payload_table() for one in PayloadType)
    commands = dict(tables.commands())
    assert all(commands.values())
    assert {("demo",), ("secc",), ("ev",), ("pki", "create"), ("pki", "verify"), ("exi", "decode")} <= set(commands)
    assert set(commands) == {tuple(cell.split()[1:]) for cell in tables.command_table().split("`") if cell.startswith("v2g ")}
    exits = tables.exit_table()
    for path in commands:
        assert len(path) > 1 or f"| `v2g {path[0]}` |" in exits


def test_the_first_page_names_every_service() -> None:
    (line,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| **Services** |")]
    named = line.split("|")[2].partition(";")[0]
    assert [name.strip() for name in named.split(",")] == list(SERVICES)


def test_every_extra_says_what_it_is_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    silent = set(extras) - {"all"} - set(tables.purposes())
    assert not silent, f"pyproject.toml: {sorted(silent)}: a remark behind an extra says what it is for"


def test_requirements_are_found_where_they_are_cited() -> None:
    cited, table = tables.citations(tables.PACKAGES), tables.requirement_table()
    assert "v2g/iso20/timing.py" in cited["V2G20-441"]
    assert all(f"| {name} |" in table for name in cited)


@pytest.mark.parametrize("path", sorted((ROOT / "docs/notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_kept_without_answers(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    assert any(cell["cell_type"] == "code" for cell in cells)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells), f"{path.name}: clear its outputs"
