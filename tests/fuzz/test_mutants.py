"""The hunt for mutants, over a tree of one function: it tells a test that fails from one that passes, hangs or cannot be run."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.behaviours import Mutant
from fuzz.mutants import MUTANTS, ROOT, chosen, hunt, judged, main, sound

CODE = "def least(a, b):\n    return min(a, b)\n"
TESTS = """
from lib import least

def test_it():
    assert least(1, 2) == 1
    assert least(2, 1) == 1

def test_nothing():
    least(1, 2)
"""
ROW = Mutant("the greater", "1", "lib.py", "min(a, b)", "max(a, b)", ("tests.py::test_it",), "the greater is taken")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # tests of one line need none, and each would be imported for every mutant
    clean = tmp_path / "clean"
    clean.mkdir()
    (clean / "lib.py").write_text(CODE)
    (clean / "tests.py").write_text(TESTS)
    (clean / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return clean


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({}, "killed", "tests.py::test_it"),
        ({"targets": ("tests.py::test_nothing",)}, "survived", "the greater is taken"),
        ({"text": "min(b, a)"}, "stale", "lib.py"),
        ({"text": "a"}, "stale", "lib.py"),
        ({"file": "gone.py"}, "stale", "gone.py"),
        ({"instead": "min(a, b"}, "broken", "no test could be run"),
    ],
)
def test_what_becomes_of_a_mutant_is_told(small: Path, changes: dict[str, object], verdict: str, said: str) -> None:
    found = judged(replace(ROW, **changes), small)  # type: ignore[arg-type]
    assert found.verdict == verdict, found
    assert said in found.by
    assert (small / "lib.py").read_text() == CODE


def test_tests_that_hang_have_not_noticed(small: Path) -> None:
    found = judged(replace(ROW, instead="exec('while True: pass')"), small, limit=5.0)
    assert found.verdict == "hung"
    assert (small / "lib.py").read_text() == CODE


def test_each_mutant_has_a_tree_without_the_others(small: Path) -> None:
    rows = [ROW, replace(ROW, targets=("tests.py::test_nothing",)), ROW, replace(ROW, text="return min", instead="return -min")]
    assert [found.verdict for _, found in hunt(rows, 2, small)] == ["killed", "survived", "killed", "killed"]
    assert (small / "lib.py").read_text() == CODE


def test_tests_that_are_red_already_show_nothing(small: Path) -> None:
    assert sound(small, [ROW]) == ""
    (small / "lib.py").write_text(CODE.replace("min", "max"))
    os.utime(small / "lib.py", (0, 0))  # of the same size, and perhaps of the same second: Python would take the bytecode of before
    assert "test_it" in sound(small, [ROW])


def test_rows_are_told_apart_and_chosen_by_name_or_fault(capsys: pytest.CaptureFixture[str]) -> None:
    names = [row.name for row in MUTANTS]
    assert len(set(names)) == len(names)
    assert [row.name for row in chosen([names[3]])] == [names[3]]
    assert {row.fault for row in chosen(["S19", "T06"])} == {"S19", "T06"}
    with pytest.raises(SystemExit):
        main(["--only", "no such row"])
    assert names[0] in capsys.readouterr().err


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_row_fits_the_code(mutant: Mutant) -> None:
    """The line that a row breaks stands in its file once, and the tests that must notice exist: a row that fits nothing guards nothing."""
    found = (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.text)
    assert found == 1, f"{mutant.name}: {mutant.text!r} stands {found} times in {mutant.file}; write the row anew in fuzz/"
    for target in mutant.targets:
        file, _, name = target.partition("::")
        code = (ROOT / file).read_text(encoding="utf-8")
        assert not name or f"def {name.partition('[')[0]}(" in code, f"{mutant.name}: no test {target}"
