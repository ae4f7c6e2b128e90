"""What the charge loops of AC and DC have in common: status, meter, reports of the car, its limits."""

import math
from functools import cache
from typing import Any, TypeVar

from secc.intent import Wish
from secc.iso20.beside import without_lapsed
from secc.iso20.notices import header, status
from secc.iso20.objections import warning
from secc.iso20.prices import receipt
from secc.iso20.schedule import asking
from secc.iso20.standby import with_limit
from secc.neutral.context import Context
from secc.neutral.keeping import kept
from secc.neutral.replaced import replaced
from secc.station import Display, EVReported, Limits, Objected
from v2g.energy.needs import Needs
from v2g.exi.schema import Type
from v2g.iso20.phases import total, within_phases
from v2g.iso20.rational import number, optional
from v2g.messages.common_types import (
    ChargeLoopReqType,
    CLReqControlModeType,
    CLResControlModeType,
    DisplayParametersType,
    Dynamic_CLReqControlModeType,
    MeterInfoType,
    Scheduled_CLReqControlModeType,
)
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused
from v2g.session.profiles import NO_DISCHARGED_ENERGY

DEPARTURE_CHANGE = 60.0  # s; a departure that moves less is the same wish, counted down
READINGS = 512  # shown while one confirmation stands: those of four minutes; a car signs one of the last
Shown = TypeVar("Shown", bound=Type)
Kinds = tuple[type[CLReqControlModeType], type[CLResControlModeType]]


def response_mode(mode: CLReqControlModeType, kinds: Kinds, known: Context) -> type[CLResControlModeType]:
    """The class of the response's control mode, by that of the request [V2G20-1600]. Raises Refused where it is not the selected one."""
    expected, answer = kinds
    if type(mode) is not expected:
        raise Refused(Reason.OTHER, f"{type(mode).__name__} came, {expected.__name__} was selected", "V2G20-1600")
    return answer


# --- what every response carries ---


def common(
    request: ChargeLoopReqType, power: float, known: Context, phases: tuple[float, ...] = ()
) -> tuple[dict[str, Any], Context, tuple[Event, ...]]:
    """The fields that every loop's response has, the context after it, and the wants.

    `power` (W, signed) flows at the car, `phases` (W) is what it says of each, where it does.
    """
    known, objection, first = kept(power, with_limit(without_lapsed(known)), phases)
    code = Code.OK if objection is None else warning(objection)
    objected = (Objected(known.now, type(request).__name__, code.value, objection),) if objection is not None and first else ()
    asked = known.session.intent.of(Wish.METERING) is not None
    shown = (
        meter_info(known) if request.MeterInfoRequested or asked or not known.service.metered else None
    )  # [V2G20-1082] [V2G20-1833] [V2G20-1083]
    relaxed: tuple[Event, ...] = ()
    if shown is not None and not known.service.metered and known.agreement.selected.bidirectional:
        relaxed = known.outlet.let_pass(NO_DISCHARGED_ENERGY, known.now)
    owed = None if shown is None else receipt(known.agreement.tab, known)  # a receipt comes with its meter reading [V2G20-1919]
    readings, receipts = known.service.meters_shown, known.service.receipts_shown
    if asked:
        readings, receipts = _remembered(shown, readings), _remembered(owed, receipts)
    fields = {"Header": header(known), "ResponseCode": code, "EVSEStatus": status(known), "MeterInfo": shown, "Receipt": owed}
    known = known.with_service(metered=known.service.metered or shown is not None, meters_shown=readings, receipts_shown=receipts)
    return fields, known, (*objected, *relaxed)


def _remembered(shown: Shown | None, before: tuple[Shown, ...]) -> tuple[Shown, ...]:
    """What the car may sign, any of it: its signature comes when further loops have shown further readings."""
    return before if shown is None or shown in before else (*before, shown)[-READINGS:]


def meter_info(known: Context) -> MeterInfoType | None:
    """The energy of this session as the meter signs it [V2G20-902]; None where there is no meter."""
    meter = known.station.meter
    if meter is None:
        return None
    back = known.agreement.selected.bidirectional and not known.outlet.let_pass(NO_DISCHARGED_ENERGY, known.now)
    return MeterInfoType(
        MeterID=meter.meter_id[:32],
        ChargedEnergyReadingWh=meter.charged,
        BPT_DischargedEnergyReadingWh=meter.discharged if back else None,
        MeterSignature=meter.signature,
        MeterStatus=meter.status,
        MeterTimestamp=int(meter.at),
    )


# --- what the car tells ---


def car_report(
    request: ChargeLoopReqType, mode: CLReqControlModeType | None, power: float, known: Context
) -> tuple[Context, tuple[Event, ...]]:
    """The context after what the car reports about its battery, and the wants: `EVReported`, and `NeedsChanged` where needs changed.

    `mode` is the control mode of the request, None where its service has none in the loop.
    """
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
        reactive=total(mode, "EVPresentReactivePower"),
        display=None if display is None else _display(display),
    )
    reserve = known.service.reserve.heard(
        known.net,
        energy=report.energy_minimum,
        v2x_minimum=report.v2x_minimum,
        v2x_maximum=report.v2x_maximum,
        soc=report.soc,
        minimum_soc=None if display is None else display.MinimumSOC,
    )
    known = known.with_service(reserve=reserve)
    if not isinstance(mode, Dynamic_CLReqControlModeType) or known.service.exchange.needs is None:
        return known, (report,)
    departure = known.service.exchange.needs.departure if mode.DepartureTime is None else known.wall + mode.DepartureTime
    before = known.service.exchange.needs.departure
    anew = departure is not None and abs(departure - (before or 0.0)) > DEPARTURE_CHANGE
    told = {
        "departure": departure if anew else before,
        "energy_target": number(mode.EVTargetEnergyRequest),
        "energy_maximum": number(mode.EVMaximumEnergyRequest),
        "energy_minimum": number(mode.EVMinimumEnergyRequest),
        "soc": report.soc if report.soc is not None else known.service.exchange.needs.soc,
    }
    needs: Needs = replaced(known.service.exchange.needs, told)
    known = known.with_exchange(needs=needs)
    return known, (report, asking(needs, known)) if anew else (report,)


def _display(said: DisplayParametersType) -> Display | None:
    """What the car shows its driver besides the SOC; None where it says nothing of it."""
    shown = Display(
        minimum_soc=said.MinimumSOC,
        target_soc=said.TargetSOC,
        maximum_soc=said.MaximumSOC,
        to_minimum=said.RemainingTimeToMinimumSOC,
        to_target=said.RemainingTimeToTargetSOC,
        to_maximum=said.RemainingTimeToMaximumSOC,
        complete=said.ChargingComplete,
        capacity=optional(said.BatteryEnergyCapacity),
        inlet_hot=said.InletHot,
    )
    return None if shown == Display() else shown


def car_limits(mode: Type, known: Context) -> Limits:
    """The limits of the car now: those that this request states, else those it stated before."""
    said, shares = known.service.car or Limits(), _shares(known)
    changed: dict[str, Any] = {}
    kind: Any = type(mode)
    for name, field in _spoken(kind):
        if getattr(mode, field) is not None:
            changed[name] = max(within_phases(mode, field, shares.get(name, math.inf)), 0.0)  # below zero is nothing
    limits: Limits = replaced(said, changed)  # itself, for as long as the car says the same
    return limits


def mobility_fields(known: Context) -> dict[str, Any]:
    """Departure and SOC of a response in Dynamic control, where the car has left them to the station; empty without."""
    selection, said = known.agreement.selected, known.station.mobility
    if selection.mobility != "SECC" or selection.control != "Dynamic" or said is None:
        return {}
    return {
        "DepartureTime": None if said.departure is None else max(0, round(said.departure - known.wall)),
        "MinimumSOC": None if said.minimum_soc is None else round(said.minimum_soc),
        "TargetSOC": None if said.target_soc is None else round(said.target_soc),
    }


def _shares(known: Context) -> dict[str, float]:
    """W that one phase of the outlet has, of the powers that a car speaks of one by one."""
    ours = known.outlet.limits
    return {name: getattr(ours, name) / ours.phases for name in ("charge_power", "discharge_power")}


@cache
def _spoken(mode: Any) -> tuple[tuple[str, str], ...]:
    """The limits of which a class of modes speaks, each with its element."""
    return tuple((name, field) for name, field in _SPOKEN.items() if field in mode.__struct_fields__)


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
