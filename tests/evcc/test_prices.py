"""Prices in the car: what it decides by them, what it offers, and what it keeps of a receipt."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc.ev import Battery, Ev, Inlet
from evcc.goal import Goal
from evcc.iso20.conditions import conditions, sums_of
from evcc.iso20.offered import offered
from evcc.iso20.offered import prices as read_prices
from evcc.iso20.profile import scheduled_choice as choose
from secc import station as words
from secc.iso20.prices import absolute, prices_as_shown, receipt
from secc.neutral.account import Terms
from tests.evcc.scripted_station import power_schedule, prices, schedule_tuple
from tests.evcc.test_pair import car
from tests.evcc.virtual_pair import Pair, outlet
from tests.secc.scripted import EPOCH, Scripted
from tests.secc.test_prices import TARIFF
from v2g.energy.ledger import MICRO, Ledger, Reading, entries_between
from v2g.energy.series import Series, Step
from v2g.energy.tab import Tab
from v2g.energy.tariff import Tariff
from v2g.iso20.rational import number, rational
from v2g.messages import common_messages as cm
from v2g.session.endpoint import FrameReceived, FrameSent

HOUR = 3600
PLAIN = Battery(capacity=60_000, charge_efficiency=1.0, discharge_efficiency=1.0, taper_from=1.0, taper_to=1.0)


def sold(buy: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(buy, **fields)


def taxed(rate: float, included: bool = False) -> cm.TaxRuleListType:
    rule = cm.TaxRuleType(
        TaxRuleID=7, TaxRate=rational(rate), TaxIncludedInPrice=included, AppliesToEnergyFee=True, AppliesToParkingFee=False,
        AppliesToOverstayFee=False, AppliesMinimumMaximumCost=False,
    )  # fmt: skip
    return cm.TaxRuleListType(TaxRule=(rule,))


def chosen(*tuples: Any, departure: float | None = None, energy: float = 20_000.0, target: float = 50.0) -> Any:
    goal = Goal(target_soc=target, minimum_soc=10, departure=departure)
    return choose([offered(one) for one in tuples], Ev(PLAIN, energy=energy), goal, Inlet(), 0.0, 1024)


def test_what_the_station_states_is_what_the_car_reads() -> None:
    known = Scripted(given={"identity": "x"}).session.context
    stated = absolute(Series.constant(1000.0, 60.0, 0.2), Terms("EUR", TARIFF), 1, known)
    assert stated is not None
    read = conditions(stated)
    assert (read.currency, read.tariff, read.taxes, read.why) == ("EUR", TARIFF, (1, 2), "")


def test_taxes_that_are_added_decide_and_those_included_do_not() -> None:
    power = power_schedule(0, (2 * HOUR, 11e3))
    net, gross = prices(0, (2 * HOUR, 0.20)), prices(0, (2 * HOUR, 0.23))
    added = schedule_tuple(1, power, sold(net, TaxRules=taxed(19)))
    included = schedule_tuple(2, power, sold(gross, TaxRules=taxed(19, included=True)))
    best = chosen(added, included)
    assert best.tuple_id == 2
    assert best.cost == pytest.approx(10 * 0.23, rel=1e-3)
    assert chosen(added).cost == pytest.approx(10 * 0.20 * 1.19, rel=1e-3)


def test_fees_decide_between_schedules_of_equal_energy() -> None:
    """Cheap energy beside a parking fee for the hours that the car stays is dear."""
    power = power_schedule(0, (4 * HOUR, 11e3))
    parked = schedule_tuple(1, power, msgspec.structs.replace(prices(0, (4 * HOUR, 0.10)), PriceRuleStacks=_parking(0.10, 1.0)))
    free = schedule_tuple(2, power, prices(0, (4 * HOUR, 0.30)))
    assert chosen(parked, free, departure=4.0 * HOUR).tuple_id == 2  # 1 + 4 against 3
    assert chosen(parked, free, departure=1.0 * HOUR).tuple_id == 1  # 1 + 1 against 3
    assert chosen(parked, departure=4.0 * HOUR).cost == pytest.approx(5.0, rel=1e-3)


def _parking(price: float, fee: float) -> cm.PriceRuleStackListType:
    rule = cm.PriceRuleType(EnergyFee=rational(price), ParkingFee=rational(fee), ParkingFeePeriod=HOUR, PowerRangeStart=rational(0))
    return cm.PriceRuleStackListType(PriceRuleStack=(cm.PriceRuleStackType(Duration=4 * HOUR, PriceRule=(rule,)),))


def test_charging_late_saves_the_overstay_that_charging_at_once_costs() -> None:
    """A fee begins an hour after power ends: who charges at once and stays pays it."""
    over = cm.OverstayRuleListType(
        OverstayTimeThreshold=HOUR,
        OverstayPowerThreshold=rational(100),
        OverstayRule=(cm.OverstayRuleType(StartTime=0, OverstayFee=rational(3), OverstayFeePeriod=HOUR),),
    )
    buy = sold(prices(0, (4 * HOUR, 0.20)), OverstayRules=over)
    soon = schedule_tuple(1, power_schedule(0, (HOUR, 10e3), (3 * HOUR, 0)), buy)
    late = schedule_tuple(2, power_schedule(0, (3 * HOUR, 0), (HOUR, 10e3)), buy)
    best = chosen(soon, late, departure=4.0 * HOUR)
    assert best.tuple_id == 2
    assert best.cost == pytest.approx(2.0, rel=1e-2)
    assert chosen(soon, departure=4.0 * HOUR).cost == pytest.approx(2.0 + 2 * 3, rel=1e-2)


def test_negative_prices_fill_and_earn() -> None:
    best = chosen(schedule_tuple(1, power_schedule(0, (HOUR, 10e3)), prices(0, (HOUR, -0.05))))
    assert best.cost == pytest.approx(-0.5, rel=1e-2)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"MinimumCost": rational(5), "MaximumCost": rational(1)},
        {"TaxRules": taxed(-5)},
        {"MaximumCost": rational(1e30)},
        {"AdditionalSelectedServices": cm.AdditionalServiceListType(
            AdditionalService=(cm.AdditionalServiceType(ServiceName="", ServiceFee=rational(1)),))},
    ],
)  # fmt: skip
def test_a_tariff_that_cannot_be_meant_counts_as_none_and_says_why(nonsense: dict[str, Any]) -> None:
    one = offered(schedule_tuple(1, power_schedule(0, (HOUR, 11e3)), sold(prices(0, (HOUR, 0.2)), **nonsense)))
    assert one.sold is not None
    assert one.sold.tariff == Tariff()
    assert one.sold.why


def test_a_receipt_adds_up_to_the_bill() -> None:
    """What the station owes by its account is what the car makes of the receipt, tariff and all."""
    known = Scripted().session.context
    tab = Tab(known.wall - 7000.0, tariff=TARIFF).priced(Series.constant(known.wall - 7000.0, 1e4, 0.31), None, known.wall - 7000.0)
    tab = tab.read(Reading(known.wall - 7000.0, 0, 0), 5000.0).read(Reading(known.wall - 4000.0, 9_000, 0), 0.0)
    seen = receipt(tab, known)
    stated = absolute(Series.constant(1000.0, 60.0, 0.31), Terms("EUR", TARIFF), 1, known)
    assert seen is not None
    assert stated is not None
    assert sums_of(seen, conditions(stated)).total == pytest.approx(tab.bill(known.wall).total / MICRO, abs=3e-3)


PRICE = st.integers(-9_999_999, 9_999_999).map(lambda n: n / 1e7)  # more digits than a message has
LIST = st.lists(st.tuples(st.floats(0.6, 4000.0), PRICE), min_size=1, max_size=90)
POWERS = st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 3_000_000)), min_size=1, max_size=12)


@given(LIST, POWERS, st.integers(12, 100))
def test_what_a_plan_costs_by_the_message_is_what_the_ledger_bills(
    listed: list[tuple[float, float]], drawn: list[tuple[int, int]], points: int
) -> None:
    """The car reads the message, the station bills by its account: rounding, means and edges are the same for both."""
    start = float(int(EPOCH))
    power = Series(start, tuple(Step(float(seconds), float(watt)) for seconds, watt in drawn))
    given_ = Series(start + 0.3, tuple(Step(*one) for one in listed))
    here = prices_as_shown(given_, power, points)
    stated = absolute(here, Terms("EUR", Tariff()), 1, Scripted().session.context)
    assert stated is not None
    assert len(stated.PriceRuleStacks.PriceRuleStack) <= min(points, 64)
    read = read_prices(cm.ChargingScheduleType(PowerSchedule=power_schedule(int(start), *drawn), AbsolutePriceSchedule=stated))
    tab, register, readings = Tab(start).priced(here, None, start), 0.0, [Reading(start, 0.0, 0.0)]
    for begins, ends, watt in power.spans():
        register += watt * (ends - begins) / 3600.0
        readings.append(Reading(ends, register, 0.0))
    for reading in readings:
        tab = tab.read(reading, 0.0)
    ledger = Ledger("EUR")
    for entry in entries_between("car", readings, read, None):
        ledger.append(entry)
    assert tab.bill(power.until).total == pytest.approx(ledger.account().cost * MICRO, abs=len(ledger.entries) + 1)


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_the_car_keeps_the_last_receipt_and_knows_what_it_owes(control: str) -> None:
    count = {3: words.MeterRead(words.MeterReading("M1", 2001.0, 0.0, 0.0, bytes(64)))}
    pair = Pair(car("DC_BPT", control, loops=9), facts=dict(count))
    due = pair.car.known.owed
    assert due is not None
    assert (due.currency, due.total) == ("EUR", pytest.approx(2.001 * 0.10, abs=1e-4))
    assert pair.car.known.receipt is not None
    (billed,) = pair.of(words.Billed)
    assert billed.bill.total / MICRO == pytest.approx(due.total, abs=1e-4)


def test_without_a_price_there_is_no_receipt() -> None:
    pair = Pair(car("DC"), outlet=outlet(pricing="none"))
    assert pair.car.known.owed is None


# --- what the car offers ---


def test_a_driver_who_asks_a_price_offers_energy_at_it() -> None:
    pair = Pair(car("DC_BPT", sell_above=0.25, currency="EUR"))
    (wanted, *_) = pair.of(words.NeedsChanged)
    own = wanted.needs.energy_offer
    assert own.currency == "EUR"
    assert own.power.values == (pair.car.ev.battery.discharge_power,)
    assert own.price.values == pytest.approx((0.25,))
    assert own.power.start == pytest.approx(pair.car.clock.wall(0.0), abs=5)
    (sent,) = [e.message for e in pair.seen if isinstance(e, FrameSent) and isinstance(e.message, cm.ScheduleExchangeReq)][:1]
    power = sent.Scheduled_SEReqControlMode.EVEnergyOffer.EVPowerSchedule.EVPowerScheduleEntries.EVPowerScheduleEntry[0].Power
    assert number(power) < 0  # out of the car


@pytest.mark.parametrize("service", ["DC", "DC_BPT"])
def test_who_asks_no_price_or_gives_nothing_offers_nothing(service: str) -> None:
    pair = Pair(car(service, **({"sell_above": 0.25} if service == "DC" else {})))
    (wanted, *_) = pair.of(words.NeedsChanged)
    assert wanted.needs.energy_offer is None


@pytest.mark.parametrize("service", ["DC_BPT", "AC_BPT"])
@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True), (True, True)])
def test_either_sign_of_discharge_limits_is_read_by_both(service: str, control: str, ours: bool, theirs: bool) -> None:
    same = Pair(car(service, control))
    pair = Pair(car(service, control, negative_discharge=ours), outlet=outlet(negative_discharge=theirs))
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well
    assert pair.station.context.service.car == same.station.context.service.car
    stated = [e.message for e in pair.seen if isinstance(e, FrameReceived) and type(e.message).__name__.endswith("ParameterDiscoveryRes")]
    (mode,) = [getattr(one, f"{service[:2]}_CPDResEnergyTransferMode") for one in stated]
    assert (number(mode.EVSEMaximumDischargePower) < 0) is theirs
    asked = [e.message for e in pair.seen if isinstance(e, FrameSent) and type(e.message).__name__.endswith("ParameterDiscoveryReq")]
    (mode,) = [getattr(one, f"{service[:2]}_CPDReqEnergyTransferMode") for one in asked]
    assert (number(mode.EVMaximumDischargePower) < 0) is ours
