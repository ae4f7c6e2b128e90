"""Powers of single phases and the rating of an inverter: where the tables put them, and no more than car and outlet can both do."""

from dataclasses import replace

import pytest

from ocpp_bridge.model import mapping
from ocpp_bridge.model.der import BODIES
from ocpp_bridge.model.phases import FOLLOWED
from ocpp_bridge.wire.schemas import check
from secc.station import Limits, PhasePowers
from tests.ocpp_bridge.test_mapping import older, wish
from v2g.energy.der import InverterRating
from v2gkit.csms.steering import needs_of

THREE = Limits(charge_power=6_000, discharge_power=3_000, charge_power_minimum=300, phases=3)


def said(**more) -> dict:
    payload = mapping.needs_of(1, replace(wish("AC_BPT", limits=THREE), **more))
    check("ocpp2.1", "NotifyEVChargingNeeds", "Request", payload)
    assert "derChargingParameters" not in older("NotifyEVChargingNeeds", payload)["chargingNeeds"]
    return payload["chargingNeeds"]


def test_each_phase_is_told_as_far_as_car_and_outlet_can_both_use_it():
    phases = PhasePowers(charge=(3_000, 2_000, 1_000), charge_minimum=(50, 200, 50), discharge=(2_500, 500))
    v2x = said(phases=phases)["v2xChargingParameters"]
    assert [v2x[f"maxChargePower{phase}"] for phase in ("", "_L2", "_L3")] == [2_000, 2_000, 1_000]
    assert [v2x[f"minChargePower{phase}"] for phase in ("", "_L2", "_L3")] == [100, 200, 100]
    assert [v2x.get(f"maxDischargePower{phase}") for phase in ("", "_L2", "_L3")] == [1_000, 500, None]
    assert "minDischargePower_L2" not in v2x


def test_our_csms_reads_the_phases_as_the_car_meant_them():
    """A power beside those of L2 and L3 is that of L1: who takes it for the total steers by a third."""
    phases = PhasePowers(charge=(2_000, 1_500, 1_000), discharge=(900, 500))
    read = needs_of(mapping.needs_of(1, replace(wish("AC_BPT", limits=THREE), phases=phases)))
    assert (read.charge_maximum, read.discharge_maximum, read.charge_minimum) == (4_500, 1_400, 300)


def test_a_car_that_states_totals_or_an_outlet_of_one_phase_has_one_number():
    total = said()["v2xChargingParameters"]
    assert (total["maxChargePower"], "maxChargePower_L2" in total) == (6_000, False)
    single = said(phases=PhasePowers(charge=(3_000, 2_000)), limits=replace(THREE, phases=1))["v2xChargingParameters"]
    assert (single["maxChargePower"], "maxChargePower_L2" in single) == (6_000, False)


RATING = InverterRating(
    apparent_charge=(2_500, 2_500, 1_000), apparent_discharge=(4_000,), absorbed=(5_000,), injected=(900, 900, 900), injected_minimum=(10,),
    over_excited_power=8_000, over_excited_factor=0.8, nominal_voltage=230, voltage_offset=-1.5, discharge_energy=20_000,
    functions=("over_frequency", "under_frequency", "cos_phi", "trips", "dc_injection"), manufacturer="M" * 60, model="X",
)  # fmt: skip


def test_the_rating_of_an_inverter_is_told_as_far_as_the_outlet_carries_it():
    der = said(inverter=RATING)["derChargingParameters"]
    assert [der[f"maxChargeApparentPower{phase}"] for phase in ("", "_L2", "_L3")] == [2_000, 2_000, 1_000]
    assert der["maxDischargeApparentPower"] == 3_000
    assert der["maxApparentPower"] == 6_000
    assert der["maxChargeReactivePower"] == 3_000
    assert [der[f"maxDischargeReactivePower{phase}"] for phase in ("", "_L2", "_L3")] == [900, 900, 900]
    assert (der["minDischargeReactivePower"], "minChargeReactivePower" in der) == (10, False)
    assert (der["evOverExcitedMaxDischargePower"], der["evOverExcitedPowerFactor"]) == (8_000, 0.8)
    assert (der["nominalVoltage"], der["nominalVoltageOffset"], der["evSessionTotalDischargeEnergyAvailable"]) == (230, -1.5, 20_000)
    assert (der["evInverterManufacturer"], der["evInverterModel"], "evInverterSerialNumber" in der) == ("M" * 50, "X", False)
    assert sorted(der["evSupportedDERControl"]) == [
        "FixedPFAbsorb", "FixedPFInject", "FreqDroop", "HFMustTrip", "HVMustTrip", "LFMustTrip", "LVMustTrip",
    ]  # fmt: skip


@pytest.mark.parametrize("rating", [None, InverterRating()])
def test_of_an_inverter_of_which_nothing_is_known_nothing_is_told(rating):
    assert "derChargingParameters" not in said(inverter=rating)


def test_every_control_that_a_rating_can_name_is_one_of_ocpp():
    assert {control for controls in FOLLOWED.values() for control in controls} <= set(BODIES)
