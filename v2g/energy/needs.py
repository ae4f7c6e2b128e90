"""What a car wants from its stay: energy, powers and a departure, as plain numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final

from v2g.energy.series import Series, Step

OFFERED: Final = 96  # steps of an offer, a day of quarter-hours: a plan is cut at each, and 2048 of them would cost seconds


@dataclass(frozen=True, slots=True)
class EnergyOffer:
    """What a car offers to discharge: at most `power`, where a kWh earns at least `price`; outside of either series nothing."""

    power: Series  # W, magnitudes
    price: Series  # currency/kWh
    currency: str  # ISO 4217

    @property
    def terms(self) -> tuple[tuple[float, ...], tuple[float, ...], str]:
        """Powers, prices and currency without their times, which a car that asks again may move along."""
        return self.power.values, self.price.values, self.currency

    def joined(self) -> "EnergyOffer":
        """The offer in at most `OFFERED` steps of power and of price: what is joined offers its least power at its highest price."""
        return EnergyOffer(_joined(self.power, min), _joined(self.price, max), self.currency)

    def asked(self, currency: str, starts: Sequence[float], ends: Sequence[float]) -> list[tuple[float, float]]:
        """The offer over each span from a start to an end (epoch s), as (W, price per kWh): the lower power and higher price of its ends.

        (0, inf) is no offer; so is every span where `currency` is not that of the offer.
        """
        powers, prices = ([series.sample(times) for times in (starts, ends)] for series in (self.power, self.price))
        spans = zip(*powers, *prices, strict=True)
        return [_strictest(*span) if currency == self.currency else NOTHING for span in spans]


def _joined(series: Series, choose: Callable[[Sequence[float]], float]) -> Series:
    steps = series.merged().steps
    each = -(-len(steps) // OFFERED) or 1
    blocks = [steps[first : first + each] for first in range(0, len(steps), each)]
    return Series(series.start, tuple(Step(math.fsum(s.duration for s in block), choose([s.value for s in block])) for block in blocks))


NOTHING = (0.0, math.inf)


def _strictest(power: float | None, then: float | None, price: float | None, later: float | None) -> tuple[float, float]:
    if power is None or then is None or price is None or later is None:
        return NOTHING
    return max(0.0, min(power, then)), max(price, later)


@dataclass(frozen=True, slots=True)
class Needs:
    """A car's wishes and limits at one instant.

    Energies are *still requested*: counted in the battery from the present state, + to be charged, negative where the car is already above
    (ISO 15118-20 energy requests; the meter sees more, by the efficiency of `Site`). Powers are magnitudes at the plug, in W. None: the car
    did not say. Nonsense of a car (a negative power, a minimum above the maximum) is not refused here; a plan for it has no power.
    ValueError only for a number that is not finite.
    """

    departure: float | None = None  # epoch s
    energy_target: float | None = None  # Wh wanted at departure
    energy_maximum: float | None = None  # Wh until the battery takes no more
    energy_minimum: float | None = None  # Wh until the reserve that is charged at once and never given back
    v2x_maximum: float | None = None  # Wh until above the range in which the car lets itself be discharged
    v2x_minimum: float | None = None  # Wh until the lower end of that range
    charge_maximum: float = 0.0  # W
    charge_minimum: float = 0.0  # W; the car charges with at least this or not at all
    discharge_maximum: float = 0.0  # W
    discharge_minimum: float = 0.0  # W
    max_points: int = 1024  # entries of a schedule that the car can hold (MaximumSupportingPoints, 12..1024)
    bidirectional: bool = False
    soc: float | None = None  # %
    minimum_soc: float | None = None  # %
    target_soc: float | None = None  # %
    capacity: float | None = None  # Wh
    energy_offer: EnergyOffer | None = None  # None: the car gives back at any price

    def __post_init__(self) -> None:
        if not math.isfinite(sum(filter(None, _NUMBERS(self)))):  # one look in each turn of a loop
            for name in NUMBERS:
                value = getattr(self, name)
                if value is not None and not math.isfinite(value):
                    raise ValueError(f"{name} is {value}; give a finite number, or None for what the car did not say")

    def _until(self, soc: float | None) -> float | None:
        """Wh from the present state to that SOC (%), None if it cannot be known."""
        if soc is None or self.soc is None or self.capacity is None:
            return None
        return (soc - self.soc) / 100.0 * self.capacity

    @property
    def ceiling(self) -> float:
        """Wh that may still be charged, >= 0; infinite if the car stated neither its maximum nor SOC and capacity."""
        full = self.energy_maximum if self.energy_maximum is not None else self._until(100.0)
        return math.inf if full is None else max(full, 0.0)

    @property
    def floor(self) -> float:
        """The reserve in Wh from the present state, never given back and, where positive, charged at once: the strictest of what the car
        said.

        A car that said nothing is not asked to give what it brought: 0, or its V2X minimum where that lies below.
        """
        said = [energy for energy in (self.energy_minimum, self._until(self.minimum_soc)) if energy is not None]
        if not said:
            return min(self.v2x_minimum, 0.0) if self.v2x_minimum is not None else 0.0
        return min(max(said), self.ceiling)

    @property
    def lower(self) -> float:
        """The least that the battery may hold, in Wh from the present state, <= 0: `floor`, or the lower end of the V2X range if higher."""
        return max(min(self.floor, 0.0), min(self.v2x_minimum, 0.0) if self.v2x_minimum is not None else -math.inf)

    @property
    def target(self) -> float:
        """Wh wanted at departure, from the present state, within floor and ceiling; the ceiling where the car stated no target."""
        by_soc = self._until(self.target_soc)
        wanted = self.energy_target if self.energy_target is not None else by_soc if by_soc is not None else self.ceiling
        return max(min(wanted, self.ceiling), self.floor)


NUMBERS: Final = tuple(each.name for each in fields(Needs) if each.name not in ("bidirectional", "energy_offer"))
_NUMBERS: Final = attrgetter(*NUMBERS)
