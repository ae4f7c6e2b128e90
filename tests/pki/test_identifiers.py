"""eMAIDs and their check digit."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import IdentifierError
from pki.identifiers import ALPHABET, check_digit, emaid, identifier, same_account

PUBLISHED = [  # pairs that roaming platforms publish for the algorithm of ISO 15118-1 Annex H
    "NN123ABCDEFGHIT", "FRXYZ1234567892", "ITA1B2C3E4F5G64", "ESZU8WOX834H1DR", "PT73902837ABCZZ", "DE83DUIEN83QGZD",
    "DE83DUIEN83ZGQM", "DE8AA0012345670", "NLTNM000122045U", "NLTNM000722345X", "NLTNMC00122045K",
]  # fmt: skip


@pytest.mark.parametrize("known", PUBLISHED)
def test_the_check_digit_is_the_published_one(known: str) -> None:
    assert check_digit(known[:14]) == known[14]
    assert str(emaid(known)) == known


@given(st.text(ALPHABET, min_size=14, max_size=14), st.integers(0, 12))
def test_the_check_digit_sees_swapped_neighbours(body: str, at: int) -> None:
    swapped = body[:at] + body[at + 1] + body[at] + body[at + 2 :]
    assert swapped == body or check_digit(swapped) != check_digit(body)


@given(st.text(ALPHABET, min_size=14, max_size=14), st.integers(0, 13), st.sampled_from(ALPHABET))
def test_the_check_digit_sees_a_wrong_character(body: str, at: int, other: str) -> None:
    wrong = body[:at] + other + body[at + 1 :]
    assert wrong == body or check_digit(wrong) != check_digit(body)


def test_separators_and_case_do_not_matter() -> None:
    assert str(emaid("de-83d-uiEN83QGZ-d")) == "DE83DUIEN83QGZD"
    assert same_account("DE*83D*UIEN83QGZ", "DE83DUIEN83QGZD")
    assert not same_account("DE83DUIEN83QGZD", "DE83DUIEN83ZGQM")


@pytest.mark.parametrize(
    "wrong", ["", "DE", "DE83DUIEN83QGZX", "DE83DUIEN83QGZDD", "9983DUIEN83QGZ", "DE83DUIEN83QGÜ", "DE83DUIEN83QG\x00"]
)
def test_what_is_no_emaid_is_refused(wrong: str) -> None:
    with pytest.raises(IdentifierError):
        emaid(wrong)


@given(st.text())
def test_any_text_is_an_emaid_or_an_error(text: str) -> None:
    with suppress(IdentifierError):
        assert len(str(emaid(text))) in (14, 15)


def test_an_identifier_is_bounded() -> None:
    assert identifier("WMIV1234567890ABCDEX")
    for wrong in ("", "x" * 65, "a\nb"):
        with pytest.raises(IdentifierError):
            identifier(wrong)
