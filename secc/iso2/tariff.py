"""The SalesTariff of a schedule tuple: what a kWh costs beside others, and as a level; signed for a car that pays by contract."""

from typing import Any, Final

from pki.tariff import sales_tariffs
from secc.neutral.context import Context
from v2g.energy.comparison import relative, scale_of
from v2g.energy.offer import Tuple
from v2g.energy.price_schedule import PriceLevels, PriceSchedule
from v2g.energy.relative_prices import Block, CostKind, RelativePrices, RelativeStep
from v2g.iso2.physical import W, physical
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryRes
from v2g.messages.iso2.msg_data_types import (
    ConsumptionCostType,
    CostType,
    RelativeTimeIntervalType,
    SalesTariffEntryType,
    SalesTariffType,
    costKindType,
)

Stated = PriceSchedule | PriceLevels | RelativePrices
LATEST: Final = 16_777_214  # s from now at which an entry may begin
LONGEST: Final = 86_400  # s that the last entry may last
IDS: Final = range(1, 256)
DESCRIPTION: Final = 32  # characters
KINDS: Final[dict[CostKind, costKindType]] = {
    "price": costKindType.relativePricePercentage,
    "renewable": costKindType.RenewableGenerationPercentage,
    "carbon": costKindType.CarbonDioxideEmission,
}


def holdable(stated: Stated | None, points: int) -> Stated | None:
    """The prices, if a car can hold that many entries; None otherwise."""
    return stated if stated is not None and len(stated.steps) <= points else None


def sales_tariff(offered: Tuple, until: float, known: Context) -> SalesTariffType | None:
    """The tariff of a tuple whose powers end at `until` (epoch s), its times from now on; None where it has no prices, or none are told.

    Of levels alone nothing else is told. The Id by which a signature names the tariff is there where there is one who signs.
    """
    offer, outlet = known.service.exchange.offer, known.outlet
    assert offer is not None
    if outlet.pricing == "none" or (prices := relative(offered, scale_of(offer.tuples), outlet.price_levels)) is None:
        return None
    timed = _ahead(prices, until, int(known.wall))
    if not timed:
        return None
    leveled = all(step.level is not None for _, _, step in timed)
    own = isinstance(offered.stated, RelativePrices)
    return SalesTariffType(
        Id=f"tariff{offered.id}" if signed_here(known) else None,
        SalesTariffID=prices.id if own and prices.id in IDS else offered.id,
        SalesTariffDescription=prices.description[:DESCRIPTION] or None,
        NumEPriceLevels=prices.count if leveled else None,
        SalesTariffEntry=tuple(
            SalesTariffEntryType(
                TimeInterval=RelativeTimeIntervalType(start=start, duration=duration),
                EPriceLevel=step.level if leveled else None,
                ConsumptionCost=tuple(_consumption(block) for block in step.blocks) if own or outlet.pricing == "absolute" else (),
            )
            for start, duration, step in timed
        ),
    )


def signed_here(known: Context) -> bool:
    """Whether a tariff is signed: for a car that pays by contract, whose provider's sub-CA signs, where there is a signer."""
    return known.given.prices is not None and bool(known.agreement.contract)


def signature(response: ChargeParameterDiscoveryRes, known: Context) -> Any:
    """The signature over every tariff of a response, for its envelope; None where there is nothing to sign, or no key for it."""
    if known.given.prices is None or not any(each.Id is not None for each in sales_tariffs(response)):
        return None
    return known.given.prices(response, known.agreement.contract)


def _ahead(prices: RelativePrices, until: float, now: int) -> list[tuple[int, int | None, RelativeStep]]:
    """The steps that are not over by `now` (epoch s): when each begins (s from now), and how long the last one holds."""
    begins = [round(prices.anchor) + step.start - now for step in prices.steps]
    end = begins[-1] + prices.duration if prices.duration is not None else max(round(until) - now, begins[-1] + 1)
    ends = [*begins[1:], end]
    left = [(max(start, 0), step) for start, over, step in zip(begins, ends, prices.steps, strict=True) if over > 0]
    left = [(start, step) for start, step in left if start <= LATEST]
    return [(start, min(end - start, LONGEST) if place == len(left) else None, step) for place, (start, step) in enumerate(left, 1)]


def _consumption(block: Block) -> ConsumptionCostType:
    return ConsumptionCostType(
        startValue=physical(block.power_from, W),
        Cost=tuple(CostType(costKind=KINDS[cost.kind], amount=cost.amount, amountMultiplier=cost.exponent) for cost in block.costs),
    )
