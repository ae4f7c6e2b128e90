"""The identifiers of contracts, cars and stations: eMAID, PCID, EVCCID, EVSEID; and the check digit of an eMAID.

The check digit is the matrix code of ISO 15118-1 Annex H: a character is a number below 36, split into two digits of base 2 and two of
base 3; each pair is summed over the positions, multiplied by growing powers of a fixed matrix. One wrong character, two swapped neighbours
and the usual twin errors all change it.
"""

import re
from dataclasses import dataclass

from pki.errors import IdentifierError

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SEPARATORS = str.maketrans("", "", "-*")
BODY = re.compile(r"[A-Z]{2}[0-9A-Z]{3}[0-9A-Z]{9}")  # country, provider, instance
MAX_IDENTIFIER = 64  # characters: identifierType of -20 has 255, a common name of X.509 has 64, and these are both

Pair = tuple[int, int]
_BINARY = ((0, 1), (1, 1))  # modulo 2
_TERNARY = ((0, 1), (1, 2))  # modulo 3
_TERNARY_FINAL = ((0, 2), (2, 1))


@dataclass(frozen=True, slots=True)
class Emaid:
    """An e-mobility account identifier, without separators and in capitals."""

    country: str
    provider: str  # three characters
    instance: str  # nine characters
    check: str | None = None  # absent in the 14-character form

    def __str__(self) -> str:
        return self.country + self.provider + self.instance + (self.check or "")


def emaid(text: str) -> Emaid:
    """An eMAID of 14 or, with check digit, 15 characters, separators and case aside.

    Raises IdentifierError for another length or alphabet, or a check digit that does not fit.
    """
    plain = normalised(text)
    if not formed(text):
        raise IdentifierError(f"{text[:40]!r} is no eMAID: two letters, three and nine characters, and perhaps a check digit")
    found = Emaid(plain[:2], plain[2:5], plain[5:14], plain[14:] or None)
    if found.check is not None and found.check != check_digit(plain[:14]):
        raise IdentifierError(f"eMAID {plain} ends in {found.check} where its check digit is {check_digit(plain[:14])}")
    return found


def normalised(text: str) -> str:
    """An eMAID in the form in which eMAIDs are compared: without separators, in capitals."""
    return text.translate(SEPARATORS).upper()


def same_account(left: str, right: str) -> bool:
    """Whether two eMAIDs name the same account: a missing check digit does not tell them apart."""
    left, right = normalised(left), normalised(right)
    return left == right or (len(left) != len(right) and left[:14] == right[:14] and {len(left), len(right)} == {14, 15})


def formed(text: str) -> bool:
    """Whether a text has the length and the letters of an eMAID, whatever its check digit."""
    plain = normalised(text)
    return len(plain) in (14, 15) and BODY.fullmatch(plain[:14]) is not None and not plain[14:].strip(ALPHABET)


def doubt(text: str) -> str:
    """What is wrong with the form of an eMAID; empty where nothing is. Only its provider can tell whether the account exists."""
    try:
        emaid(text)
    except IdentifierError as error:
        return str(error)
    return ""


def check_digit(body: str) -> str:
    """The check digit of the first 14 characters of an eMAID. Raises IdentifierError for a character outside 0-9, A-Z."""
    strange = [character for character in body if character not in ALPHABET]
    if strange:
        raise IdentifierError(f"{strange[0]!r} in {body[:40]!r} is neither a digit nor a capital letter")
    binary, ternary = (0, 0), (0, 0)
    for character in reversed(body):
        value = ALPHABET.index(character)
        binary = _times((binary[0] + value // 18, binary[1] + value // 9 % 2), _BINARY, 2)
        ternary = _times((ternary[0] + value // 3 % 3, ternary[1] + value % 3), _TERNARY, 3)
    ternary = _times(ternary, _TERNARY_FINAL, 3)
    return ALPHABET[18 * binary[0] + 9 * binary[1] + 3 * ternary[0] + ternary[1]]


def identifier(text: str) -> str:
    """An EVCCID, PCID or EVSEID in the form that the common name of a certificate has. Raises IdentifierError."""
    if not 1 <= len(text) <= MAX_IDENTIFIER or not text.isprintable():
        raise IdentifierError(f"{text[:40]!r} is no identifier: 1 to {MAX_IDENTIFIER} printable characters")
    return text


def _times(vector: Pair, matrix: tuple[Pair, Pair], modulus: int) -> Pair:
    (a, b), ((c, d), (e, f)) = vector, matrix
    return (a * c + b * e) % modulus, (a * d + b * f) % modulus
