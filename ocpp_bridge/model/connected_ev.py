"""What the device model says of the car at an EVSE (component ConnectedEV), from what the car states of itself."""

from collections.abc import Iterator

from ocpp_bridge.model.contract import pem
from ocpp_bridge.model.device_model import DeviceModel
from ocpp_bridge.model.variables import FLAG, REAL, TIME, Row
from secc.station import Display, Limits, Vehicle
from v2g.energy.needs import Needs

CONNECTED_EV = "ConnectedEV"
CERTIFICATES = ("Leaf", "SubCA1", "SubCA2", "Root")  # instances of VehicleCertificate; the sub-CA below the root is the first
LONGEST = 2500  # characters that the value of a variable may have
OFFERS = 20  # protocols that a car can offer, by the schema of supportedAppProtocolReq
PLACES = tuple(map(str, range(1, OFFERS + 1)))  # instances of ProtocolSupportedByEV
ROWS = (
    Row(CONNECTED_EV, "Available", "false", FLAG, each=True),
    Row(CONNECTED_EV, "VehicleId", "", each=True),
    *(Row(CONNECTED_EV, "VehicleCertificate", "", instance=place, each=True) for place in CERTIFICATES),
    Row(CONNECTED_EV, "ProtocolAgreed", "", each=True),
    *(Row(CONNECTED_EV, "ProtocolSupportedByEV", "", instance=place, each=True) for place in PLACES),
    Row(CONNECTED_EV, "StateOfCharge", "", REAL, unit="Percent", each=True, attributes=("Actual", "MinSet", "MaxSet")),
    Row(CONNECTED_EV, "BatteryCapacity", "", REAL, unit="Wh", each=True),
    Row(CONNECTED_EV, "DepartureTime", "", TIME, each=True),
    Row(CONNECTED_EV, "RemainingTimeFull", "", REAL, unit="s", each=True),
    Row(CONNECTED_EV, "ChargingCompleteFull", "false", FLAG, each=True),
    Row(CONNECTED_EV, "Power", "", REAL, unit="W", each=True, attributes=("Actual", "MinSet", "MaxSet")),
    Row(CONNECTED_EV, "DischargePower", "", REAL, unit="W", each=True, attributes=("Actual", "MinSet", "MaxSet")),
    Row(CONNECTED_EV, "DCVoltage", "", REAL, unit="V", each=True, attributes=("MinSet", "MaxSet")),
    Row(CONNECTED_EV, "DCCurrent", "", REAL, unit="A", each=True, attributes=("MinSet", "MaxSet")),
    Row(CONNECTED_EV, "EnergyImport", "", REAL, unit="Wh", each=True, attributes=("Target", "MinSet", "MaxSet")),
    Row(CONNECTED_EV, "ChargingState", "", each=True),
)


def tell_session(model: DeviceModel, evse: int, *, active: bool, complete: bool = False, tripped: bool = False) -> None:
    """Write down (ISO15118Ctrlr) whether a session runs at an EVSE, and how the last one ended: as it should, or not; paused is neither."""
    for name, said in (("Active", active), ("Complete", complete), ("Tripped", tripped)):
        model["ISO15118Ctrlr", name, "", evse] = "true" if said else "false"


def tell_vehicle(model: DeviceModel, evse: int, evccid: str, vehicle: Vehicle) -> None:
    """Write down who the car at an EVSE is: its EVCCID, certificates (PEM), and the protocols that it offered, the best liked first."""
    said = {("Available", ""): "true", ("VehicleId", ""): evccid, ("ProtocolAgreed", ""): vehicle.agreed}
    said |= {("ProtocolSupportedByEV", place): protocol for place, protocol in zip(PLACES, vehicle.offered, strict=False)}
    said |= {("VehicleCertificate", place): _text(der) for place, der in zip(*_placed(vehicle.chain), strict=True)}
    for row in ROWS:
        if (row.variable, row.instance) in said or row.instance:
            model[CONNECTED_EV, row.variable, row.instance, evse] = said.get((row.variable, row.instance), "")


def _placed(chain: tuple[bytes, ...]) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """The instances of VehicleCertificate for a chain, and the certificates in their order."""
    leaf, below, root = chain[:1], chain[1:-1][::-1], chain[1:][-1:]
    sub_cas = below[: len(CERTIFICATES) - 2]
    places = (*CERTIFICATES[: len(leaf)], *CERTIFICATES[1:][: len(sub_cas)], *CERTIFICATES[3:][: len(root)])
    return places, (*leaf, *sub_cas, *root)


def _text(der: bytes) -> str:
    """A certificate as PEM; empty where that is too long for a variable."""
    text = pem((der,)) or ""
    return text if len(text) <= LONGEST else ""


def tell_shown(model: DeviceModel, evse: int, shown: Display) -> None:
    """Write down what the car at an EVSE shows its driver: how long it takes until it is full, and whether it is."""
    left = "" if shown.to_maximum is None else f"{shown.to_maximum:g}"
    model[CONNECTED_EV, "RemainingTimeFull", "", evse] = left
    model[CONNECTED_EV, "ChargingCompleteFull", "", evse] = "true" if shown.complete else "false"


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
