"""Prices on the wire and the receipt for them, against numbers worked out by hand and against what the messages state."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from secc.pause import PausedSessions
from tests.secc.scripted import EPOCH, Scripted, outlet
from tests.secc.test_metering import asked, confirmation
from tests.secc.test_metering import charging as contracted
from v2g.energy.ledger import MICRO
from v2g.energy.offer import Offer, Tuple
from v2g.energy.price_schedule import ranked
from v2g.energy.series import Series
from v2g.energy.tariff import Extra, Overstay, Tariff, Tax
from v2g.iso20.rational import number
from v2g.messages import schema_set
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused

TARIFF = Tariff(
    taxes=(Tax("VAT", 19.0), Tax("levy", 5.0, included=True, parking=False)),
    parking_fee=0.5,
    parking_period=1800,
    overstay=(Overstay(2.0, 900, description="blocked"), Overstay(4.0, 900, start=3600)),
    overstay_after=600,
    overstay_below=1000,
    services=(Extra("wash", 2.5),),
    minimum=1.0,
    maximum=80.0,
)


class Selling(Scripted):
    """A station whose offers have a tariff."""

    tariff = TARIFF

    def offer(self, needs: Any) -> Offer:
        return replace(super().offer(needs), tariff=self.tariff)


def reading(imported: float, exported: float = 0.0, at: float = EPOCH, before: float = 1000.0) -> words.MeterRead:
    return words.MeterRead(words.MeterReading("M-1", imported, exported, at, imported_before=before))


def test_a_tariff_stands_in_the_charging_schedule() -> None:
    car = Selling()
    car.authorized("DC_BPT")
    car.select("DC_BPT")
    car.parameters("DC_BPT")
    (offered,) = car.scheduled().Scheduled_SEResControlMode.ScheduleTuple
    prices = offered.ChargingSchedule.AbsolutePriceSchedule
    vat, levy = prices.TaxRules.TaxRule
    assert (vat.TaxRuleID, vat.TaxRuleName, number(vat.TaxRate), vat.TaxIncludedInPrice, vat.AppliesToParkingFee) == (
        1,
        "VAT",
        19,
        False,
        True,
    )
    assert (levy.TaxRuleID, number(levy.TaxRate), levy.TaxIncludedInPrice, levy.AppliesToParkingFee) == (2, 5, True, False)
    rules = [stack.PriceRule[0] for stack in prices.PriceRuleStacks.PriceRuleStack]
    assert [(number(rule.EnergyFee), number(rule.ParkingFee), rule.ParkingFeePeriod) for rule in rules] == [
        (0.1, 0.5, 1800), (0.4, 0.5, 1800), (0.2, 0.5, 1800),
    ]  # fmt: skip
    over = prices.OverstayRules
    assert (over.OverstayTimeThreshold, number(over.OverstayPowerThreshold)) == (600, 1000)
    assert [(rule.StartTime, number(rule.OverstayFee), rule.OverstayFeePeriod) for rule in over.OverstayRule] == [
        (0, 2, 900),
        (3600, 4, 900),
    ]
    assert [(one.ServiceName, number(one.ServiceFee)) for one in prices.AdditionalSelectedServices.AdditionalService] == [("wash", 2.5)]
    assert (number(prices.MinimumCost), number(prices.MaximumCost)) == (1, 80)
    back = offered.DischargingSchedule.AbsolutePriceSchedule
    assert (back.TaxRules, back.OverstayRules, back.AdditionalSelectedServices, back.MinimumCost) == (None, None, None, None)


def test_levels_rank_the_prices_of_both_directions_on_one_scale() -> None:
    car = Selling(outlet=outlet(pricing="levels", price_levels=3))
    car.authorized("DC_BPT")
    car.select("DC_BPT")
    car.parameters("DC_BPT")
    (offered,) = car.scheduled().Scheduled_SEResControlMode.ScheduleTuple
    for schedule in (offered.ChargingSchedule, offered.DischargingSchedule):
        assert schedule.AbsolutePriceSchedule is None
        levels = schedule.PriceLevelSchedule
        entries = levels.PriceLevelScheduleEntries.PriceLevelScheduleEntry
        assert levels.NumberOfPriceLevels == 3
        assert [(entry.Duration, entry.PriceLevel) for entry in entries] == [(3600, 1), (3600, 3), (3600, 2)]  # 0.1, 0.4, 0.2
    assert car.session.context.service.exchange.offer is not None


@pytest.mark.parametrize(("price", "level"), [(-0.1, 1), (-0.01, 1), (0.0, 2), (0.09, 2), (0.1, 3), (0.2, 3), (-9.0, 1), (9.0, 3)])
def test_a_level_is_one_of_equal_width(price: float, level: int) -> None:
    assert ranked(price, [-0.1, 0.2, 0.0], 3) == level


@pytest.mark.parametrize("without", ["import_prices", "export_prices"])
def test_a_schedule_whose_prices_are_known_one_way_alone_has_one_level_the_other_way(without: str) -> None:
    class Half(Scripted):
        def offer(self, needs: Any) -> Offer:
            made = super().offer(needs)
            (only,) = made.tuples
            dear = None if only.import_prices is None else only.import_prices.map(lambda price: price + 0.3)
            priced = {"import_prices": dear, "export_prices": dear, without: None}
            return replace(made, tuples=(replace(only, **priced),))

    car = Half()
    car.authorized("DC_BPT")
    car.select("DC_BPT")
    car.parameters("DC_BPT")
    answer = car.scheduled()
    assert answer.ResponseCode is Code.OK
    (offered,) = answer.Scheduled_SEResControlMode.ScheduleTuple
    there = offered.DischargingSchedule if without == "export_prices" else offered.ChargingSchedule
    assert {entry.PriceLevel for entry in there.PriceLevelSchedule.PriceLevelScheduleEntries.PriceLevelScheduleEntry} == {1}


def test_the_dynamic_car_is_told_levels_too() -> None:
    car = Selling(outlet=outlet(pricing="levels"))
    car.authorized("DC")
    car.select("DC", 2)
    car.parameters("DC")
    mode = car.scheduled("Dynamic").Dynamic_SEResControlMode
    assert mode.AbsolutePriceSchedule is None
    assert mode.PriceLevelSchedule.NumberOfPriceLevels == 3


@pytest.mark.parametrize("station", [Scripted, Selling])
def test_what_the_backend_says_of_the_cost_stands_in_the_receipt(station: type[Scripted]) -> None:
    car = station()
    car.charging("DC", "Scheduled")
    car.tell(reading(1000.0))
    assert number(car.loop("DC", "Scheduled", meter=True).Receipt.EnergyCosts.Amount) == 0
    car.tell(words.CostTold(7.25, 1_795_370_400.0))
    car.tell(reading(11_000.0))
    receipt = car.loop("DC", "Scheduled", meter=True).Receipt
    assert receipt.TimeAnchor == 1_795_370_400
    assert number(receipt.EnergyCosts.Amount) == 7.25
    assert number(receipt.EnergyCosts.CostPerUnit) == pytest.approx(0.725)
    assert receipt.TaxCosts == ()


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_a_receipt_worked_out_by_hand(control: str) -> None:
    """12 kWh evenly over the first hour at 0.1 and half an hour at 0.4: 8 and 4 kWh; three half hours of parking have begun."""
    car = Selling()
    car.charging("DC", control)
    car.tell(reading(1000.0))
    car.jump(5400.0)
    car.tell(reading(13_000.0, at=3.0))  # a meter whose clock is wrong
    shown = car.loop("DC", control, meter=True)
    receipt = shown.Receipt
    assert shown.MeterInfo.ChargedEnergyReadingWh == 12_000
    assert number(receipt.EnergyCosts.Amount) == pytest.approx(2.4, abs=2e-3)  # seconds pass while the car gets here
    assert number(receipt.EnergyCosts.CostPerUnit) == pytest.approx(0.2, abs=2e-4)
    assert number(receipt.OccupancyCosts.Amount) == 1.5
    assert number(receipt.AdditionalServicesCosts.Amount) == 2.5
    assert number(receipt.OverstayCosts.Amount) == 0
    vat, levy = receipt.TaxCosts
    assert number(vat.Amount) == pytest.approx(0.19 * (2.4 + 1.5), abs=1e-3)
    assert number(levy.Amount) == pytest.approx(2.4 * 5 / 105, abs=1e-3)
    car.stop()
    car.octets(b"")
    (billed,) = car.wants(words.Billed)
    assert billed.currency == "EUR"
    assert billed.imported == pytest.approx(12_000)
    assert billed.bill.total / MICRO == pytest.approx(6.4 + 0.19 * 3.9, abs=3e-3)


def test_a_receipt_comes_with_its_reading_and_not_without() -> None:
    car = Selling()
    car.charging("DC")
    car.tell(reading(1000.0))
    assert car.loop("DC").Receipt is not None  # the first reading is shown unasked
    response = car.loop("DC")
    assert (response.MeterInfo, response.Receipt) == (None, None)


@pytest.mark.parametrize("pricing", ["none", "levels"])
def test_nobody_is_billed_who_was_told_no_money(pricing: Any) -> None:
    car = Selling(outlet=outlet(pricing=pricing))
    car.charging("DC")
    car.tell(reading(5000.0))
    response = car.loop("DC", meter=True)
    assert response.MeterInfo is not None
    assert response.Receipt is None
    car.stop()
    assert car.wants(words.Billed) == []


def test_discharging_earns_what_its_schedule_says() -> None:
    car = Scripted()
    car.charging("DC_BPT")
    car.tell(reading(1000.0))
    car.jump(3700.0)
    car.tell(reading(1000.0))
    car.jump(1800.0)
    car.tell(reading(1000.0, exported=4_500.0))
    receipt = car.loop("DC_BPT", meter=True).Receipt
    assert number(receipt.EnergyCosts.Amount) == pytest.approx(-1.8)  # 4.5 kWh at 0.4
    assert number(receipt.EnergyCosts.CostPerUnit) == pytest.approx(0.4)


def test_what_is_billed_is_what_the_message_states() -> None:
    """A price with more digits than the wire has costs what the car was shown."""
    car = Scripted()
    start = float(int(car.wall))
    power, prices = (Series.constant(start, 10_800.0, value) for value in (11_000.0, 0.123_456_789))
    car.auto = True
    car.offer = lambda needs: Offer((Tuple(1, power, None, prices),))  # type: ignore[method-assign]
    car.charging("DC")
    offer = car.session.context.service.exchange.offer
    assert offer is not None
    assert offer.tuples[0].import_prices is not None
    assert offer.tuples[0].import_prices.values == pytest.approx((0.12346,), rel=1e-12)
    (chosen,) = car.wants(words.ScheduleChosen)
    assert chosen.import_prices is not None
    assert set(chosen.import_prices.values) == set(offer.tuples[0].import_prices.values)
    assert (chosen.export_prices, chosen.currency) == (None, "EUR")
    car.tell(reading(1000.0))
    car.jump(3600.0)
    car.tell(reading(11_001_000.0))
    assert car.session.context.agreement.tab is not None
    assert car.session.context.agreement.tab.bill(car.wall).total == round(11_000 * 0.12346 * MICRO)


def test_a_charge_that_was_paused_is_billed_from_its_beginning() -> None:
    store = PausedSessions()
    car = Scripted(given={"paused": store})
    car.charging("DC")
    car.tell(reading(1000.0))
    car.jump(600.0)
    car.tell(reading(2000.0))
    car.deliver("Stop")
    car.stop("Pause")
    (kept,) = store
    assert kept.agreement.tab is not None
    again = Scripted(given={"paused": store}, epoch=EPOCH + 3600.0)
    again.id = kept.session_id
    again.setup("DC")
    again.parameters("DC")
    again.scheduled()
    again.isolated()
    again.pre_charge("Finished")
    again.start()
    again.tell(reading(2000.0, before=2000.0))
    again.jump(600.0)
    again.tell(reading(3000.0, before=2000.0))
    assert number(again.loop("DC", meter=True).Receipt.EnergyCosts.Amount) == pytest.approx(0.2)


def test_a_receipt_is_signed_as_it_was_shown() -> None:
    car = contracted()
    car.loop("DC")
    car.tell(words.MeteringConfirmationAsked())
    response = car.loop("DC")
    assert response.Receipt is not None
    car.send(confirmation_of(car, response.MeterInfo, response.Receipt))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK


def test_a_receipt_of_other_amounts_is_no_confirmation() -> None:
    import msgspec

    car = contracted()
    car.loop("DC")
    shown = asked(car)
    (receipt, *_) = car.session.context.service.receipts_shown
    car.send(confirmation_of(car, shown, msgspec.structs.replace(receipt, TimeAnchor=1)))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_MeteringSignatureNotValid
    assert isinstance(car.session.ended.error, Refused)  # type: ignore[union-attr]


def confirmation_of(car: Scripted, shown: Any, receipt: Any) -> Any:
    import msgspec

    from pki import signature as xmldsig
    from tests.secc.test_authorization import contract

    unsigned = confirmation(car, shown, Receipt=receipt).SignedMeteringData
    signature = xmldsig.sign([unsigned], contract().key, schema_set("common"))
    request = confirmation(car, shown)
    return msgspec.structs.replace(request, Header=car.header(signature), SignedMeteringData=unsigned)
