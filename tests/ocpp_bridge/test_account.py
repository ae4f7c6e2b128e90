"""Tariffs and accounts against sums worked out by hand; nothing here is nearly equal."""

from fractions import Fraction as F

import pytest

from ocpp_bridge.model import account as accounts
from ocpp_bridge.model.account import Account, told
from ocpp_bridge.model.tariff import EDGES_MAXIMUM, ELEMENTS_MAXIMUM, Moment, holds, objection, with_tax
from ocpp_bridge.wire.times import epoch

START = round(1000 * epoch("2026-11-27T21:00:00Z"))  # a Friday
HOUR, MINUTE, KWH = 3_600_000, 60_000, 1_000_000  # ms, ms, mWh


def tariff(**elements) -> dict:
    return {"tariffId": "T1", "currency": "EUR"} | elements


def by_energy(*prices: tuple[float, dict], tax: float | None = None) -> dict:
    made = [{"priceKwh": price} | ({"conditions": conditions} if conditions else {}) for price, conditions in prices]
    return {"prices": made} | ({"taxRates": [{"type": "vat", "tax": tax}]} if tax is not None else {})


def minutes(*prices: tuple[float, dict]) -> dict:
    return {"prices": [{"priceMinute": price} | ({"conditions": conditions} if conditions else {}) for price, conditions in prices]}


def account(scheme: dict, **more) -> Account:
    made = Account("tx", scheme, True, START, registers=(0, 0), **more)
    made.begin(None)
    return made


def charged(made: Account, hours: float, kwh: float = 0.0, given: float = 0.0, then: bool = True) -> Account:
    taken, back = made.registers
    made.advance(made.at + round(hours * HOUR), (taken + round(kwh * KWH), back + round(given * KWH)), then)
    return made


def test_energy_time_and_fee_with_taxes_worked_out_by_hand():
    """20 kWh at 0.30 + 19 %, 60 min charging at 0.01, 30 min idle of which the last 20 at 0.10, a fee of 0.50 + 19 % + 5 % upon it."""
    fee = {"prices": [{"priceFixed": 0.5}], "taxRates": [{"type": "vat", "tax": 19}, {"type": "city", "tax": 5, "stack": 1}]}
    scheme = tariff(
        energy=by_energy((0.3, {}), tax=19), chargingTime=minutes((0.01, {})), idleTime=minutes((0.1, {"minIdleTime": 600})), fixedFee=fee
    )
    made = account(scheme, charging=True)
    charged(made, 1.0, 20.0, then=False)
    charged(made, 0.5, then=False)
    assert made.net == {"fixedFee": F("0.5"), "energy": F(6), "chargingTime": F("0.6"), "idleTime": F(2)}
    assert made.gross == {"fixedFee": F("0.624750"), "energy": F("7.14"), "chargingTime": F("0.6"), "idleTime": F(2)}
    details = made.details(whole=True)
    assert details["totalCost"] == {
        "currency": "EUR",
        "typeOfCost": "NormalCost",
        "fixed": {"exclTax": 0.5, "inclTax": 0.62475},
        "energy": {"exclTax": 6.0, "inclTax": 7.14},
        "chargingTime": {"exclTax": 0.6, "inclTax": 0.6},
        "idleTime": {"exclTax": 2.0, "inclTax": 2.0},
        "total": {"exclTax": 9.1, "inclTax": 10.36475},
    }
    assert details["totalUsage"] == {"energy": 20.0, "chargingTime": 3600, "idleTime": 1800}
    starts = [(period["startPeriod"][11:16], period["dimensions"]) for period in details["chargingPeriods"]]
    assert starts == [
        ("21:00", [{"type": "Energy", "volume": 20.0}, {"type": "ChargingTime", "volume": 3600.0}, {"type": "IdleTIme", "volume": 600.0}]),
        ("22:10", [{"type": "IdleTIme", "volume": 1200.0}]),
    ]


def test_an_hour_over_the_edge_of_a_time_of_day_is_cut_there():
    scheme = tariff(energy=by_energy((0.2, {"startTimeOfDay": "23:00", "endTimeOfDay": "06:00"}), (0.4, {})))
    made = charged(account(scheme, charging=True, offset=HOUR), 3.0, 12.0)  # 22:00 to 01:00 local: 4 kWh by day, 8 by night
    assert made.net["energy"] == F("1.6") + F("1.6")
    assert len(made.periods) == 2


def test_energy_beyond_an_amount_has_its_own_price():
    scheme = tariff(energy=by_energy((0.5, {"maxEnergy": 10_000}), (0.25, {"minEnergy": 10_000})))
    for steps in (1, 7):
        made = account(scheme, charging=True)
        for _ in range(steps):
            charged(made, 1 / steps, 14.0 / steps)
        assert abs(made.net["energy"] - F(6)) < F(1, 10**5)  # each step is rounded to a mWh
    assert charged(account(scheme, charging=True), 1.0, 14.0).net["energy"] == F(6)


def test_a_week_is_billed_by_its_days():
    weekend = {"dayOfWeek": ["Saturday", "Sunday"]}
    scheme = tariff(idleTime=minutes((1.0, weekend), (0.0, {})))
    made = charged(account(scheme), 7 * 24.0, then=False)
    assert made.net["idleTime"] == 2 * 24 * 60


def test_a_gap_of_years_is_billed_in_few_pieces():
    prices = [(0.1, {"startTimeOfDay": f"{hour:02}:{minute:02}"}) for hour in range(24) for minute in (0, 30)]
    made = charged(account(tariff(idleTime=minutes(*prices))), 20 * 365 * 24.0, then=False)
    assert made.idle_time == 20 * 365 * 24 * HOUR
    assert len(made.periods) <= EDGES_MAXIMUM + 1


def test_power_decides_as_it_was_measured_and_dates_as_the_driver_reads_them():
    scheme = tariff(energy=by_energy((0.8, {"minPower": 50_000}), (0.4, {"validFromDate": "2026-11-28"}), (0.3, {})))
    made = account(scheme, charging=True)
    made.power = 60_000.0
    charged(made, 0.5, 10.0)
    made.power = 20_000.0
    charged(made, 4.0, 16.0)  # 21:30 to 01:30, 2.5 hours of it on the 27th
    assert made.net["energy"] == 10 * F("0.8") + 10 * F("0.3") + 6 * F("0.4")


def test_what_the_car_gives_is_worth_what_a_price_for_giving_says_and_else_nothing():
    priced = tariff(energy=by_energy((0.2, {"minPower": -1, "maxPower": -100_000}), (0.4, {})))
    made = account(priced, charging=True)
    made.power = -10_000.0
    charged(made, 1.0, given=10.0)
    made.power = 10_000.0
    charged(made, 1.0, 5.0)
    assert made.net["energy"] == -2 + 2
    assert made.details(whole=False)["totalUsage"]["energy"] == -5.0
    assert "energy" not in charged(account(tariff(energy=by_energy((0.4, {}))), charging=True), 1.0, given=10.0).net


def test_no_price_that_holds_costs_nothing_and_is_counted_all_the_same():
    made = charged(account(tariff(energy=by_energy((0.4, {"evseKind": "AC"}))), charging=True), 1.0, 5.0)
    assert made.total == (0, 0, "NormalCost")
    assert made.details(whole=False)["totalUsage"] == {"energy": 5.0, "chargingTime": 3600, "idleTime": 0}


@pytest.mark.parametrize(
    ("bound", "kwh", "total"),
    [
        ({"minCost": {"exclTax": 1.0, "inclTax": 1.19}}, 1.0, (F(1), F("1.19"), "MinCost")),
        ({"minCost": {"exclTax": 1.0}}, 1.0, (F(1), None, "MinCost")),
        ({"minCost": {"inclTax": 1.19, "taxRates": [{"type": "vat", "tax": 19}]}}, 1.0, (F(1), F("1.19"), "MinCost")),
        ({"minCost": {"exclTax": 1.0}}, 10.0, (F(5), F(5), "NormalCost")),
        ({"maxCost": {"exclTax": 4.0, "inclTax": 4.0}}, 10.0, (F(4), F(4), "MaxCost")),
    ],
)
def test_the_least_and_the_most_of_a_tariff(bound, kwh, total):
    assert charged(account(tariff(energy=by_energy((0.5, {})), **bound), charging=True), 1.0, kwh).total == total


def test_a_reservation_is_billed_by_its_time():
    scheme = tariff(reservationTime=minutes((0.05, {})), reservationFixed={"prices": [{"priceFixed": 1.0}]})
    made = Account("tx", scheme, False, START)
    made.begin(20 * MINUTE)
    assert made.net == {"reservationTime": 1, "reservationFixed": 1}
    assert made.details(whole=False)["totalUsage"]["reservationTime"] == 1200


def test_another_tariff_counts_from_the_change_on_and_the_fee_is_not_charged_twice():
    fee = {"prices": [{"priceFixed": 2.0}]}
    made = charged(account(tariff(energy=by_energy((0.4, {})), fixedFee=fee), charging=True), 1.0, 10.0)
    made.change(tariff(energy=by_energy((0.2, {})), fixedFee=fee) | {"tariffId": "T2"})
    charged(made, 1.0, 10.0)
    assert (made.total[0], [period["tariff"] for period in made.periods]) == (8, ["T1", "T2"])


def test_clocks_and_registers_that_go_back_bill_nothing():
    made = charged(account(tariff(energy=by_energy((1.0, {})), chargingTime=minutes((1.0, {}))), charging=True), 1.0, 10.0)
    before = made.total
    made.advance(made.at - HOUR, (5 * KWH, 0), True)
    assert made.total == before
    charged(made, 0.0, 1.0)
    assert made.total[0] == before[0] + 1


def test_an_account_goes_on_after_a_restart_as_if_nothing_had_been():
    scheme = tariff(energy=by_energy((0.2, {"startTimeOfDay": "23:00", "endTimeOfDay": "06:00"}), (0.4, {}), tax=19))
    made = charged(account(scheme, charging=True, payment=(("PaymentBrand", "X"),)), 1.7, 5.0)
    again = Account.of(made.saved())
    assert again == made
    assert charged(again, 2.0, 7.0).details(whole=True) == charged(made, 2.0, 7.0).details(whole=True)


def test_periods_are_bounded_and_their_volumes_are_not_lost(monkeypatch):
    monkeypatch.setattr(accounts, "PERIODS_MAXIMUM", 3)
    scheme = tariff(idleTime=minutes((1.0, {"startTimeOfDay": "12:00", "endTimeOfDay": "18:00"}), (0.0, {})))
    made = charged(account(scheme), 24.0 * 5, then=False)
    periods = made.details(whole=True)["chargingPeriods"]
    assert len(periods) == 3
    assert sum(period["dimensions"][0]["volume"] for period in periods) == 5 * 86400


@pytest.mark.parametrize(
    ("scheme", "status"),
    [
        (tariff(energy=by_energy(*[(0.1, {})] * (ELEMENTS_MAXIMUM + 1))), "TooManyElements"),
        (tariff(energy=by_energy((0.1, {"startTimeOfDay": "25:00"}))), "Rejected"),
        (tariff(energy=by_energy((0.1, {"validFromDate": "2026-02-30"}))), "Rejected"),
        (tariff(energy=by_energy((1e12, {}))), "Rejected"),
        (tariff(energy=by_energy((0.1, {"minEnergy": float("inf")}))), "Rejected"),
        (tariff(energy=by_energy((0.1, {}), tax=1e300)), "Rejected"),
        (tariff(minCost={"exclTax": 1e300}), "Rejected"),
    ],
)
def test_a_tariff_that_cannot_be_reckoned_with_is_refused(scheme, status):
    assert objection(scheme)[0] == status


def test_taxes_of_a_stack_are_added_and_stacks_are_put_upon_each_other():
    rates = [{"type": "a", "tax": 10}, {"type": "b", "tax": 5}, {"type": "c", "tax": 2, "stack": 1}]
    assert with_tax(rates) == F("1.15") * F("1.02")


def test_amounts_are_rounded_half_up_when_they_are_told():
    assert [told(F(1, 3)), told(F("0.0000005")), told(F("-0.0000005")), told(F(2))] == [0.333333, 1e-06, -1e-06, 2.0]


@pytest.mark.parametrize(
    ("conditions", "true"), [({"paymentBrand": "Visa"}, True), ({"paymentBrand": "X"}, False), ({"paymentRecognition": "CC"}, False)]
)
def test_a_price_of_a_brand_is_for_who_pays_by_it(conditions, true):
    assert holds(conditions, Moment(START, payment=(("PaymentBrand", "Visa"),))) is true
