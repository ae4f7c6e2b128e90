"""DC_EVSEStatus: what the station asks of a car in DC, and how its outlet is."""

from typing import Any

from secc.enveloped.words import Words
from secc.intent import Notice, Wish
from secc.neutral.context import Context

MOST_DELAY = 0xFFFF  # s


def asked(words: Words, known: Context) -> tuple[Any, int]:
    """What the station asks of the car now by EVSENotification, where the generation has a word for it, and the seconds left for it."""
    if known.session.fault is not None or known.stopping:
        notice = known.session.intent.of(Wish.STOP)
        stop = words.notifications.get(Wish.STOP)
        return (words.types.EVSENotificationType.None_, 0) if stop is None else (stop, 0 if notice is None else _left(notice, known))
    for notice in known.session.intent.asked:
        if notice.wish in words.notifications:
            return words.notifications[notice.wish], _left(notice, known)
    return words.types.EVSENotificationType.None_, 0


def _left(notice: Notice, known: Context) -> int:
    return min(notice.remaining(known.now), MOST_DELAY)


def dc_status(words: Words, known: Context, ready: bool | None = None) -> Any:
    """The DC_EVSEStatus of a response; `ready` None: as the session knows the outlet."""
    notification, delay = asked(words, known)
    isolation, levels = known.service.isolation, words.types.isolationLevelType
    level = levels.Invalid if isolation is None else levels.Valid if isolation else levels.Fault
    return words.types.DC_EVSEStatusType(
        NotificationMaxDelay=delay, EVSENotification=notification, EVSEIsolationStatus=level, EVSEStatusCode=_code(words, known, ready)
    )


def _code(words: Words, known: Context, ready: bool | None) -> Any:
    codes = words.types.DC_EVSEStatusCodeType
    if known.station.emergency:
        return codes.EVSE_EmergencyShutdown
    if known.session.fault is not None:
        return codes.EVSE_Malfunction
    if any(known.session.intent.of(wish) is not None for wish in words.shuts_down):
        return codes.EVSE_Shutdown
    testing = known.service.isolation_asked is not None and known.service.isolation is None
    if testing:
        return codes.EVSE_IsolationMonitoringActive
    return codes.EVSE_NotReady if ready is False else codes.EVSE_Ready
