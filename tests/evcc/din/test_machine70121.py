"""The car's machine of DIN SPEC 70121 (`machine70121.py`) takes its steps, and finds each fault that is made on purpose."""

from typing import Any

import pytest

from evcc.car import Car
from evcc.din import charge, selection
from evcc.early import dc, mode
from evcc.early.dc import Dc
from evcc.guard import Guard
from tests.evcc.broken import greedy, half_safe, instead, talking_on, timeless, unheard
from tests.evcc.din.machine70121 import ARRIVALS, Visits70121
from tests.evcc.visits import RESERVE
from tests.machines import INVARIANTS, Fault, among, drive, found_out

STEPS = 2_000  # of the 50,000 that the tests take of all machines
BOUND = 12_000  # steps within which each fault is found


def test_a_car_stays_safe_at_any_station_of_din() -> None:
    drive(Visits70121, STEPS, 0)


# --- what is broken ---


def _hasty(car: Any) -> Any:
    """It wants power, and is authorized afterwards."""
    car.show("C")
    return (yield from selection.choosing(car))


def _raising(self: Any, response: Any) -> None:
    raise KeyError("a bug")


AFTER, BEFORE, OUTSIDE, LIMIT, KEPT, DEADLINE, RAISES, WHY = INVARIANTS
MATCHED, SILENT, HARM, STOP = (
    "contactors close on a matched voltage",
    "nothing is said after the end",
    "danger ends power",
    "a stop is heard",
)
CALM = {"calm": True, "broken": ""}
WILD = {"calm": False, "broken": "", "further": 6}
TOLD = ("the_station_tells_of_itself",)
HARMED = "and (the contactors|they) are closed|W were taken|closed on another voltage"
FAULTS: dict[str, Fault] = {
    "contactors that stay closed": Fault(AFTER, instead(Car, "open", lambda self: None), "closed after the end"),
    "a pilot that stays at C": Fault(AFTER, instead(Car, "make_safe", half_safe), "still wants power after the end"),
    "power that is wanted before authorization": Fault(BEFORE, instead(charge, "choosing", _hasty), "before authorization"),
    "a pre-charge that is not looked at": Fault(
        MATCHED, instead(Dc, "_matched", lambda self, response: True), "closed on another voltage", CALM, ("the_station_measures",)
    ),
    "a cable that is not looked at": Fault(
        HARM, instead(dc, "UNSOUND", ()), "not found sound|tells of a fault of the isolation", WILD, TOLD
    ),
    "a malfunction that is not looked at": Fault(HARM, instead(dc, "UNSAFE", ()), "station tells of EVSE_", WILD, TOLD),
    "a shutdown that is not looked at": Fault(
        STOP, instead(mode, "SHUTDOWN", ()), "after EVSE_Shutdown", CALM, ("the_station_tells_how_it_is",)
    ),
    "currents that are not looked at": Fault(
        LIMIT, instead(Guard, "_within_own", lambda self, volts, amperes: None), HARMED, CALM, ("the_station_measures",)
    ),
    "one percent too much": Fault(LIMIT, greedy, "more in than the profile|more than the inlet|more than the station"),
    "limits of the station that are not heard": Fault(LIMIT, unheard, "the station says", CALM, ("the_station_states_limits",)),
    "a battery that is drained": Fault(
        KEPT,
        instead(Guard, "measured", lambda self, volts, amperes, now, below: None),
        f"was drawn down|{HARMED}",
        {**CALM, "soc": RESERVE + 0.3, "scale": 200.0, "further": 20},
        ("the_station_holds_a_current",),
    ),
    "a state without a deadline": Fault(DEADLINE, timeless, "waits for nothing"),
    "a script that raises": Fault(RAISES, instead(Dc, "loop_response", _raising), "an exception: .*KeyError", CALM),
    "words after the end": Fault(SILENT, talking_on, "octets after the end"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    found_out(among(Visits70121, ARRIVALS, FAULTS[name]), FAULTS[name], BOUND)
