"""Prices of whatever kind as relative ones, for a car that hears of no currency and compares the schedules of an offer by them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from v2g.energy.offer import Tuple
from v2g.energy.price_schedule import PriceLevels, PriceRule, PriceSchedule, ranked
from v2g.energy.relative_prices import Block, Cost, RelativePrices, RelativeStep
from v2g.energy.series import Series

BLOCKS: Final = 3  # ranges of power that a step may have
FINE: Final = 1000  # a relative price is counted in tenths of a per cent of the dearest


def relative(offered: Tuple, scale: Sequence[float], count: int) -> RelativePrices | None:
    """The prices of a tuple without money, in `count` levels; None where it has no prices.

    `scale` are the prices (currency/kWh) that are comparable with one another: 100 % is the dearest of them. A price below nothing is 0 %.
    """
    stated = offered.stated
    if isinstance(stated, RelativePrices):
        return stated
    if isinstance(stated, PriceLevels):
        return _levels(stated)
    if isinstance(stated, PriceSchedule):
        begins, steps = 0, list[RelativeStep]()
        for step in stated.steps:
            rules = step.way("in")
            level = ranked(rules[0].energy, scale, count) if rules else None
            steps.append(RelativeStep(begins, level, tuple(_block(rule, scale) for rule in _held(rules))))
            begins += step.duration
        return RelativePrices(stated.id, stated.anchor, tuple(steps), count, stated.steps[-1].duration, stated.description)
    prices = offered.import_prices
    return None if prices is None or not prices.steps else _series(offered, prices, scale, count)


def scale_of(tuples: Sequence[Tuple]) -> list[float]:
    """The prices (currency/kWh) for energy into the car in all tuples of an offer, from the cheapest to the dearest of which they rank."""
    found = list[float]()
    for each in tuples:
        if isinstance(each.stated, PriceSchedule):
            found += [rule.energy for step in each.stated.steps for rule in step.way("in")]
        elif each.stated is None and each.import_prices is not None:
            found += each.import_prices.values
    return found


def _levels(stated: PriceLevels) -> RelativePrices:
    begins, steps = 0, list[RelativeStep]()
    for duration, level in stated.steps:
        steps.append(RelativeStep(begins, level))
        begins += duration
    return RelativePrices(stated.id, stated.anchor, tuple(steps), stated.count, stated.steps[-1][0], stated.description)


def _held(rules: tuple[PriceRule, ...]) -> tuple[PriceRule, ...]:
    """As many ranges as a step may have: of more the last that fits has the dearest price above it, so that no power looks cheaper."""
    if len(rules) <= BLOCKS:
        return rules
    rest = rules[BLOCKS - 1 :]
    return (*rules[: BLOCKS - 1], replace(max(rest, key=lambda rule: rule.energy), power_from=rest[0].power_from))


def _block(rule: PriceRule, scale: Sequence[float]) -> Block:
    renewable = () if rule.renewable is None else (Cost("renewable", rule.renewable),)
    carbon = () if rule.carbon is None else (Cost("carbon", rule.carbon),)
    return Block(max(rule.power_from, 0.0), (*_share(rule.energy, scale), *renewable, *carbon))


def _share(price: float, scale: Sequence[float]) -> tuple[Cost, ...]:
    """A price in tenths of a per cent of the dearest; nothing where none is above zero, which no share can tell apart."""
    dearest = max(scale, default=0.0)
    if dearest <= 0 or not math.isfinite(dearest):
        return ()
    return (Cost("price", max(0, round(FINE * price / dearest)), -1),)


def _series(offered: Tuple, prices: Series, scale: Sequence[float], count: int) -> RelativePrices:
    steps = []
    for start, _, price in prices.spans():
        costs = _share(price, scale)
        blocks = (Block(0.0, costs),) if costs else ()
        steps.append(RelativeStep(round(start - prices.start), ranked(price, scale, count), blocks))
    return RelativePrices(offered.id, prices.start, tuple(steps), count, round(prices.steps[-1].duration))
