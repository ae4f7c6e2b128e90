"""Tells a service manager, by systemd's notification protocol, that a station is ready, alive or stopping.

Where no manager asks (`NOTIFY_SOCKET` is not set) nothing is sent. The sign of life comes from the event loop of the sessions: a loop that
hangs is silent, and the manager starts the station anew. A socket that is gone is said once and costs nothing else.
"""

import asyncio
import os
import socket
from collections.abc import Mapping

from v2g.legible import logger

log = logger("v2g.service")


class Supervisor:
    """Notifies the service manager that the environment names; without one it does nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ):
        path = environment.get("NOTIFY_SOCKET", "") if hasattr(socket, "AF_UNIX") else ""
        self._address = "\0" + path[1:] if path.startswith("@") else path
        meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        limit = environment.get("WATCHDOG_USEC", "")
        self.pace = int(limit) / 2e6 if self._address and meant and limit.isdigit() and int(limit) > 0 else None  # s between signs of life
        self._failed = False

    def tell(self, what: str) -> None:
        """Send one state: READY=1, WATCHDOG=1, STOPPING=1."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.setblocking(False)
                manager.sendto(what.encode(), self._address)
        except OSError as error:
            if not self._failed:
                self._failed = True
                log.warning("the service manager at %s hears nothing: %s", self._address, error.strerror)

    async def alive(self) -> None:
        """Send signs of life, twice as often as the manager demands. Never returns."""
        while True:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.pace or 3600.0)
