"""What a charge costs besides the price of its energy: fees, taxes, bounds; and the bill that comes of all of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from v2g.energy.ledger import MICRO

HOUR: Final = 3_600.0  # s
MOST_TAXES, MOST_RULES = 10, 5  # rules that a price schedule holds
MOST_FEE = 1e9  # currency; above any fee, and far below what sums of floats spoil


def _demand(true: bool, otherwise: str) -> None:
    if not true:
        raise ValueError(otherwise)


def _demand_money(name: str, value: float | None) -> None:
    _demand(value is None or abs(value) <= MOST_FEE, f"{name} is {value}; give a finite amount of at most {MOST_FEE:g} of the currency")


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax of `rate` % on the kinds of fees that are True here. `included`: the prices contain it already; it is shown, not added."""

    name: str
    rate: float  # %
    included: bool = False
    energy: bool = True
    parking: bool = True
    overstay: bool = True
    bounds: bool = False  # also on what minimum or maximum cost add or take away
    id: int | None = None  # by which a bill refers to it; None: its place in the tariff

    def __post_init__(self) -> None:
        _demand(0 <= self.rate <= 1_000, f"the tax {self.name!r} has a rate of {self.rate} %; give 0 to 1000")
        _demand(1 <= len(self.name) <= 80, f"a tax has a name of {len(self.name)} characters; give 1 to 80")


@dataclass(frozen=True, slots=True)
class Overstay:
    """A rule for overstaying: from `start` (s after overstay began) on, a fee for every begun period, in place of the rule before."""

    fee: float  # currency
    period: float = HOUR  # s, whole
    start: float = 0.0  # s, whole
    description: str = ""

    def __post_init__(self) -> None:
        _demand_money("the overstay fee", self.fee)
        _demand(1 <= self.period < 2**32, f"the overstay fee has a period of {self.period} s; give 1 s at least")
        _demand(0 <= self.start < 2**32, f"an overstay rule starts after {self.start} s; give 0 or more")
        _demand(len(self.description) <= 160, f"an overstay rule has {len(self.description)} characters of description; give at most 160")


@dataclass(frozen=True, slots=True)
class Extra:
    """A service besides energy that is billed once."""

    name: str
    fee: float  # currency

    def __post_init__(self) -> None:
        _demand_money(f"the fee of {self.name!r}", self.fee)
        _demand(1 <= len(self.name) <= 80, f"an additional service has a name of {len(self.name)} characters; give 1 to 80")


@dataclass(frozen=True, slots=True)
class Tariff:
    """The conditions under which energy is sold. Amounts are in the currency of the offer, those of parking and overstay for begun periods.

    A car overstays once less than `overstay_below` W have flowed for `overstay_after` s; without a power, that long after the bill began.
    Taxes are on energy bought, not on what the car earns. ValueError for what no price schedule can say.
    """

    taxes: tuple[Tax, ...] = ()
    parking_fee: float = 0.0  # currency per period
    parking_period: float = HOUR  # s, whole
    overstay: tuple[Overstay, ...] = ()
    overstay_after: float = 0.0  # s, whole
    overstay_below: float | None = None  # W
    services: tuple[Extra, ...] = ()
    minimum: float | None = None  # currency, of all before taxes
    maximum: float | None = None  # currency, of all before taxes

    def __post_init__(self) -> None:
        for name in ("parking_fee", "minimum", "maximum"):
            _demand_money(name, getattr(self, name))
        for name, most in (("taxes", MOST_TAXES), ("overstay", MOST_RULES), ("services", MOST_RULES)):
            given = len(getattr(self, name))
            _demand(given <= most, f"{name} holds {given} rules; a price schedule carries {most} at most")
        _demand(1 <= self.parking_period < 2**32, f"parking_period is {self.parking_period} s; give 1 s at least")
        _demand(0 <= self.overstay_after < 2**32, f"overstay_after is {self.overstay_after} s; give 0 or more")
        below = self.overstay_below
        _demand(below is None or 0 <= below <= 1e9, f"overstay_below is {below} W; give a power, 0 or above")
        low, high = self.minimum, self.maximum
        _demand(low is None or high is None or low <= high, f"the minimum cost {low} is above the maximum {high}")
        starts = [rule.start for rule in self.overstay]
        _demand(starts == sorted(set(starts)), f"the overstay rules start after {starts} s; let each start later than the one before")

    @property
    def energy_tax(self) -> float:
        """The factor from an energy price without taxes to one with them: 1.19 where 19 % are added."""
        return 1.0 + sum(tax.rate for tax in self.taxes if tax.energy and not tax.included) / 100.0


@dataclass(frozen=True, slots=True)
class Use:
    """What is to be billed: a span of time, what its energy cost and earned, and since when too little flows."""

    start: float  # epoch s
    until: float  # epoch s
    cost: int = 0  # millionths, of energy bought
    revenue: int = 0  # millionths, of energy sold
    idle: float | None = None  # epoch s since when less than `overstay_below` flows; None: it flows


@dataclass(frozen=True, slots=True)
class Bill:
    """What is owed, in millionths of the currency; the lines and the taxes that are not included add up to `total`."""

    energy: int  # bought less sold
    parking: int
    services: int
    overstay: int
    adjustment: int  # what minimum or maximum cost add or take away
    taxes: tuple[int, ...]  # one for each tax of the tariff
    total: int


def bill(tariff: Tariff, use: Use) -> Bill:
    """The bill under a tariff, each line rounded to a millionth once."""
    parking = _begun(use.until - use.start, tariff.parking_period) * round(tariff.parking_fee * MICRO)
    services = sum(round(extra.fee * MICRO) for extra in tariff.services)
    over = _overstay(tariff, use)
    net = use.cost - use.revenue + parking + services + over
    low, high = (None if bound is None else round(bound * MICRO) for bound in (tariff.minimum, tariff.maximum))
    bounded = net if low is None else max(net, low)
    bounded = bounded if high is None else min(bounded, high)
    adjustment = bounded - net
    lines = ("energy", use.cost), ("parking", parking), ("overstay", over), ("bounds", adjustment)
    taxes = tuple(_tax(tariff, tax, lines) for tax in tariff.taxes)
    added = sum(amount for amount, tax in zip(taxes, tariff.taxes, strict=True) if not tax.included)
    return Bill(use.cost - use.revenue, parking, services, over, adjustment, taxes, bounded + added)


def _tax(tariff: Tariff, tax: Tax, lines: Iterable[tuple[str, int]]) -> int:
    """A tax on the lines that it applies to; one that is included is its share of a gross amount."""
    amount = 0.0
    for name, value in lines:
        if not getattr(tax, name):
            continue
        within = sum(one.rate for one in tariff.taxes if one.included and getattr(one, name))
        amount += value * tax.rate / (100.0 + within if tax.included else 100.0)
    return round(amount)


def _overstay(tariff: Tariff, use: Use) -> int:
    """What overstaying costs: every rule from its start to that of the next."""
    watched = tariff.overstay_below is not None
    since = use.idle if watched else use.start
    if since is None:
        return 0
    begun, owed = max(since, use.start) + tariff.overstay_after, 0
    ends = [rule.start for rule in tariff.overstay[1:]] + [math.inf]
    for rule, end in zip(tariff.overstay, ends, strict=False):
        owed += _begun(min(use.until - begun, end) - rule.start, rule.period) * round(rule.fee * MICRO)
    return owed


def _begun(seconds: float, period: float) -> int:
    """How many periods have begun."""
    return max(0, math.ceil(round(seconds, 6) / period))
