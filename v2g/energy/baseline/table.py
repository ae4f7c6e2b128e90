"""The baselines that have a name of their own: published methods, with the settings that their publications give."""

from collections.abc import Mapping
from typing import Final

from v2g.energy.baseline.adjustment import Adjustment, How
from v2g.energy.baseline.days import Pick, XofY
from v2g.energy.baseline.model import Method, Type
from v2g.energy.baseline.same_day import Around, Before

METHODS: Final[Mapping[str, Method]] = {
    "mean 10 of 10": XofY(10, 10),
    "high 5 of 10": XofY(5, 10),
    "mid 8 of 10": XofY(8, 10, Pick.MID),
    "mid 4 of 6 by weekday": XofY(4, 6, Pick.MID, Type.WEEKDAY),
    "high 5 of 10, weekends 3 of 5": XofY(5, 10, weekend=(3, 5)),  # PG&E Power Saver, without its adjustment, whose hours were not read
    "mean 10 of 10, ratio of the day": XofY(  # LBNL Modelica Buildings, Controls.Predictors.ElectricalLoad
        10, 10, least=1, each=True, adjustment=Adjustment(How.MULTIPLY, 4 * 3600, 3600, 0.8, 1.2)
    ),
    "weather 10 of 10, ratio of the day": XofY(
        10, 10, least=1, each=True, weather=True, adjustment=Adjustment(How.MULTIPLY, 4 * 3600, 3600, 0.8, 1.2)
    ),
    "mid 8 of 10, never lower": XofY(  # Flexibility Services Standard Agreement: the hour that begins 2 h before, never negative
        8, 10, Pick.MID, adjustment=Adjustment(How.ADD, 2 * 3600, 3600, least=0.0)
    ),
    "meter before meter after": Before(),
    "mean before, 5 days": Before(begin=7_200, duration=3_600, days=5),  # CenterPoint load management
    "same day 3+2": Around(),  # PJM
}


def of(name: str, version: int | None = None) -> Method:
    """The method of that name, in that version where one is given. ValueError names those that there are."""
    found = METHODS.get(name)
    if found is None or version not in (None, found.version):
        said = f" in version {version}" if version is not None else ""
        raise ValueError(f"there is no baseline {name!r}{said}; there are {', '.join(METHODS)}")
    return found
