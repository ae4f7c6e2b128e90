"""One connection over all outlets of a station: the yard that plans for them, from the configuration."""

from pathlib import Path

from secc.backend import Surroundings
from secc.config import Config
from secc.yard import Yard
from v2g.energy.fleet.feeders import grounds
from v2g.energy.loads import Loads, parse_loads
from v2g.energy.site import Site
from v2g.settings.strict import TABLE_LIMIT, ConfigError, text_of
from v2gkit.wall import LOCAL


def yard_of(config: Config, around: Surroundings, site: Site) -> Yard:
    """The yard of a configuration whose outlets share a connection. ConfigError for files of loads that cannot be read."""
    said = config.site
    files = [one.load for one in said.feeder if one.load is not None] + ([said.load] if said.load is not None else [])
    loads = {file: _loads(file) for file in files}
    return Yard(around, grounds(said, said.feeder, loads, site, LOCAL, (said.peak_price, said.peak_before), said.kept))


def _loads(file: str) -> Loads:
    try:
        return parse_loads(text_of(Path(file), TABLE_LIMIT))
    except ValueError as error:
        raise ConfigError(f"site load {file}: {error}") from None
