"""What the station asks of a car, as one value: several wishes may stand at a time, the most urgent is shown, none is lost to another.

A wish stands from when it was first asked until the car has followed it. `Terminate` stands until the session is over.
"""

from dataclasses import dataclass

from v2g.messages.common_types import EVSEStatusType
from v2g.messages.common_types import evseNotificationType as Ask

PRIORITY = (Ask.Terminate, Ask.Pause, Ask.ServiceRenegotiation, Ask.ScheduleRenegotiation, Ask.MeteringConfirmation)  # most urgent first


@dataclass(frozen=True, slots=True)
class Notice:
    """One wish: since when (session time, s), within how many seconds, and why."""

    notification: Ask
    since: float
    delay: float = 0.0
    reason: str = ""

    def remaining(self, now: float) -> int:
        """NotificationMaxDelay, counted down [V2G20-3318]."""
        return max(0, round(self.delay - (now - self.since)))

    def status(self, now: float) -> EVSEStatusType:
        """As it is sent."""
        return EVSEStatusType(NotificationMaxDelay=self.remaining(now), EVSENotification=self.notification)


@dataclass(frozen=True, slots=True)
class Intent:
    """The wishes that stand, the most urgent first; at most one of a kind."""

    asked: tuple[Notice, ...] = ()

    @property
    def notice(self) -> Notice | None:
        """The wish that the car is shown."""
        return self.asked[0] if self.asked else None

    @property
    def stopping(self) -> str:
        """Why the session is to end; empty while it may go on."""
        notice = self.of(Ask.Terminate)
        return "" if notice is None else notice.reason or "the station ends the session"

    def of(self, kind: Ask) -> Notice | None:
        """The wish of that kind, if it stands."""
        return next((notice for notice in self.asked if notice.notification is kind), None)

    def ask(self, notice: Notice) -> "Intent":
        """With one more wish. What was asked before keeps its time: asking again gives no new delay."""
        if self.of(notice.notification) is not None:
            return self
        return Intent(tuple(sorted((*self.asked, notice), key=lambda each: PRIORITY.index(each.notification))))

    def without(self, *kinds: Ask) -> "Intent":
        """After the car has followed wishes of these kinds. A stop is never taken back."""
        return Intent(tuple(n for n in self.asked if n.notification is Ask.Terminate or n.notification not in kinds))
