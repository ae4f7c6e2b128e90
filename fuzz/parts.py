"""Processes that are killed and begun again: what stands still while a judge looks at what the others make of it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import Any, Final

PATIENCE: Final = 60.0  # s in which it may be begun again and again
PAUSE: Final = 0.2  # s before it is: processes of a PostgreSQL that was killed live on until they notice


class Part:
    """A process that is killed and begun again."""

    def __init__(self, command: list[str], ready: str, user: str | None = None, cwd: str = "/") -> None:
        self._command, self._ready, self._user, self._cwd = command, ready, user, cwd
        self.process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Begin, and wait until it is ready, once more where its forerunner is not quite gone; what it says later goes nowhere."""
        until = time.monotonic() + PATIENCE
        while (said := self._begun()) is not None:
            if time.monotonic() > until:
                raise RuntimeError(f"{self._command[0]} does not begin: {said}")
            time.sleep(PAUSE)

    def _begun(self) -> str | None:
        """Begin; the last words of one that ended instead."""
        user: dict[str, Any] = {"user": self._user} if self._user else {}
        stderr = subprocess.PIPE if self._ready else None
        self.process = subprocess.Popen(self._command, stderr=stderr, text=True, cwd=self._cwd, start_new_session=True, **user)
        last = ""
        if self.process.stderr is not None:
            for last in self.process.stderr:
                if self._ready in last:
                    os.set_blocking(self.process.stderr.fileno(), False)
                    return None
            self.kill()
            return last.strip()
        return None

    def kill(self) -> None:
        """SIGKILL, to it and all that it began."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            if self.process.stderr is not None:
                self.process.stderr.close()


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
