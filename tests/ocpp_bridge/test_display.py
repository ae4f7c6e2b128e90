"""Messages for people in frames: which is shown at which EVSE, in which state, and until when; what a kill leaves of them."""

import pytest

from ocpp_bridge.model.display import MESSAGES_MAXIMUM
from ocpp_bridge.outlet import OutletBackend
from ocpp_bridge.wire.times import timestamp
from secc.station import PowerStarted, SessionStarted, StoodBy
from tests.ocpp_bridge.ocpp_stand import WALL
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from tests.ocpp_bridge.test_local_authorization import reborn
from tests.ocpp_bridge.test_reservation import station


def message(id_: int, priority: str = "NormalCycle", text: str = "", **more) -> dict:
    return {"id": id_, "priority": priority, "message": {"format": "UTF8", "content": text or f"m{id_}"}} | more


def put(p: Played, *args, **more) -> dict:
    answer = p.ask("SetDisplayMessage", {"message": message(*args, **more)})
    p.run()
    return answer


def shown(p: Played, evse: int = 1) -> list[str]:
    return [each["message"]["content"] for each in p.charger.evses[evse].shown]


def at(seconds: float) -> str:
    return timestamp(WALL + seconds)


def test_the_front_goes_before_the_rest_and_the_newest_front_before_the_front():
    p = Played().boot()
    assert put(p, 1) == put(p, 2) == {"status": "Accepted"}
    assert shown(p) == ["m1", "m2"]
    put(p, 3, "InFront")
    put(p, 4, "InFront")
    assert shown(p) == ["m3", "m4"]
    put(p, 5, "AlwaysFront")
    put(p, 6, "AlwaysFront")
    assert shown(p) == ["m6"]
    assert p.ask("ClearDisplayMessage", {"id": 6}) == {"status": "Accepted"}
    assert p.ask("ClearDisplayMessage", {"id": 6}) == {"status": "Unknown"}
    p.run()
    assert shown(p) == ["m5"]
    assert p.charger.variables["DisplayMessageCtrlr.DisplayMessages"] == "5"


def test_whoever_has_a_display_reads_it_and_each_change_is_noted_once():
    p = Played().boot()
    outlet = OutletBackend(1, p.bridge, lambda: p.now, lambda: None)
    put(p, 1, text="welcome")
    assert outlet.display == ("welcome",)
    p.run(10.0)
    assert [note for note in p.bridge.notes() if "show" in note] == ["EVSE 1 shows: welcome"]
    put(p, 1, text="goodbye")
    assert outlet.display == ("goodbye",)
    p.ask("ClearDisplayMessage", {"id": 1})
    p.run()
    assert outlet.display == ()
    assert p.bridge.notes() == ["EVSE 1 shows: goodbye", "EVSE 1 shows no message"]


def test_a_message_has_its_time():
    p = Played().boot()
    put(p, 1, startDateTime=at(50.0), endDateTime=at(100.0))
    put(p, 2, "InFront", endDateTime=at(20.0))
    assert shown(p) == ["m2"]
    p.run(20.0)
    assert shown(p) == []
    p.run(29.9)
    assert shown(p) == []
    p.run(0.2)
    assert shown(p) == ["m1"]
    p.run(50.0)
    assert shown(p) == []
    assert p.charger.messages.held == {}
    assert not reborn(p).charger.messages.held


def test_a_message_is_for_a_state_of_the_EVSE():
    p = Played().boot()
    for number, state in enumerate(("Idle", "Charging", "Discharging", "Suspended", "Faulted", "Unavailable")):
        put(p, number, state=state)
    assert shown(p) == ["m0"]
    p.want(SessionStarted(0.0, bytes(8), EVCCID), PowerStarted(0.0))
    p.run(1.0)
    assert shown(p) == ["m1"]
    p.bridge.take_reading(1, None, -5000.0)
    p.run(1.0).run(100.0)
    assert shown(p) == ["m2"]
    p.want(StoodBy(0.0))
    p.run(1.0)
    assert shown(p) == ["m3"]
    p.bridge.out_of_service(1, "no contact", p.now)
    p.run()
    assert shown(p) == ["m4"]
    p.bridge.out_of_service(1, "", p.now)
    p.bridge.unplug(1, p.now)
    p.charger.evses[1].operative = False
    p.run()
    assert shown(p) == ["m5"]


def test_a_message_of_a_transaction_is_shown_to_it_and_ends_with_it():
    p = station("a", "b")
    assert put(p, 1, transactionId="none") == {"status": "UnknownTransaction", "statusInfo": {"reasonCode": "TxNotFound"}}
    p.come(1)
    assert put(p, 1, transactionId=p.tx) == {"status": "Accepted"}
    assert (shown(p), shown(p, 2)) == (["m1"], [])
    p.bridge.unplug(1, p.now)
    p.run()
    assert p.charger.messages.held == {}


def test_a_message_is_for_the_display_of_an_EVSE():
    p = station("a", "b")
    assert put(p, 1, display={"name": "Display", "evse": {"id": 2}}) == {"status": "Accepted"}
    assert (shown(p), shown(p, 2)) == ([], ["m1"])
    assert put(p, 2, display={"name": "Display", "evse": {"id": 9}})["status"] == "Rejected"


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("form", ["HTML", "URI", "QRCODE"])
def test_what_is_no_text_is_not_shown(form, extra):
    p = Played().boot()
    odd = {"format": form, "content": "x"}
    assert put(p, 1, **({"messageExtra": [odd]} if extra else {"message": odd}))["status"] == "NotSupportedMessageFormat"


@pytest.mark.parametrize("times", [{"endDateTime": at(-1.0)}, {"startDateTime": at(20.0), "endDateTime": at(10.0)}])
def test_a_message_whose_time_is_over_is_refused(times):
    assert put(Played().boot(), 1, **times)["statusInfo"]["reasonCode"] == "InvalidValue"


def test_messages_are_bounded_and_are_told_in_pages():
    p = Played().boot()
    answers = [put(p, n, priority="InFront" if n % 2 else "NormalCycle")["status"] for n in range(MESSAGES_MAXIMUM + 1)]
    assert answers == ["Accepted"] * MESSAGES_MAXIMUM + ["Rejected"]
    assert put(p, 3)["status"] == "Accepted"
    assert p.ask("GetDisplayMessages", {"requestId": 5, "priority": "InFront"}) == {"status": "Accepted"}
    pages = p.calls("NotifyDisplayMessages")
    assert [(len(page["messageInfo"]), page["tbc"], page["requestId"]) for page in pages] == [(10, True, 5), (10, True, 5), (4, False, 5)]
    assert p.ask("GetDisplayMessages", {"requestId": 6, "id": [1, 99]}) == {"status": "Accepted"}
    assert [each["id"] for each in p.calls("NotifyDisplayMessages")[-1]["messageInfo"]] == [1]
    assert p.ask("GetDisplayMessages", {"requestId": 7, "state": "Charging"}) == {"status": "Unknown"}


def test_messages_survive_a_kill_in_their_order():
    p = Played().boot()
    for number in (3, 1, 2):
        put(p, number)
    put(p, 3)
    q = reborn(p)
    q.run()
    assert shown(q) == ["m1", "m2", "m3"]
