"""The composite of the profiles as limits and setpoint for the session at this moment, and the events when they change."""

from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Final

from ocpp_bridge import transactions
from ocpp_bridge.charger import Charger, ChargingState, Evse
from ocpp_bridge.mapping import HORIZON
from ocpp_bridge.profiles import Composite, Period
from secc.station import LimitsChanged, SetpointChanged
from v2g.energy.needs import Needs
from v2g.energy.plan import Plan
from v2g.energy.series import Series
from v2g.energy.setpoint import limits, setpoint
from v2g.energy.signal import Kind, Signal

LOOK_AGAIN: Final = 1.0  # s between two looks at a plan or setpoint in Dynamic control: the battery may be full or the reserve reached
PAUSE: Final = 0.02  # s between two of them at least, where time runs fast and a plan changes more often


def composite(charger: Charger, evse: Evse, now: float, until: float, alternative: int = 0) -> Composite:
    """The composite of the profiles at an EVSE from `now` (monotonic s) to `until` (epoch s)."""
    drawing = sum(1 for other in charger.evses.values() if other.transaction is not None)
    sharing, away = max(drawing, 1) if evse.id else 1, charger.offline(now)
    return charger.profiles.composite(evse.outlet, charger.wall(now), until, alternative=alternative, offline=away, sharing=sharing)


def signals_of(said: Composite, shift: float) -> tuple[Signal, ...]:
    """A composite as signals for the scheduler: caps, and setpoints where there are some; moved by `shift` (s) to the station's clock."""
    if said.silent:
        return ()
    said = Composite(said.start + shift, said.until + shift, tuple((begin + shift, period) for begin, period in said.periods))
    edges = [begin for begin, _ in said.periods] + [said.until]
    signals = [
        Signal("ocpp:limit", Kind.IMPORT_CAP, Series.from_pairs([(begin, p.limit) for begin, p in said.periods], said.until)),
        Signal("ocpp:dischargeLimit", Kind.EXPORT_CAP, Series.from_pairs([(begin, p.discharge) for begin, p in said.periods], said.until)),
    ]
    for (begin, end), (_, period) in zip(pairwise(edges), said.periods, strict=True):
        wish = period.clamped()
        if wish is not None:
            signals.append(Signal("ocpp:setpoint", Kind.SETPOINT, Series.constant(begin, end - begin, wish)))
    return tuple(signals)


def steer(charger: Charger, evse: Evse, now: float) -> None:
    """Tell the session the present limits and, in Dynamic control, the setpoint; and note when they change next."""
    session = evse.session
    if session is None or session.needs is None or session.selected is None or session.asked:
        return
    wall = charger.wall(now)
    said = composite(charger, evse, now, wall + HORIZON, session.alternative)
    period = said.at(wall)
    edges = [begin for begin, _ in said.periods if begin > wall]
    session.steer_due = None
    wish, dynamic = period.clamped(), session.selected.control == "Dynamic" and session.offer is not None
    if session.plan is not None and dynamic:
        wish = setpoint(session.plan, session.needs, charger.site, wall - charger.skew, signals_of(said, -charger.skew))
    elif wish is not None and dynamic:
        wish = _borne(wish, charger, session.needs, wall - charger.skew)
    if wish is not None and dynamic:
        session.steer_due = _next_look(charger, session.plan, now)
    evse.next_edge = min(edges, default=None)
    _limit(charger, evse, period)
    if dynamic and session.steered != (wish,):
        session.steered = (wish,)
        charger.tell(evse, SetpointChanged(wish))
    _tell_change(charger, evse, period, now)


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


def _limit(charger: Charger, evse: Evse, period: Period) -> None:
    assert evse.session is not None
    charge, discharge = min(evse.limits.charge_power, period.limit), min(evse.limits.discharge_power, period.discharge)
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
    before, tx.told = tx.told, period
    held: ChargingState = "SuspendedEVSE" if (period.limit == 0 and period.discharge == 0) or period.clamped() == 0 else "Charging"
    if held != tx.state and tx.state in ("Charging", "SuspendedEVSE"):
        transactions.update(charger, evse, "ChargingStateChanged", now, held)
    if before is not None and before.mode != period.mode and charger.version == "ocpp2.1":
        transactions.update(charger, evse, "OperationModeChanged", now, info={"operationMode": period.mode})
    elif before is not None and _significant(charger, before, period):
        transactions.update(charger, evse, "ChargingRateChanged", now)


def _significant(charger: Charger, before: Period, after: Period) -> bool:
    share = charger.variables.number("SmartChargingCtrlr.LimitChangeSignificance") / 100.0
    pairs = [(before.limit, after.limit), (before.discharge, after.discharge), (before.clamped() or 0.0, after.clamped() or 0.0)]
    return any(a != b and not abs(a - b) <= share * max(abs(a), abs(b)) for a, b in pairs)
