"""Every public name says what it is, so that a reader understands it without another docstring."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("v2g", "secc", "evcc", "pki", "ocpp_bridge", "v2gkit")
FEWEST_WORDS = 4
RIDDLE = re.compile(
    r"\W*(its?|they|them|their|those|these|(the )?same|likewise|also|both|again|such|others|so|else|otherwise|as(?= `))\b", re.IGNORECASE
)
"""How a docstring begins that speaks of something said elsewhere."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Name:
    """A public module, class, function or method, with what it says of itself."""

    path: str
    qualified: str
    docstring: str | None
    bases: tuple[str, ...] = ()  # of the class that a method belongs to

    def __str__(self) -> str:
        return f"{self.path}:{self.qualified}"


def names() -> Iterator[Name]:
    """Every public name of the packages. Messages are left out: their names are the standard's, and it says what they are."""
    for path in sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        where = str(path.relative_to(ROOT))
        if not where.startswith("v2g/messages/"):
            yield from names_in(where, path.read_text())


def names_in(path: str, text: str) -> Iterator[Name]:
    """The public names of one file."""
    tree = ast.parse(text)
    if tree.body:
        yield Name(path, "", ast.get_docstring(tree))
    yield from defined(path, "", (), tree.body)


def defined(path: str, within: str, bases: tuple[str, ...], body: list[ast.stmt]) -> Iterator[Name]:
    """The public definitions of a body: overloads once, setters with their getter."""
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
        if not marks & {"overload", "setter"}:
            yield Name(path, within + node.name, ast.get_docstring(node), bases)
        if isinstance(node, ast.ClassDef):
            parents = tuple(ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases)
            yield from defined(path, f"{within}{node.name}.", parents, node.body)


EVERY = tuple(names())
OURS = {name.qualified for name in EVERY}
PROTOCOLS = {name.qualified.partition(".")[0] for name in EVERY if "Protocol" in name.bases}
SAID = {name.qualified for name in EVERY if name.docstring}
SPOKEN = {one.partition(".")[2] for one in SAID if one.partition(".")[0] in PROTOCOLS}
"""Methods that a protocol of ours explains: whoever has one keeps what is said there."""


def inherits(name: Name) -> bool:
    """Whether the docstring of a method stands at what it overrides: in a base, in a protocol of ours, or in a stranger's class."""
    method = name.qualified.rpartition(".")[2]
    foreign = any(base not in OURS and base not in {"Protocol", "Enum", "NamedTuple", "Struct", "Exception"} for base in name.bases)
    return foreign or method in SPOKEN or any(f"{base}.{method}" in SAID for base in name.bases)


def riddle(docstring: str) -> str | None:
    """Why a docstring does not stand by itself, None: it does."""
    if found := RIDDLE.match(docstring):
        return f"begins with {found[0]!r}, which speaks of something that stands elsewhere: name it"
    if len(docstring.split()) < FEWEST_WORDS:
        return f"has fewer than {FEWEST_WORDS} words: say what it returns or changes, with the unit"
    return None


def test_every_public_name_says_what_it_is() -> None:
    silent = [str(name) for name in EVERY if not name.docstring and not inherits(name)]
    assert not silent, f"{len(silent)} public names without docstring: {silent}"


def test_no_docstring_is_a_riddle() -> None:
    riddles = [f"{name}: {name.docstring!r} {why}" for name in EVERY if name.docstring and (why := riddle(name.docstring))]
    assert not riddles, f"{len(riddles)} docstrings:\n" + "\n".join(riddles)


@pytest.mark.parametrize(
    "docstring", ["Its two states as numbers.", "The same, later.", "In words.", "As sent.", "As `read`, for what a stranger sent."]
)
def test_a_riddle_is_noticed(docstring: str) -> None:
    assert riddle(docstring)


def test_a_name_without_docstring_is_noticed() -> None:
    found = {name.qualified: name.docstring for name in names_in("x.py", "class A:\n    def b(self): ...\n    def _c(self): ...\n")}
    assert found == {"": None, "A": None, "A.b": None}
