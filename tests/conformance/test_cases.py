"""Every case of the black-box catalogue and every defect seen in others is held by a test that is there, or says why none can be."""

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conformance.cases import NOT_BUILT, OTHERWISE, SHOWN
from tests.conformance.defects import HELD, NOT_OURS

TESTS = Path(__file__).parents[1]
SHARED = Path(os.environ.get("V2GKIT_SHARED", TESTS.parents[1] / "shared"))
CATALOGUE, DEFECTS = SHARED / "conformance_cases.tsv", SHARED / "reference" / "peer_defects.md"


@cache
def functions_of(file: str) -> frozenset[str]:
    """What pytest collects of a file: its functions at the outermost level."""
    found = ast.parse((TESTS / file).read_text(encoding="utf-8")).body
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def shown() -> Iterator[tuple[str, str, str]]:
    """Case, file and test of every row."""
    for file, tests in SHOWN.items():
        for test, cases in tests.items():
            yield from ((case, file, f"test_{test}") for case in cases.split())


def test_every_test_of_the_table_is_there() -> None:
    assert not {f"tests/{file}::{test}" for _, file, test in shown() if test not in functions_of(file)}


def test_no_case_is_both_shown_and_not_built() -> None:
    cases = {case for case, *_ in shown()}
    assert not cases & NOT_BUILT.keys()
    assert cases >= OTHERWISE.keys()


def test_a_test_that_is_named_after_a_case_stands_in_its_row() -> None:
    """`test_s_pnc_03_...` is a row of S-PNC-03: the name and the table say one thing."""
    rows = {(case, file, test) for case, file, test in shown()}
    known = {case for case, *_ in rows}
    for file in sorted(path.relative_to(TESTS).as_posix() for path in (TESTS / "conformance").glob("test_*.py")):
        for test in functions_of(file):
            side, _, rest = test.removeprefix("test_").partition("_")
            named = rest.split("_")
            if side not in {"s", "e"} or not named[1:2] or not named[1].isdigit():
                continue
            case = f"{side.upper()}-{named[0].upper()}-{named[1]}"
            assert case in known, f"{file}::{test} is named after {case}, which no row has"


@pytest.mark.skipif(not CATALOGUE.exists(), reason="no catalogue of cases beside the checkout (V2GKIT_SHARED)")
def test_every_case_of_the_catalogue_is_shown_or_says_why_not() -> None:
    catalogue = {line.split("\t")[0] for line in CATALOGUE.read_text(encoding="utf-8").splitlines() if line}
    known = {case for case, *_ in shown()} | NOT_BUILT.keys()
    assert (sorted(catalogue - known), sorted(known - catalogue)) == ([], [])


def test_every_test_that_holds_a_defect_is_there() -> None:
    held = [test.split("::") for tests in HELD.values() for test in tests]
    assert not {f"tests/{file}::{test}" for file, test in held if test not in functions_of(file)}
    assert not HELD.keys() & NOT_OURS.keys()
    assert all(HELD.values())


@pytest.mark.skipif(not DEFECTS.exists(), reason="no list of defects beside the checkout (V2GKIT_SHARED)")
def test_every_defect_of_the_list_is_held_or_says_why_not() -> None:
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", DEFECTS.read_text(encoding="utf-8"), re.MULTILINE)}
    known = HELD.keys() | NOT_OURS.keys()
    assert (sorted(listed - known), sorted(known - listed)) == ([], [])
