import math

import pytest

from v2g.energy.needs import Needs


@pytest.mark.parametrize(
    ("needs", "floor", "lower", "target", "ceiling"),
    [
        (Needs(), 0.0, 0.0, math.inf, math.inf),  # nothing said: take what comes, give nothing
        (Needs(energy_maximum=30e3), 0.0, 0.0, 30e3, 30e3),
        (Needs(energy_target=20e3, energy_maximum=30e3, energy_minimum=-10e3), -10e3, -10e3, 20e3, 30e3),
        (Needs(energy_target=20e3, energy_maximum=30e3, energy_minimum=5e3), 5e3, 0.0, 20e3, 30e3),  # below its reserve
        (Needs(energy_target=-4e3, energy_maximum=6e3, energy_minimum=-20e3), -20e3, -20e3, -4e3, 6e3),  # above its target
        (Needs(energy_target=40e3, energy_maximum=30e3), 0.0, 0.0, 30e3, 30e3),  # more than fits
        (Needs(energy_maximum=-1.0, energy_target=5.0), 0.0, 0.0, 0.0, 0.0),  # overfull
        (Needs(energy_minimum=-10e3, v2x_minimum=-4e3, energy_maximum=1e3), -10e3, -4e3, 1e3, 1e3),  # the V2X range is stricter
        (Needs(energy_minimum=-10e3, v2x_minimum=2e3, energy_maximum=3e3), -10e3, 0.0, 3e3, 3e3),  # below the V2X range
        (Needs(v2x_minimum=-4e3, energy_maximum=1e3), -4e3, -4e3, 1e3, 1e3),
        (Needs(soc=50.0, minimum_soc=20.0, target_soc=80.0, capacity=60e3), -18e3, -18e3, 18e3, 30e3),
        (Needs(soc=50.0, minimum_soc=20.0, capacity=60e3, energy_minimum=-9e3), -9e3, -9e3, 30e3, 30e3),  # the strictest
        (Needs(soc=50.0, target_soc=80.0, capacity=60e3, energy_target=7e3), 0.0, 0.0, 7e3, 30e3),  # energy before SOC
        (Needs(soc=10.0, minimum_soc=30.0, target_soc=20.0, capacity=60e3), 12e3, 0.0, 12e3, 54e3),  # the reserve before the target
    ],
)
def test_energies_follow_from_what_was_said(needs: Needs, floor: float, lower: float, target: float, ceiling: float) -> None:
    assert (needs.floor, needs.lower, needs.target, needs.ceiling) == pytest.approx((floor, lower, target, ceiling))


@pytest.mark.parametrize("field", ["departure", "energy_target", "charge_maximum", "soc"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_only_finite_numbers_are_needs(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Needs(**{field: value})  # type: ignore[arg-type]
