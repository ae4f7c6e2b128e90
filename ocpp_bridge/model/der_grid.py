"""DER controls of OCPP as what the station asks of an inverter (`v2g.energy.der`), and its alarms back: the units and signs, stated here.

OCPP names no unit for most of these numbers; they are read as in IEEE 2030.5, from which they come. Voltages of curves and of EnterService
are per cent of the nominal voltage, x of FreqDroop and of frequency trips are Hz; trip curves are (s, limit). Active power on an x axis and
var are per cent of the most that the car can give back, + out of the car and injecting; y of WattPF is cos phi, + absorbing. A droop is the
change of frequency, as a share of the nominal one, for the whole power. A shape that `GridControl` cannot hold exactly is refused.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from ocpp_bridge.model.der import Control, Refused
from ocpp_bridge.model.phases import FOLLOWED
from ocpp_bridge.wire.schemas import Payload
from secc.station import Limits
from v2g.energy.der import Alarm, Curve, EnterService, FrequencyWatt, GridControl, Points, PowerFactor, Shares, Trips, VoltWatt
from v2g.services import SERVICES

BOTH: Final = ("FreqDroop", "FixedPFAbsorb", "FixedPFInject", "FixedVar", "LimitMaxDischarge", "VoltVar", "VoltWatt", "WattVar")
MODES: Final[Mapping[str, tuple[str, ...]]] = {  # by the grid codes of a service: the controlTypes that reach its car
    "iec": (*BOTH, "WattPF"),
    "sae": (*BOTH, "EnterService", "HFMustTrip", "HVMustTrip", "LFMustTrip", "LVMustTrip"),
}
LIMITED: Final = ("LimitMaxDischarge",)  # what the station itself upholds for every car that discharges
REACTIVE: Final = ("VoltVar", "WattVar", "WattPF", "FixedVar", "FixedPFAbsorb", "FixedPFInject")  # of which an inverter follows one
TRIPS: Final = {
    "HVMustTrip": "over_voltage",
    "LVMustTrip": "under_voltage",
    "HFMustTrip": "over_frequency",
    "LFMustTrip": "under_frequency",
}
ALARMED: Final[Mapping[Alarm, str]] = {  # OCPP wants the control that an alarm belongs to; gridEventFault says what it is
    "OverVoltage": "HVMustTrip",
    "UnderVoltage": "LVMustTrip",
    "OverFrequency": "HFMustTrip",
    "UnderFrequency": "LFMustTrip",
    "OverCurrent": "PowerMonitoringMustTrip",
    "CurrentImbalance": "PowerMonitoringMustTrip",
    "VoltageImbalance": "EnterService",
    "PhaseRotation": "EnterService",
    "LocalEmergency": "EnterService",
    "RemoteEmergency": "EnterService",
    "LowInputPower": "EnterService",
}
NOMINAL: Final = 230.0, 50.0  # V and Hz by which a control is tried before it is accepted


def modes_of(services: Iterable[str], functions: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """ModesSupported of an EVSE's ACDERCtrlr and DCDERCtrlr: what reaches a car by whichever of its AC_DER services it selects.

    Without one it is what the station upholds by its limits. At direct current the inverter is in the EVSE: it is that, and what this
    inverter follows by its `functions` (names of `GridControl`).
    """
    rows = [SERVICES[service] for service in services]
    sets = [set(MODES[row.der]) for row in rows if row.der in MODES]
    ours = {mains: LIMITED if any(row.bidirectional and row.mains is mains for row in rows) else () for mains in (True, False)}
    return {"ACDERCtrlr": tuple(sorted(set.intersection(*sets))) if sets else ours[True], "DCDERCtrlr": _at_dc(ours[False], functions)}


def ratings_of(services: Iterable[str], limits: Limits, functions: Iterable[str] = ()) -> dict[str, float]:
    """What DCDERCtrlr says of the inverter in an EVSE, W and var: as much as its limits and `functions` tell; empty where it has none.

    Shares of reactive power are of the greatest discharging power; of an inverter that follows none it is 0.
    """
    if not any(SERVICES[service].bidirectional and not SERVICES[service].mains for service in services):
        return {}
    reactive = limits.discharge_power if any(set(FOLLOWED.get(name, ())) & set(REACTIVE) for name in functions) else 0.0
    return {"MaxW": limits.discharge_power, "MaxChargeRateW": limits.charge_power, "MaxVar": reactive, "MaxVarNeg": reactive}


def _at_dc(ours: tuple[str, ...], functions: Iterable[str]) -> tuple[str, ...]:
    """What an outlet that gives direct current back upholds and follows: a controlType where every function that it needs is there."""
    there = set(functions)
    needed: dict[str, set[str]] = {}
    for function, types in FOLLOWED.items():
        for type_ in types:
            needed.setdefault(type_, set()).add(function)
    return tuple(sorted({*ours, *(type_ for type_, names in needed.items() if names <= there)})) if ours else ()


def asked(
    holding: Mapping[str, Control], codes: GridControl, voltage: float, frequency: float, *, feeding: bool
) -> tuple[GridControl, Shares]:
    """What to ask of an inverter by the controls that hold, over the station's own `codes`; raises Refused for what cannot be said.

    `feeding`: power flows out of the car, so that FixedPFInject counts and not FixedPFAbsorb. Of what concerns reactive power the control
    of the best rank is followed alone.
    """
    idle = "FixedPFAbsorb" if feeding else "FixedPFInject"
    reactive = [holding[name] for name in REACTIVE if name in holding and name != idle]
    leading = min(reactive, key=lambda each: each.rank, default=None)
    if leading is not None:
        codes = replace(codes, volt_var=None, watt_var=None, watt_cos_phi=None, var=None, cos_phi=None)
    fields: dict[str, Any] = {}
    shares: dict[str, Any] = {}
    for name, control in holding.items():
        if name in TRIPS:
            fields["trips"] = replace(fields.get("trips", codes.trips or Trips()), **{TRIPS[name]: _trip(name, control.body, voltage)})
        elif name not in REACTIVE or control is leading:
            said, shared = WORDS[name](control.body, voltage, frequency)
            fields |= said
            shares |= shared
    try:
        return replace(codes, **fields), Shares(**shares)
    except ValueError as error:
        raise Refused("Rejected", "InvalidValue", str(error)) from None


def tried(control: Control) -> None:
    """Raise `Refused` where a control cannot be said to any inverter."""
    asked({control.type: control}, GridControl(), *NOMINAL, feeding=control.type == "FixedPFInject")


Said = tuple[dict[str, Any], dict[str, Any]]  # fields of GridControl, fields of Shares


def _no(text: str) -> Refused:
    return Refused("Rejected", "InvalidValue", text)


def _plain(name: str, body: Payload, unit: str) -> list[tuple[float, float]]:
    """The points of a curve, by ascending x; Refused for what no inverter here can be told."""
    if body["yUnit"] != unit:
        raise _no(f"{name}: yUnit is {body['yUnit']}; give {unit}")
    if lacking := [field for field in ("hysteresis", "voltageParams", "reactivePowerParams") if field in body]:
        raise _no(f"{name}: {' and '.join(lacking)} cannot be told to a car; leave it out")
    points = sorted((point["x"], point["y"]) for point in body["curveData"])
    if len(points) < 2 or any(a[0] == b[0] for a, b in pairwise(points)):
        raise _no(f"{name}: curveData has {len(points)} points; give 2 to 10, each with another x")
    return points


def _checked(name: str, build: Callable[[], Any]) -> Any:
    try:
        return build()
    except ValueError as error:
        raise _no(f"{name}: {error}") from None


def _per_cent(name: str, values: Iterable[float], most: float = 100.0, least: float = -100.0) -> None:
    for value in values:
        if not least <= value <= most:
            raise _no(f"{name}: {value:g} lies outside {least:g} to {most:g} %")


def _curve(name: str, points: Iterable[tuple[float, float]], body: Payload) -> Curve:
    curve: Curve = _checked(name, lambda: Curve(tuple(sorted(points)), response=body.get("responseTime", 0.0)))
    return curve


def _volt_var(body: Payload, voltage: float, frequency: float) -> Said:
    points = _plain("VoltVar", body, "PctMaxVar")
    _per_cent("VoltVar x", (x for x, _ in points), 200.0, 0.0)
    _per_cent("VoltVar y", (y for _, y in points))
    return {}, {"volt_var": _curve("VoltVar", ((x / 100 * voltage, 0.0 - y / 100) for x, y in points), body)}


def _watt_var(body: Payload, voltage: float, frequency: float) -> Said:
    points = _plain("WattVar", body, "PctMaxVar")
    _per_cent("WattVar", (value for point in points for value in point))
    return {}, {"watt_var": _curve("WattVar", ((0.0 - x / 100, 0.0 - y / 100) for x, y in points), body)}


def _watt_pf(body: Payload, voltage: float, frequency: float) -> Said:
    points = _plain("WattPF", body, "Not_Applicable")
    _per_cent("WattPF x", (x for x, _ in points))
    if not all(0 < abs(y) <= 1 for _, y in points):
        raise _no("WattPF: y is a cos phi from -1 to 1, and not 0")
    return {}, {"watt_cos_phi": _curve("WattPF", ((0.0 - x / 100, y) for x, y in points), body)}


def _volt_watt(body: Payload, voltage: float, frequency: float) -> Said:
    points = _plain("VoltWatt", body, "PctMaxW")
    _per_cent("VoltWatt x", (x for x, _ in points), 200.0, 0.0)
    ends = [x for x, y in points if y == 100][-1:] + [x for x, y in points if y == 0][:1]
    if (
        len(ends) < 2
        or ends[0] >= ends[1]
        or any(y not in (0, 100) for _, y in points)
        or [y for _, y in points] != sorted((y for _, y in points), reverse=True)
    ):
        raise _no("VoltWatt: a car can be told one straight line, from 100 % at a voltage to 0 % at a higher one")
    start, stop = (x / 100 * voltage for x in ends)
    line = _checked("VoltWatt", lambda: VoltWatt(start, stop, response=body.get("responseTime", 0.0)))
    return {"volt_watt": line}, {}


def _freq_droop(body: Payload, voltage: float, frequency: float) -> Said:
    fields = {}
    for name, start, droop in (("over_frequency", "overFreq", "overDroop"), ("under_frequency", "underFreq", "underDroop")):
        if body[droop] <= 0:
            raise _no(f"FreqDroop: {droop} is {body[droop]:g}; a droop is above 0, such as 0.05")
        slope, at, tau = 1.0 / (frequency * body[droop]), body[start], body["responseTime"]
        fields[name] = _checked("FreqDroop", lambda at=at, slope=slope, tau=tau: FrequencyWatt(at, at, slope, response=tau))  # type: ignore[misc]
    return fields, {}


def _fixed_pf(body: Payload, voltage: float, frequency: float) -> Said:
    return {"cos_phi": _checked("displacement", lambda: PowerFactor(body["displacement"], body["excitation"]))}, {}


def _fixed_var(body: Payload, voltage: float, frequency: float) -> Said:
    if body["unit"] != "PctMaxVar":
        raise _no(f"FixedVar: unit is {body['unit']}; give PctMaxVar")
    _per_cent("FixedVar setpoint", (body["setpoint"],))
    return {}, {"var": 0.0 - body["setpoint"] / 100}


def _limit_max_discharge(body: Payload, voltage: float, frequency: float) -> Said:
    if "powerMonitoringMustTrip" in body or "pctMaxDischargePower" not in body:
        raise _no("LimitMaxDischarge: give pctMaxDischargePower alone; a car cannot be told powerMonitoringMustTrip")
    _per_cent("pctMaxDischargePower", (body["pctMaxDischargePower"],), least=0.0)
    return {}, {"discharge": body["pctMaxDischargePower"] / 100}


def _enter_service(body: Payload, voltage: float, frequency: float) -> Said:
    if body.get("randomDelay"):
        raise _no("EnterService: randomDelay cannot be told to a car; leave it out")
    _per_cent("EnterService voltage", (body["lowVoltage"], body["highVoltage"]), 200.0, 0.0)
    volts = {"voltage_high": body["highVoltage"] / 100 * voltage, "voltage_low": body["lowVoltage"] / 100 * voltage}
    hertz = {"frequency_high": body["highFreq"], "frequency_low": body["lowFreq"]}
    times = {"delay": body.get("delay", 0.0), "ramp": body.get("rampRate", 0.0)}
    return {"enter_service": _checked("EnterService", lambda: EnterService(**volts, **hertz, **times))}, {}


def _trip(name: str, body: Payload, voltage: float) -> Points:
    points = _plain(name, body, "Not_Applicable")
    volts = name.endswith(("HVMustTrip", "LVMustTrip"))
    if volts:
        _per_cent(name, (y for _, y in points), 200.0, 0.0)
    elif not all(1 <= y <= 100 for _, y in points):
        raise _no(f"{name}: y is a frequency from 1 to 100 Hz")
    if points[0][0] < 0:
        raise _no(f"{name}: x is a time from 0 s")
    return tuple((x, y / 100 * voltage if volts else y) for x, y in points)


WORDS: Final[Mapping[str, Callable[[Payload, float, float], Said]]] = {
    "VoltVar": _volt_var,
    "WattVar": _watt_var,
    "WattPF": _watt_pf,
    "VoltWatt": _volt_watt,
    "FreqDroop": _freq_droop,
    "FixedPFAbsorb": _fixed_pf,
    "FixedPFInject": _fixed_pf,
    "FixedVar": _fixed_var,
    "LimitMaxDischarge": _limit_max_discharge,
    "EnterService": _enter_service,
}
