"""Keeps what must outlive a station's process: the shell between the bridge and its store, which never makes the event loop wait.

Nothing leaves before the commit of what it rests on. A store that fails is said once; the station then speaks without it, for a CSMS that
hears nothing cannot steer a car or end its charge, and what has gathered is written as soon as the disk takes it again.
"""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.wire.outbox import Batch
from ocpp_bridge.wire.store import Store, StoreError
from v2g.legible import logger

LOG = logger("v2g.ocpp")
AGAIN: Final = 5.0  # s until a disk that failed is tried again


class Keeping:
    """The store of a bridge. `path` None: nothing is kept. `wake` is called when something has reached the disk."""

    def __init__(self, bridge: Bridge, path: Path | None, station: str, now: Callable[[], float], wake: Callable[[], None]) -> None:
        self._bridge, self._now, self._wake = bridge, now, wake
        self._store = Store(path, station) if path is not None else None
        self._thread = ThreadPoolExecutor(1, "v2g.ocpp.store")
        self._batch: Batch | None = None  # what the store does not have yet
        self._stirred, self._landed = asyncio.Event(), asyncio.Event()
        self._opened = False
        self.fault = ""  # why nothing can be written at present

    async def open(self) -> None:
        """Give the bridge what a former run kept, once, before anything else happens to it."""
        if self._opened or self._store is None:
            return
        self._opened = True
        try:
            found = await self._off(self._store.open)
        except StoreError as error:
            self.fault, self._store = str(error), None
            LOG.error("%s; the station goes on, and what its CSMS has not heard is lost with its next restart", error)
            return
        self._bridge.durable(0)
        self._bridge.restore(found.values, found.calls)
        self._bridge.durable(self._bridge.charger.outbox.number)

    def take(self) -> None:
        """Take what is new from the bridge."""
        batch = self._bridge.batch(self._now())
        if batch is None or self._store is None:
            return
        self._batch = batch if self._batch is None else self._batch.before(batch)
        self._stirred.set()

    async def run(self) -> None:
        """Write what is taken, for ever: what came while one commit lasted goes into the next."""
        while True:
            if self._batch is None:
                self._stirred.clear()
                await self._stirred.wait()
            if not await self._write():
                await asyncio.sleep(AGAIN)

    async def landed(self) -> None:
        """Wait until all that the bridge has by now is on the disk, or the disk is known to fail."""
        number = self._bridge.rests_on(self._now())
        self.take()
        while self._bridge.charger.outbox.durable < number:
            self._landed.clear()
            await self._landed.wait()

    async def close(self) -> None:
        """Write the last, and close the file."""
        self.take()
        if self._store is not None and self._opened:
            await self._write()
            await self._off(self._store.close)
        self._thread.shutdown(wait=False)

    async def _write(self) -> bool:
        """Write the batch; False: it could not be, and is kept for another attempt."""
        batch, self._batch = self._batch, None
        if batch is None or self._store is None:
            return True
        writing = asyncio.ensure_future(self._off(self._store.commit, batch))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])  # never two writers
            if not writing.cancelled() and writing.exception() is None:
                self._reached(batch.number)
            else:
                self._batch = batch if self._batch is None else batch.before(self._batch)
            raise
        except Exception as error:  # whatever a disk or a library comes up with: what rests on it would wait for ever
            self._batch = batch if self._batch is None else batch.before(self._batch)
            if not self.fault:
                LOG.error("%s; the station goes on, and a restart before that is mended may lose or repeat events", error)
            self.fault = str(error)
            self._reached(math.inf)
            return False
        if self.fault:
            LOG.warning("%s can be written again, and holds everything", self._store.path)
            self.fault = ""
        self._reached(batch.number)
        return True

    def _reached(self, number: float) -> None:
        self._bridge.durable(number)
        self._landed.set()
        self._wake()

    async def _off(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)
