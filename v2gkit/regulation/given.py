"""What a check may look at: a station's file, its traces, the books, and the documents that its operator holds."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from secc.config import Config, parse
from v2g.energy.ledger.store import File
from v2g.energy.ledger.transaction import Transaction
from v2g.legible import legible
from v2g.settings.strict import LIMIT, ConfigError, octets_of, table, text_of
from v2gkit.insight.report.reading import records_of
from v2gkit.revenue.session import Session, sessions_of

MOST_DOCUMENT: Final = 67_108_864  # octets of a document that is hashed: a scanned technical file
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Paper:
    """A document that the operator names: its path as named, the SHA-256 of the file, and since when it holds."""

    key: str
    path: str
    digest: str


@dataclass(frozen=True)
class Given:
    """Everything that was handed over; what is None or empty was not."""

    zone: tzinfo
    today: date
    config: Config | None = None
    config_path: str = ""
    config_digest: str = ""
    records: Sequence[Record] = ()
    traces: tuple[tuple[str, str], ...] = ()  # path, SHA-256
    books: tuple[Transaction, ...] | None = None
    books_path: str = ""
    papers: Mapping[str, Paper] = field(default_factory=dict)

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions of the traces that have at least two meter readings."""
        return tuple(sessions_of(self.records))

    def facts(self, name: str, kind: str = "fact") -> Iterator[Record]:
        """The facts, or events, of a name in the traces, each with its record."""
        return (record for record in self.records if record.get("type") == kind and record.get("name") == name)

    def frames(self, action: str) -> Iterator[Record]:
        """The calls of an OCPP action in the traces."""
        calls = (record for record in self.records if record.get("type") == "ocpp" and record.get("kind") == "call")
        return (record for record in calls if record.get("action") == action)


def given(
    zone: tzinfo,
    now: float,
    config: Path | None = None,
    traces: Sequence[Path] = (),
    books: Path | None = None,
    tenant: str = "",
    papers: Path | None = None,
) -> Given:
    """What the files hold. `now` is epoch s. Raises OSError, and ValueError for a file that is not what it should be."""
    records: list[Record] = []
    for number, path in enumerate(traces):
        records += ({**record, "connection": f"{number}:{record['connection']}", "trace": str(path)} for record in records_of(path))
    return Given(
        zone,
        datetime.fromtimestamp(now, UTC).date(),
        parse(text_of(config), config) if config else None,
        str(config or ""),
        hashlib.sha256(octets_of(config)).hexdigest() if config else "",
        records,
        tuple((str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in traces),
        _books(books, tenant) if books else None,
        str(books or ""),
        _papers(papers) if papers else {},
    )


def _books(path: Path, tenant: str) -> tuple[Transaction, ...]:
    if not path.exists():
        raise FileNotFoundError(2, "there are no books", str(path))
    with File(path) as books:
        tenants = books.tenants()
        if tenant and tenant not in tenants:
            raise ValueError(f"{path} has no tenant {legible(tenant)!r}; it has {', '.join(map(legible, tenants)) or 'none'}")
        return tuple(one for name in tenants if name == (tenant or name) for one in books.transactions(name))


def _papers(path: Path) -> dict[str, Paper]:
    """The documents that a TOML file names: a key for each, and the path of the file beside it."""
    found = {}
    for key, name in table(text_of(path, LIMIT), path).items():
        if not isinstance(name, str):
            raise ConfigError(f"{path}: {key} is {json.dumps(name, default=str)[:60]}; give the path of a file")
        octets = octets_of(path.parent / name, MOST_DOCUMENT)
        found[key] = Paper(key, legible(name), hashlib.sha256(octets).hexdigest())
    return found
