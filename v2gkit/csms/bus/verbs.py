"""The verbs of a bus. Whoever is on it is trusted: it belongs on loopback, or behind the credentials and TLS of its own server."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

Said = dict[str, Any]
Serve = Callable[[Said], Awaitable[Said]]
Hear = Callable[[Said], None]
LEASE: Final = 10.0  # s for which a process that says nothing is taken for alive; then others may have its stations


class BusFault(Exception):
    """A bus did not do what it was asked; the text says why."""


class Nobody(BusFault):
    """Nobody serves what was asked for."""


class Bus(Protocol):
    """Requests, news and ownership between processes. Every method may raise BusFault."""

    async def serve(self, subject: str, serve: Serve) -> None:
        """Answer requests to a subject from now on."""

    async def request(self, subject: str, said: Said, within: float) -> Said:
        """The answer of whoever serves a subject. Raises Nobody where none does, BusFault after `within` (s)."""

    async def publish(self, subject: str, said: Said) -> None:
        """Tell everybody who listens to a subject."""

    async def listen(self, subject: str, hear: Hear) -> None:
        """Hear what is published to a subject from now on."""

    async def renew(self, owner: str) -> None:
        """Note that an owner lives, for `LEASE` seconds more."""

    async def claim(self, thing: str, owner: str) -> str:
        """Make this owner the owner of a thing that has none that lives; returns whose it is then. Of two at once one gets it."""

    async def owner(self, thing: str) -> str | None:
        """Whose a thing is; None: nobody's."""

    async def release(self, thing: str, owner: str) -> None:
        """Let a thing be nobody's, if it is this owner's."""

    async def close(self) -> None:
        """Leave the bus and its subjects."""
