"""The shell of a resource manager: one WebSocket to a CEM, opened anew whenever it is lost. It wants the extra `ocpp` (websockets)."""

import asyncio
import secrets
import ssl
from pathlib import Path
from typing import Any, Final

from v2g.settings.strict import text_of
from v2gkit.extras import cure
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.s2.declared import S2
from v2gkit.grid.s2.manager import Manager
from v2gkit.grid.shell.ears import Ears
from v2gkit.grid.shell.http import tls_client
from v2gkit.grid.shell.reason import reason

SECRET: Final = 4_096  # octets of a file with a token
LARGEST: Final = 65_536  # octets of a message: 288 spans have a third of that
FIRST, LONGEST = 1.0, 60.0  # s between two attempts, the first and the longest
LAZIEST: Final = 60.0  # s


class Managed:
    """One CEM of a site."""

    def __init__(self, source: S2, ears: Ears) -> None:
        self._source, self._ears = source, ears
        self._manager = Manager(source, secrets.token_bytes)

    async def run(self) -> None:
        """Speak with the CEM until cancelled. OSError, ConfigError for token or roots; ValueError without the library."""
        try:
            from websockets.asyncio.client import connect
            from websockets.exceptions import WebSocketException
        except ImportError:
            raise ValueError(f"{self._source.name}: S2 is spoken over WebSockets: {cure('websockets')}") from None
        file = self._source.secret_file
        token = (await asyncio.to_thread(text_of, Path(file), SECRET)).strip() if file is not None else ""
        tls: ssl.SSLContext | None = None
        if self._source.url.startswith("wss"):
            tls = await asyncio.to_thread(tls_client, self._source.roots)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        wait = FIRST
        while True:
            try:
                async with connect(
                    self._source.url, ssl=tls, additional_headers=headers, open_timeout=self._source.timeout, close_timeout=1,
                    max_size=LARGEST, max_queue=16, compression=None, proxy=None,
                    ping_interval=max(self._source.patience / 3, 0.1), ping_timeout=self._source.timeout,
                ) as link:  # fmt: skip
                    await self._spoken(link)
                    wait = FIRST
            except WebSocketException as error:
                self._complain(Trouble.DENIED, str(error))
            except TimeoutError:
                self._complain(Trouble.SLOW, f"no connection within {self._source.timeout:g} s")
            except OSError as error:
                self._complain(Trouble.UNREACHABLE, reason(error))
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST)

    async def _spoken(self, link: Any) -> None:
        """One connection to its end."""
        self._manager.opened(self._ears.wall())
        await self._sent(link)
        parts = [self._received(link), self._timed(link), self._alive(link)]
        if self._source.measure is not None:
            parts.append(self._measured(link, self._source.measure))
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _received(self, link: Any) -> None:
        async for text in link:
            try:
                self._manager.receive(text, self._ears.wall())
            except GridFault as fault:
                self._ears.complain(GridFault(fault.trouble, f"{self._source.name}: {fault}"))
            self._heard()
            await self._sent(link)
            if self._manager.ending:
                return

    def _heard(self) -> None:
        """Enter what holds, once the CEM has said what it wants: its mere presence lifts nothing."""
        if self._manager.ready:
            self._ears.take_all(self._source.name, "s2", self._manager.told(self._ears.wall()))
            for row in self._ears.book.rows():
                if row.source == self._source.name:
                    self._ears.book.acknowledge(row.signal.id, self._ears.wall())  # by InstructionStatusUpdate

    async def _timed(self, link: Any) -> None:
        while True:
            await asyncio.sleep(min(max(self._manager.deadline() - self._ears.wall(), 0.05), 1.0))
            self._manager.tick(self._ears.wall())
            await self._sent(link)

    async def _alive(self, link: Any) -> None:
        """A CEM that says nothing is heard by its answers to pings."""
        while True:
            await asyncio.sleep(max(self._source.patience / 3, 0.1))
            async with asyncio.timeout(self._source.timeout):
                await (await link.ping())
            self._heard()

    async def _measured(self, link: Any, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            powers = [power for role, power in self._ears.powers().values() if role == "chargers"]
            if powers and self._manager.control is not None:
                self._manager.measure(sum(powers), self._ears.wall())
                await self._sent(link)

    async def _sent(self, link: Any) -> None:
        for text in self._manager.texts():
            await link.send(text)

    def _complain(self, trouble: Trouble, text: str) -> None:
        self._ears.complain(GridFault(trouble, f"{self._source.name}: {self._source.url}: {text}"))
