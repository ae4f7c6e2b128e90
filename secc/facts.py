"""What a session learns from its station: one case per fact."""

from dataclasses import replace

from energy.offer import Offer
from secc import station as words
from secc.context import Context
from secc.intent import Notice
from v2g.messages.common_types import evseNotificationType as Ask
from v2g.session.sequence import State
from v2g.session.timing import PAUSE_NOTIFICATION_MAX_DELAY

RENEGOTIATIONS = {"Schedule": Ask.ScheduleRenegotiation, "Service": Ask.ServiceRenegotiation}
EXCHANGES = (State.AC_SCHEDULE, State.DC_SCHEDULE, State.DC_RENEGOTIATION)
GENTLE_DELAY = PAUSE_NOTIFICATION_MAX_DELAY  # s that a car may take for what is no hurry


def told(fact: words.Fact, known: Context) -> Context:
    """The context after a fact."""
    match fact:
        case words.Authorized() | words.AuthorizationRefused():
            return replace(known, verdict=fact)
        case words.CertificateReady() | words.CertificateRefused():
            return replace(known, installation=fact)
        case words.ScheduleReady(offer):
            return _offered(offer, known)
        case words.SetpointChanged(power):
            return replace(known, setpoint=power)
        case words.LimitsChanged(limits):
            return replace(known, limits=limits)
        case words.IsolationMeasured(sound):
            return replace(known, isolation=sound)
        case words.OutputMeasured():
            return replace(known, output=fact)
        case words.ContactorIs(closed):
            return replace(known, contactor=closed, welded=closed and not _may_be_closed(known))
        case words.ConnectorLock(locked):
            return replace(known, locked=locked)
        case words.EmergencyStop(reason):
            return replace(known, emergency=reason or "no reason was given")
        case words.MeterRead(reading):
            return replace(known, meter=reading)
        case words.OutletTaken(by_another):
            return replace(known, taken=by_another)
        case words.OutOfService(reason):
            return replace(known, unserviceable=reason)
        case words.PilotIs(state):
            return replace(known, pilot=state)
    return asked(fact, known)


def asked(fact: words.Fact, known: Context) -> Context:
    """The context after the station asked for something: under power the car is told by EVSEStatus, before that by the next answer."""
    match fact:
        case words.StopAsked(reason):
            return _noticed(known, Ask.Terminate, 0, reason)
        case words.PauseAsked() if not known.delivering:
            return replace(known, pause_proposed=known.outlet.pause)
        case words.PauseAsked() if known.outlet.pause:
            return _noticed(known, Ask.Pause, PAUSE_NOTIFICATION_MAX_DELAY)  # [V2G20-3308]
        case words.RenegotiationAsked(what) if known.delivering and (what == "Schedule" or known.outlet.service_renegotiation):
            return _noticed(known, RENEGOTIATIONS[what], GENTLE_DELAY)
        case words.MeteringConfirmationAsked() if known.delivering and known.agreement.contract:
            return _noticed(known, Ask.MeteringConfirmation, GENTLE_DELAY)
    return known


def _offered(offer: Offer, known: Context) -> Context:
    """An offer answers the exchange that is under way. One that a car in Scheduled control was shown binds until another is negotiated."""
    if known.coming is not None and known.needs is None:  # the renegotiation has not named its needs yet: the newest counts
        return replace(known, coming=(offer, known.coming[1]))
    binds = known.offer is not None and known.state not in EXCHANGES and known.agreement.selected.control == "Scheduled"
    if not binds or known.needs is None:
        return replace(known, offer=offer)
    known = replace(known, coming=(offer, known.needs))
    return asked(words.RenegotiationAsked("Schedule"), known)  # without power yet: once it begins


def _noticed(known: Context, notification: Ask, delay: float, reason: str = "") -> Context:
    return replace(known, intent=known.intent.ask(Notice(notification, known.now, delay, reason)))


def _may_be_closed(known: Context) -> bool:
    """Whether anything of this session closes the contactor: a command, or the isolation test, which does so by itself."""
    return known.contactor_wanted is True or (known.contactor_wanted is None and known.isolation_asked is not None)
