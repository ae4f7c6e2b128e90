"""Every use case of OCPP 2.1 has its tests (`docs/use_cases.py`), and here are those that have no better place."""

import ast
import asyncio
import re
from functools import cache
from pathlib import Path

import pytest

from docs.coverage import CASES
from docs.use_cases import use_cases, wanted
from secc.station import (
    AuthorizationWanted,
    ConnectorLock,
    LimitsChanged,
    LockConnector,
    PowerStarted,
    SessionStarted,
    SetpointChanged,
)
from tests.evcc.iso2.test_pair2 import SCRIPT as SCRIPT2
from tests.evcc.iso2.test_pair2 import car as car2
from tests.evcc.test_pair import car as iso20_car
from tests.ocpp_bridge.ocpp_stand import stand
from tests.ocpp_bridge.test_bridge import ANSWERS, EVCCID, Played
from tests.ocpp_bridge.test_local_authorization import setting, show
from tests.ocpp_bridge.test_profiles import SETPOINT, profile
from tests.ocpp_bridge.whole_chain import Chain, run
from v2g.iso20.rational import number
from v2g.messages.common_messages import ScheduleExchangeRes
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryRes
from v2gkit.csms.server import Csms

ROOT = Path(__file__).parents[2]
ROWS = list(use_cases())


@cache
def written_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_every_use_case_has_its_tests(row):
    assert row.title
    assert row.tests, f"{row.number} has no test"
    for named in row.tests:
        path, _, name = named.partition("::")
        assert name in written_in(path), named


def test_no_use_case_is_forgotten_or_twice_there():
    numbers = [row.number for row in ROWS]
    assert sorted(numbers) == sorted(wanted())
    assert numbers == sorted(numbers)


def test_use_cases_that_an_action_names_are_in_the_table():
    listed = re.findall(r"[A-S][0-9]{2}(?: to [A-S]?[0-9]{2})?", " ".join(CASES.values()))
    assert listed
    assert {number for each in listed for number in re.findall(r"[A-S][0-9]{2}", each)} <= wanted()


# --- those that have no better place ---


def test_a_schedule_of_the_csms_is_what_a_scheduled_car_draws():
    """Power in, then power out: the numbers of the CSMS are those of the message, and no more than them flows."""
    steps = [SETPOINT | {"setpoint": 6_000.0}, SETPOINT | {"startPeriod": 3_600, "setpoint": -4_000.0}]
    chain = run(control="Scheduled", profile=profile(*steps, schedule={"duration": 7_200}), loops=20)
    (offered,) = chain.frames(ScheduleExchangeRes)[-1].Scheduled_SEResControlMode.ScheduleTuple
    powers = [
        [number(entry.Power) for entry in schedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry[:2]]
        for schedule in (offered.ChargingSchedule, offered.DischargingSchedule)
    ]
    assert powers == [[6_000.0, 0.0], [0.0, -4_000.0]]
    assert all(5_900 < power <= 6_000 for power in chain.settled(5, 19))
    (told,) = chain.calls("NotifyEVChargingSchedule")
    assert told["selectedChargingScheduleId"] == 1
    assert max(period.get("limit", 0.0) for period in told["chargingSchedule"]["chargingSchedulePeriod"]) <= 6_000.0


@pytest.mark.parametrize("service", ["DC", "AC"])
def test_k15_a_car_of_minus_2_tells_what_it_needs_and_charges_by_the_schedule_of_the_csms(service, monkeypatch):
    """Its needs are those parameters of OCPP that are of ISO 15118-2, the schedule is a SAScheduleTuple."""
    steps = [{"startPeriod": 0, "limit": 6_000.0}, {"startPeriod": 3_600, "limit": 2_000.0}]
    monkeypatch.setitem(ANSWERS, "Authorize", {"idTokenInfo": {"status": "Accepted"}})
    visitor = car2(service, loops=10)
    chain = Chain(visitor, script=SCRIPT2, service=service, profile=profile(*steps, schedule={"duration": 7_200}))
    assert chain.station.ended.how == "Terminate"
    needs = chain.calls("NotifyEVChargingNeeds")[0]["chargingNeeds"]
    ours, other = ("dcChargingParameters", "acChargingParameters") if service == "DC" else ("acChargingParameters", "dcChargingParameters")
    assert ours in needs
    assert not {other, "v2xChargingParameters", "controlMode", "mobilityNeedsMode"} & needs.keys()
    offered = chain.frames(ChargeParameterDiscoveryRes)[-1].SASchedules.SAScheduleTuple[0].PMaxSchedule.PMaxScheduleEntry
    assert [entry.PMax.Value * 10**entry.PMax.Multiplier for entry in offered][:2] == [6_000, 2_000]
    assert chain.calls("NotifyEVChargingSchedule")
    if service == "DC":
        assert max(chain.settled(3, 9)) <= 6_000


def test_a_car_that_comes_while_the_csms_is_away_keeps_to_its_default():
    p = Played().boot()
    p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile({"startPeriod": 0, "limit": 3_000.0}, purpose="TxDefaultProfile")})
    p.charger.variables["AuthCtrlr.OfflineTxForUnknownIdEnabled"] = "true"
    p.bridge.go_offline(p.now)
    p.arrive("Dynamic")
    (wanted,) = p.planned
    caps = {signal.kind.value: max(signal.power.values) for signal in wanted.signals}
    assert caps == {"import cap": 3_000.0, "export cap": 0.0}


def test_a_profile_that_is_cleared_leads_no_more():
    p = Played().boot().arrive("Dynamic")
    p.install(SETPOINT)
    assert p.facts(SetpointChanged)[-1].power == -5_000.0
    assert p.ask("ClearChargingProfile", {"chargingProfileId": 1}) == {"status": "Accepted"}
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 0.0
    assert p.ask("ClearChargingProfile", {"chargingProfileId": 1})["status"] == "Unknown"


@pytest.mark.parametrize("invalid", [False, True])
def test_a_discharge_ends_with_its_time_offline_and_resumes_unless_it_is_invalid(invalid):
    p = Played().boot().arrive("Dynamic")
    p.install(SETPOINT, maxOfflineDuration=60, invalidAfterOfflineDuration=invalid)
    p.bridge.go_offline(p.now)
    p.run(59.0)
    assert p.facts(SetpointChanged)[-1].power == -5_000.0
    p.run(2.0)
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 0.0
    p.bridge.go_online("ocpp2.1", p.now)
    p.run(1.0)
    assert (p.facts(SetpointChanged)[-1].power == -5_000.0) is not invalid


def test_a_profile_that_is_over_for_good_is_so_after_a_restart():
    p = Played().boot()
    default = profile(SETPOINT, purpose="TxDefaultProfile", maxOfflineDuration=60, invalidAfterOfflineDuration=True)
    p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": default})
    p.arrive("Dynamic")
    p.bridge.go_offline(p.now)
    p.run(61.0)
    assert p.charger.kept["profile/1"]["dead"]
    after = Played()
    after.bridge.restore(dict(p.charger.kept))
    assert after.charger.profiles.present(after.charger.evses[1].outlet, p.charger.wall(p.now)).led is None


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (profile({"startPeriod": 0, "limit": 1.0, "evseSleep": True}), "InvalidSchedule"),
        (profile({"startPeriod": 0, "operationMode": "LocalLoadBalancing"}), "InvalidOperationMode"),
        (profile(schedule={"chargingRateUnit": "A"}), "UnsupportedRateUnit"),
    ],
    ids=["sleep", "balancing", "amperes"],
)
def test_a_remote_start_with_a_profile_that_cannot_lead_is_refused(made, reason):
    p = Played().boot()
    asked = {"remoteStartId": 7, "idToken": {"idToken": "T1", "type": "Central"}, "evseId": 1}
    made = {name: value for name, value in made.items() if name != "transactionId"}
    answer = p.ask("RequestStartTransaction", asked | {"chargingProfile": made})
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", reason)
    assert p.charger.evses[1].remote is None


def test_a_mode_that_follows_the_moment_promises_no_discharge_to_a_car_with_a_schedule():
    p = Played().boot()
    p.bridge.take_upstream(9_000.0, p.now)
    default = profile({"startPeriod": 0, "operationMode": "LocalLoadBalancing", "limit": 4_000.0}, purpose="TxDefaultProfile")
    assert p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": default}) == {"status": "Accepted"}
    p.answers = ANSWERS | {"NotifyEVChargingNeeds": {"status": "NoChargingProfile"}}
    p.arrive("Scheduled")
    (wanted,) = p.planned
    assert {signal.kind.value: max(signal.power.values) for signal in wanted.signals} == {"import cap": 4_000.0, "export cap": 0.0}


def test_e02_e03_the_cable_or_the_token_may_come_first():
    p = Played().boot()
    p.bridge.plug_in(1, p.now)
    show(p)
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert [(event["eventType"], event["triggerReason"]) for event in p.events[:1]] == [("Started", "CablePluggedIn")]
    assert [event["triggerReason"] for event in p.events if "idToken" in event] == ["Authorized"]
    p = Played().boot()
    setting(p, "TxCtrlr.TxStartPoint", "Authorized")
    show(p)
    assert not p.events
    p.bridge.plug_in(1, p.now)
    p.run()
    assert not p.events
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert [(event["eventType"], event["triggerReason"], "idToken" in event) for event in p.events[:1]] == [("Started", "Authorized", True)]


@pytest.mark.parametrize(("stop_point", "ends"), [("EVConnected", True), ("ParkingBayOccupancy", False)])
def test_e09_e10_a_cable_that_is_out_ends_a_transaction_or_suspends_it(stop_point, ends):
    p = Played().boot()
    assert setting(p, "TxCtrlr.TxStopPoint", stop_point) == "Accepted"
    p.bridge.plug_in(1, p.now)
    p.arrive()
    transaction = p.tx
    p.want(PowerStarted(0.0))
    p.bridge.unplug(1, p.now)
    p.run()
    last = p.events[-1]
    assert (last["eventType"], last["triggerReason"]) == ("Ended" if ends else "Updated", "EVDeparted")
    assert last["transactionInfo"]["chargingState"] == "Idle"
    assert last["transactionInfo"].get("stoppedReason") == ("EVDisconnected" if ends else None)
    assert p.charger.runs(transaction) is not ends


class Unlocked(Chain):
    """A chain whose connector does not lock."""

    def _serve(self, event):
        if isinstance(event, LockConnector):
            self._after(ConnectorLock(False))
        super()._serve(event)


def test_g05_a_connector_that_does_not_lock_gives_no_power_and_the_csms_hears_of_it():
    chain = Unlocked(iso20_car("DC_BPT", "Dynamic"), service="DC_BPT")
    ended = chain.station.ended
    assert ended.how != "Terminate"
    assert not chain.powers
    assert "Charging" not in [event["transactionInfo"].get("chargingState") for event in chain.calls("TransactionEvent")]
    chain.bridge.end_session(1, chain.now, how=ended.how, well=False, reason=ended.reason, requirement=ended.requirement)
    chain._bridge()
    [told] = [event for call in chain.calls("NotifyEvent") for event in call["eventData"] if event["variable"]["name"] == "Problem"]
    assert "lock" in told["techInfo"]
    assert chain.calls("TransactionEvent")[-1]["eventType"] == "Ended"


def test_p02_a_csms_that_knows_no_vendor_says_so():
    async def scene() -> None:
        heard: list[tuple[str, object]] = []
        async with stand(Csms()) as s:
            s.point.transfer("org.example", "Lights", {"on": True}, lambda *said: heard.append(said))
            assert heard == [("", None)]  # it was not there yet
            await s.until(lambda: s.point.bridge.charger.accepted)
            s.point.transfer("org.example", "Lights", {"on": True}, lambda *said: heard.append(said))
            await s.until(lambda: len(heard) == 2)
            assert s.frames.calls("DataTransfer") == [{"vendorId": "org.example", "messageId": "Lights", "data": {"on": True}}]
            with pytest.raises(ValueError, match="DataTransfer"):
                s.point.transfer("x" * 256, "", None, lambda *said: None)
        assert heard[1] == ("UnknownVendorId", None)

    asyncio.run(asyncio.wait_for(scene(), 300))
