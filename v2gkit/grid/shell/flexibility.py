"""The shell of a flexibility provider: what a capacity provider says, entered into the book; what meters read, told to it."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Final

import msgspec

from v2g.energy.signal import Kind
from v2g.settings.strict import ConfigError, text_of
from v2gkit.authorities.route import Route
from v2gkit.grid.oscp.declared import Oscp
from v2gkit.grid.oscp.forecasts import Forecasts
from v2gkit.grid.oscp.peer import Known
from v2gkit.grid.oscp.provider import FlexibilityProvider
from v2gkit.grid.oscp.words import Category, UpdateGroupCapacityForecast
from v2gkit.grid.shell.ears import Ears
from v2gkit.grid.shell.http import tls_client
from v2gkit.grid.shell.oscp import Calling
from v2gkit.private import open_private

SECRET: Final = 4_096  # octets of a file with a token
CATEGORIES: Final[dict[str, Category]] = {
    "load": "CONSUMPTION",
    "connection": "CONSUMPTION",
    "source": "GENERATION",
    "battery": "STORAGE",
    "chargers": "CHARGING",
}


class Flexible:
    """One capacity provider of a site, which calls at `path` beneath `base`. ConfigError, OSError for files that cannot be read."""

    def __init__(self, source: Oscp, ears: Ears, base: str, path: str) -> None:
        self._source, self._ears = source, ears
        self._until = 0.0  # epoch s; how long the other side is online
        self._forecasts = Forecasts(source.name, source.ampere)
        self._keep = Path(source.keep) if source.keep is not None else None
        token = text_of(Path(source.token_file), SECRET).strip()
        if not (len(token) >= 8 and token.isascii() and token.isprintable()):
            raise ConfigError(f"{source.token_file}: no token; give 8 or more characters of ASCII in a line")
        self._provider = FlexibilityProvider(
            source.name, base.rstrip("/") + path, token, source.group, secrets.token_bytes, self._hear, self._live,
            source.heartbeat, self._kept(),
        )  # fmt: skip
        self._calling = Calling(
            self._provider, ears.wall, tls_client(source.roots), ears.complain, source.timeout, self._write if self._keep else None
        )
        self.route: Route = self._calling.route(path)

    async def run(self) -> None:
        """Speak with the capacity provider until cancelled."""
        if self._source.measure is None:
            await self._calling.run()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._calling.run())
            group.create_task(self._measured(self._source.measure))

    async def _measured(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            powers = self._ears.powers()
            self._provider.measure([(name, CATEGORIES[role], power) for name, (role, power) in powers.items()], self._ears.wall())
            self._calling.wake()

    def _hear(self, message: UpdateGroupCapacityForecast) -> None:
        now = self._ears.wall()
        told = self._forecasts.told(message, now)
        if not told:
            self._ears.passed(frozenset((message.type,)))
        for each in told:
            self._ears.book.take(self._source.name, "oscp", each, now)
            self._ears.book.acknowledge(each.signal.id, now)  # by the 204 that follows
        self._heard()

    def _live(self, until: float) -> None:
        self._until = until
        self._heard()

    def _heard(self) -> None:
        """The other side counts as heard once it has forecast what a fallback of ours stands for: its handshake alone lifts nothing."""
        fallen = [kind for kind in (Kind.IMPORT_CAP, Kind.EXPORT_CAP) if self._source.promise.fallback(kind) is not None]
        now = self._ears.wall()
        if now < self._until and self._forecasts.knows(fallen):
            self._ears.book.heard(self._source.name, now, self._until)
        self._ears.wake()

    def _kept(self) -> Known:
        if self._keep is None or not self._keep.exists():
            return Known()
        try:
            return msgspec.convert(json.loads(text_of(self._keep, SECRET)), Known)
        except (ValueError, msgspec.ValidationError) as error:
            raise ConfigError(f"{self._keep}: no tokens of OSCP ({error}); remove it, and the capacity provider registers anew") from None

    def _write(self, known: Known) -> None:
        assert self._keep is not None
        with open(open_private(self._keep), "wb") as file:
            file.write(msgspec.json.encode(known))
