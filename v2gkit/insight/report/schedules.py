"""Schedules, prices and profiles of messages as steps: from, until, value."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from v2g.iso20.rational import number
from v2g.messages import common_messages
from v2gkit.insight.report.story import Steps, Tuple


def offer_of(response: common_messages.ScheduleExchangeRes) -> Iterator[Tuple]:
    """What a station offers: its schedules with their prices, in Dynamic control one without number that has prices alone."""
    if response.Dynamic_SEResControlMode is not None:
        yield Tuple(None, import_price=_prices(response.Dynamic_SEResControlMode))
    scheduled = response.Scheduled_SEResControlMode
    for t in scheduled.ScheduleTuple if scheduled is not None else ():
        discharging = t.DischargingSchedule
        yield Tuple(
            number=t.ScheduleTupleID,
            charging=_powers(t.ChargingSchedule),
            discharging=_powers(discharging) if discharging is not None else (),
            import_price=_prices(t.ChargingSchedule),
            export_price=_prices(discharging) if discharging is not None else (),
        )


def currency_of(response: common_messages.ScheduleExchangeRes) -> str:
    """The currency of the prices in an offer; empty where it has none."""
    scheduled, dynamic = response.Scheduled_SEResControlMode, response.Dynamic_SEResControlMode
    holder: Any = scheduled.ScheduleTuple[0].ChargingSchedule if scheduled is not None else dynamic
    return str(holder.AbsolutePriceSchedule.Currency) if holder is not None and holder.AbsolutePriceSchedule is not None else ""


def profile_of(profile: common_messages.EVPowerProfileType) -> Steps:
    """The power (W) that a car will take."""
    return _steps(profile.TimeAnchor, profile.EVPowerProfileEntries.EVPowerProfileEntry, lambda e: number(e.Power))


def _powers(schedule: common_messages.ChargingScheduleType) -> Steps:
    power = schedule.PowerSchedule
    return _steps(power.TimeAnchor, power.PowerScheduleEntries.PowerScheduleEntry, lambda e: number(e.Power))


def _prices(holder: Any) -> Steps:
    prices = holder.AbsolutePriceSchedule
    return (
        _steps(prices.TimeAnchor, prices.PriceRuleStacks.PriceRuleStack, lambda s: number(s.PriceRule[0].EnergyFee))
        if prices is not None
        else ()
    )


def _steps(anchor: float, entries: Iterable[Any], value: Callable[[Any], float]) -> Steps:
    steps, at = [], float(anchor)
    for entry in entries:
        steps.append((at, at + entry.Duration, value(entry)))
        at += entry.Duration
    return tuple(steps)
