"""Cars of one phase and of three at outlets of one and of three: nobody takes on a phase what is there for three."""

from dataclasses import replace

import pytest

from evcc.ev import AC_INLET, Ev
from secc import station as words
from tests.evcc.test_pair import VERIFIER, car, ended
from tests.evcc.virtual_pair import LIMITS, Pair, outlet


@pytest.mark.parametrize("service", ["AC", "AC_BPT", "AC_DER_IEC", "AC_DER_SAE"])
@pytest.mark.parametrize(("inlet", "post", "most"), [(1, 3, 7_360.0), (3, 3, 22_000.0), (3, 1, 7_333.0), (1, 1, 7_360.0)])
def test_a_car_takes_the_share_of_the_phases_that_it_uses(service: str, inlet: int, post: int, most: float) -> None:
    visitor = car(service, "Dynamic", loops=6)
    visitor.ev = Ev(energy=20_000, ac=replace(AC_INLET, charge_power=22_000.0, phases=inlet))
    limits = replace(LIMITS, charge_power=7_360.0 * post, discharge_power=7_360.0 * post, phases=post)
    pair = Pair(visitor, outlet=outlet(limits=limits), given=VERIFIER, setpoint=22_000.0)
    assert ended(pair) == "Terminate"
    powers = [one.power for one in pair.of(words.EVReported) if one.power is not None]
    assert max(powers) == pytest.approx(most, abs=10)
