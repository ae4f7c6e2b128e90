"""The shell behind firmware updates: fetches the file, looks that it is still the one that was proved, lets the owner's `Installer` work.

Nothing begins before it is on the disk that it has: a station that ends in the midst of it knows, when it comes back, what it was about.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from ocpp_bridge.blocks.firmware import take_activation, take_file, take_installation, work
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.model.firmware import Installer, Update, Work
from ocpp_bridge.transfer import FAILURES, Tls, fetch
from v2g.legible import legible
from v2g.tasks import Tasks

TIME: Final = 7200.0  # s for one attempt to fetch a file: 512 MB at 600 kbit/s
WORDS_MAXIMUM: Final = 500  # characters of a reason


class Installing:
    """Does what the firmware block of a bridge wants done. `landed` waits until all that the bridge has kept by now is on the disk."""

    def __init__(
        self, host: str, tls: Tls, bridge: Bridge, tasks: Tasks, now: Callable[[], float], landed: Callable[[], Awaitable[None]]
    ) -> None:
        self._tls, self._bridge, self._tasks, self._now, self._landed = tls, bridge, tasks, now, landed
        self._under_way: asyncio.Task[None] | None = None
        self._update: Update | None = None  # for which that is
        bridge.charger.firmware.hosts = bridge.charger.firmware.hosts or (host,)

    def carry(self, wake: Callable[[], None]) -> None:
        """Begin what is to be done, and end what is done for an update that another has taken the place of."""
        before = self._under_way
        if before is not None and self._update is not self._bridge.charger.firmware.update:
            before.cancel()
        for kind, update in work(self._bridge.charger):
            task = asyncio.create_task(self._done(kind, update, before, wake), name=f"firmware {kind}")
            self._under_way, self._update = task, update
            self._tasks.start("firmware", _watched(task))

    async def _done(self, kind: Work, update: Update, before: "asyncio.Task[None] | None", wake: Callable[[], None]) -> None:
        if before is not None:
            await asyncio.wait([before])  # two never write one file
        await self._landed()
        charger, installer = self._bridge.charger, self._bridge.charger.firmware.installer
        assert installer is not None
        if kind == "download":
            digest, longer, why = await self._fetched(update)
            take_file(charger, update, digest, why, self._now(), longer)
        elif kind == "install":
            status, why = await _installed(installer, charger.firmware.file, update)
            take_installation(charger, update, status, why, self._now())
        elif kind == "activate":
            take_activation(charger, update, await _said(installer.activate()), self._now())
        else:
            why = await _said(installer.confirm(charger.firmware.file, cut=update.status == "Installing"))
            take_installation(charger, update, "InstallationFailed" if why else "Installed", why, self._now())
        if update.over:
            await asyncio.to_thread(charger.firmware.file.unlink, missing_ok=True)
        wake()

    async def _fetched(self, update: Update) -> tuple[str, str, str]:
        """SHA-256 and SHA-384 of the file, or behind them the reason why there is none."""
        firmware = self._bridge.charger.firmware
        try:
            async with asyncio.timeout(TIME):
                digest = await fetch(update.url, firmware.file, firmware.maximum, self._tls)
                return digest, await asyncio.to_thread(_digest, firmware.file, "sha384"), ""
        except TimeoutError:
            return "", "", "the server says nothing any more, or is too slow"
        except FAILURES as error:
            return "", "", _words(error)


async def _installed(installer: Installer, file: Path, update: Update) -> tuple[str, str]:
    """The status of an installation, and the reason where it is a failure."""
    why = await asyncio.to_thread(_changed, file, update.digest) or await _said(installer.verify(file))
    if why:
        return "InstallVerificationFailed", why
    try:
        return ("InstallRebooting" if await installer.install(file) else "Installed"), ""
    except Exception as error:
        return "InstallationFailed", _words(error)


def _changed(file: Path, digest: str) -> str:
    """Why a file is not the one that was proved; empty: it is."""
    try:
        found = _digest(file, "sha256")
    except OSError as error:
        return _words(error)
    return "" if found == digest else "the file on the disk is not the one that was downloaded"


def _digest(file: Path, name: str) -> str:
    with file.open("rb") as octets:
        return hashlib.file_digest(octets, name).hexdigest()


async def _said(work: Awaitable[None]) -> str:
    """What went wrong with a work of the installer, in words; empty: nothing."""
    try:
        await work
    except Exception as error:  # whatever an owner's code comes up with: the station serves cars again
        return _words(error)
    return ""


async def _watched(task: "asyncio.Task[None]") -> None:
    """Wait for a task, and end it where nobody waits any more; that it was given up is no failure."""
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
    if not task.cancelled():
        task.result()


def _words(error: BaseException) -> str:
    return legible(str(error) or type(error).__name__)[:WORDS_MAXIMUM]
