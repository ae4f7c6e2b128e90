"""Physical values between floats in SI units and `PhysicalValueType` of ISO 15118-2, whose unit is always said."""

from v2g.messages.iso2.msg_data_types import PhysicalValueType, unitSymbolType
from v2g.session.decimal import MOST, Rounding, number, optional, scaled

__all__ = ["MOST", "A", "Rounding", "V", "W", "Wh", "number", "optional", "physical", "s"]

V, A, W, Wh, s = unitSymbolType.V, unitSymbolType.A, unitSymbolType.W, unitSymbolType.Wh, unitSymbolType.s


def physical(value: float, unit: unitSymbolType, rounding: Rounding = "nearest") -> PhysicalValueType:
    """A float with its unit as the closest PhysicalValueType, by the rules of `scaled`. Raises ValueError where none is close."""
    multiplier, whole = scaled(value, unit.value, rounding)
    return PhysicalValueType(Multiplier=multiplier, Unit=unit, Value=whole)
