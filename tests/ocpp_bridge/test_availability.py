"""Boot states, resets, availability, triggers and unlocking, frame by frame and in virtual time."""

import asyncio

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.errands import run
from secc.evse import EVSE
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    MeterReading,
    SessionStarted,
    StopAsked,
)
from tests.ocpp_bridge.ocpp_stand import WALL, charger
from tests.ocpp_bridge.test_bridge import ACCEPTED, EMAID, EVCCID, Played
from v2gkit.station.unlocking import unlocking

START = {"idToken": {"idToken": "A", "type": "Central"}, "remoteStartId": 7}


def unavailable(p: Played, **place) -> str:
    return p.ask("ChangeAvailability", {"operationalStatus": "Inoperative"} | place)["status"]


def available(p: Played, **place) -> str:
    return p.ask("ChangeAvailability", {"operationalStatus": "Operative"} | place)["status"]


def states(p: Played, evse: int = 1) -> list[str]:
    return [each["connectorStatus"] for each in p.calls("StatusNotification") if each["evseId"] == evse]


def why(answer: dict) -> str:
    return answer["statusInfo"]["reasonCode"]


# --- boot (B01 to B03) ---


def pending(p: Played) -> Played:
    p.answers["BootNotification"] = ACCEPTED | {"status": "Pending", "interval": 30}
    return p.boot()


def test_a_pending_station_answers_and_says_what_it_is_asked_for_and_nothing_else():
    p = pending(Played())
    p.bridge.plug_in(1, p.now)
    p.run(1.0)
    assert {call.action for call in p.sent} == {"BootNotification"}
    assert why(p.ask("RequestStartTransaction", START)) == "NotEnabled"
    assert why(p.ask("RequestStopTransaction", {"transactionId": p.tx})) == "NotEnabled"
    assert p.ask("GetBaseReport", {"requestId": 1, "reportBase": "SummaryInventory"})["status"] == "Accepted"
    assert p.ask("TriggerMessage", {"requestedMessage": "StatusNotification"})["status"] == "Accepted"
    assert {call.action for call in p.sent} == {"BootNotification", "NotifyReport", "StatusNotification"}
    p.answers["BootNotification"] = ACCEPTED
    assert p.ask("TriggerMessage", {"requestedMessage": "BootNotification"})["status"] == "Accepted"
    assert p.calls("BootNotification")[-1]["reason"] == "Triggered"
    assert p.events[0]["eventType"] == "Started"  # what was kept meanwhile


def test_a_rejected_station_is_silent_until_it_may_ask_again():
    p = Played()
    p.answers["BootNotification"] = ACCEPTED | {"status": "Rejected", "interval": 100}
    p.boot()
    p.bridge.plug_in(1, p.now)
    p.run(99.0)
    assert [call.action for call in p.sent] == ["BootNotification"]
    p.answers["BootNotification"] = ACCEPTED
    p.run(2.0)
    assert [call.action for call in p.sent][:2] == ["BootNotification"] * 2
    assert p.events


# --- reset ---


def reset(p: Played, kind: str, evse: int | None = None) -> dict:
    return p.ask("Reset", {"type": kind} | ({"evseId": evse} if evse is not None else {}))


def restart(p: Played) -> Played:
    assert p.bridge.resetting
    p.bridge.go_offline(p.now)
    p.bridge.restart(p.now)
    return p.boot()


def test_a_reset_when_idle_waits_for_the_car_and_takes_no_other():
    p = Played(evses=2).boot().arrive()
    assert reset(p, "OnIdle")["status"] == "Scheduled"
    assert not p.bridge.resetting
    assert not p.facts(StopAsked)
    assert why(p.ask("RequestStartTransaction", START)) == "NotEnabled"
    p.bridge.want(2, SessionStarted(0.0, bytes(8), EVCCID), p.now)
    p.bridge.want(2, AuthorizationWanted(0.0, "PnC", EVCCID, EMAID), p.now)
    p.run()
    assert p.charger.evses[2].transaction is None
    assert "OnIdle" in p.facts(AuthorizationRefused)[0].reason
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    restart(p)
    assert p.calls("BootNotification")[-1]["reason"] == "ScheduledReset"


def test_a_cable_that_is_in_when_the_reset_is_over_begins_a_transaction_then():
    p = Played().boot()
    p.ask("Reset", {"type": "OnIdle"})
    p.bridge.plug_in(1, p.now)
    assert p.charger.evses[1].transaction is None
    restart(p)
    assert p.charger.evses[1].transaction is not None


def test_an_immediate_reset_ends_a_transaction_that_has_no_session_at_once():
    p = Played().boot()
    p.bridge.plug_in(1, p.now)
    assert reset(p, "Immediate")["status"] == "Accepted"
    ended = p.events[-1]
    assert (ended["eventType"], ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == (
        "Ended",
        "ResetCommand",
        "ImmediateReset",
    )
    restart(p)
    assert p.calls("BootNotification")[-1]["reason"] == "RemoteReset"


def test_a_transaction_resumes_through_a_reset_with_its_id():
    p = Played().boot().arrive()
    tx = p.tx
    assert reset(p, "ImmediateAndResume")["status"] == "Accepted"
    assert not p.facts(StopAsked)
    restart(p)
    resumed = next(event for event in p.events if event["triggerReason"] == "TxResumed")
    assert resumed["transactionInfo"]["transactionId"] == tx == p.tx
    assert [event["seqNo"] for event in p.events] == list(range(len(p.events)))


def test_one_evse_is_reset_by_itself():
    p = Played(evses=2).boot().arrive()
    assert why(reset(p, "Immediate", 9)) == "InvalidValue"
    assert why(reset(p, "ImmediateAndResume", 1)) == "UnsupportedParam"
    assert reset(p, "Immediate", 1)["status"] == "Accepted"
    assert p.facts(StopAsked)
    assert not p.bridge.resetting
    p.bridge.end_session(1, p.now)
    p.run()
    assert p.events[-1]["transactionInfo"]["stoppedReason"] == "ImmediateReset"
    assert states(p)[-2:] == ["Unavailable", "Available"]
    assert states(p, 2) == ["Available"]
    assert len(p.calls("BootNotification")) == 1


def test_one_evse_is_reset_once_it_is_idle():
    p = Played().boot().arrive()
    assert reset(p, "OnIdle", 1)["status"] == "Scheduled"
    p.run(10.0)
    assert states(p)[-1] == "Occupied"
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.run()
    assert states(p)[-2:] == ["Unavailable", "Available"]
    assert p.charger.evses[1].reset == ""


def test_a_process_that_dies_in_a_reset_boots_by_that_reason():
    p = Played().boot()
    reset(p, "OnIdle")
    again = Played()
    again.bridge.restore({name: value for name, value in p.bridge.changes().items() if value is not None})
    again.boot()
    assert again.calls("BootNotification")[0]["reason"] == "ScheduledReset"
    assert again.bridge.changes()["reset/reason"] is None


# --- availability (G03, G04) ---


def test_an_evse_out_of_service_refuses_the_car_begins_no_transaction_and_says_why():
    p = Played().boot()
    assert unavailable(p, evse={"id": 1}) == "Accepted"
    assert states(p)[-1] == "Unavailable"
    p.bridge.plug_in(1, p.now)
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, EMAID))
    assert not p.facts(Authorized)
    assert "ChangeAvailability" in p.facts(AuthorizationRefused)[0].reason
    assert p.facts(StopAsked)
    p.bridge.admit(1, p.now)  # nor does the outlet's own card reader help
    assert not p.run().events
    assert states(p)[-1] == "Unavailable"
    assert why(p.ask("RequestStartTransaction", START)) == "NotEnabled"
    p.bridge.end_session(1, p.now)
    assert available(p, evse={"id": 1}) == "Accepted"
    assert p.events[0]["triggerReason"] == "CablePluggedIn"  # the cable is still in
    assert states(p)[-1] == "Occupied"


def test_a_transaction_is_not_cut_off_by_it_and_it_follows_when_that_ends():
    p = Played().boot().arrive()
    assert unavailable(p) == "Scheduled"
    assert not p.facts(StopAsked)
    assert p.charger.evses[1].operative
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.run()
    assert states(p)[-1] == "Unavailable"
    assert not p.charger.evses[1].operative


def test_what_was_scheduled_can_be_taken_back():
    p = Played().boot().arrive()
    assert unavailable(p) == "Scheduled"
    assert available(p) == "Accepted"
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    assert states(p.run())[-1] == "Available"


def test_station_evse_and_connector_are_out_of_service_each_by_itself():
    p = Played(evses=2).boot()
    assert unavailable(p) == unavailable(p, evse={"id": 1}) == unavailable(p, evse={"id": 2, "connectorId": 1}) == "Accepted"
    assert available(p) == "Accepted"
    assert (p.charger.evses[1].operative, p.charger.evses[2].operative) == (False, False)
    assert available(p, evse={"id": 2, "connectorId": 1}) == "Accepted"
    assert (p.charger.evses[1].operative, p.charger.evses[2].operative) == (False, True)
    assert p.charger.variables[("EVSE", "AvailabilityState", "", 1)] == "Unavailable"
    assert p.charger.variables["ChargingStation.AvailabilityState"] == "Available"
    assert unavailable(p, evse={"id": 3}) == unavailable(p, evse={"id": 1, "connectorId": 2}) == "Rejected"


def test_out_of_service_outlives_a_restart():
    p = Played(evses=2).boot()
    unavailable(p, evse={"id": 2})
    again = Played(evses=2)
    again.bridge.restore({name: value for name, value in p.bridge.changes().items() if value is not None})
    again.boot()
    assert states(again, 1) == ["Available"]
    assert states(again, 2) == ["Unavailable"]
    assert available(again, evse={"id": 2}) == "Accepted"
    assert again.bridge.changes()["availability/2/0"] is None


# --- after an absence (B04) ---


def test_after_a_short_absence_only_what_has_changed_is_told():
    p = Played(evses=2).boot()
    told = len(p.calls("StatusNotification"))
    p.bridge.go_offline(p.now)
    p.run(10.0)
    p.bridge.plug_in(2, p.now)
    p.boot()
    assert [each["evseId"] for each in p.calls("StatusNotification")[told:]] == [2]
    p.bridge.go_offline(p.now)
    p.run(120.0)  # beyond OfflineThreshold
    p.boot()
    assert [each["evseId"] for each in p.calls("StatusNotification")[told + 1 :]] == [1, 2]


# --- triggers (F06) ---


def trigger(p: Played, message: str, **more) -> dict:
    return p.ask("TriggerMessage", {"requestedMessage": message} | more)


def test_before_it_is_accepted_a_station_may_be_told_to_serve_nobody():
    p = Played()
    p.charger.variables["TxCtrlr.TxBeforeAcceptedEnabled"] = "false"
    p.bridge.plug_in(1, p.now)
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, EMAID))
    assert "TxBeforeAcceptedEnabled" in p.facts(AuthorizationRefused)[0].reason
    assert p.charger.evses[1].transaction is None
    p.boot()
    assert p.events[0]["triggerReason"] == "CablePluggedIn"
    number = len(p.events)
    transaction = p.tx
    p.bridge.go_offline(p.now)
    p.boot()
    assert p.tx == transaction
    assert len(p.events) == number


def test_a_car_that_comes_back_after_a_pause_is_served_though_a_reset_waits_for_it():
    p = Played().boot().arrive()
    p.bridge.end_session(1, p.now, how="Pause")
    assert reset(p, "OnIdle")["status"] == "Scheduled"
    p.told.clear()
    p.want(SessionStarted(0.0, bytes(8), EVCCID, True), AuthorizationWanted(0.0, "PnC", EVCCID, EMAID))
    assert p.facts(Authorized)
    assert not p.facts(StopAsked)


def test_every_message_there_is_can_be_triggered():
    p = Played(evses=2).boot()
    assert why(trigger(p, "TransactionEvent")) == "TxNotFound"
    p.bridge.take_reading(2, MeterReading("M1", 5.0, 0.0, WALL), 0.0)
    assert trigger(p, "MeterValues", evse={"id": 2})["status"] == "Accepted"
    read = p.calls("MeterValues")[-1]
    assert read["evseId"] == 2
    assert read["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"
    assert trigger(p, "Heartbeat")["status"] == "Accepted"
    assert p.calls("Heartbeat")
    told = len(p.calls("StatusNotification"))
    assert trigger(p, "StatusNotification", evse={"id": 2, "connectorId": 1})["status"] == "Accepted"
    assert [each["evseId"] for each in p.calls("StatusNotification")[told:]] == [2]
    assert why(trigger(p, "StatusNotification", evse={"id": 3})) == "InvalidValue"
    assert why(trigger(p, "BootNotification")) == "InvalidValue"
    assert trigger(p, "FirmwareStatusNotification")["status"] == "Accepted"
    assert p.calls("FirmwareStatusNotification") == [{"status": "Idle"}]
    assert trigger(p, "PublishFirmwareStatusNotification")["status"] == "NotImplemented"
    assert trigger(p, "CustomTrigger", customTrigger="Whim")["status"] == "NotImplemented"


# --- remote start and stop (F01 to F04) ---


def test_a_remote_start_is_named_by_the_transaction_that_begins_with_it():
    p = Played()
    p.charger.variables["TxCtrlr.TxStartPoint"] = "Authorized"
    p.boot().want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert p.ask("RequestStartTransaction", START)["status"] == "Accepted"
    started = p.events[0]
    assert (started["triggerReason"], started["transactionInfo"]["remoteStartId"]) == ("RemoteStart", 7)


def test_a_remote_start_that_nothing_can_serve_says_why():
    p = Played(evses=2).boot()
    assert why(p.ask("RequestStartTransaction", START | {"evseId": 9})) == "InvalidValue"
    p.bridge.out_of_service(1, "a fan is broken", p.now)
    refused = p.ask("RequestStartTransaction", START | {"evseId": 1})
    assert why(refused) == "NotEnabled"
    assert "a fan is broken" in refused["statusInfo"]["additionalInfo"]
    assert p.ask("RequestStartTransaction", START)["status"] == "Accepted"  # the other one
    assert why(p.ask("RequestStartTransaction", START | {"evseId": 2})) == "TxInProgress"


def test_a_paused_transaction_is_stopped_from_afar():
    p = Played().boot().arrive()
    p.bridge.end_session(1, p.now, how="Pause")
    assert p.ask("RequestStopTransaction", {"transactionId": p.tx})["status"] == "Accepted"
    ended = p.events[-1]
    assert (ended["eventType"], ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("Ended", "RemoteStop", "Remote")


# --- unlock (F05) ---


def unlock(p: Played, evse: int = 1, connector: int = 1) -> dict:
    return p.ask("UnlockConnector", {"evseId": evse, "connectorId": connector})


def test_a_connector_is_unlocked_only_where_no_car_is_served():
    p = Played().boot()
    assert unlock(p)["status"] == "UnlockFailed"  # nothing here could
    p.charger.unlock = lambda evse: None
    assert unlock(p, 2)["status"] == unlock(p, 1, 2)["status"] == "UnknownConnector"
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    assert unlock(p)["status"] == "UnlockFailed"
    assert not p.bridge.errands()
    p = Played().boot().arrive()
    p.charger.unlock = lambda evse: None
    assert unlock(p)["status"] == "OngoingAuthorizedTransaction"
    assert not p.bridge.errands()


@pytest.mark.parametrize("stuck", [False, True])
def test_what_the_hardware_says_of_its_lock_is_answered(stuck):
    asked = []

    def turn(evse: int) -> None:
        asked.append(evse)
        if stuck:
            raise OSError("the lock is stuck")

    p = Played().boot()
    p.charger.unlock = turn
    answer = unlock(p)
    (errand,) = p.bridge.errands()
    answer = asyncio.run(run(errand, lambda: 0.0, lambda: None)) or answer
    assert asked == [1]
    assert answer["status"] == ("UnlockFailed" if stuck else "Unlocked")
    assert not stuck or "stuck" in answer["statusInfo"]["additionalInfo"]


@pytest.mark.parametrize(("says", "words"), [(True, ""), (False, "still locked"), (ValueError("no bus"), "no bus")])
def test_a_connector_of_real_hardware_is_asked_in_its_own_loop(says, words):
    class Outlet(EVSE):
        async def unlock_connector(self) -> bool:
            if isinstance(says, Exception):
                raise says
            return says

    async def scene() -> str:
        try:
            await asyncio.to_thread(unlocking([Outlet()]), 1)
        except OSError as error:
            return str(error)
        return ""

    assert words in asyncio.run(scene())
    assert bool(asyncio.run(scene())) == bool(words)


def test_restoring_nothing_leaves_everything_in_service():
    bridge = Bridge(charger(evses=2))
    bridge.restore({})
    assert all(evse.operative for evse in bridge.charger.evses.values())
