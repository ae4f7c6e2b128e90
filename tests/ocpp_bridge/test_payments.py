"""Payments in frames (C18 to C25): an EVSE that is held for a web page; a terminal that pays, covers more, settles, asks for a company."""

import asyncio

import pytest

from ocpp_bridge.model.payments import HELD_MAXIMUM, Company, Settlement, VatVerdict
from ocpp_bridge.outlet import OutletBackend
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.times import timestamp
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    MeterReading,
    NeedsChanged,
    ServiceSelected,
    SessionStarted,
    StopAsked,
)
from tests.ocpp_bridge.ocpp_stand import NEEDS, WALL, stand
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from tests.ocpp_bridge.test_cost import put
from tests.ocpp_bridge.test_local_authorization import card, reborn
from tests.ocpp_bridge.test_reservation import station
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

REFERENCE = "psp-4711"
PAID = {"idToken": REFERENCE, "type": "DirectPayment"}
ACME = Company(name="Acme", address1="Road 1", city="Delft", country="Netherlands", postal_code="2611")


def held(p: Played, timeout: int = 120, evse: int = 1) -> dict:
    return p.ask("NotifyWebPaymentStarted", {"evseId": evse, "timeout": timeout})


def start(p: Played, token: dict | None = None, **more) -> dict:
    return p.ask("RequestStartTransaction", {"remoteStartId": 1, "idToken": token or PAID} | more)


def come(p: Played) -> Played:
    """A car without a contract, and what it charges with."""
    p.bridge.take_reading(1, MeterReading("M", 1_000.0, 0.0, WALL + p.now))
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    return p.want(ServiceSelected(0.0, "DC", "Dynamic"), NeedsChanged(0.0, NEEDS, True))


# --- by a web page ---


def test_an_EVSE_is_held_for_who_pays_by_a_web_page_until_its_time_is_over():
    p = station()
    assert held(p) == {}
    assert p.come(1, "card").facts(AuthorizationRefused)[0].reason == "EVSE 1 is held for who pays for it by a web page"
    assert not p.facts(Authorized)
    p.run(119.0)
    assert 1 in p.charger.payments.held
    p.run(1.0)
    assert p.come(1, "card").facts(Authorized)


def test_who_has_paid_charges_at_once_and_nobody_is_asked_about_the_payment():
    p = station()
    held(p)
    p.come(1)
    assert start(p, evseId=1)["status"] == "Accepted"
    assert p.facts(Authorized)
    assert not p.calls("Authorize")
    assert [event["idToken"] for event in p.events if "idToken" in event] == [PAID]
    assert not p.charger.payments.held


def test_a_start_that_names_no_EVSE_goes_round_the_one_that_is_held():
    p = station("cCCS2", "cCCS2")
    held(p)
    assert start(p, card("mine"))["status"] == "Accepted"
    assert [evse.remote is not None for evse in p.charger.evses.values()] == [False, True]
    assert start(p, card("yours"))["status"] == "Rejected"


def test_it_is_shown_and_a_payment_that_is_given_up_lets_it_go():
    p = Played().boot()
    outlet = OutletBackend(1, p.bridge, lambda: p.now, lambda: None)
    held(p)
    assert [text for text in outlet.display if "paying" in text]
    held(p, 0)
    assert not outlet.display
    assert [note for note in p.bridge.notes() if "held for" in note]


def test_it_is_held_over_a_kill_and_not_for_ever():
    p = station()
    held(p, 10 * HELD_MAXIMUM)
    p.run(HELD_MAXIMUM - 60.0)
    after = reborn(p)
    assert 1 in after.charger.payments.held
    after.run(p.now + 60.0)
    assert not after.charger.payments.held


@pytest.mark.parametrize("asked", [{"evseId": 9, "timeout": 60}, {"evseId": 1, "timeout": -1}], ids=["no EVSE", "no time"])
def test_what_cannot_be_held_is_refused(asked):
    p = Played().boot()
    with pytest.raises(Refusal) as refused:
        p.bridge.answer("NotifyWebPaymentStarted", asked, p.now)
    assert refused.value.code == "PropertyConstraintViolation"
    assert not p.charger.payments.held


# --- by a terminal ---


def test_c18_a_payment_lets_the_car_charge_without_asking_and_bounds_its_cost():
    p = Played().boot()
    put(p)
    assert p.bridge.pay(1, REFERENCE, p.now, amount=4.0) == ""
    come(p)
    assert p.facts(Authorized)
    assert not p.calls("Authorize")
    p.run(5.0)
    [limit] = [event["transactionInfo"]["transactionLimit"] for event in p.events if event["triggerReason"] == "LimitSet"]
    assert limit == {"maxCost": 4.0}
    assert [event["idToken"] for event in p.events if "idToken" in event] == [PAID]


def test_c18_a_token_that_only_says_to_be_a_payment_is_asked_about():
    p = Played().boot()
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Unknown"}}
    p.bridge.take_token(1, PAID, p.now)
    come(p)
    assert [asked["idToken"] for asked in p.calls("Authorize")] == [PAID]
    assert p.facts(AuthorizationRefused)


def test_c18_a_payment_is_not_taken_where_another_waits_or_charges():
    p = station()
    held(p)
    assert "web page" in p.bridge.pay(1, REFERENCE, p.now)
    held(p, 0)
    assert p.bridge.pay(1, REFERENCE, p.now) == ""
    assert "waits for the car" in p.bridge.pay(1, "psp-4712", p.now)
    p.come(1)
    assert "in use" in p.bridge.pay(1, "psp-4712", p.now)
    with pytest.raises(ValueError, match="reference"):
        p.bridge.pay(1, "", p.now)


def test_c19_a_payment_for_which_no_car_comes_is_given_up_and_the_terminal_hears_it():
    p, gone = Played().boot(), []
    p.charger.payments.given_up = gone.append
    p.bridge.pay(1, REFERENCE, p.now)
    p.run(p.charger.variables.number("TxCtrlr.EVConnectionTimeOut") - 1.0)
    assert not gone
    p.run(2.0)
    assert gone == [REFERENCE]
    p.bridge.settle(Settlement(reference=REFERENCE, status="Canceled", amount=0.0, at=WALL))
    p.run()
    [told] = p.calls("NotifySettlement")
    assert told == {"pspRef": REFERENCE, "status": "Canceled", "settlementAmount": 0.0, "settlementTime": timestamp(WALL)}


def test_c20_c21_a_settlement_waits_for_the_csms_over_a_kill_and_its_receipt_comes_back():
    p = Played().boot()
    p.arrive()
    p.bridge.go_offline(p.now)
    p.bridge.settle(
        Settlement(
            reference=REFERENCE,
            status="Settled",
            amount=12.34,
            at=WALL + 5.0,
            transaction=p.tx,
            vat_number="NL1",
            company=ACME,
            receipt_id="R1",
        )
    )
    kept = [call for call in p.charger.outbox.kept if call.action == "NotifySettlement"]
    after, heard = Played(), []
    after.charger.payments.receipt = lambda *told: heard.append(told)
    after.bridge.restore(dict(p.charger.kept), kept)
    after.answers["NotifySettlement"] = {"receiptId": "R2", "receiptUrl": "https://receipts.example/R2"}
    after.boot()
    [told] = after.calls("NotifySettlement")
    assert (told["transactionId"], told["settlementAmount"], told["vatNumber"]) == (p.tx, 12.34, "NL1")
    assert Company.of(told["vatCompany"]) == ACME
    assert heard == [(REFERENCE, {"receiptId": "R2", "receiptUrl": "https://receipts.example/R2"})]


@pytest.mark.parametrize("status", ["Rejected", "Failed"])
def test_c22_a_settlement_that_failed_is_told_with_the_words_of_the_terminal(status):
    p = Played().boot()
    p.answers["NotifySettlement"] = "InternalError"
    p.bridge.settle(Settlement(reference=REFERENCE, status=status, amount=3.0, at=WALL, info="x" * 600))
    p.run()
    assert p.calls("NotifySettlement")[0]["statusInfo"] == "x" * 500
    p.answers["NotifySettlement"] = {}
    p.run(60.0)
    assert len(p.calls("NotifySettlement")) == 2  # a CSMS that stumbles is told again


def test_what_is_no_settlement_is_told_to_nobody():
    p = Played().boot()
    for wrong in ({"reference": "x" * 256}, {"receipt_id": "x" * 51}, {"vat_number": "x" * 21}):
        with pytest.raises(ValueError, match="NotifySettlement"):
            p.bridge.settle(Settlement(**{"reference": "a", "status": "Settled", "amount": 1.0, "at": WALL} | wrong))
    assert not p.charger.outbox.kept


@pytest.mark.parametrize("more", [True, False])
def test_c23_more_money_is_more_charge(more):
    p = Played().boot()
    put(p)
    assert p.bridge.cover(1, 9.0, p.now) is False
    p.bridge.pay(1, REFERENCE, p.now, amount=2.0)
    come(p)
    p.run(5.0)
    assert p.bridge.cover(1, 100.0, p.now) if more else True
    p.run(5.0)
    limits = [event["transactionInfo"]["transactionLimit"]["maxCost"] for event in p.events if event["triggerReason"] == "LimitSet"]
    assert limits == ([2.0, 100.0] if more else [2.0])
    p.bridge.take_reading(1, MeterReading("M", 8_000.0, 0.0, WALL + p.now))
    p.run(60.0)
    assert bool(p.facts(StopAsked)) is not more


def test_c24_a_payment_at_a_terminal_elsewhere_starts_by_the_csms_with_its_limit():
    p = Played().boot()
    p.answers["TransactionEvent"] = {"transactionLimit": {"maxCost": 20.0}}
    start(p, evseId=1)
    come(p)
    p.run(5.0)
    [told] = [event["transactionInfo"]["transactionLimit"] for event in p.events if event["triggerReason"] == "LimitSet"]
    assert told == {"maxCost": 20.0}


def test_a_vat_number_is_judged_by_the_csms_or_by_nobody():
    p, judged = Played().boot(), []
    p.answers["VatNumberValidation"] = {"vatNumber": "NL1", "status": "Accepted", "company": ACME.payload}
    p.bridge.validate_vat("NL1", judged.append, 1)
    p.run()
    assert p.calls("VatNumberValidation") == [{"vatNumber": "NL1", "evseId": 1}]
    p.answers["VatNumberValidation"] = {"vatNumber": "NL2", "status": "Rejected", "statusInfo": {"reasonCode": "InvalidValue"}}
    p.bridge.validate_vat("NL2", judged.append)
    p.run()
    p.answers["VatNumberValidation"] = "NotSupported"
    p.bridge.validate_vat("NL3", judged.append)
    p.run()
    p.bridge.go_offline(p.now)
    p.bridge.validate_vat("NL4", judged.append)
    assert judged == [VatVerdict(True, ACME), VatVerdict(False, None, "InvalidValue"), None, None]
    for wrong in ("", " ", "x" * 21):
        with pytest.raises(ValueError, match=r"VAT|VatNumber"):
            p.bridge.validate_vat(wrong, judged.append)


# --- with our CSMS, over a socket ---


def test_our_csms_holds_an_EVSE_starts_by_a_payment_keeps_its_settlement_and_knows_companies():
    async def scene() -> None:
        story: list = []
        csms = Csms(Strategy("none"), say=story.append, companies={"nl 1.b": ACME.payload})
        async with stand(csms) as s:
            await s.until(lambda: s.point.bridge.charger.accepted)
            assert await csms.call("CS-1", "NotifyWebPaymentStarted", {"evseId": 1, "timeout": 60}) == {}
            assert s.point.bridge.charger.payments.held
            started = {"idToken": PAID, "remoteStartId": 1, "evseId": 1}
            assert (await csms.call("CS-1", "RequestStartTransaction", started))["status"] == "Accepted"
            assert (await s.point.validate_vat("NL1B")) == VatVerdict(True, ACME)
            assert (await s.point.validate_vat("NL2", 1)).accepted is False
            s.point.settle(Settlement(reference=REFERENCE, status="Settled", amount=1.5, at=WALL))
            await s.until(lambda: any(f"payment {REFERENCE}, of no transaction: Settled, 1.5" in entry.text for entry in story))

    asyncio.run(asyncio.wait_for(scene(), 300))
