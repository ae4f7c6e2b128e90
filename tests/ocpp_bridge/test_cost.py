"""Tariffs and costs in frames: which tariff holds, what the CSMS and the car are told, and what a kill leaves of it."""

import pytest

from ocpp_bridge.blocks.cost import TARIFFS_MAXIMUM
from ocpp_bridge.model.account import Account
from ocpp_bridge.wire.times import timestamp
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    CostTold,
    MeterRead,
    MeterReading,
    PowerStarted,
    PowerStopped,
    SessionStarted,
)
from tests.ocpp_bridge.ocpp_stand import WALL
from tests.ocpp_bridge.test_account import by_energy, minutes, tariff
from tests.ocpp_bridge.test_bridge import ANSWERS, EVCCID, Played
from tests.ocpp_bridge.test_local_authorization import reborn, show
from tests.secc.scripted import Scripted
from v2g.iso20.rational import number

SIMPLE = tariff(energy=by_energy((0.5, {}), tax=10), chargingTime=minutes((0.06, {})))


def named(name: str, **more) -> dict:
    return SIMPLE | {"tariffId": name} | more


def put(p: Played, scheme: dict = SIMPLE, evse: int = 0) -> dict:
    return p.ask("SetDefaultTariff", {"evseId": evse, "tariff": scheme})


def setting(p: Played, component: str, variable: str, instance: str, value: str) -> str:
    data = {"component": {"name": component}, "variable": {"name": variable, "instance": instance}, "attributeValue": value}
    if not instance:
        del data["variable"]["instance"]
    return p.ask("SetVariables", {"setVariableData": [data]})["setVariableResult"][0]["attributeStatus"]


def read(p: Played, kwh: float) -> None:
    p.bridge.take_reading(1, MeterReading("M", 1000 * kwh, 0.0, WALL + p.now), 10_000.0, 400.0)
    p.run()


def arrive(p: Played) -> Played:
    """A car with a card, under power from the first moment on."""
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    read(p, 100.0)
    show(p)
    return p.want(PowerStarted(0.0))


def charging() -> Played:
    p = Played().boot()
    assert put(p) == {"status": "Accepted"}
    return arrive(p)


def costs(p: Played) -> list[tuple[str, dict]]:
    return [(event["triggerReason"], event["costDetails"]) for event in p.events if "costDetails" in event]


def tariffs(p: Played) -> list[dict]:
    return p.ask("GetTariffs", {"evseId": 0}).get("tariffAssignments", [])


def test_running_cost_goes_to_the_csms_and_to_the_car_at_its_interval():
    p = charging()
    [authorized] = [event for event in p.events if "idToken" in event]
    assert authorized["transactionInfo"]["tariffId"] == "T1"
    p.run(30.0)
    read(p, 101.0)
    assert costs(p) == []
    p.run(30.0)
    [(trigger, told)] = costs(p)
    assert trigger == "RunningCost"
    assert told["totalCost"]["total"] == {"exclTax": 0.56, "inclTax": 0.61}  # 1 kWh, 1 min
    assert "chargingPeriods" not in told
    assert [fact.total for fact in p.facts(CostTold)] == [0.61]
    assert p.facts(CostTold)[0].since == WALL


def test_Ended_bears_the_whole_bill():
    p = charging()
    p.run(1800.0)
    read(p, 110.0)
    p.want(PowerStopped(0.0))
    p.run(600.0)
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.run()
    ended = next(event for event in p.events if event["eventType"] == "Ended")
    assert ended["transactionInfo"]["tariffId"] == "T1"
    assert ended["costDetails"]["totalCost"]["total"] == {"exclTax": 6.8, "inclTax": 7.3}
    assert ended["costDetails"]["totalUsage"] == {"energy": 10.0, "chargingTime": 1800, "idleTime": 600}
    assert ended["costDetails"]["chargingPeriods"][0]["tariffId"] == "T1"
    assert p.charger.evses[1].account is None


def test_the_tariff_of_the_driver_goes_before_the_one_of_the_EVSE():
    p = Played().boot()
    put(p)
    p.answers["Authorize"] = ANSWERS["Authorize"] | {"tariff": named("D1", energy=by_energy((0.1, {})))}
    arrive(p)
    assert [(each["tariffId"], each["tariffKind"]) for each in tariffs(p)] == [("T1", "DefaultTariff"), ("D1", "DriverTariff")]
    assert tariffs(p)[1]["idTokens"] == ["0A1B"]
    read(p, 110.0)
    p.run(60.0)
    assert costs(p)[-1][1]["totalCost"]["energy"]["exclTax"] == 1.0


@pytest.mark.parametrize("handling", ["Deauthorize", "UseDefaultTariff"])
def test_a_driver_whose_tariff_cannot_be_used_is_refused_or_charged_by_the_default(handling):
    p = Played().boot()
    put(p)
    assert setting(p, "TariffCostCtrlr", "HandleFailedTariff", "", handling) == "Accepted"
    broken = named("D1", energy=by_energy((0.1, {"startTimeOfDay": "29:00"})))
    p.answers["Authorize"] = ANSWERS["Authorize"] | {"tariff": broken}
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    show(p)
    if handling == "Deauthorize":
        assert "D1" in p.facts(AuthorizationRefused)[0].reason
        assert not p.facts(Authorized)
        assert p.events[-1]["triggerReason"] == "TariffNotAccepted"
    else:
        assert p.facts(Authorized)
        assert p.charger.evses[1].account.tariff["tariffId"] == "T1"


def test_a_default_tariff_begins_with_its_validFrom():
    p = Played().boot()
    put(p, named("now"))
    put(p, named("later", validFrom=timestamp(WALL + 100.0)))
    assert [each["tariffId"] for each in tariffs(p)] == ["now", "later"]
    arrive(p)
    assert p.charger.evses[1].account.tariff["tariffId"] == "now"
    p.run(100.0)
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    arrive(p)
    assert p.charger.evses[1].account.tariff["tariffId"] == "later"
    put(p, named("newest"))
    assert [each["tariffId"] for each in tariffs(p) if each["tariffKind"] == "DefaultTariff"] == ["newest"]


@pytest.mark.parametrize(
    ("scheme", "evse", "status"),
    [
        (named("T1", energy=by_energy((0.7, {}))), 0, "DuplicateTariffId"),
        (named("T2"), 9, "Rejected"),
        (named("T2", energy=by_energy((0.7, {"endTimeOfDay": "7:00"}))), 0, "Rejected"),
        (named("T1"), 1, "Accepted"),  # what is there already
    ],
)
def test_a_default_tariff_that_is_refused_changes_nothing(scheme, evse, status):
    p = Played().boot()
    put(p)
    assert put(p, scheme, evse)["status"] == status
    assert p.charger.tariffs == {1: [SIMPLE]}


def test_tariffs_to_come_are_bounded():
    p = Played().boot()
    answers = [put(p, named(f"T{n}", validFrom=timestamp(WALL + 100.0 + n)))["status"] for n in range(TARIFFS_MAXIMUM + 1)]
    assert answers == ["Accepted"] * TARIFFS_MAXIMUM + ["TooManyElements"]


def test_tariffs_are_cleared_by_name_or_all_and_a_transaction_goes_on_by_its_own():
    p = charging()
    assert p.ask("ClearTariffs", {"tariffIds": ["T1", "T9"]}) == {
        "clearTariffsResult": [{"tariffId": "T1", "status": "Accepted"}, {"tariffId": "T9", "status": "NoTariff"}]
    }
    assert [each["tariffKind"] for each in tariffs(p)] == ["DriverTariff"]
    assert p.ask("ClearTariffs", {}) == {"clearTariffsResult": [{"status": "NoTariff"}]}
    read(p, 102.0)
    p.run(60.0)
    assert costs(p)[-1][1]["totalCost"]["energy"]["exclTax"] == 1.0
    p.bridge.unplug(1, p.now)
    assert p.ask("GetTariffs", {"evseId": 0}) == {"status": "NoTariff"}


def test_a_transaction_changes_its_tariff():
    p = charging()
    p.run(20.0)
    read(p, 102.0)
    assert p.ask("ChangeTransactionTariff", {"transactionId": p.tx, "tariff": named("T2", energy=by_energy((0.1, {})))}) == {
        "status": "Accepted"
    }
    assert (p.events[-1]["triggerReason"], p.events[-1]["transactionInfo"]["tariffId"]) == ("TariffChanged", "T2")
    read(p, 112.0)
    p.run(60.0)
    assert costs(p)[-1][1]["totalCost"]["energy"]["exclTax"] == 2.0


@pytest.mark.parametrize(
    ("transaction", "scheme", "status"),
    [
        ("another", named("T2"), "TxNotFound"),
        (None, named("T2", currency="SEK"), "NoCurrencyChange"),
        (None, named("T2", validFrom=timestamp(WALL + 3600.0)), "Rejected"),
    ],
)
def test_a_tariff_that_a_transaction_cannot_change_to(transaction, scheme, status):
    p = charging()
    payload = {"transactionId": transaction or p.tx, "tariff": scheme}
    assert p.ask("ChangeTransactionTariff", payload)["status"] == status
    assert p.charger.evses[1].account.tariff == SIMPLE


def test_a_transaction_without_tariff_is_billed_from_the_change_on():
    p = arrive(Played().boot())
    read(p, 150.0)
    p.run(100.0)
    assert costs(p) == []
    assert p.ask("ChangeTransactionTariff", {"transactionId": p.tx, "tariff": SIMPLE}) == {"status": "Accepted"}
    read(p, 152.0)
    p.run(60.0)
    assert costs(p)[-1][1]["totalCost"]["energy"]["exclTax"] == 1.0


@pytest.mark.parametrize("instance", ["Cost", "Tariff"])
def test_nothing_is_computed_where_that_is_switched_off(instance):
    p = Played().boot()
    setting(p, "TariffCostCtrlr", "Enabled", instance, "false")
    assert put(p)["statusInfo"]["reasonCode"] == "NotEnabled"
    p.answers["Authorize"] = ANSWERS["Authorize"] | {"tariff": SIMPLE}
    arrive(p).run(120.0)
    assert p.facts(Authorized)
    assert costs(p) == []


def test_what_the_csms_says_of_the_cost_reaches_the_car_unless_it_is_no_cost():
    p = arrive(Played().boot())
    assert p.ask("CostUpdated", {"totalCost": 3.21, "transactionId": p.tx}) == {}
    p.ask("CostUpdated", {"totalCost": 1e200, "transactionId": p.tx})
    p.ask("CostUpdated", {"totalCost": 9.0, "transactionId": "another"})
    p.answers["TransactionEvent"] = {"totalCost": 4.5}
    p.want(PowerStopped(0.0))
    assert [fact.total for fact in p.facts(CostTold)] == [3.21, 4.5]


def test_the_number_of_the_csms_stands_in_the_receipt_of_the_car():
    """From the frame of the CSMS to the message of the car."""
    p = arrive(Played().boot())
    p.ask("CostUpdated", {"totalCost": 3.21, "transactionId": p.tx})
    car = Scripted()
    car.charging("DC", "Scheduled")
    for fact in (MeterRead(MeterReading("M", 1000.0, 0.0, WALL)), *p.facts(CostTold)):
        car.tell(fact)
    assert number(car.loop("DC", "Scheduled", meter=True).Receipt.EnergyCosts.Amount) == 3.21


def parts_of(told: CostTold) -> list[float]:
    """The amounts of a cost, taxes last."""
    assert told.parts is not None
    amounts = [getattr(told.parts, name) for name in ("energy", "time", "idle", "fees")]
    return [0.0 if part is None else part.amount for part in amounts] + [told.parts.taxes]


def test_the_parts_of_the_cost_stand_in_the_receipt_of_the_car():
    """1 kWh at 0.50, a minute at 0.06, 10 % on the energy: from the tariff of the CSMS to the message of the car."""
    p = charging()
    p.run(30.0)
    read(p, 101.0)
    p.run(30.0)
    (told,) = p.facts(CostTold)
    assert parts_of(told) == [0.5, 0.06, 0.0, 0.0, 0.05]
    car = Scripted()
    car.charging("DC", "Scheduled")
    for fact in (MeterRead(MeterReading("M", 1000.0, 0.0, WALL)), told):
        car.tell(fact)
    receipt = car.loop("DC", "Scheduled", meter=True).Receipt
    assert [number(cost.Amount) for cost in (receipt.EnergyCosts, receipt.OccupancyCosts)] == [0.5, 0.06]
    assert [number(cost.CostPerUnit) for cost in (receipt.EnergyCosts, receipt.OccupancyCosts)] == [0.5, 0.06]
    assert receipt.OverstayCosts is receipt.AdditionalServicesCosts is None
    assert [number(tax.Amount) for tax in receipt.TaxCosts] == [0.05]


@pytest.mark.parametrize("bound", [{}, {"minCost": {"exclTax": 50.0}}, {"maxCost": {"exclTax": 1.0, "inclTax": 1.2}}])
def test_the_parts_are_the_whole_whatever_the_tariff_bounds(bound):
    """Idle time and a fee beside energy and time; what the least or the most changes is in the energy."""
    fee = {"prices": [{"priceFixed": 1.5}], "taxRates": [{"type": "vat", "tax": 20.0}]}
    p = Played().boot()
    assert put(p, SIMPLE | {"idleTime": minutes((0.3, {})), "fixedFee": fee} | bound) == {"status": "Accepted"}
    arrive(p).run(600.0)
    read(p, 102.0)
    p.want(PowerStopped(0.0))
    p.run(300.0)
    p.bridge.end_session(1, p.now)
    told = p.facts(CostTold)[-1]
    assert sum(parts_of(told)) == pytest.approx(told.total, abs=1e-5)
    assert parts_of(told)[1] == pytest.approx(0.6)
    assert parts_of(told)[3] == pytest.approx(1.5)
    if not bound:
        assert parts_of(told)[0] == pytest.approx(1.0)


def test_an_account_that_a_kill_has_cut_off_is_not_that_of_the_next_car():
    p = charging()
    p.run(60.0)
    q = reborn(p)
    q.boot()
    arrive(q)
    assert q.charger.evses[1].account.transaction == q.tx
    assert q.charger.evses[1].account.tariff == SIMPLE
    q.run(120.0)
    assert [trigger for trigger, _ in costs(q)] == ["RunningCost"] * 2


def test_tariffs_and_the_open_account_survive_a_kill():
    p = charging()
    p.run(60.0)
    read(p, 104.0)
    p.run(60.0)
    before = p.charger.evses[1].account
    q = reborn(p)
    assert q.charger.tariffs == {1: [SIMPLE]}
    assert q.charger.evses[1].account.due is None
    assert q.charger.evses[1].account.details(whole=True) == before.details(whole=True)


def test_running_cost_is_told_again_after_a_restart():
    p = charging()
    p.charger.evses[1].account = Account.of(p.charger.evses[1].account.saved())
    p.run(130.0)
    assert [trigger for trigger, _ in costs(p)] == ["RunningCost"] * 2
