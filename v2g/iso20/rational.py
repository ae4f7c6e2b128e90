"""Physical values between floats in SI units and `RationalNumberType` (Value x 10^Exponent, Value a short, Exponent a byte)."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Literal

from v2g.messages.common_types import RationalNumberType

Rounding = Literal["nearest", "down", "up"]
_ROUND: Final[dict[Rounding, Callable[[float], int]]] = {"nearest": round, "down": math.floor, "up": math.ceil}
_LIMIT = 2**15 - 1


@lru_cache(maxsize=4096)  # a station says the same limits in every loop
def rational(value: float, rounding: Rounding = "nearest") -> RationalNumberType:
    """A float as the closest RationalNumberType with four to five significant digits.

    A limit rounds `down` (towards minus infinity) so that what is announced is never more than what is meant.
    Raises ValueError for a value that is not finite or beyond 32767e127.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is no physical value: give a finite number")
    if value == 0:
        return RationalNumberType(Exponent=0, Value=0)
    share = abs(value) / _LIMIT  # 0.0 for the least floats there are
    exponent = max(-128, math.ceil(math.log10(share))) if share else -128
    if exponent > 127:
        raise ValueError(f"{value:g} is beyond the greatest rational number, 32767e127")
    scaled = _scaled(value, exponent, rounding)
    if abs(scaled) > _LIMIT:
        exponent += 1
        scaled = _scaled(value, exponent, rounding)
    while scaled and scaled % 10 == 0 and exponent < 0:  # 400 V reads as 400, not as 4000e-1
        scaled, exponent = scaled // 10, exponent + 1
    return RationalNumberType(Exponent=exponent, Value=scaled)


def inward(value: float) -> RationalNumberType:
    """A power or current as a RationalNumberType, rounded towards zero: never more than was meant, in either direction."""
    return rational(value, "down" if value > 0 else "up")


def with_discharge_sign(fields: dict[str, Any], negative: bool) -> dict[str, Any]:
    """Fields of a message by name; where `negative`, with the sign of every discharge limit turned.

    The standard does not say which sign is meant. Our own ends read a discharge limit as a magnitude, whatever its sign.
    """
    if not negative:
        return fields
    turned = {name: value for name, value in fields.items() if "Discharge" in name and isinstance(value, RationalNumberType)}
    return fields | {name: RationalNumberType(Exponent=value.Exponent, Value=-value.Value) for name, value in turned.items()}


def _scaled(value: float, exponent: int, rounding: Rounding) -> int:
    exact = value * 10.0**-exponent
    nearest = round(exact)
    # 0.1 + 0.2 must not floor to 0.2999: what is closer than a float can tell is that integer
    return nearest if abs(exact - nearest) <= 1e-9 * max(1.0, abs(exact)) else _ROUND[rounding](exact)


def number(value: RationalNumberType) -> float:
    """The float that a rational number states."""
    return float(value.Value) * 10.0**value.Exponent


def optional(value: RationalNumberType | None) -> float | None:
    """The float that a rational number states; None for an absent element."""
    return None if value is None else number(value)
