"""The use cases of OCPP's blocks K and Q and the tests that hold them, in frames and where a car matters through the whole chain."""

import ast
from functools import cache
from pathlib import Path

import pytest

from secc.station import LimitsChanged, SetpointChanged
from tests.evcc.iso2.test_pair2 import SCRIPT as SCRIPT2
from tests.evcc.iso2.test_pair2 import car as car2
from tests.ocpp_bridge.test_bridge import ANSWERS, Played
from tests.ocpp_bridge.test_profiles import SETPOINT, profile
from tests.ocpp_bridge.whole_chain import Chain, run
from v2g.iso20.rational import number
from v2g.messages.common_messages import ScheduleExchangeRes
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryRes

HERE = Path(__file__).parent
USE_CASES: dict[str, tuple[str, ...]] = {  # number: module::test, without test_
    "K01": (
        "profiles::a_profile_is_accepted_or_rejected_with_the_reason_code_of_the_specification",
        "profiles::the_evse_must_exist_and_a_tx_profile_names_one",
    ),
    "K02": ("modes::what_the_csms_says_is_what_flows", "use_cases::a_schedule_of_the_csms_is_what_a_scheduled_car_draws"),
    "K03": ("bridge::the_local_plan_keeps_the_profiles_of_the_station", "story::a_station_limit_lowers_what_the_evse_offers"),
    "K04": ("profiles::a_limit_of_the_station_is_shared_by_those_who_draw",),
    "K05": (
        "bridge::a_profile_that_comes_with_a_remote_start_is_the_cars",
        "bridge::a_profile_may_come_before_its_car",
        "use_cases::a_remote_start_with_a_profile_that_cannot_lead_is_refused",
    ),
    "K06": ("bridge::a_lost_csms_does_not_freeze_a_discharge_for_ever", "profiles::a_profile_ends_with_its_time_offline"),
    "K07": ("use_cases::a_car_that_comes_while_the_csms_is_away_keeps_to_its_default",),
    "K08": ("bridge::the_composite_is_told_within_what_the_evse_can_do", "modes::the_composite_is_told_with_its_mode_and_curves"),
    "K09": ("bridge::many_profiles_are_reported_in_parts", "modes::of_limits_from_elsewhere_each_holds"),
    "K10": ("profiles::only_what_is_not_of_the_csms_is_kept_from_being_cleared", "use_cases::a_profile_that_is_cleared_leads_no_more"),
    "K11": ("modes::a_limit_from_elsewhere_holds_is_told_and_is_not_the_csms_s_to_clear",),
    "K12": ("modes::limits_that_move_quickly_are_told_once_a_second_as_they_stand_then",),
    "K13": ("modes::a_limit_from_elsewhere_holds_is_told_and_is_not_the_csms_s_to_clear",),
    "K14": ("modes::of_limits_from_elsewhere_each_holds",),
    "K16": (
        "live::a_csms_that_changes_its_mind_reaches_the_car_in_its_charge_loop",
        "story::a_new_schedule_in_scheduled_control_asks_the_car_to_renegotiate",
    ),
    "K17": ("bridge::a_car_that_asks_anew_is_asked_for_anew_if_it_wants_something_else",),
    "K18": (
        "use_cases::a_schedule_of_the_csms_is_what_a_scheduled_car_draws",
        "bridge::three_schedules_are_three_tuples_and_the_chosen_one_is_told",
    ),
    "K19": ("modes::what_the_csms_says_is_what_flows", "bridge::the_schedule_that_is_told_names_the_setpoint_it_follows"),
    "K20": ("bridge::needs_that_change_in_the_loop_are_told_again_but_not_often",),
    "K21": ("modes::priority_replaces_what_leads_while_it_is_active",),
    "K22": ("modes::priority_needs_its_profile_and_its_transaction",),
    "K28": ("profiles::a_dynamic_profile_takes_updates_and_expires_without", "bridge::a_dynamic_profile_is_pulled_at_its_interval"),
    "K29": ("modes::limits_that_move_quickly_are_told_once_a_second_as_they_stand_then",),
    "Q01": ("bridge::discharging_needs_the_leave_of_the_csms", "bridge::an_energy_transfer_that_is_refused_ends_the_session"),
    "Q02": ("leave::leave_that_is_granted_brings_the_car_to_the_bidirectional_service", "bridge::leave_to_discharge_may_come_later"),
    "Q03": (
        "use_cases::a_schedule_of_the_csms_is_what_a_scheduled_car_draws",
        "story::a_bidirectional_session_by_prices_from_boot_to_goodbye",
    ),
    "Q04": ("modes::what_the_csms_says_is_what_flows", "story::a_setpoint_of_the_csms_reaches_a_car_in_dynamic_control_at_once"),
    "Q05": ("modes::an_energy_management_sets_the_power_within_the_limits_of_the_csms",),
    "Q06": ("modes::an_energy_management_sets_the_power_within_the_limits_of_the_csms",),
    "Q07": ("modes::what_the_csms_says_is_what_flows",),
    "Q08": (
        "modes::a_car_follows_the_frequency_by_the_curve_of_the_csms",
        "modes::a_signal_of_the_csms_moves_the_cars_that_have_a_curve_for_it",
    ),
    "Q09": ("modes::a_car_balances_the_load_at_the_upstream_meter", "modes::a_band_is_kept_and_gone_back_into"),
    "Q10": ("modes::what_the_csms_says_is_what_flows",),
    "Q11": ("use_cases::a_discharge_ends_with_its_time_offline_and_resumes_unless_it_is_invalid",),
    "Q12": ("use_cases::a_discharge_ends_with_its_time_offline_and_resumes_unless_it_is_invalid",),
}
NOT_HERE = {"K15"}  # of ISO 15118-2


@cache
def written_in(module: str) -> frozenset[str]:
    tree = ast.parse((HERE / f"test_{module}.py").read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("number", USE_CASES)
def test_every_use_case_has_its_tests(number):
    for named in USE_CASES[number]:
        module, _, name = named.partition("::")
        assert f"test_{name}" in written_in(module), named


def test_no_use_case_is_forgotten():
    wanted = {f"K{n:02}" for n in (*range(1, 23), 28, 29)} | {f"Q{n:02}" for n in range(1, 13)}
    assert USE_CASES.keys() | NOT_HERE == wanted


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
