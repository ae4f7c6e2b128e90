"""The memory of a station over a restart: its paused sessions, in one file of a folder.

    memory = Memory(Path("/var/lib/v2gkit"))
    paused = memory.paused()                 # those of before the restart; later ones are kept in it too
    await memory.follow()                    # a task: writes down every change

A car that paused, and comes back after the station was updated, killed or without power, goes on where it was [V2G20-2626]. The file holds
no key: a digest ties each session to its car. A file that cannot be read or written costs the pauses, never a session.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pki import files
from secc.generations import conduct_named
from secc.pause import PausedSession, PausedSessions
from v2g.legible import legible, logger

log = logger("v2g.secc")

NAME = "paused.json"
LIMIT = 4_194_304  # octets of the file; 64 sessions with a contract of 1600 octets are 200 kB
AGAIN = 60.0  # s until a file that could not be written is tried anew, if nothing changes before


@dataclass(frozen=True, slots=True)
class Written:
    """A paused session as it stands in the file: what was agreed upon is read by its generation."""

    session_id: bytes
    binding: bytes
    agreement: msgspec.Raw
    until: float
    evse_id: str = ""
    generation: str = ""

    def session(self) -> PausedSession:
        """The session that was written. ValueError where its generation is not spoken here, or did not write this."""
        conduct = conduct_named(self.generation)
        agreement = msgspec.json.decode(self.agreement, type=conduct.agreement)
        return PausedSession(self.session_id, self.binding, conduct.generation.name, agreement, self.until, self.evse_id)


_decoder = msgspec.json.Decoder(tuple[Written, ...])


class Memory:
    """The folder in which a station keeps its paused sessions over a restart."""

    def __init__(self, folder: Path):
        self._file = folder / NAME
        self._paused: PausedSessions | None = None
        self._changed = asyncio.Event()
        self._said = ""

    def paused(self) -> PausedSessions:
        """The paused sessions read from the file; each change of them is written down by `follow`."""
        self._paused = PausedSessions(self._read(), self._changed.set)
        return self._paused

    def _read(self) -> tuple[PausedSession, ...]:
        try:
            with self._file.open("rb") as file:
                octets = file.read(LIMIT + 1)
            if len(octets) > LIMIT:
                raise ValueError(f"longer than {LIMIT} octets")
            return tuple(each.session() for each in _decoder.decode(octets))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            log.warning("%s: %s; the sessions that were paused cannot be resumed", self._file, legible(str(error)))
            return ()

    async def follow(self) -> None:
        """Write every change of the paused sessions to the file, on a thread. Never returns."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not await asyncio.to_thread(self.write):
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN):
                        await self._changed.wait()
                self._changed.set()

    def write(self) -> bool:
        """Write the sessions to the file, whole or not at all; False if it failed, which is logged."""
        try:
            files.replace(self._file, msgspec.json.encode(tuple(self._paused or ())), 0o600)
        except OSError as error:
            if str(error) != self._said:
                self._said = str(error)
                log.warning("%s cannot be written: %s; a pause does not outlive the station", self._file, error.strerror or error)
            return False
        self._said = ""
        return True
