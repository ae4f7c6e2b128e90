"""What every response of ISO 15118-20 says besides its answer: its header, and by EVSEStatus what the station asks of the car."""

from typing import Final

from secc.intent import Wish
from secc.neutral.context import Context
from v2g.messages.common_types import EVSEStatusType, MessageHeaderType, evseNotificationType

NOTIFICATIONS: Final = {
    Wish.STOP: evseNotificationType.Terminate,
    Wish.PAUSE: evseNotificationType.Pause,
    Wish.POWER: evseNotificationType.ExitStandby,
    Wish.SERVICE: evseNotificationType.ServiceRenegotiation,
    Wish.SCHEDULE: evseNotificationType.ScheduleRenegotiation,
    Wish.METERING: evseNotificationType.MeteringConfirmation,
}


def header(known: Context) -> MessageHeaderType:
    """The header for a response: SessionID and time stamp."""
    return MessageHeaderType(SessionID=known.session.id, TimeStamp=int(known.wall))


def status(known: Context) -> EVSEStatusType | None:
    """The EVSEStatus of a response, with the seconds that are left of its delay; None where the car is asked nothing."""
    notice = known.notice
    if notice is None:
        return None
    return EVSEStatusType(NotificationMaxDelay=notice.remaining(known.now), EVSENotification=NOTIFICATIONS[notice.wish])
