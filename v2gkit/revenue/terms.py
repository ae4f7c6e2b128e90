"""The terms of settlement from one strict TOML file: who settles, what the site pays, what flexibility earns, and what was called."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from v2g.energy.prices import Prices, parse_prices
from v2g.energy.settlement import Flexibility, Terms
from v2g.settings.strict import TABLE_LIMIT, ConfigError, octets_of, read, text_of

MOST_CALLS = 1_000


@dataclass(frozen=True, slots=True)
class Called:
    """A call as the file has it: ISO 8601 with offset, W less than the baseline, and the file of the signal as it was received."""

    id: str
    start: str
    until: str
    reduction: float  # W
    signal: str = ""

    def __post_init__(self) -> None:
        for name in ("start", "until"):
            instant(getattr(self, name))


@dataclass(frozen=True, slots=True)
class File:
    """The whole file. Every key has a default but those of a call."""

    tenant: str = "own"
    supply: str = ""  # price file: what the site pays for import, and gets for export
    hosting: float = 0.0  # currency/kWh imported
    grid_fee: float = 0.0  # currency/kWh imported
    flexibility: Flexibility | None = None
    calls: tuple[Called, ...] = ()

    def __post_init__(self) -> None:
        if len(self.calls) > MOST_CALLS:
            raise ConfigError(f"there are {len(self.calls)} calls; give at most {MOST_CALLS} for a file")
        if len({call.id for call in self.calls}) < len(self.calls):
            raise ConfigError("two calls have one id; give each its own")


@dataclass(frozen=True, slots=True)
class Given:
    """The file with what it refers to."""

    file: File
    octets: bytes  # of the file, for its hash
    supply: Prices | None = None  # as in its file, perhaps by time of day
    signals: tuple[bytes, ...] = ()  # of each call, as received

    def terms(self, now: float, zone: tzinfo) -> Terms:
        """The terms for a session that began at `now` (epoch s); prices by time of day are set on its days in that zone."""
        supply = self.supply.upcoming(now, zone, days=3) if self.supply is not None and self.supply.relative else self.supply
        return Terms(supply, self.file.hosting, self.file.grid_fee, self.file.flexibility)


def given(path: Path | None) -> Given:
    """What a file says; without one everything is as it is by default. Raises ConfigError, OSError, ValueError for a bad price file."""
    if path is None:
        return Given(File(), b"")
    file = read(File, text_of(path), path)
    supply = parse_prices(octets_of(path.parent / file.supply, TABLE_LIMIT)) if file.supply else None
    signals = tuple(octets_of(path.parent / call.signal) if call.signal else b"" for call in file.calls)
    return Given(file, octets_of(path), supply, signals)


def instant(text: str) -> float:
    """Epoch seconds of an ISO 8601 time with offset. Raises ConfigError for anything else."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise ConfigError(f"{text[:60]!r} is no time; give ISO 8601 with offset, as 2026-11-30T17:00:00+01:00")
