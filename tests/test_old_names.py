"""No name of the tree as it once was, in code or documents; every path that a document names is there."""

import re
from pathlib import Path

import pytest

from docs.tables import documents
from tests.rooms import OURS

ROOT = Path(__file__).parent.parent
FOLDERS = (*OURS, "tests", "docs", "bench", "fuzz", "packaging", ".ci", ".github")
KINDS = {".py", ".md", ".ipynb", ".toml", ".yml", ".yaml", ".cfg", ".in", ".service", ".bb", ".inc", ".json", ".c", ".h", ".sh", ""}
HISTORY = {"CHANGELOG.md", "tests/test_old_names.py"}  # tell of what was
OLD = re.compile(
    r"(?<![\w./])lab[./](?=[a-z_])"  # as a package of its own: inside v2gkit it is one
    r"|(?<![\w./])energy/(?=\w)"
    r"|(?<!yield )(?:from|import) (?:lab|energy)\b"
    r"|\bsecc[./](?:answers|context|facts|supervision|requests|services|session)\b"
    r"|\bevcc[./](?:scripts|ac|dc|mode|offered|profile|tariff|contract|provisioning|services|session)\b"
    r"|\bv2g[./]session[./](?:sequence|timing|rational|limits)\b"
    r"|(?<![\w.])pki[./]broken"
    r"|\bv2gkit[./]lab[./](?:wall|pki|csms|report|cli|peers|interop|est|ocsp)\b"
)
NAMED = re.compile(rf"`((?:{'|'.join((*OURS, 'tests', 'docs', 'bench', 'fuzz', 'packaging'))})/[\w./-]*)`")


def texts() -> list[Path]:
    """Every file of the project that people write."""
    inside = [p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix in KINDS]
    top = [p for p in ROOT.iterdir() if p.is_file() and p.suffix in KINDS and p.name not in (".git", ".coverage")]
    kept = (p for p in (*top, *inside) if not {"__pycache__", "build", "certs"} & set(p.relative_to(ROOT).parts))
    return sorted(p for p in kept if p.relative_to(ROOT).as_posix() not in HISTORY)


def test_no_name_of_the_tree_as_it_was() -> None:
    found = []
    for path in texts():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [f"{path.relative_to(ROOT)}:{n}: {line.strip()[:100]}" for n, line in enumerate(lines, 1) if OLD.search(line)]
    assert not found, "names of the tree as it was:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "lab/cli.py",
        "from lab.report import page",
        "`energy/offer.py`",
        "secc.answers",
        "evcc/scripts/charge",
        "v2g.session.timing",
        "pki/broken.py",
    ],
)
def test_an_old_name_is_noticed(text: str) -> None:
    assert OLD.search(text)


@pytest.mark.parametrize(
    "text",
    ["v2gkit.lab.demo", "v2gkit/lab/data", "v2g/energy/offer.py", "secc/neutral/facts.py", "at.pki.broken(1)", "yield from energy(car)"],
)
def test_a_name_of_today_is_not(text: str) -> None:
    assert not OLD.search(text)


@pytest.mark.parametrize("document", [p.relative_to(ROOT).as_posix() for p in documents() if p.name != "CHANGELOG.md"])
def test_every_path_that_a_document_names_is_there(document: str) -> None:
    named = {name for name in NAMED.findall((ROOT / document).read_text(encoding="utf-8")) if "NAME" not in name}
    gone = sorted(name for name in named if not (ROOT / name).exists())
    assert not gone, f"{document} names {gone}, which are not there"
