"""Physical values between floats in SI units and `PhysicalValueType` of DIN SPEC 70121, whose unit may be left out: we say it."""

from typing import Final

from v2g.messages.din.msg_data_types import PhysicalValueType, unitSymbolType
from v2g.session.decimal import MOST, Rounding, number, optional, scaled

__all__ = ["MOST", "MOST_POWER", "A", "Rounding", "V", "W", "Wh", "number", "optional", "physical", "s"]

V, A, W, Wh, s = unitSymbolType.V, unitSymbolType.A, unitSymbolType.W, unitSymbolType.Wh, unitSymbolType.s
MOST_POWER: Final = 2**15 - 1  # W: PMax and ChargingProfileEntryMaxPower are plain shorts


def physical(value: float, unit: unitSymbolType, rounding: Rounding = "nearest") -> PhysicalValueType:
    """A float with its unit as the closest PhysicalValueType, by the rules of `scaled`. Raises ValueError where none is close."""
    multiplier, whole = scaled(value, unit.value, rounding)
    return PhysicalValueType(Multiplier=multiplier, Unit=unit, Value=whole)
