"""A part of a context is made anew as `dataclasses.replace` makes it; limits that nobody cuts are themselves."""

from dataclasses import fields, is_dataclass, replace

import pytest

from secc.neutral.context import Context
from secc.neutral.replaced import replaced
from secc.station import Limits
from tests.secc.iso2.scripted2 import Scripted2


def test_every_part_is_made_as_the_library_makes_it() -> None:
    car = Scripted2()
    car.charging()
    known = car.session.context
    parts = [known, *(getattr(known, each.name) for each in fields(Context) if is_dataclass(getattr(known, each.name)))]
    assert {type(part).__name__ for part in parts} >= {"Context", "Given", "StationReport", "V2GSession", "ServiceSession"}
    for part in parts:
        name = fields(part)[0].name
        value = object()
        made = replaced(part, {name: value})
        assert made == replace(part, **{name: value})  # type: ignore[type-var]
        assert getattr(made, name) is value
    with pytest.raises(TypeError, match="nothing_of_it"):
        replaced(known, {"nothing_of_it": 1})


def test_limits_are_cut_on_every_side_and_stay_themselves_where_nothing_is_cut() -> None:
    wide = Limits(charge_power=60e3, voltage=920.0, voltage_minimum=150.0)
    assert wide.within(replace(wide)) is wide
    cut = wide.within(Limits(charge_power=10e3, voltage=500.0, voltage_minimum=200.0))
    assert (cut.charge_power, cut.voltage, cut.voltage_minimum) == (10e3, 500.0, 200.0)
