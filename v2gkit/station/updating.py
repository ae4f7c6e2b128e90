"""Installs firmware by the commands that a station's file declares ([ocpp.firmware])."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ocpp_bridge.model import firmware
from secc.csms import Firmware
from v2g.legible import legible
from v2g.settings.strict import ConfigError

TIME: Final = 3600.0  # s that a command has
SAID_MAXIMUM: Final = 2000  # octets of what a command says that are held: its last words tell why


def firmware_of(config: Firmware | None, state: Path | None) -> firmware.Firmware:
    """How a station takes firmware. ConfigError where commands are declared and there is no state folder to keep a file in."""
    if config is None:
        return firmware.Firmware()
    if state is None:
        raise ConfigError("ocpp.firmware needs a place for the file until it is installed; give state (--state)", ("ocpp", "firmware"))
    maximum = config.maximum_mb * 1_000_000
    return firmware.Firmware(Commands(config), state / "ocpp" / "firmware", config.hosts, maximum, config.unsigned)


class Commands:
    """An `Installer` whose work is done by programs."""

    def __init__(self, config: Firmware) -> None:
        self._config = config

    async def verify(self, file: Path) -> None:
        """Run the command `verify`, where there is one."""
        if self._config.verify:
            await run((*self._config.verify, str(file)))

    async def install(self, file: Path) -> bool:
        """Run the command `install`; True where there is one that restarts the station."""
        await run((*self._config.install, str(file)))
        return bool(self._config.activate)

    async def activate(self) -> None:
        """Run the command `activate`."""
        await run(self._config.activate)

    async def confirm(self, file: Path, *, cut: bool) -> None:
        """Run the command `confirm`; without one a restart that was asked for is taken as good, and one in the midst is not."""
        if self._config.confirm:
            await run((*self._config.confirm, str(file)))
        elif cut:
            raise OSError("the station ended in the midst of it, and there is no command `confirm` that knows what came of it")


async def run(command: Sequence[str]) -> None:
    """Run a command to its end. OSError, with its last words, for one that cannot be run, fails, or takes longer than `TIME`.

    Cancelled, it is left alone: it may be what ends this very process, and an installation that is killed halfway is worse than one that
    nobody waits for.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("V2G_")}  # without our passwords
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=kept,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIME):
            said = await _last_words(process.stdout)
            code = await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise OSError(f"{command[0]} was ended: it took more than {TIME:g} s") from None
    if code:
        raise OSError(f"{command[0]} ended with {code}: {legible(' '.join(said.decode(errors='replace').split())) or 'it said nothing'}")


async def _last_words(stream: asyncio.StreamReader) -> bytes:
    said = b""
    while octets := await stream.read(SAID_MAXIMUM):
        said = (said + octets)[-SAID_MAXIMUM:]
    return said
