"""The car's machine of ISO 15118-2 (`machine2.py`) takes its steps, and finds each fault that is made on purpose."""

from dataclasses import replace
from typing import Any

import pytest

from evcc.car import Car
from evcc.early import dc
from evcc.early.dc import Dc
from evcc.guard import Guard
from evcc.iso2 import charge, selection
from evcc.iso2.ac import Ac
from evcc.iso2.conduct import CONDUCT
from evcc.transfer import Mode
from tests.evcc.broken import Patch, greedy, half_safe, instead, talking_on, timeless, unheard, wordless
from tests.evcc.iso2 import machine2
from tests.evcc.iso2.machine2 import ARRIVALS, Visits2
from tests.evcc.visits import RESERVE
from tests.machines import INVARIANTS, Fault, among, drive, found_out
from v2g.iso2.generation import ISO2
from v2g.iso2.timing import timing

STEPS = 2_000  # of the 50,000 that the tests take of all machines
BOUND = 12_000  # steps within which each fault is found


def test_a_car_stays_safe_at_any_station_of_this_generation() -> None:
    drive(Visits2, STEPS, 0)


# --- what is broken ---


def _hasty(car: Any) -> Any:
    """It wants power, and is authorized afterwards."""
    car.show("C")
    yield from selection.selection(car)


def _unlooked(self: Any, response: Any) -> Any:
    return getattr(response, "AC_EVSEStatus", None) or getattr(response, "EVSEStatus", None)


def _deaf(patch: Patch) -> None:
    """What comes with the answer to a receipt is not heard."""
    meant = charge.receipt

    def receipt(car: Any, mode: Any, response: Any) -> Any:
        yield from meant(car, mode, response)

    patch.setattr(charge, "receipt", receipt)


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
AC, DC = ({**CALM, "service": service} for service in ("AC", "DC"))
WILD = {"calm": False, "broken": "", "further": 6}
TOLD = ("the_station_tells_of_itself",)
HARMED = "and (the contactors|they) are closed|W were taken|closed on another voltage"
FAULTS: dict[str, Fault] = {
    "contactors that stay closed": Fault(AFTER, instead(Car, "open", lambda self: None), "closed after the end", {"service": "DC"}),
    "a pilot that stays at C": Fault(AFTER, instead(Car, "make_safe", half_safe), "still wants power after the end"),
    "power that is wanted before authorization": Fault(BEFORE, instead(charge, "selection", _hasty), "before authorization"),
    "power that is counted once more": Fault(
        OUTSIDE, instead(Mode, "settle", lambda self: self.account(self.flowing)), "W are counted outside PowerDelivery", {"further": 45}
    ),
    "a pre-charge that is not looked at": Fault(
        MATCHED, instead(Dc, "_matched", lambda self, response: True), "closed on another voltage", DC, ("the_station_measures",)
    ),
    "a cable that is not looked at": Fault(
        HARM, instead(dc, "UNSOUND", ()), "not found sound|tells of a fault of the isolation", {**WILD, "service": "DC"}, TOLD
    ),
    "a malfunction that is not looked at": Fault(HARM, instead(dc, "UNSAFE", ()), "tells of danger", {**WILD, "service": "DC"}, TOLD),
    "a residual current that is not looked at": Fault(
        HARM, instead(Ac, "status", _unlooked), "tells of danger", {**WILD, "service": "AC"}, TOLD
    ),
    "a stop that comes with a receipt": Fault(
        STOP, _deaf, "after StopCharging", AC, ("the_station_notifies", "the_station_wants_receipts")
    ),
    "currents that are not looked at": Fault(
        LIMIT, instead(Guard, "_within_own", lambda self, volts, amperes: None), HARMED, DC, ("the_station_measures",)
    ),
    "voltages that are not looked at": Fault(
        LIMIT, instead(Guard, "voltage", lambda self, volts: None), HARMED, DC, ("the_station_measures",)
    ),
    "one percent too much": Fault(LIMIT, greedy, "more in than the profile|more than the inlet|more than the station"),
    "limits of the station that are not heard": Fault(LIMIT, unheard, "more than the station says", DC, ("the_station_states_limits",)),
    "a current of an AC station that is not heard": Fault(
        LIMIT, unheard, "more than the station lets it take", AC, ("the_station_states_limits",)
    ),
    "a battery that is drained": Fault(
        KEPT,
        instead(Guard, "measured", lambda self, volts, amperes, now, below: None),
        f"was drawn down|{HARMED}",
        {**DC, "soc": RESERVE + 0.3, "scale": 200.0, "further": 20},
        ("the_station_holds_a_current",),
    ),
    "a state without a deadline": Fault(DEADLINE, timeless, "waits for nothing"),
    "a wait of minutes": Fault(
        DEADLINE,
        instead(
            machine2,
            "CONDUCT",
            replace(CONDUCT, generation=replace(ISO2, timing=lambda request: replace(timing(request), msg_timeout=500.0))),
        ),
        "longer than any timer|later than its timers",
    ),
    "a script that raises": Fault(RAISES, instead(Ac, "loop_response", _raising), "an exception: .*KeyError", AC),
    "ends without words": Fault(WHY, wordless, "an end has no reason"),
    "words after the end": Fault(SILENT, talking_on, "octets after the end"),
}


def test_each_invariant_is_seen_to_fail() -> None:
    assert set(INVARIANTS) <= {fault.invariant for fault in FAULTS.values()}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    found_out(among(Visits2, ARRIVALS, FAULTS[name]), FAULTS[name], BOUND)
