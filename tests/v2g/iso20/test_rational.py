"""Physical values as RationalNumberType, at the ends of what a float can be."""

import math
import sys
from typing import get_args

import pytest

from v2g.iso20.rational import Rounding, number, rational
from v2g.messages.common_types import RationalNumberType

LEAST = math.ulp(0.0)


@pytest.mark.parametrize("value", [LEAST, 3 * LEAST, sys.float_info.min, 1e-200, 1e-130])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("rounding", get_args(Rounding))
def test_the_least_floats_are_numbers_too(value: float, sign: int, rounding: Rounding) -> None:
    told = rational(sign * value, rounding)
    assert -128 <= told.Exponent <= 127
    assert abs(number(told) - sign * value) <= 1e-127


def test_ordinary_values_are_as_ever() -> None:
    assert rational(400.0) == RationalNumberType(Exponent=0, Value=400)
    assert rational(0.0) == rational(-0.0) == RationalNumberType(Exponent=0, Value=0)
    assert rational(32767.0) == RationalNumberType(Exponent=0, Value=32767)
