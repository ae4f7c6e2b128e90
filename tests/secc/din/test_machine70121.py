"""The station's machine of DIN SPEC 70121 (`machine70121.py`) takes its steps, and finds each fault that is made on purpose.

What one engine does in all generations is broken by `tests/secc/test_machine.py`, and what the two older ones share by `test_machine2.py`.
"""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from secc.din.answers import ANSWERS
from secc.enveloped import conduct, demand
from secc.neutral import supervision
from secc.neutral.bounds import Bounds
from secc.neutral.context import Context, Reply
from secc.station import Limits
from tests.machines import INVARIANTS, Fault, among, drive, found_out
from tests.secc.broken import Patch, also, answering, instead, outputs, raising
from tests.secc.din.machine70121 import ARRIVALS, Sessions70121
from v2g.din.sequence import State
from v2g.messages.din import msg_body as b

STEPS = 2_000  # of the 50,000 that the tests take of all machines
BOUND = 12_000  # steps within which each fault is found


def test_a_station_stays_safe_under_any_car_of_din() -> None:
    drive(Sessions70121, STEPS, 0)


# --- what is broken ---


def _led_on(asked: Any, reply: Reply) -> Reply:
    return replace(reply, then=State.PARAMETERS)


def _unenforced(patch: Patch) -> None:
    for module in (supervision, conduct):
        patch.setattr(module, "due", lambda known: None)


def _as_before(request: Any, known: Context) -> Limits:
    return known.service.car or Limits()


AFTER, BEFORE, OUTSIDE, LIMIT, KEPT, DEADLINE, RAISES, WHY = INVARIANTS
STOP, HARM, ONE_WAY = "a stop is kept", "danger takes the power away", "plain services"
CHARGING = {"begin": "charging", "hardware": ""}
FAULTS: dict[str, Fault] = {
    "a contactor that closes for anybody": Fault(
        BEFORE, answering(ANSWERS, b.ServiceDiscoveryReq, also(words.CloseContactor)), "CloseContactor before authorization"
    ),
    "an authorization that waits for nobody": Fault(
        BEFORE, answering(ANSWERS, b.ContractAuthenticationReq, _led_on), "before authorization", {"begin": "refused"}
    ),
    "a pre-charge with twenty amperes": Fault(
        OUTSIDE, answering(ANSWERS, b.PreChargeReq, outputs(lambda want: replace(want, current=20.0))), "20 A outside PowerDelivery"
    ),
    "a welding detection with power": Fault(
        OUTSIDE,
        answering(ANSWERS, b.WeldingDetectionReq, also(lambda now: words.SetOutput(now, 400.0, 9.0, 3600.0))),
        "9 A outside PowerDelivery",
        CHARGING,
        ("power_delivery", "sends_what_is_due"),
    ),
    "nine times the current": Fault(
        LIMIT,
        answering(ANSWERS, b.CurrentDemandReq, outputs(lambda want: replace(want, current=want.current * 9))),
        "a current beyond the (outlet|car)",
    ),
    "a setpoint that is not looked at": Fault(
        LIMIT,
        instead(demand, "bounds", lambda known: Bounds(4e4, 0.0)),
        "beyond the (setpoint|outlet)",
        CHARGING,
        ("something_becomes_true", "loops"),
    ),
    "limits of the car that are not heard": Fault(LIMIT, instead(demand, "_limits", _as_before), "beyond the car", CHARGING, ("loops",)),
    "an output that runs backwards": Fault(
        ONE_WAY,
        answering(ANSWERS, b.CurrentDemandReq, outputs(lambda want: replace(want, current=-5.0, power=-2000.0))),
        "a plain service discharges",
        CHARGING,
    ),
    "an answer that raises": Fault(RAISES, lambda patch: patch.setitem(ANSWERS, b.SessionStopType, raising), "an exception: .*a bug"),
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


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    found_out(among(Sessions70121, ARRIVALS, FAULTS[name]), FAULTS[name], BOUND)
