"""The prices of a schedule in a message, absolute with their tariff or as levels; and the receipt for the energy used.

The car is billed exactly what it was shown: `shown` gives the prices with the digits and the whole seconds of the message.
"""

import math
from dataclasses import replace

from secc.neutral.account import Terms, account_of
from secc.neutral.context import Context
from secc.neutral.entries import priced_steps
from secc.station import Cost, CostTold
from v2g.energy.ledger import MICRO
from v2g.energy.offer import Tuple
from v2g.energy.price_schedule import ranked
from v2g.energy.series import Series
from v2g.energy.tab import Tab
from v2g.energy.tariff import Overstay, Tariff
from v2g.iso20.pricing import POWER_ALGORITHM
from v2g.iso20.rational import number, rational
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
from v2g.messages.common_types import DetailedCostType, DetailedTaxType, RationalNumberType, ReceiptType

LANGUAGE = "en"
STACKS = 64  # price steps that the smallest decoder among the public stacks holds


def prices_as_shown(prices: Series | None, power: Series | None, points: int) -> Series | None:
    """The prices over the span of a schedule as the message will state them, in at most `points` steps; None where there are none."""
    covered = priced_steps(prices, power, min(STACKS, points))
    return None if covered is None else covered.map(lambda price: number(rational(price)))


# --- absolute ---


def absolute(prices: Series | None, terms: Terms, number_: int, known: Context, buys: bool = True) -> AbsolutePriceScheduleType | None:
    """Prices per kWh with the tariff, for a message. In a discharging schedule (not `buys`) a price is what a kWh earns, without tariff."""
    if prices is None or known.outlet.pricing != "absolute":
        return None
    tariff = terms.tariff if buys else Tariff()
    parking = tariff.parking_fee != 0.0
    return AbsolutePriceScheduleType(
        Id=None if known.given.prices is None else f"price{number_}",
        TimeAnchor=int(prices.start),
        PriceScheduleID=number_,
        Currency=terms.currency,
        Language=LANGUAGE,
        PriceAlgorithm=POWER_ALGORITHM,
        MinimumCost=None if tariff.minimum is None else rational(tariff.minimum),
        MaximumCost=None if tariff.maximum is None else rational(tariff.maximum),
        TaxRules=_taxes(tariff),
        PriceRuleStacks=PriceRuleStackListType(
            PriceRuleStack=tuple(
                PriceRuleStackType(
                    Duration=int(step.duration),
                    PriceRule=(
                        PriceRuleType(
                            EnergyFee=rational(step.value),
                            ParkingFee=rational(tariff.parking_fee) if parking else None,
                            ParkingFeePeriod=int(tariff.parking_period) if parking else None,
                            PowerRangeStart=rational(0),
                        ),
                    ),
                )
                for step in prices.steps
            )
        ),
        OverstayRules=_overstay(tariff),
        AdditionalSelectedServices=_services(tariff),
    )


def tariff_as_shown(tariff: Tariff) -> Tariff:
    """A tariff rounded to the digits and whole seconds of a message, so that the car is billed what it was shown."""

    def digits(value: float) -> float:
        return number(rational(value))

    return replace(
        tariff,
        taxes=tuple(replace(tax, rate=digits(tax.rate)) for tax in tariff.taxes),
        parking_fee=digits(tariff.parking_fee),
        parking_period=float(int(tariff.parking_period)),
        overstay=tuple(
            replace(rule, fee=digits(rule.fee), period=float(int(rule.period)), start=float(int(rule.start))) for rule in tariff.overstay
        ),
        overstay_after=float(int(tariff.overstay_after)),
        overstay_below=None if tariff.overstay_below is None else digits(tariff.overstay_below),
        services=tuple(replace(extra, fee=digits(extra.fee)) for extra in tariff.services),
        minimum=None if tariff.minimum is None else digits(tariff.minimum),
        maximum=None if tariff.maximum is None else digits(tariff.maximum),
    )


def _taxes(tariff: Tariff) -> TaxRuleListType | None:
    if not tariff.taxes:
        return None
    return TaxRuleListType(
        TaxRule=tuple(
            TaxRuleType(
                TaxRuleID=tax.id or place,
                TaxRuleName=tax.name,
                TaxRate=rational(tax.rate),
                TaxIncludedInPrice=tax.included,
                AppliesToEnergyFee=tax.energy,
                AppliesToParkingFee=tax.parking,
                AppliesToOverstayFee=tax.overstay,
                AppliesMinimumMaximumCost=tax.bounds,
            )
            for place, tax in enumerate(tariff.taxes, 1)
        )
    )


def _overstay(tariff: Tariff) -> OverstayRuleListType | None:
    if not tariff.overstay:
        return None
    return OverstayRuleListType(
        OverstayTimeThreshold=int(tariff.overstay_after),
        OverstayPowerThreshold=None if tariff.overstay_below is None else rational(tariff.overstay_below),
        OverstayRule=tuple(_rule(rule) for rule in tariff.overstay),
    )


def _rule(rule: Overstay) -> OverstayRuleType:
    return OverstayRuleType(
        OverstayRuleDescription=rule.description or None,
        StartTime=int(rule.start),
        OverstayFee=rational(rule.fee),
        OverstayFeePeriod=int(rule.period),
    )


def _services(tariff: Tariff) -> AdditionalServiceListType | None:
    if not tariff.services:
        return None
    named = (AdditionalServiceType(ServiceName=extra.name, ServiceFee=rational(extra.fee)) for extra in tariff.services)
    return AdditionalServiceListType(AdditionalService=tuple(named))


# --- levels ---


def level(prices: Series | None, power: Series, offered: Tuple, number_: int, known: Context) -> PriceLevelScheduleType | None:
    """Prices as levels for a message, 1 the cheapest, on one scale for both directions; one level where none is known [V2G20-2176]."""
    count = known.outlet.price_levels if prices is not None and known.outlet.pricing == "levels" else 1
    span = prices if prices is not None else Series.constant(float(int(power.start)), max(1.0, round(power.duration)), 0.0)
    scale = [value for series in (offered.import_prices, offered.export_prices) if series is not None for value in series.values]
    steps = span.map(lambda price: float(ranked(price, scale, count))).merged().steps
    return PriceLevelScheduleType(
        TimeAnchor=int(span.start),
        PriceScheduleID=number_,
        NumberOfPriceLevels=count,
        PriceLevelScheduleEntries=PriceLevelScheduleEntryListType(
            PriceLevelScheduleEntry=tuple(
                PriceLevelScheduleEntryType(Duration=int(step.duration), PriceLevel=int(step.value)) for step in steps
            )
        ),
    )


# --- receipts ---


def account_from(known: Context, tuple_id: int | None) -> Tab | None:
    """The account as the schedule `tuple_id` begins now, at the prices that the message shows."""
    return account_of(known, tuple_id, tariff_as_shown)


def receipt(tab: Tab | None, known: Context) -> ReceiptType | None:
    """The receipt for what is owed up to now; None without account. What minimum or maximum cost change is in the energy costs.

    What the backend has said goes before what the prices of the schedule make of the energy.
    """
    if (said := known.agreement.cost) is not None:
        return _stated(said, known)
    if tab is None:
        return None
    tariff, owed = tab.tariff, tab.bill(known.wall)
    kwh = (tab.imported - tab.exported) / 1000.0
    now = tab.imports.at(known.wall) if tab.imports is not None else None
    energy = owed.energy + owed.adjustment
    mean = owed.energy / MICRO / kwh if kwh else now or 0.0
    return ReceiptType(
        TimeAnchor=int(tab.since),
        EnergyCosts=DetailedCostType(Amount=money(energy), CostPerUnit=_unit(mean, now)),
        OccupancyCosts=_cost(owed.parking, tariff.parking_fee) if tariff.parking_fee else None,
        AdditionalServicesCosts=_cost(owed.services, sum(extra.fee for extra in tariff.services)) if tariff.services else None,
        OverstayCosts=_cost(owed.overstay, tariff.overstay[0].fee) if tariff.overstay else None,
        TaxCosts=tuple(
            DetailedTaxType(TaxRuleID=tax.id or place, Amount=money(amount))
            for place, (tax, amount) in enumerate(zip(tariff.taxes, owed.taxes, strict=True), 1)
        ),
    )


def _stated(said: CostTold, known: Context) -> ReceiptType:
    """The receipt by the backend: in the parts that it has given, else all of its sum stands with the energy."""
    if (parts := said.parts) is not None:
        return ReceiptType(
            TimeAnchor=int(said.since),
            EnergyCosts=_part(parts.energy),
            OccupancyCosts=_part(parts.time),
            AdditionalServicesCosts=_part(parts.fees),
            OverstayCosts=_part(parts.idle),
            TaxCosts=(DetailedTaxType(TaxRuleID=1, Amount=rational(parts.taxes)),) if parts.taxes else (),
        )
    meter = known.station.meter
    kwh = 0.0 if meter is None else (meter.imported - meter.imported_before) / 1000.0
    costs = DetailedCostType(Amount=rational(said.total), CostPerUnit=_unit(said.total / kwh if kwh else 0.0, None))
    return ReceiptType(TimeAnchor=int(said.since), EnergyCosts=costs)


def _part(cost: Cost | None) -> DetailedCostType | None:
    return None if cost is None else DetailedCostType(Amount=rational(cost.amount), CostPerUnit=_unit(cost.unit, None))


def money(amount: int) -> RationalNumberType:
    """An amount of money, given in millionths, as a RationalNumberType."""
    return rational(amount / MICRO)


def _cost(amount: int, unit: float) -> DetailedCostType:
    return DetailedCostType(Amount=money(amount), CostPerUnit=rational(unit))


def _unit(mean: float, now: float | None) -> RationalNumberType:
    """The mean price of what was used; where import and export nearly cancel, a mean says nothing: the price of the moment."""
    sound = math.isfinite(mean) and abs(mean) <= 1e6
    return rational(mean if sound else now or 0.0)
