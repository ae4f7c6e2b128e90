"""Signals of protocols in which a value has no version and no end: another value is the next version, until which it stands."""

from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.received import YEAR, Told

LARGEST = 1e9  # W; more than a gigawatt at one site is a wrong scale


def demand_power(power: float, what: str) -> float:
    """The power (W), or GridFault for a number that cannot be one."""
    if not abs(power) <= LARGEST:  # NaN as well
        raise GridFault(Trouble.MALFORMED, f"{what} is {power} W; beyond a gigawatt it is a wrong register or scale")
    return power


class Unversioned:
    """The present value of each signal of one source, numbered as it changes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._last: dict[Kind, Told] = {}

    def told(self, kind: Kind, power: float, now: float) -> Told:
        """A value (W) that holds from `now` (epoch s) on, from its beginning where it was told before. GridFault for a cap below 0."""
        demand_power(power, f"{self._source}: the {kind.value}")
        if kind is not Kind.SETPOINT and power < 0:
            raise GridFault(Trouble.MALFORMED, f"{self._source}: the {kind.value} is {power:g} W; a cap is a magnitude, see `invert`")
        last = self._last.get(kind)
        if last is not None and last.signal.power.steps[0].value == power and now < last.signal.power.until - YEAR / 2:
            return last
        id_ = f"{self._source}:{kind.value}"
        told = Told(Signal(id_, kind, Series.constant(now, YEAR, power), Rank.GRID), 1.0 + (last.version if last else 0.0), reference=id_)
        self._last[kind] = told
        return told
