"""Capacity, balancing and aFRR as offers: what a site could give, when, at which cost and certainty, and what falling short would cost.

    could = capability(assets, site, AFRR_UP, start)      Contribution for each car: W, cost
    made = offered(could, AFRR_UP)                        Bid: W that are there with the product's certainty, in its steps

A car gives what it can change against its plan over the whole window without leaving with less energy than planned; the plan is made anew
around the call, so the cost is what charging at other times costs. Cars may be gone: each has a probability of staying, and the bid is what
is left with the certainty that the product asks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from v2g.energy.needs import Needs
from v2g.energy.plan import Plan
from v2g.energy.scheduler import plan
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal
from v2g.energy.site import Site
from v2g.energy.stay import TOLERANCE

ROUNDS: Final = 7  # of halving a power: to less than 1 % of what the plug carries
BINS: Final = 2_000  # of the distribution of what is there: 0.05 % of all
CALL: Final = "product call"


class Direction(Enum):
    """Which way the grid is helped: UP draws less or feeds more, DOWN draws more or feeds less."""

    UP = -1
    DOWN = 1


@dataclass(frozen=True, slots=True)
class Product:
    """A market product. Prices are in the currency of the site; what a tender pays is the buyer's to say."""

    name: str
    direction: Direction
    lasts: int  # s for which a call may last
    least: float  # W of a bid
    step: float  # W
    certainty: float = 0.95  # that the bid is there
    availability: float = 0.0  # currency per kW and hour
    utilisation: float = 0.0  # currency per kWh called
    penalty: float = 0.0  # currency per kWh called and not delivered
    called: float = 0.0  # expected share of the window that is called
    symmetric: bool = False  # the same power in both directions, as the grid wants it; `direction` says nothing then

    def __post_init__(self) -> None:
        sound = self.lasts > 0 and self.step > 0 and self.least >= 0 and 0 < self.certainty < 1 and 0 <= self.called <= 1
        if not (sound and math.isfinite(self.availability + self.utilisation + self.penalty)):
            raise ValueError(f"the product {self.name!r} lasts {self.lasts} s in steps of {self.step} W; give finite numbers above 0")


MEGA: Final = 1_000_000.0
# The European standard products: bids of 1 MW and more in whole MW, for a quarter hour (aFRR, mFRR) or symmetric for four hours (FCR).
AFRR_UP, AFRR_DOWN = (Product(f"aFRR {way.name.lower()}", way, 900, MEGA, MEGA) for way in Direction)
MFRR_UP, MFRR_DOWN = (Product(f"mFRR {way.name.lower()}", way, 900, MEGA, MEGA) for way in Direction)
FCR: Final = Product("FCR", Direction.UP, 4 * 3_600, MEGA, MEGA, symmetric=True)  # as if it were called in full, all the time, one way
FLEXIBILITY: Final = Product("local flexibility", Direction.UP, 3_600, 10_000.0, 1_000.0)  # of a distribution network: as its tender says


@dataclass(frozen=True, slots=True)
class Asset:
    """A car or battery with the plan that it follows, and how probable it is that it stays to the end of the window."""

    id: str
    needs: Needs
    plan: Plan
    stays: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.stays <= 1:
            raise ValueError(f"{self.id} stays with a probability of {self.stays}; give 0 to 1")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one asset can change over the window, and what that costs when it is called for all of it."""

    id: str
    power: float  # W, >= 0
    cost: float  # currency, of one call; negative: the change saves money
    stays: float


@dataclass(frozen=True, slots=True)
class Bid:
    """What can be offered. `power` is 0 where it would be below the least bid; `there` says how much there was before rounding."""

    product: Product
    start: float  # epoch s
    power: float  # W
    there: float  # W that are there with the product's certainty
    certainty: float  # that `power` is there
    expected_short: float  # W that are expected to be missing of `power`
    cost: float  # currency, of one full call
    value: float  # currency expected: availability, what calls pay less what they cost, less penalties

    @property
    def lacking(self) -> float:
        """W that a bid of the least size lacks, 0: none; a pool of sites may have them."""
        return max(self.product.least - self.there, 0.0) if self.power == 0 else 0.0


def capability(assets: Sequence[Asset], site: Site, product: Product, start: float) -> tuple[Contribution, ...]:
    """What each asset could change from `start` (epoch s) on for as long as a call may last. SolverMissing if HiGHS is not installed.

    Of a symmetric product that is what it could change in either direction, and the dearer of both.
    """
    if not product.symmetric:
        return tuple(_contribution(asset, site, product, start) for asset in assets)
    found = []
    for asset in assets:
        ways = [_contribution(asset, site, replace(product, direction=way), start) for way in Direction]
        found.append(Contribution(asset.id, min(one.power for one in ways), max(one.cost for one in ways), asset.stays))
    return tuple(found)


def _contribution(asset: Asset, site: Site, product: Product, start: float) -> Contribution:
    until = start + product.lasts
    own = asset.plan.power.clip(start, until)
    nothing = Contribution(asset.id, 0.0, 0.0, asset.stays)
    if not own.steps or abs(own.duration - product.lasts) > 1 or start < asset.plan.stay.start:
        return nothing  # gone before the end, or not there yet
    car = asset.needs
    low = -car.discharge_maximum if car.bidirectional else 0.0
    room = min(own.values) - low if product.direction is Direction.UP else car.charge_maximum - max(own.values)
    best, cost = 0.0, 0.0
    tried = room
    for turn in range(ROUNDS):
        done = _called(asset, site, own, tried * product.direction.value) if tried > TOLERANCE else None
        if done is not None:
            best, cost = tried, done
            if turn == 0:
                break
        tried += room / 2 ** (turn + 1) * (1 if done is not None else -1)
    return Contribution(asset.id, best, cost, asset.stays)


def _called(asset: Asset, site: Site, own: Series, change: float) -> float | None:
    """What a call costs, None where the car could not follow it, or would leave with less. Nobody knows of it before it comes."""
    before = asset.plan.power.clip(asset.plan.stay.start, own.start)
    pairs = [(start, value) for start, _, value in before.spans()] + [(start, value + change) for start, _, value in own.spans()]
    wanted = Series.from_pairs(pairs, own.until)
    made = plan(asset.needs, site, asset.plan.stay.start, (Signal(CALL, Kind.SETPOINT, wanted, Rank.COMMITMENT),))
    followed = made.power.clip(wanted.start, own.until)
    edges = sorted({*wanted.edges()[:-1], *followed.edges()[:-1]})
    both = zip(wanted.sample(edges), followed.sample(edges), strict=True)
    if made.unmet > asset.plan.unmet + TOLERANCE or any(a is None or b is None or abs(a - b) > 10 * TOLERANCE for a, b in both):
        return None
    return made.cost - asset.plan.cost


Parts = Sequence[tuple[float, float]]  # W, and the probability that they are there


def offered(
    could: Sequence[Contribution],
    product: Product,
    start: float,
    spread: Callable[[Parts], list[tuple[float, float]]] | None = None,
    room: float = math.inf,
) -> Bid:
    """The bid that the contributions allow: the largest step that is there with the product's certainty, with what it is worth.

    `spread` says how those who stay hang together (None: not at all, `distribution`); `room` (W) is what the connection lets through.
    """
    able = [one for one in could if one.power > 0]
    chances = [(min(power, room), chance) for power, chance in (spread or distribution)([(one.power, one.stays) for one in able])]
    there = max((power for power, chance in _at_least(chances) if chance >= product.certainty), default=0.0)
    power = math.floor(there / product.step + 1e-9) * product.step
    if power < product.least or power <= 0:
        return Bid(product, start, 0.0, there, 1.0, 0.0, 0.0, 0.0)
    short = math.fsum(max(power - has, 0.0) * chance for has, chance in chances)
    certainty = math.fsum(chance for has, chance in chances if has >= power - 1e-6)
    hours = product.lasts / 3_600.0
    cost = _cheapest(able, power)
    energy, missing = power / 1_000.0 * hours, short / 1_000.0 * hours
    earns = product.availability * power / 1_000.0 * hours
    value = earns + product.called * (product.utilisation * (energy - missing) - cost - product.penalty * missing)
    return Bid(product, start, power, there, certainty, short, cost, value)


def _cheapest(able: Sequence[Contribution], power: float) -> float:
    """What `power` costs when those give it first who give it cheapest."""
    left, cost = power, 0.0
    for one in sorted(able, key=lambda each: (each.cost / each.power, each.id)):
        taken = min(one.power, left)
        cost += one.cost * taken / one.power
        left -= taken
    return cost


def together(parts: Parts) -> list[tuple[float, float]]:
    """The sums of parts of which the less probable is there only with all that are more so: a quiet day is quiet for all of them."""
    if not parts:
        return [(0.0, 1.0)]
    ordered = sorted(parts, key=lambda part: -part[1])
    found, total = [(0.0, 1.0 - ordered[0][1])], 0.0
    for (power, stays), after in zip(ordered, [*(chance for _, chance in ordered[1:]), 0.0], strict=True):
        total += power
        found.append((total, stays - after))
    return found


def distribution(parts: Parts) -> list[tuple[float, float]]:
    """The sums that independent parts (W, probability of being there) come to, with their probabilities; sums are rounded down to a bin."""
    total = math.fsum(power for power, _ in parts)
    if total <= 0:
        return [(0.0, 1.0)]
    width = total / BINS
    chances = {0: 1.0}
    for power, stays in parts:
        bins = math.floor(power / width + 1e-9)
        following: dict[int, float] = {}
        for place, chance in chances.items():
            if stays > 0:
                following[place + bins] = following.get(place + bins, 0.0) + chance * stays
            if stays < 1:
                following[place] = following.get(place, 0.0) + chance * (1.0 - stays)
        chances = following
    return [(place * width, chance) for place, chance in sorted(chances.items())]


def _at_least(chances: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each sum with the probability that at least as much is there."""
    found, left = [], 1.0
    for power, chance in chances:
        found.append((power, left))
        left -= chance
    return found
