"""What a kWh costs over time: from a price file to rates, and from those to prices of a site (pure)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from itertools import pairwise
from typing import Final, NamedTuple

from v2g.energy.market.tariff import Band, banded
from v2g.energy.prices import Prices, parse_prices
from v2g.energy.series import Series
from v2gkit.fleet.declared import Site, Tariff

DAY: Final = 86_400.0  # s
AHEAD: Final = 3  # days on which times of day are set: no plan looks further than 48 h
Rate = tuple[float, float, float, float]
"""From, to (epoch s), and what a kWh costs and earns meanwhile (currency)."""


class Priced(NamedTuple):
    """The rates of a tariff, ascending; without a tariff there are none."""

    tariff: str = ""
    rates: tuple[Rate, ...] = ()


def rates_of(tariff: Tariff, octets: bytes, currency: str, now: float, zone: tzinfo) -> tuple[Rate, ...]:
    """The rates that a price file tells at `now` (epoch s), times of day by the clocks of a zone.

    ValueError for a file that is none, and for one in another currency.
    """
    prices = parse_prices(octets)
    if prices.currency is not None and prices.currency.upper() != currency:
        raise ValueError(
            f"the prices are in {prices.currency[:20]}, and the tenant {tariff.tenant!r} has {currency}; give a file in {currency}"
        )
    if prices.relative:
        prices = prices.upcoming(now, zone, AHEAD)
    found = tuple(_rates(tariff, prices.imports, prices.exports, zone))
    if not found:
        raise ValueError("the prices of import and of export have no time in common; give both for each step")
    return found


def _rates(tariff: Tariff, buys: Series, sells: Series, zone: tzinfo) -> Iterator[Rate]:
    """What a tariff makes of prices, wherever both are known."""
    factor = 1.0 + tariff.tax / 100.0
    bands = [*(each.band for each in tariff.band), Band(0.0)]
    fees = banded(bands, buys.start, buys.until, zone) if tariff.band else Series.constant(buys.start, buys.duration, 0.0)
    edges = sorted({*buys.edges(), *sells.edges(), *fees.edges()})
    columns = (each.sample(edges[:-1]) for each in (buys, sells, fees))
    for (start, end), buy, sell, fee in zip(pairwise(edges), *columns, strict=True):
        if buy is not None and sell is not None:
            yield start, end, (buy + tariff.fee + (fee or 0.0)) * factor, sell - tariff.export_fee


def within(rates: Sequence[Rate], start: float, until: float) -> tuple[Rate, ...]:
    """The part of rates that lies in [start, until)."""
    cut = ((max(begin, start), min(end, until), buy, sell) for begin, end, buy, sell in rates)
    return tuple(each for each in cut if each[0] < each[1])


def ahead(rates: Sequence[Rate], at: float) -> tuple[Rate, ...]:
    """What a plan that begins at `at` (epoch s) rests on: the days to come, and the day before, which is taken to come again."""
    return within(rates, at - DAY, at + AHEAD * DAY)


def series(rates: Sequence[Rate]) -> tuple[Series, Series]:
    """Prices of import and of export; a gap has the price before it."""
    until = rates[-1][1]
    return Series.from_pairs([(each[0], each[2]) for each in rates], until), Series.from_pairs(
        [(each[0], each[3]) for each in rates], until
    )


def supply(site: Site, rates: Sequence[Rate], start: float, until: float) -> Prices:
    """What a site pays and gets within [start, until): by the rates, and where those say nothing by its own prices."""
    filled = list(_filled(within(rates, start, until), (site.import_price, site.export_price), start, until))
    return Prices(*series(filled))


def _filled(rates: Iterable[Rate], flat: tuple[float, float], start: float, until: float) -> Iterator[Rate]:
    at = start
    for each in rates:
        if each[0] > at:
            yield at, each[0], *flat
        yield each
        at = each[1]
    if at < until:
        yield at, until, *flat


def read(rows: Iterable[tuple[float, float, float, float]]) -> tuple[Rate, ...]:
    """Rates of rows in the order of their begin: each ends where the next begins."""
    found = list(rows)
    ends = [*(each[0] for each in found[1:]), math.inf][: len(found)]
    return tuple((start, min(until, end), buy, sell) for (start, until, buy, sell), end in zip(found, ends, strict=True))
