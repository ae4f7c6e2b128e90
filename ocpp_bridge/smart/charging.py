"""Smart charging: the car's needs go to the CSMS, its profiles come to the car (K15 to K20, Q).

    needs ──▶ NotifyEVChargingNeeds ──▶ SetChargingProfile ──▶ ScheduleReady        Scheduled and Dynamic control
                  └─ no answer, no profile ──▶ the local scheduler ──▶ ScheduleReady
    a profile later ──▶ RenegotiationAsked (Scheduled), SetpointChanged and LimitsChanged (at once)

The car is never kept waiting longer than `Charger.patience`.
"""

import math
from dataclasses import replace
from itertools import product
from typing import Any, Final

from ocpp_bridge.blocks import transactions
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.mapping import Wish, needs_of, offer_of, tuple_of
from ocpp_bridge.smart import steering
from ocpp_bridge.smart.acceptance import judge
from ocpp_bridge.smart.planning import composite, end_of, locally, theirs
from ocpp_bridge.smart.prices import prices_of, told
from ocpp_bridge.smart.profiles import EXTERNAL, PRIORITY, TX, Rejected
from ocpp_bridge.smart.sales import Unsayable
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp
from secc.station import NeedsChanged, RenegotiationAsked, ScheduleReady
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer, Tuple
from v2g.energy.plan import Plan
from v2g.services import SERVICES

DEPARTURE_CHANGE: Final = 60.0  # s; less is the rounding of a car that counts down in seconds
NEEDS_AGAIN: Final = 60.0  # s between two NotifyEVChargingNeeds of a charge loop: a car may change its mind every 250 ms
SETTLING: Final = (
    0.1  # s between two times that changed profiles take effect: a CSMS that installs a thousand moves the cars ten times a second
)


# --- needs ---


def take_needs(charger: Charger, evse: Evse, want: NeedsChanged, now: float) -> None:
    """Handle the car's needs: before power a schedule is wanted, in the loop the needs have changed."""
    session = evse.session
    if session is None or session.selected is None:
        return
    session.needs, session.needs_at, session.car = want.needs, charger.wall(now), want.car or session.car
    session.stated = want
    bring(charger, evse, now)
    if session.asked:
        return  # it polls, and what it wants may be a second younger each time: the answer is on its way
    told = session.told_needs
    if want.first or session.renegotiating or session.selected.control == "Scheduled":
        _ask(charger, evse, now, again=told is not None and alike(told[1], want.needs, charger.wall(now)))
        return
    if told is not None and now >= told[0] + NEEDS_AGAIN and not alike(told[1], want.needs, charger.wall(now)):
        _tell_needs(charger, evse, now)
    if session.offer is not None:
        charger.tell(evse, ScheduleReady(session.offer))  # should the car be asking for one: in Dynamic control it binds nobody


def _ask(charger: Charger, evse: Evse, now: float, *, again: bool) -> None:
    """A schedule is wanted. What the CSMS sent already is offered at once, and it is told the needs, unless it asked for that (K16).

    A profile that it makes of them reaches the car like any that comes later.
    """
    session = evse.session
    assert session is not None
    session.asked, session.planning = True, 0
    fresh = session.offer is None and bool(_tx_schedules(charger, evse))  # of a RequestStartTransaction, or of the service before
    if session.renegotiating or (again and session.offer is not None):
        fall_back(charger, evse, now)
    elif fresh:
        _tell_needs(charger, evse, now)
        fall_back(charger, evse, now)
    elif _tell_needs(charger, evse, now):
        session.patience = now + charger.patience
    else:
        fall_back(charger, evse, now)


def fall_back(charger: Charger, evse: Evse, now: float) -> None:
    """Offer the car a schedule without waiting longer: by the profile of the CSMS, else one made by the station."""
    if _tx_schedules(charger, evse):
        ready(charger, evse, now)
    else:
        locally(charger, evse, now)


def alike(before: Needs, after: Needs, wall: float) -> bool:
    """Whether the CSMS need not be told of changed needs: energies do not count, nor does 5 % of the stay. `wall` is epoch s.

    Nor do the times of an offer of energy, which a polling car may move along; its powers, prices and currency do.
    """
    if (before.departure is None) != (after.departure is None):
        return False
    if before.departure is not None and after.departure is not None:
        stay = max(before.departure - wall, 0.0)
        if abs(before.departure - after.departure) > max(DEPARTURE_CHANGE, stay / 20):
            return False
    wishes = (before.target_soc, before.minimum_soc, before.bidirectional) == (after.target_soc, after.minimum_soc, after.bidirectional)
    powers = ("charge_maximum", "discharge_maximum")
    sold = [needs.energy_offer and needs.energy_offer.terms for needs in (before, after)]
    return wishes and sold[0] == sold[1] and all(math.isclose(getattr(before, name), getattr(after, name), rel_tol=0.1) for name in powers)


def _tell_needs(charger: Charger, evse: Evse, now: float, since: float | None = None) -> bool:
    """NotifyEVChargingNeeds; `since` (epoch s) is when they came, if that was while offline."""
    session = evse.session
    assert session is not None
    assert session.needs is not None
    assert session.selected is not None
    assert session.stated is not None
    own = session.stated.phases, session.stated.inverter, charger.variables["ConnectedEV", "ProtocolAgreed", "", evse.id]
    wish = Wish(theirs(charger, session.needs), session.selected, evse.limits, evse.services, session.car, *own)
    payload = needs_of(evse.id, wish)
    if since is not None:
        payload["timestamp"] = timestamp(since)
    if not charger.call("NotifyEVChargingNeeds", payload, evse=evse.id, about=session):
        return False
    session.told_needs = (now, session.needs)
    return True


def tell_again(charger: Charger, evse: Evse, now: float) -> None:
    """Send needs that the CSMS was not told, after the connection is back."""
    session = evse.session
    if session is not None and session.needs is not None and session.selected is not None and session.told_needs is None:
        _tell_needs(charger, evse, now, session.needs_at)


def needs_answered(charger: Charger, evse: Evse, call: Call, response: Payload, now: float) -> None:
    """Take the NotifyEVChargingNeedsResponse: it says whether a profile will come."""
    session = evse.session
    if session is None or call.about is not session:
        return
    status = response["status"]
    both = session.selected is not None and SERVICES[session.selected.service].bidirectional
    if status == "Rejected" and both:
        transactions.stop(charger, evse, "ReqEnergyTransferRejected", "AbnormalCondition", "the CSMS does not allow this energy transfer")
    elif not session.asked:
        return
    elif status == "Accepted":
        session.patience = now + charger.patience
    else:
        fall_back(charger, evse, now)


def needs_failed(charger: Charger, evse: Evse, call: Call, code: str, now: float) -> None:
    """Go on without the CSMS, because NotifyEVChargingNeeds was not answered."""
    session = evse.session
    if session is not None and call.about is session:
        session.told_needs = None
        if session.asked:
            charger.note(f"EVSE {evse.id}: NotifyEVChargingNeeds failed with {code}, the station goes on without")
            fall_back(charger, evse, now)


# --- profiles ---


def install(charger: Charger, evse: int, profile: Payload, now: float) -> None:
    """Install a profile for an EVSE (0: all) and let it take effect. Raises `Rejected`."""
    judge(evse, profile, {each.id: each.outlet for each in charger.evses.values()}, charger.profiles)
    _demand_told(charger, evse, profile, now)
    for schedule in profile["chargingSchedule"]:
        _demand_sayable(charger, evse, schedule)
    charger.profiles.install(evse, profile, charger.wall(now), delay=_delay(charger, profile))
    charger.keep_profile(profile["id"])
    profiles_changed(charger, evse, now)


def objection(charger: Charger, evse: Evse, profile: Payload, now: float) -> Rejected | None:
    """Why a profile could not lead the transaction that it is to start at an EVSE; None: it could."""
    id_ = evse.transaction.id if evse.transaction is not None else "to come"
    outlets = {each.id: each.outlet for each in charger.evses.values()}
    outlets[evse.id] = replace(outlets[evse.id], transaction=id_)
    try:
        judge(evse.id, profile | {"transactionId": id_}, outlets, charger.profiles)
        _demand_told(charger, evse.id, profile, now)
        for schedule in profile["chargingSchedule"]:
            _demand_sayable(charger, evse.id, schedule)
    except Rejected as rejected:
        return rejected
    return None


def _demand_sayable(charger: Charger, evse: int, schedule: Payload) -> None:
    """Raise `Rejected` for prices that the car cannot be told, with the name of the field."""
    try:
        prices = prices_of(schedule)
    except Unsayable as error:
        raise Rejected("InvalidSchedule", str(error)) from None
    session = charger.evses[evse].session if evse in charger.evses else None
    if prices is not None and session is not None and session.needs is not None and len(prices.steps) > session.needs.max_points:
        raise Rejected("TooManyElements", f"the car holds {session.needs.max_points} steps of prices, the schedule has {len(prices.steps)}")


def _demand_told(charger: Charger, evse: int, profile: Payload, now: float) -> None:
    """Raise `Rejected` for a mode that follows what nobody tells here, and for what the settings of the station leave to others."""
    if profile["chargingProfilePurpose"] == EXTERNAL and charger.variables.yes("SmartChargingCtrlr.ExternalConstraintsProfileDisallowed"):
        raise Rejected("InvalidProfile", "limits from elsewhere are not the CSMS's here (ExternalConstraintsProfileDisallowed)")
    modes = {period.get("operationMode", "") for schedule in profile["chargingSchedule"] for period in schedule["chargingSchedulePeriod"]}
    for mode, place in product(sorted(modes), [evse] if evse else sorted(charger.evses)):
        if why := charger.feeds.missing(mode, place, now):
            raise Rejected("InvalidOperationMode", f"{mode}: {why}")


def _delay(charger: Charger, profile: Payload) -> int:
    """The delay (s) of every change within the schedules of a profile, drawn once: alternatives share it, within what each allows."""
    most = min(schedule.get("randomizedDelay", 0) for schedule in profile["chargingSchedule"])
    return int.from_bytes(charger.entropy(8), "big") % (most + 1) if most else 0


def update(charger: Charger, change: Payload, now: float) -> None:
    """Give a dynamic profile new values (chargingProfileId, scheduleUpdate), which hold at once. Raises `Rejected`."""
    pause = charger.variables.number("SmartChargingCtrlr.UpdateRateLimit")
    before = charger.profiles.held.get(change["chargingProfileId"])
    if before is not None and charger.wall(now) < before.updated + pause:
        raise Rejected("RateLimitExceeded", f"one update in {pause:g} s (UpdateRateLimit)")
    held = charger.profiles.update(change["chargingProfileId"], change["scheduleUpdate"], charger.wall(now))
    charger.keep_profile(held.profile["id"])
    profiles_changed(charger, held.evse, now)


def profiles_changed(charger: Charger, evse: int, now: float) -> None:
    """Let a change in the profiles of an EVSE (0: all) take effect on its session: now, or together with what comes within a moment."""
    charger.variables["SmartChargingCtrlr.Entries[ChargingProfiles]"] = str(len(charger.profiles.held))
    for each in charger.evses.values():
        if evse in (0, each.id):
            waits = each.session is not None and each.session.asked  # a car for its schedule
            each.profiles_due = now if waits else max(now, each.profiles_applied + SETTLING)
            apply_due(charger, each, now)


def apply_due(charger: Charger, evse: Evse, now: float) -> None:
    """Let changed profiles take effect whose time has come."""
    if evse.profiles_due is not None and now >= evse.profiles_due:
        apply_profiles(charger, evse, now)


def bring(charger: Charger, evse: Evse, now: float) -> None:
    """Install the profile that came with a RequestStartTransaction, once there is a transaction."""
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
    if evse.transaction is not None and evse.transaction.priority:
        first = [held for held in charger.profiles.select(purpose=PRIORITY) if held.evse in (0, evse.id) and not held.dead]
        mine = first or mine
    return list(max(mine, key=lambda held: held.profile["stackLevel"]).profile["chargingSchedule"]) if mine else []


def ready(charger: Charger, evse: Evse, now: float) -> None:
    """Offer the car the schedules that the CSMS sent."""
    session = evse.session
    assert session is not None
    assert session.needs is not None
    until, schedules = end_of(charger, session.needs, charger.wall(now)), _tx_schedules(charger, evse)
    session.schedules = schedules
    session.composites = [composite(charger, evse, now, until, place, by_csms=True) for place in range(len(schedules))]
    tuples = [tuple_of(place + 1, each, schedules[place], session.needs, evse.limits) for place, each in enumerate(session.composites)]
    tuples = [_shifted(each, -charger.skew) for each in tuples]
    _offered(charger, evse, offer_of(tuples, schedules, session.needs, until - charger.skew), now, by_csms=True)


def _shifted(offered: Tuple, seconds: float) -> Tuple:
    """A tuple by another clock."""
    times = {name: getattr(offered, name) for name in ("charging", "discharging", "import_prices", "export_prices", "stated")}
    changes: dict[str, Any] = {name: series.shift(seconds) for name, series in times.items() if series is not None}
    return replace(offered, **changes)


def take_plan(charger: Charger, evse: Evse, number: int, offer: Offer, plan: Plan | None, now: float) -> None:
    """Take the schedule that the station made; it is offered unless the CSMS has sent one meanwhile."""
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
    steering.steer(charger, evse, now)


# --- profiles that come or go, and time that passes ---


def apply_profiles(charger: Charger, evse: Evse, now: float) -> None:
    """Let changed profiles of an EVSE reach the car in the way that its control mode allows."""
    session = evse.session
    evse.profiles_due, evse.profiles_applied = None, now
    if session is None or session.needs is None or session.selected is None:
        evse.next_edge = None
        return
    schedules = _tx_schedules(charger, evse)
    if session.asked:
        (ready if schedules else steering.steer)(charger, evse, now)
        return
    if session.offer is not None and not session.renegotiating and _other(charger, evse, schedules, now):
        session.renegotiating = True
        charger.tell(evse, RenegotiationAsked("Schedule"))
    elif session.by_csms and session.selected.control == "Dynamic" and schedules:
        session.schedules = schedules
        session.followed_changed = True
    steering.steer(charger, evse, now)


def _other(charger: Charger, evse: Evse, schedules: list[Payload], now: float) -> bool:
    """Whether the car must hear of it: another schedule in Scheduled control, other prices in Dynamic."""
    session = evse.session
    assert session is not None
    assert session.needs is not None
    assert session.selected is not None
    if session.selected.control == "Dynamic":
        return bool(schedules) and told(schedules) != told(session.schedules)
    if session.by_csms != bool(schedules) or told(schedules) != told(session.schedules):
        return True
    wall, until = charger.wall(now), end_of(charger, session.needs, charger.wall(now))
    fresh = [composite(charger, evse, now, until, place, by_csms=True) for place in range(len(schedules))]
    return any(new.from_(wall) != old.from_(wall) for new, old in zip(fresh, session.composites, strict=True))
