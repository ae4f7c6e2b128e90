"""Charging profiles: what is accepted, and what the composite of all says."""

import math
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge.smart.acceptance import CHECKS, PROFILES_MAXIMUM, judge
from ocpp_bridge.smart.periods import INSTEAD, Outlet, Period, RanOut, capped, watts
from ocpp_bridge.smart.profiles import PURPOSES, Profiles, Rejected
from ocpp_bridge.wire.schemas import check
from ocpp_bridge.wire.times import epoch, timestamp

T0 = 1_795_370_400.0
DC = Outlet(1, in_watts=True, transaction="tx", started=T0)
AC = Outlet(1, in_watts=False, phases=3, voltage=230.0, transaction="tx", started=T0)


def profile(*periods: dict, id: int = 1, purpose: str = "TxProfile", kind: str = "Relative", stack: int = 0, **more) -> dict:
    said, schedule = {"startPeriod": 0, "limit": 11_000.0}, more.pop("schedule", {})
    made = {
        "id": id,
        "stackLevel": stack,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": [{"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": list(periods or (said,))} | schedule],
    }
    if purpose == "TxProfile":
        made["transactionId"] = "tx"
    return made | more


def verdict(made: dict, outlet: Outlet = DC, evse: int = 1, profiles: Profiles | None = None) -> str:
    check("ocpp2.1", "SetChargingProfile", "Request", {"evseId": evse, "chargingProfile": made})  # whatever we judge, the schema allows
    try:
        judge(evse, made, {1: outlet}, profiles or Profiles())
    except Rejected as rejected:
        return rejected.reason
    return "Accepted"


SETPOINT = {"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -5000.0}
RESPONSE = {
    "startPeriod": 0,
    "operationMode": "LocalFrequency",
    "v2xBaseline": 1000.0,
    "v2xFreqWattCurve": [{"frequency": 49.8, "power": -6000.0}, {"frequency": 50.2, "power": 6000.0}],
}
DEFAULT = {"purpose": "TxDefaultProfile"}


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (profile(), "Accepted"),
        (profile(SETPOINT), "Accepted"),
        (profile(SETPOINT | {"limit": 7000.0, "dischargeLimit": -7000.0}), "Accepted"),
        (profile(SETPOINT | {"limit": 7000.0, "dischargeLimit": -4000.0}), "InvalidSchedule"),
        (profile(SETPOINT | {"setpoint": 8000.0, "limit": 7000.0}), "InvalidSchedule"),
        (profile({"startPeriod": 0, "operationMode": "CentralSetpoint", "limit": 1.0}), "InvalidSchedule"),
        (profile({"startPeriod": 0}), "InvalidSchedule"),
        (profile({"startPeriod": 0, "operationMode": "ExternalLimits"}), "Accepted"),
        (profile({"startPeriod": 0, "operationMode": "LocalLoadBalancing"}), "Accepted"),
        (profile({"startPeriod": 0, "operationMode": "ExternalSetpoint"}), "Accepted"),
        (profile({"startPeriod": 0, "operationMode": "LocalFrequency"}), "NoFreqWattCurve"),
        (profile(RESPONSE), "Accepted"),
        (profile({k: v for k, v in RESPONSE.items() if k != "v2xBaseline"}), "NoFreqWattCurve"),
        (profile(RESPONSE | {"v2xFreqWattCurve": RESPONSE["v2xFreqWattCurve"][:1]}), "NoFreqWattCurve"),
        (
            profile(RESPONSE | {"v2xFreqWattCurve": [{"frequency": 50.0, "power": 1.0}, {"frequency": 50.0, "power": 2.0}]}),
            "InvalidSchedule",
        ),
        (profile(RESPONSE | {"v2xSignalWattCurve": [{"signal": 1, "power": 1.0}, {"signal": 1, "power": 2.0}]}), "InvalidSchedule"),
        (profile(SETPOINT | {"v2xBaseline": 5.0}), "InvalidSchedule"),
        (profile(RESPONSE, purpose="PriorityCharging"), "InvalidOperationMode"),
        (profile(id=-1_000_000_000), "InvalidProfileId"),
        (profile(SETPOINT, purpose="ChargingStationExternalConstraints"), "InvalidOperationMode"),
        (profile(SETPOINT | {"setpoint_L2": 1.0}, **DEFAULT), "NoPhaseForDC"),
        (profile({"startPeriod": 0, "limit": -5000.0}), "Accepted"),  # a discharge, as older systems ask for it
        (profile({"startPeriod": 0, "limit": 1.0, "dischargeLimit": -1.0}), "InvalidSchedule"),
        (profile({"startPeriod": 0, "limit": 1.0, "setpoint": 1.0}), "InvalidSchedule"),
        (profile({"startPeriod": 0, "limit": 1.0, "limit_L3": 1.0}), "NoPhaseForDC"),
        (profile({"startPeriod": 0, "limit": 1.0, "preconditioningRequest": True}), "InvalidSchedule"),
        (profile(SETPOINT | {"setpointReactive": 5.0}), "InvalidSchedule"),
        (profile(schedule={"minChargingRate": 6.0}), "Accepted"),
        (profile(schedule={"minChargingRate": -6.0}), "InvalidSchedule"),
        (profile(purpose="LocalGeneration", schedule={"minChargingRate": 6.0}), "InvalidSchedule"),
        (profile(schedule={"duration": -5}), "InvalidSchedule"),
        (profile(schedule={"duration": 0}), "InvalidSchedule"),
        (profile(*({"startPeriod": n, "limit": 1.0} for n in range(1024))), "Accepted"),
        (profile(validFrom=timestamp(T0 + 60), validTo=timestamp(T0)), "InvalidProfile"),
        (profile({"startPeriod": 5, "limit": 1.0}), "InvalidSchedule"),
        (profile({"startPeriod": 0, "limit": 1.0}, {"startPeriod": 0, "limit": 2.0}), "InvalidSchedule"),
        (profile(kind="Absolute"), "InvalidSchedule"),
        (profile(kind="Absolute", schedule={"startSchedule": timestamp(T0)}), "Accepted"),
        (profile(kind="Relative", schedule={"startSchedule": timestamp(T0)}), "InvalidSchedule"),
        (profile(kind="Recurring", schedule={"startSchedule": timestamp(T0)}), "InvalidProfile"),
        (profile(kind="Recurring", schedule={"startSchedule": timestamp(T0)}, recurrencyKind="Daily"), "Accepted"),
        (profile(kind="Dynamic"), "Accepted"),
        (profile({"startPeriod": 0, "limit": 1.0}, {"startPeriod": 9, "limit": 2.0}, kind="Dynamic"), "InvalidSchedule"),
        (profile(dynUpdateInterval=5), "InvalidProfile"),
        (profile(kind="Dynamic", dynUpdateInterval=5), "Accepted"),
        (profile(purpose="PriorityCharging"), "Accepted"),
        (profile(SETPOINT, purpose="PriorityCharging"), "InvalidOperationMode"),
        (profile(purpose="LocalGeneration"), "Accepted"),
        (profile(transactionId="other"), "TxNotFound"),
        (profile(**DEFAULT, transactionId="tx"), "InvalidProfile"),
        ({k: v for k, v in profile().items() if k != "transactionId"}, "MissingParam"),
        (profile(schedule={"chargingRateUnit": "A"}), "UnsupportedRateUnit"),
        (profile({"startPeriod": 0, "limit": 1.0, "numberPhases": 1}), "NoPhaseForDC"),
        (profile(schedule={"randomizedDelay": 60}), "Accepted"),
        (profile(schedule={"randomizedDelay": 90_000}), "InvalidSchedule"),
        (profile(schedule={"useLocalTime": True}), "Accepted"),
        (profile(schedule={"limitAtSoC": {"soc": 80, "limit": 1.0}}), "InvalidSchedule"),
        (profile({"startPeriod": 0, "limit": 1.0, "evseSleep": True}), "InvalidSchedule"),
        (profile(stack=101), "InvalidStackLevel"),
        (profile({"startPeriod": 0, "limit": 1e300}), "InvalidValue"),
        (profile({"startPeriod": 0, "limit": 1.0}, {"startPeriod": 10**40, "limit": 1.0}), "InvalidValue"),
        (profile(chargingSchedule=[profile()["chargingSchedule"][0] | {"id": n} for n in range(3)]), "Accepted"),
        (profile(chargingSchedule=profile()["chargingSchedule"] * 3), "InvalidSchedule"),
        (profile(**DEFAULT, chargingSchedule=profile()["chargingSchedule"] * 2), "InvalidSchedule"),
    ],
)
def test_a_profile_is_accepted_or_rejected_with_the_reason_code_of_the_specification(made, reason):
    assert verdict(made) == reason


def test_the_evse_must_exist_and_a_tx_profile_names_one():
    assert verdict(profile(), evse=7) == "InvalidValue"
    assert verdict(profile(), evse=0) == "InvalidValue"
    assert verdict(profile(**DEFAULT), evse=0) == "Accepted"


def test_a_maximum_of_the_station_is_for_all_of_it_and_not_for_a_session():
    absolute = {"kind": "Absolute", "schedule": {"startSchedule": timestamp(T0)}, "purpose": "ChargingStationMaxProfile"}
    assert verdict(profile(**absolute), evse=0) == "Accepted"
    assert verdict(profile(**absolute), evse=1) == "InvalidValue"
    assert verdict(profile(purpose="ChargingStationMaxProfile"), evse=0) == "InvalidProfile"
    assert verdict(profile(SETPOINT, **absolute), evse=0) == "InvalidOperationMode"


def test_values_of_single_phases_are_for_a_transaction():
    ac = {"outlet": AC, "evse": 1}
    assert verdict(profile(SETPOINT | {"setpoint_L2": 1.0}, **DEFAULT), **ac) == "PhaseConflict"
    assert verdict(profile(SETPOINT | {"setpoint_L2": 1.0}), **ac) == "Accepted"


def test_only_what_is_not_of_the_csms_is_kept_from_being_cleared():
    profiles = Profiles()
    profiles.install(0, caps(8000.0, 51, "ChargingStationExternalConstraints"), T0)
    profiles.install(0, caps(9000.0, 52, "ChargingStationExternalConstraints"), T0).source = "EMS"
    assert [held.profile["id"] for held in profiles.clear()] == [51]
    assert set(profiles.held) == {52}


def test_phases_and_amperes_are_for_ac():
    assert verdict(profile({"startPeriod": 0, "limit": 16.0, "numberPhases": 3}, schedule={"chargingRateUnit": "A"}), AC) == "Accepted"
    assert verdict(profile({"startPeriod": 0, "limit": 16.0, "phaseToUse": 1}), AC) == "UnsupportedParam"


def test_a_place_in_the_stack_is_taken_by_one_id():
    profiles = Profiles()
    profiles.install(1, profile(id=1), T0)
    profiles.install(0, profile(id=2, **DEFAULT), T0)
    assert verdict(profile(id=1), profiles=profiles) == "Accepted"  # it replaces itself
    assert verdict(profile(id=3), profiles=profiles) == "InvalidStackLevel"
    assert verdict(profile(id=3, stack=1), profiles=profiles) == "Accepted"
    assert verdict(profile(id=3, **DEFAULT), evse=0, profiles=profiles) == "DuplicateProfile"
    assert verdict(profile(id=3, **DEFAULT), evse=1, profiles=profiles) == "Accepted"


def test_no_more_profiles_are_held_than_there_is_room_for():
    profiles = Profiles()
    for number in range(PROFILES_MAXIMUM):
        profiles.install(1, profile(id=number, stack=number, **DEFAULT), T0)
    assert verdict(profile(id=999, purpose="TxProfile"), profiles=profiles) == "TooManyElements"


def test_every_reason_fits_the_field():
    assert all(len(reason) <= 20 for reason, _, _ in CHECKS)


# --- the composite ---


def composite(*held: tuple[int, dict], outlet: Outlet = DC, at: float = T0, seconds: float = 7200.0, offline: float = 0.0, **more):
    profiles = Profiles()
    for evse, made in held:
        profiles.install(evse, made, T0)
    return profiles.composite(outlet, at, at + seconds, offline=offline, **more)


def caps(limit: float, id: int = 50, purpose: str = "ChargingStationMaxProfile", **more) -> dict:
    return profile({"startPeriod": 0, "limit": limit}, id=id, purpose=purpose, **more)


def test_without_profiles_there_is_no_limit():
    assert composite().silent


def test_the_lowest_limit_over_the_purposes_holds():
    said = composite((1, profile()), (0, caps(8000.0)), (0, caps(9000.0, 51, "ChargingStationExternalConstraints")))
    assert said.at(T0).limit == 8000.0


def test_the_highest_stack_level_wins_where_it_says_something():
    low = profile({"startPeriod": 0, "limit": 5000.0}, id=1, stack=0)
    high = profile({"startPeriod": 0, "limit": 9000.0}, id=2, stack=1, schedule={"duration": 600})
    said = composite((1, low), (1, high))
    assert [(begin - T0, p.limit) for begin, p in said.periods] == [(0.0, 9000.0), (600.0, 5000.0)]


def test_a_tx_profile_replaces_the_default_whatever_its_level():
    default = profile({"startPeriod": 0, "limit": 1000.0}, id=1, stack=9, **DEFAULT)
    assert composite((0, default), (1, profile(id=2))).at(T0).limit == 11_000.0
    assert composite((0, default), (1, profile(id=2, transactionId="gone"))).at(T0).limit == 1000.0


def test_a_setpoint_is_kept_within_the_limits_of_all():
    said = composite((1, profile(SETPOINT | {"setpoint": 40_000.0})), (0, caps(8000.0)))
    assert said.at(T0).clamped() == 8000.0
    limited = profile({"startPeriod": 0, "limit": 1e5, "dischargeLimit": -2000.0}, id=50, purpose="ChargingStationExternalConstraints")
    assert composite((1, profile(SETPOINT)), (0, limited)).at(T0).clamped() == -2000.0


def test_a_station_maximum_says_nothing_about_discharging():
    assert composite((1, profile(SETPOINT)), (0, caps(8000.0))).at(T0).clamped() == -5000.0


def test_a_limit_of_the_station_is_shared_by_those_who_draw():
    assert composite((1, profile()), (0, caps(8000.0)), sharing=2).at(T0).limit == 4000.0


def test_recurring_and_absolute_profiles_begin_when_they_say():
    daily = profile(
        {"startPeriod": 0, "limit": 1000.0},
        {"startPeriod": 3600, "limit": 2000.0},
        kind="Recurring",
        recurrencyKind="Daily",
        schedule={"startSchedule": timestamp(T0 - 10 * 86_400), "duration": 7200},
        **DEFAULT,
    )
    said = composite((0, daily), at=T0 + 1800, seconds=86_400)
    assert [(begin - T0, p.limit) for begin, p in said.periods] == [(1800, 1000.0), (3600, 2000.0), (7200, math.inf), (86_400, 1000.0)]
    absolute = profile(kind="Absolute", schedule={"startSchedule": timestamp(T0 + 600), "duration": 600})
    assert [(begin - T0, p.limit) for begin, p in composite((1, absolute)).periods] == [(0, math.inf), (600, 11_000.0), (1200, math.inf)]


def test_validity_bounds_a_profile():
    made = profile(validFrom=timestamp(T0 + 60), validTo=timestamp(T0 + 120))
    assert [begin - T0 for begin, p in composite((1, made)).periods if p.limit == 11_000.0] == [60]


def test_a_profile_ends_with_its_time_offline():
    made = profile(maxOfflineDuration=60)
    assert composite((1, made), offline=59.0).at(T0).limit == 11_000.0
    assert composite((1, made), offline=60.0).silent
    profiles = Profiles()
    profiles.install(1, profile(maxOfflineDuration=60, invalidAfterOfflineDuration=True), T0)
    profiles.composite(DC, T0, T0 + 60, offline=61.0)
    assert profiles.composite(DC, T0, T0 + 60).silent  # for good


def test_a_dynamic_profile_takes_updates_and_expires_without():
    profiles = Profiles()
    profiles.install(1, profile(SETPOINT | {"limit": 9000.0}, kind="Dynamic", schedule={"duration": 300}), T0)
    profiles.update(1, {"setpoint": 6000.0}, T0 + 200)
    said = profiles.composite(DC, T0 + 200, T0 + 900)
    assert [(begin - T0, p.clamped()) for begin, p in said.periods] == [(200, 6000.0), (500, None)]
    profiles.update(1, {}, T0 + 400)
    assert profiles.composite(DC, T0 + 600, T0 + 900).at(T0 + 600).clamped() == 6000.0
    with pytest.raises(Rejected, match="outside"):
        profiles.update(1, {"setpoint": 10_000.0}, T0)
    with pytest.raises(Rejected, match="no dynamic profile"):
        profiles.update(2, {}, T0)


@pytest.mark.parametrize(
    ("period", "unit", "outlet", "limit"),
    [
        ({"limit": 16.0}, "A", AC, 16 * 230 * 3),
        ({"limit": 16.0, "numberPhases": 1}, "A", AC, 16 * 230),
        ({"limit": 16.0}, "A", Outlet(1, False, 1), 16 * 230),
        ({"limit": 16.0, "limit_L2": 10.0, "limit_L3": 12.0}, "A", AC, 10 * 230 * 3),
        ({"limit": 4000.0, "limit_L2": 3000.0, "limit_L3": 3500.0}, "W", AC, 9000.0),
        ({"limit": 9000.0}, "W", AC, 9000.0),
    ],
)
def test_amperes_and_phases_become_the_watts_of_a_car_that_loads_all_alike(period, unit, outlet, limit):
    assert watts(period, unit, outlet).limit == pytest.approx(limit)


def test_a_negative_limit_of_older_systems_is_a_discharge_to_follow():
    assert watts({"limit": -3000.0}, "W", DC) == Period(limit=0.0, discharge=3000.0, setpoint=-3000.0, mode="CentralSetpoint")


# --- what it costs, and what holds where nothing does ---


def test_what_a_higher_level_hides_is_not_looked_at():
    """A CSMS may install all it likes while cars charge: a hundred full profiles cost what the one that leads costs."""
    profiles = Profiles()
    for stack in range(100):
        made = profile(*({"startPeriod": 60 * n, "limit": 5000.0 + n} for n in range(1024)), id=stack, stack=stack, **DEFAULT)
        profiles.install(1, made, T0)
    assert len(profiles.composite(DC, T0, T0 + 86_400).periods) == 1024
    assert profiles.present(DC, T0 + 61, sharing=1).period.limit == 5001.0
    assert [held.profile["id"] for held in profiles.held.values() if held._read] == [99]


def brute(profiles: Profiles, outlet: Outlet, at: float, ran_out: RanOut | None) -> Period:
    """The composite at one instant, word by word: every profile is asked, the highest of each purpose answers."""
    said = {}
    for purpose in PURPOSES:
        mine = [held for held in profiles.held.values() if held.purpose == purpose and held.evse in (0, outlet.evse)]
        for held in sorted(mine, key=lambda held: (held.profile["stackLevel"], held.evse)):
            schedule = held.profile["chargingSchedule"][0]
            since = at - (T0 if "startSchedule" not in schedule else epoch(schedule["startSchedule"]))
            since = since % 86_400 if held.profile["chargingProfileKind"] == "Recurring" and since >= 0 else since
            if not 0 <= since < schedule.get("duration", math.inf) or at >= epoch(held.profile.get("validTo", timestamp(T0 + 1e7))):
                continue
            period = [each for each in schedule["chargingSchedulePeriod"] if each["startPeriod"] <= since][-1]
            said[purpose] = (capped if held.caps else watts)(period, "W", outlet)
    led = said.get("TxProfile") or said.get("TxDefaultProfile")
    led = (said.get("PriorityCharging") or led) if outlet.priority else led
    period = (led or (ran_out.instead() if ran_out else Period())).bounded(said.get("ChargingStationMaxProfile", Period()))
    added = said.get("LocalGeneration", Period(limit=0.0)).limit
    period = replace(period, limit=period.limit + (0.0 if added == math.inf else added))
    return period.bounded(said.get("ChargingStationExternalConstraints", Period()))


CAPPING = ("ChargingStationMaxProfile", "LocalGeneration", "ChargingStationExternalConstraints")
kilowatts = st.integers(0, 20).map(lambda number: 1000.0 * number)
CAPS = st.builds(lambda limit: {"limit": limit}, kilowatts) | st.builds(
    lambda limit, discharge: {"limit": limit, "dischargeLimit": -discharge, "operationMode": "ExternalLimits"}, kilowatts, kilowatts
)
LEADS = CAPS | st.builds(lambda power: {"setpoint": power - 10_000.0, "operationMode": "CentralSetpoint"}, kilowatts)


@st.composite
def installed(draw) -> Profiles:
    profiles, levels = Profiles(), draw(st.permutations(range(6)))
    for number in range(draw(st.integers(0, 6))):
        purpose = draw(st.sampled_from(PURPOSES))
        starts = [0, *sorted(draw(st.sets(st.integers(1, 7200), max_size=4)))]
        said = [{"startPeriod": start} | draw(CAPS if purpose in CAPPING else LEADS) for start in starts]
        kind = draw(st.sampled_from(["Relative", "Absolute", "Recurring"]))
        schedule: dict = {} if kind == "Relative" else {"startSchedule": timestamp(T0 + draw(st.integers(-90_000, 4000)))}
        schedule |= {"duration": draw(st.integers(1, 9000))} if draw(st.booleans()) or kind == "Recurring" else {}
        more = {"recurrencyKind": "Daily"} if kind == "Recurring" else {}
        more |= {"validTo": timestamp(T0 + draw(st.integers(1, 8000)))} if draw(st.booleans()) else {}
        made = profile(*said, id=number, purpose=purpose, kind=kind, stack=levels[number], schedule=schedule, **more)
        profiles.install(0 if purpose in CAPPING else 1, made, T0)
    return profiles


@given(installed(), st.lists(st.integers(0, 7199), min_size=1, max_size=20), st.booleans())
def test_composite_and_present_say_what_every_profile_says_when_it_is_asked(profiles, instants, priority):
    outlet = replace(DC, priority=priority)
    said = profiles.composite(outlet, T0, T0 + 7200)
    for at in (T0 + each + 0.5 for each in instants):
        expected = brute(profiles, outlet, at, None)
        present = profiles.present(outlet, at)
        assert (said.at(at), present.period) == (expected, expected)
        assert present.until > at
        later = min(present.until, T0 + 7200) - 1e-3
        assert later <= at or profiles.present(outlet, later).period == expected  # it does stand until then


LASTS = (
    {"limit": 5000.0},
    {"limit": -5000.0},
    {"limit": 5000.0, "dischargeLimit": -4000.0, "operationMode": "ExternalLimits"},
    {"setpoint": -4000.0, "operationMode": "CentralSetpoint"},
    {"setpoint": 3000.0, "operationMode": "CentralFrequency"},
    {"operationMode": "Idle"},
)


@pytest.mark.parametrize("last", LASTS, ids=str)
@pytest.mark.parametrize("fallback", INSTEAD)
def test_what_stands_in_for_a_profile_is_no_more_than_it_and_no_discharge(fallback, last):
    before = watts(last, "W", DC)
    made = RanOut(fallback, before).instead()
    assert made.discharge == 0.0
    assert (made.clamped() or 0.0) >= 0.0
    assert fallback == "free" or made.most <= before.most


@given(installed(), st.sampled_from(list(INSTEAD)))
def test_no_profile_that_runs_out_leaves_more_power_than_it_gave(profiles, fallback):
    """Save where that was named: and not even then is anything discharged that no profile asks for."""
    led, most, at = RanOut(fallback), None, T0
    said = profiles.composite(DC, T0, T0 + 7200, ran_out=led)
    while at < T0 + 7200:
        present = profiles.present(DC, at, ran_out=led)
        assert said.at(at) == present.period
        if present.led is None:
            assert present.period.discharge == 0.0
            assert (present.period.clamped() or 0.0) >= 0.0
            assert fallback == "free" or most is None or present.period.most <= most
        else:
            led, most = led.after(present.led), present.led.most
        at = present.until


periods = st.builds(
    lambda starts, values: [
        {"startPeriod": s, "operationMode": "CentralSetpoint", "setpoint": v} for s, v in zip([0, *sorted(starts)], values, strict=False)
    ],
    st.sets(st.integers(1, 7000), min_size=3, max_size=3),
    st.lists(st.floats(-50_000, 50_000), min_size=4, max_size=4),
)


@given(periods, st.floats(0, 60_000), st.floats(0, 60_000), st.integers(0, 3))
def test_no_setpoint_ever_leaves_the_limits(said, limit, discharge, stack):
    caps_ = {"startPeriod": 0, "limit": limit, "dischargeLimit": -discharge}
    made = composite((1, profile(*said, stack=stack)), (0, profile(caps_, id=50, purpose="ChargingStationExternalConstraints")))
    for begin, period in made.periods:
        power = period.clamped()
        assert T0 <= begin < T0 + 7200
        assert power is not None
        assert -discharge - 1e-9 <= power <= limit + 1e-9 or power == 0.0


# --- what a long profile costs the loop that serves cars: counted, for time is the machine's ---

LONG = profile(*({"startPeriod": 60 * number, "limit": 5000.0 + number} for number in range(1024)))


def calls(work) -> int:
    """How often functions of Python are entered, and generators resumed, while `work` is done."""
    entered = 0

    def count(frame, event, arg):
        nonlocal entered
        entered += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return entered


def test_a_long_profile_is_judged_by_what_its_periods_say_between_them():
    profiles = Profiles()
    assert calls(lambda: judge(1, LONG, {1: DC}, profiles)) < 12 * 1024, "each of forty checks looks at each period"


def test_of_a_long_profile_only_what_is_looked_at_is_read(monkeypatch):
    read = []

    def counted(period, *given):
        read.append(period["startPeriod"])
        return watts(period, *given)

    monkeypatch.setattr("ocpp_bridge.smart.profiles.watts", counted)
    profiles = Profiles()
    profiles.install(1, LONG, T0)
    said = profiles.present(DC, T0 + 90.0)
    assert said.period.limit == 5001.0
    assert read == [60]
    profiles.composite(DC, T0, T0 + 300.0)
    assert sorted(read) == [0, 60, 120, 180, 240], "nothing is read twice, nor before it is needed"
