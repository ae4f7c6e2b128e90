"""A connection and what hangs below it: feeders, outlets, cables. Every one has caps; the grid connection is the top."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from v2g.energy.series import Series

PHASES: Final = 3
ALL_PHASES: Final = tuple(range(1, PHASES + 1))


@dataclass(frozen=True, slots=True)
class Connection:
    """A place through which power flows, with caps as magnitudes in W. A number always holds, a series only where it is defined.

    Caps for a phase hold on each of three. `load` is what flows here besides the cars (base load less generation, W, signed: + is drawn),
    on all phases alike. Below the top, None is no cap of its own; at the top `export_cap` None is 0, since export needs a permission.
    ValueError for a negative cap.
    """

    name: str
    import_cap: Series | float | None = None  # W
    export_cap: Series | float | None = None  # W
    phase_import_cap: Series | float | None = None  # W
    phase_export_cap: Series | float | None = None  # W
    load: Series | None = None  # W
    metered: bool = False  # what flows here is measured while plans run
    blind: float = 0.0  # W that cars below may draw, or give, while the meter is silent
    below: tuple["Connection", ...] = ()

    def __post_init__(self) -> None:
        for name in ("import_cap", "export_cap", "phase_import_cap", "phase_export_cap", "blind"):
            cap = getattr(self, name)
            lowest = min(cap.values, default=0.0) if isinstance(cap, Series) else cap
            if lowest is not None and not lowest >= 0:
                raise ValueError(f"{name} of {self.name} is {lowest} W; caps are magnitudes, 0 or above")

    def all(self) -> Iterator["Connection"]:
        """The connection and all below it, the nearer first. ValueError where two have one name."""
        seen: set[str] = set()
        ahead = [self]
        while ahead:
            one = ahead.pop(0)
            if one.name in seen:
                raise ValueError(f"two connections below {self.name} are named {one.name!r}; a car could be at either")
            seen.add(one.name)
            ahead += one.below
            yield one

    def ways(self) -> dict[str, tuple[str, ...]]:
        """The way from the top to each connection, by its name; both ends are on it."""
        found: dict[str, tuple[str, ...]] = {self.name: (self.name,)}
        for one in self.all():
            found |= {lower.name: (*found[one.name], lower.name) for lower in one.below}
        return found

    def edges(self) -> set[float]:
        """The instants (epoch s) at which a cap or a load changes, here or below."""
        series = (
            each
            for one in self.all()
            for each in (one.import_cap, one.export_cap, one.phase_import_cap, one.phase_export_cap, one.load)
            if isinstance(each, Series)
        )
        return {edge for one in series for edge in one.edges()}


def cap_over(cap: Series | float | None, start: float, end: float) -> float:
    """The lowest value (W) of a cap within [start, end) (epoch s); infinite where there is none."""
    if cap is None:
        return math.inf
    if not isinstance(cap, Series):
        return float(cap)
    return min((value for _, _, value in cap.during(start, end)), default=math.inf)


def load_over(load: Series | None, start: float, end: float) -> float:
    """The mean (W) of a load within [start, end) (epoch s); 0 where it is not known."""
    if load is None:
        return 0.0
    return load.integral(start, end) * 3600.0 / (end - start)
