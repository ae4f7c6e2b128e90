"""What responses of ISO 15118-2 say besides their answer: by EVSEStatus what the station asks of the car, and how the outlet is."""

from typing import Final

from secc.intent import Notice, Wish
from secc.neutral.context import Context
from v2g.messages.iso2.msg_data_types import (
    AC_EVSEStatusType,
    DC_EVSEStatusCodeType,
    DC_EVSEStatusType,
    EVSENotificationType,
    EVSEStatusType,
    isolationLevelType,
)

NOTIFICATIONS: Final = {  # of the others this generation has no word: a signature is asked for by ReceiptRequired, a pause is the car's
    Wish.STOP: EVSENotificationType.StopCharging,
    Wish.PAUSE: EVSENotificationType.StopCharging,
    Wish.SCHEDULE: EVSENotificationType.ReNegotiation,
}
NOBODY: Final = "ZZ00000"  # of an outlet without an id that this generation can carry
EVSE_ID: Final = range(7, 38)  # characters
MOST_DELAY: Final = 0xFFFF  # s


def evse_id(known: Context) -> str:
    """The id of the outlet as a car of this generation is told it."""
    return known.outlet.evse_id if len(known.outlet.evse_id) in EVSE_ID else NOBODY


def asked(known: Context) -> tuple[EVSENotificationType, int]:
    """What the station asks of the car now, and the seconds that are left for it."""
    if known.session.fault is not None or known.stopping:
        notice = known.session.intent.of(Wish.STOP)
        return EVSENotificationType.StopCharging, 0 if notice is None else _left(notice, known)
    for notice in known.session.intent.asked:
        if notice.wish in NOTIFICATIONS:
            return NOTIFICATIONS[notice.wish], _left(notice, known)
    return EVSENotificationType.None_, 0


def _left(notice: Notice, known: Context) -> int:
    return min(notice.remaining(known.now), MOST_DELAY)


def ac_status(known: Context) -> AC_EVSEStatusType:
    """The AC_EVSEStatus of a response; no residual current is told, which the outlet itself acts upon."""
    notification, delay = asked(known)
    return AC_EVSEStatusType(NotificationMaxDelay=delay, EVSENotification=notification, RCD=False)


def dc_status(known: Context, ready: bool | None = None) -> DC_EVSEStatusType:
    """The DC_EVSEStatus of a response; `ready` None: as the session knows the outlet."""
    notification, delay = asked(known)
    isolation = known.service.isolation
    level = isolationLevelType.Invalid if isolation is None else isolationLevelType.Valid if isolation else isolationLevelType.Fault
    return DC_EVSEStatusType(
        NotificationMaxDelay=delay, EVSENotification=notification, EVSEIsolationStatus=level, EVSEStatusCode=_code(known, ready)
    )


def _code(known: Context, ready: bool | None) -> DC_EVSEStatusCodeType:
    if known.station.emergency:
        return DC_EVSEStatusCodeType.EVSE_EmergencyShutdown
    if known.session.fault is not None:
        return DC_EVSEStatusCodeType.EVSE_Malfunction
    if known.stopping:
        return DC_EVSEStatusCodeType.EVSE_Shutdown
    testing = known.service.isolation_asked is not None and known.service.isolation is None
    if testing:
        return DC_EVSEStatusCodeType.EVSE_IsolationMonitoringActive
    return DC_EVSEStatusCodeType.EVSE_NotReady if ready is False else DC_EVSEStatusCodeType.EVSE_Ready


def status(known: Context) -> EVSEStatusType:
    """The EVSEStatus of a response that AC and DC share."""
    selection = known.agreement.selection
    return dc_status(known) if selection is not None and selection.dc else ac_status(known)
