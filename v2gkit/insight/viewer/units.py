"""The unit of each field of a message: it stands behind the line that declares the field, and is read from there."""

import inspect
import re
from functools import cache
from typing import Final

from v2g.exi.schema import Type

_DECLARED: Final = re.compile(r"^    (\w+): .*  # (W|VA|var|V|A|Wh|Hz|%|currency per kWh)(?!\w).*$", re.MULTILINE)
_SECONDS: Final = frozenset(  # what the standard counts in seconds, without a word in the class
    {
        "TimeStamp",
        "TimeAnchor",
        "Duration",
        "DepartureTime",
        "MeterTimestamp",
        "AvailableTime",
        "ScheduleTimeOut",
        "NotificationMaxDelay",
        "EVSENotificationMaxDelay",
        "MaximumPauseTime",
    }
)


def unit_of(cls: type[Type], name: str) -> str:
    """The unit of a field of a class, "" where it has none."""
    return "s" if name in _SECONDS else _units(cls).get(name, "")


@cache
def _units(cls: type[Type]) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Type) and base is not Type:
            try:
                found |= dict(_DECLARED.findall(inspect.getsource(base)))
            except (OSError, TypeError):  # a program without its sources
                continue
    return found
