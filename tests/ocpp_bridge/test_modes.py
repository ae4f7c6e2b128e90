"""Every operation mode through the whole chain: the number that left the CSMS, or was told at the station, in the car and in the meter."""

from dataclasses import replace
from typing import Any

import pytest

from ocpp_bridge.smart.feeds import FREQUENCY_LASTS, SIGNAL_LASTS, SIGNALS_AHEAD, UPSTREAM_LASTS, Band, Feeds, Limit, Told
from ocpp_bridge.smart.periods import Curve, Period, RanOut
from ocpp_bridge.smart.profiles import Profiles
from ocpp_bridge.wire.times import timestamp
from secc.station import EVReported, LimitsChanged, PowerStarted, ScheduleChosen, SetpointChanged
from tests.ocpp_bridge.ocpp_stand import NEEDS, WALL
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_profiles import DC, RESPONSE, T0, caps, profile
from tests.ocpp_bridge.whole_chain import Chain, run
from v2g.energy.series import Series
from v2g.iso20.rational import number
from v2g.messages.ac import AC_ChargeLoopRes
from v2g.messages.dc import DC_ChargeLoopRes

LOOPS = 60


def led(mode: str, **more: Any) -> dict[str, Any]:
    return profile({"startPeriod": 0, "operationMode": mode} | more)


def frequency(hertz: float):
    return lambda chain: chain.bridge.take_frequency(hertz, chain.now)


def again(said):
    """A scene from which on something is told at every loop."""

    def begin(chain: Chain) -> None:
        chain.telling = said
        said(chain)

    return begin


def told_powers(chain: Chain) -> set[tuple[float, float]]:
    """The most that the car was told to charge and to discharge in its loops."""
    loops = [frame.CLResControlMode for frame in chain.frames(DC_ChargeLoopRes)]
    return {(number(mode.EVSEMaximumChargePower), abs(number(mode.EVSEMaximumDischargePower))) for mode in loops}


@pytest.mark.parametrize(
    ("made", "power", "told"),
    [
        (led("ChargingOnly", limit=7_000.0), 7_000, (7_000.0, 0.0)),
        (led("CentralSetpoint", setpoint=-8_000.0), -8_000, (0.0, 8_000.0)),
        (led("CentralSetpoint", setpoint=5_000.0, limit=9_000.0), 5_000, (5_000.0, 0.0)),
        (led("CentralFrequency", setpoint=-3_000.0, dischargeLimit=-4_000.0), -3_000, (0.0, 3_000.0)),
        (led("ExternalLimits", limit=6_000.0, dischargeLimit=-2_000.0), 6_000, (6_000.0, 2_000.0)),
        (led("Idle"), 0, (0.0, 0.0)),
    ],
    ids=lambda value: value["chargingSchedule"][0]["chargingSchedulePeriod"][0]["operationMode"] if isinstance(value, dict) else None,
)
def test_what_the_csms_says_is_what_flows(made, power, told):
    chain = run(profile=made, loops=LOOPS)
    assert chain.received == [{"status": "Accepted"}]
    assert chain.settled(30, 50) == {power}
    assert told in told_powers(chain)
    assert (chain.exported > 1.0, chain.imported > 1.0) == (power < 0, power > 0)  # Wh; the pre-charge takes a fortieth
    (needs,) = chain.calls("NotifyEVChargingNeeds")
    assert needs["chargingNeeds"]["controlMode"] == "DynamicControl"
    assert chain.calls("NotifyEVChargingSchedule")


def test_a_car_follows_the_frequency_by_the_curve_of_the_csms():
    curve = RESPONSE | {"limit": 11_000.0, "dischargeLimit": -4_000.0}
    scenes = {1: again(frequency(50.0)), 20: again(frequency(49.9)), 40: again(frequency(49.0))}
    chain = run(profile=profile(curve), loops=LOOPS, scenes=scenes, prepare=frequency(50.0))
    assert chain.received == [{"status": "Accepted"}]
    assert [chain.settled(*span) for span in ((8, 19), (25, 39), (48, 55))] == [{1_000}, {-2_000}, {-4_000}]


def test_a_frequency_that_falls_silent_is_no_leave_to_discharge():
    chain = run(
        profile=led("LocalFrequency", limit=11_000.0, v2xBaseline=0.0, v2xFreqWattCurve=RESPONSE["v2xFreqWattCurve"]),
        loops=LOOPS,
        scenes={2: frequency(49.8)},
        prepare=frequency(50.0),
    )
    assert -6_000 in chain.settled(5, 30)
    assert min(power for loop, power in chain.powers if loop > 50) >= 0
    assert max(power for _, power in chain.powers) <= 11_000


def test_an_energy_management_sets_the_power_within_the_limits_of_the_csms():
    def wants(power: float):
        return lambda chain: chain.bridge.take_setpoint(1, power, chain.now)

    chain = run(
        profile=led("ExternalSetpoint", limit=6_000.0, dischargeLimit=-2_000.0),
        loops=LOOPS,
        scenes={5: wants(-1_500.0), 20: wants(-9_000.0), 40: wants(20_000.0)},
        prepare=wants(500.0),
    )
    assert [chain.settled(*span) for span in ((10, 19), (25, 39), (45, 55))] == [{-1_500}, {-2_000}, {6_000}]


def test_a_car_balances_the_load_at_the_upstream_meter():
    def house(power: float):
        def said(chain: Chain) -> None:
            chain.bridge.take_upstream(power + chain.output[0] * chain.output[1], chain.now)

        return said

    chain = run(
        profile=led("LocalLoadBalancing", limit=9_000.0, dischargeLimit=-9_000.0),
        loops=LOOPS,
        scenes={1: again(house(3_000.0)), 30: again(house(-4_000.0))},
        prepare=lambda chain: chain.bridge.take_upstream(0.0, 0.0),
    )
    assert chain.settled(10, 29) == {-3_000}  # what the house draws comes out of the car: nothing is left for the meter
    assert chain.settled(40, 55) == {4_000}  # and what its roof gives goes into it


@pytest.mark.parametrize(
    ("mode", "more"),
    [("LocalFrequency", RESPONSE), ("LocalLoadBalancing", {}), ("ExternalSetpoint", {})],
)
def test_a_mode_that_would_follow_nothing_is_refused(mode, more):
    p = Played().boot().arrive("Dynamic")
    answer = p.install(more | {"startPeriod": 0, "operationMode": mode})
    assert answer["statusInfo"]["reasonCode"] == "InvalidOperationMode"
    assert "nobody tells" in answer["statusInfo"]["additionalInfo"] or "no energy management" in answer["statusInfo"]["additionalInfo"]
    supported = "V2XChargingCtrlr", "SupportedOperationModes", "", 1
    assert mode not in p.charger.variables[supported]
    tell_all(p)
    assert mode in p.charger.variables[supported]
    assert p.install(more | {"startPeriod": 0, "operationMode": mode}) == {"status": "Accepted"}


def tell_all(p: Played) -> None:
    p.bridge.take_frequency(50.0, p.now)
    p.bridge.take_upstream(2_000.0, p.now)
    p.bridge.take_setpoint(0, -1_000.0, p.now)


def test_a_car_with_a_schedule_of_its_own_cannot_follow_the_moment():
    p = Played().boot().arrive("Scheduled")
    tell_all(p)
    assert p.install(RESPONSE)["statusInfo"]["reasonCode"] == "InvalidOperationMode"


# --- what is told, in numbers ---


@pytest.mark.parametrize("mode", ["LocalFrequency", "LocalLoadBalancing", "ExternalSetpoint"])
def test_a_value_that_is_too_old_is_none(mode):
    feeds = Feeds(frequency=Told(50.0, 3.0), upstream=Told(700.0, 3.0), setpoints={0: Told(-700.0, 3.0)})
    period = Period(mode=mode, curve=Curve())
    made, until = feeds.resolve(period, 1, 2.9, WALL)
    assert made is not None
    assert (made.setpoint, until) == ({"LocalFrequency": 0.0}.get(mode, -700.0), 3.0)
    assert feeds.resolve(period, 1, 3.0, WALL) == (None, float("inf"))
    assert feeds.missing(mode, 1, 2.9) == ""
    assert feeds.missing(mode, 1, 3.0)


def test_a_signal_is_over_after_its_time_and_the_next_takes_its_place():
    feeds = Feeds()
    assert feeds.take_signal(WALL, 7, WALL)
    assert feeds.take_signal(WALL + 60, 9, WALL)
    assert feeds.signal(WALL + 59) == (7, 1.0)
    assert feeds.signal(WALL + 60) == (9, SIGNAL_LASTS)
    assert feeds.signal(WALL + 60 + SIGNAL_LASTS) == (0, float("inf"))
    assert not feeds.take_signal(WALL - SIGNAL_LASTS, 1, WALL)
    assert [feeds.take_signal(WALL + n, n, WALL) for n in range(61, 200)].count(True) == SIGNALS_AHEAD - 1


def test_local_generation_adds_nothing_to_what_stands_in_for_a_profile():
    profiles = Profiles()
    profiles.install(1, profile({"startPeriod": 0, "limit": 1_000.0}, schedule={"duration": 60}), T0)
    profiles.install(1, profile({"startPeriod": 0, "limit": 3_000.0}, id=2, purpose="LocalGeneration"), T0)
    before = profiles.present(DC, T0, ran_out=RanOut("local"))
    assert before.period.limit == 4_000.0
    assert profiles.present(DC, T0 + 60, ran_out=RanOut("local").after(before.led)).period.limit == 1_000.0


def test_a_curve_is_straight_between_its_points_and_level_beyond():
    curve = Curve(100.0, ((49.0, -50.0), (51.0, 50.0)), ((-10.0, -7.0), (10.0, 7.0)))
    assert [curve.power(hertz, 0) for hertz in (40.0, 49.0, 49.5, 50.0, 51.0, 60.0)] == [50.0, 50.0, 75.0, 100.0, 150.0, 150.0]
    assert [curve.power(50.0, signal) for signal in (-99, 10, 5)] == [93.0, 107.0, 103.5]


@pytest.mark.parametrize(
    ("others", "wish", "power"),
    [(1_000.0, 0.0, 0.0), (6_000.0, 0.0, -1_500.0), (-3_000.0, 0.0, 2_200.0), (6_000.0, -3_000.0, -3_000.0), (0.0, 9_000.0, 4_500.0)],
)
def test_a_band_is_kept_and_gone_back_into(others, wish, power):
    assert Band(-1_000.0, 5_000.0, 200.0, 500.0).follow(others, wish) == power


def followed(p: Played) -> float | None:
    return p.facts(SetpointChanged)[-1].power


def test_a_signal_of_the_csms_moves_the_cars_that_have_a_curve_for_it():
    p = Played().boot().arrive("Dynamic")
    tell_all(p)
    signal = {"timestamp": timestamp(WALL + p.now), "signal": 50}
    assert p.ask("AFRRSignal", signal)["statusInfo"]["reasonCode"] == "NoSignalWattCurve"
    p.install(RESPONSE | {"v2xSignalWattCurve": [{"signal": -100, "power": -4_000.0}, {"signal": 100, "power": 4_000.0}]})
    assert followed(p) == 1_000.0
    assert p.ask("AFRRSignal", signal) == {"status": "Accepted"}
    p.run()
    assert followed(p) == 3_000.0
    for _ in range(int(SIGNAL_LASTS)):
        p.bridge.take_frequency(50.0, p.now)
        p.run(1.0)
    assert followed(p) == 1_000.0  # it is over
    late = {"timestamp": timestamp(WALL - 2 * SIGNAL_LASTS), "signal": 50}
    assert p.ask("AFRRSignal", late)["statusInfo"]["reasonCode"] == "InvalidValue"
    assert p.ask("AFRRSignal", {"timestamp": timestamp(WALL + p.now + 2), "signal": -50}) == {"status": "Accepted"}
    p.bridge.take_frequency(50.0, p.now)
    assert followed(p.run(1.0)) == 1_000.0
    p.bridge.take_frequency(50.0, p.now)
    assert followed(p.run(1.5)) == -1_000.0


@pytest.mark.parametrize("fallback", ["local", "hold", "zero", "free"])
@pytest.mark.parametrize(("mode", "lasts"), [(RESPONSE, FREQUENCY_LASTS), ({"operationMode": "LocalLoadBalancing"}, UPSTREAM_LASTS)])
def test_silence_gives_no_more_than_the_profile_and_no_discharge(mode, lasts, fallback):
    p = Played(fallback=fallback).boot().arrive("Dynamic")
    tell_all(p)
    p.bridge.take_frequency(49.8, p.now)
    p.install(mode | {"startPeriod": 0, "limit": 3_000.0})
    p.run()
    before = followed(p)
    assert before < 0
    p.run(lasts + 1.0)
    limits = p.facts(LimitsChanged)[-1].limits
    assert limits.discharge_power == 0.0
    assert limits.charge_power <= 3_000.0
    assert (followed(p) or 0.0) >= 0.0


def test_a_meter_that_tells_nonsense_is_silent():
    p = Played().boot().arrive("Dynamic")
    for nothing in (float("nan"), float("inf"), -1.0, 0.0, 5_000.0):
        p.bridge.take_frequency(nothing, p.now)
    p.bridge.take_upstream(float("nan"), p.now)
    p.bridge.take_setpoint(1, float("inf"), p.now)
    assert (p.charger.feeds.frequency, p.charger.feeds.upstream, p.charger.feeds.setpoints) == (None, None, {})


# --- rules of a schedule ---


def test_a_rate_that_is_not_worth_charging_with_is_none():
    p = Played().boot().arrive("Dynamic")
    p.install(schedule={"minChargingRate": 2_000.0})
    cap = profile({"startPeriod": 0, "limit": 1_500.0}, id=9, purpose="ChargingStationExternalConstraints")
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 11_000.0
    p.ask("SetChargingProfile", {"evseId": 0, "chargingProfile": cap})
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 0.0


def test_a_limit_from_a_state_of_charge_on_holds_from_there_on():
    p = Played().boot().arrive("Dynamic")
    assert p.install(schedule={"limitAtSoC": {"soc": 60, "limit": 2_000.0}}) == {"status": "Accepted"}
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 11_000.0
    p.want(EVReported(0.0, power=11_000.0, soc=59.0))
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 11_000.0
    p.want(EVReported(0.0, power=11_000.0, soc=60.0))
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 2_000.0


def test_a_car_that_tells_no_state_of_charge_has_no_such_limit():
    p = Played().boot().arrive("Dynamic", needs=replace(NEEDS, soc=None))
    assert p.install(schedule={"limitAtSoC": {"soc": 60, "limit": 2_000.0}})["statusInfo"]["reasonCode"] == "InvalidSchedule"


def test_changes_come_later_by_a_delay_that_is_drawn_once():
    p = Played().boot().arrive("Dynamic")
    p.install({"startPeriod": 0, "limit": 9_000.0}, {"startPeriod": 60, "limit": 5_000.0}, schedule={"randomizedDelay": 30})
    (held,) = p.charger.profiles.held.values()
    assert 0 < held.delay <= 30  # the stand's entropy counts up
    p.run(60.0 + held.delay - 1.0)
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 9_000.0
    p.run(1.0)
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 5_000.0


def test_a_reactive_power_reaches_an_ac_car_that_is_led():
    chain = run("AC_BPT", profile=led("CentralSetpoint", setpoint=4_000.0, setpointReactive=-1_200.0), loops=LOOPS)
    assert chain.received == [{"status": "Accepted"}]
    loops = [frame.CLResControlMode for frame in chain.frames(AC_ChargeLoopRes)]
    parts = [(mode.EVSETargetReactivePower, mode.EVSETargetReactivePower_L2, mode.EVSETargetReactivePower_L3) for mode in loops[10:]]
    assert {round(sum(number(part) for part in each if part is not None)) for each in parts} == {-1_200}
    assert chain.settled(30, 50) == {4_000}


def test_active_and_reactive_power_together_pass_no_limit_of_the_hardware():
    p = Played(services=("AC", "AC_BPT")).boot().arrive("Dynamic", "AC_BPT")
    p.install({"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": 9_000.0, "setpointReactive": 1e6})
    fact = p.facts(SetpointChanged)[-1]
    assert (fact.power**2 + fact.reactive**2) ** 0.5 == pytest.approx(50_000.0)
    for control, service in (("Scheduled", "AC_BPT"), ("Dynamic", "DC_BPT")):
        other = Played(services=("AC_BPT", "DC_BPT")).boot().arrive(control, service)
        answer = other.install({"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": 1.0, "setpointReactive": 1.0})
        assert answer["statusInfo"]["reasonCode"] == "InvalidSchedule"


# --- priority, local generation, limits from elsewhere ---

FIRST = profile({"startPeriod": 0, "limit": 20_000.0}, id=30, purpose="PriorityCharging")


def test_priority_replaces_what_leads_while_it_is_active():
    def use(activate: bool):
        return lambda chain: chain.say(
            "UsePriorityCharging", {"transactionId": chain.bridge.charger.evses[1].transaction.id} | {"activate": activate}
        )

    chain = run(
        profile=led("CentralSetpoint", setpoint=-5_000.0),
        loops=LOOPS,
        scenes={5: lambda chain: chain.install(FIRST), 20: use(True), 40: use(False)},
    )
    assert chain.received == [{"status": "Accepted"}] * 4
    assert chain.settled(10, 19) == {-5_000}
    assert chain.settled(25, 39) == {20_000}
    assert chain.settled(48, 55) == {-5_000}
    told = [call["chargingSchedule"]["chargingSchedulePeriod"][0] for call in chain.calls("NotifyEVChargingSchedule")]
    assert [period.get("setpoint", period["limit"]) for period in told][-3:] == [-5_000.0, 20_000.0, -5_000.0]


def test_priority_needs_its_profile_and_its_transaction():
    p = Played().boot().arrive("Dynamic")
    use = {"transactionId": p.tx, "activate": True}
    assert p.ask("UsePriorityCharging", use)["status"] == "NoProfile"
    assert p.bridge.take_priority(1, True, p.now) is False
    assert p.ask("UsePriorityCharging", use | {"transactionId": "other"})["statusInfo"]["reasonCode"] == "TxNotFound"
    p.ask("SetChargingProfile", {"evseId": 0, "chargingProfile": FIRST})
    assert p.bridge.take_priority(1, True, p.now)
    p.run(1.0)
    assert p.calls("NotifyPriorityCharging") == [{"transactionId": p.tx, "activated": True}]
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 20_000.0
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 0.0


def test_a_limit_from_elsewhere_holds_is_told_and_is_not_the_csms_s_to_clear():
    chain = run(
        profile=led("CentralSetpoint", setpoint=9_000.0),
        loops=LOOPS,
        scenes={
            10: lambda chain: chain.bridge.take_limit(Limit("EMS", 0, charge=4_000.0), chain.now),
            15: lambda chain: chain.say("ClearChargingProfile", {"chargingProfileCriteria": {"chargingProfilePurpose": EXTERNAL}}),
            40: lambda chain: chain.bridge.drop_limit("EMS", 0, chain.now),
        },
    )
    assert [chain.settled(*span) for span in ((5, 9), (20, 39), (48, 55))] == [{9_000}, {4_000}, {9_000}]
    assert chain.received[1]["status"] == "Unknown"
    (told,) = chain.calls("NotifyChargingLimit")
    assert told["chargingLimit"] == {"chargingLimitSource": "EMS", "isGridCritical": False, "isLocalGeneration": False}
    assert told["chargingSchedule"][0]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 4_000.0, "operationMode": "ChargingOnly"}]
    assert chain.calls("ClearedChargingLimit") == [{"chargingLimitSource": "EMS"}]


EXTERNAL = "ChargingStationExternalConstraints"


def test_of_limits_from_elsewhere_each_holds():
    p = Played().boot().arrive("Dynamic")
    p.install()
    p.bridge.take_limit(Limit("EMS", 1, charge=8_000.0, discharge=0.0), p.now)
    p.bridge.take_limit(Limit("SO", 0, charge=3_000.0, critical=True), p.now)
    p.run(1.0)
    cap = profile({"startPeriod": 0, "limit": 6_000.0}, id=9, purpose=EXTERNAL, stack=99)
    p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": cap})
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 3_000.0
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 0.0
    p.bridge.drop_limit("SO", 0, p.now)
    p.run(1.0)
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 6_000.0
    p.ask("GetChargingProfiles", {"requestId": 4, "chargingProfile": {"chargingLimitSource": ["EMS"]}})
    p.run()
    assert [report["chargingLimitSource"] for report in p.calls("ReportChargingProfiles")] == ["EMS"]


def test_local_generation_adds_to_the_limit_and_passes_none_from_elsewhere():
    p = Played().boot().arrive("Dynamic")
    p.install({"startPeriod": 0, "limit": 5_000.0})
    p.bridge.take_limit(Limit("EMS", 1, charge=3_000.0, generation=True), p.now)
    p.run(1.0)
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 8_000.0
    p.bridge.take_limit(Limit("SO", 0, charge=6_000.0), p.now)
    p.run(1.0)
    assert p.facts(LimitsChanged)[-1].limits.charge_power == 6_000.0
    assert [told["chargingLimit"]["isLocalGeneration"] for told in p.calls("NotifyChargingLimit")] == [True, False]


def test_limits_that_move_quickly_are_told_once_a_second_as_they_stand_then():
    p = Played().boot().arrive("Dynamic")
    for n in range(50):
        p.bridge.take_limit(Limit("EMS", 0, charge=10_000.0 - 100.0 * n), p.now)
        p.run(0.1)
    told = [each["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] for each in p.calls("NotifyChargingLimit")]
    p.run(2.0)
    assert 5 <= len(told) <= 7
    assert p.calls("NotifyChargingLimit")[-1]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 5_100.0


@pytest.mark.parametrize(
    "limit",
    [Limit("CSO", 0, 1.0), Limit("EMS", 7, 1.0), Limit("EMS", 0), Limit("EMS", 0, -1.0), Limit("EMS", 0, float("nan"))],
    ids=str,
)
def test_what_is_no_limit_is_refused(limit):
    p = Played().boot()
    with pytest.raises(ValueError, match="limit"):
        p.bridge.take_limit(limit, p.now)
    assert not p.charger.profiles.held


# --- what the CSMS hears of it ---


def test_a_csms_hears_what_a_led_car_follows_after_every_change():
    chain = run(
        profile=led("CentralSetpoint", setpoint=-5_000.0),
        loops=LOOPS,
        scenes={20: lambda chain: chain.install(led("CentralSetpoint", setpoint=3_000.0) | {"id": 2, "stackLevel": 1})},
    )
    told = [call["chargingSchedule"]["chargingSchedulePeriod"][0] for call in chain.calls("NotifyEVChargingSchedule")]
    assert [(period["setpoint"], period["operationMode"]) for period in told] == [
        (-5_000.0, "CentralSetpoint"),
        (3_000.0, "CentralSetpoint"),
    ]


def test_what_changes_quickly_is_told_once_a_second():
    p = Played().boot().arrive("Dynamic")
    p.install(kind="Dynamic", schedule={"duration": 7_200})
    begin(p)
    for n in range(40):
        p.ask("UpdateDynamicSchedule", {"chargingProfileId": 1, "scheduleUpdate": {"limit": 5_000.0 + n}})
    p.run(2.0)
    told = p.calls("NotifyEVChargingSchedule")
    assert 5 <= len(told) <= 8  # of four seconds
    assert told[-1]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 5_039.0


def begin(p: Played) -> None:
    p.want(ScheduleChosen(0.0, Series(WALL), None, None), PowerStarted(0.0))


def test_the_composite_is_told_with_its_mode_and_curves():
    p = Played().boot().arrive("Dynamic")
    tell_all(p)
    p.install(RESPONSE | {"limit": 9_000.0, "dischargeLimit": -3_000.0})
    answer = p.ask("GetCompositeSchedule", {"evseId": 1, "duration": 600})
    (period,) = answer["schedule"]["chargingSchedulePeriod"]
    assert period == RESPONSE | {"limit": 9_000.0, "dischargeLimit": -3_000.0}


# --- over a restart ---


def test_profiles_outlive_the_process_and_those_of_a_transaction_go_with_it():
    p = Played().boot().arrive("Dynamic")
    p.install({"startPeriod": 0, "limit": 4_000.0})
    p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile(id=5, purpose="TxDefaultProfile")})
    p.bridge.take_limit(Limit("EMS", 0, charge=8_000.0), p.now)
    kept = dict(p.charger.kept)
    after = Played()
    after.bridge.restore(kept)
    assert list(after.charger.profiles.held) == [1, 5]  # the car may still be there
    after.boot()
    after.bridge.unplug(1, after.now)
    after.run(10.0)
    assert list(after.charger.profiles.held) == [5]
    assert after.charger.profiles.held[5].kept == kept["profile/5"]
    p.ask("ClearChargingProfile", {"chargingProfileId": 5})
    p.gone_and_alone()
    assert not [name for name in p.charger.kept if name.startswith("profile/")]
    broken = Played()
    broken.bridge.restore({"profile/1": {"profile": {}}, "profile/2": 5})
    assert not broken.charger.profiles.held


def test_updates_that_come_too_fast_are_refused():
    p = Played().boot().arrive("Dynamic")
    p.charger.variables["SmartChargingCtrlr.UpdateRateLimit"] = "10"
    p.install(kind="Dynamic")
    update = {"chargingProfileId": 1, "scheduleUpdate": {"limit": 1.0}}
    assert p.ask("UpdateDynamicSchedule", update)["statusInfo"]["reasonCode"] == "RateLimitExceeded"
    p.run(10.0)
    assert p.ask("UpdateDynamicSchedule", update) == {"status": "Accepted"}


def test_limits_from_elsewhere_are_not_the_csms_s_where_that_is_set():
    p = Played().boot()
    p.charger.variables["SmartChargingCtrlr.ExternalConstraintsProfileDisallowed"] = "true"
    answer = p.ask("SetChargingProfile", {"evseId": 0, "chargingProfile": profile(purpose=EXTERNAL)})
    assert answer["statusInfo"]["reasonCode"] == "InvalidProfile"


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_a_limit_holds_while_a_car_under_power_waits_for_another_schedule(control: str):
    p = Played().boot().arrive(control)
    p.run(p.charger.patience)
    p.want(PowerStarted(0.0))
    p.charger.evses[1].session.asked = True  # it has asked, and the CSMS has not sent one yet
    p.told.clear()
    assert p.ask(
        "SetChargingProfile", {"evseId": 0, "chargingProfile": caps(3_000.0, kind="Absolute", schedule={"startSchedule": timestamp(WALL)})}
    ) == {"status": "Accepted"}
    p.run(1.0)
    assert [told.limits.charge_power for told in p.facts(LimitsChanged)] == [3_000.0]
    assert p.charger.evses[1].session.asked  # the schedule is still to come
