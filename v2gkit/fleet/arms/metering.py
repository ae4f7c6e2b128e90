"""Sessions and registers of assets that tell the state of their meter but no transactions: what books need of them. Pure.

A session lasts as long as somebody is there, and at most until midnight (UTC): of a device that does not say whether anybody is, a day is
one. A register that falls is another meter's: the session ends with the last reading before. Who says nothing of what it gave has given
nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from v2gkit.fleet.arms.verbs import Seen
from v2gkit.fleet.declared import Asset
from v2gkit.sql.words import Row

DAY: Final = 86_400.0  # s
MINUTE: Final = 60.0  # s: of registers one reading of each minute is kept, and the first and the last of a session


@dataclass(slots=True)
class Open:
    """A session that goes on, with the last reading that was heard (epoch s, Wh) and the minute of the last that was kept."""

    id: str
    began: float
    at: float
    imported: float
    exported: float = 0.0
    minute: float = -1.0


class Metering:
    """The sessions of assets that are heard of by their meters. `keep` takes rows some time."""

    def __init__(self, keep: Callable[[list[Row]], None]) -> None:
        self._keep = keep
        self._open: dict[str, Open] = {}

    def recall(self, rows: Iterable[Mapping[str, Any]], assets: Iterable[str]) -> None:
        """Go on with sessions that a process before this one has begun: rows with asset, id, began, at, imported, exported."""
        mine = set(assets)
        known = ("id", "began", "at", "imported", "exported")
        self._open |= {row["asset"]: Open(**{name: row[name] for name in known}) for row in rows if row["asset"] in mine}

    def hear(self, asset: Asset, tenant: str, seen: Seen, at: float) -> None:
        """Take how an asset is at `at` (epoch s). One that says nothing of its meter has no session."""
        if seen.imported is None:
            return
        session = self._open.get(asset.id)
        rows: list[Row] = []
        if session is not None:
            fell = seen.imported < session.imported or seen.exported < session.exported
            if not fell:
                session.at, session.imported, session.exported = at, seen.imported, seen.exported
            if fell or not seen.here or at // DAY != session.began // DAY:
                rows += [_register(asset, tenant, session), _session(asset, tenant, session, session.at)]
                del self._open[asset.id]
                session = None
        if session is None and seen.here:
            name = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}-{asset.id}"
            session = self._open[asset.id] = Open(name, at, at, seen.imported, seen.exported)
            rows.append(_session(asset, tenant, session, None))
        if session is not None and at // MINUTE != session.minute:
            session.minute = at // MINUTE
            rows.append(_register(asset, tenant, session))
        if rows:
            self._keep(rows)


def _session(asset: Asset, tenant: str, session: Open, ended: float | None) -> Row:
    known = {"tenant": tenant, "asset": asset.id, "id": session.id, "contract": asset.contract, "began": session.began}
    return Row("sessions", known | {"viewer": asset.viewer or None} | ({} if ended is None else {"ended": ended}))


def _register(asset: Asset, tenant: str, session: Open) -> Row:
    mine = {"tenant": tenant, "asset": asset.id, "session": session.id}
    return Row("registers", mine | {"at": session.at, "imported": session.imported, "exported": session.exported})
