"""Limits from outside that hold for several stations or cars together, and what is left of a strategy within them (pure)."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from v2g.energy.series import Series
from v2gkit.csms.steering import Strategy


@dataclass(frozen=True, slots=True)
class Bounds:
    """Caps in W, magnitudes (inf: none), and a setpoint (W, signed; None: none) of all that share them."""

    import_cap: float = math.inf
    export_cap: float = math.inf
    setpoint: float | None = None

    def part(self, among: int) -> "Bounds":
        """What is left to each of so many that share it equally."""
        return Bounds(self.import_cap / among, self.export_cap / among, None if self.setpoint is None else self.setpoint / among)

    def bind(self, strategy: Strategy) -> Strategy:
        """The strategy within these bounds. One that lets stations decide is led by nothing, and is left as it is."""
        if self == FREE or strategy.kind == "none":
            return strategy
        bound = replace(
            strategy.site,
            import_limit=min(_least(strategy.site.import_limit), self.import_cap),
            export_limit=min(_least(strategy.site.export_limit), self.export_cap),
        )
        wanted = strategy.setpoint if self.setpoint is None else self.setpoint
        kind = strategy.kind if self.setpoint is None else "setpoint"
        return replace(strategy, kind=kind, site=bound, setpoint=min(max(wanted, -self.export_cap), self.import_cap))


FREE = Bounds()
CLOSED = Bounds(0.0, 0.0)  # of a station that has not been told its part, where there is a limit to be shared


def parts(cap: float, told: Mapping[str, float], reached: Collection[str]) -> float:
    """The part (W) of a cap for each station that can be reached: what the others hold, as they were told last, is taken off."""
    kept = math.fsum(power for name, power in told.items() if name not in reached and math.isfinite(power))
    return max(cap - kept, 0.0) / max(len(reached), 1)


def _least(limit: Series | float) -> float:
    """A limit that holds at every moment."""
    return min(limit.values, default=math.inf) if isinstance(limit, Series) else limit
