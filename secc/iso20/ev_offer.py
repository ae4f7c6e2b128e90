"""The energy that a car offers to discharge (EVEnergyOffer), as plain series."""

from collections.abc import Callable, Sequence

from v2g.energy.needs import EnergyOffer
from v2g.energy.series import Series, Step
from v2g.iso20.rational import number
from v2g.messages.common_messages import EVEnergyOfferType, EVPriceRuleStackType

MOST = 96  # steps, a day of quarter-hours: a plan is cut at each, and 2048 of them would cost the station seconds


def energy_offer(sent: EVEnergyOfferType | None) -> EnergyOffer | None:
    """The offer of a car; None where it made none. Powers are taken by their magnitude: cars differ in the sign.

    Of several price rules of one step the dearest counts. What has more steps than a plan looks at is joined: the least power, the
    highest price.
    """
    if sent is None:
        return None
    powers, prices = sent.EVPowerSchedule, sent.EVAbsolutePriceSchedule
    stacks = prices.EVPriceRuleStacks.EVPriceRuleStack
    entries = powers.EVPowerScheduleEntries.EVPowerScheduleEntry
    return EnergyOffer(
        power=_joined(powers.TimeAnchor, [(float(entry.Duration), abs(number(entry.Power))) for entry in entries], min),
        price=_joined(prices.TimeAnchor, [(float(stack.Duration), _fee(stack)) for stack in stacks], max),
        currency=prices.Currency,
    )


def _fee(stack: EVPriceRuleStackType) -> float:
    return max(number(rule.EnergyFee) for rule in stack.EVPriceRule)


def _joined(anchor: int, steps: Sequence[tuple[float, float]], choose: Callable[[list[float]], float]) -> Series:
    """The steps that last, in at most `MOST`."""
    series = Series(float(anchor), tuple(Step(duration, value) for duration, value in steps if duration)).merged()
    each = -(-len(series.steps) // MOST) or 1
    blocks = [series.steps[first : first + each] for first in range(0, len(series.steps), each)]
    return Series(series.start, tuple(Step(sum(s.duration for s in block), choose([s.value for s in block])) for block in blocks))
