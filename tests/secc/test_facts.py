"""Every fact of a station's vocabulary is heard by the session and told by somebody."""

import ast
from functools import cache
from pathlib import Path

import pytest

from secc import station

ROOT = Path(__file__).parents[2]
FACTS = sorted(name for name, kind in vars(station).items() if isinstance(kind, type) and issubclass(kind, station.Fact))
FACTS.remove("Fact")
FOR_OTHERS = {"PauseAsked"}  # for a backend of the user's own: neither ours nor OCPP asks a car to pause


def trees(*folders: str) -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ast.unparse(node).rpartition(".")[2]


@cache
def cases() -> set[str]:
    """The classes that the cases of `secc/neutral/facts.py` name."""
    tree = ast.parse((ROOT / "secc/neutral/facts.py").read_text(encoding="utf-8"))
    return {last_name(node.cls) for node in ast.walk(tree) if isinstance(node, ast.MatchClass)}


@cache
def made() -> set[str]:
    """What is called by whoever may tell a session something."""
    return {last_name(n.func) for tree in trees("secc", "ocpp_bridge", "v2gkit") for n in ast.walk(tree) if isinstance(n, ast.Call)}


def test_there_are_facts() -> None:
    assert {"Authorized", "ContactorIs", "EmergencyStop"} <= set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_a_session_has_a_case_for_it(name: str) -> None:
    assert name in cases(), f"secc/neutral/facts.py has no case for {name}: a session would be told and do nothing"


@pytest.mark.parametrize("name", FACTS)
def test_somebody_tells_it(name: str) -> None:
    assert (name in made()) != (name in FOR_OTHERS), (
        f"nobody in secc, ocpp_bridge or v2gkit makes a {name}, or somebody does: then strike it from FOR_OTHERS"
    )
