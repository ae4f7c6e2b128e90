"""The rating of an inverter, as a car that feeds the grid states it with its parameters: of either amendment in one value."""

from typing import Any, Final

from v2g.energy.der import InverterRating
from v2g.iso20.phases import each
from v2g.iso20.rational import optional

WAYS: Final = {"absorbed": ("Charge", "Absorption"), "injected": ("Discharge", "Injection")}  # as IEC, as SAE calls them
SPANS: Final = ("Maximum", ""), ("Minimum", "_minimum")
WHILE: Final = ("Charging", "Discharging")


def rating(mode: Any) -> InverterRating:
    """The rating in the mode of ChargeParameterDiscoveryReq under a service of AC_DER; what its amendment has no words for is left out."""
    energy = optional(mode.EVSessionTotalDischargeEnergyAvailable)
    return InverterRating(discharge_energy=energy, **(_sae(mode) if hasattr(mode, "EVInverterDetails") else _iec(mode)))


def _iec(mode: Any) -> dict[str, Any]:
    limits = mode.EVReactivePowerLimits
    return (
        {}
        if limits is None
        else {name + suffix: _each(limits, f"EV{span}{way}ReactivePower") for name, (way, _) in WAYS.items() for span, suffix in SPANS}
    )


def _sae(mode: Any) -> dict[str, Any]:
    said, excited = mode.EVApparentPowerLimits, mode.EVExcitationLimits
    fields: dict[str, Any] = {
        f"apparent_{name}": _both(min, said, *(f"EVMaximumApparentPowerDuring{when}AndVar{way}" for _, way in WAYS.values()))
        for name, when in zip(("charge", "discharge"), WHILE, strict=True)
    }
    for name, (_, way) in WAYS.items():
        for (span, suffix), choose in zip(SPANS, (min, max), strict=True):
            fields[name + suffix] = _both(choose, mode.EVReactivePowerLimits, *(f"EV{span}Var{way}During{when}" for when in WHILE))
    for name, way in (("over", "OverExcited"), ("under", "UnderExcited")):
        fields[f"{name}_excited_power"] = sum(_each(excited, f"EVSpecified{way}DischargePower"))
        fields[f"{name}_excited_factor"] = optional(getattr(excited, f"EVSpecified{way}PowerFactor"))
    return fields | _sae_grid(mode) | _sae_make(mode.EVInverterDetails)


def _sae_grid(mode: Any) -> dict[str, Any]:
    from v2g.iso20.der_sae import MODES

    return {
        "nominal_voltage": optional(mode.EVNominalVoltage),
        "voltage_offset": optional(mode.EVNominalVoltageOffset),
        "voltage": optional(mode.EVMaximumVoltage),
        "voltage_minimum": optional(mode.EVMinimumVoltage),
        "susceptance": optional(mode.EVReactivePowerLimits.EVReactiveSusceptance),
        "functions": tuple(name for name, bits in MODES.items() if all(mode.SupportedModes >> bit & 1 for bit in bits)),
    }


def _sae_make(details: Any) -> dict[str, str]:
    fields = {"manufacturer": "Manufacturer", "model": "Model", "serial": "SerialNumber", "software": "SwVersion", "hardware": "HwVersion"}
    return {name: getattr(details, f"EVInverter{element}") or "" for name, element in fields.items()}


def _each(said: Any, name: str) -> tuple[float, ...]:
    """The magnitudes of each phase, or the one of all: of what flows out of a car either sign is read."""
    return tuple(map(abs, each(said, name)))


def _both(choose: Any, said: Any, *names: str) -> tuple[float, ...]:
    """Phase by phase what holds for all of these; empty where one is not said, or not of as many phases."""
    stated = [_each(said, name) for name in names]
    return tuple(map(choose, *stated)) if len({len(powers) for powers in stated}) == 1 else ()
