"""The schedules and prices that a station offers in ScheduleExchangeRes, as plain series."""

from dataclasses import replace

from evcc.iso20.conditions import conditions
from evcc.offers import Offered
from v2g.energy.series import Series, Step
from v2g.iso20.rational import number, optional
from v2g.messages.common_messages import (
    ChargingScheduleType,
    PowerScheduleEntryType,
    PowerScheduleType,
    PriceRuleStackType,
    ScheduleTupleType,
)

ALWAYS = 10 * 365 * 86_400.0  # s; what holds beyond the last entry of a price list


def offered(offer: ScheduleTupleType, believed: bool = True) -> Offered:
    """A ScheduleTuple as series; without its prices unless `believed`. Discharging power is taken by magnitude: signs differ."""
    back = offer.DischargingSchedule
    return Offered(
        tuple_id=offer.ScheduleTupleID,
        charge=power(offer.ChargingSchedule.PowerSchedule).map(lambda watt: max(watt, 0.0)),
        discharge=power(back.PowerSchedule).map(abs) if back else None,
        buy=prices(offer.ChargingSchedule) if believed else None,
        sell=prices(back) if back and believed else None,
        tolerance=optional(offer.ChargingSchedule.PowerSchedule.PowerTolerance),
        sold=conditions(stated) if (stated := offer.ChargingSchedule.AbsolutePriceSchedule) is not None and believed else None,
    )


def unanchored(offer: Offered) -> bool:
    """Whether a series of the offer begins at epoch 0, as stations send that set no TimeAnchor."""
    return any(one is not None and one.start == 0 for one in (offer.charge, offer.discharge, offer.buy, offer.sell))


def anchored_at(offer: Offered, start: float) -> Offered:
    """The offer, with every series that begins at epoch 0 moved to begin at `start` (epoch s)."""
    series = {name: getattr(offer, name) for name in ("charge", "discharge", "buy", "sell")}
    return replace(offer, **{name: replace(one, start=start) for name, one in series.items() if one is not None and one.start == 0})


def power(schedule: PowerScheduleType) -> Series:
    """Total power (W) over the phases. Entries without a duration hold for no time and are left out."""
    entries = schedule.PowerScheduleEntries.PowerScheduleEntry
    return Series(float(schedule.TimeAnchor), tuple(Step(float(e.Duration), total(e)) for e in entries if e.Duration))


def total(entry: PowerScheduleEntryType) -> float:
    """The power of an entry over all phases (W); Power is the total already where there are no _L2 and _L3."""
    return sum(optional(part) or 0.0 for part in (entry.Power, entry.Power_L2, entry.Power_L3))


def prices(schedule: ChargingScheduleType) -> Series | None:
    """The energy price over time; None when the station sent no price, which a car accepts [V2G20-2176]."""
    absolute, levels = schedule.AbsolutePriceSchedule, schedule.PriceLevelSchedule
    if absolute:
        most = max(abs(total(entry)) for entry in schedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry)
        stacks = absolute.PriceRuleStacks.PriceRuleStack
        return _held(float(absolute.TimeAnchor), [(float(stack.Duration), _fee(stack, most)) for stack in stacks])
    if levels:
        steps = [(float(e.Duration), float(e.PriceLevel)) for e in levels.PriceLevelScheduleEntries.PriceLevelScheduleEntry]
        return _held(float(levels.TimeAnchor), steps)
    return None


def _fee(stack: PriceRuleStackType, power: float) -> float:
    """The fee of the power range that `power` (W) lies in: a plan counts with the dearest range that the schedule can reach.

    Ranges that begin below 0 W are those of what the car gives.
    """
    power = -power if all(number(rule.PowerRangeStart) < 0 for rule in stack.PriceRule) else power
    reached = [rule for rule in stack.PriceRule if number(rule.PowerRangeStart) <= power] or list(stack.PriceRule[:1])
    return number(max(reached, key=lambda rule: number(rule.PowerRangeStart)).EnergyFee)


def _held(anchor: float, steps: list[tuple[float, float]]) -> Series:
    """A price list whose last entry holds on."""
    known = [Step(duration, value) for duration, value in steps if duration]
    return Series(anchor, (*known, Step(ALWAYS, steps[-1][1])))
