"""AC_DER_IEC between its messages and `v2g.energy.der`: what is stated here of units and bits is what both our ends mean.

The amendment's text is not at hand. Where its structure leaves a unit open it is read so: `Slope` is a percentage of the reference power
for each Hz; `yValue` of a curve is a magnitude where it has an Excitation (over-excited injects), else signed, plus absorbs.
"""

from typing import Any, Final

from v2g.energy.der import REACTIVE, Curve, FrequencyWatt, GridControl, PowerFactor, RideThrough, VoltWatt, ZeroCurrent
from v2g.iso20.phases import spread, total
from v2g.iso20.rational import number, optional, rational
from v2g.messages import ac_der_iec as iec

UNITS: Final = {"volt_var": ("V", "var"), "watt_var": ("W", "var"), "watt_cos_phi": ("W", "var")}  # x, y; cos phi has none of its own
FIELDS: Final = {"volt_var": "VoltVar", "watt_var": "WattVar", "watt_cos_phi": "WattCosPhi"}
OVER, UNDER = iec.powerFactorExcitationType.OverExcited, iec.powerFactorExcitationType.UnderExcited
REFERENCES: Final = {"maximum": iec.powerReferenceType.MaximumDischargePower, "present": iec.powerReferenceType.MomentaryPower}


# --- station -> car ---


def settings(control: GridControl) -> dict[str, Any]:
    """The fields of ChargeParameterDiscoveryRes that say what the grid asks."""
    return {
        "EVOperatingMode": iec.evOperatingModeType.GridForming if control.forming else iec.evOperatingModeType.GridFollowing,
        "GridConnectionMode": iec.gridConnectionModeType.GridIslanded if control.islanded else iec.gridConnectionModeType.GridConnected,
        "DERControl": iec.DERControlType(
            OvervoltageFaultRideThrough=_ride_through(control.over_voltage),
            UndervoltageFaultRideThrough=_ride_through(control.under_voltage),
            ZeroCurrent=_zero_current(control.zero_current),
            ReactivePowerSupport=_reactive(control),
            ActivePowerSupport=_active(control),
            MaximumLevelDCInjection=None if control.dc_injection is None else rational(control.dc_injection, "down"),
        ),
    }


def setpoints(control: GridControl, phases: int) -> dict[str, Any]:
    """The fields of a charge loop's response that say what the operator of the grid wants now."""
    said: dict[str, Any] = {}
    if control.discharge_maximum is not None:
        said |= spread("DSOMaximumDischargePower", control.discharge_maximum, phases, "down")
    if control.var is not None:
        values: dict[str, Any] = spread("DSOQSetpointValue", control.var, phases)
        said["DSOQSetpoint"] = iec.DSOQSetpointType(**values, **_response("Reactive", 0.0))
    if control.cos_phi is not None:
        value, excitation = rational(control.cos_phi.value), UNDER if control.cos_phi.absorbing else OVER
        said["DSOCosPhiSetpoint"] = iec.DSOCosPhiSetpointType(
            DSOCosPhiSetpointValue=value, Excitation=excitation, **_response("Reactive", 0.0)
        )
    return said


def _response(of: str, seconds: float) -> dict[str, Any]:
    return {f"PT1Response{of}Power": seconds > 0, f"StepResponseTimeConstant{of}Power": rational(seconds)}


def _ride_through(one: RideThrough | None) -> iec.FaultRideThroughType | None:
    if one is None:
        return None
    return iec.FaultRideThroughType(
        VoltageLimitStartFRT=rational(one.start),
        VoltageLimitStopFRT=_maybe(one.stop),
        VoltageRecoveryLimit=_maybe(one.recovery),
        VoltageRideThroughPositiveCurveKFactor=_maybe(one.rise),
        VoltageRideThroughNegativeCurveKFactor=_maybe(one.fall),
        **_response("Active", one.active_response),
        **_response("Reactive", one.reactive_response),
    )


def _zero_current(one: ZeroCurrent | None) -> iec.ZeroCurrentType | None:
    if one is None:
        return None
    return iec.ZeroCurrentType(
        OverVoltageLimit=_maybe(one.over),
        UnderVoltageLimit=_maybe(one.under),
        OverVoltageRecoveryLimit=_maybe(one.over_recovery),
        UnderVoltageRecoveryLimit=_maybe(one.under_recovery),
        **_response("Active", one.response),
        **_response("Reactive", one.response),
    )


def _reactive(control: GridControl) -> iec.ReactivePowerSupportType | None:
    for name in REACTIVE:
        if (curve := getattr(control, name)) is not None:
            return iec.ReactivePowerSupportType(**{FIELDS[name]: _curve(curve, *UNITS[name])})
    return None


def _curve(curve: Curve, x: str, y: str) -> iec.DERCurveType:
    points = tuple(
        iec.DataTupleType(
            xValue=rational(at),
            yValue=iec.SetpointExcitationType(SetpointValue=rational(abs(value)), Excitation=UNDER if value >= 0 else OVER),
        )
        for at, value in curve.points
    )
    return iec.DERCurveType(
        xUnit=iec.curveDataPointsUnitType(x),
        yUnit=iec.curveDataPointsUnitType(y),
        CurveDataPoints=iec.CurveDataPointsListType(CurveDataPoint=points),
        MinCosPhi=rational(curve.minimum_cos_phi) if curve.minimum_cos_phi else None,
        **_response("Reactive", curve.response),
        IntentionalDelay=rational(curve.delay) if curve.delay else None,
    )


def _active(control: GridControl) -> iec.ActivePowerSupportType | None:
    if control.over_frequency is None and control.under_frequency is None and control.volt_watt is None:
        return None
    volt = control.volt_watt
    return iec.ActivePowerSupportType(
        UnderFrequencyWatt=_frequency_watt(control.under_frequency),
        OverFrequencyWatt=_frequency_watt(control.over_frequency),
        VoltWatt=None
        if volt is None
        else iec.VoltWattType(
            PowerReference=REFERENCES[volt.reference],
            UStart=rational(volt.start),
            UStop=rational(volt.stop),
            **_response("Active", volt.response),
            IntentionalDelayPowerControl=_seconds(volt.delay),
        ),
    )


def _frequency_watt(one: FrequencyWatt | None) -> iec.FrequencyWattType | None:
    if one is None:
        return None
    return iec.FrequencyWattType(
        Fstart=rational(one.start),
        Fstop=rational(one.stop),
        Slope=rational(100.0 * one.slope),
        IntentionalDelayPowerControl=_seconds(one.delay),
        PowerReference=REFERENCES[one.reference],
        HysteresisControl=one.hysteresis,
        **_response("Active", one.response),
    )


def _maybe(value: float | None) -> Any:
    return None if value is None else rational(value)


def _seconds(value: float) -> int | None:
    return round(value) or None


# --- car <- station ---


def read_settings(said: Any) -> GridControl:
    """What ChargeParameterDiscoveryRes asks of the car. Raises ValueError for what cannot be meant."""
    asked = said.DERControl
    active, reactive = asked.ActivePowerSupport, asked.ReactivePowerSupport
    curves: dict[str, Any] = {} if reactive is None else {name: _read_curve(getattr(reactive, field)) for name, field in FIELDS.items()}
    return GridControl(
        over_frequency=_read_frequency_watt(active.OverFrequencyWatt) if active else None,
        under_frequency=_read_frequency_watt(active.UnderFrequencyWatt) if active else None,
        volt_watt=_read_volt_watt(active.VoltWatt) if active else None,
        **curves,
        over_voltage=_read_ride_through(asked.OvervoltageFaultRideThrough),
        under_voltage=_read_ride_through(asked.UndervoltageFaultRideThrough),
        zero_current=_read_zero_current(asked.ZeroCurrent),
        dc_injection=optional(asked.MaximumLevelDCInjection),
        forming=said.EVOperatingMode is iec.evOperatingModeType.GridForming,
        islanded=said.GridConnectionMode is iec.gridConnectionModeType.GridIslanded,
    )


def read_setpoints(said: Any) -> dict[str, Any]:
    """The set-points of a charge loop's response, as fields of `GridControl`: what is not said any more is asked for no more."""
    var, factor = said.DSOQSetpoint, said.DSOCosPhiSetpoint
    most = total(said, "DSOMaximumDischargePower")
    return {
        "discharge_maximum": None if most is None else abs(most),
        "var": None if var is None else total(var, "DSOQSetpointValue"),
        "cos_phi": None
        if factor is None or var is not None
        else PowerFactor(abs(number(factor.DSOCosPhiSetpointValue)), factor.Excitation is UNDER),
    }


def _time(said: Any, of: str) -> float:
    return number(getattr(said, f"StepResponseTimeConstant{of}Power")) if getattr(said, f"PT1Response{of}Power") else 0.0


def _read_curve(said: iec.DERCurveType | None) -> Curve | None:
    if said is None:
        return None
    points = tuple((number(point.xValue), _signed(point.yValue)) for point in said.CurveDataPoints.CurveDataPoint)
    return Curve(points, optional(said.MinCosPhi) or 0.0, optional(said.IntentionalDelay) or 0.0, _time(said, "Reactive"))


def _signed(said: iec.SetpointExcitationType) -> float:
    value = number(said.SetpointValue)
    return value if said.Excitation is None else abs(value) if said.Excitation is UNDER else -abs(value)


def _read_frequency_watt(said: iec.FrequencyWattType | None) -> FrequencyWatt | None:
    if said is None:
        return None
    return FrequencyWatt(
        start=number(said.Fstart),
        stop=number(said.Fstop),
        slope=number(said.Slope) / 100.0,
        reference=_reference(said.PowerReference),
        hysteresis=said.HysteresisControl,
        delay=float(said.IntentionalDelayPowerControl or 0),
        response=_time(said, "Active"),
    )


def _read_volt_watt(said: iec.VoltWattType | None) -> VoltWatt | None:
    if said is None:
        return None
    return VoltWatt(
        start=number(said.UStart),
        stop=number(said.UStop),
        reference=_reference(said.PowerReference),
        delay=float(said.IntentionalDelayPowerControl or 0),
        response=_time(said, "Active"),
    )


def _reference(said: iec.powerReferenceType) -> Any:
    return "maximum" if said is iec.powerReferenceType.MaximumDischargePower else "present"


def _read_ride_through(said: iec.FaultRideThroughType | None) -> RideThrough | None:
    if said is None:
        return None
    return RideThrough(
        start=number(said.VoltageLimitStartFRT),
        stop=optional(said.VoltageLimitStopFRT),
        recovery=optional(said.VoltageRecoveryLimit),
        rise=optional(said.VoltageRideThroughPositiveCurveKFactor),
        fall=optional(said.VoltageRideThroughNegativeCurveKFactor),
        active_response=_time(said, "Active"),
        reactive_response=_time(said, "Reactive"),
    )


def _read_zero_current(said: iec.ZeroCurrentType | None) -> ZeroCurrent | None:
    if said is None:
        return None
    return ZeroCurrent(
        over=optional(said.OverVoltageLimit),
        under=optional(said.UnderVoltageLimit),
        over_recovery=optional(said.OverVoltageRecoveryLimit),
        under_recovery=optional(said.UnderVoltageRecoveryLimit),
        response=_time(said, "Active"),
    )
