"""The station's machine of ISO 15118-2 (`machine2.py`) takes its steps, and finds each fault that is made on purpose."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from secc.engine import SeccSession
from secc.enveloped import conduct, demand
from secc.intent import Intent
from secc.iso2 import loops
from secc.iso2.answers import ANSWERS
from secc.neutral import keeping, supervision
from secc.neutral.bounds import Bounds
from secc.neutral.context import Context, Reply
from secc.station import Limits
from tests.machines import INVARIANTS, Fault, among, drive, found_out
from tests.secc.broken import also, answering, forgetful, hour, instead, never_opened, outputs, raising, timeless, wordless
from tests.secc.iso2.machine2 import ARRIVALS, Sessions2
from v2g.iso2.sequence import State
from v2g.messages.iso2 import msg_body as b

STEPS = 2_000  # of the 50,000 that the tests take of all machines
BOUND = 12_000  # steps within which each fault is found


def test_a_station_stays_safe_under_any_car_of_this_generation() -> None:
    drive(Sessions2, STEPS, 0)


# --- what is broken ---


def _unenforced(patch: pytest.MonkeyPatch) -> None:
    for module in (supervision, conduct):
        patch.setattr(module, "due", lambda known: None)


def _led_on(asked: Any, reply: Reply) -> Reply:
    return replace(reply, then=State.PARAMETERS)


def _left_closed(asked: Any, reply: Reply) -> Reply:
    """A renegotiation in DC forgets the contactor."""
    return replace(reply, wants=tuple(want for want in reply.wants if not isinstance(want, words.OpenContactor)))


def _power_that_stays(asked: Any, reply: Reply) -> Reply:
    """A renegotiation in AC forgets the power."""
    return replace(reply, wants=tuple(want for want in reply.wants if not isinstance(want, words.SetPower)))


def _as_before(request: Any, known: Context) -> Limits:
    return known.service.car or Limits()


AFTER, BEFORE, OUTSIDE, LIMIT, KEPT, DEADLINE, RAISES, WHY = INVARIANTS
STOP, HARM, ONE_WAY, ANEW = "a stop is kept", "danger takes the power away", "plain services", "no power while a schedule is renegotiated"
CHARGING = {"begin": "charging", "hardware": ""}
AC, DC = ({**CHARGING, "service": service} for service in ("AC", "DC"))
FAULTS: dict[str, Fault] = {
    "an end that forgets the contactor": Fault(AFTER, never_opened, "closed after the end"),
    "a contactor that closes for anybody": Fault(
        BEFORE, answering(ANSWERS, b.ServiceDiscoveryReq, also(words.CloseContactor)), "CloseContactor before authorization"
    ),
    "an authorization that waits for nobody": Fault(
        BEFORE, answering(ANSWERS, b.AuthorizationReq, _led_on), "before authorization", {"begin": "refused"}
    ),
    "a pre-charge with twenty amperes": Fault(
        OUTSIDE, answering(ANSWERS, b.PreChargeReq, outputs(lambda want: replace(want, current=20.0))), "20 A outside PowerDelivery"
    ),
    "a welding detection with power": Fault(
        OUTSIDE,
        answering(ANSWERS, b.WeldingDetectionReq, also(lambda now: words.SetOutput(now, 400.0, 9.0, 3600.0))),
        "9 A outside PowerDelivery",
        DC,
        ("power_delivery", "sends_what_is_due"),
    ),
    "an AC outlet with power after its end": Fault(
        OUTSIDE,
        answering(ANSWERS, b.SessionStopReq, also(lambda now: words.SetPower(now, 5000.0))),
        "5000 W (outside PowerDelivery|from an outlet that is told to open)",
        AC,
        ("stops", "power_delivery", "means_well"),
    ),
    "nine times the current": Fault(
        LIMIT,
        answering(ANSWERS, b.CurrentDemandReq, outputs(lambda want: replace(want, current=want.current * 9))),
        "a current beyond the (outlet|car)",
        {"service": "DC"},
    ),
    "four times the voltage": Fault(
        LIMIT,
        answering(ANSWERS, b.CurrentDemandReq, outputs(lambda want: replace(want, voltage=want.voltage * 4))),
        "a voltage beyond the (outlet|car)",
        {"service": "DC"},
    ),
    "limits that fall and are not cut to": Fault(
        LIMIT, instead(supervision, "_within_limits", lambda known, now: (known, ())), "beyond the outlet", AC, ("limits_change", "loops")
    ),
    "a schedule that is not looked at": Fault(
        LIMIT, instead(demand, "bounds", lambda known: Bounds(4e4, 0.0)), "beyond the (schedule|outlet)", DC, ("loops",)
    ),
    "limits of the car that are not heard": Fault(LIMIT, instead(demand, "_limits", _as_before), "beyond the car", DC, ("loops",)),
    "a power of 0 W that is not heard": Fault(
        LIMIT,
        instead(
            demand, "optional", lambda value: None if value is None or not value.Value else float(value.Value) * 10.0**value.Multiplier
        ),
        "beyond the car",
        DC,
        ("loops",),
    ),
    "a measurement that nobody looks at": Fault(
        LIMIT,
        instead(keeping, "ENDED_BY_OUTLET", 1e9),
        "beyond the outlet, for",
        AC,
        ("loops", "something_becomes_true"),
    ),
    "a current that is promised to a car of AC whatever the schedule says": Fault(
        LIMIT, instead(loops, "phase_current", lambda power, known, phases: 63.0), "is promised, beyond the", AC
    ),
    "an output that runs backwards": Fault(
        ONE_WAY,
        answering(ANSWERS, b.CurrentDemandReq, outputs(lambda want: replace(want, current=-5.0, power=-2000.0))),
        "a plain service discharges",
        DC,
    ),
    "a renegotiation that leaves the outlet live": Fault(
        ANEW, answering(ANSWERS, b.PowerDeliveryReq, _left_closed), "is live while a car of DC renegotiates", DC, ("power_delivery",)
    ),
    "a renegotiation that leaves the power on": Fault(
        ANEW, answering(ANSWERS, b.PowerDeliveryReq, _power_that_stays), "power flows while a schedule is", AC, ("power_delivery",)
    ),
    "states without a timer": Fault(DEADLINE, timeless, "has no deadline"),
    "a timer of an hour": Fault(DEADLINE, instead(SeccSession, "_arm", hour), "waits for 3600 s"),
    "an answer that raises": Fault(RAISES, lambda patch: patch.setitem(ANSWERS, b.SessionStopReq, raising), "an exception: .*a bug"),
    "ends without words": Fault(WHY, wordless, "has no reason"),
    "a stop that is forgotten": Fault(
        STOP,
        instead(Intent, "without", forgetful),
        "a stop was forgotten",
        AC,
        ("the_station_wants_to_stop", "power_delivery", "means_well"),
    ),
    "a stop that is not enforced": Fault(
        STOP, _unenforced, "a stop is not enforced", CHARGING, ("the_station_wants_to_stop", "means_well")
    ),
    "hazards that are none": Fault(
        HARM,
        instead(supervision, "hazard", lambda known: None),
        "leaves the outlet live|an open contactor",
        CHARGING,
        ("something_becomes_true", "means_well"),
    ),
}


def test_each_invariant_is_seen_to_fail() -> None:
    found = {fault.invariant for fault in FAULTS.values()}
    assert set(INVARIANTS) - {KEPT} <= found  # a car of -2 has nothing to keep: nothing is taken out of it
    assert ONE_WAY in found


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    found_out(among(Sessions2, ARRIVALS, FAULTS[name]), FAULTS[name], BOUND)
