"""What NotifyEVChargingNeeds says phase by phase, and of the inverter of a car that feeds the grid (derChargingParameters).

A field alone is the sum of all phases; with its _L2 and _L3 it is that of L1. Of two maxima the lower is told, of two minima the higher.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from ocpp_bridge.model.measurands import rounded
from ocpp_bridge.wire.schemas import Payload
from secc.station import Limits, PhasePowers
from v2g.energy.der import InverterRating

SUFFIXES: Final = ("", "_L2", "_L3")
FOLLOWED: Final[dict[str, tuple[str, ...]]] = {  # by what an inverter can follow: the controlTypes by which it is asked for
    "over_frequency": ("FreqDroop",),
    "under_frequency": ("FreqDroop",),
    "volt_watt": ("VoltWatt",),
    "volt_var": ("VoltVar",),
    "watt_var": ("WattVar",),
    "watt_cos_phi": ("WattPF",),
    "var": ("FixedVar",),
    "cos_phi": ("FixedPFAbsorb", "FixedPFInject"),
    "discharge_maximum": ("LimitMaxDischarge",),
    "trips": ("HFMustTrip", "HVMustTrip", "LFMustTrip", "LVMustTrip"),
    "enter_service": ("EnterService",),
}
RATED: Final[tuple[tuple[str, str], ...]] = (  # what the car says of itself alone
    ("evOverExcitedMaxDischargePower", "over_excited_power"),
    ("evOverExcitedPowerFactor", "over_excited_factor"),
    ("evUnderExcitedMaxDischargePower", "under_excited_power"),
    ("evUnderExcitedPowerFactor", "under_excited_factor"),
    ("nominalVoltage", "nominal_voltage"),
    ("nominalVoltageOffset", "voltage_offset"),
    ("maxNominalVoltage", "voltage"),
    ("minNominalVoltage", "voltage_minimum"),
    ("evReactiveSusceptance", "susceptance"),
    ("evSessionTotalDischargeEnergyAvailable", "discharge_energy"),
)
MADE: Final = {
    "evInverterManufacturer": "manufacturer",
    "evInverterModel": "model",
    "evInverterSerialNumber": "serial",
    "evInverterSwVersion": "software",
    "evInverterHwVersion": "hardware",
}
TEXT: Final = 50  # characters of such a field


def phased(car: PhasePowers, limits: Limits) -> dict[str, float]:
    """The powers (W) of v2xChargingParameters that a car states phase by phase, as far as the outlet has those phases."""
    said: dict[str, float] = {}
    for name, powers, bound, choose in (
        ("maxChargePower", car.charge, limits.charge_power, min),
        ("minChargePower", car.charge_minimum, limits.charge_power_minimum, max),
        ("maxDischargePower", car.discharge, limits.discharge_power, min),
        ("minDischargePower", car.discharge_minimum, limits.discharge_power_minimum, max),
    ):
        if len(powers) > 1 and limits.phases > 1:
            said |= _each(name, powers, choose, bound, limits.phases)
    return said


def der_parameters(rating: InverterRating, limits: Limits) -> Payload:
    """The derChargingParameters of a car's inverter at an outlet, which carries as many VA and var as it has W.

    Empty where the car said nothing.
    """
    said: dict[str, Any] = {}
    powers = (limits.charge_power, limits.discharge_power)
    for name, stated, bound in (
        ("maxChargeApparentPower", rating.apparent_charge, powers[0]),
        ("maxDischargeApparentPower", rating.apparent_discharge, powers[1]),
        ("maxChargeReactivePower", rating.absorbed, min(powers)),
        ("maxDischargeReactivePower", rating.injected, min(powers)),
    ):
        said |= _each(name, stated, min, bound, limits.phases)
    for name, stated in (("minChargeReactivePower", rating.absorbed_minimum), ("minDischargeReactivePower", rating.injected_minimum)):
        said |= _each(name, stated, max, 0.0, limits.phases)
    if totals := [sum(each) for each in (rating.apparent_charge, rating.apparent_discharge) if each]:
        said["maxApparentPower"] = min(max(totals), max(powers))
    said |= {name: value for name, field in RATED if (value := getattr(rating, field)) is not None}
    numbers: Payload = {name: rounded(value) for name, value in said.items()}
    texts = {name: text[:TEXT] for name, field in MADE.items() if (text := getattr(rating, field))}
    controls = dict.fromkeys(control for function in rating.functions for control in FOLLOWED.get(function, ()))
    return numbers | texts | ({"evSupportedDERControl": list(controls)} if controls else {})


def _each(name: str, powers: Sequence[float], choose: Callable[[float, float], float], bound: float, phases: int) -> dict[str, float]:
    """The fields of what is stated of each phase; one value is the total of all, and `bound` that of the outlet."""
    share = bound if len(powers) == 1 else bound / phases
    return {name + suffix: choose(power, share) for suffix, power in zip(SUFFIXES[:phases], powers, strict=False)}
