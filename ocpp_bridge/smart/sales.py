"""salesTariff of a chargingSchedule: relative prices, which a car of ISO 15118-2 is told whole and one of ISO 15118-20 as levels.

Its times are counted in seconds from a beginning; the power at which a block of consumption begins is read as W.
"""

from itertools import pairwise
from typing import Final

from ocpp_bridge.wire.schemas import Payload
from v2g.energy.relative_prices import Block, Cost, CostKind, RelativePrices, RelativeStep

NAME: Final = "salesTariff"
WHOLE_MAXIMUM: Final = 2**32 - 1
LATEST: Final = 16_777_214  # s at which an entry of a message may begin
LONGEST: Final = 86_400  # s that the last one may last
POWER_MAXIMUM: Final = 32_767_000.0  # W; a physical value of a message holds no more
KINDS: Final[dict[str, CostKind]] = {
    "RelativePricePercentage": "price",
    "RenewableGenerationPercentage": "renewable",
    "CarbonDioxideEmission": "carbon",
}


class Unsayable(ValueError):
    """A price that cannot be said to a car, with the name of its field."""


def demand_whole(value: int, name: str, least: int, most: int = WHOLE_MAXIMUM) -> int:
    """The value. Raises `Unsayable` unless it is within `least` and `most`."""
    if not least <= value <= most:
        raise Unsayable(f"{name} is {value}, a car takes {least} to {most}")
    return value


def relative_of(said: Payload, begins: float) -> RelativePrices:
    """The prices of a salesTariff whose times count from `begins` (epoch s). Raises `Unsayable`."""
    count = said.get("numEPriceLevels")
    entries = said["salesTariffEntry"]
    steps = tuple(_step(each, f"{NAME}.salesTariffEntry[{place}]", count) for place, each in enumerate(entries))
    if any(later.start <= step.start for step, later in pairwise(steps)):
        raise Unsayable(f"{NAME}: the entries begin at {', '.join(str(step.start) for step in steps)} s; each begins after the one before")
    leveled = {step.level is not None for step in steps}
    if len(leveled) > 1:
        raise Unsayable(f"{NAME}: some entries have an ePriceLevel and some have none")
    last = entries[-1]["relativeTimeInterval"].get("duration")
    return RelativePrices(
        id=demand_whole(said["id"], f"{NAME}.id", 1, 255),
        anchor=begins,
        steps=steps,
        count=count if True in leveled else None,
        duration=None if last is None else demand_whole(last, f"{NAME}: the last duration", 1, LONGEST),
        description=said.get("salesTariffDescription", ""),
    )


def _step(said: Payload, name: str, count: int | None) -> RelativeStep:
    level = said.get("ePriceLevel")
    if level is not None and count is None:
        raise Unsayable(f"{name}.ePriceLevel is {level}, and numEPriceLevels is not stated")
    if level is not None and count is not None:
        demand_whole(level, f"{name}.ePriceLevel", 0, demand_whole(count, f"{NAME}.numEPriceLevels", 1, 255))
    blocks = tuple(_block(each, f"{name}.consumptionCost[{place}]") for place, each in enumerate(said.get("consumptionCost", [])))
    if level is None and not any(block.price is not None for block in blocks):
        raise Unsayable(f"{name} has neither ePriceLevel nor RelativePricePercentage: it is no price")
    if any(later.power_from <= block.power_from for block, later in pairwise(blocks)):
        raise Unsayable(f"{name}.consumptionCost: each startValue is above the one before")
    return RelativeStep(demand_whole(said["relativeTimeInterval"]["start"], f"{name}.start", 0, LATEST), level, blocks)


def _block(said: Payload, name: str) -> Block:
    begin = float(said["startValue"])
    if not 0 <= begin <= POWER_MAXIMUM:
        raise Unsayable(f"{name}.startValue is {begin:g} W, a car takes 0 to {POWER_MAXIMUM:g}")
    costs = tuple(
        Cost(
            KINDS[each["costKind"]],
            demand_whole(each["amount"], f"{name}.cost[{place}].amount", 0),
            demand_whole(each.get("amountMultiplier", 0), f"{name}.cost[{place}].amountMultiplier", -3, 3),
        )
        for place, each in enumerate(said["cost"])
    )
    if len({cost.kind for cost in costs}) < len(costs):
        raise Unsayable(f"{name}.cost: one costKind stands there twice")
    return Block(begin, costs)
