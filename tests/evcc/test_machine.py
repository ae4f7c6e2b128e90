"""The car's machine (`tests/evcc/machine.py`) takes its steps, and finds each fault that is made on purpose."""

from dataclasses import replace
from typing import Any

import pytest

from evcc.car import Car
from evcc.ev import Ev, Inlet
from evcc.field_guard import FieldGuard
from evcc.goal import Goal, span
from evcc.guard import Guard
from evcc.iso20 import authorization, charge
from evcc.iso20 import wpt as wireless
from evcc.iso20.ac import Ac
from evcc.iso20.conduct import CONDUCT
from evcc.iso20.dc import Dc
from evcc.transfer import Mode
from tests.evcc import machine
from tests.evcc.broken import Patch, greedy, half_safe, instead, talking_on, timeless, unheard, wordless
from tests.evcc.machine import ARRIVALS, RESERVE, Visits
from tests.evcc.scripted_station import STANDARD, Station, finished, ongoing
from tests.machines import INVARIANTS, Fault, among, drive, found_out
from v2g.iso20.generation import ISO20
from v2g.iso20.timing import timing
from v2g.messages import wpt

STEPS = 9_000  # of the 50,000 that the tests take of all machines
PARTS = 4
BOUND = 12_000  # steps within which each fault is found


@pytest.mark.parametrize("part", range(PARTS))
def test_a_car_stays_safe_at_any_station(part: int) -> None:
    drive(Visits, STEPS // PARTS, part)


# --- what is broken ---


def _hasty(car: Car[Any]) -> Any:
    """It wants power, and is authorized afterwards."""
    car.show("C")
    yield from authorization.authorization(car)


def _unaligned(patch: Patch) -> None:
    """The car takes its last answer for a finished one, and the station takes that back."""
    patch.setattr(wireless, "finished", lambda answer: True)

    def taken_back(request: Any, station: Station) -> Any:
        return (finished if len(station.of(wpt.WPT_AlignmentCheckReq)) == 1 else ongoing)(request, station)

    patch.setitem(STANDARD, "WPT_AlignmentCheckReq", taken_back)


def _without_reserve(patch: Patch) -> None:
    def reckless(ev: Ev, goal: Goal, inlet: Inlet, both: bool, step: float) -> tuple[float, float]:
        return (-inlet.discharge_power if both else 0.0), span(ev, goal, inlet, both, step)[1]

    patch.setattr("evcc.transfer.span", reckless)


def _drained(self: Guard, volts: float, amperes: float, now: float, below: float) -> None:
    self.voltage(volts)
    self._within_own(volts, amperes)


def _patient(patch: Patch) -> None:
    patient = replace(ISO20, timing=lambda request: replace(timing(request), msg_timeout=500.0))
    patch.setattr(machine, "CONDUCT", replace(CONDUCT, generation=patient))


def _raising(self: Mode, name: str, stated: float | None, since: float) -> float | None:
    return {}[name] if self.car.loops > 4 else stated  # type: ignore[no-any-return]


AFTER, BEFORE, OUTSIDE, LIMIT, KEPT, DEADLINE, RAISES, WHY = INVARIANTS
MATCHED, SILENT = "contactors close on a matched voltage", "nothing is said after the end"
CALM = {"calm": True, "broken": ""}
EMPTY = {**CALM, "service": "DC_BPT", "soc": RESERVE + 0.3}  # what shows in one of hundreds of cars is looked for among these
FIELD = {**CALM, "service": "WPT"}
HARMED = "and (the contactors|they) are closed|W were taken"
FAULTS: dict[str, Fault] = {
    "contactors that stay closed": Fault(AFTER, instead(Car, "open", lambda self: None), "closed after the end"),
    "a pilot that stays at C": Fault(AFTER, instead(Car, "make_safe", half_safe), "still wants power after the end"),
    "power that is wanted before authorization": Fault(BEFORE, instead(charge, "authorization", _hasty), "before authorization"),
    "power that is counted once more": Fault(
        OUTSIDE, instead(Mode, "settle", lambda self: self.account(self.flowing)), "W are counted outside PowerDelivery", {"further": 45}
    ),
    "a pre-charge that is not looked at": Fault(
        MATCHED, instead(Dc, "_matched", lambda self, response: True), "closed on another voltage", {**CALM, "service": "DC"}
    ),
    "currents that are not looked at": Fault(LIMIT, instead(Guard, "_within_own", lambda self, volts, amperes: None), HARMED),
    "voltages that are not looked at": Fault(
        LIMIT, instead(Guard, "voltage", lambda self, volts: None), f"{HARMED}|closed on another voltage"
    ),
    "an alignment that is not looked at": Fault(MATCHED, _unaligned, "an alignment that is still checked", FIELD),
    "a field that is not looked at": Fault(
        LIMIT,
        instead(FieldGuard, "given", lambda self, asked, given, put_in, now: None),
        "W are given and the contactors are closed|W were taken",
        FIELD,
    ),
    "one percent too much": Fault(LIMIT, greedy, "more (in|out) than the profile|more than the inlet|more than the station"),
    "limits of the station that are not heard": Fault(LIMIT, unheard, "more than the station says", {**CALM, "service": "DC_BPT"}),
    "an AC target that is not heard": Fault(
        LIMIT,
        instead(Ac, "_dynamic", lambda self: self.within(9e3)),
        "more than the station wants",
        {"service": "AC", "control": "Dynamic"},
    ),
    "a battery that is drained": Fault(
        KEPT, instead(Guard, "measured", _drained), "was drawn down", {**EMPTY, "scale": 200.0, "further": 20}
    ),
    "a discharge below the reserve": Fault(KEPT, _without_reserve, "a discharge at the reserve", EMPTY),
    "a state without a deadline": Fault(DEADLINE, timeless, "waits for nothing"),
    "a wait of minutes": Fault(DEADLINE, _patient, "longer than any timer|later than its timers"),
    "a script that raises": Fault(RAISES, instead(Mode, "news", _raising), "an exception: .*KeyError"),
    "ends without words": Fault(WHY, wordless, "an end has no reason"),
    "words after the end": Fault(SILENT, talking_on, "octets after the end"),
}
RULES = {  # that lead to a fault, where many others lead elsewhere
    "currents that are not looked at": ("the_station_measures",),
    "voltages that are not looked at": ("the_station_measures",),
    "a discharge below the reserve": ("the_station_wants_a_power",),
    "limits of the station that are not heard": ("the_station_states_limits",),
}


def test_each_invariant_is_seen_to_fail() -> None:
    assert RULES.keys() <= FAULTS.keys()
    assert set(INVARIANTS) <= {fault.invariant for fault in FAULTS.values()}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    fault = replace(FAULTS[name], only=RULES.get(name, ()))
    found_out(among(Visits, ARRIVALS, fault), fault, BOUND)
