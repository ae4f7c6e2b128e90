"""Physical values between floats in SI units and `PhysicalValueType`: Value (a short) x 10^Multiplier (-3 to 3), in a Unit."""

import math
from collections.abc import Callable
from typing import Final, Literal

from v2g.messages.iso2.msg_data_types import PhysicalValueType, unitSymbolType

Rounding = Literal["nearest", "down", "up"]
_ROUND: Final[dict[Rounding, Callable[[float], int]]] = {"nearest": round, "down": math.floor, "up": math.ceil}
_LIMIT: Final = 2**15 - 1
MOST: Final = _LIMIT * 1000.0  # in whatever unit
V, A, W, Wh, s = unitSymbolType.V, unitSymbolType.A, unitSymbolType.W, unitSymbolType.Wh, unitSymbolType.s


def physical(value: float, unit: unitSymbolType, rounding: Rounding = "nearest") -> PhysicalValueType:
    """A float with its unit as the closest PhysicalValueType, with up to three decimals and four to five significant digits.

    A limit rounds `down` (towards minus infinity) so that what is announced is never more than what is meant.
    Raises ValueError for a value that is not finite or beyond 32,767,000.
    """
    if not math.isfinite(value) or abs(value) > MOST:
        raise ValueError(f"{value:g} {unit.value} is no physical value: give a number within {MOST:g}")
    multiplier = -3
    while abs(scaled := _scaled(value, multiplier, rounding)) > _LIMIT:
        multiplier += 1
    while scaled and scaled % 10 == 0 and multiplier < 0:  # 400 V reads as 400, not as 4000e-1
        scaled, multiplier = scaled // 10, multiplier + 1
    return PhysicalValueType(Multiplier=multiplier if scaled else 0, Unit=unit, Value=scaled)


def _scaled(value: float, multiplier: int, rounding: Rounding) -> int:
    exact = value * 10.0**-multiplier
    nearest = round(exact)
    # 0.1 + 0.2 must not floor to 0.2999: what is closer than a float can tell is that integer
    return nearest if abs(exact - nearest) <= 1e-9 * max(1.0, abs(exact)) else _ROUND[rounding](exact)


def number(value: PhysicalValueType) -> float:
    """The float that a physical value states, in its own unit."""
    return float(value.Value) * 10.0**value.Multiplier


def optional(value: PhysicalValueType | None) -> float | None:
    """The float that a physical value states; None for an absent element."""
    return None if value is None else number(value)
