"""Prices of the CSMS: every part reaches the car as it is, or the profile is refused with the name of the field."""

import copy
from typing import Any

import pytest

from ocpp_bridge.smart.prices import prices_of
from ocpp_bridge.smart.sales import Unsayable
from ocpp_bridge.wire.times import epoch, timestamp
from tests.evcc.iso2.test_pair2 import SCRIPT
from tests.evcc.iso2.test_pair2 import car as car2
from tests.evcc.test_pair import EPOCH
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_profiles import profile
from tests.ocpp_bridge.whole_chain import Chain, run
from v2g.iso2.physical import number as number2
from v2g.iso20.rational import number
from v2g.messages.common_messages import ScheduleExchangeRes
from v2g.messages.dc import DC_ChargeLoopRes
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryRes

ANCHOR = timestamp(EPOCH - 1800)


def rational(value: int, exponent: int = 0) -> dict[str, int]:
    return {"exponent": exponent, "value": value}


def float_of(said: dict[str, int]) -> Any:
    return pytest.approx(float(f"{said['value']}e{said['exponent']}"), rel=1e-12)


def rule(fee: int, begin: int, **more: Any) -> dict[str, Any]:
    return {"energyFee": rational(fee, -4), "powerRangeStart": rational(begin)} | more


PARKED = {"parkingFee": rational(2), "parkingFeePeriod": 1800}
GREEN = {"carbonDioxideEmission": 380, "renewableGenerationPercentage": 61}
TAXES = [
    {
        "taxRuleID": 7, "taxRuleName": "VAT", "taxRate": rational(19), "taxIncludedInPrice": False, "appliesToEnergyFee": True,
        "appliesToParkingFee": True, "appliesToOverstayFee": False, "appliesToMinimumMaximumCost": True,
    },
    {
        "taxRuleID": 12, "taxRate": rational(205, -2), "appliesToEnergyFee": True, "appliesToParkingFee": False,
        "appliesToOverstayFee": False, "appliesToMinimumMaximumCost": False,
    },
]  # fmt: skip
OVERSTAY = {
    "overstayTimeThreshold": 900,
    "overstayPowerThreshold": rational(50),
    "overstayRule": [
        {"overstayFee": rational(25, -1), "overstayFeePeriod": 600, "startTime": 0, "overstayRuleDescription": "first hour"},
        {"overstayFee": rational(5), "overstayFeePeriod": 600, "startTime": 3600},
    ],
}
FULL: dict[str, Any] = {
    "timeAnchor": ANCHOR,
    "priceScheduleID": 101,
    "priceScheduleDescription": "night and day",
    "currency": "CHF",
    "language": "de-CH",
    "priceAlgorithm": "urn:iso:std:iso:15118:-20:PriceAlgorithm:3-StackedEnergy",
    "minimumCost": rational(1),
    "maximumCost": rational(80),
    "taxRules": TAXES,
    "priceRuleStacks": [
        {"duration": 3600, "priceRule": [rule(800, -20_000), rule(1_200, -5_000), rule(3_000, 0, **PARKED, **GREEN), rule(4_500, 20_000)]},
        {"duration": 7200, "priceRule": [rule(500, -20_000), rule(2_000, 0, **GREEN)]},
    ],
    "overstayRuleList": OVERSTAY,
    "additionalSelectedServices": [{"serviceName": "wash", "serviceFee": rational(123, -1)}],
}
LEVELS: dict[str, Any] = {
    "timeAnchor": ANCHOR,
    "priceScheduleId": 44,
    "priceScheduleDescription": "traffic light",
    "numberOfPriceLevels": 3,
    "priceLevelScheduleEntries": [
        {"duration": 3600, "priceLevel": 2},
        {"duration": 60, "priceLevel": 3},
        {"duration": 60, "priceLevel": 0},
    ],
}
SALES: dict[str, Any] = {
    "id": 80,
    "salesTariffDescription": "day and night",
    "numEPriceLevels": 3,
    "salesTariffEntry": [
        {
            "relativeTimeInterval": {"start": 0},
            "ePriceLevel": 3,
            "consumptionCost": [
                {
                    "startValue": 0.0,
                    "cost": [
                        {"costKind": "RelativePricePercentage", "amount": 70},
                        {"costKind": "CarbonDioxideEmission", "amount": 311, "amountMultiplier": 0},
                    ],
                },
                {"startValue": 10_000.0, "cost": [{"costKind": "RelativePricePercentage", "amount": 1, "amountMultiplier": 2}]},
            ],
        },
        {"relativeTimeInterval": {"start": 10_800, "duration": 5_400}, "ePriceLevel": 2},
    ],
}
MODE = {"startPeriod": 0, "operationMode": "ExternalLimits", "limit": 9_000.0, "dischargeLimit": -4_000.0}


def priced(*schedules: dict[str, Any]) -> dict[str, Any]:
    """A TxProfile of as many schedules."""
    made = profile(MODE)
    made["chargingSchedule"] = [made["chargingSchedule"][0] | {"id": place} | each for place, each in enumerate(schedules, 11)]
    return made


def sent(control: str, *schedules: dict[str, Any]) -> ScheduleExchangeRes:
    chain = run(control=control, profile=priced(*schedules), loops=2)
    assert chain.received[0] == {"status": "Accepted"}
    assert chain.evcc.ended.well, chain.evcc.ended
    return chain.frames(ScheduleExchangeRes)[-1]


def same(told: Any, said: dict[str, Any], begins: set[str]) -> None:
    """The message has every field of the payload; of its rules those that begin so."""
    assert told.PriceScheduleID == said["priceScheduleID"]
    assert told.TimeAnchor == epoch(said["timeAnchor"])
    assert (told.Currency, told.Language) == (said["currency"], "de")
    assert (told.PriceAlgorithm, told.PriceScheduleDescription) == (said["priceAlgorithm"], said["priceScheduleDescription"])
    assert [number(told.MinimumCost), number(told.MaximumCost)] == [1.0, 80.0]
    names = {"TaxRuleID": "taxRuleID", "TaxRuleName": "taxRuleName", "TaxIncludedInPrice": "taxIncludedInPrice"}
    names |= {f"AppliesTo{kind}Fee": f"appliesTo{kind}Fee" for kind in ("Energy", "Parking", "Overstay")}
    names |= {"AppliesMinimumMaximumCost": "appliesToMinimumMaximumCost"}
    for tax, own in zip(told.TaxRules.TaxRule, said["taxRules"], strict=True):
        assert {name: getattr(tax, name) for name in names} == {name: own.get(wire) for name, wire in names.items()}
        assert number(tax.TaxRate) == float_of(own["taxRate"])
    for stack, own in zip(told.PriceRuleStacks.PriceRuleStack, said["priceRuleStacks"], strict=True):
        assert stack.Duration == own["duration"]
        wanted = [each for each in own["priceRule"] if ("in" if each["powerRangeStart"]["value"] >= 0 else "out") in begins]
        for one, each in zip(stack.PriceRule, wanted, strict=True):
            assert number(one.EnergyFee) == float_of(each["energyFee"])
            assert number(one.PowerRangeStart) == float_of(each["powerRangeStart"])
            assert (one.ParkingFee and number(one.ParkingFee)) == (float_of(each["parkingFee"]) if "parkingFee" in each else None)
            assert one.ParkingFeePeriod == each.get("parkingFeePeriod")
            assert one.CarbonDioxideEmission == each.get("carbonDioxideEmission")
            assert one.RenewableGenerationPercentage == each.get("renewableGenerationPercentage")
    over = told.OverstayRules
    assert (over.OverstayTimeThreshold, number(over.OverstayPowerThreshold)) == (900, 50.0)
    for one, each in zip(over.OverstayRule, OVERSTAY["overstayRule"], strict=True):
        assert (one.StartTime, one.OverstayFeePeriod, number(one.OverstayFee), one.OverstayRuleDescription) == (
            *(each[name] for name in ("startTime", "overstayFeePeriod")),
            float_of(each["overstayFee"]),
            each.get("overstayRuleDescription"),
        )
    (extra,) = told.AdditionalSelectedServices.AdditionalService
    assert (extra.ServiceName, number(extra.ServiceFee)) == ("wash", pytest.approx(12.3))


def test_a_scheduled_car_is_told_the_whole_price_schedule_one_for_each_direction():
    other = copy.deepcopy(FULL) | {"priceScheduleID": 102}
    tuples = sent("Scheduled", {"absolutePriceSchedule": FULL}, {"absolutePriceSchedule": other}).Scheduled_SEResControlMode.ScheduleTuple
    for told, said in zip(tuples, (FULL, other), strict=True):
        same(told.ChargingSchedule.AbsolutePriceSchedule, said, {"in"})
        same(told.DischargingSchedule.AbsolutePriceSchedule, said, {"out"})
        assert told.ChargingSchedule.PriceLevelSchedule is None


def test_a_led_car_is_told_it_with_all_its_rules():
    same(sent("Dynamic", {"absolutePriceSchedule": FULL}).Dynamic_SEResControlMode.AbsolutePriceSchedule, FULL, {"in", "out"})


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_price_levels_reach_the_car_as_they_are(control):
    response = sent(control, {"priceLevelSchedule": LEVELS})
    if control == "Scheduled":
        (offered,) = response.Scheduled_SEResControlMode.ScheduleTuple
        told = offered.ChargingSchedule.PriceLevelSchedule
        assert offered.DischargingSchedule.PriceLevelSchedule == told
    else:
        told = response.Dynamic_SEResControlMode.PriceLevelSchedule
    assert (told.PriceScheduleID, told.NumberOfPriceLevels, told.PriceScheduleDescription) == (44, 3, "traffic light")
    assert told.TimeAnchor == epoch(ANCHOR)
    assert [(e.Duration, e.PriceLevel) for e in told.PriceLevelScheduleEntries.PriceLevelScheduleEntry] == [(3600, 2), (60, 3), (60, 0)]


def test_a_range_that_reaches_over_0_W_is_told_from_0_W_for_what_the_car_takes():
    only = FULL | {"priceRuleStacks": [{"duration": 60, "priceRule": [rule(700, -20_000)]}]}
    (offered,) = sent("Scheduled", {"absolutePriceSchedule": only}).Scheduled_SEResControlMode.ScheduleTuple
    for schedule, begin in ((offered.ChargingSchedule, 0.0), (offered.DischargingSchedule, -20_000.0)):
        (stack,) = schedule.AbsolutePriceSchedule.PriceRuleStacks.PriceRuleStack
        assert [(number(one.EnergyFee), number(one.PowerRangeStart)) for one in stack.PriceRule] == [(pytest.approx(0.07), begin)]


def test_a_receipt_is_given_only_by_prices_that_one_can_bill_by():
    plain = FULL | {"priceRuleStacks": [{"duration": 7200, "priceRule": [rule(500, -20_000), rule(2_000, 0, **PARKED)]}]}
    for prices, billed in ((FULL, False), (plain, True)):
        chain = run("DC_BPT", "Scheduled", profile=priced({"absolutePriceSchedule": prices}), loops=4)
        receipts = [frame.Receipt for frame in chain.frames(DC_ChargeLoopRes) if frame.Receipt is not None]
        assert bool(receipts) is billed
    assert [tax.TaxRuleID for tax in receipts[-1].TaxCosts] == [7, 12]


def changed(path: str, value: Any) -> dict[str, Any]:
    return altered(FULL, path, value)


def altered(one: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(one)
    *way, last = path.split(".")
    place: Any = made
    for name in way:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("priceScheduleID", 0, "priceScheduleID"),
        ("language", "german", "language"),
        ("priceAlgorithm", "x" * 256, "priceAlgorithm"),
        ("minimumCost", rational(123_456, -3), "minimumCost"),
        ("maximumCost", rational(1, 10), "maximumCost"),
        ("minimumCost", rational(90), "minimum"),
        ("taxRules.0.taxRuleID", 12, "taxRules"),
        ("taxRules.0.taxRuleName", "x" * 81, "taxRules[0].taxRuleName"),
        ("taxRules.1.taxRate", rational(-1), "tax"),
        ("priceRuleStacks.1.duration", 0, "priceRuleStacks[1].duration"),
        ("priceRuleStacks.1.duration", 2**32, "priceRuleStacks[1].duration"),
        ("priceRuleStacks.0.priceRule.2.energyFee", rational(1, 10**9), "priceRuleStacks[0].priceRule[2].energyFee"),
        ("priceRuleStacks.0.priceRule.2.energyFee", rational(10**40), "priceRuleStacks[0].priceRule[2].energyFee"),
        ("priceRuleStacks.0.priceRule.2.powerRangeStart", rational(1, -200), "powerRangeStart"),
        ("priceRuleStacks.0.priceRule.3.powerRangeStart", rational(0), "powerRangeStart"),
        ("priceRuleStacks.0.priceRule.3.parkingFee", rational(1), "parkingFeePeriod"),
        ("priceRuleStacks.0.priceRule.3.carbonDioxideEmission", 65_536, "carbonDioxideEmission"),
        ("overstayRuleList.overstayRule.0.overstayFeePeriod", 0, "overstayRule[0].overstayFeePeriod"),
        ("overstayRuleList.overstayTimeThreshold", -1, "overstayTimeThreshold"),
        ("timeAnchor", "1969-01-01T00:00:00Z", "timeAnchor"),
    ],
)
def test_what_no_car_can_be_told_is_refused_with_the_name_of_its_field(path, value, named):
    p = Played().boot().arrive()
    schedule = profile()["chargingSchedule"][0] | {"absolutePriceSchedule": changed(path, value)}
    answer = p.install(chargingSchedule=[schedule])
    assert answer["statusInfo"]["reasonCode"] == "InvalidSchedule"
    assert named in answer["statusInfo"]["additionalInfo"]
    assert not p.charger.profiles.held


@pytest.mark.parametrize(("field", "value"), [("numberOfPriceLevels", 256), ("numberOfPriceLevels", 2), ("priceScheduleId", 0)])
def test_so_are_levels(field, value):
    with pytest.raises(Unsayable, match="priceLevelSchedule"):
        prices_of({"priceLevelSchedule": LEVELS | {field: value}})


def test_more_steps_than_the_car_holds_are_refused():
    p = Played().boot().arrive()
    stacks = [{"duration": 60, "priceRule": [rule(n, 0)]} for n in range(97)]
    answer = p.install(chargingSchedule=[profile()["chargingSchedule"][0] | {"absolutePriceSchedule": FULL | {"priceRuleStacks": stacks}}])
    assert answer["statusInfo"]["reasonCode"] == "TooManyElements"


@pytest.mark.parametrize(
    "more",
    [
        {"absolutePriceSchedule": FULL, "priceLevelSchedule": LEVELS},
        {"absolutePriceSchedule": FULL, "signatureId": 1},
        {"absolutePriceSchedule": FULL, "digestValue": "x"},
        {"salesTariff": {"id": 1, "salesTariffEntry": [{"relativeTimeInterval": {"start": 0}}]}},  # it has no price
        {"absolutePriceSchedule": FULL, "salesTariff": SALES},
    ],
)
def test_prices_that_would_be_lost_are_refused(more):
    p = Played().boot().arrive()
    assert p.install(chargingSchedule=[profile()["chargingSchedule"][0] | more])["statusInfo"]["reasonCode"] == "InvalidSchedule"
    assert p.install(priceScheduleSignature="x")["statusInfo"]["reasonCode"] == "InvalidProfile"


def test_other_prices_alone_are_told_a_led_car_by_a_renegotiation():
    dearer = changed("priceRuleStacks.0.priceRule.2.energyFee", rational(9_000, -4))
    chain = run(
        profile=priced({"absolutePriceSchedule": FULL}),
        loops=40,
        scenes={10: lambda chain: chain.install(priced({"absolutePriceSchedule": dearer}))},
    )
    last = chain.frames(ScheduleExchangeRes)[-1].Dynamic_SEResControlMode.AbsolutePriceSchedule
    assert number(last.PriceRuleStacks.PriceRuleStack[0].PriceRule[2].EnergyFee) == pytest.approx(0.9)
    assert last.TimeAnchor < EPOCH


# --- salesTariff ---


def test_a_sales_tariff_reaches_a_car_of_the_generation_that_has_it_whole():
    chain = Chain(car2("DC"), script=SCRIPT, service="DC", profile=priced({"salesTariff": SALES}))
    assert chain.received[0] == {"status": "Accepted"}
    assert chain.evcc.ended.well, chain.evcc.ended
    response = next(each for each in reversed(chain.frames(ChargeParameterDiscoveryRes)) if each.SASchedules is not None)
    (offered,) = response.SASchedules.SAScheduleTuple
    tariff = offered.SalesTariff
    assert (tariff.SalesTariffID, tariff.NumEPriceLevels, tariff.SalesTariffDescription) == (80, 3, "day and night")
    first, last = tariff.SalesTariffEntry
    assert [(number2(each.startValue), [(c.costKind.value, c.amount, c.amountMultiplier) for c in each.Cost])
            for each in first.ConsumptionCost] == [
        (0.0, [("relativePricePercentage", 70, 0), ("CarbonDioxideEmission", 311, 0)]),
        (10_000.0, [("relativePricePercentage", 1, 2)]),
    ]  # fmt: skip
    assert (first.EPriceLevel, last.EPriceLevel) == (3, 2)
    assert last.TimeInterval.start == pytest.approx(10_800, abs=30)  # it counts from the start of its schedule
    assert last.TimeInterval.duration == 5_400


def test_a_car_of_the_other_generation_is_told_its_levels():
    (offered,) = sent("Scheduled", {"salesTariff": SALES}).Scheduled_SEResControlMode.ScheduleTuple
    told = offered.ChargingSchedule.PriceLevelSchedule
    assert (told.PriceScheduleID, told.NumberOfPriceLevels, told.PriceScheduleDescription) == (80, 3, "day and night")
    entries = told.PriceLevelScheduleEntries.PriceLevelScheduleEntry
    assert [(each.Duration, each.PriceLevel) for each in entries] == [(10_800, 3), (5_400, 2)]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("id", 256, "salesTariff.id"),
        ("numEPriceLevels", 256, "numEPriceLevels"),
        ("numEPriceLevels", 2, "salesTariffEntry[0].ePriceLevel"),
        ("salesTariffEntry.1.relativeTimeInterval.start", 0, "begin at 0, 0 s"),
        ("salesTariffEntry.1.relativeTimeInterval.start", 16_777_215, "salesTariffEntry[1].start"),
        ("salesTariffEntry.1.relativeTimeInterval.duration", 0, "duration"),
        ("salesTariffEntry.0.consumptionCost.1.startValue", 0.0, "consumptionCost"),
        ("salesTariffEntry.0.consumptionCost.0.startValue", -1.0, "startValue"),
        ("salesTariffEntry.0.consumptionCost.0.cost.0.amount", -1, "amount"),
        ("salesTariffEntry.0.consumptionCost.0.cost.0.amountMultiplier", 4, "amountMultiplier"),
        ("salesTariffEntry.0.consumptionCost.0.cost.1.costKind", "RelativePricePercentage", "costKind"),
    ],
)
def test_a_sales_tariff_that_no_car_can_be_told_names_its_field(path, value, named):
    with pytest.raises(Unsayable) as refused:
        prices_of({"salesTariff": altered(SALES, path, value)})
    assert named in str(refused.value)
    without = altered(SALES, "numEPriceLevels", None)
    with pytest.raises(Unsayable, match="numEPriceLevels"):
        prices_of({"salesTariff": {name: each for name, each in without.items() if each is not None}})


def test_relative_prices_without_levels_are_ranked():
    bare = [{"relativeTimeInterval": {"start": s}, "consumptionCost": [{"startValue": 0.0, "cost": [
        {"costKind": "RelativePricePercentage", "amount": amount}]}]} for s, amount in ((600, 10), (1200, 100), (1800, 55))]  # fmt: skip
    made = prices_of({"salesTariff": {"id": 1, "salesTariffEntry": bare}}, 1000.0)
    assert made.levelled().steps == ((600, 0), (600, 1), (600, 3), (86_400, 2))
