"""What was seen of a day of the market, by who looked at cars and devices."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Seen:
    """What the demo saw: the cars' accounts, how fast a call was followed, and by how much a limit was passed, after its grace."""

    cars: dict[str, Any] = field(default_factory=dict)
    first: float | None = None  # s from the VTN's event to the first car's lower power
    whole: float | None = None  # s until the site kept it
    called: float = 0.0  # W
    curbed: float | None = None  # s from the utility's DER control until the shop kept it
    answers: dict[str, list[int]] = field(default_factory=dict)  # control -> the statuses of IEEE 2030.5 that were told of it
    given: float = 0.0  # W that flowed out of the metro's cars, the most
    fallback: float | None = None  # W that the metro drew, the most, once its VTN was lost
    passed: dict[str, float] = field(default_factory=dict)  # W above the limit, the most, by tenant
    ended: float = 0.0  # epoch s at which all had happened, and the cars went on to leave
