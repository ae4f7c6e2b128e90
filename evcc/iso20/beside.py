"""A schedule that is negotiated beside the charge loop, on its own stream: power flows by the old one until the car takes it over."""

from typing import Any

from evcc.iso20.known import Car
from evcc.iso20.requests import ONGOING, finished
from evcc.iso20.schedule import request
from evcc.script import POLL_PACE, Aside, Part
from v2g.messages.common_types import responseCodeType as Code

APART = 60.0  # s between two exchanges beside the loop, as between any two renegotiations


class Beside:
    """The exchange of schedules beside the charge loop, at most one at a time. A turn of it follows each loop response and never waits."""

    def __init__(self, car: Car):
        self._car = car
        self._began: float | None = None  # of the session's clock; None: no exchange is under way
        self._asked = 0.0  # when it was last polled
        self._answer: Any = None
        self._again = 0.0  # no other begins before

    @property
    def used(self) -> bool:
        """Whether this car negotiates beside the loop at all."""
        return self._car.wish.beside

    @property
    def underway(self) -> bool:
        """Whether an exchange has begun that is neither finished nor given up."""
        return self._began is not None

    def begin(self) -> None:
        """Ask for another schedule from the next turn on; one that is under way goes on."""
        car = self._car
        if not self.underway and car.now >= self._again:
            self._began, self._answer, self._again = car.now, None, car.now + APART
            self._asked = car.now - POLL_PACE
            car.note("schedule asked for beside the loop")

    def turn(self) -> Part[Any]:
        """Poll where it is time to; the response that holds a new schedule, once it has come, else None.

        A station that has none, or none within the time that a car polls, is left in peace: the old schedule still holds.
        """
        car, answer = self._car, self._answer
        if self._began is None:
            return None
        if answer is not None and answer.ResponseCode is Code.WARNING_ScheduleRenegotiationFailed:
            return self._give_up("the station has none")
        if answer is not None and finished(answer):
            self._began = None
            return answer
        if car.now - self._began >= ONGOING.seconds:
            return self._give_up(f"the station had none within {ONGOING.seconds:g} s")
        if car.now - self._asked >= POLL_PACE:
            sent = yield Aside(request(car), self._hear)
            self._asked = car.now if sent else self._asked
        return None

    def _hear(self, response: Any) -> None:
        self._answer = response

    def _give_up(self, why: str) -> None:
        self._began = None
        self._car.note("no new schedule", why=why)
