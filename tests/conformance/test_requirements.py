"""Every requirement that code cites is named by a test, proven by a row of the table, or counted among those that are left."""

from docs.tables import PACKAGES, citations, proven
from tests.conformance.requirements import LEFT, PROVEN
from tests.conformance.test_cases import functions_of


def test_every_test_that_proves_a_requirement_is_there() -> None:
    proofs = [test.split("::") for tests in PROVEN.values() for test in tests]
    assert not {f"tests/{file}::{test}" for file, test in proofs if test not in functions_of(file)}


def test_every_requirement_that_code_cites_is_proven_or_counted() -> None:
    cited, tested = citations(PACKAGES).keys(), proven()
    assert sorted(PROVEN.keys() - cited) == [], "no code cites these any more"
    assert sorted(cited - tested.keys() - LEFT.keys()) == [], "name a test for these in tests/conformance/requirements.py"
    assert sorted(LEFT.keys() - cited) == [], "no code cites these any more"
