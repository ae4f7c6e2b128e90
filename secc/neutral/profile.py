"""The power profile that a car announces to follow, held against the schedule that it was offered."""

from v2g.energy.alignment import alignment
from v2g.energy.offer import Tuple
from v2g.energy.series import Series
from v2g.energy.setpoint import violations
from v2g.reasons import Reason
from v2g.session.errors import Refused

CLOCK_SLACK = 30.0  # s by which a profile may lag the schedule it follows, as a whole: clocks differ, and an answer takes its time
OUTSIDE = 2.0  # s in all that it may leave its schedule besides: durations are whole seconds
ROUNDING = 1.0  # W that four digits of a rational number may differ


def demand_held(profile: Series, offered: Tuple, name: str, requirement: str, slack: float = CLOCK_SLACK) -> None:
    """Raises Refused unless one shift for the difference of two clocks puts the profile within its schedule.

    `name` is that of the message's element; `slack` the largest shift (s), either way.
    """
    tolerance = max(offered.tolerance or 0.0, ROUNDING)
    shift, outside = alignment(profile, offered, tolerance, slack)
    if outside > OUTSIDE:
        worst = max(violations(profile.shift(shift), offered, tolerance), key=lambda violation: violation.duration)
        raise Refused(Reason.WRONG_PROFILE, f"{name} leaves its schedule for {outside:.0f} s: {worst}", requirement)
