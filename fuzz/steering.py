"""What keeps a car within the charging profiles of its CSMS, and within its leave to discharge; rows as in `fuzz.safeguards`."""

from fuzz.behaviours import Mutant

PERIODS, PLANNING = "ocpp_bridge/smart/periods.py", "ocpp_bridge/smart/planning.py"


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
)
