"""The station's machine (`tests/secc/machine.py`) takes its steps, and finds each fault that is made on purpose."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from secc import station as words
from secc.engine import SeccSession
from secc.intent import Intent
from secc.iso20 import conduct, dc_loop, wpt_loop
from secc.iso20.answers import ANSWERS
from secc.neutral import facts, field, keeping, supervision
from secc.neutral.context import Context, Reply
from secc.reserve import Reserve
from secc.station import Limits
from tests.machines import INVARIANTS, Fault, among, drive, found_out
from tests.secc.broken import Patch, also, answering, forgetful, hour, instead, never_opened, outputs, raising, timeless, wordless
from tests.secc.machine import ARRIVALS, Sessions
from v2g.iso20.sequence import State
from v2g.messages import dc
from v2g.messages.common_messages import AuthorizationReq, AuthorizationSetupReq, PowerDeliveryReq, SessionStopReq
from v2g.messages.common_types import processingType

STEPS = 33_000  # of the 50,000 that the tests take of all machines
PARTS = 4
BOUND = 12_000  # steps within which each fault is found


@pytest.mark.parametrize("part", range(PARTS))
def test_a_station_stays_safe_under_any_car(part: int) -> None:
    drive(Sessions, STEPS // PARTS, part)


# --- what is broken ---


def _led_on(asked: Any, reply: Reply) -> Reply:
    return replace(reply, then=State.SERVICE_DISCOVERY) if reply.objection is not None else reply


def _relit(patch: Patch) -> None:
    real = supervision._within_limits

    def cut(known: Context, now: float) -> Any:
        opening = known.delivering and known.station.contactor_wanted is False
        return (known, (words.SetPower(now, 100.0),)) if opening else real(known, now)

    patch.setattr(supervision, "_within_limits", cut)


def _unfollowed(patch: Patch) -> None:
    real = facts._with
    patch.setattr(facts, "_with", lambda fact, known: known if isinstance(fact, words.SetpointChanged) else real(fact, known))


def _busy(patch: Patch) -> None:
    real = ANSWERS[PowerDeliveryReq]
    finished = processingType.Finished
    patch.setitem(ANSWERS, PowerDeliveryReq, lambda asked, known: real(changed(asked, EVProcessing=finished), known))


def _without_reason(asked: Any, reply: Reply) -> Reply:
    return reply if reply.objection is None else replace(reply, objection=replace(reply.objection, reason=""))


def _unenforced(patch: Patch) -> None:
    for module in (supervision, conduct):
        patch.setattr(module, "due", lambda known: None)


def _unseen(patch: Patch) -> None:
    for module in (supervision, wpt_loop):
        patch.setattr(module, "obstructed", lambda known: "")


def _as_before(mode: Any, known: Context) -> Limits:
    return known.service.car or Limits()


AFTER, BEFORE, OUTSIDE, LIMIT, KEPT, DEADLINE, RAISES, WHY = INVARIANTS
STOP, HARM, BUSY, ONE_WAY, STANDBY = (
    "a stop is kept",
    "danger takes the power away",
    "a busy car starts nothing",
    "plain services",
    "standby",
)
CHARGING = {"begin": "charging", "hardware": ""}
LIVE = "leaves the outlet live|power without alignment|a vehicle that is not"
FIELD = {**CHARGING, "service": "WPT", "control": "Dynamic"}
SCHEDULED, DYNAMIC = ({**CHARGING, "service": "DC_BPT", "control": control} for control in ("Scheduled", "Dynamic"))
FAULTS: dict[str, Fault] = {
    "an end that forgets the contactor": Fault(AFTER, never_opened, "closed after the end"),
    "a contactor that closes for anybody": Fault(
        BEFORE, answering(ANSWERS, AuthorizationSetupReq, also(words.CloseContactor)), "CloseContactor before authorization"
    ),
    "a refusal that leads on": Fault(BEFORE, answering(ANSWERS, AuthorizationReq, _led_on), "before authorization", {"begin": "refused"}),
    "a pre-charge with twenty amperes": Fault(
        OUTSIDE, answering(ANSWERS, dc.DC_PreChargeReq, outputs(lambda want: replace(want, current=20.0))), "20 A outside PowerDelivery"
    ),
    "a welding detection with power": Fault(
        OUTSIDE,
        answering(ANSWERS, dc.DC_WeldingDetectionReq, also(lambda now: words.SetOutput(now, 400.0, 9.0, 3600.0))),
        "9 A outside PowerDelivery",
        {**CHARGING, "service": "DC"},
    ),
    "an AC outlet with power after its end": Fault(
        OUTSIDE,
        answering(ANSWERS, SessionStopReq, also(lambda now: words.SetPower(now, 5000.0))),
        "5000 W (outside PowerDelivery|from an outlet that is told to open)",
        {**CHARGING, "service": "AC"},
    ),
    "power for an outlet that opens": Fault(
        OUTSIDE, _relit, "from an outlet that is told to open", {**CHARGING, "service": "AC", "hardware": "slow"}
    ),
    "a car that is busy": Fault(BUSY, _busy, "a car that is busy started power", {"begin": "ready", "hardware": ""}),
    "nine times the current": Fault(
        LIMIT,
        answering(ANSWERS, dc.DC_ChargeLoopReq, outputs(lambda want: replace(want, current=want.current * 9))),
        "a current beyond the outlet",
    ),
    "four times the voltage": Fault(
        LIMIT,
        answering(ANSWERS, dc.DC_ChargeLoopReq, outputs(lambda want: replace(want, voltage=want.voltage * 4))),
        "a voltage beyond the (outlet|car)",
    ),
    "limits that fall and are not cut to": Fault(
        LIMIT, instead(supervision, "_within_limits", lambda known, now: (known, ())), "beyond the outlet", CHARGING
    ),
    "a schedule that is not looked at": Fault(
        LIMIT, instead(dc_loop, "bounds", lambda known: dc_loop.Bounds(4e4, 2e4)), "beyond the schedule", SCHEDULED
    ),
    "a setpoint that is not taken over": Fault(LIMIT, _unfollowed, "beyond the setpoint", DYNAMIC),
    "limits of the car that are not heard": Fault(LIMIT, instead(dc_loop, "car_limits", _as_before), "beyond the car", DYNAMIC),
    "a measurement that nobody looks at": Fault(
        LIMIT, instead(keeping, "ENDED_BY_OUTLET", 1e9), "beyond the outlet, for", {**CHARGING, "service": "AC"}
    ),
    "a coil that asks for more than there is": Fault(
        LIMIT, instead(wpt_loop, "_target", lambda asked, allowed, known: asked), "beyond the (outlet|setpoint)", FIELD
    ),
    "a vehicle that is not aligned": Fault(
        HARM, instead(field, "unaligned", lambda known: ""), "leaves the outlet live|not aligned", FIELD
    ),
    "a vehicle that has left": Fault(
        HARM, instead(field, "misplaced", lambda known: ""), "leaves the outlet live|a vehicle that is not", FIELD
    ),
    "a ground device that is broken": Fault(HARM, instead(supervision, "field_fault", lambda known: None), "leaves the outlet live", FIELD),
    "what lies on the ground device": Fault(HARM, _unseen, "over what lies on the ground device", FIELD),
    "a reserve that bars nothing": Fault(KEPT, instead(Reserve, "bars", lambda self, net: False), "below the reserve", DYNAMIC),
    "a plain service that discharges": Fault(
        ONE_WAY,
        answering(ANSWERS, dc.DC_ChargeLoopReq, outputs(lambda want: replace(want, current=-5.0, power=-2000.0))),
        "a plain service discharges",
        {**CHARGING, "service": "DC"},
    ),
    "a standby with current": Fault(
        STANDBY,
        instead(Context, "standing", property(lambda known: False)),
        "current flows in standby|A outside PowerDelivery",
        {**SCHEDULED, "standby": "closed"},
    ),
    "states without a timer": Fault(DEADLINE, timeless, "has no deadline"),
    "a timer of an hour": Fault(DEADLINE, instead(SeccSession, "_arm", hour), "waits for 3600 s"),
    "an answer that raises": Fault(RAISES, lambda patch: patch.setitem(ANSWERS, SessionStopReq, raising), "an exception: .*a bug"),
    "a supervision that raises": Fault(RAISES, instead(supervision, "_unlooped", raising), "an exception: .*a bug", CHARGING),
    "ends without words": Fault(WHY, wordless, "has no reason"),
    "a warning without words": Fault(
        WHY, answering(ANSWERS, PowerDeliveryReq, _without_reason), "a refusal has no reason: PowerDeliveryRes WARNING"
    ),
    "a stop that is forgotten": Fault(STOP, instead(Intent, "without", forgetful), "a stop was forgotten", {**CHARGING, "service": "AC"}),
    "a stop that is not enforced": Fault(STOP, _unenforced, "a stop is not enforced", CHARGING),
    "hazards that are none": Fault(
        HARM, instead(supervision, "hazard", lambda known: None), "leaves the outlet live|an open contactor", CHARGING
    ),
}
RULES = {  # that lead to a fault, where many others lead elsewhere
    "a welding detection with power": ("power_delivery", "means_well"),
    "an AC outlet with power after its end": ("stops", "power_delivery", "means_well"),
    "power for an outlet that opens": ("stops", "power_delivery", "means_well"),
    "a car that is busy": ("power_delivery",),
    "limits that fall and are not cut to": ("limits_change", "loops", "means_well"),
    "a setpoint that is not taken over": ("something_becomes_true", "loops"),
    "limits of the car that are not heard": ("loops",),
    "a measurement that nobody looks at": ("loops",),
    "a coil that asks for more than there is": ("loops",),
    "a vehicle that is not aligned": ("the_field_is_lost", "means_well"),
    "a vehicle that has left": ("the_field_is_lost", "means_well"),
    "a ground device that is broken": ("the_field_is_lost", "means_well"),
    "what lies on the ground device": ("something_becomes_true", "loops"),
    "a reserve that bars nothing": ("loops",),
    "a standby with current": ("power_delivery", "means_well", "loops"),
    "a stop that is forgotten": ("the_station_wants_to_stop", "power_delivery", "means_well"),
    "a stop that is not enforced": ("the_station_wants_to_stop", "means_well"),
    "hazards that are none": ("something_becomes_true", "means_well"),
}


def test_each_invariant_is_seen_to_fail() -> None:
    assert RULES.keys() <= FAULTS.keys()
    assert set(INVARIANTS) <= {fault.invariant for fault in FAULTS.values()}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    fault = replace(FAULTS[name], only=RULES.get(name, ()))
    found_out(among(Sessions, ARRIVALS, fault), fault, BOUND)
