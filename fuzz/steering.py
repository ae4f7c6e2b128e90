"""What keeps a car within the charging profiles of its CSMS, and within its leave to discharge; rows as in `fuzz.safeguards`."""

from fuzz.behaviours import Mutant

SMART = "ocpp_bridge/smart/"
PERIODS, PLANNING, PROFILES = SMART + "periods.py", SMART + "planning.py", SMART + "profiles.py"
FEEDS, CHARGING, STEERING = SMART + "feeds.py", SMART + "charging.py", SMART + "steering.py"


def bridge(module: str, *tests: str) -> tuple[str, ...]:
    return tuple(f"tests/ocpp_bridge/test_{module}.py::test_{test}" for test in tests)


CSMS = (
    Mutant(
        "a profile that runs out is leave for more power",
        "5",
        PERIODS,
        '"local": lambda last: Period(limit=last.most, discharge=0.0),',
        '"local": lambda last: Period(discharge=0.0),',
        bridge("profiles", "no_profile_that_runs_out_leaves_more_power_than_it_gave"),
        "a CSMS that goes away lets the car have all there is",
    ),
    Mutant(
        "a discharge goes on without its profile",
        "5",
        PERIODS,
        "        else replace(last, discharge=0.0)\n",
        "        else last\n",
        bridge("profiles", "what_stands_in_for_a_profile_is_no_more_than_it_and_no_discharge"),
        "a car is emptied for a CSMS that has gone",
    ),
    Mutant(
        "nobody notices that a profile has run out",
        "5",
        PLANNING,
        "    return session.ran_out if session is not None and (by_csms or session.ran_out.last is not None) else None\n",
        "    return None\n",
        bridge("bridge", "a_setpoint_that_runs_out_is_no_leave_for_more_power"),
        "the fallback that was chosen is never taken",
    ),
    Mutant(
        "a leave to discharge that was withdrawn goes on",
        "4",
        PLANNING,
        "    return said if evse.may_give else replace(said, period=said.period.charging)\n",
        "    return said\n",
        ("tests/ocpp_bridge/test_bridge.py", "tests/ocpp_bridge/test_leave.py"),
        "a car discharges that may not",
    ),
    Mutant(
        "a frequency, meter or setpoint that is silent goes on",
        "Q08",
        FEEDS,
        "    return told if told is not None and now < told.until else None\n",
        "    return told\n",
        bridge("modes", "a_value_that_is_too_old_is_none"),
        "a car discharges for a grid that nobody looks at any more",
    ),
    Mutant(
        "a signal of the CSMS holds for ever",
        "Q08",
        FEEDS,
        "            live = wall < begin + SIGNAL_LASTS\n",
        "            live = True\n",
        bridge("modes", "a_signal_is_over_after_its_time_and_the_next_takes_its_place"),
        "a car goes on with a reserve that nobody calls any more",
    ),
    Mutant(
        "a mode is accepted that follows nothing",
        "11",
        CHARGING,
        "        if why := charger.feeds.missing(mode, place, now):\n",
        '        if why := "":\n',
        bridge("modes", "a_mode_that_would_follow_nothing_is_refused"),
        "what is Accepted has no effect",
    ),
    Mutant(
        "a discharge is promised that nobody has asked for yet",
        "Q09",
        PLANNING,
        "(begin, period.charging if period.mode in LIVE else period)",
        "(begin, period)",
        bridge("use_cases", "a_mode_that_follows_the_moment_promises_no_discharge_to_a_car_with_a_schedule"),
        "a car is offered to discharge by a mode that cannot steer it",
    ),
    Mutant(
        "of limits from elsewhere one hides the others",
        "K11",
        PROFILES,
        "for origin in origins)]",
        "for origin in origins[:1])]",
        bridge("modes", "of_limits_from_elsewhere_each_holds"),
        "the limit of the grid operator is passed",
    ),
    Mutant(
        "local generation passes a limit from elsewhere",
        "K11",
        PROFILES,
        "        period = period if external is None else period.bounded(external)\n",
        "        period = period if external is None else period.bounded(external.raised(more))\n",
        bridge("modes", "local_generation_adds_to_the_limit_and_passes_none_from_elsewhere"),
        "the limit of the grid operator is passed",
    ),
    Mutant(
        "local generation adds to what stands in for a profile",
        "5",
        PROFILES,
        "    period = period.raised(more) if led else period\n",
        "    period = period.raised(more)\n",
        bridge("modes", "local_generation_adds_nothing_to_what_stands_in_for_a_profile"),
        "a profile that runs out is leave for more power",
    ),
    Mutant(
        "a limit from a state of charge on is forgotten",
        "K01",
        PROFILES,
        "        leads = leads.at(outlet.soc) if leads is not None else None\n",
        "",
        bridge("modes", "a_limit_from_a_state_of_charge_on_holds_from_there_on"),
        "a battery is charged with all there is up to its end",
    ),
    Mutant(
        "reactive power beside the active power passes the outlet's limit",
        "11",
        STEERING,
        "    return min(max(period.reactive, 0.0 - room), room)\n",
        "    return period.reactive\n",
        bridge("modes", "active_and_reactive_power_together_pass_no_limit_of_the_hardware"),
        "the outlet is overloaded",
    ),
    Mutant(
        "a limit from elsewhere is the CSMS's to clear",
        "K13",
        PROFILES,
        " if held.source == CSMS]\n        for held in gone:",
        "]\n        for held in gone:",
        bridge("modes", "a_limit_from_elsewhere_holds_is_told_and_is_not_the_csms_s_to_clear"),
        "a CSMS takes away the limit of the grid operator",
    ),
)
