"""One connection over all outlets of a station: the yard that plans for them, from the configuration."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from secc.backend import Surroundings
from secc.config import Config
from secc.simulated_storage import SimulatedStorage
from secc.yard import Yard
from v2g.energy.fleet.feeders import grounds
from v2g.energy.forecast import Visit
from v2g.energy.loads import Loads, parse_loads
from v2g.energy.market.hours import Hours
from v2g.energy.past import Past
from v2g.energy.site import Site
from v2g.legible import logger
from v2g.settings.strict import TABLE_LIMIT, ConfigError, text_of
from v2gkit.wall import LOCAL

log = logger("v2g.secc")
VISITS: Final = "visits.jsonl"  # in the station's state folder: when cars came and left, and what they took
VISITS_LIMIT: Final = 16_777_216  # octets that are read, the last of the file: some 100,000 visits


def yard_of(config: Config, around: Surroundings, site: Site) -> Yard:
    """The yard of a configuration whose outlets share a connection. ConfigError for files of loads that cannot be read."""
    said = config.site
    files = [one.load for one in said.feeder if one.load is not None] + ([said.load] if said.load is not None else [])
    loads = {file: _loads(file) for file in files}
    carbon = _loads(said.carbon, "carbon") if said.carbon is not None else None
    peak = said.peak_price, said.peak_before
    ground = grounds(said, said.feeder, loads, site, LOCAL, peak, (carbon, said.carbon_price), said.tenant)
    hours = Hours(config.off_peak, LOCAL, secrets.token_bytes) if config.off_peak is not None else None
    return Yard(around, ground, past_of(config.state), said.contract, hours)


def stored(config: Config, yard: Yard) -> None:
    """Give a yard the batteries of its configuration; those that are simulated begin at once."""
    for pack in config.site.battery:
        storage = yard.storage(pack)
        if pack.driver == "simulated":
            SimulatedStorage(storage, yard.wall)


def past_of(folder: str | None) -> Past:
    """The visits that are remembered in a state folder, to which every further one is added; without a folder those of this process.

    A file that cannot be read or written costs what is foreseen, never a session.
    """
    if folder is None:
        return Past(LOCAL)
    file = Path(folder) / VISITS
    return Past(LOCAL, _visits(file), lambda visit: _written(file, visit))


def _visits(file: Path) -> list[Visit]:
    try:
        with file.open("rb") as kept:
            kept.seek(max(0, file.stat().st_size - VISITS_LIMIT))
            lines = kept.read(VISITS_LIMIT).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("%s cannot be read: %s; plans leave room for cars at all free outlets until enough have come", file, error)
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, msgspec.MsgspecError):  # cut off when the power failed, or by the limit
            found.append(msgspec.json.decode(line, type=Visit))
    return found


def _written(file: Path, visit: Visit) -> None:
    try:
        with file.open("a+b") as out:
            out.seek(max(0, out.seek(0, os.SEEK_END) - 1))
            torn = out.read() not in (b"", b"\n")  # by a power failure: what is cut off costs no other line
            out.write(b"\n" * torn + msgspec.json.encode(visit) + b"\n")
    except OSError as error:
        log.warning("%s cannot be written: %s; this visit is forgotten at the next start", file, error)


def _loads(file: str, column: str = "power") -> Loads:
    try:
        return parse_loads(text_of(Path(file), TABLE_LIMIT), column)
    except ValueError as error:
        raise ConfigError(f"site {'load' if column == 'power' else column} {file}: {error}") from None
