"""The power that a charging profile plans over time, as points for people to look at (pure)."""

from typing import Any, Final

from ocpp_bridge.wire.schemas import Payload
from v2gkit.csms.measured import moment

POINTS: Final = 1_024  # as many as a schedule may have periods
VOLTS: Final = 230.0  # where a profile is in amperes: the grid's, for a picture


def points_of(schedule: Payload, begins: float) -> list[tuple[float, float]]:
    """The steps of a chargingSchedule as (epoch s, W, + into the car); `begins` is when one that names no start begins."""
    start = moment(schedule.get("startSchedule", "")) or begins
    made = []
    for period in schedule.get("chargingSchedulePeriod", ())[:POINTS]:
        value = period.get("setpoint", period.get("limit"))
        if value is None:
            continue
        watts = value if schedule.get("chargingRateUnit") == "W" else value * VOLTS * period.get("numberPhases", 3)
        made.append((start + period["startPeriod"], float(watts)))
    if made and "duration" in schedule:
        made.append((start + schedule["duration"], 0.0))
    return made


def at(points: list[tuple[float, float]], when: float) -> float:
    """What is planned at a time (W); 0 where nothing is."""
    past = [power for begins, power in points if begins <= when]
    return past[-1] if past else 0.0


def planned_by(profile: Payload | None, when: float, begins: float) -> float:
    """The power (W) that the first schedule of a profile plans at a time; 0 without one."""
    if profile is None:
        return 0.0
    schedules: list[Any] = profile.get("chargingSchedule") or [{}]
    return at(points_of(schedules[0], begins), when)
