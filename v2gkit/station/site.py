"""One connection over all outlets of a station: the yard that plans for them, from the configuration."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from secc.backend import Surroundings
from secc.config import Config, Feeder, SiteConfig, tree
from secc.yard import Yard
from v2g.energy.fleet.ground import Ground
from v2g.energy.loads import Loads, parse_loads
from v2g.energy.series import Series
from v2g.energy.site import Site
from v2g.settings.strict import TABLE_LIMIT, ConfigError, text_of
from v2gkit.wall import LOCAL

MINUTE: Final = 60.0  # s for which a ground stays as it is: prices and loads change every quarter of an hour
AHEAD: Final = 3 * 86_400.0  # s that a constant load is foreseen for; no plan looks further than 48 h


def yard_of(config: Config, around: Surroundings, site: Site) -> Yard:
    """The yard of a configuration whose outlets share a connection. ConfigError for files of loads that cannot be read."""
    return Yard(around, _ground(config.site, sited(site)))


def _ground(said: SiteConfig, site: Site) -> Callable[[float], Ground]:
    """The ground at a time, made anew every minute."""
    connections: list[Feeder | SiteConfig] = [said, *said.feeder]
    files = {one.load: _loads(one.load) for one in connections if one.load is not None}
    made: dict[float, Ground] = {}

    def load(one: Feeder | SiteConfig, wall: float) -> Series | None:
        base = Series.constant(wall - MINUTE, AHEAD, one.base_load) if one.base_load else None
        if one.load is None:
            return base
        foreseen = files[one.load].at(wall, LOCAL)
        return foreseen.map(lambda power: power + one.base_load)

    def ground(wall: float) -> Ground:
        minute = wall // MINUTE
        if minute not in made:
            made.clear()
            top = tree(said, lambda one: load(one, wall))
            made[minute] = Ground(top, site.at(wall), peak_price=said.peak_price, peak_before=said.peak_before)
        return made[minute]

    return ground


def _loads(file: str) -> Loads:
    try:
        return parse_loads(text_of(Path(file), TABLE_LIMIT))
    except ValueError as error:
        raise ConfigError(f"site load {file}: {error}") from None


def sited(site: Site) -> Site:
    """The site as a yard counts with it: limits are those of its connections."""
    return replace(site, import_limit=float("inf"), export_limit=float("inf"))
