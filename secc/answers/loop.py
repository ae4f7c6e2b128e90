"""What the charge loops of AC and DC have in common: status, meter, reports, and what may flow now."""

from dataclasses import replace
from typing import Any

from secc.answers.keeping import kept
from secc.context import Context
from secc.station import EVReported, Limits, NeedsChanged, Objected
from v2g.exi.schema import Type
from v2g.messages.common_types import (
    ChargeLoopReqType,
    CLReqControlModeType,
    CLResControlModeType,
    Dynamic_CLReqControlModeType,
    MeterInfoType,
    Scheduled_CLReqControlModeType,
    evseNotificationType,
)
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Event, Relaxed
from v2g.session.errors import Refused
from v2g.session.profiles import NO_DISCHARGED_ENERGY
from v2g.session.rational import number, optional

DEPARTURE_CHANGE = 60.0  # s; a departure that moves less is the same wish, counted down
READINGS = 512  # shown while one confirmation stands: those of four minutes; a car signs one of the last
Modes = dict[tuple[str, bool], tuple[type[CLReqControlModeType], type[CLResControlModeType]]]


def admitted(mode: CLReqControlModeType, modes: Modes, known: Context) -> type[CLResControlModeType]:
    """The response mode in kind [V2G20-1600]. Raises Refused for a request of another kind than was selected."""
    selection = known.agreement.selected
    expected, answer = modes[selection.control, selection.bidirectional]
    if type(mode) is not expected:
        raise Refused(Code.FAILED, f"{type(mode).__name__} came, {expected.__name__} was selected", "V2G20-1600")
    return answer


# --- what every response carries ---


def common(request: ChargeLoopReqType, power: float, known: Context) -> tuple[dict[str, Any], Context, tuple[Event, ...]]:
    """Header, code, status and meter of the response; what is known then; what goes into the trace. `power` (W) flows at the car."""
    known, objection, first = kept(power, known)
    code = Code.OK if objection is None else objection.code
    objected = (Objected(known.now, type(request).__name__, objection),) if objection is not None and first else ()
    asked = known.intent.of(evseNotificationType.MeteringConfirmation) is not None
    shown = (
        meter_info(known) if request.MeterInfoRequested or asked or not known.metered else None
    )  # [V2G20-1082] [V2G20-1833] [V2G20-1083]
    relaxed: tuple[Event, ...] = ()
    if (
        shown is not None
        and not known.metered
        and known.agreement.selected.bidirectional
        and known.outlet.puts_up_with(NO_DISCHARGED_ENERGY)
    ):
        relaxed = (Relaxed(known.now, NO_DISCHARGED_ENERGY.name, NO_DISCHARGED_ENERGY.requirement),)
    fields = {"Header": known.header, "ResponseCode": code, "EVSEStatus": known.status, "MeterInfo": shown}
    readings = _remembered(shown, known) if asked else known.meters_shown
    known = replace(known, metered=known.metered or shown is not None, meters_shown=readings)
    return fields, known, (*objected, *relaxed)


def _remembered(shown: MeterInfoType | None, known: Context) -> tuple[MeterInfoType, ...]:
    """The readings of which the car may sign any: its signature comes when further loops have shown further ones."""
    if shown is None or shown in known.meters_shown:
        return known.meters_shown
    return (*known.meters_shown, shown)[-READINGS:]


def meter_info(known: Context) -> MeterInfoType | None:
    """The energy of this session as the meter signs it [V2G20-902]; None where there is no meter."""
    meter = known.meter
    if meter is None:
        return None
    back = known.agreement.selected.bidirectional and not known.outlet.puts_up_with(NO_DISCHARGED_ENERGY)
    return MeterInfoType(
        MeterID=meter.meter_id[:32],
        ChargedEnergyReadingWh=meter.charged,
        BPT_DischargedEnergyReadingWh=meter.discharged if back else None,
        MeterSignature=meter.signature,
        MeterStatus=meter.status,
        MeterTimestamp=int(meter.at),
    )


# --- what the car tells ---


def reported(request: ChargeLoopReqType, mode: CLReqControlModeType, power: float, known: Context) -> tuple[Context, tuple[Event, ...]]:
    """What the car tells about its battery, for the backend; and its needs, where they are others than before."""
    display = request.DisplayParameters
    asked = mode if isinstance(mode, Scheduled_CLReqControlModeType | Dynamic_CLReqControlModeType) else None
    report = EVReported(
        known.now,
        power=power,
        soc=None if display is None or display.PresentSOC is None else float(display.PresentSOC),
        energy_target=optional(asked.EVTargetEnergyRequest) if asked else None,
        energy_maximum=optional(asked.EVMaximumEnergyRequest) if asked else None,
        energy_minimum=optional(asked.EVMinimumEnergyRequest) if asked else None,
        v2x_maximum=optional(getattr(mode, "EVMaximumV2XEnergyRequest", None)),
        v2x_minimum=optional(getattr(mode, "EVMinimumV2XEnergyRequest", None)),
    )
    reserve = known.reserve.heard(
        known.net,
        energy=report.energy_minimum,
        v2x_minimum=report.v2x_minimum,
        v2x_maximum=report.v2x_maximum,
        soc=report.soc,
        minimum_soc=None if display is None else display.MinimumSOC,
    )
    known = replace(known, reserve=reserve)
    if not isinstance(mode, Dynamic_CLReqControlModeType) or known.needs is None:
        return known, (report,)
    departure = known.needs.departure if mode.DepartureTime is None else known.wall + mode.DepartureTime
    needs = replace(
        known.needs,
        departure=departure,
        energy_target=number(mode.EVTargetEnergyRequest),
        energy_maximum=number(mode.EVMaximumEnergyRequest),
        energy_minimum=number(mode.EVMinimumEnergyRequest),
        soc=report.soc if report.soc is not None else known.needs.soc,
    )
    anew = departure is not None and abs(departure - (known.needs.departure or 0.0)) > DEPARTURE_CHANGE
    known = replace(known, needs=needs if anew else replace(needs, departure=known.needs.departure))
    return known, (report, NeedsChanged(known.now, needs, first=False)) if anew else (report,)


def car_limits(mode: Type, known: Context) -> Limits:
    """What the car can take now: what this request says, else what it said before."""
    said = known.car or Limits()
    changed: dict[str, Any] = {}
    for name, field in _SPOKEN.items():
        value = getattr(mode, field, None)
        if value is not None:
            total = (getattr(mode, field + suffix, None) for suffix in ("_L2", "_L3"))
            changed[name] = abs(number(value)) + sum(abs(number(v)) for v in total if v is not None)
    return replace(said, **changed)


_SPOKEN = {
    "charge_power": "EVMaximumChargePower",
    "charge_power_minimum": "EVMinimumChargePower",
    "discharge_power": "EVMaximumDischargePower",
    "discharge_power_minimum": "EVMinimumDischargePower",
    "charge_current": "EVMaximumChargeCurrent",
    "discharge_current": "EVMaximumDischargeCurrent",
    "voltage": "EVMaximumVoltage",
    "voltage_minimum": "EVMinimumVoltage",
}
