"""AC_DER_SAE between its messages and `v2g.energy.der`: what is stated here of units and bits is what both our ends mean.

The amendment's text is not at hand. Where its structure leaves a meaning open it is that of IEEE 1547 and 2030.5: a droop is the change of
frequency, as a share of the nominal one, for the whole reference power; trip curves hold seconds and V or Hz; bits of modes and alarms are
those of 2030.5; vars and watts are signed, plus into the car.
"""

from dataclasses import dataclass
from typing import Any, Final

from v2g.energy.der import Curve, EnterService, FrequencyWatt, GridControl, Points, PowerFactor, Trips, VoltWatt
from v2g.iso20.rational import number, optional, rational
from v2g.messages import ac_der_sae as sae

Unit = sae.derUnitType
OVER, UNDER = sae.powerFactorExcitationType.OverExcited, sae.powerFactorExcitationType.UnderExcited
REFERENCES: Final = {"maximum": sae.powerReferenceType.MaximumActivePower, "present": sae.powerReferenceType.MomentaryPower}
MODES: Final = {  # function, by its name in `GridControl` -> bits of SupportedModes and EnabledModes
    "cos_phi": (4, 5), "var": (6,), "watt": (7,), "over_frequency": (8,), "under_frequency": (8,), "trips": (11, 14, 16, 19),
    "discharge_maximum": (20,), "volt_var": (23,), "volt_watt": (24,), "watt_var": (26,),
}  # fmt: skip
CHARGES, DISCHARGES = 1 << 0, 1 << 1
WATTS: Final = (Unit.PercentageEVMaximumConfiguredActivePower, Unit.PercentageEVMaximumAvailableActivePower)
VARS: Final = (Unit.PercentageEVMaximumConfiguredReactivePower, Unit.PercentageEVMaximumAvailableReactivePower)


@dataclass(frozen=True, slots=True)
class Base:
    """What percentages are of, and a droop's share."""

    voltage: float = 230.0  # V, nominal
    frequency: float = 50.0  # Hz, nominal
    discharge_power: float = 0.0  # W, the most that the car gives back
    reactive_power: float = 0.0  # var


def modes(names: frozenset[str]) -> int:
    """The bits of such functions; charging and discharging are always there."""
    return sum({1 << bit for name in names for bit in MODES.get(name, ())}, CHARGES | DISCHARGES)


# --- station -> car ---


def settings(control: GridControl, base: Base) -> dict[str, Any]:
    """The fields of ChargeParameterDiscoveryRes that say what the grid asks: what it does not ask for is there, and not enabled."""
    enter = control.enter_service or EnterService()
    return {
        "DERControlCPDRes": sae.DERControlCPDResType(
            **_trips(control.trips or Trips()),
            EnterServiceCPDRes=sae.EnterServiceCPDResType(**_enter(enter)),
            ReactivePowerSupportCPDRes=sae.ReactivePowerSupportCPDResType(**_reactive(control, base)),
            ActivePowerSupportCPDRes=sae.ActivePowerSupportCPDResType(**_active(control, base)),
        ),
        **operation(control),
    }


def changes(control: GridControl, base: Base, whole: bool) -> dict[str, Any]:
    """The fields of a charge loop's response: whether the car may serve, and `whole`, everything that the grid asks now."""
    enter = sae.EnterServiceCLResType(**_enter(control.enter_service or EnterService()))
    if not whole:
        return {"DERControlCLRes": sae.DERControlCLResType(EnterServiceCLRes=enter)}
    return {
        "DERControlCLRes": sae.DERControlCLResType(
            **_trips(control.trips or Trips()),
            EnterServiceCLRes=enter,
            ReactivePowerSupportCLRes=sae.ReactivePowerSupportCLResType(**_reactive(control, base)),
            ActivePowerSupportCLRes=sae.ActivePowerSupportCLResType(**_active(control, base)),
        ),
        **operation(control),
    }


def operation(control: GridControl) -> dict[str, Any]:
    """Whether the car follows the grid or makes it."""
    following, forming = sae.requiredDEROperatingModeType.GridFollowing, sae.requiredDEROperatingModeType.GridForming
    connected, islanded = sae.gridConnectionModeType.GridConnected, sae.gridConnectionModeType.GridIslanded
    return {
        "RequiredDEROperatingMode": forming if control.forming else following,
        "GridConnectionMode": islanded if control.islanded else connected,
    }


def _enter(one: EnterService) -> dict[str, Any]:
    return {
        "PermitService": one.permit,
        "EnterServiceVoltageHigh": rational(one.voltage_high),
        "EnterServiceVoltageLow": rational(one.voltage_low),
        "EnterServiceFrequencyHigh": rational(one.frequency_high),
        "EnterServiceFrequencyLow": rational(one.frequency_low),
        "EnterServiceDelay": rational(one.delay),
        "EnterServiceRampTime": rational(one.ramp),
    }


def _trips(trips: Trips) -> dict[str, Any]:
    return {
        "VoltageTrip": sae.VoltageTripType(
            OverVoltageMustTripCurve=_trip(trips.over_voltage, Unit.V), UnderVoltageMustTripCurve=_trip(trips.under_voltage, Unit.V)
        ),
        "FrequencyTrip": sae.FrequencyTripType(
            OverFrequencyMustTripCurve=_trip(trips.over_frequency, Unit.Hz),
            UnderFrequencyMustTripCurve=_trip(trips.under_frequency, Unit.Hz),
        ),
    }


def _trip(points: Points, unit: Unit) -> sae.DERCurveType:
    return sae.DERCurveType(Enable=True, xUnit=Unit.s, yUnit=unit, CurveDataPoints=_points(points))


def _points(points: Points) -> sae.CurveDataPointsListType:
    return sae.CurveDataPointsListType(
        CurveDataPoint=tuple(sae.DataTupleType(xValue=rational(at), yValue=rational(value)) for at, value in points)
    )


def _reactive(control: GridControl, base: Base) -> dict[str, Any]:
    factor, volt_var, watt_var = control.cos_phi or PowerFactor(1.0), control.volt_var, control.watt_var
    flat = ((0.9 * base.voltage, 0.0), (1.1 * base.voltage, 0.0))
    level = ((0.0, 0.0), (max(base.discharge_power, 1.0), 0.0))
    return {
        "ConstantPowerFactor": sae.ConstantPowerFactorType(
            Enable=control.cos_phi is not None,
            PowerFactorValue=rational(factor.value),
            PowerFactorExcitation=UNDER if factor.absorbing else OVER,
        ),
        "VoltVar": sae.VoltVarType(
            Enable=volt_var is not None,
            xUnit=Unit.V,
            yUnit=Unit.var,
            CurveDataPoints=_points(volt_var.points if volt_var else flat),
            OpenLoopResponseTime=rational(volt_var.response if volt_var else 0.0),
            ReferenceVoltage=rational(base.voltage),
            AutonomousReferenceVoltageAdjustmentEnable=False,
            ReferenceVoltageAdjustmentTimeConstant=0,
        ),
        "WattVar": sae.WattVarType(
            Enable=watt_var is not None,
            xUnit=Unit.W,
            yUnit=Unit.var,
            CurveDataPoints=_points(watt_var.points if watt_var else level),
            OpenLoopResponseTime=rational(watt_var.response) if watt_var else None,
        ),
        "ConstantVar": sae.ConstantVarType(Enable=control.var is not None, VarSetpoint=rational(control.var or 0.0), Unit=Unit.var),
    }


def _active(control: GridControl, base: Base) -> dict[str, Any]:
    volt, most = control.volt_watt, control.discharge_maximum
    ends = (volt.start, volt.stop) if volt else (1.1 * base.voltage, 1.2 * base.voltage)
    shares = ((ends[0], 100.0), (ends[1], 0.0)) if ends[0] < ends[1] else ((ends[1], 0.0), (ends[0], 100.0))
    share = 100 if most is None or base.discharge_power <= 0 else min(100, int(100.0 * most / base.discharge_power + 1e-9))
    return {
        "FrequencyDroop": sae.FrequencyDroopType(
            Enable=control.over_frequency is not None or control.under_frequency is not None,
            OverFrequencyDroop=_droop(control.over_frequency, base),
            UnderFrequencyDroop=_droop(control.under_frequency, base),
        ),
        "VoltWatt": sae.VoltWattType(
            Enable=volt is not None,
            xUnit=Unit.V,
            yUnit=Unit.PercentageEVMaximumConfiguredActivePower,
            CurveDataPoints=_points(shares),
            OpenLoopResponseTime=rational(volt.response if volt else 0.0),
        ),
        "ConstantWatt": sae.ConstantWattType(Enable=control.watt is not None, WattSetpoint=rational(control.watt or 0.0), Unit=Unit.W),
        "LimitMaxDischargePower": sae.LimitMaxDischargePowerType(Enable=most is not None, PercentageValue=share),
    }


def _droop(one: FrequencyWatt | None, base: Base) -> sae.FrequencyDroopSettingsType | None:
    if one is None:
        return None
    return sae.FrequencyDroopSettingsType(
        db=rational(abs(one.start - base.frequency)),
        DroopFactor=rational(1.0 / (base.frequency * max(one.slope, 1e-6))),
        PowerReference=REFERENCES[one.reference],
        OpenLoopResponseTime=rational(one.response),
    )


# --- car <- station ---


def read_settings(said: Any, base: Base) -> GridControl:
    """What ChargeParameterDiscoveryRes asks of the car. Raises ValueError for what cannot be meant."""
    asked = said.DERControlCPDRes
    trips, enter = _read_trips(asked.VoltageTrip, asked.FrequencyTrip, Trips()), _read_enter(asked.EnterServiceCPDRes, EnterService())
    fields = _read_reactive(asked.ReactivePowerSupportCPDRes, base) | _read_active(asked.ActivePowerSupportCPDRes, base)
    return GridControl(**fields, trips=trips, enter_service=enter, **_read_operation(said))


def read_changes(said: Any, base: Base) -> dict[str, Any]:
    """What a charge loop's response changes, as fields of `GridControl`; what it does not speak of stays."""
    asked = said.DERControlCLRes
    fields: dict[str, Any] = {"enter_service": _read_enter(asked.EnterServiceCLRes, EnterService())}
    if asked.VoltageTrip is not None and asked.FrequencyTrip is not None:
        fields["trips"] = _read_trips(asked.VoltageTrip, asked.FrequencyTrip, Trips())
    if asked.ReactivePowerSupportCLRes is not None:
        fields |= _read_reactive(asked.ReactivePowerSupportCLRes, base)
    if asked.ActivePowerSupportCLRes is not None:
        fields |= _read_active(asked.ActivePowerSupportCLRes, base)
    return fields | _read_operation(said)


def _read_operation(said: Any) -> dict[str, Any]:
    mode, connection = said.RequiredDEROperatingMode, said.GridConnectionMode
    fields: dict[str, Any] = {} if mode is None else {"forming": mode is sae.requiredDEROperatingModeType.GridForming}
    return fields if connection is None else fields | {"islanded": connection is sae.gridConnectionModeType.GridIslanded}


def _read_enter(said: Any, before: EnterService) -> EnterService:
    names = {
        "voltage_high": "VoltageHigh", "voltage_low": "VoltageLow", "frequency_high": "FrequencyHigh", "frequency_low": "FrequencyLow",
        "delay": "Delay", "ramp": "RampTime",
    }  # fmt: skip
    stated = {name: optional(getattr(said, f"EnterService{field}")) for name, field in names.items()}
    return EnterService(said.PermitService, **{name: getattr(before, name) if value is None else value for name, value in stated.items()})


def _read_trips(volts: sae.VoltageTripType, hertz: sae.FrequencyTripType, before: Trips) -> Trips:
    curves = {
        "over_voltage": volts.OverVoltageMustTripCurve,
        "under_voltage": volts.UnderVoltageMustTripCurve,
        "over_frequency": hertz.OverFrequencyMustTripCurve,
        "under_frequency": hertz.UnderFrequencyMustTripCurve,
    }
    read = {name: _read_points(curve.CurveDataPoints) if curve.Enable else getattr(before, name) for name, curve in curves.items()}
    return Trips(**read)


def _read_points(said: sae.CurveDataPointsListType, x: float = 1.0, y: float = 1.0) -> Points:
    return tuple((x * number(point.xValue), y * number(point.yValue)) for point in said.CurveDataPoint)


def scale(unit: Unit, base: Base) -> float:
    """What one of a unit is in V, W or var."""
    if unit in WATTS:
        return base.discharge_power / 100.0
    if unit in VARS:
        return base.reactive_power / 100.0
    return base.voltage / 100.0 if unit is Unit.PercentageV else 1.0


def _read_reactive(said: Any, base: Base) -> dict[str, Any]:
    """One curve and one set-point at most; where a station enables more, the lower priority number wins, then the order of the message."""
    factor, volt_var, watt_var, var = said.ConstantPowerFactor, said.VoltVar, said.WattVar, said.ConstantVar
    enabled = [one for one in (factor, volt_var, watt_var, var) if one is not None and one.Enable]
    first = min(enabled, key=lambda one: 65_536 if one.Priority is None else one.Priority, default=None)
    fields: dict[str, Any] = dict.fromkeys(("cos_phi", "volt_var", "watt_var", "var"))
    if first is None:
        return fields
    if first is factor:
        fields["cos_phi"] = PowerFactor(abs(number(factor.PowerFactorValue)), factor.PowerFactorExcitation is UNDER)
    elif first is var:
        fields["var"] = number(var.VarSetpoint) * scale(var.Unit, base)
    else:
        points = _read_points(first.CurveDataPoints, scale(first.xUnit, base), scale(first.yUnit, base))
        fields["volt_var" if first is volt_var else "watt_var"] = Curve(points, response=optional(first.OpenLoopResponseTime) or 0.0)
    return fields


def _read_active(said: Any, base: Base) -> dict[str, Any]:
    droop, volt, watt, most = said.FrequencyDroop, said.VoltWatt, said.ConstantWatt, said.LimitMaxDischargePower
    follows = droop is not None and droop.Enable
    return {
        "over_frequency": _read_droop(droop.OverFrequencyDroop, 1, base) if follows else None,
        "under_frequency": _read_droop(droop.UnderFrequencyDroop, -1, base) if follows else None,
        "volt_watt": _read_volt_watt(volt, base) if volt is not None and volt.Enable else None,
        "watt": number(watt.WattSetpoint) * scale(watt.Unit, base) if watt is not None and watt.Enable else None,
        "discharge_maximum": base.discharge_power * min(most.PercentageValue, 100) / 100.0 if most is not None and most.Enable else None,
    }


def _read_droop(said: sae.FrequencyDroopSettingsType | None, sign: int, base: Base) -> FrequencyWatt | None:
    if said is None:
        return None
    start, droop = base.frequency + sign * abs(number(said.db)), number(said.DroopFactor)
    if droop <= 0:
        raise ValueError(f"DroopFactor is {droop:g}; a droop is above 0")
    reference: Any = "maximum" if said.PowerReference is REFERENCES["maximum"] else "present"
    return FrequencyWatt(start, start, 1.0 / (base.frequency * droop), reference, response=number(said.OpenLoopResponseTime))


def _read_volt_watt(said: sae.VoltWattType, base: Base) -> VoltWatt:
    """The ends of the falling line: where the greatest power begins to fall, and where nothing is left of it."""
    points = _read_points(said.CurveDataPoints, scale(said.xUnit, base))
    most, least = max(points, key=lambda point: (point[1], point[0])), min(points, key=lambda point: point[1])
    return VoltWatt(most[0], least[0], response=number(said.OpenLoopResponseTime))
