"""Numbers as ISO 15118-2 and DIN SPEC 70121 carry them: a short times a power of ten from -3 to 3, in a unit."""

import math
from collections.abc import Callable
from typing import Final, Literal, Protocol

Rounding = Literal["nearest", "down", "up"]
_ROUND: Final[dict[Rounding, Callable[[float], int]]] = {"nearest": round, "down": math.floor, "up": math.ceil}
_LIMIT: Final = 2**15 - 1
MOST: Final = _LIMIT * 1000.0  # in whatever unit


class Decimal(Protocol):
    """A physical value of any generation that has them: Value x 10^Multiplier."""

    @property
    def Multiplier(self) -> int:
        """The power of ten, -3 to 3."""

    @property
    def Value(self) -> int:
        """The number before it."""


def scaled(value: float, unit: str, rounding: Rounding = "nearest") -> tuple[int, int]:
    """Multiplier and value closest to a float, with up to three decimals and four to five significant digits.

    A limit rounds `down` (towards minus infinity) so that what is announced is never more than what is meant.
    Raises ValueError for a value that is not finite or beyond 32,767,000, naming its `unit`.
    """
    if not math.isfinite(value) or abs(value) > MOST:
        raise ValueError(f"{value:g} {unit} is no physical value: give a number within {MOST:g}")
    multiplier = -3
    while abs(whole := _rounded(value, multiplier, rounding)) > _LIMIT:
        multiplier += 1
    while whole and whole % 10 == 0 and multiplier < 0:  # 400 V reads as 400, not as 4000e-1
        whole, multiplier = whole // 10, multiplier + 1
    return multiplier if whole else 0, whole


def _rounded(value: float, multiplier: int, rounding: Rounding) -> int:
    exact = value * 10.0**-multiplier
    nearest = round(exact)
    # 0.1 + 0.2 must not floor to 0.2999: what is closer than a float can tell is that integer
    return nearest if abs(exact - nearest) <= 1e-9 * max(1.0, abs(exact)) else _ROUND[rounding](exact)


def number(value: Decimal) -> float:
    """The float that a physical value states, in its own unit."""
    return float(value.Value) * 10.0**value.Multiplier


def optional(value: Decimal | None) -> float | None:
    """The float that a physical value states; None for an absent element."""
    return None if value is None else number(value)
