"""A shortage of descriptors at a listener of asyncio's own: it tries again each second, and would say so each time."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from v2g.legible import logger

log = logger("v2g.csms")
PERIOD: Final = 60.0  # s between two lines about the same shortage
Handler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


class _Once:
    """An exception handler that says of a shortage once a minute, and leaves everything else to the one before."""

    def __init__(self, before: Handler | None):
        self._before, self._said = before, -PERIOD

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and "accept" in str(context.get("message")):
            if loop.time() - self._said >= PERIOD:
                self._said = loop.time()
                log.error("cannot accept a connection: %s (said once a minute)", error.strerror)
        elif self._before is not None:
            self._before(loop, context)
        else:
            loop.default_exception_handler(context)


def say_once_a_minute(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop say no more than once a minute that its listeners cannot accept; called again, it changes nothing."""
    before = loop.get_exception_handler()
    if not isinstance(before, _Once):
        loop.set_exception_handler(_Once(before))
