"""What a station knows of a customer, in frames: told whole, in pages, and forgotten. And firmware, which it does not install."""

import json

import pytest

from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_local_authorization import card, item, reborn, send, show, waiting

CERTIFICATE = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "1"}


def inform(p: Played, report: bool = True, clear: bool = False, **who) -> dict:
    return p.ask("CustomerInformation", {"requestId": 4, "report": report, "clear": clear} | who)


def told(p: Played) -> str:
    pages = p.calls("NotifyCustomerInformation")
    assert [page["seqNo"] for page in pages] == list(range(len(pages)))
    assert [page["tbc"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert {page["requestId"] for page in pages} == {4}
    return "".join(page["data"] for page in pages)


def charging() -> Played:
    p = waiting()
    words = {"format": "UTF8", "content": "x" * 1000}
    send(p, 1, item("0a1b", personalMessage=words), item("other"))
    return show(p)


def test_what_is_known_of_a_token_is_told_in_pages():
    p = charging()
    assert inform(p, idToken=card()) == {"status": "Accepted"}
    known = json.loads(told(p))
    assert list(known) == ["cache", "localAuthorizationList", "transactions"]
    assert known["localAuthorizationList"]["idToken"] == card("0a1b")
    assert known["transactions"] == [{"evseId": 1, "transactionId": p.tx}]
    assert len(p.calls("NotifyCustomerInformation")) > 2


def test_what_is_forgotten_is_gone_after_a_kill_too():
    p = charging()
    assert inform(p, report=False, clear=True, idToken=card("0A1b")) == {"status": "Accepted"}
    assert not p.calls("NotifyCustomerInformation")
    assert not reborn(p).charger.cache.entries
    assert p.tx  # it goes on


def test_report_and_clear_tell_what_was_known_before_it_is_forgotten():
    p = charging()
    inform(p, clear=True, idToken=card())
    assert "cache" in json.loads(told(p))
    assert not p.charger.cache.entries


@pytest.mark.parametrize("who", [{"idToken": card("stranger")}, {"customerIdentifier": "Mr X"}, {"customerCertificate": CERTIFICATE}])
def test_of_a_stranger_nothing_is_known(who):
    p = charging()
    assert inform(p, clear=True, **who) == {"status": "Accepted"}
    assert told(p) == "nothing is known of this customer"
    assert p.charger.cache.entries


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, "Invalid"),
        ({"idToken": card(), "customerIdentifier": "x"}, "Invalid"),
        ({"idToken": card(), "report": False}, "Rejected"),
    ],
)
def test_a_question_that_cannot_be_answered(asked, status):
    answer = inform(Played().boot(), **asked)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == (status, "InvalidValue")


def test_firmware_is_refused_with_a_reason():
    firmware = {"location": "https://x/y", "retrieveDateTime": "2026-11-27T00:00:00Z"}
    answer = Played().boot().ask("UpdateFirmware", {"requestId": 1, "firmware": firmware})
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "UnsupportedRequest")


def test_a_reset_and_a_clock_that_is_set_are_security_events():
    p = Played().boot()
    p.bridge.restart(p.now)
    p.ahead = 3600.0
    p.run()
    told = [(event["type"], event["techInfo"]) for event in p.calls("SecurityEventNotification")]
    assert told.pop(0) == ("StartupOfTheDevice", "")
    told = [each for each in told if each[0] != "StartupOfTheDevice"]  # nobody has asked for this reset: it is a start like the first
    assert told == [("ResetOrReboot", "the CSMS has asked for it"), ("SettingSystemTime", "+3600 s, by the CSMS")]
