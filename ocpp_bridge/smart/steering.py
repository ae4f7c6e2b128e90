"""The composite of the profiles as limits and setpoint for the session at this moment, and the events when they change."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf, sqrt
from typing import Final

from ocpp_bridge.blocks import transactions
from ocpp_bridge.charger import Charger, ChargingState, Evse
from ocpp_bridge.smart import chosen
from ocpp_bridge.smart.feeds import LIVE
from ocpp_bridge.smart.periods import Period
from ocpp_bridge.smart.planning import locally, present, signals_now
from secc.station import LimitsChanged, SetpointChanged
from v2g.energy.needs import Needs
from v2g.energy.plan import Plan
from v2g.energy.setpoint import limits, setpoint

LOOK_AGAIN: Final = 1.0  # s between two looks at a plan or setpoint in Dynamic control: the battery may be full or the reserve reached
EVENTS: Final = 1.0  # s between two events that tell another limit, setpoint or mode: what changes faster is told as it stands then
PAUSE: Final = 0.02  # s between two of them at least, where time runs fast and a plan changes more often


def steer(charger: Charger, evse: Evse, now: float) -> None:
    """Tell the session the present limits and, in Dynamic control, the setpoint; and note when they change next."""
    session = evse.session
    if session is None or session.needs is None or session.selected is None:
        return
    wall = charger.wall(now)
    said = present(charger, evse, now)
    period = said.period
    if session.asked:  # the schedule that it waits for says what it shall do; what it may do holds while power flows
        if session.delivering:
            _limit(charger, evse, period, _fed(charger, evse, wall))
        return
    session.leads = said.leads
    _follow(charger, evse, said.led, now)
    session.steer_due = chosen.again(charger, evse, now)
    wish, dynamic = period.clamped(), session.selected.control == "Dynamic" and session.offer is not None
    if session.plan is not None and dynamic:
        wish = setpoint(session.plan, session.needs, charger.site, wall - charger.skew, signals_now(said, wall, -charger.skew))
    elif wish is not None and dynamic:
        wish = _borne(wish, charger, session.needs, wall - charger.skew)
    if wish is not None and dynamic:
        session.steer_due = min(_next_look(charger, session.plan, now), session.steer_due or inf)
    evse.next_edge = said.until if said.until < inf else None
    _limit(charger, evse, period, _fed(charger, evse, wall))
    reactive = _reactive(evse, period, wish)
    if dynamic and session.steered != (wish, reactive):
        session.steered = (wish, reactive)
        charger.tell(evse, SetpointChanged(wish, reactive))
    _tell_change(charger, evse, period, now)


def _reactive(evse: Evse, period: Period, wish: float | None) -> float | None:
    """The reactive power (var) beside a setpoint (W), as far as the outlet has room for it: together they pass no limit of the hardware."""
    if period.reactive is None or wish is None:
        return None
    most = evse.limits.charge_power if wish >= 0 else evse.limits.discharge_power
    room = sqrt(max(most**2 - wish**2, 0.0))
    return min(max(period.reactive, 0.0 - room), room)


def heed(charger: Charger, modes: Sequence[str], now: float) -> None:
    """Look anew at every car that is led in one of these modes, for what they follow has been told."""
    for evse in charger.evses.values():
        if evse.session is not None and evse.session.leads is not None and evse.session.leads.mode in modes:
            steer(charger, evse, now)


def heed_charge(charger: Charger, evse: Evse, now: float) -> None:
    """Look anew at a car whose limit depends on its state of charge, for it has told that."""
    if evse.session is not None and evse.session.leads is not None and evse.session.leads.at_soc is not None:
        steer(charger, evse, now)


def _follow(charger: Charger, evse: Evse, led: Period | None, now: float) -> None:
    """Note the period that leads the car, so that the fallback takes over where it runs out: said once, and the plan made for it."""
    session = evse.session
    assert session is not None
    assert session.selected is not None
    if led is not None:
        session.ran_out, session.lapsed = session.ran_out.after(led), False
    elif session.ran_out.last is not None and not session.lapsed:
        session.lapsed = True
        charger.note(f"EVSE {evse.id}: no profile leads the car any more, it goes on by the fallback ({charger.fallback})")
        if charger.fallback == "local" and session.selected.control == "Dynamic" and session.offer is not None and session.plan is None:
            locally(charger, evse, now)


def _next_look(charger: Charger, plan: Plan | None, now: float) -> float:
    """When the setpoint is looked at anew (monotonic s): when the plan changes, and in any case soon."""
    wall = charger.wall(now) - charger.skew
    changes = [charger.clock.now(edge) for edge in plan.power.edges() if edge > wall] if plan is not None else []
    return max(min([now + LOOK_AGAIN, *changes]), now + PAUSE)


def _borne(wish: float, charger: Charger, needs: Needs, wall: float) -> float:
    """A setpoint of the CSMS (W, signed) as far as the battery bears it: nothing out of the car's reserve, nothing into a full one.

    It is only ever brought nearer to 0: what else to do with a car below its reserve is for the CSMS to say, which was told its needs. What
    the connection bears is in the profiles of the CSMS; it may allow to feed in where a station that plans by itself may not.
    """
    bounds = limits(needs, replace(charger.site, import_limit=inf, export_limit=inf), wall)
    return min(max(wish, 0.0 - bounds.discharge), bounds.charge)


def _fed(charger: Charger, evse: Evse, wall: float) -> float:
    """W that a DER control lets the car give back: a share of what it can at most, by its own word; infinite where none limits it."""
    share, car = charger.der.discharge_share(wall), evse.session.car if evse.session is not None else None
    return inf if share is None else share * (car or evse.limits).discharge_power


def _limit(charger: Charger, evse: Evse, period: Period, fed: float) -> None:
    assert evse.session is not None
    charge, discharge = min(evse.limits.charge_power, period.limit), min(evse.limits.discharge_power, period.discharge, fed)
    limits = replace(
        evse.limits,
        charge_power=charge,
        discharge_power=discharge,
        charge_power_minimum=min(evse.limits.charge_power_minimum, charge),
        discharge_power_minimum=min(evse.limits.discharge_power_minimum, discharge),
    )
    if limits != (evse.session.limits or evse.limits):
        evse.session.limits = limits
        charger.tell(evse, LimitsChanged(limits))


def _tell_change(charger: Charger, evse: Evse, period: Period, now: float) -> None:
    """TransactionEvents for another operation mode, for another limit or setpoint, for a car held back or let go."""
    tx, session = evse.transaction, evse.session
    if tx is None or session is None or not session.delivering:
        return
    moving = period.mode in LIVE  # what it follows passes 0 W many times an hour, and no limit changes by that
    stopped = (period.limit == 0 and period.discharge == 0) or (period.clamped() == 0 and not moving)
    period = replace(period, setpoint=None) if moving else period
    held: ChargingState = "SuspendedEVSE" if stopped else "Charging"
    if held != tx.state and tx.state in ("Charging", "SuspendedEVSE"):
        transactions.update(charger, evse, "ChargingStateChanged", now, held)
    if tx.told is not None and now < tx.told_at + EVENTS:
        if tx.told != period:
            session.steer_due = min(session.steer_due or inf, tx.told_at + EVENTS)
        return
    before, tx.told = tx.told, period
    if before is not None and before != period:
        tx.told_at = now
    if before is not None and before.mode != period.mode:
        transactions.update(charger, evse, "OperationModeChanged", now, info={"operationMode": period.mode})
    elif before is not None and _significant(charger, before, period):
        transactions.update(charger, evse, "ChargingRateChanged", now)


def _significant(charger: Charger, before: Period, after: Period) -> bool:
    share = charger.variables.number("SmartChargingCtrlr.LimitChangeSignificance") / 100.0
    pairs = [(before.limit, after.limit), (before.discharge, after.discharge), (before.clamped() or 0.0, after.clamped() or 0.0)]
    return any(a != b and not abs(a - b) <= share * max(abs(a), abs(b)) for a, b in pairs)
