"""ScheduleExchange: the car's needs in, schedules and prices out."""

import math
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as replace_fields

from energy.needs import Needs
from energy.offer import Offer, Tuple
from energy.series import Series, Step
from pki.tariff import price_schedules
from secc.answers.entries import fitted, whole
from secc.context import Context, PriceSigner, Reply
from secc.reserve import Reserve
from secc.station import Limits, NeedsChanged
from v2g.exi.derive import least
from v2g.messages.common_messages import (
    AbsolutePriceScheduleType,
    ChargingScheduleType,
    Dynamic_SEReqControlModeType,
    Dynamic_SEResControlModeType,
    PowerScheduleEntryListType,
    PowerScheduleEntryType,
    PowerScheduleType,
    PriceLevelScheduleEntryListType,
    PriceLevelScheduleEntryType,
    PriceLevelScheduleType,
    PriceRuleStackListType,
    PriceRuleStackType,
    PriceRuleType,
    Scheduled_SEReqControlModeType,
    Scheduled_SEResControlModeType,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
    ScheduleTupleType,
)
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused
from v2g.session.rational import optional, rational
from v2g.session.sequence import State
from v2g.session.timing import SECC_ONGOING_TIMEOUT

POWER_ALGORITHM = "urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power"
LANGUAGE = "en"
STACKS = 64  # price steps that the smallest decoder among the public stacks holds
# a car that insists on a price [V2G20-2176] insists on it here too
NOTHING_YET = least(
    Scheduled_SEResControlModeType,
    ScheduleTuple=(
        least(ScheduleTupleType, ChargingSchedule=least(ChargingScheduleType, PriceLevelSchedule=least(PriceLevelScheduleType))),
    ),
)
MOVING = ("energy_target", "energy_maximum", "energy_minimum", "v2x_maximum", "v2x_minimum")
SAME_DEPARTURE = 60.0  # s by which a wish may move and be the same
SAME_ENERGY, SAME_SHARE = 100.0, 0.01  # Wh, or a share of the energy: what a heater takes while the car polls
DONE = {
    State.AC_SCHEDULE: State.AC_START,
    State.DC_SCHEDULE: State.DC_CABLE_CHECK,
    State.DC_RENEGOTIATION: State.DC_RESTART,
}


def schedule_exchange(request: ScheduleExchangeReq, known: Context) -> Reply:
    """Ongoing until the scheduler has an offer; the answer is of the kind that was asked for [V2G20-1600]."""
    mode = request.Scheduled_SEReqControlMode or request.Dynamic_SEReqControlMode
    selection = known.agreement.selected
    asked_for = "Scheduled" if request.Scheduled_SEReqControlMode is not None else "Dynamic"
    if asked_for != selection.control or mode is None:
        raise Refused(Code.FAILED, f"{asked_for} control was asked for, {selection.control} was selected", "V2G20-1600")
    needs = needs_of(mode, request.MaximumSupportingPoints, known)
    known = replace(known, reserve=_reserve(needs, known))
    if not _same(needs, known.needs):
        asked = known.now if known.schedule_asked is None else known.schedule_asked  # needs that move do not begin the time anew
        offer, points = _waiting(needs, known), request.MaximumSupportingPoints
        known = replace(known, needs=needs, schedule_asked=asked, offer=offer, coming=None, max_points=points)
        if not known.delivering:  # under power the time without a charge loop is bounded
            _demand_patience(known)
        if offer is None:
            return Reply(_ongoing(known), known.state, known, (NeedsChanged(known.now, needs, first=not known.delivering),))
    if known.offer is None:
        _demand_patience(known)
        return Reply(_ongoing(known), known.state, known)
    known = replace(known, offer=_fitted(_kept(known.offer, known), known))
    learnt = replace(known, pause_proposed=False, may_pause=known.pause_proposed)  # said once
    return Reply(_finished(known), DONE[known.state], learnt)


def _demand_patience(known: Context) -> None:
    """Raises Refused once the car has polled as long as it may be kept waiting, counted from its first request."""
    asked = known.now if known.schedule_asked is None else known.schedule_asked
    if known.now - asked >= SECC_ONGOING_TIMEOUT:
        raise Refused(Code.FAILED, f"there is no schedule after {SECC_ONGOING_TIMEOUT:g} s", None)


def _reserve(needs: Needs, known: Context) -> Reserve:
    return known.reserve.heard(
        known.net,
        energy=needs.energy_minimum,
        v2x_minimum=needs.v2x_minimum,
        v2x_maximum=needs.v2x_maximum,
        minimum_soc=needs.minimum_soc,
    )


def _waiting(needs: Needs, known: Context) -> Offer | None:
    """The offer that came while another bound the car; None if the car wishes something else by now. Energies move with the charge."""
    if known.coming is None:
        return None
    offer, before = known.coming
    energies: dict[str, Any] = {name: getattr(needs, name) for name in MOVING}
    return offer if _same(needs, replace(before, **energies)) else None


def _same(a: Needs, b: Needs | None) -> bool:
    """Equal but for the departure, which a polling car counts down second by second, and energies, which its own consumption moves."""
    if b is None:
        return False
    for name in ("departure", *MOVING):
        one, other = getattr(a, name), getattr(b, name)
        if (one is None) != (other is None):
            return False
        bound = SAME_DEPARTURE if name == "departure" else max(SAME_ENERGY, SAME_SHARE * abs(other or 0.0))
        if one is not None and abs(one - other) >= bound:
            return False
    without: dict[str, Any] = dict.fromkeys(("departure", *MOVING))
    return replace(a, **without) == replace(b, **without)


def needs_of(mode: Scheduled_SEReqControlModeType | Dynamic_SEReqControlModeType, points: int, known: Context) -> Needs:
    """What the car asks for, with its powers as far as the outlet goes along. Raises Refused for what cannot be meant."""
    # what the hardware can do, not what a profile of the CSMS leaves of it now: that profile is made from these needs
    car, ours, bidirectional = known.car or Limits(), known.outlet.limits, known.agreement.selected.bidirectional
    dynamic = mode if isinstance(mode, Dynamic_SEReqControlModeType) else None
    if dynamic is not None:
        if (dynamic.EVMaximumV2XEnergyRequest is None) != (dynamic.EVMinimumV2XEnergyRequest is None):
            raise Refused(
                Code.FAILED, "one of EVMaximumV2XEnergyRequest and EVMinimumV2XEnergyRequest came without the other", "V2G20-2681"
            )
        if dynamic.MinimumSOC is not None and dynamic.TargetSOC is not None and dynamic.MinimumSOC > dynamic.TargetSOC:
            raise Refused(Code.FAILED, f"MinimumSOC {dynamic.MinimumSOC} % is above TargetSOC {dynamic.TargetSOC} %", "V2G20-1640")
    return Needs(
        departure=None if mode.DepartureTime is None else known.wall + mode.DepartureTime,
        energy_target=optional(mode.EVTargetEnergyRequest),
        energy_maximum=optional(mode.EVMaximumEnergyRequest),
        energy_minimum=optional(mode.EVMinimumEnergyRequest),
        v2x_maximum=optional(dynamic.EVMaximumV2XEnergyRequest) if dynamic else None,
        v2x_minimum=optional(dynamic.EVMinimumV2XEnergyRequest) if dynamic else None,
        charge_maximum=min(car.charge_power, ours.charge_power),
        charge_minimum=max(car.charge_power_minimum, ours.charge_power_minimum),
        discharge_maximum=min(car.discharge_power, ours.discharge_power) if bidirectional else 0.0,
        discharge_minimum=max(car.discharge_power_minimum, ours.discharge_power_minimum) if bidirectional else 0.0,
        max_points=points,
        bidirectional=bidirectional,
        minimum_soc=dynamic.MinimumSOC if dynamic else None,
        target_soc=dynamic.TargetSOC if dynamic else None,
    )


def _kept(offer: Offer, known: Context) -> Offer:
    """The offer, in which a schedule that was chosen before a pause keeps its id [V2G20-1058]."""
    before = known.agreement.tuple_id
    if before is None or known.delivering or offer.chosen(before) is not None:  # under power another is negotiated
        return offer
    return replace(offer, tuples=(replace(offer.tuples[0], id=before), *offer.tuples[1:]))


def _fitted(offer: Offer, known: Context) -> Offer:
    """The offer as the car gets it, which is what its profile is held against: whole seconds, no more steps than it can hold."""
    points = max(known.max_points, 1)
    return replace(
        offer,
        tuples=tuple(
            replace(
                each,
                charging=None if each.charging is None else fitted(each.charging, points),
                discharging=None if each.discharging is None else fitted(each.discharging, points),
            )
            for each in offer.tuples
        ),
    )


def _ongoing(known: Context) -> ScheduleExchangeRes:
    """The schema wants a mode even here: the least that every car reads."""
    scheduled = known.agreement.selected.control == "Scheduled"
    return ScheduleExchangeRes(
        Header=known.header,
        ResponseCode=Code.OK,
        EVSEProcessing=processingType.Ongoing,
        Scheduled_SEResControlMode=NOTHING_YET if scheduled else None,
        Dynamic_SEResControlMode=None if scheduled else Dynamic_SEResControlModeType(),
    )


def _finished(known: Context) -> ScheduleExchangeRes:
    scheduled = known.agreement.selected.control == "Scheduled"
    response = ScheduleExchangeRes(
        Header=known.header,
        ResponseCode=Code.OK,
        EVSEProcessing=processingType.Finished,
        GoToPause=True if known.pause_proposed else None,
        Scheduled_SEResControlMode=_scheduled(known) if scheduled else None,
        Dynamic_SEResControlMode=None if scheduled else _dynamic(known),
    )
    return response if known.prices is None else _signed(response, known.prices, known.agreement.contract)


def _signed(response: ScheduleExchangeRes, sign: PriceSigner, contract: bytes) -> ScheduleExchangeRes:
    """The same with its prices signed, if it has any: one reference each."""
    if not any(price_schedules(response)):
        return response
    return replace_fields(response, Header=replace_fields(response.Header, Signature=sign(response, contract)))


def _scheduled(known: Context) -> Scheduled_SEResControlModeType:
    assert known.offer is not None
    return Scheduled_SEResControlModeType(ScheduleTuple=tuple(_tuple(each, known.offer, known) for each in known.offer.tuples[:3]))


def _tuple(offered: Tuple, offer: Offer, known: Context) -> ScheduleTupleType:
    charging, first = offered.charging or Series.constant(known.wall, 1.0, 0.0), 2 * offered.id - 1
    back = offered.discharging if known.agreement.selected.bidirectional else None
    return ScheduleTupleType(
        ScheduleTupleID=offered.id,
        ChargingSchedule=_schedule(charging, _prices(offered.import_prices, charging, offer, first, known), offered, first, known),
        DischargingSchedule=None
        if back is None
        else _schedule(back, _prices(offered.export_prices, back, offer, first + 1, known), offered, first + 1, known),
    )


def _schedule(
    power: Series, prices: AbsolutePriceScheduleType | None, offered: Tuple, number_: int, known: Context
) -> ChargingScheduleType:
    """Power with its price; where none is known, one level throughout, for cars that insist on one [V2G20-2176]."""
    priced = known.outlet.pricing == "absolute"
    return ChargingScheduleType(
        PowerSchedule=_power(power, offered.tolerance, known),
        AbsolutePriceSchedule=prices if priced else None,
        PriceLevelSchedule=_level(power, number_) if priced and prices is None else None,
    )


def _level(power: Series, number_: int) -> PriceLevelScheduleType:
    entry = PriceLevelScheduleEntryType(Duration=max(1, round(power.duration)), PriceLevel=1)
    return PriceLevelScheduleType(
        TimeAnchor=int(power.start),
        PriceScheduleID=number_,
        NumberOfPriceLevels=1,
        PriceLevelScheduleEntries=PriceLevelScheduleEntryListType(PriceLevelScheduleEntry=(entry,)),
    )


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
    departure = known.needs.departure if known.needs is not None else None
    rest = math.floor(departure - power.until) if departure is not None else 0
    if rest <= 0:
        return power
    steps = power.steps if len(power.steps) < known.max_points else power.steps[:-1]
    missing = rest + sum(step.duration for step in power.steps[len(steps) :])
    return Series(power.start, (*steps, Step(missing, 0.0)))


def _prices(prices: Series | None, power: Series, offer: Offer, number_: int, known: Context) -> AbsolutePriceScheduleType | None:
    """Prices per kWh over the span of a schedule; in a discharging schedule they are what a kWh earns, as the power is negative."""
    if prices is None or not prices.steps:
        return None
    covered = prices.clip(power.start, power.until)
    covered = covered if covered.steps else Series.constant(power.start, power.duration, prices.steps[-1].value)
    most = min(STACKS, known.max_points)
    if len(covered.steps) > most:
        covered = covered.resample(math.ceil(covered.duration / most))
    return AbsolutePriceScheduleType(
        Id=None if known.prices is None else f"price{number_}",
        TimeAnchor=int(covered.start),
        PriceScheduleID=number_,
        Currency=offer.currency,
        Language=LANGUAGE,
        PriceAlgorithm=POWER_ALGORITHM,
        PriceRuleStacks=PriceRuleStackListType(
            PriceRuleStack=tuple(
                PriceRuleStackType(
                    Duration=int(step.duration),
                    PriceRule=(PriceRuleType(EnergyFee=rational(step.value), PowerRangeStart=rational(0)),),
                )
                for step in whole(_until(covered, power.until)).steps
            )
        ),
    )


def _until(prices: Series, until: float) -> Series:
    """The last known price holds on to the end of the schedule."""
    missing = until - prices.until
    if missing < 1.0:
        return prices
    last = prices.steps[-1]
    return Series(prices.start, (*prices.steps[:-1], Step(last.duration + missing, last.value)))


def _dynamic(known: Context) -> Dynamic_SEResControlModeType:
    """Prices for a car that is led; departure and SOC only where the station sets the mobility needs."""
    assert known.offer is not None
    offer, needs = known.offer, known.needs
    first = offer.tuples[0]
    ours = known.agreement.selected.mobility == "SECC" and needs is not None
    priced = known.outlet.pricing == "absolute" and first.charging is not None
    return Dynamic_SEResControlModeType(
        DepartureTime=max(0, round(offer.departure - known.wall)) if ours and offer.departure is not None else None,
        MinimumSOC=_percent(needs.minimum_soc) if ours and needs else None,
        TargetSOC=_percent(needs.target_soc) if ours and needs else None,
        AbsolutePriceSchedule=_prices(first.import_prices, first.charging, offer, 1, known) if priced and first.charging else None,
    )


def _percent(soc: float | None) -> int | None:
    return None if soc is None else round(soc)
