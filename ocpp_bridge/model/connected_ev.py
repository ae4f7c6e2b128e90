"""What the device model says of the car at an EVSE (component ConnectedEV), from what the car states of itself."""

from collections.abc import Iterator

from ocpp_bridge.model.device_model import DeviceModel
from secc.station import Limits
from v2g.energy.needs import Needs

CONNECTED_EV = "ConnectedEV"


def tell_needs(model: DeviceModel, evse: int, needs: Needs, car: Limits | None, departure: str) -> None:
    """Write down what the car at an EVSE wants and can take; `departure` is the time at which it leaves, as on the wire.

    Energies are Wh still requested, powers W, in magnitude; `car` is what it can take in V and A, by its own word.
    """
    for variable, kind, value in _stated(needs, car):
        text = "" if value is None else f"{value:g}"
        if kind == "Actual":
            model[CONNECTED_EV, variable, "", evse] = text
        else:
            model.attribute((CONNECTED_EV, variable, "", evse), kind, text)
    model[CONNECTED_EV, "DepartureTime", "", evse] = departure


def tell_power(model: DeviceModel, evse: int, power: float) -> None:
    """Write down the power (W, + into the EV) that flows at an EVSE."""
    for variable, flow in (("Power", max(power, 0.0)), ("DischargePower", max(-power, 0.0))):
        model["EVSE", variable, "", evse] = f"{flow:.0f}"


def _stated(needs: Needs, car: Limits | None) -> Iterator[tuple[str, str, float | None]]:
    """(variable, attribute, value) of each."""
    gives = needs.bidirectional
    yield "StateOfCharge", "Actual", needs.soc
    yield "StateOfCharge", "MaxSet", needs.target_soc
    yield "StateOfCharge", "MinSet", needs.minimum_soc
    yield "BatteryCapacity", "Actual", needs.capacity
    yield "Power", "Actual", needs.charge_maximum
    yield "Power", "MaxSet", needs.charge_maximum
    yield "Power", "MinSet", needs.charge_minimum
    yield "DischargePower", "Actual", needs.discharge_maximum if gives else None
    yield "DischargePower", "MaxSet", needs.discharge_maximum if gives else None
    yield "DischargePower", "MinSet", needs.discharge_minimum if gives else None
    yield "EnergyImport", "Target", needs.energy_target
    yield "EnergyImport", "MaxSet", needs.energy_maximum
    yield "EnergyImport", "MinSet", needs.energy_minimum
    yield "DCVoltage", "MaxSet", car.voltage if car is not None else None
    yield "DCVoltage", "MinSet", car.voltage_minimum if car is not None else None
    yield "DCCurrent", "MaxSet", car.charge_current if car is not None else None
    yield "DCCurrent", "MinSet", car.charge_current_minimum if car is not None else None
