"""Prices that somebody else states, whole in a message: nothing is left out, rounded or numbered anew."""

from v2g.energy.price_schedule import PriceLevels, PriceRule, PriceSchedule, Way
from v2g.energy.relative_prices import RelativePrices
from v2g.iso20.rational import rational
from v2g.messages.common_messages import (
    AbsolutePriceScheduleType,
    AdditionalServiceListType,
    AdditionalServiceType,
    OverstayRuleListType,
    OverstayRuleType,
    PriceLevelScheduleEntryListType,
    PriceLevelScheduleEntryType,
    PriceLevelScheduleType,
    PriceRuleStackListType,
    PriceRuleStackType,
    PriceRuleType,
    TaxRuleListType,
    TaxRuleType,
)
from v2g.messages.common_types import RationalNumberType


def stated_absolute(prices: PriceSchedule, way: Way, attribute: str | None) -> AbsolutePriceScheduleType | None:
    """A price schedule for one direction of energy; None where it has no price for it. `attribute` is the id by which it is signed."""
    one = prices.way(way)
    if one is None:
        return None
    stacks = tuple(PriceRuleStackType(Duration=step.duration, PriceRule=tuple(map(_rule, step.rules))) for step in one.steps)
    return AbsolutePriceScheduleType(
        Id=attribute,
        TimeAnchor=int(one.anchor),
        PriceScheduleID=one.id,
        PriceScheduleDescription=one.description or None,
        Currency=one.currency,
        Language=one.language,
        PriceAlgorithm=one.algorithm,
        MinimumCost=_optional(one.minimum),
        MaximumCost=_optional(one.maximum),
        TaxRules=_taxes(one),
        PriceRuleStacks=PriceRuleStackListType(PriceRuleStack=stacks),
        OverstayRules=_overstay(one),
        AdditionalSelectedServices=_services(one),
    )


def stated_levels(prices: PriceLevels, attribute: str | None = None) -> PriceLevelScheduleType:
    """Price levels, which are the same for both directions."""
    entries = tuple(PriceLevelScheduleEntryType(Duration=duration, PriceLevel=level) for duration, level in prices.steps)
    return PriceLevelScheduleType(
        Id=attribute,
        TimeAnchor=int(prices.anchor),
        PriceScheduleID=prices.id,
        PriceScheduleDescription=prices.description or None,
        NumberOfPriceLevels=prices.count,
        PriceLevelScheduleEntries=PriceLevelScheduleEntryListType(PriceLevelScheduleEntry=entries),
    )


Stated = PriceSchedule | PriceLevels | RelativePrices


def holdable(prices: Stated | None, points: int) -> Stated | None:
    """The prices, if a car can hold that many steps; None otherwise."""
    return prices if prices is not None and len(prices.steps) <= points else None


def _rule(rule: PriceRule) -> PriceRuleType:
    return PriceRuleType(
        EnergyFee=rational(rule.energy),
        ParkingFee=_optional(rule.parking),
        ParkingFeePeriod=rule.parking_period,
        CarbonDioxideEmission=rule.carbon,
        RenewableGenerationPercentage=rule.renewable,
        PowerRangeStart=rational(rule.power_from),
    )


def _optional(value: float | None) -> RationalNumberType | None:
    return None if value is None else rational(value)


def _taxes(prices: PriceSchedule) -> TaxRuleListType | None:
    if not prices.taxes:
        return None
    rules = (
        TaxRuleType(
            TaxRuleID=tax.id,
            TaxRuleName=tax.name or None,
            TaxRate=rational(tax.rate),
            TaxIncludedInPrice=tax.included,
            AppliesToEnergyFee=tax.energy,
            AppliesToParkingFee=tax.parking,
            AppliesToOverstayFee=tax.overstay,
            AppliesMinimumMaximumCost=tax.bounds,
        )
        for tax in prices.taxes
    )
    return TaxRuleListType(TaxRule=tuple(rules))


def _overstay(prices: PriceSchedule) -> OverstayRuleListType | None:
    if not prices.overstay:
        return None
    rules = (
        OverstayRuleType(
            OverstayRuleDescription=rule.description or None,
            StartTime=int(rule.start),
            OverstayFee=rational(rule.fee),
            OverstayFeePeriod=int(rule.period),
        )
        for rule in prices.overstay
    )
    return OverstayRuleListType(
        OverstayTimeThreshold=prices.overstay_after,
        OverstayPowerThreshold=_optional(prices.overstay_below),
        OverstayRule=tuple(rules),
    )


def _services(prices: PriceSchedule) -> AdditionalServiceListType | None:
    named = tuple(AdditionalServiceType(ServiceName=extra.name, ServiceFee=rational(extra.fee)) for extra in prices.services)
    return AdditionalServiceListType(AdditionalService=named) if named else None
