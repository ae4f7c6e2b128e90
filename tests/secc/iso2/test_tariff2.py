"""SalesTariffs: what a car of ISO 15118-2 is told of prices, as numbers worked out by hand; and the signature under them."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from evcc.early.schedule import prices as as_the_car_reads_them
from pki.profiles import Role
from pki.store import Credential
from pki.tariff import Standing, judge_tariffs, sales_tariffs, signers
from secc import station as words
from secc.claims import Trust
from secc.replay import replay
from secc.trust import PriceSigning, Verifiers
from tests.pki.sample_pki import anchors, hierarchy
from tests.secc.iso2.scripted2 import Scripted2, outlet, tls12
from tests.secc.iso2.test_contract2 import AC, CURVE, EARLIER, RULES, authorize, details
from tests.secc.scripted import EPOCH
from v2g.energy.ledger import MICRO
from v2g.energy.offer import Offer, Tuple
from v2g.energy.price_schedule import PriceLevels, PriceRule, PriceSchedule, PriceStep
from v2g.energy.relative_prices import Block, Cost, RelativePrices, RelativeStep
from v2g.energy.series import Series, Step
from v2g.generations import GENERATIONS
from v2g.iso2.physical import number
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2.msg_data_types import SalesTariffType
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.session.trace import Trace, line

HOUR = 3600.0
PRICES = (0.1, 0.4, 0.2)  # currency/kWh, an hour each


class Selling(Scripted2):
    """A station whose offer has two schedules: one with the prices of three hours, one dearer and without end."""

    stated: Any = None

    def offer(self, needs: Any) -> Offer:
        start, most = float(int(self.wall)), self.outlet.limits.charge_power
        hours = Series(start, tuple(Step(HOUR, price) for price in PRICES))
        first = Tuple(1, Series.constant(start, 3 * HOUR, most), import_prices=hours, stated=self.stated)
        return Offer((first, Tuple(2, Series.constant(start, 2 * HOUR, most / 2), import_prices=Series.constant(start, HOUR, 0.5))))


def told(car: Scripted2) -> list[SalesTariffType]:
    if car.session.context.agreement.authorization is None:
        car.authorized()
    return list(sales_tariffs(car.scheduled("DC_extended")))


def entries(tariff: SalesTariffType) -> list[Any]:
    """Start, level, and of each block the power and the costs that are counted from it."""
    return [
        (
            entry.TimeInterval.start,  # type: ignore[attr-defined]
            entry.EPriceLevel,
            [(number(each.startValue), [(c.costKind.value, c.amount * 10.0 ** (c.amountMultiplier or 0)) for c in each.Cost])
             for each in entry.ConsumptionCost],
        )
        for entry in tariff.SalesTariffEntry
    ]  # fmt: skip


def share(percent: float) -> list[Any]:
    return [(0.0, [("relativePricePercentage", pytest.approx(percent))])]


def test_prices_are_told_beside_the_dearest_of_all_schedules_and_as_levels() -> None:
    first, second = told(Selling())
    assert (first.SalesTariffID, first.NumEPriceLevels, first.Id) == (1, 3, None)
    assert entries(first) == [(0, 1, share(20.0)), (3600, 3, share(80.0)), (7200, 1, share(40.0))]  # of 0.5, in thirds from 0.1 to 0.5
    assert entries(second) == [(0, 3, share(100.0))]
    last, only = first.SalesTariffEntry[-1].TimeInterval, second.SalesTariffEntry[0].TimeInterval
    assert (last.duration, only.duration) == (3600, 7200)  # type: ignore[attr-defined]
    assert all(each.TimeInterval.duration is None for each in first.SalesTariffEntry[:-1])  # type: ignore[attr-defined]


def test_a_car_compares_the_schedules_by_what_it_is_told() -> None:
    car = Selling()
    car.authorized()
    reader: Any = None  # a car notes what makes no sense: here there is nothing
    cheap, dear = (as_the_car_reads_them(reader, each, 0.0) for each in car.scheduled().SASchedules.SAScheduleTuple)
    assert cheap is not None
    assert dear is not None
    assert cheap.values == pytest.approx((0.2, 0.8, 0.4))
    assert dear.values == pytest.approx((1.0,))


def test_the_schedule_that_the_car_chooses_is_the_one_that_binds() -> None:
    car = Selling()
    car.ready()
    assert car.deliver(tuple_id=2).ResponseCode is Code.OK
    answer = car.loop(current=500.0)
    assert answer.SAScheduleTupleID == 2
    assert number(answer.EVSEMaximumPowerLimit) == pytest.approx(car.outlet.limits.charge_power / 2, rel=1e-3)


@pytest.mark.parametrize(("pricing", "levels", "costs"), [("none", None, None), ("levels", 3, False), ("absolute", 3, True)])
def test_an_outlet_tells_as_much_of_its_prices_as_it_is_told_to(pricing: str, levels: int | None, costs: bool | None) -> None:
    found = told(Selling(outlet(pricing=pricing)))
    assert bool(found) == (levels is not None)
    for each in found:
        assert each.NumEPriceLevels == levels
        assert all(bool(entry.ConsumptionCost) == costs for entry in each.SalesTariffEntry)


def test_prices_that_a_car_cannot_hold_are_joined_and_hold_on_to_the_end_of_their_schedule() -> None:
    car = Selling()
    car.authorized()
    found = sales_tariffs([car.parameters(entries=2), car.parameters(entries=2)][-1])
    assert [len(each.SalesTariffEntry) for each in found] == [2, 1]


def test_levels_and_rules_of_somebody_else_are_told_as_they_are() -> None:
    car = Selling()
    car.stated = PriceLevels(7, car.wall - HOUR, 5, ((3600, 2), (1800, 5), (7200, 1)))
    first, _ = told(car)
    assert (first.NumEPriceLevels, [each[:2] for each in entries(first)]) == (5, [(0, 5), (1800, 1)])  # the first is over
    assert all(each.ConsumptionCost == () for each in first.SalesTariffEntry)

    car = Selling()
    rules = (PriceRule(0.25, carbon=300), PriceRule(0.5, 10_000.0, renewable=40), PriceRule(0.4, 11_000.0), PriceRule(1.0, 22_000.0))
    car.stated = PriceSchedule(900, car.wall, (PriceStep(7200, rules),))
    first, _ = told(car)
    (only,) = entries(first)
    price, carbon, green = "relativePricePercentage", "CarbonDioxideEmission", "RenewableGenerationPercentage"
    assert only[2] == [
        (0.0, [(price, 25.0), (carbon, 300.0)]),
        (10_000.0, [(price, 50.0), (green, 40.0)]),
        (11_000.0, [(price, 100.0)]),  # three blocks fit: no power looks cheaper than it is
    ]
    assert first.SalesTariffID == 1  # 900 is no id of a tariff


def test_relative_prices_reach_the_car_whole() -> None:
    car = Selling(outlet(pricing="levels"))
    blocks = (Block(0.0, (Cost("price", 70), Cost("carbon", 311))), Block(10_000.0, (Cost("price", 1, 2),)))
    car.stated = RelativePrices(80, car.wall, (RelativeStep(0, 3, blocks), RelativeStep(10_800, 2)), 3, 5400, "a day and a night")
    first, _ = told(car)
    assert (first.SalesTariffID, first.SalesTariffDescription, first.NumEPriceLevels) == (80, "a day and a night", 3)
    assert entries(first)[0][2] == [
        (0.0, [("relativePricePercentage", 70.0), ("CarbonDioxideEmission", 311.0)]),
        (10_000.0, [("relativePricePercentage", 100.0)]),
    ]
    assert first.SalesTariffEntry[-1].TimeInterval.duration == 5400  # type: ignore[attr-defined]


# --- signed ---


def held(role: Role) -> Credential:
    one: Any = hierarchy(CURVE)[role]
    made: Any = SimpleNamespace(leaf=one.certificate, key=one.key, curve=CURVE)
    return made  # type: ignore[no-any-return]


def contracted(prices: Any) -> Selling:
    verifier = Verifiers(Trust(anchors(CURVE), rules=RULES))
    given = {"tls": tls12(), "verifier": verifier, "prices": prices}
    car = Selling(outlet(authorizations=("EIM", "PnC")), now=EARLIER, given=given)
    car.setup()
    car.ask(b.ServiceDiscoveryReq)
    car.pay("Contract")
    challenge = details(car).GenChallenge
    authorize(car, challenge)
    authorize(car, challenge)
    return car


def known_to_the_car() -> Any:
    return signers(hierarchy(CURVE)[Role.CONTRACT].chain)


def test_the_sub_ca_of_the_contract_signs_every_tariff_and_the_car_can_tell() -> None:
    car = contracted(PriceSigning((held(Role.MO_SUB2),), (held(Role.TARIFF),)))
    response = car.scheduled()
    assert [each.Id for each in sales_tariffs(response)] == ["tariff1", "tariff2"]
    verdict = judge_tariffs(response, car.heard.signature, known_to_the_car())
    assert verdict.standing is Standing.GENUINE
    assert verdict.signer == hierarchy(CURVE)[Role.MO_SUB2].certificate
    forged = replace_price(response)
    assert judge_tariffs(forged, car.heard.signature, known_to_the_car()).standing is Standing.WRONG
    assert judge_tariffs(response, None, known_to_the_car()).standing is Standing.UNSIGNED


def replace_price(response: Any) -> Any:
    """The response with another level in its first entry."""
    listed = response.SASchedules
    first, *others = listed.SAScheduleTuple
    entry, *rest = first.SalesTariff.SalesTariffEntry
    tariff = changed(first.SalesTariff, SalesTariffEntry=(changed(entry, EPriceLevel=3), *rest))
    return changed(response, SASchedules=changed(listed, SAScheduleTuple=(changed(first, SalesTariff=tariff), *others)))


def test_nobody_else_signs_in_its_place() -> None:
    car = contracted(PriceSigning((), (held(Role.TARIFF),)))
    response = car.scheduled()
    assert sales_tariffs(response)
    assert car.heard.signature is None


@pytest.mark.parametrize("signer", [Role.MO_SUB2, Role.TARIFF])  # the other has no key for it
def test_a_session_with_signed_prices_is_played_again_without_the_key(signer: Role) -> None:
    car = contracted(PriceSigning(*((held(role),) if role is signer else () for role in (Role.MO_SUB2, Role.TARIFF))))
    for _ in range(2):
        car.scheduled(AC)
        car.deliver()
        car.deliver("Renegotiate")
    trace = Trace("secc", lambda at: EPOCH + at, GENERATIONS)
    records: list[Any] = [json.loads(line(trace.record(event))) for event in car.happened]
    (again,) = replay(records)
    assert again.differences == ()
    assert [record["name"] for record in again.again if record["type"] == "frame"].count("ChargeParameterDiscoveryRes") == 4


def test_a_car_without_contract_gets_its_prices_unsigned() -> None:
    car = Selling(given={"prices": PriceSigning((held(Role.MO_SUB2),), ())})
    assert [each.Id for each in told(car)] == [None, None]
    assert car.heard.signature is None


def test_what_a_renegotiation_offers_is_priced_too() -> None:
    car = Selling()
    car.charging()
    car.deliver("Renegotiate")
    assert len(told(car)) == 2


@pytest.mark.parametrize(("tuple_id", "price"), [(1, 0.1), (2, 0.5)])
def test_a_session_is_billed_at_the_prices_of_the_schedule_that_the_car_chose(tuple_id: int, price: float) -> None:
    car = Selling()
    car.ready()
    car.deliver(tuple_id=tuple_id)
    for imported in (1_000.0, 11_000.0):
        car.tell(words.MeterRead(words.MeterReading("M1", imported, 0.0, car.wall, imported_before=1_000.0)))
        car.loop()
        car.now += 30.0
    car.deliver("Stop")
    car.stop()
    car.octets(b"")
    (billed,) = car.wants(words.Billed)
    assert (billed.currency, billed.imported) == ("EUR", 10_000.0)
    assert billed.bill.energy / MICRO == pytest.approx(10.0 * price)


def test_without_money_there_is_no_bill() -> None:
    car = Selling(outlet(pricing="levels"))
    car.charging()
    car.deliver("Stop")
    car.stop()
    car.octets(b"")
    assert car.wants(words.Billed) == []
