"""What a car follows, told to the CSMS: its own choice, and in Dynamic control the schedule of the CSMS whenever that changes."""

from dataclasses import replace
from typing import Final

from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.mapping import chosen_of
from ocpp_bridge.smart.periods import Composite
from ocpp_bridge.smart.planning import composite, end_of
from secc.station import ScheduleChosen
from v2g.energy.series import Series

AGAIN: Final = 1.0  # s between two NotifyEVChargingSchedule of a led car: what changes faster is told as it stands then


def again(charger: Charger, evse: Evse, now: float) -> float | None:
    """Tell the CSMS what a led car follows, where that has changed; when (monotonic s) to try again, where it was told just now."""
    session = evse.session
    if session is None or not (session.followed_changed and session.by_csms and session.delivering):
        return None
    if session.choice is None or session.needs is None:
        return None
    if now < session.told_chosen_at + AGAIN:
        return session.told_chosen_at + AGAIN
    session.followed_changed = False
    until = end_of(charger, session.needs, charger.wall(now))
    count = len(session.schedules)
    session.composites = [composite(charger, evse, now, until, place, by_csms=True) for place in range(count)]
    session.alternative = min(session.alternative, count - 1)
    session.chosen = replace(session.choice, tuple_id=None)
    tell_chosen(charger, evse, now)
    return None


def take_schedule(charger: Charger, evse: Evse, want: ScheduleChosen, now: float) -> None:
    """Keep the car's choice of a schedule; the CSMS is told once power flows."""
    session = evse.session
    if session is None:
        return
    session.chosen = replace(want, profile=want.profile.shift(charger.skew))
    if session.by_csms and want.tuple_id is not None:
        session.alternative = min(max(want.tuple_id - 1, 0), len(session.schedules) - 1)
    session.choice = session.chosen
    if session.delivering:
        tell_chosen(charger, evse, now)


def tell_chosen(charger: Charger, evse: Evse, now: float) -> None:
    """Send NotifyEVChargingSchedule: the car's profile; in Dynamic control the CSMS's schedule, since no profile binds there (K19)."""
    session = evse.session
    if session is None or session.chosen is None:
        return
    want, session.chosen = session.chosen, None
    id_ = session.schedules[session.alternative]["id"] if session.by_csms else None
    dynamic = session.selected is not None and session.selected.control == "Dynamic"
    said = session.composites[session.alternative] if session.by_csms else None
    if dynamic and said is not None:
        want = replace(want, profile=_followed(said, evse))
    told = (id_, want.profile.values)
    if want.profile.steps and told != session.told_chosen:  # a car that renegotiates without end is reported once
        session.told_chosen, session.told_chosen_at = told, now
        payload = chosen_of(evse.id, want, id_, said)
        charger.call("NotifyEVChargingSchedule", payload, evse=evse.id)


def _followed(said: Composite, evse: Evse) -> Series:
    """A composite as the power that it asks for, or allows."""
    most = evse.limits.charge_power
    powers = [(begin, min(p.limit, most) if (wish := p.clamped()) is None else wish) for begin, p in said.periods]
    return Series.from_pairs(powers, said.until)
