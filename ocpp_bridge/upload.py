"""The shell that sends logs: what the station logs is remembered, and put where the CSMS wants it (HTTP PUT), beside everything else."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from ocpp_bridge.blocks.diagnostics import due_now, take_status
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.model.log_upload import LINE_MAXIMUM, LINES_MAXIMUM, Line, Upload, archive
from ocpp_bridge.transfer import FAILURES, Tls, put
from v2g.legible import logger
from v2g.tasks import Tasks

TIME: Final = 120.0  # s for one attempt: 1.5 MB at 100 kbit/s


class Remembered(logging.Handler):
    """Remembers the last lines of the log of this process. Where nobody else takes the log, warnings go on to standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[Line] = deque(maxlen=LINES_MAXIMUM)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the log. One that cannot be put into words is told on standard error: whoever said it goes on."""
        try:
            line = f"{record.levelname} {record.name}: {record.getMessage()}"[:LINE_MAXIMUM]
        except Exception:
            self.handleError(record)
            return
        self.lines.append((record.created, line))
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not logging.getLogger().handlers:
            last.handle(record)


REMEMBERED: Final = Remembered()


class Uploads:
    """Sends the logs that a bridge wants sent. `tls` makes the context of a connection to https."""

    def __init__(self, host: str, tls: Tls, bridge: Bridge, tasks: Tasks, now: Callable[[], float]) -> None:
        self._tls, self._bridge, self._tasks, self._now = tls, bridge, tasks, now
        bridge.charger.logs.hosts = bridge.charger.logs.hosts or (host,)
        logger("v2g").addHandler(REMEMBERED)  # once, however many there are

    def carry(self, wake: Callable[[], None]) -> None:
        """Begin what is to be sent; `wake` is called when that is over."""
        for upload in due_now(self._bridge.charger):
            lines = self._bridge.charger.logs.security if upload.kind == "SecurityLog" else list(REMEMBERED.lines)
            self._tasks.start("log", self._send(upload, lines, wake))

    async def _send(self, upload: Upload, lines: list[Line], wake: Callable[[], None]) -> None:
        code, reason = 0, ""
        try:
            async with asyncio.timeout(TIME):
                code = await put(upload.url, await asyncio.to_thread(archive, lines, upload), self._tls)
        except TimeoutError:
            reason = f"it took more than {TIME:g} s"
        except FAILURES as error:
            reason = f"{type(error).__name__}: {error}"
        take_status(self._bridge.charger, upload, code, reason, self._now())
        wake()
