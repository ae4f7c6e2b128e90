"""Smart charging: the car's needs go to the CSMS, its profiles come to the car (K15 to K20, Q).

    needs ──▶ NotifyEVChargingNeeds ──▶ SetChargingProfile ──▶ ScheduleReady        Scheduled and Dynamic control
                  └─ no answer, no profile ──▶ the local scheduler ──▶ ScheduleReady
    a profile later ──▶ RenegotiationAsked (Scheduled), SetpointChanged and LimitsChanged (at once)

The car is never kept waiting longer than `Charger.patience`.
"""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from energy.needs import Needs
from energy.offer import Offer, Tuple
from energy.plan import Plan
from energy.series import Series
from energy.setpoint import setpoint
from energy.signal import Kind, Signal
from ocpp_bridge import transactions
from ocpp_bridge.acceptance import judge
from ocpp_bridge.charger import Charger, Evse, PlanWanted, Session
from ocpp_bridge.mapping import HORIZON, Wish, chosen_of, needs_of, offer_of, prices_of, tuple_of
from ocpp_bridge.outbox import Call
from ocpp_bridge.profiles import TX, Composite, Period, Rejected
from ocpp_bridge.schemas import Payload
from ocpp_bridge.times import timestamp
from secc.station import LimitsChanged, NeedsChanged, RenegotiationAsked, ScheduleChosen, ScheduleReady, SetpointChanged

LOOK_AGAIN: Final = 1.0  # s between two looks at a local plan in Dynamic control: the battery may be full or the reserve reached
NEEDS_AGAIN: Final = 60.0  # s between two NotifyEVChargingNeeds of a charge loop: a car may change its mind every 250 ms
REACH: Final = 2 * HORIZON  # s; a composite looks no further, however late the departure


# --- needs ---


def wanted(charger: Charger, evse: Evse, want: NeedsChanged, now: float) -> None:
    """The car's needs: for a schedule, or anew in the loop."""
    session = evse.session
    if session is None or session.selected is None:
        return
    session.needs, session.needs_at = want.needs, charger.wall(now)
    bring(charger, evse, now)
    if not want.first:
        if _differ(session, now):
            _tell_needs(charger, evse, now)
        return
    session.asked, session.planning = True, 0
    if _tx_schedules(charger, evse):
        ready(charger, evse, now)
    elif _tell_needs(charger, evse, now):
        session.patience = now + charger.patience
    else:
        locally(charger, evse, now)


def _differ(session: Session, now: float) -> bool:
    """Whether the needs changed enough, and long enough after the last ones, to tell the CSMS. Energies shrink anyway."""
    if session.told_needs is None or session.needs is None or now < session.told_needs[0] + NEEDS_AGAIN:
        return False
    before, after = session.told_needs[1], session.needs
    return (before.departure, before.target_soc, before.minimum_soc) != (after.departure, after.target_soc, after.minimum_soc) or any(
        not math.isclose(getattr(before, name), getattr(after, name), rel_tol=0.1) for name in ("charge_maximum", "discharge_maximum")
    )


def _tell_needs(charger: Charger, evse: Evse, now: float, since: float | None = None) -> bool:
    """NotifyEVChargingNeeds; `since` (epoch s) is when they came, if that was while offline."""
    session = evse.session
    assert session is not None
    assert session.needs is not None
    assert session.selected is not None
    wish = Wish(_theirs(charger, session.needs), session.selected, evse.limits, evse.services)
    payload = needs_of(evse.id, wish, charger.version)
    if since is not None and charger.version == "ocpp2.1":
        payload["timestamp"] = timestamp(since)
    if not charger.call("NotifyEVChargingNeeds", payload, evse=evse.id, about=session):
        return False
    session.told_needs = (now, session.needs)
    return True


def tell_again(charger: Charger, evse: Evse, now: float) -> None:
    """After a time offline: needs that the CSMS has not heard of."""
    session = evse.session
    if session is not None and session.needs is not None and session.selected is not None and session.told_needs is None:
        _tell_needs(charger, evse, now, session.needs_at)


def needs_answered(charger: Charger, evse: Evse, call: Call, response: Payload, now: float) -> None:
    """Whether a profile will come."""
    session = evse.session
    if session is None or call.about is not session:
        return
    status = response["status"]
    if status == "Rejected" and charger.version == "ocpp2.1" and session.selected and session.selected.service.endswith("BPT"):
        transactions.stop(charger, evse, "ReqEnergyTransferRejected", "AbnormalCondition", "the CSMS does not allow this energy transfer")
    elif not session.asked:
        return
    elif status == "Accepted":
        session.patience = now + charger.patience
    else:
        locally(charger, evse, now)


def needs_failed(charger: Charger, evse: Evse, call: Call, code: str, now: float) -> None:
    """The CSMS does not answer: go on without it."""
    session = evse.session
    if session is not None and call.about is session:
        session.told_needs = None
        if session.asked:
            charger.note(f"EVSE {evse.id}: NotifyEVChargingNeeds failed with {code}, the schedule is made here")
            locally(charger, evse, now)


# --- profiles ---


def install(charger: Charger, evse: int, profile: Payload, now: float) -> None:
    """Hold a profile for an EVSE (0: all) and let it take effect. Raises `Rejected`, or ValueError for prices that cannot be read."""
    judge(evse, profile, {each.id: each.outlet for each in charger.evses.values()}, charger.profiles)
    for schedule in profile["chargingSchedule"]:
        prices_of(schedule, 0.0, 1.0)
    charger.profiles.install(evse, profile, charger.wall(now))
    touched(charger, evse, now)


def touched(charger: Charger, evse: int, now: float) -> None:
    """Profiles of an EVSE (0: all) came, changed or went."""
    charger.variables["SmartChargingCtrlr.Entries[ChargingProfiles]"] = str(len(charger.profiles.held))
    for each in charger.evses.values():
        if evse in (0, each.id):
            applied(charger, each, now)


def bring(charger: Charger, evse: Evse, now: float) -> None:
    """Install what a RequestStartTransaction brought, once there is a transaction."""
    if evse.brought is None or evse.transaction is None:
        return
    profile, evse.brought = evse.brought | {"transactionId": evse.transaction.id}, None
    try:
        install(charger, evse.id, profile, now)
    except (Rejected, ValueError) as error:
        charger.note(f"EVSE {evse.id}: the profile of RequestStartTransaction is not usable: {error}")


# --- schedules ---


def _tx_schedules(charger: Charger, evse: Evse) -> list[Payload]:
    """The schedules of the TxProfile that leads at this EVSE; none if there is none."""
    mine = [held for held in charger.profiles.select(evse=evse.id, purpose=TX) if not held.dead]
    return list(max(mine, key=lambda held: held.profile["stackLevel"]).profile["chargingSchedule"]) if mine else []


def composite(charger: Charger, evse: Evse, now: float, until: float, alternative: int = 0) -> Composite:
    """What the profiles say of an EVSE from now on."""
    drawing = sum(1 for other in charger.evses.values() if other.transaction is not None)
    sharing, away = max(drawing, 1) if evse.id else 1, charger.offline(now)
    return charger.profiles.composite(evse.outlet, charger.wall(now), until, alternative=alternative, offline=away, sharing=sharing)


def _theirs(charger: Charger, needs: Needs) -> Needs:
    """The needs by the clock of the CSMS."""
    return replace(needs, departure=None if needs.departure is None else needs.departure + charger.skew)


def _end(charger: Charger, needs: Needs, wall: float) -> float:
    departure = _theirs(charger, needs).departure
    return min(max(wall + HORIZON if departure is None else departure, wall + 1.0), wall + REACH)


def ready(charger: Charger, evse: Evse, now: float) -> None:
    """Offer the car what the CSMS sent."""
    session = evse.session
    assert session is not None
    assert session.needs is not None
    until, schedules = _end(charger, session.needs, charger.wall(now)), _tx_schedules(charger, evse)
    session.schedules = schedules
    session.composites = [composite(charger, evse, now, until, place) for place in range(len(schedules))]
    tuples = [tuple_of(place + 1, each, schedules[place], session.needs, evse.limits) for place, each in enumerate(session.composites)]
    tuples = [_shifted(each, -charger.skew) for each in tuples]
    _offered(charger, evse, offer_of(tuples, schedules, session.needs, until - charger.skew), now, by_csms=True)


def _shifted(offered: Tuple, seconds: float) -> Tuple:
    """A tuple by another clock."""
    times = {name: getattr(offered, name) for name in ("charging", "discharging", "import_prices", "export_prices")}
    changes: dict[str, Any] = {name: series.shift(seconds) for name, series in times.items() if series is not None}
    return replace(offered, **changes)


def locally(charger: Charger, evse: Evse, now: float) -> None:
    """Have a schedule made here, within what profiles there are."""
    session = evse.session
    assert session is not None
    assert session.needs is not None
    session.patience, session.planning = None, charger.number()
    wall = charger.wall(now)
    signals = signals_of(composite(charger, evse, now, _end(charger, session.needs, wall)), -charger.skew)
    charger.plans.append(PlanWanted(evse.id, session.planning, session.needs, charger.site, wall - charger.skew, signals))


def signals_of(said: Composite, shift: float) -> tuple[Signal, ...]:
    """Profiles as the scheduler hears them, by its clock: caps, and setpoints where there are some."""
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


def planned(charger: Charger, evse: Evse, number: int, offer: Offer, plan: Plan | None, now: float) -> None:
    """The local schedule is made; it is of use if nothing better came meanwhile."""
    session = evse.session
    if session is None or session.planning != number:
        return
    session.planning, session.plan, session.composites, session.schedules = 0, plan, [], []
    _offered(charger, evse, offer, now, by_csms=False)


def _offered(charger: Charger, evse: Evse, offer: Offer, now: float, *, by_csms: bool) -> None:
    session = evse.session
    assert session is not None
    session.offer, session.by_csms, session.alternative = offer, by_csms, 0
    if by_csms:
        session.plan, session.planning = None, 0
    session.asked, session.patience, session.renegotiating = False, None, False
    charger.tell(evse, ScheduleReady(offer))
    steer(charger, evse, now)


def chosen(charger: Charger, evse: Evse, want: ScheduleChosen, now: float) -> None:
    """The car has chosen; the CSMS hears of it once power flows."""
    session = evse.session
    if session is None:
        return
    session.chosen = replace(want, profile=want.profile.shift(charger.skew))
    if session.by_csms and want.tuple_id is not None:
        session.alternative = min(max(want.tuple_id - 1, 0), len(session.schedules) - 1)
    if session.delivering:
        tell_chosen(charger, evse, now)
    steer(charger, evse, now)


def tell_chosen(charger: Charger, evse: Evse, now: float) -> None:
    """NotifyEVChargingSchedule: in Dynamic control the CSMS's own schedule, for the car's profile binds nobody there (K19)."""
    session = evse.session
    if session is None or session.chosen is None:
        return
    want, session.chosen = session.chosen, None
    id_ = session.schedules[session.alternative]["id"] if session.by_csms else None
    dynamic = session.selected is not None and session.selected.control == "Dynamic"
    if dynamic and session.by_csms:
        want = replace(want, profile=_followed(session.composites[session.alternative], evse))
    if want.profile.steps:
        charger.call("NotifyEVChargingSchedule", chosen_of(evse.id, want, id_, charger.wall(now), charger.version), evse=evse.id)


def _followed(said: Composite, evse: Evse) -> Series:
    """A composite as the power that it asks for, or allows."""
    most = evse.limits.charge_power
    powers = [(begin, min(p.limit, most) if (wish := p.clamped()) is None else wish) for begin, p in said.periods]
    return Series.from_pairs(powers, said.until)


# --- profiles that come or go, and time that passes ---


def applied(charger: Charger, evse: Evse, now: float) -> None:
    """The profiles of an EVSE changed: let the car know in the way its control mode allows."""
    session = evse.session
    if session is None or session.needs is None or session.selected is None:
        evse.next_edge = None
        return
    schedules = _tx_schedules(charger, evse)
    if session.asked:
        if schedules:
            ready(charger, evse, now)
        return
    if session.offer is not None and not session.renegotiating and _other(charger, evse, schedules, now):
        session.renegotiating = True
        charger.tell(evse, RenegotiationAsked("Schedule"))
    steer(charger, evse, now)


def _other(charger: Charger, evse: Evse, schedules: list[Payload], now: float) -> bool:
    """Whether the car must hear of it: another schedule in Scheduled control, other prices in Dynamic."""
    session = evse.session
    assert session is not None
    assert session.needs is not None
    assert session.selected is not None
    if session.selected.control == "Dynamic":
        return bool(schedules) and _prices(schedules) != _prices(session.schedules)
    if session.by_csms != bool(schedules) or len(schedules) != len(session.schedules):
        return True
    wall, until = charger.wall(now), _end(charger, session.needs, charger.wall(now))
    fresh = [composite(charger, evse, now, until, place) for place in range(len(schedules))]
    return any(
        new.from_(wall) != old.from_(wall) or a.get("absolutePriceSchedule") != b.get("absolutePriceSchedule")
        for new, old, a, b in zip(fresh, session.composites, schedules, session.schedules, strict=True)
    )


def _prices(schedules: list[Payload]) -> list[Payload | None]:
    return [schedule.get("absolutePriceSchedule") for schedule in schedules]


def steer(charger: Charger, evse: Evse, now: float) -> None:
    """Tell the session what holds now: limits, and in Dynamic control the setpoint. Remember when that changes."""
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
        session.steer_due = now + LOOK_AGAIN
    evse.next_edge = min(edges, default=None)
    _limit(charger, evse, period)
    if dynamic and session.steered != (wish,):
        session.steered = (wish,)
        charger.tell(evse, SetpointChanged(wish))
    _tell_change(charger, evse, period, now)


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
    held = "SuspendedEVSE" if (period.limit == 0 and period.discharge == 0) or period.clamped() == 0 else "Charging"
    if held != tx.state and tx.state in ("Charging", "SuspendedEVSE"):
        transactions.changed(charger, evse, "ChargingStateChanged", now, held)  # type: ignore[arg-type]
    if before is not None and before.mode != period.mode and charger.version == "ocpp2.1":
        transactions.changed(charger, evse, "OperationModeChanged", now, info={"operationMode": period.mode})
    elif before is not None and _significant(charger, before, period):
        transactions.changed(charger, evse, "ChargingRateChanged", now)


def _significant(charger: Charger, before: Period, after: Period) -> bool:
    share = charger.variables.number("SmartChargingCtrlr.LimitChangeSignificance") / 100.0
    pairs = [(before.limit, after.limit), (before.discharge, after.discharge), (before.clamped() or 0.0, after.clamped() or 0.0)]
    return any(a != b and not abs(a - b) <= share * max(abs(a), abs(b)) for a, b in pairs)
