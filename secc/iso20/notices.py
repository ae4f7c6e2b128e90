"""The EVSEStatus by which ISO 15118-20 tells a car what the station asks of it."""

from typing import Final

from secc.intent import Notice, Wish
from v2g.messages.common_types import EVSEStatusType, evseNotificationType

NOTIFICATIONS: Final = {
    Wish.STOP: evseNotificationType.Terminate,
    Wish.PAUSE: evseNotificationType.Pause,
    Wish.POWER: evseNotificationType.ExitStandby,
    Wish.SERVICE: evseNotificationType.ServiceRenegotiation,
    Wish.SCHEDULE: evseNotificationType.ScheduleRenegotiation,
    Wish.METERING: evseNotificationType.MeteringConfirmation,
}


def status(notice: Notice, now: float) -> EVSEStatusType:
    """The EVSEStatus of a notice, with the seconds that are left of its delay at `now` (session time, s)."""
    return EVSEStatusType(NotificationMaxDelay=notice.remaining(now), EVSENotification=NOTIFICATIONS[notice.wish])
