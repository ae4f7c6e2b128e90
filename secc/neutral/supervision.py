"""What a station watches by itself, whatever the car sends: dangers, and conditions that must not last.

`hazard` finds a danger of this moment, `due` what will have lasted too long and when. `supervise` asks both, after every request, fact and
tick, so that no state and no traffic is a way around them. A finding takes the power away at once; the car is told with the answer to its
next request.
"""

from collections.abc import Callable
from enum import Enum
from functools import partial

from secc.intent import Notice, Wish
from secc.neutral.context import Context
from secc.neutral.fault import Fault
from secc.neutral.field import disturbed, field_fault, obstructed, wireless
from secc.neutral.output import cut, differs
from secc.station import OpenContactor, PowerStopped, SetOutput, SetPower
from v2g.reasons import Reason
from v2g.session.endpoint import Event, Noted
from v2g.session.errors import Refused, StationFailed

Bound = tuple[float, Callable[[], Fault]]
"""When something will have lasted too long (session time, s), and what makes the fault that it is then, which is hardly ever asked."""
NOTICE_GRACE = 10.0  # s beyond NotificationMaxDelay until a car that was told to stop is stopped
FAULT_ANSWER = 2.0  # s in which a car may still ask and hear why its power went; it gives up on an answer as soon (V2G_EVCC_Msg_Timeout)
PILOT = {
    "A": "no car is plugged in",
    "B": "the car asks for no energy",
    "E": "the pilot is cut or shorted",
    "F": "the outlet is not available",
}


def supervise(known: Context, now: float) -> tuple[Context, tuple[Event, ...]]:
    """The context with a danger, or a condition that has lasted too long, as its fault; and what the station must do about it."""
    before = known.session.fault
    if before is not None and not before.may_stop:
        return known, ()
    if known.state in known.given.phases.idle and known.station.pilot == "B" and known.live:  # it may: PowerDelivery(Start) closes again
        return known.with_station(contactor_wanted=False), (OpenContactor(now),)
    bound = due(known)
    fault = hazard(known) or (bound[1]() if bound is not None and now >= bound[0] else None)
    if fault is None or (before is not None and fault.may_stop):
        return _within_limits(known, now)
    return _powerless(fault, known, now)


def _within_limits(known: Context, now: float) -> tuple[Context, tuple[Event, ...]]:
    """Cut what is commanded to limits that have fallen since: the loop that would say it anew may be a minute away."""
    if not known.delivering or known.station.contactor_wanted is False:  # what opens is told no power any more
        return known, ()
    output, power = known.service.output_wanted, known.service.setpoint_wanted
    if output is not None and differs(output, within := cut(output, known, now)):
        return known.with_service(output_wanted=within), (within,)
    ours = known.present_limits
    if power and obstructed(known):
        return known.with_service(setpoint_wanted=0.0), (SetPower(now, 0.0),)
    if power is not None and not -ours.discharge_power <= power <= ours.charge_power:
        power = min(max(power, -ours.discharge_power), ours.charge_power)
        return known.with_service(setpoint_wanted=power), (SetPower(now, power),)
    return known, ()


def _powerless(fault: Fault, known: Context, now: float) -> tuple[Context, tuple[Event, ...]]:
    """Take the power away at once."""
    said = Noted(now, "fault", {"why": fault.error.reason, "requirement": fault.error.requirement})
    selection, after = known.agreement.selection, known.with_session(fault=fault)
    if fault.may_stop and selection is not None and selection.dc:
        return after.with_service(output_wanted=None), (said, SetOutput(now, 0.0, 0.0))  # the contactor is left for the welding detection
    wants = ((OpenContactor(now),) if known.live else ()) + ((PowerStopped(now),) if known.delivering and not fault.may_stop else ())
    after = after.with_service(delivering=known.delivering and fault.may_stop).with_station(contactor_wanted=False)
    return after, (said, *wants)


def hazard(known: Context) -> Fault | None:
    """The danger for which power must be taken away at once; None where there is none."""
    if known.station.emergency:
        return Fault(StationFailed(f"emergency stop: {known.station.emergency}", None))
    if known.station.welded:
        return Fault(
            StationFailed(
                "the contactor is closed and nobody told it to close, or it was told to open",
                kind=Reason.CONTACTOR,
                requirement=None,
            )
        )
    if not known.live:
        return None
    if known.delivering and known.station.contactor is False:
        return Fault(StationFailed("the contactor opened under power", kind=Reason.CONTACTOR, requirement=None))
    if known.service.isolation is False:
        return Fault(StationFailed("the isolation is faulty", None))
    if known.undocked:
        return Fault(StationFailed(f"{known.undocked}, under power", None))
    if known.unparked:
        return Fault(StationFailed(f"{known.unparked}, under power", None))
    if (fault := field_fault(known)) is not None:
        return fault
    if known.service.vehicle_fault:
        return Fault(Refused(Reason.OTHER, known.service.vehicle_fault, None))
    return None if wireless(known) else _plug(known)


def _plug(known: Context) -> Fault | None:
    """The danger of a connector and its pilot, under power; None where there is none. A field has neither (WPT)."""
    if known.station.locked is False:
        return Fault(StationFailed("the connector is not locked", None))
    if known.station.pilot == "B" and known.state not in known.given.phases.after_power:
        return Fault(Refused(Reason.OTHER, f"the control pilot went to state B under power: {PILOT['B']}", None), may_stop=True)
    if known.station.pilot in ("A", "E", "F"):
        return Fault(
            Refused(Reason.OTHER, f"the control pilot went to state {known.station.pilot} under power: {PILOT[known.station.pilot]}", None)
        )
    return None


def due(known: Context) -> Bound | None:
    """What will have lasted too long next; None: nothing will."""
    if known.session.fault is not None:
        return None
    bounds = [*_unheeded(known), *_unlooped(known), *_polled(known), *disturbed(known)]
    return min(bounds, key=lambda bound: bound[0]) if bounds else None


def _unheeded(known: Context) -> list[Bound]:
    """A car that was told to stop, to pause or to end its standby, and does not."""
    if not known.session.intent.asked or known.state in known.given.phases.after_power:
        return []
    notices = [notice for wish in (Wish.STOP, Wish.PAUSE, Wish.POWER) if (notice := known.session.intent.of(wish)) is not None]
    return [(notice.since + notice.delay + NOTICE_GRACE, partial(_unfollowed, notice, known.given.phases.unheeded)) for notice in notices]


def _unfollowed(notice: Notice, requirement: str | None) -> Fault:
    why = f"the car did not follow {notice.wish.value} within {notice.delay + NOTICE_GRACE:g} s"
    return Fault(Refused(Reason.OTHER, why, requirement))


def _unlooped(known: Context) -> list[Bound]:
    """Power without a charge loop: nobody looks at meter, profile and limits then."""
    if not known.delivering or known.service.looped is None:
        return []
    return [(known.service.looped + known.given.phases.loopless, partial(_loopless, known))]


def _loopless(known: Context) -> Fault:
    anew, loopless = known.state in known.given.phases.renegotiating, known.given.phases.loopless
    what = "the renegotiation of the schedule took longer than" if anew else "there was no charge loop under power for"
    return Fault(Refused(Reason.SCHEDULE_RENEGOTIATION if anew else Reason.OTHER, f"{what} {loopless:g} s", None))


def _polled(known: Context) -> list[Bound]:
    """A step that the car asks for again and again."""
    since, limit = known.step.polled, known.given.phases.stays.get(known.state)
    if limit is None or since is None or known.delivering:
        return []
    if known.state in known.given.phases.settling and known.service.exchange.asked is not None:
        return []  # the exchange of schedules has a patience of its own
    return [(since + limit, partial(_unfinished, known.state, limit))]


def _unfinished(state: Enum, limit: float) -> Fault:
    return Fault(Refused(Reason.OTHER, f"the car did not finish {state.value} within {limit:g} s", None))
