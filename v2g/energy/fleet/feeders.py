"""The connection of a site as people describe it: limits at the top, feeders below it by name, and what is foreseen to flow there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from math import inf
from typing import Final, Protocol

from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.shares import Tenant
from v2g.energy.loads import Loads
from v2g.energy.series import Series
from v2g.energy.site import Site

TOP: Final = "grid"  # the connection of the site, among its feeders
MINUTE: Final = 60.0  # s for which a ground stays as it is: prices and loads change every quarter of an hour
CONSTANT: Final = 3 * 86_400.0  # s that a constant load is foreseen for; no plan looks further than 48 h
AHEAD: Final = 3_600.0  # s for which a load is taken to go on differing from what was foreseen


class Place(Protocol):
    """What is said of a connection, be it the top or a feeder. Powers in W, limits are magnitudes."""

    @property
    def import_limit(self) -> float | None:
        """The most (W) that it draws; None: nothing of its own."""

    @property
    def export_limit(self) -> float | None:
        """The most (W) that it gives; None: as the class says."""

    @property
    def phase_import_limit(self) -> float | None:
        """The most (W) that each phase draws."""

    @property
    def phase_export_limit(self) -> float | None:
        """The most (W) that each phase gives."""

    @property
    def base_load(self) -> float:
        """W, signed, that flow beside the cars."""

    @property
    def load(self) -> str | None:
        """The name of the file of what is foreseen."""

    @property
    def metered(self) -> bool:
        """Whether a meter tells what flows here."""

    @property
    def blind(self) -> float:
        """W that cars have while that is silent."""


@dataclass(frozen=True, slots=True)
class Feeder:
    """A connection below that of the site, with limits of its own; outlets name it."""

    name: str = ""
    below: str = TOP  # the connection that feeds it
    import_limit: float | None = None
    export_limit: float | None = None
    phase_import_limit: float | None = None
    phase_export_limit: float | None = None
    base_load: float = 0.0  # W
    load: str | None = None  # file of what is foreseen
    metered: bool = False
    blind: float = 0.0  # W


def tree(top: Place, feeders: Sequence[Feeder], load: Callable[[Place], Series | None] = lambda one: None) -> Connection:
    """The connection of a site with its feeders; `load` gives what flows at each beside the cars (W). ValueError names what is wrong.

    Without an export limit the top lets through whatever the cars may give.
    """
    names = [each.name for each in feeders]
    for each in feeders:
        if not each.name or each.name == TOP:
            raise ValueError(f"a feeder is named {each.name!r}; give each a name of its own, other than {TOP!r}")
        if each.below not in (TOP, *names):
            raise ValueError(f"the feeder {each.name!r} is below {each.below!r}; there are {', '.join((TOP, *names))}")

    def connection(one: Place, name: str, depth: int) -> Connection:
        below = [each for each in feeders if each.below == name] if depth <= len(names) else []
        return Connection(
            name,
            one.import_limit,
            inf if name == TOP and one.export_limit is None else one.export_limit,
            one.phase_import_limit,
            one.phase_export_limit,
            load(one),
            one.metered,
            one.blind,
            tuple(connection(each, each.name, depth + 1) for each in below),
        )

    made = connection(top, TOP, 0)
    if lost := set(names) - {one.name for one in made.all()}:
        raise ValueError(f"the feeders {', '.join(sorted(lost))} are below each other and not below {TOP!r}")
    return made


def grounds(
    top: Place,
    feeders: Sequence[Feeder],
    loads: Mapping[str, Loads],
    site: Site,
    zone: tzinfo,
    peak: tuple[float, float] = (0.0, 0.0),
    carbon: tuple[Loads | None, float] = (None, 0.0),
    tenants: Sequence[Tenant] = (),
) -> Callable[[float], Ground]:
    """What gives the ground at a time (epoch s), made anew every minute. `loads` are those of the files that are named, by name.

    `peak` is the price of a kW of it, and the W that are paid for already; `carbon` is what the grid emits (g/kWh) and what a kg counts.
    """
    made: dict[float, Ground] = {}
    free = replace(site, import_limit=inf, export_limit=inf)

    def load(one: Place, wall: float) -> Series | None:
        if one.load is not None:
            return loads[one.load].at(wall, zone).map(lambda power: power + one.base_load)
        return Series.constant(wall - MINUTE, CONSTANT, one.base_load) if one.base_load else None

    def ground(wall: float) -> Ground:
        minute = wall // MINUTE
        if minute not in made:
            made.clear()
            made[minute] = Ground(
                tree(top, feeders, lambda one: load(one, wall)),
                free.at(wall),
                peak_price=peak[0],
                peak_before=peak[1],
                carbon=carbon[0].at(wall, zone) if carbon[0] is not None else None,
                carbon_price=carbon[1],
                tenants=tuple(tenants),
            )
        return made[minute]

    return ground


def corrected(one: Connection, off: Mapping[str, float], wall: float) -> Connection:
    """A connection whose loads, for `AHEAD` from `wall` (epoch s) on, are what is known better.

    `off` are the W by which what flows at a connection, and all below it, differs from what was foreseen, by name.
    """
    return _corrected(one, off, wall)[0]


def _corrected(one: Connection, off: Mapping[str, float], wall: float) -> tuple[Connection, float]:
    below = [_corrected(each, off, wall) for each in one.below]
    known = sum(watts for _, watts in below)
    mine = off.get(one.name, known) - known
    load = one.load
    if abs(mine) > 1.0:
        foreseen = load or Series(wall)
        edges = sorted({wall, wall + AHEAD, *(edge for edge in foreseen.edges() if edge > wall)})
        values = [(value or 0.0) + (mine if at < wall + AHEAD else 0.0) for at, value in zip(edges, foreseen.sample(edges), strict=True)]
        load = Series.from_pairs(zip(edges[:-1], values[:-1], strict=True), edges[-1])
    return replace(one, load=load, below=tuple(each for each, _ in below)), known + mine
