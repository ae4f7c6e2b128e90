"""The bridge without socket or clock: boot, offline, order, retries, wants and requests in virtual time."""

from dataclasses import replace

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.outlet import OutletBackend
from ocpp_bridge.smart import local
from ocpp_bridge.smart.charging import SETTLING
from ocpp_bridge.smart.periods import INSTEAD
from ocpp_bridge.wire.dialects import written
from ocpp_bridge.wire.outbox import KEPT_MAXIMUM, Call, Outbox
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import check
from ocpp_bridge.wire.times import epoch, timestamp
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    CertificateInstallationWanted,
    CertificateReady,
    CertificateRefused,
    EVReported,
    LimitsChanged,
    MeteringConfirmed,
    MeterReading,
    NeedsChanged,
    OutOfService,
    PowerStarted,
    PowerStopped,
    RenegotiationAsked,
    ScheduleChosen,
    ScheduleReady,
    ServicesAllowed,
    ServiceSelected,
    SessionStarted,
    SetpointChanged,
    StoodBy,
    StopAsked,
)
from tests.ocpp_bridge.ocpp_stand import LIMITS, NEEDS, WALL, charger
from tests.ocpp_bridge.test_mapping import chain
from tests.ocpp_bridge.test_profiles import DEFAULT, SETPOINT, profile
from v2g.energy.needs import EnergyOffer
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.reasons import Reason
from v2g.session.clock import Clock

CHANGES = ("SetChargingProfile", "UpdateDynamicSchedule", "ClearChargingProfile")  # take effect within a moment
ACCEPTED = {"currentTime": "2026-11-22T18:00:00Z", "interval": 300, "status": "Accepted"}
EVCCID, EMAID = "DEABCC1A2B3C4D", "DE8AA1A2B3C4D5"
ANSWERS = {
    "BootNotification": ACCEPTED,
    "Authorize": {"idTokenInfo": {"status": "Accepted"}, "allowedEnergyTransfer": ["DC", "DC_BPT", "AC_BPT"]},
    "NotifyEVChargingNeeds": {"status": "Accepted"},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
    "Heartbeat": {"currentTime": "2026-11-22T18:00:00Z"},
    "GetCertificateChainStatus": "NotSupported",
}


class Played:
    """A bridge whose CSMS answers as told. Every call is held against its schema."""

    def __init__(self, **more):
        self.bridge = Bridge(charger(**more))
        self.now = 0.0
        self.sent: list[Call] = []
        self.told: list = []
        self.answers = dict(ANSWERS)
        self.planned: list = []
        self.ahead = 0.0  # s that the clock of the CSMS is ahead

    @property
    def charger(self):
        return self.bridge.charger

    def boot(self):
        self.bridge.go_online("ocpp2.1", self.now)
        return self.run()

    def run(self, seconds: float = 0.0):
        """Let time pass up to then, with everything that falls due in it."""
        end = self.now + seconds
        while True:
            self.bridge.tick(self.now)
            while calls := self.bridge.calls(self.now):
                for call in calls:
                    version = self.charger.version
                    check(version, call.action, "Request", written(version, call.action, "Request", call.payload))
                    self.sent.append(call)
                    answer = self.answers.get(call.action, {})
                    answer = answer(call.payload) if callable(answer) else answer
                    if "currentTime" in answer:
                        answer = answer | {"currentTime": timestamp(WALL + self.now + self.ahead)}
                    if isinstance(answer, str):
                        self.bridge.take_failure(call, answer, self.now)
                    else:
                        self.bridge.take_result(call, answer, self.now)
            self.told += [fact for _, fact in self.bridge.facts()]
            self.planned += self.bridge.plans()
            due = self.bridge.deadline()
            if due is None or due > end:
                self.now = end
                return self
            self.now = max(self.now, due)

    def want(self, *wants):
        for want in wants:
            self.bridge.want(1, want, self.now)
        return self.run()

    def ask(self, action: str, payload: dict) -> dict:
        check("ocpp2.1", action, "Request", payload)
        answer = self.bridge.answer(action, payload, self.now)
        check("ocpp2.1", action, "Response", answer)
        self.run(SETTLING if action in CHANGES else 0.0)
        return answer

    def arrive(self, control="Scheduled", service="DC_BPT", needs=NEEDS):
        self.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, EMAID))
        return self.want(ServiceSelected(0.0, service, control), NeedsChanged(0.0, needs, True))

    def gone_and_alone(self):
        """The car leaves, then the connection is lost for good; what was told so far is forgotten."""
        self.bridge.end_session(1, self.now)
        self.bridge.unplug(1, self.now)
        self.bridge.go_offline(self.now)
        self.run(100.0)
        self.told.clear()

    def calls(self, action: str) -> list[dict]:
        return [call.payload for call in self.sent if call.action == action]

    @property
    def events(self) -> list[dict]:
        return self.calls("TransactionEvent")

    @property
    def tx(self) -> str:
        return self.charger.evses[1].transaction.id

    def facts(self, kind) -> list:
        return [fact for fact in self.told if isinstance(fact, kind)]

    def install(self, *periods: dict, **more) -> dict:
        return self.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile(*periods, **({"transactionId": self.tx} | more))})


# --- boot ---


def test_nothing_but_BootNotification_is_said_before_the_csms_accepts():
    p = Played()
    p.answers["BootNotification"] = ACCEPTED | {"status": "Rejected", "interval": 60}
    p.bridge.plug_in(1, p.now)
    p.boot()
    assert [call.action for call in p.sent] == ["BootNotification"]
    p.run(59.0)
    assert len(p.sent) == 1
    with pytest.raises(Refusal) as refused:
        p.bridge.answer("GetTransactionStatus", {}, p.now)
    assert refused.value.code == "SecurityError"
    p.answers["BootNotification"] = ACCEPTED
    p.run(1.0)
    said = [call.action for call in p.sent[1:]]
    assert said == ["BootNotification", "TransactionEvent", "TransactionEvent", "SecurityEventNotification", "StatusNotification"]
    assert [("offline" in e, e["triggerReason"]) for e in p.events] == [(True, "CablePluggedIn"), (False, "MeterValuePeriodic")]


def test_a_pending_station_answers_and_says_what_it_is_asked_for():
    p = Played()
    p.answers["BootNotification"] = ACCEPTED | {"status": "Pending", "interval": 0}
    p.boot()
    assert p.ask("GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"}) == {"status": "Accepted"}
    assert p.ask("TriggerMessage", {"requestedMessage": "StatusNotification"}) == {"status": "Accepted"}
    p.bridge.plug_in(1, p.now)
    p.run()
    assert {call.action for call in p.sent} == {"BootNotification", "NotifyReport", "StatusNotification"}
    assert p.ask("TriggerMessage", {"requestedMessage": "BootNotification"}) == {"status": "Accepted"}
    assert p.calls("BootNotification")[1]["reason"] == "Triggered"
    assert p.run(30.0).calls("BootNotification")[2:]  # interval 0: at the station's own pace


def test_a_rejected_station_comes_back_when_it_was_told_to():
    p = Played()
    p.answers["BootNotification"] = ACCEPTED | {"status": "Rejected", "interval": 60}
    p.boot()
    p.bridge.go_offline(p.now)
    p.run(10.0)
    p.bridge.go_online("ocpp2.1", p.now)
    p.run(49.0)
    assert len(p.sent) == 1
    assert len(p.run(1.0).sent) == 2


def test_a_boot_that_fails_is_tried_again():
    p = Played()
    p.answers["BootNotification"] = "Timeout"
    p.boot()
    p.run(29.0)
    assert len(p.sent) == 1
    assert len(p.run(1.0).sent) == 2


def test_a_reconnect_does_not_boot_anew_and_tells_how_things_stand():
    p = Played().boot()
    p.bridge.go_offline(p.now)
    p.run(100.0)
    p.bridge.go_online("ocpp2.1", p.now)
    p.run()
    assert len(p.calls("BootNotification")) == 1
    assert len(p.calls("StatusNotification")) == 2


def test_heartbeats_come_at_the_interval_of_the_csms():
    p = Played().boot()
    p.run(899.0)
    assert len(p.calls("Heartbeat")) == 2
    assert p.charger.variables["OCPPCommCtrlr.HeartbeatInterval"] == "300"


@pytest.mark.parametrize("ahead", [3600.0, -86_400.0])
def test_the_clock_of_the_csms_counts_for_all_that_is_said_with_it(ahead):
    p = Played()
    p.ahead = ahead
    p.boot()
    assert any("from ours" in note for note in p.bridge.notes())
    p.arrive()
    theirs = WALL + ahead
    assert epoch(p.events[0]["timestamp"]) == pytest.approx(theirs, abs=0.01)
    needs = p.calls("NotifyEVChargingNeeds")[0]["chargingNeeds"]
    assert epoch(needs["departureTime"]) == NEEDS.departure + ahead
    schedule = {"startSchedule": timestamp(theirs - 60.0)}
    p.install(SETPOINT, SETPOINT | {"startPeriod": 660, "setpoint": 4000.0}, kind="Absolute", schedule=schedule)
    offered = p.facts(ScheduleReady)[0].offer.tuples[0].power
    assert offered.start == pytest.approx(WALL, abs=0.01)  # the car lives by our clock
    assert (offered.at(WALL + 599.0), offered.at(WALL + 601.0)) == (-5000.0, 4000.0)
    p.want(ScheduleChosen(0.0, offered, 1), PowerStarted(0.0))
    assert epoch(p.calls("NotifyEVChargingSchedule")[0]["timeBase"]) == pytest.approx(theirs, abs=0.01)
    p.run(601.0)
    [event] = [e for e in p.events if e["triggerReason"] == "ChargingRateChanged"]
    assert epoch(event["timestamp"]) == pytest.approx(theirs + 600.0, abs=0.01)


def test_a_local_plan_is_made_by_our_own_clock():
    p = Played()
    p.ahead = 7200.0
    p.boot()
    cap = profile({"startPeriod": 0, "limit": 3000.0}, purpose="TxDefaultProfile", validFrom=timestamp(WALL + 7200.0 + 600.0))
    p.ask("SetChargingProfile", {"evseId": 0, "chargingProfile": cap})
    p.answers["NotifyEVChargingNeeds"] = {"status": "NoChargingProfile"}
    [plan] = p.arrive().planned
    assert plan.wall == pytest.approx(WALL + p.now, abs=0.01)
    limit = next(signal for signal in plan.signals if signal.id == "ocpp:limit").power
    assert limit.at(WALL + 599.0) > 3000.0
    assert limit.at(WALL + 601.0) == 3000.0


def test_a_station_that_has_another_source_of_time_keeps_to_it():
    p = Played()
    p.charger.variables["ClockCtrlr.TimeSource"] = "NTP"
    p.ahead = 3600.0
    assert p.boot().charger.skew == 0.0


# --- transactions, offline and retries ---


def test_a_transaction_that_happened_offline_is_told_in_order_and_marked():
    p = Played(owner={"idToken": "OWNER", "type": "Local"}).boot()
    p.charger.variables["AuthCtrlr.OfflineTxForUnknownIdEnabled"] = "true"
    p.bridge.go_offline(p.now)
    p.arrive()
    p.run(6.0)  # the verdict is held while the CSMS may come back
    assert p.facts(Authorized)
    [plan] = p.planned
    p.bridge.take_plan(plan, *local.schedule(plan), p.now)
    p.run()
    offer = p.facts(ScheduleReady)[0].offer
    p.want(ScheduleChosen(0.0, offer.tuples[0].power, 1), PowerStarted(0.0))
    p.bridge.take_reading(1, MeterReading("M", 5.0, 6.0, WALL), 7000.0, 400.0)
    p.run(180.0)
    assert not p.events
    p.bridge.go_online("ocpp2.1", p.now)
    p.run()
    assert [event["seqNo"] for event in p.events] == list(range(len(p.events)))
    assert all(event["offline"] for event in p.events)
    assert p.events[0]["eventType"] == "Started"
    assert len([e for e in p.events if e["triggerReason"] == "MeterValuePeriodic"]) == 1 + 3  # the first reading, and each minute
    needs = p.calls("NotifyEVChargingNeeds")[0]
    assert "timestamp" in needs
    order = [call.action for call in p.sent]
    assert order.index("NotifyEVChargingNeeds") > max(i for i, a in enumerate(order) if a == "TransactionEvent")
    p.want(PowerStopped(0.0))
    assert "offline" not in p.events[-1]


def test_a_car_that_stands_by_is_suspended_by_the_car_where_the_transaction_goes_on():
    p = Played().boot()
    p.arrive()
    p.want(PowerStarted(0.0))
    before = len(p.events)
    p.want(PowerStopped(0.0))
    p.want(StoodBy(0.0))
    p.run()
    told = [e["transactionInfo"].get("chargingState") for e in p.events[before:]]
    assert told[-1] == "SuspendedEV"
    assert "Ended" not in [e["eventType"] for e in p.events]
    p.want(PowerStarted(0.0))
    assert p.events[-1]["transactionInfo"]["chargingState"] == "Charging"


def test_events_that_fail_are_sent_again_and_given_up_in_the_end():
    p = Played().boot()
    p.answers["TransactionEvent"] = "InternalError"
    p.bridge.plug_in(1, p.now)
    p.run()
    assert len(p.events) == 1
    p.run(30.0)
    assert len(p.events) == 2
    p.run(59.0)
    assert len(p.events) == 2
    p.run(1.0)
    assert [event["seqNo"] for event in p.events] == [0, 0, 0, 1]
    assert any("given up after 3 attempts" in note for note in p.bridge.notes())
    p.run(1000.0)
    assert len([event for event in p.events if event["seqNo"] == 1]) == 3


def test_what_is_not_kept_passes_an_event_that_waits_for_its_next_attempt():
    p = Played().boot()
    p.answers["TransactionEvent"] = "Timeout"
    p.bridge.plug_in(1, p.now)
    p.run()
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, EMAID))
    assert p.facts(Authorized)
    assert len(p.events) == 1  # the events behind it keep their place


def test_a_lost_connection_is_no_attempt():
    box = Outbox()
    box.put(Call("TransactionEvent", {"seqNo": 0}, kept=True))
    for _ in range(10):
        call = box.next(0.0, lambda call: True)
        assert box.settled("ConnectionLost", 0.0) is None
    assert call.attempts == 0


def test_a_full_outbox_loses_updates_from_the_middle_only():
    box = Outbox()
    kinds = ["Started"] + ["Updated"] * (KEPT_MAXIMUM - 1) + ["Ended"]
    for number, kind in enumerate(kinds):
        box.put(Call("TransactionEvent", {"seqNo": number, "eventType": kind}, kept=True))
    left = [call.payload["seqNo"] for call in box.waiting]
    assert KEPT_MAXIMUM / 2 < len(left) < KEPT_MAXIMUM
    assert left == sorted(left)
    assert (left[0], left[-1], left[1]) == (0, KEPT_MAXIMUM, 1)
    assert box.discarded == len(kinds) - len(left)


def test_a_transaction_begins_and_ends_where_the_variables_say():
    p = Played().boot()
    p.ask(
        "SetVariables",
        {
            "setVariableData": [
                {"component": {"name": "TxCtrlr"}, "variable": {"name": "TxStartPoint"}, "attributeValue": "EnergyTransfer"},
                {"component": {"name": "TxCtrlr"}, "variable": {"name": "TxStopPoint"}, "attributeValue": "EVConnected"},
            ]
        },
    )
    p.arrive()
    assert not p.events
    p.want(PowerStarted(0.0))
    assert p.events[0]["eventType"] == "Started"
    p.want(PowerStopped(0.0))
    p.bridge.end_session(1, p.now)
    p.run()
    assert "Ended" not in [e["eventType"] for e in p.events]
    p.bridge.unplug(1, p.now)
    p.run()
    assert p.events[-1]["transactionInfo"]["stoppedReason"] == "EVDisconnected"


def test_a_token_that_is_refused_later_ends_the_session():
    p = Played().boot()
    p.answers["TransactionEvent"] = {"idTokenInfo": {"status": "Blocked"}}
    p.arrive()
    assert p.facts(StopAsked)
    p.bridge.end_session(1, p.now)
    p.run()
    assert (p.events[-1]["triggerReason"], p.events[-1]["transactionInfo"]["stoppedReason"]) == ("Deauthorized", "DeAuthorized")


def test_a_pause_keeps_the_transaction():
    p = Played().boot().arrive()
    p.want(PowerStarted(0.0), PowerStopped(0.0))
    p.bridge.end_session(1, p.now, how="Pause")
    p.run()
    assert p.events[-1]["transactionInfo"]["chargingState"] == "SuspendedEV"
    tx = p.tx
    p.arrive()
    assert p.tx == tx


def test_what_the_car_signed_is_told():
    p = Played().boot().arrive()
    p.bridge.take_reading(1, MeterReading("M", 5.0, 6.0, WALL), 7000.0)
    p.want(MeteringConfirmed(0.0, b"exi", True), MeteringConfirmed(0.0, b"exi", False))
    [event] = [e for e in p.events if e["triggerReason"] == "SignedDataReceived"]
    assert event["meterValue"][0]["sampledValue"][0]["signedMeterValue"]["signedMeterData"] == "ZXhp"


# --- authorization ---


@pytest.mark.parametrize(
    ("info", "certificate", "kind"),
    [
        ("Blocked", "ContractCancelled", Reason.CONTRACT_REFUSED),
        ("Unknown", "ContractCancelled", Reason.UNKNOWN_PROVIDER),
        ("Unknown", None, Reason.UNKNOWN_PROVIDER),
        ("Expired", "CertificateExpired", Reason.CERTIFICATE_EXPIRED),
        ("Invalid", "CertificateRevoked", Reason.CERTIFICATE_REVOKED),
        ("Invalid", "CertChainError", Reason.WRONG_CERTIFICATE),
        ("Invalid", "SignatureError", Reason.WRONG_CERTIFICATE),
        ("Invalid", "NoCertificateAvailable", Reason.NO_CERTIFICATE),
        ("ConcurrentTx", "Accepted", Reason.CONTRACT_REFUSED),
        ("NoCredit", None, Reason.CONTRACT_REFUSED),
        ("Accepted", "CertificateRevoked", Reason.CERTIFICATE_REVOKED),
    ],
)
def test_the_verdict_of_the_csms_is_a_reason_for_the_car(info, certificate, kind):
    p = Played().boot()
    p.answers["Authorize"] = {"idTokenInfo": {"status": info}} | ({"certificateStatus": certificate} if certificate else {})
    p.arrive()
    assert [fact.kind for fact in p.facts(AuthorizationRefused)] == [kind]
    assert not p.facts(Authorized)


@pytest.mark.parametrize("way", ["PnC", "EIM"])
@pytest.mark.parametrize(("evses", "may"), [([2], False), ([2, 3], False), ([1, 2], True), ([], True), (None, True)])
def test_a_token_is_good_at_the_evses_it_names(way, evses, may):
    p = Played().boot()
    info = {"status": "Accepted"} | ({} if evses is None else {"evseId": evses})
    p.answers["Authorize"] = {"idTokenInfo": info}
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, way, EVCCID, EMAID if way == "PnC" else ""))
    if way == "EIM":
        p.bridge.take_token(1, {"idToken": "04ABCD", "type": "ISO14443"}, p.now)
        p.run()
    assert bool(p.facts(Authorized)) is may
    assert bool(p.facts(AuthorizationRefused)) is not may
    assert may or "EVSE 2" in "".join(p.bridge.notes())
    p.gone_and_alone()
    p.arrive()  # what was kept of the answer is read no wider than the answer
    assert way == "EIM" or bool(p.facts(Authorized)) is may


def test_a_token_that_turns_out_to_be_for_another_evse_stops_the_transaction():
    p = Played().boot()
    p.answers["TransactionEvent"] = {"idTokenInfo": {"status": "Accepted", "evseId": [2]}}
    p.arrive()
    assert ["EVSE 2 only" in fact.reason for fact in p.facts(StopAsked)][:1] == [True]


@pytest.mark.parametrize(("expiry", "may"), [(50.0, False), (150.0, True), ("nonsense", False)])
def test_what_the_csms_said_of_a_token_holds_until_its_expiry(expiry, may):
    p = Played().boot()
    until = expiry if isinstance(expiry, str) else timestamp(WALL + expiry)
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted", "cacheExpiryDateTime": until}}
    p.arrive()
    assert p.facts(Authorized)  # the status is the word of this moment, the expiry that of the cache
    p.gone_and_alone()
    p.arrive()
    assert bool(p.facts(Authorized)) is may


@pytest.mark.parametrize(
    ("services", "unit"), [(("DC",), "W"), (("DC", "DC_BPT"), "W"), (("AC",), "W,A"), (("AC_BPT",), "W,A"), (("AC", "DC"), "W")]
)
def test_the_rate_unit_is_what_a_profile_may_be_in(services, unit):
    p = Played(services=services).boot()
    asked = {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "RateUnit"}}
    assert p.ask("GetVariables", {"getVariableData": [asked]})["getVariableResult"][0]["attributeValue"] == unit
    answer = p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile(**DEFAULT, schedule={"chargingRateUnit": "A"})})
    assert (answer["status"] == "Accepted") is ("A" in unit)


@pytest.mark.parametrize("services", [("AC",), ("DC",), ("DC", "DC_BPT"), ("AC_BPT",), ("AC", "DC")])
@pytest.mark.parametrize("evse", [0, 1])
def test_where_a_car_may_only_charge_no_limit_of_discharging_is_told(services, evse):
    p = Played(services=services).boot()
    (period,) = p.ask("GetCompositeSchedule", {"evseId": evse, "duration": 60})["schedule"]["chargingSchedulePeriod"]
    assert period["operationMode"] == "ChargingOnly"
    assert "dischargeLimit" not in period


def test_discharging_needs_the_leave_of_the_csms():
    p = Played().boot()
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
    assert p.arrive().facts(Authorized)[0].energy_transfer == ("DC",)
    p = Played(v2x_unasked=True).boot()
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
    assert p.arrive().facts(Authorized)[0].energy_transfer == ("DC", "DC_BPT")


def test_a_known_contract_charges_while_the_csms_is_away():
    p = Played().boot().arrive()
    p.gone_and_alone()
    p.arrive()
    assert p.facts(Authorized)
    p.bridge.end_session(1, p.now)
    p.charger.cache.entries.clear()
    p.told.clear()
    p.arrive()
    assert p.facts(AuthorizationRefused)


@pytest.mark.parametrize("withdrawn", [False, True])
def test_leave_to_discharge_is_kept_with_the_token_while_the_csms_is_away(withdrawn):
    p = Played().boot().arrive()
    assert set(p.facts(Authorized)[0].energy_transfer) >= {"DC", "DC_BPT"}
    if withdrawn:
        allow(p, "DC")
    p.gone_and_alone()
    p.arrive()
    assert ("DC_BPT" in p.facts(Authorized)[0].energy_transfer) is not withdrawn
    assert "DC" in p.facts(Authorized)[0].energy_transfer


def test_an_unknown_token_that_may_charge_offline_may_not_discharge():
    p = Played().boot()
    p.charger.variables["AuthCtrlr.OfflineTxForUnknownIdEnabled"] = "true"
    p.bridge.go_offline(p.now)
    p.run(100.0)
    p.arrive()
    assert p.facts(Authorized)[0].energy_transfer == ("DC",)


def test_a_csms_that_comes_back_in_time_decides():
    p = Played().boot()
    p.bridge.go_offline(p.now)
    p.arrive()
    assert not p.told
    p.run(1.0)
    p.bridge.go_online("ocpp2.1", p.now)
    p.run()
    assert p.facts(Authorized)
    assert len(p.calls("Authorize")) == 1


def test_autocharge_takes_the_car_for_its_token():
    p = Played().boot()
    p.charger.variables["AuthCtrlr.Autocharge"] = "true"
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert p.calls("Authorize")[0]["idToken"] == {"idToken": EVCCID, "type": "EVCCID"}
    assert p.facts(Authorized)


def test_a_remote_start_waits_for_its_car_and_not_for_ever():
    p = Played().boot()
    request = {"idToken": {"idToken": "APP", "type": "Central"}, "remoteStartId": 5, "evseId": 1}
    assert p.ask("RequestStartTransaction", request) == {"status": "Accepted"}
    assert p.ask("RequestStartTransaction", request)["status"] == "Rejected"
    p.run(119.0)
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert p.facts(Authorized)
    assert p.events[-1]["triggerReason"] == "RemoteStart"
    p = Played().boot()
    p.ask("RequestStartTransaction", request)
    p.run(121.0)
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert not p.facts(Authorized)


def test_a_profile_that_comes_with_a_remote_start_is_the_cars():
    p = Played().boot()
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    brought = {k: v for k, v in profile({"startPeriod": 0, "limit": 4000.0}).items() if k != "transactionId"}
    request = {"idToken": {"idToken": "APP", "type": "Central"}, "remoteStartId": 5, "chargingProfile": brought}
    assert p.ask("RequestStartTransaction", request) == {"status": "Accepted", "transactionId": p.tx}
    p.want(ServiceSelected(0.0, "DC", "Scheduled"), NeedsChanged(0.0, replace(NEEDS, bidirectional=False), True))
    [ready] = p.facts(ScheduleReady)
    assert ready.offer.tuples[0].charging.values == (4000.0,)
    assert len(p.calls("NotifyEVChargingNeeds")) == 1  # K18: told all the same
    p.install({"startPeriod": 0, "limit": 3000.0}, id=9, stack=5)  # what the CSMS makes of them
    assert p.facts(RenegotiationAsked)[0].what == "Schedule"


def test_a_profile_may_come_before_its_car():
    p = Played().boot()
    brought = {k: v for k, v in profile({"startPeriod": 0, "limit": 4000.0}).items() if k != "transactionId"}
    request = {"idToken": {"idToken": "APP", "type": "Central"}, "remoteStartId": 5, "chargingProfile": brought}
    assert p.ask("RequestStartTransaction", request) == {"status": "Accepted"}
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    p.want(ServiceSelected(0.0, "DC", "Scheduled"), NeedsChanged(0.0, replace(NEEDS, bidirectional=False), True))
    assert p.facts(ScheduleReady)[0].offer.tuples[0].charging.values == (4000.0,)


# --- smart charging ---


def test_the_csms_may_take_its_time_but_not_more():
    p = Played(patience=20.0).boot().arrive()
    assert not p.told[1:]
    p.run(19.9)
    assert not p.planned
    p.run(0.2)
    [plan] = p.planned
    p.bridge.take_plan(plan, *local.schedule(plan), p.now)
    p.run()
    assert p.facts(ScheduleReady)
    p.install(SETPOINT)  # too late for the offer, but not for the car
    assert not p.facts(RenegotiationAsked)[1:]
    assert p.facts(RenegotiationAsked)[0].what == "Schedule"


def test_a_profile_that_overtakes_the_local_scheduler_wins():
    p = Played(patience=1.0).boot().arrive()
    p.run(1.0)
    [plan] = p.planned
    p.install(SETPOINT)
    assert [fact.offer.tuples[0].power.values for fact in p.facts(ScheduleReady)] == [(-5000.0,)]
    p.bridge.take_plan(plan, *local.schedule(plan), p.now)
    p.run()
    assert len(p.facts(ScheduleReady)) == 1


@pytest.mark.parametrize("status", ["Processing", "NoChargingProfile"])
def test_the_csms_may_leave_the_schedule_to_the_station(status):
    p = Played().boot()
    p.answers["NotifyEVChargingNeeds"] = {"status": status}
    assert len(p.arrive().planned) == 1


@pytest.mark.parametrize("code", ["Timeout", "NotImplemented", "ConnectionLost"])
def test_needs_that_nobody_answers_make_a_local_schedule(code):
    p = Played().boot()
    p.answers["NotifyEVChargingNeeds"] = code
    assert len(p.arrive().planned) == 1


def test_a_car_that_polls_is_asked_for_once():
    p = Played(patience=20.0).boot().arrive()
    for n in range(5):
        p.run(1.0)
        p.want(NeedsChanged(0.0, replace(NEEDS, departure=NEEDS.departure - n), True))
    assert len(p.calls("NotifyEVChargingNeeds")) == 1
    assert len(p.run(15.0).planned) == 1
    p.want(NeedsChanged(0.0, NEEDS, True))
    assert len(p.run().planned) == 1


def test_what_a_car_sells_is_told_by_the_clock_of_the_csms_and_again_when_its_terms_change():
    def asks(price, at=WALL):
        return replace(NEEDS, energy_offer=EnergyOffer(Series.constant(at, 3600, 9_000.0), Series.constant(at, 3600, price), "EUR"))

    p = Played()
    p.ahead = 600.0
    p.boot().arrive()
    p.install(SETPOINT)
    p.want(PowerStarted(0.0), NeedsChanged(0.0, asks(0.3), False))
    own = p.calls("NotifyEVChargingNeeds")[1]["chargingNeeds"]["evEnergyOffer"]
    assert {epoch(own[name]["timeAnchor"]) for name in ("evPowerSchedule", "evAbsolutePriceSchedule")} == {WALL + 600.0}
    p.install(SETPOINT)
    p.want(NeedsChanged(0.0, asks(0.3, WALL + 5), False))  # it has moved along: nothing new
    assert len(p.calls("NotifyEVChargingNeeds")) == 2
    p.want(NeedsChanged(0.0, asks(0.4, WALL + 5), False))
    own = p.calls("NotifyEVChargingNeeds")[2]["chargingNeeds"]["evEnergyOffer"]
    assert own["evAbsolutePriceSchedule"]["evAbsolutePriceScheduleEntries"][0]["evPriceRule"][0]["energyFee"] == 0.4


def test_an_energy_transfer_that_is_refused_ends_the_session():
    p = Played().boot()
    p.answers["NotifyEVChargingNeeds"] = {"status": "Rejected"}
    p.arrive()
    assert p.facts(StopAsked)
    p.bridge.end_session(1, p.now)
    assert p.run().events[-1]["transactionInfo"]["stoppedReason"] == "ReqEnergyTransferRejected"


def test_the_local_plan_keeps_the_profiles_of_the_station():
    p = Played().boot()
    p.ask("SetChargingProfile", {"evseId": 0, "chargingProfile": profile({"startPeriod": 0, "limit": 3000.0}, purpose="TxDefaultProfile")})
    p.answers["NotifyEVChargingNeeds"] = {"status": "NoChargingProfile"}
    [plan] = p.arrive().planned
    offer, _ = local.schedule(plan)
    assert max(max(t.charging.values) for t in offer.tuples) <= 3000.0
    assert all(t.discharging is None for t in offer.tuples)


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_the_schedule_that_is_told_names_the_setpoint_it_follows(control):
    p = Played().boot().arrive(control)
    p.install(SETPOINT | {"setpoint": 5000.0})
    offer = p.facts(ScheduleReady)[0].offer
    p.want(ScheduleChosen(0.0, offer.tuples[0].power, 1), PowerStarted(0.0))
    [told] = p.calls("NotifyEVChargingSchedule")
    [period] = told["chargingSchedule"]["chargingSchedulePeriod"]
    assert period == {"startPeriod": 0, "limit": 5000.0, "setpoint": 5000.0, "operationMode": "CentralSetpoint"}


def test_three_schedules_are_three_tuples_and_the_chosen_one_is_told():
    p = Played().boot().arrive()
    schedules = [
        {"id": 10 + n, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1000.0 * n}]} for n in (1, 2, 3)
    ]
    p.install(chargingSchedule=schedules)
    offer = p.facts(ScheduleReady)[0].offer
    assert [t.charging.values for t in offer.tuples] == [(1000.0,), (2000.0,), (3000.0,)]
    p.want(ScheduleChosen(0.0, offer.chosen(2).power, 2, True), PowerStarted(0.0))
    [told] = p.calls("NotifyEVChargingSchedule")
    assert told["selectedChargingScheduleId"] == 12
    assert told["powerToleranceAcceptance"] is True
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 2000.0


def test_periods_move_the_setpoint_of_a_dynamic_session_by_themselves():
    p = Played().boot().arrive(control="Dynamic")
    p.install(SETPOINT, SETPOINT | {"startPeriod": 600, "setpoint": 4000.0}, SETPOINT | {"startPeriod": 1200, "setpoint": 0.0})
    p.want(ScheduleChosen(0.0, Series.constant(WALL, 60.0, 0.0)), PowerStarted(0.0))
    p.run(1300.0)
    assert [fact.power for fact in p.facts(SetpointChanged)] == [-5000.0, 4000.0, 0.0]
    assert p.events[-1]["transactionInfo"]["chargingState"] == "SuspendedEVSE"


def test_another_operation_mode_is_told():
    p = Played().boot().arrive(control="Dynamic")
    p.install(SETPOINT, {"startPeriod": 600, "limit": 5000.0})
    p.want(PowerStarted(0.0))
    p.run(601.0)
    [event] = [e for e in p.events if e["triggerReason"] == "OperationModeChanged"]
    assert event["transactionInfo"]["operationMode"] == "ChargingOnly"
    assert p.facts(SetpointChanged)[-1].power is None
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 0.0


def test_a_lost_csms_does_not_freeze_a_discharge_for_ever():
    p = Played().boot().arrive(control="Dynamic")
    p.install(SETPOINT, maxOfflineDuration=300)
    p.want(PowerStarted(0.0))
    p.bridge.go_offline(p.now)
    p.run(299.0)
    assert p.facts(SetpointChanged)[-1].power == -5000.0
    p.run(1.0)
    assert p.facts(SetpointChanged)[-1].power is None
    p.bridge.go_online("ocpp2.1", p.now)
    p.run()
    assert p.facts(SetpointChanged)[-1].power == -5000.0


@pytest.mark.parametrize("fallback", INSTEAD)
@pytest.mark.parametrize("end", ["duration", "validTo", "offline", "cleared"])
@pytest.mark.parametrize("power", [-4000.0, 3000.0])
def test_a_setpoint_that_runs_out_is_no_leave_for_more_power(power, end, fallback):
    p = Played(fallback=fallback).boot().arrive(control="Dynamic")
    ends = {"duration": {"schedule": {"duration": 60}}, "validTo": {"validTo": timestamp(WALL + 60)}, "offline": {"maxOfflineDuration": 60}}
    p.install(SETPOINT | {"setpoint": power}, **ends.get(end, {}))
    p.want(PowerStarted(0.0))
    assert p.facts(SetpointChanged)[-1].power == power
    if end == "offline":
        p.bridge.go_offline(p.now)
    p.run(61.0)
    if end == "cleared":
        p.ask("ClearChargingProfile", {"chargingProfileId": 1})
    told, setpoint = p.facts(LimitsChanged)[-1].limits, p.facts(SetpointChanged)[-1].power
    assert told.discharge_power == 0.0
    assert (setpoint or 0.0) >= 0.0
    assert fallback == "free" or told.charge_power <= abs(power)
    assert setpoint == {"hold": max(power, 0.0), "zero": 0.0}.get(fallback)
    assert len(p.planned) == (fallback == "local")
    if fallback == "local":  # what the station plans itself keeps within that, too
        said = {signal.id: signal.power.at(WALL + p.now + 60) for signal in p.planned[0].signals}
        assert said == {"ocpp:limit": abs(power), "ocpp:dischargeLimit": 0.0}


def test_an_offer_ends_where_its_profile_does():
    """Scheduled control: the tuple that the car gets holds no more beyond the end of the CSMS's schedule than before it."""
    p = Played().boot().arrive()
    p.install(SETPOINT | {"setpoint": 3000.0}, schedule={"duration": 600})
    [offered] = p.facts(ScheduleReady)[-1].offer.tuples
    assert offered.charging.at(WALL + 599) == offered.charging.at(WALL + 3600) == 3000.0
    assert offered.discharging is None


def test_a_flood_of_profiles_moves_a_car_ten_times_a_second_and_is_told_once():
    p = Played().boot().arrive(control="Dynamic")
    p.install(SETPOINT)
    p.want(PowerStarted(0.0))
    events, facts = len(p.events), len(p.facts(SetpointChanged))
    for number in range(1000):
        change = profile(SETPOINT | {"setpoint": -3000.0 - number}, transactionId=p.tx)
        p.bridge.answer("SetChargingProfile", {"evseId": 1, "chargingProfile": change}, p.now)
        p.run(0.001)
    p.run(2.0)
    assert p.facts(SetpointChanged)[-1].power == -3999.0
    assert len(p.facts(SetpointChanged)) - facts <= 12
    assert len(p.events) - events <= 3


def test_a_dynamic_profile_is_pulled_at_its_interval():
    p = Played().boot().arrive(control="Dynamic")
    p.answers["PullDynamicScheduleUpdate"] = {"status": "Accepted", "scheduleUpdate": {"setpoint": 2500.0}}
    p.install(SETPOINT, kind="Dynamic", dynUpdateInterval=10)
    p.run(25.0)
    assert len(p.calls("PullDynamicScheduleUpdate")) == 2
    assert p.facts(SetpointChanged)[-1].power == 2500.0


def test_needs_that_change_in_the_loop_are_told_again_but_not_often():
    p = Played().boot().arrive(control="Dynamic")
    p.install(SETPOINT)
    p.want(PowerStarted(0.0))
    for n in range(100):
        p.run(1.0)
        p.want(NeedsChanged(0.0, replace(NEEDS, departure=WALL + 9 * 3600 + n), False))
    assert len(p.calls("NotifyEVChargingNeeds")) == 2
    assert p.facts(ScheduleReady)[-1].offer is p.charger.evses[1].session.offer


def test_a_car_that_asks_anew_is_asked_for_anew_if_it_wants_something_else():
    p = Played().boot().arrive()
    p.install(SETPOINT)
    p.want(PowerStarted(0.0), NeedsChanged(0.0, replace(NEEDS, departure=NEEDS.departure + 30.0), False))
    assert len(p.calls("NotifyEVChargingNeeds")) == 1  # nothing new: the profile is offered again
    assert len(p.facts(ScheduleReady)) == 2
    p.want(NeedsChanged(0.0, replace(NEEDS, departure=NEEDS.departure - 5 * 3600.0), False))
    assert len(p.calls("NotifyEVChargingNeeds")) == 2  # K17
    assert len(p.facts(ScheduleReady)) == 2
    p.install(SETPOINT | {"setpoint": 1000.0})
    assert p.facts(ScheduleReady)[2].offer.tuples[0].power.values == (1000.0,)
    p.want(NeedsChanged(0.0, NEEDS, False))
    p.run(21.0)  # no new profile comes: the old one still holds
    assert p.facts(ScheduleReady)[3].offer.tuples[0].power.values == (1000.0,)


def test_a_car_that_renegotiates_without_end_is_reported_once():
    p = Played().boot().arrive()
    p.install(SETPOINT)
    p.want(PowerStarted(0.0))
    for _ in range(20):
        offer = p.facts(ScheduleReady)[-1].offer
        p.want(ScheduleChosen(0.0, offer.tuples[0].power.shift(1.0), 1), NeedsChanged(0.0, NEEDS, False))
    assert len(p.facts(ScheduleReady)) == 21
    assert len(p.calls("NotifyEVChargingSchedule")) == 1
    assert len(p.calls("NotifyEVChargingNeeds")) == 1


def test_a_new_service_is_a_new_negotiation():
    p = Played().boot().arrive()
    p.run(1.0)
    p.want(ServiceSelected(0.0, "DC", "Scheduled"), NeedsChanged(0.0, replace(NEEDS, bidirectional=False), True))
    assert [n["chargingNeeds"]["requestedEnergyTransfer"] for n in p.calls("NotifyEVChargingNeeds")] == ["DC_BPT", "DC"]


def test_a_local_plan_steers_a_dynamic_session():
    p = Played().boot()
    p.answers["NotifyEVChargingNeeds"] = {"status": "NoChargingProfile"}
    [plan] = p.arrive(control="Dynamic").planned
    p.bridge.take_plan(plan, *local.schedule(plan), p.now)
    p.run()
    assert p.facts(SetpointChanged)[-1].power == 11_000.0
    p.want(PowerStarted(0.0), EVReported(0.0, soc=100.0, energy_target=0.0, energy_maximum=0.0))
    p.run(1.0)
    assert p.facts(SetpointChanged)[-1].power == 0.0


def test_a_local_plan_is_looked_at_whenever_it_changes_however_fast_time_runs():
    p = Played().boot()
    p.answers["NotifyEVChargingNeeds"] = {"status": "NoChargingProfile"}
    p.charger.clock = Clock(WALL, 0.0, 8_400.0)
    [plan] = p.arrive(control="Dynamic").planned
    p.bridge.take_plan(plan, *local.schedule(plan), p.now)
    p.want(PowerStarted(0.0))
    session = p.charger.evses[1].session
    edges = [edge for edge in session.plan.power.edges() if edge > p.charger.wall(p.now)]
    assert edges
    assert session.steer_due == pytest.approx(max(min(p.charger.clock.now(edges[0]), p.now + 1.0), p.now + 0.02))


BELOW_RESERVE, BELOW_V2X = {"energy_minimum": 5_000.0}, {"v2x_minimum": 5_000.0, "v2x_maximum": 40_000.0}
ABOVE_V2X = {"v2x_minimum": -5_000.0, "v2x_maximum": -1_000.0}
DISCHARGE = SETPOINT | {"setpoint": -20_000.0}


@pytest.mark.parametrize("said", [BELOW_RESERVE, {"energy_minimum": 0.0}, BELOW_V2X, ABOVE_V2X, BELOW_RESERVE | BELOW_V2X])
@pytest.mark.parametrize("service", ["DC_BPT", "AC_BPT"])
def test_a_setpoint_of_the_csms_takes_nothing_from_the_reserve(service, said):
    """Whether the car says so before its schedule, or in the loop."""
    early = Played(services=("DC_BPT", "AC_BPT")).boot().arrive(control="Dynamic", service=service, needs=replace(NEEDS, **said))
    early.install(DISCHARGE)
    assert early.facts(ScheduleReady)
    assert [fact.power for fact in early.facts(SetpointChanged)] == [0.0]

    late = Played(services=("DC_BPT", "AC_BPT")).boot().arrive(control="Dynamic", service=service)
    late.install(DISCHARGE)
    late.want(PowerStarted(0.0))
    assert late.facts(SetpointChanged)[-1].power == -11_000.0  # what the car can give
    late.want(EVReported(0.0, **said))
    late.run(1.0)
    assert late.facts(SetpointChanged)[-1].power == 0.0
    late.want(EVReported(0.0, energy_minimum=-5_000.0, v2x_minimum=-5_000.0, v2x_maximum=40_000.0))
    late.run(1.0)
    assert late.facts(SetpointChanged)[-1].power == -11_000.0


def test_a_setpoint_of_the_csms_puts_nothing_into_a_full_battery():
    p = Played().boot().arrive(control="Dynamic")
    p.install(SETPOINT | {"setpoint": 8_000.0})
    p.want(PowerStarted(0.0))
    assert p.facts(SetpointChanged)[-1].power == 8_000.0
    p.want(EVReported(0.0, soc=100.0, energy_target=0.0, energy_maximum=0.0))
    p.run(1.0)
    assert p.facts(SetpointChanged)[-1].power == 0.0


def test_profiles_end_with_their_transaction():
    p = Played().boot().arrive()
    p.install(SETPOINT)
    ours = {"chargingProfilePurpose": "TxProfile"}
    assert p.ask("GetChargingProfiles", {"requestId": 1, "chargingProfile": ours}) == {"status": "Accepted"}
    assert p.calls("ReportChargingProfiles")[0]["tbc"] is False
    p.bridge.end_session(1, p.now)
    assert p.ask("GetChargingProfiles", {"requestId": 2, "chargingProfile": {}}) == {"status": "NoProfiles"}


def test_many_profiles_are_reported_in_parts():
    p = Played().boot()
    for stack in range(9):
        made = profile(id=stack, stack=stack, purpose="TxDefaultProfile")
        p.ask("SetChargingProfile", {"evseId": stack % 2, "chargingProfile": made})
    p.ask("GetChargingProfiles", {"requestId": 1, "chargingProfile": {}})
    reports = p.calls("ReportChargingProfiles")
    assert [r["tbc"] for r in reports] == [True] * (len(reports) - 1) + [False]
    assert sorted(made["id"] for r in reports for made in r["chargingProfile"]) == list(range(9))
    assert p.ask("ClearChargingProfile", {"chargingProfileCriteria": {"evseId": 1}})["status"] == "Accepted"
    assert p.ask("ClearChargingProfile", {"chargingProfileId": 77})["status"] == "Unknown"
    assert len(p.charger.profiles.held) == 5


def test_the_composite_is_told_within_what_the_evse_can_do():
    p = Played().boot().arrive(control="Dynamic")
    p.install(SETPOINT, {"startPeriod": 60, "limit": 90_000.0})
    answer = p.ask("GetCompositeSchedule", {"evseId": 1, "duration": 120})
    assert [(s["startPeriod"], s.get("setpoint"), s["limit"]) for s in answer["schedule"]["chargingSchedulePeriod"]] == [
        (0, -5000.0, 50_000.0),
        (60, None, 50_000.0),
    ]
    assert p.ask("GetCompositeSchedule", {"evseId": 1, "duration": 10, "chargingRateUnit": "A"})["status"] == "Rejected"
    assert p.ask("GetCompositeSchedule", {"evseId": 9, "duration": 10})["status"] == "Rejected"
    assert p.ask("GetCompositeSchedule", {"evseId": 0, "duration": 10**15})["status"] == "Accepted"


def test_the_composite_of_the_station_is_what_its_connection_may_draw():
    p = Played(evses=2).boot().arrive(control="Dynamic")
    p.install(SETPOINT)
    schedule = {"startSchedule": timestamp(WALL)}
    cap = profile({"startPeriod": 0, "limit": 60_000.0}, id=9, purpose="ChargingStationMaxProfile", kind="Absolute", schedule=schedule)
    p.ask("SetChargingProfile", {"evseId": 0, "chargingProfile": cap})
    answer = p.ask("GetCompositeSchedule", {"evseId": 0, "duration": 60})
    assert [(s["startPeriod"], s["limit"]) for s in answer["schedule"]["chargingSchedulePeriod"]] == [(0, 60_000.0)]
    assert "setpoint" not in answer["schedule"]["chargingSchedulePeriod"][0]


def test_a_discharge_may_be_capped_from_outside():
    p = Played().boot().arrive(control="Dynamic")
    p.install(SETPOINT)
    period = {"startPeriod": 0, "limit": 9000.0, "dischargeLimit": -2000.0, "operationMode": "ExternalLimits"}
    cap = profile(period, id=9, purpose="ChargingStationExternalConstraints")
    assert p.ask("SetChargingProfile", {"evseId": 0, "chargingProfile": cap}) == {"status": "Accepted"}
    assert p.facts(SetpointChanged)[-1].power == -2000.0
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 2000.0


def test_a_number_that_nobody_can_reckon_with_is_refused_not_met_later():
    p = Played().boot().arrive()
    prices = {
        "timeAnchor": "2026-11-22T18:00:00Z",
        "priceScheduleID": 1,
        "currency": "EUR",
        "language": "en",
        "priceAlgorithm": "x",
        "priceRuleStacks": [
            {"duration": 60, "priceRule": [{"energyFee": {"exponent": 10**9, "value": 1}, "powerRangeStart": {"exponent": 0, "value": 0}}]}
        ],
    }
    schedule = profile()["chargingSchedule"][0] | {"absolutePriceSchedule": prices}
    refused = p.install(chargingSchedule=[schedule])
    assert refused["statusInfo"]["reasonCode"] == "InvalidSchedule"
    assert "energyFee" in refused["statusInfo"]["additionalInfo"]
    assert not p.charger.profiles.held


# --- leave to discharge, which comes and goes ---

CHARGING = replace(NEEDS, bidirectional=False)


def allow(p: Played, *transfers: str, **more) -> dict:
    return p.ask("NotifyAllowedEnergyTransfer", {"transactionId": p.tx, "allowedEnergyTransfer": list(transfers)} | more)


@pytest.mark.parametrize("delivering", [True, False])
def test_leave_to_discharge_may_come_later(delivering):
    p = Played().boot()
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
    p.arrive(service="DC", needs=CHARGING)
    if delivering:
        p.want(PowerStarted(0.0))
    assert allow(p, "DC", "DC_BPT") == {"status": "Accepted"}
    [allowed] = p.facts(ServicesAllowed)
    assert set(allowed.energy_transfer) == {"DC", "DC_BPT"}
    if not delivering:
        assert not p.facts(RenegotiationAsked)  # a car without power is asked for nothing
        p.want(PowerStarted(0.0))
    assert [fact.what for fact in p.facts(RenegotiationAsked)] == ["Service"]
    p.want(PowerStopped(0.0), ServiceSelected(0.0, "DC_BPT", "Scheduled"), NeedsChanged(0.0, NEEDS, True))
    assert [each["chargingNeeds"]["requestedEnergyTransfer"] for each in p.calls("NotifyEVChargingNeeds")] == ["DC", "DC_BPT"]
    p.install(SETPOINT)
    assert p.facts(ScheduleReady)[-1].offer.tuples[0].power.values == (-5000.0,)
    assert allow(p, "DC", "DC_BPT") == {"status": "Accepted"}
    p.want(PowerStarted(0.0))
    assert len(p.facts(RenegotiationAsked)) == 1  # nothing new


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("plans", ["the CSMS", "the station"])
def test_leave_that_is_withdrawn_ends_the_discharge_at_once(control, plans):
    p = Played().boot()
    if plans == "the station":
        p.charger.site = replace(p.charger.site, export_limit=50_000.0)
        p.answers["NotifyEVChargingNeeds"] = {"status": "NoChargingProfile"}
    p.arrive(control)
    if plans == "the CSMS":
        p.install(SETPOINT)
    else:
        offered, plan = local.schedule(p.planned[0])
        p.bridge.take_plan(p.planned[0], offered, plan and replace(plan, power=Series.constant(WALL - 60, 9999.0, -5000.0)), p.now)
        p.run()
    p.want(ScheduleChosen(0.0, Series.constant(WALL, 600.0, -5000.0), 1), PowerStarted(0.0))
    if control == "Dynamic":
        assert p.facts(SetpointChanged)[-1].power < 0
    p.told.clear()
    assert allow(p, "DC") == {"status": "Accepted"}
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 0.0
    assert [fact.energy_transfer for fact in p.facts(ServicesAllowed)] == [("DC",)]
    assert [fact.what for fact in p.facts(RenegotiationAsked)] == ["Service"]
    if control == "Dynamic":
        assert p.facts(SetpointChanged)[-1].power == 0.0 if plans == "the CSMS" else p.facts(SetpointChanged)[-1].power >= 0
    asked = {"duration": 60, "evseId": 1}
    assert "dischargeLimit" not in p.ask("GetCompositeSchedule", asked)["schedule"]["chargingSchedulePeriod"][0]
    p.run(5.0)
    p.install(SETPOINT, id=2, stack=1)  # nor by a profile that asks for it all the same
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 0.0
    p.want(PowerStopped(0.0), ServiceSelected(0.0, "DC", control), NeedsChanged(0.0, CHARGING, True))
    assert len(p.calls("NotifyEVChargingNeeds")) == 2


def test_leave_stays_withdrawn_over_a_pause_and_not_for_the_next_car():
    p = Played().boot().arrive("Dynamic")
    p.install(SETPOINT)
    allow(p, "DC")
    p.bridge.end_session(1, p.now, how="Pause")
    p.want(SessionStarted(0.0, bytes(8), EVCCID, True), ServiceSelected(0.0, "DC_BPT", "Dynamic"), NeedsChanged(0.0, NEEDS, True))
    assert p.facts(SetpointChanged)[-1].power == 0.0
    p.want(PowerStarted(0.0))
    assert p.facts(RenegotiationAsked)[-1].what == "Service"
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.run().told.clear()
    p.arrive("Dynamic")
    p.install(SETPOINT)
    assert p.facts(SetpointChanged)[-1].power == -5000.0


def test_leave_that_cannot_be_given_is_refused():
    p = Played().boot().arrive()
    assert allow(p, "DC", transactionId="?")["statusInfo"]["reasonCode"] == "InvalidValue"
    assert allow(p, "AC_three_phase")["statusInfo"]["reasonCode"] == "InvalidValue"
    p.charger.variables["ISO15118Ctrlr.ServiceRenegotiationSupport"] = "false"
    assert allow(p, "DC")["statusInfo"]["reasonCode"] == "UnsupportedRequest"
    assert not p.facts(ServicesAllowed)


# --- the rest of what a CSMS asks ---


def test_variables_are_read_set_and_refused():
    p = Played().boot()

    def read(component: str, variable: str, **more) -> dict:
        asked = {"component": {"name": component} | more, "variable": {"name": variable}}
        return p.ask("GetVariables", {"getVariableData": [asked]})["getVariableResult"][0]

    def write(component: str, variable: str, value: str) -> str:
        asked = {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": value}
        return p.ask("SetVariables", {"setVariableData": [asked]})["setVariableResult"][0]["attributeStatus"]

    assert read("ISO15118Ctrlr", "PnCEnabled")["attributeValue"] == "true"
    assert read("V2XChargingCtrlr", "SupportedEnergyTransferModes", evse={"id": 1})["attributeValue"] == "DC,DC_BPT"
    assert read("V2XChargingCtrlr", "SupportedEnergyTransferModes")["attributeStatus"] == "UnknownComponent"
    assert read("Toaster", "Heat")["attributeStatus"] == "UnknownComponent"
    assert read("TxCtrlr", "Heat")["attributeStatus"] == "UnknownVariable"
    assert read("SecurityCtrlr", "BasicAuthPassword") | {"component": 0, "variable": 0} == {
        "attributeStatus": "Rejected",
        "attributeStatusInfo": {"reasonCode": "WriteOnly"},
        "component": 0,
        "variable": 0,
    }
    assert write("SampledDataCtrlr", "TxUpdatedInterval", "15") == "Accepted"
    assert write("SampledDataCtrlr", "TxUpdatedInterval", "often") == "Rejected"
    assert write("SampledDataCtrlr", "TxUpdatedMeasurands", "SoC,Nonsense") == "Rejected"
    assert write("ISO15118Ctrlr", "Enabled", "false") == "Rejected"
    assert write("SecurityCtrlr", "BasicAuthPassword", "0123456789abcdef") == "Rejected"  # no charge point is there that would use it
    p.bridge.plug_in(1, p.now)
    p.run(31.0)
    assert len([e for e in p.events if e["triggerReason"] == "MeterValuePeriodic"]) == 2


def test_what_is_known_of_the_car_is_in_the_device_model():
    p = Played().boot().arrive()
    values = {key[1]: value for key, value in p.charger.variables.values.items() if key[0] == "ConnectedEV"}
    assert values["VehicleId"] == EVCCID
    assert values["StateOfCharge"] == "40"
    p.bridge.unplug(1, p.now)
    assert p.charger.variables[("ConnectedEV", "Available", "", 1)] == "false"
    assert p.charger.variables[("ConnectedEV", "VehicleId", "", 1)] == ""


def test_reports_come_in_parts_and_hide_secrets():
    p = Played(evses=4).boot()
    p.ask("GetBaseReport", {"requestId": 3, "reportBase": "FullInventory"})
    reports = p.calls("NotifyReport")
    assert len(reports) > 1
    assert [r["seqNo"] for r in reports] == list(range(len(reports)))
    assert [r["tbc"] for r in reports] == [True] * (len(reports) - 1) + [False]
    password = next(d for r in reports for d in r["reportData"] if d["variable"]["name"] == "BasicAuthPassword")
    assert "value" not in password["variableAttribute"][0]


def test_a_reset_waits_for_the_transactions():
    p = Played().boot().arrive()
    assert p.ask("Reset", {"type": "OnIdle"}) == {"status": "Scheduled"}
    assert not p.bridge.resetting
    assert not p.facts(StopAsked)
    assert p.ask("Reset", {"type": "Immediate"}) == {"status": "Accepted"}
    assert p.facts(StopAsked)
    p.bridge.end_session(1, p.now)
    assert p.bridge.resetting
    assert p.run().events[-1]["transactionInfo"]["stoppedReason"] == "ImmediateReset"
    p.bridge.go_offline(p.now)
    p.bridge.restart(p.now)
    p.boot()
    assert p.calls("BootNotification")[-1]["reason"] == "RemoteReset"


def test_what_only_charges_is_composed_without_a_limit_of_discharging():
    p = Played().boot().arrive("Dynamic")
    p.install({"startPeriod": 0, "limit": 4000.0})
    (period,) = p.ask("GetCompositeSchedule", {"evseId": 1, "duration": 60})["schedule"]["chargingSchedulePeriod"]
    assert period == {"startPeriod": 0, "limit": 4000.0, "operationMode": "ChargingOnly"}


def test_data_of_a_vendor_is_known_to_be_unknown():
    assert Played().boot().ask("DataTransfer", {"vendorId": "org.example"}) == {"status": "UnknownVendorId"}


def test_availability_cost_status_cache_and_triggers():
    p = Played().boot()
    assert p.ask("ChangeAvailability", {"operationalStatus": "Inoperative"}) == {"status": "Accepted"}
    assert p.calls("StatusNotification")[-1]["connectorStatus"] == "Unavailable"
    assert p.ask("ChangeAvailability", {"operationalStatus": "Operative"}) == {"status": "Accepted"}
    p.arrive()
    assert p.ask("ChangeAvailability", {"operationalStatus": "Inoperative"}) == {"status": "Scheduled"}
    assert p.ask("CostUpdated", {"totalCost": 1.5, "transactionId": p.tx}) == {}
    assert p.charger.evses[1].transaction.cost == 1.5
    assert p.ask("GetTransactionStatus", {"transactionId": p.tx}) == {"ongoingIndicator": True, "messagesInQueue": False}
    assert p.ask("GetTransactionStatus", {}) == {"messagesInQueue": False}
    assert p.ask("TriggerMessage", {"requestedMessage": "TransactionEvent"})["status"] == "Accepted"
    assert p.events[-1]["triggerReason"] == "Trigger"
    assert p.ask("TriggerMessage", {"requestedMessage": "LogStatusNotification"})["status"] == "Accepted"
    assert p.ask("TriggerMessage", {"requestedMessage": "PublishFirmwareStatusNotification"})["status"] == "NotImplemented"
    assert p.ask("TriggerMessage", {"requestedMessage": "BootNotification"})["status"] == "Rejected"
    assert p.charger.cache.entries
    p.ask("ClearCache", {})
    assert not p.charger.cache.entries


SCHEMA = "urn:of:a:schema"


def test_a_car_of_minus_2_that_renews_its_contract_asks_for_an_update_and_for_one_alone():
    p = Played().boot()
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    p.answers["Get15118EVCertificate"] = {"status": "Accepted", "exiResponse": "ZXhp"}
    p.want(CertificateInstallationWanted(0.0, b"request", SCHEMA, None, update=True))
    assert p.facts(CertificateReady) == [CertificateReady(b"exi", 0)]
    [sent] = p.calls("Get15118EVCertificate")
    assert sent["action"] == "Update"
    assert "maximumContractCertificateChains" not in sent


def test_a_contract_is_fetched_for_the_car():
    p = Played().boot()
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    p.answers["Get15118EVCertificate"] = {"status": "Accepted", "exiResponse": "ZXhp", "remainingContracts": 2}
    p.want(CertificateInstallationWanted(0.0, b"request", SCHEMA, 3, ("DE8AA1A2B3C4D5",)))
    assert p.facts(CertificateReady) == [CertificateReady(b"exi", 2)]
    [sent] = p.calls("Get15118EVCertificate")
    assert (sent["action"], sent["maximumContractCertificateChains"], sent["exiRequest"]) == ("Install", 3, "cmVxdWVzdA==")
    assert sent["iso15118SchemaVersion"] == SCHEMA
    for answer in ({"status": "Failed", "exiResponse": ""}, {"status": "Accepted", "exiResponse": "?"}, "Timeout"):
        p.answers["Get15118EVCertificate"] = answer
        p.told.clear()
        p.want(CertificateInstallationWanted(0.0, b"request", SCHEMA, 3))
        assert p.facts(CertificateRefused)
    p.told.clear()
    p.want(CertificateInstallationWanted(0.0, bytes(9000), SCHEMA, 3))  # 12,000 characters do not fit the message
    assert p.facts(CertificateRefused)


def test_the_status_of_the_stations_own_certificates_is_fetched():
    certificates, root = chain()
    p = Played().boot()
    p.answers["GetCertificateStatus"] = {"status": "Accepted", "ocspResult": "T0NTUA=="}
    assert p.bridge.check_status(certificates[0], certificates[1])
    p.run()
    assert p.calls("GetCertificateStatus")[0]["ocspRequestData"]["responderURL"] == "http://ocsp.example/mo"
    assert p.bridge.staple(certificates[0]) == b"OCSP"
    assert p.bridge.staple(root) is None
    silent, _ = chain(urls=False)
    assert not p.bridge.check_status(silent[0], silent[1])


def test_a_security_event_is_said_once_the_csms_listens():
    p = Played()
    p.bridge.alarm("InvalidCsmsCertificate", "expired", p.now)
    p.bridge.alarm("InvalidCsmsCertificate", "expired", p.now)
    p.boot()
    assert [e["type"] for e in p.calls("SecurityEventNotification")] == ["InvalidCsmsCertificate", "StartupOfTheDevice"]


def test_on_a_201_link_everything_fits_that_version():
    p = Played()
    p.bridge.go_online("ocpp2.0.1", p.now)
    p.run()
    p.answers["NotifyEVChargingNeeds"] = {"status": "Processing"}
    p.arrive()  # every call is held against the schema of 2.0.1
    [needs] = p.calls("NotifyEVChargingNeeds")
    needs = written("ocpp2.0.1", "NotifyEVChargingNeeds", "Request", needs)["chargingNeeds"]
    assert needs["requestedEnergyTransfer"] == "DC"
    assert needs["dcChargingParameters"]["evMaxPower"] == 11_000
    assert p.facts(Authorized)[0].energy_transfer == ("DC", "DC_BPT")  # what this CSMS said, of what the EVSE has
    p.bridge.take_plan(p.planned[0], Offer((Tuple(1, charging=Series.constant(WALL, 60.0, 1.0)),)), None, p.now)
    p.want(ScheduleChosen(0.0, Series.constant(WALL, 60.0, -1000.0), 1), PowerStarted(0.0))
    p.bridge.take_reading(1, MeterReading("M", 5.0, 6.0, WALL), -7000.0, 400.0)
    p.want(EVReported(0.0, soc=50.0, energy_target=1.0))
    p.run(61.0)
    assert {v["measurand"] for e in p.events for m in e.get("meterValue", []) for v in m["sampledValue"]} >= {"SoC", "Power.Active.Export"}


def test_an_evse_that_gives_a_field_is_limited_in_watts():
    p = Played(services=("WPT",)).boot()
    assert p.charger.variables.words("SmartChargingCtrlr.RateUnit") == ("W",)
    p.arrive(control="Dynamic", service="WPT")
    asked = {"duration": 600, "evseId": 1, "chargingRateUnit": "A"}
    assert p.ask("GetCompositeSchedule", asked)["statusInfo"]["reasonCode"] == "UnsupportedRateUnit"
    said = p.install({"startPeriod": 0, "limit": 16.0}, chargingSchedule=[
        {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}
    ])  # fmt: skip
    assert said["status"] == "Rejected"
    p.install({"startPeriod": 0, "limit": 6000.0})
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 6000.0


def test_limits_of_the_hardware_and_of_profiles_hold_together():
    p = Played().boot().arrive(control="Dynamic")
    p.install({"startPeriod": 0, "limit": 9000.0})
    p.bridge.take_limits(1, replace(LIMITS, charge_power=7000.0), p.now)
    p.run()
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 7000.0
    p.bridge.take_limits(1, LIMITS, p.now)
    p.run()
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 9000.0
    p.told.clear()
    p.bridge.take_limits(1, LIMITS, p.now)  # what the outlet says when it is first looked at: its session was told that as well
    p.run()
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 9000.0


def test_two_evses_keep_their_own_stories():
    p = Played(evses=2).boot()
    for evse in (1, 2):
        p.bridge.plug_in(evse, p.now)
    p.run()
    assert {e["evse"]["id"] for e in p.events} == {1, 2}
    assert len({e["transactionInfo"]["transactionId"] for e in p.events}) == 2
    assert all(e["seqNo"] == 0 for e in p.events)


def test_an_outlet_out_of_service_is_faulted_until_it_is_back():
    p = Played().boot()
    outlet = OutletBackend(1, p.bridge, lambda: p.now, lambda: None)

    def status():
        return p.run().calls("StatusNotification")[-1]["connectorStatus"]

    p.arrive()
    outlet.heard(OutOfService("the contactor does not open"))
    assert status() == "Faulted"
    p.bridge.unplug(1, p.now)
    assert status() == "Faulted"
    p.ask("ChangeAvailability", {"operationalStatus": "Operative"})
    assert status() == "Faulted"
    outlet.heard(OutOfService(""))
    assert status() == "Available"
