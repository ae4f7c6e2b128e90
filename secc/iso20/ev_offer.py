"""The energy that a car offers to discharge (EVEnergyOffer), as plain series."""

from collections.abc import Iterable

from v2g.energy.needs import EnergyOffer
from v2g.energy.series import Series, Step
from v2g.iso20.rational import number
from v2g.messages.common_messages import EVEnergyOfferType, EVPriceRuleStackType


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
        power=_lasting(powers.TimeAnchor, ((float(entry.Duration), abs(number(entry.Power))) for entry in entries)),
        price=_lasting(prices.TimeAnchor, ((float(stack.Duration), _fee(stack)) for stack in stacks)),
        currency=prices.Currency,
    ).joined()


def _fee(stack: EVPriceRuleStackType) -> float:
    return max(number(rule.EnergyFee) for rule in stack.EVPriceRule)


def _lasting(anchor: int, steps: Iterable[tuple[float, float]]) -> Series:
    return Series(float(anchor), tuple(Step(duration, value) for duration, value in steps if duration))
