"""The conditions of a station's price schedule (currency, tariff), and the sums of the receipts under them."""

from dataclasses import dataclass, replace

from evcc.offers import Conditions
from v2g.energy.ledger import MICRO
from v2g.energy.tariff import Extra, Overstay, Tariff, Tax
from v2g.iso20.rational import number, optional
from v2g.messages.common_messages import AbsolutePriceScheduleType
from v2g.messages.common_types import ReceiptType


@dataclass(frozen=True, slots=True)
class Owed:
    """The sums of a receipt in a currency; negative: the car earned money. The currency is empty where no price had one."""

    total: float
    currency: str
    energy: float = 0.0
    taxes: float = 0.0  # all of them, also those that the lines hold already


def conditions(prices: AbsolutePriceScheduleType) -> Conditions:
    """The conditions of an absolute price schedule. A tariff that makes no sense counts as none; `why` says the reason."""
    rules = prices.TaxRules.TaxRule if prices.TaxRules else ()
    try:
        return Conditions(prices.Currency, _tariff(prices), tuple(rule.TaxRuleID for rule in rules))
    except ValueError as error:
        return Conditions(prices.Currency, why=str(error))


def _tariff(prices: AbsolutePriceScheduleType) -> Tariff:
    rules = prices.TaxRules.TaxRule if prices.TaxRules else ()
    first, over, named = prices.PriceRuleStacks.PriceRuleStack[0].PriceRule[0], prices.OverstayRules, prices.AdditionalSelectedServices
    tariff = Tariff(
        taxes=tuple(
            Tax(
                name=rule.TaxRuleName or f"tax {rule.TaxRuleID}",
                rate=number(rule.TaxRate),
                included=bool(rule.TaxIncludedInPrice),
                energy=rule.AppliesToEnergyFee,
                parking=rule.AppliesToParkingFee,
                overstay=rule.AppliesToOverstayFee,
                bounds=rule.AppliesMinimumMaximumCost,
            )
            for rule in rules
        ),
        parking_fee=optional(first.ParkingFee) or 0.0,
        parking_period=float(first.ParkingFeePeriod or 3600),
        services=tuple(Extra(one.ServiceName, number(one.ServiceFee)) for one in named.AdditionalService) if named else (),
        minimum=optional(prices.MinimumCost),
        maximum=optional(prices.MaximumCost),
    )
    if over is None:
        return tariff
    return replace(
        tariff,
        overstay=tuple(
            Overstay(number(rule.OverstayFee), float(rule.OverstayFeePeriod), float(rule.StartTime), rule.OverstayRuleDescription or "")
            for rule in sorted(over.OverstayRule, key=lambda rule: rule.StartTime)
        ),
        overstay_after=float(over.OverstayTimeThreshold or 0),
        overstay_below=optional(over.OverstayPowerThreshold),
    )


def sums_of(receipt: ReceiptType, sold: Conditions | None) -> Owed:
    """The sums of a receipt. A tax that the prices include is not added; one that no offer named is."""
    named = dict(zip(sold.taxes, sold.tariff.taxes, strict=True)) if sold else {}
    lines = (receipt.EnergyCosts, receipt.OccupancyCosts, receipt.AdditionalServicesCosts, receipt.OverstayCosts)
    parts = [number(line.Amount) for line in lines if line is not None]
    added = [number(tax.Amount) for tax in receipt.TaxCosts if tax.TaxRuleID not in named or not named[tax.TaxRuleID].included]
    energy = number(receipt.EnergyCosts.Amount) if receipt.EnergyCosts else 0.0
    total = round((sum(parts) + sum(added)) * MICRO) / MICRO
    return Owed(total, sold.currency if sold else "", energy, sum(number(tax.Amount) for tax in receipt.TaxCosts))
