"""ChargeParameterDiscovery in DC: the limits of car and outlet; and in any mode, whether they fit, and the wait for an offer."""

from typing import Any

from secc.enveloped.notices import dc_status
from secc.enveloped.words import Words
from secc.neutral.context import Context, Exchange
from secc.neutral.exchange import equal_needs, overdue, waiting_offer
from secc.station import Limits, NeedsChanged
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer
from v2g.reasons import Reason
from v2g.session.decimal import number, optional
from v2g.session.endpoint import Event
from v2g.session.errors import Refused
from v2g.session.profiles import ZERO_UNSAID

RIPPLE = 1.0  # A that an output may swing by: no hardware says it, and the element must be there


def dc_limits(said: Any) -> Limits:
    """What a car can take in DC, by the word of its DC_EVChargeParameter."""
    voltage, current = number(said.EVMaximumVoltageLimit), number(said.EVMaximumCurrentLimit)
    return Limits(
        charge_power=optional(said.EVMaximumPowerLimit) or voltage * current,  # some cars say 0 W where they say nothing
        charge_current=current,
        voltage=voltage,
        voltage_minimum=0.0,
        discharge_power=0.0,
        discharge_current=0.0,
    )


def power_unsaid(said: Any) -> bool:
    """Whether a ChargeParameter of a car is one of DC that states no limit of its power, or 0 W, as some do that say nothing."""
    return hasattr(said, "EVMaximumPowerLimit") and not optional(said.EVMaximumPowerLimit)


def zeros(said: Any, known: Context, asking: tuple[Event, ...]) -> tuple[Event, ...]:
    """The record of a 0 in a ChargeParameter that is read as not said, beside the events of needs that are told for the first time."""
    fields = ("EVMaximumPowerLimit", "EVEnergyRequest", "EVEnergyCapacity")
    told = any(optional(value) == 0.0 for value in (getattr(said, name, None) for name in fields) if value is not None)
    told = told or any(getattr(said, name, None) == 0 for name in ("FullSOC", "DepartureTime"))
    return known.outlet.let_pass(ZERO_UNSAID, known.now) if told and asking else ()


def dc_needs(said: Any, car: Limits, known: Context) -> Needs:
    """What a car needs in DC, by the word of its DC_EVChargeParameter, its powers cut to the outlet's."""
    soc, ours = float(said.DC_EVStatus.EVRESSSOC), known.outlet.limits
    capacity = optional(said.EVEnergyCapacity) or None
    full = float(said.FullSOC or 100)  # some cars say 0 where they say nothing
    most = None if capacity is None else max(0.0, capacity * (full - soc) / 100.0)
    target = optional(said.EVEnergyRequest) or most  # the same: whoever wants nothing does not ask for power
    return Needs(
        energy_target=target,
        energy_maximum=None if most is None or target is None else max(most, target),
        charge_maximum=min(car.charge_power, ours.charge_power),
        charge_minimum=max(car.charge_power_minimum, ours.charge_power_minimum),
        soc=soc,
    )


def demand_common(words: Words, car: Limits, ours: Limits, dc: bool) -> None:
    """Raises Refused where the car takes nothing, or needs more than there is."""
    wrong = words.wrong_parameters
    if car.charge_power <= 0 or car.charge_current <= 0:
        raise Refused(Reason.WRONG_PARAMETERS, f"the car takes {car.charge_current:g} A and {car.charge_power:g} W", wrong)
    if dc and car.voltage < ours.voltage_minimum:
        why = f"the car's voltage is up to {car.voltage:g} V, the outlet's from {ours.voltage_minimum:g} V"
        raise Refused(Reason.WRONG_PARAMETERS, why, wrong)
    least = car.charge_power_minimum
    if least > ours.charge_power or least > car.charge_power:
        why = f"the car takes no less than {least:g} W, it can take {car.charge_power:g} W and the outlet give {ours.charge_power:g} W"
        raise Refused(Reason.WRONG_PARAMETERS, why, wrong)


def exchanged(words: Words, needs: Needs, car: Limits, known: Context) -> tuple[Context, Offer | None, tuple[Event, ...]]:
    """The context after a car named its needs, the offer for them, None: not yet, and what the station is asked.

    Raises Refused where there is none after the time for which a station may put a car off.
    """
    announced = known.service.announced or known.station.limits.within(known.outlet.limits)
    known = known.with_service(car=car, announced=announced)
    if not equal_needs(needs, known.service.exchange.needs, known.wall):
        before = known.service.exchange.asked
        offer = waiting_offer(needs, known)
        asked = known.now if before is None else before  # needs that move do not begin the time anew
        known = known.with_service(exchange=Exchange(needs, asked, offer, needs.max_points, known.station.limits), coming=None)
        if offer is None:
            return known, None, (NeedsChanged(known.now, needs, not known.delivering, car),)
    if known.service.exchange.offer is None:
        limit = words.generation.ongoing
        if overdue(known.service.exchange, known.now, limit):
            raise Refused(Reason.OTHER, f"there is no schedule after {limit:g} s", None)
        return known, None, ()
    return known, known.service.exchange.offer, ()


def tested_anew(known: Context) -> Context:
    """The context in which no isolation has been measured yet."""
    return known.with_service(isolation=None, isolation_asked=None)


def dc_parameters(words: Words, known: Context) -> Any:
    """The DC_EVSEChargeParameter of a response: the limits that the outlet is built for."""
    ours, types = known.outlet.limits, words.types
    return types.DC_EVSEChargeParameterType(
        DC_EVSEStatus=dc_status(words, known, ready=True),
        EVSEMaximumCurrentLimit=words.amperes(ours.charge_current, "down"),
        EVSEMaximumPowerLimit=words.watts(ours.charge_power, "down"),
        EVSEMaximumVoltageLimit=words.volts(ours.voltage, "down"),
        EVSEMinimumCurrentLimit=words.amperes(ours.charge_current_minimum, "up"),
        EVSEMinimumVoltageLimit=words.volts(ours.voltage_minimum, "up"),
        EVSEPeakCurrentRipple=words.amperes(RIPPLE),
    )
