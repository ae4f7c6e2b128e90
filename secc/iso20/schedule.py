"""ScheduleExchange: the car states its needs, the station offers schedules and prices."""

import math
from dataclasses import replace
from enum import Enum

from msgspec.structs import replace as replace_fields

from pki.tariff import price_schedules
from secc.claims import PriceSigner
from secc.iso20.ev_offer import energy_offer
from secc.iso20.notices import header
from secc.iso20.prices import absolute, level, prices_as_shown
from secc.iso20.stated import holdable, stated_absolute, stated_levels
from secc.neutral.account import terms_of
from secc.neutral.context import Context, Exchange, Reply
from secc.neutral.entries import fitted_steps, whole
from secc.neutral.exchange import equal_needs, overdue, waiting_offer
from secc.reserve import Reserve
from secc.station import Limits, MobilityNeedsSet, NeedsChanged
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer, Tuple
from v2g.energy.price_schedule import PriceLevels, PriceSchedule, Way
from v2g.energy.relative_prices import RelativePrices
from v2g.energy.series import Series, Step
from v2g.exi.derive import least
from v2g.iso20.rational import optional, rational
from v2g.iso20.sequence import State
from v2g.iso20.timing import SECC_ONGOING_TIMEOUT
from v2g.messages.common_messages import (
    AbsolutePriceScheduleType,
    ChargingScheduleType,
    Dynamic_SEReqControlModeType,
    Dynamic_SEResControlModeType,
    PowerScheduleEntryListType,
    PowerScheduleEntryType,
    PowerScheduleType,
    PriceLevelScheduleType,
    Scheduled_SEResControlModeType,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
    ScheduleTupleType,
)
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.errors import Refused, SequenceError, StationFailed

# a car that insists on a price [V2G20-2176] insists on it here too
NOTHING_YET = least(
    Scheduled_SEResControlModeType,
    ScheduleTuple=(
        least(ScheduleTupleType, ChargingSchedule=least(ChargingScheduleType, PriceLevelSchedule=least(PriceLevelScheduleType))),
    ),
)
DONE: dict[Enum, State] = {
    State.AC_DER_SETTLING: State.AC_START,
    State.AC_SCHEDULE: State.AC_START,
    State.DC_SCHEDULE: State.DC_CABLE_CHECK,
    State.DC_RENEGOTIATION: State.DC_RESTART,
    State.WPT_SCHEDULE: State.WPT_ALIGNMENT,
    State.WPT_RENEGOTIATION: State.WPT_RESTART,
}


def schedule_exchange(request: ScheduleExchangeReq, known: Context) -> Reply:
    """Answer Ongoing until the backend has an offer, then with the offer, in the control mode of the request [V2G20-1600]."""
    if known.service.feeding.settling:
        raise SequenceError("a schedule is asked for before the car has taken over what the grid asks (EVProcessing)", "V2G20-3151")
    needs = needs_of(request, known)
    known = known.with_service(reserve=reserve_of(needs, known))
    if not equal_needs(needs, known.service.exchange.needs, known.wall):
        asked = (
            known.now if known.service.exchange.asked is None else known.service.exchange.asked
        )  # needs that move do not begin the time anew
        offer, points = waiting_offer(needs, known), request.MaximumSupportingPoints
        known = known.with_service(exchange=Exchange(needs, asked, offer, points, known.station.limits), coming=None)
        if not known.delivering:  # under power the time without a charge loop is bounded
            _demand_patience(known)
        if offer is None:
            return Reply(ongoing_response(known), known.state, known, (asking(needs, known, first=not known.delivering),))
    if known.service.exchange.offer is None or (known.unparked and not known.delivering):
        _demand_patience(known)
        return Reply(ongoing_response(known), known.state, known)
    known = known.with_exchange(offer=fitted_offer(known.service.exchange.offer, known))
    learnt = known.with_service(pause_proposed=False, may_pause=known.service.pause_proposed)  # said once
    return Reply(finished_response(known), DONE[known.state], learnt)


def asking(needs: Needs, known: Context, *, first: bool = False) -> NeedsChanged:
    """The want that asks the station for schedules, with all that the car can do."""
    return NeedsChanged(known.now, needs, first, known.service.car, known.service.phases, known.service.feeding.inverter)


def _demand_patience(known: Context) -> None:
    """Raises Refused once the exchange is overdue."""
    if overdue(known.service.exchange, known.now, SECC_ONGOING_TIMEOUT):
        if known.unparked:
            raise Refused(Reason.OTHER, known.unparked, None)
        raise Refused(Reason.OTHER, f"there is no schedule after {SECC_ONGOING_TIMEOUT:g} s", None)


def reserve_of(needs: Needs, known: Context) -> Reserve:
    """The reserve that the car keeps for itself, after it stated its needs."""
    return known.service.reserve.heard(
        known.net,
        energy=needs.energy_minimum,
        v2x_minimum=needs.v2x_minimum,
        v2x_maximum=needs.v2x_maximum,
        minimum_soc=needs.minimum_soc,
    )


def needs_of(request: ScheduleExchangeReq, known: Context) -> Needs:
    """The car's needs as plain numbers, its powers cut to the outlet's.

    Raises Refused for values that make no sense, and for another control than was selected [V2G20-1600].
    """
    mode = request.Scheduled_SEReqControlMode or request.Dynamic_SEReqControlMode
    control = known.agreement.selected.control
    asked_for = "Scheduled" if request.Scheduled_SEReqControlMode is not None else "Dynamic"
    if asked_for != control or mode is None:
        raise Refused(Reason.OTHER, f"{asked_for} control was asked for, {control} was selected", "V2G20-1600")
    # what the hardware can do, not what a profile of the CSMS leaves of it now: that profile is made from these needs
    car, ours, bidirectional = known.service.car or Limits(), known.outlet.limits, known.agreement.selected.bidirectional
    dynamic = mode if isinstance(mode, Dynamic_SEReqControlModeType) else None
    if dynamic is not None:
        if (dynamic.EVMaximumV2XEnergyRequest is None) != (dynamic.EVMinimumV2XEnergyRequest is None):
            raise Refused(
                Reason.OTHER, "one of EVMaximumV2XEnergyRequest and EVMinimumV2XEnergyRequest came without the other", "V2G20-2681"
            )
        if dynamic.MinimumSOC is not None and dynamic.TargetSOC is not None and dynamic.MinimumSOC > dynamic.TargetSOC:
            raise Refused(Reason.OTHER, f"MinimumSOC {dynamic.MinimumSOC} % is above TargetSOC {dynamic.TargetSOC} %", "V2G20-1640")
    by_car = None if mode.DepartureTime is None else known.wall + mode.DepartureTime
    return Needs(
        departure=departure_of(by_car, known),
        energy_target=optional(mode.EVTargetEnergyRequest),
        energy_maximum=optional(mode.EVMaximumEnergyRequest),
        energy_minimum=optional(mode.EVMinimumEnergyRequest),
        v2x_maximum=optional(dynamic.EVMaximumV2XEnergyRequest) if dynamic else None,
        v2x_minimum=optional(dynamic.EVMinimumV2XEnergyRequest) if dynamic else None,
        charge_maximum=min(car.charge_power, ours.charge_power),
        charge_minimum=max(car.charge_power_minimum, ours.charge_power_minimum),
        discharge_maximum=min(car.discharge_power, ours.discharge_power) if bidirectional else 0.0,
        discharge_minimum=max(car.discharge_power_minimum, ours.discharge_power_minimum) if bidirectional else 0.0,
        max_points=request.MaximumSupportingPoints,
        bidirectional=bidirectional,
        minimum_soc=dynamic.MinimumSOC if dynamic else None,
        target_soc=dynamic.TargetSOC if dynamic else None,
        energy_offer=None if isinstance(mode, Dynamic_SEReqControlModeType) else energy_offer(mode.EVEnergyOffer),
    )


def departure_of(by_car: float | None, known: Context) -> float | None:
    """When the car leaves (epoch s): as the station says where the car has left it to it, else as the car does."""
    said = known.station.mobility if known.agreement.selected.mobility == "SECC" else None
    return by_car if said is None or said.departure is None else said.departure


def _kept(offer: Offer, known: Context) -> Offer:
    """The offer, in which a schedule that was chosen before a pause keeps its id [V2G20-1058]."""
    before = known.agreement.tuple_id
    if before is None or known.delivering or offer.chosen(before) is not None:  # under power another is negotiated
        return offer
    return replace(offer, tuples=(replace(offer.tuples[0], id=before), *offer.tuples[1:]))


def fitted_offer(offer: Offer, known: Context) -> Offer:
    """The offer as it is sent, against which the car's profile is checked: whole seconds, no more steps than the car can hold.

    Raises StationFailed for two schedules under one id: what the car chooses by it would not be what it is held to.
    """
    offer = _kept(offer, known)
    ids = [each.id for each in offer.tuples]
    if len(set(ids)) < len(ids):
        raise StationFailed(f"the schedules of an offer have the ids {', '.join(map(str, ids))}; each needs one of its own", None)
    points = max(known.service.exchange.max_points, 1)
    return replace(
        offer,
        tuples=tuple(
            replace(
                each,
                charging=charging,
                discharging=discharging,
                import_prices=prices_as_shown(each.import_prices, charging, points),
                export_prices=prices_as_shown(each.export_prices, discharging, points),
                stated=holdable(each.stated, points),
            )
            for each in offer.tuples
            for charging, discharging in [
                tuple(None if one is None else fitted_steps(one, points) for one in (each.charging, each.discharging))
            ]
        ),
    )


def ongoing_response(known: Context) -> ScheduleExchangeRes:
    """The response that says Ongoing; the schema demands a control mode in it, so it has the smallest that every car reads."""
    scheduled = known.agreement.selected.control == "Scheduled"
    return ScheduleExchangeRes(
        Header=header(known),
        ResponseCode=Code.OK,
        EVSEProcessing=processingType.Ongoing,
        Scheduled_SEResControlMode=NOTHING_YET if scheduled else None,
        Dynamic_SEResControlMode=None if scheduled else Dynamic_SEResControlModeType(),
    )


def finished_response(known: Context) -> ScheduleExchangeRes:
    """The response with the offer of an exchange, its prices signed where there is a signer."""
    scheduled = known.agreement.selected.control == "Scheduled"
    response = ScheduleExchangeRes(
        Header=header(known),
        ResponseCode=Code.OK,
        EVSEProcessing=processingType.Finished,
        GoToPause=True if known.service.pause_proposed else None,
        Scheduled_SEResControlMode=_scheduled(known) if scheduled else None,
        Dynamic_SEResControlMode=None if scheduled else _dynamic(known),
    )
    return response if known.given.prices is None else _signed(response, known.given.prices, known.agreement.contract)


def _signed(response: ScheduleExchangeRes, sign: PriceSigner, contract: bytes) -> ScheduleExchangeRes:
    """The same with its prices signed, if it has any: one reference each."""
    if not any(price_schedules(response)):
        return response
    return replace_fields(response, Header=replace_fields(response.Header, Signature=sign(response, contract)))


def _scheduled(known: Context) -> Scheduled_SEResControlModeType:
    assert known.service.exchange.offer is not None
    return Scheduled_SEResControlModeType(
        ScheduleTuple=tuple(_tuple(each, known.service.exchange.offer, known) for each in known.service.exchange.offer.tuples[:3])
    )


def _tuple(offered: Tuple, offer: Offer, known: Context) -> ScheduleTupleType:
    charging, first = offered.charging or Series.constant(known.wall, 1.0, 0.0), 2 * offered.id - 1
    back = offered.discharging if known.agreement.selected.bidirectional else None
    return ScheduleTupleType(
        ScheduleTupleID=offered.id,
        ChargingSchedule=_schedule(charging, offered.import_prices, offered, offer, first, known),
        DischargingSchedule=None if back is None else _schedule(back, offered.export_prices, offered, offer, first + 1, known),
    )


def _schedule(power: Series, prices: Series | None, offered: Tuple, offer: Offer, number_: int, known: Context) -> ChargingScheduleType:
    """Power with its price; where none is known, one level throughout, for cars that insist on one [V2G20-2176]."""
    buys = power is not offered.discharging
    shown, levels = _stated(offered, "in" if buys else "out", number_, known)
    if shown is None and levels is None:
        shown = absolute(prices, terms_of(offered, offer), number_, known, buys=buys)
    if levels is None and shown is None and known.outlet.pricing != "none":
        levels = level(prices, power, offered, number_, known)
    return ChargingScheduleType(
        PowerSchedule=_power(power, offered.tolerance, known), AbsolutePriceSchedule=shown, PriceLevelSchedule=levels
    )


def _stated(
    offered: Tuple, way: Way, number_: int, known: Context
) -> tuple[AbsolutePriceScheduleType | None, PriceLevelScheduleType | None]:
    """The prices of a schedule that are passed on whole: absolute, or as levels; neither where it has none, or none are told here."""
    attribute = None if known.given.prices is None else f"price{number_}"
    match offered.stated if known.outlet.pricing != "none" else None:
        case PriceSchedule() as prices:
            return stated_absolute(prices, way, attribute), None
        case PriceLevels() as prices:
            return None, stated_levels(prices, attribute)
        case RelativePrices() as prices:
            return None, stated_levels(prices.levelled(), attribute)
    return None, None


def _power(power: Series, tolerance: float | None, known: Context) -> PowerScheduleType:
    """Charging is positive, discharging negative; rounding never offers more than was meant, in neither direction."""
    entries = [
        PowerScheduleEntryType(Duration=int(step.duration), Power=rational(step.value, "down" if step.value >= 0 else "up"))
        for step in whole(_covering(power, known)).steps
    ]
    return PowerScheduleType(
        TimeAnchor=int(power.start),
        PowerTolerance=None if tolerance is None else rational(tolerance, "down"),
        PowerScheduleEntries=PowerScheduleEntryListType(PowerScheduleEntry=tuple(entries)),
    )


def _covering(power: Series, known: Context) -> Series:
    """The schedule until the car departs: what lies beyond the plan is offered without power, to be negotiated anew."""
    departure = known.service.exchange.needs.departure if known.service.exchange.needs is not None else None
    rest = math.floor(departure - power.until) if departure is not None else 0
    if rest <= 0:
        return power
    steps = power.steps if len(power.steps) < known.service.exchange.max_points else power.steps[:-1]
    missing = rest + sum(step.duration for step in power.steps[len(steps) :])
    return Series(power.start, (*steps, Step(missing, 0.0)))


def _dynamic(known: Context) -> Dynamic_SEResControlModeType:
    """Prices for a car that is led; departure and SOC only where the station sets the mobility needs."""
    assert known.service.exchange.offer is not None
    offer, needs = known.service.exchange.offer, known.service.exchange.needs
    first = offer.tuples[0]
    said = known.station.mobility or MobilityNeedsSet()
    departure = offer.departure if said.departure is None else said.departure
    ours = known.agreement.selected.mobility == "SECC" and needs is not None
    target = needs.target_soc if needs is not None and said.target_soc is None else said.target_soc
    least = needs.minimum_soc if needs is not None and said.minimum_soc is None else said.minimum_soc
    prices, charging = first.import_prices, first.charging
    shown, levels = _stated(first, "both", 1, known)
    if shown is None and levels is None:
        shown = absolute(prices, terms_of(first, offer), 1, known)
        if known.outlet.pricing == "levels" and prices is not None and charging is not None:
            levels = level(prices, charging, first, 1, known)
    return Dynamic_SEResControlModeType(
        DepartureTime=max(0, round(departure - known.wall)) if ours and departure is not None else None,
        MinimumSOC=_percent(least if least is None or target is None else min(least, target)) if ours else None,  # [V2G20-1640]
        TargetSOC=_percent(target) if ours else None,
        AbsolutePriceSchedule=shown,
        PriceLevelSchedule=levels,
    )


def _percent(soc: float | None) -> int | None:
    return None if soc is None else round(soc)
