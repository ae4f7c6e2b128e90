"""What a driver reads of tariff and cost in frames (I01 to I06): the CSMS's words, or those that it left for when it says none."""

from typing import Any

import pytest

from ocpp_bridge.blocks.fares import READING
from ocpp_bridge.outlet import OutletBackend
from tests.ocpp_bridge.test_account import tariff
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_cost import arrive, put, read, setting

PERSONAL = {"format": "UTF8", "content": "0.30 EUR/kWh for you, Ann"}


def read_by(p: Played) -> tuple[str, ...]:
    """What stands at the outlet."""
    return OutletBackend(1, p.bridge, lambda: p.now, lambda: None).display


def started(message: dict[str, Any] | None = PERSONAL, **fallbacks: str) -> Played:
    p = Played().boot()
    for name, words in fallbacks.items():
        assert setting(p, "TariffCostCtrlr", name, "", words) == "Accepted"
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted"} | ({} if message is None else {"personalMessage": message})}
    return arrive(p)


def gone(p: Played) -> Played:
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    return p.run()


def test_i01_i04_a_driver_reads_what_the_csms_has_for_him_or_what_it_left_for_when_it_has_nothing():
    p = started(TariffFallbackMessage="0.50 EUR/kWh")
    assert read_by(p) == (PERSONAL["content"],)
    assert [note for note in p.bridge.notes() if "Ann" in note]
    assert read_by(started(None, TariffFallbackMessage="0.50 EUR/kWh")) == ("0.50 EUR/kWh",)
    assert read_by(started(None)) == ()
    assert read_by(started({"format": "HTML", "content": "<b>0.30</b>"}, TariffFallbackMessage="0.50 EUR/kWh")) == ("0.50 EUR/kWh",)


def test_i04_a_driver_who_charges_offline_reads_the_words_that_were_left():
    p = Played().boot()
    setting(p, "TariffCostCtrlr", "TariffFallbackMessage", "", "0.50 EUR/kWh")
    p.charger.variables["AuthCtrlr.OfflineTxForUnknownIdEnabled"] = "true"
    p.bridge.go_offline(p.now)
    p.run(100.0)
    arrive(p)
    assert read_by(p) == ("0.50 EUR/kWh",)


def test_i08_a_tariff_of_the_driver_is_shown_by_its_own_words():
    p = Played().boot()
    scheme = tariff() | {"description": [{"format": "UTF8", "content": "night rate"}]}
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted"}, "tariff": scheme}
    arrive(p)
    assert read_by(p)[0] == "night rate"


def test_i02_i03_cost_is_shown_as_it_runs_and_when_it_is_final():
    p = started()
    p.ask("CostUpdated", {"totalCost": 2.5, "transactionId": p.tx})
    assert read_by(p) == (PERSONAL["content"], "2.50 EUR")
    p.answers["TransactionEvent"] = lambda event: {"totalCost": 7.25} if event["eventType"] == "Ended" else {}
    gone(p)
    assert read_by(p) == (PERSONAL["content"], "7.25 EUR")
    p.run(READING - 1.0)
    assert read_by(p)
    p.run(2.0)
    assert read_by(p) == ()


def test_i02_i03_what_the_station_computes_is_shown_too():
    p = Played().boot()
    put(p)
    arrive(p)
    p.run(60.0)
    read(p, 102.0)
    p.run(3.0)
    assert read_by(p)[-1].endswith(" EUR")
    assert float(read_by(p)[-1].split()[0]) >= 1.1  # 2 kWh at 0.55, and the time
    gone(p)
    [total] = [event["costDetails"]["totalCost"]["total"]["inclTax"] for event in p.events if event["eventType"] == "Ended"]
    assert read_by(p) == (f"{total:.2f} EUR",)


@pytest.mark.parametrize("away", [False, True])
def test_i05_where_nobody_says_the_cost_the_words_for_that_are_shown(away):
    p = started(TotalCostFallbackMessage="the bill comes by mail")
    if away:
        p.bridge.go_offline(p.now)
    assert read_by(gone(p)) == (PERSONAL["content"], "the bill comes by mail")


def test_i06_words_that_change_are_shown_at_once():
    p = started()
    p.answers["TransactionEvent"] = {"updatedPersonalMessage": {"format": "UTF8", "content": "0.60 EUR/kWh from now on"}}
    p.ask("TriggerMessage", {"requestedMessage": "TransactionEvent"})
    assert read_by(p) == ("0.60 EUR/kWh from now on",)


def test_the_next_driver_reads_his_own():
    p = started()
    p.answers["TransactionEvent"] = {"totalCost": 3.0}
    gone(p)
    p.answers["TransactionEvent"] = {}
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted", "personalMessage": {"format": "UTF8", "content": "hello Bob"}}}
    arrive(p)
    assert read_by(p) == ("hello Bob",)
