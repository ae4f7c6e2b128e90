"""What is said of a requirement: something in words for each that our code cites, and where it is obeyed."""

from v2gkit.insight.viewer.requirements import UNKNOWN, Requirements, _book
from v2gkit.insight.viewer.told import CITED
from v2gkit.insight.viewer.words import WORDS


def test_every_requirement_that_code_cites_has_words_and_a_place() -> None:
    told = {name: Requirements().told(name) for name in _book()}
    assert len(told) > 100
    for name, line in told.items():
        assert line is not None
        assert line["said"] not in ("", UNKNOWN), name
        assert line["where"].endswith(".py"), name


def test_words_are_of_requirements_that_code_cites() -> None:
    assert set(WORDS) - set(_book()) == set()
    assert all(CITED.fullmatch(name) and said.endswith(".") for name, said in WORDS.items())


def test_one_that_nothing_cites_says_where_its_text_is() -> None:
    requirements = Requirements()
    line = requirements.told("V2G20-99999")
    assert line is not None
    assert line["said"] == UNKNOWN
    assert requirements.told("V2G20-99999") is None, "each is told once"
