"""What a station sees to by itself, whatever the car sends: what must not be, and what must not last.

`hazard` judges what is now, `due` what time will make wrong. The session asks after every request, fact and tick, so that no state and no
traffic is a way around them. What they find takes the power away at once; the car hears of it with the answer to its next request.
"""

from secc.context import Context, Fault
from v2g.messages.common_types import evseNotificationType as Ask
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused, StationFailed
from v2g.session.sequence import State
from v2g.session.timing import EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT, SECC_SEQUENCE_TIMEOUT

NOTICE_GRACE = 10.0  # s beyond NotificationMaxDelay until a car that was told to stop is stopped
FAULT_ANSWER = 2.0  # s in which a car may still ask and hear why its power went; it gives up on an answer as soon (V2G_EVCC_Msg_Timeout)
LOOPLESS = SECC_SEQUENCE_TIMEOUT  # s under power without a charge loop: as long as a car may be silent, and it covers a renegotiation
PRE_CHARGE_LIMIT = EVCC_PRE_CHARGE_TIMEOUT + 2.0  # s; the car gives up by itself before
STAYS = {  # s that a car may poll in a state: each poll rearms the sequence timer, so this is what ends it
    State.AC_START: EVCC_ONGOING_TIMEOUT,
    State.DC_CABLE_CHECK: EVCC_ONGOING_TIMEOUT,
    State.DC_PRE_CHARGE: PRE_CHARGE_LIMIT,
    State.DC_START: EVCC_ONGOING_TIMEOUT,
    State.DC_WELDING: EVCC_ONGOING_TIMEOUT,
}
AFTER_POWER = (State.DC_WELDING, State.SESSION_STOP, State.ENDED)
RENEGOTIATING = (State.AC_SCHEDULE, State.AC_START, State.DC_RENEGOTIATION, State.DC_RESTART)
PILOT = {
    "A": "no car is plugged in",
    "B": "the car asks for no energy",
    "E": "the pilot is cut or shorted",
    "F": "the outlet is not available",
}


def hazard(known: Context) -> Fault | None:
    """What takes the power away at once, if there is such a thing now."""
    if known.emergency:
        return Fault(StationFailed(f"emergency stop: {known.emergency}", None))
    if known.welded:
        return Fault(
            StationFailed(
                "the contactor is closed and nobody told it to close, or it was told to open",
                code=Code.FAILED_ContactorError,
                requirement=None,
            )
        )
    if not known.live:
        return None
    if known.delivering and known.contactor is False:
        return Fault(StationFailed("the contactor opened under power", code=Code.FAILED_ContactorError, requirement=None))
    if known.isolation is False:
        return Fault(StationFailed("the isolation is faulty", None))
    if known.locked is False:
        return Fault(StationFailed("the connector is not locked", None))
    if known.pilot == "B" and known.state not in AFTER_POWER:
        return Fault(Refused(Code.FAILED, f"the control pilot went to state B under power: {PILOT['B']}", None), may_stop=True)
    if known.pilot in ("A", "E", "F"):
        return Fault(Refused(Code.FAILED, f"the control pilot went to state {known.pilot} under power: {PILOT[known.pilot]}", None))
    return None


def due(known: Context) -> tuple[float, Fault] | None:
    """When this goes too far (session time, s), and what it is then; None while nothing is bounded but by the sequence timer."""
    bounds = [*_unheeded(known), *_unlooped(known), *_polled(known)]
    return min(bounds, key=lambda bound: bound[0]) if bounds else None


def _unheeded(known: Context) -> list[tuple[float, Fault]]:
    """A car that was told to stop or pause, and does not."""
    if known.state in AFTER_POWER:
        return []
    notices = [notice for kind in (Ask.Terminate, Ask.Pause) if (notice := known.intent.of(kind)) is not None]
    return [
        (
            notice.since + notice.delay + NOTICE_GRACE,
            Fault(
                Refused(Code.FAILED, f"the car did not follow {notice.notification.value} within {notice.delay + NOTICE_GRACE:g} s", None)
            ),
        )
        for notice in notices
    ]


def _unlooped(known: Context) -> list[tuple[float, Fault]]:
    """Power without a charge loop: nobody looks at meter, profile and limits then."""
    if not known.delivering or known.looped is None:
        return []
    anew = known.state in RENEGOTIATING
    what = "the renegotiation of the schedule took longer than" if anew else "there was no charge loop under power for"
    refused = Refused(Code.FAILED_ScheduleRenegotiation if anew else Code.FAILED, f"{what} {LOOPLESS:g} s", None)
    return [(known.looped + LOOPLESS, Fault(refused))]


def _polled(known: Context) -> list[tuple[float, Fault]]:
    """A step that the car asks for again and again."""
    limit = STAYS.get(known.state)
    if limit is None or known.polled is None or known.delivering:
        return []
    return [(known.polled + limit, Fault(Refused(Code.FAILED, f"the car did not finish {known.state.value} within {limit:g} s", None)))]
