"""The shell of OSCP: the routes by which the other side calls, and the loop that sends what is due."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

import msgspec

from v2gkit.authorities.route import Answer, Asked, Route
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.oscp import words
from v2gkit.grid.oscp.peer import Asked as Message
from v2gkit.grid.oscp.peer import Known, Peer, Sending, status_of
from v2gkit.grid.shell.http import asked

LAZIEST: Final = 60.0  # s between two looks where nothing happens
Complain = Callable[[GridFault], None]


class Calling:
    """One peer on the network. Its routes have to be served by the loop in which it runs."""

    def __init__(
        self,
        peer: Peer,
        wall: Callable[[], float],
        tls: ssl.SSLContext,
        complain: Complain,
        timeout: float = 10.0,
        keep: Callable[[Known], None] | None = None,
    ) -> None:
        self._peer, self._wall, self._tls, self._complain, self._timeout, self._keep = peer, wall, tls, complain, timeout, keep
        self._woken = asyncio.Event()

    def route(self, path: str) -> Route:
        """The route of its messages, beneath `path`."""

        async def service(request: Asked) -> Answer:
            headers = {name.lower(): value for name, value in request.headers.items()}
            try:
                status, text = self._peer.answer(Message(request.path, headers, request.body), self._wall())
            except GridFault as fault:
                self._complain(fault)
                status, text = status_of(fault), str(fault)
            self.wake()
            if status == 204:
                return Answer(b"", status=204)
            return Answer(msgspec.json.encode(words.Error(message=text)), "application/json", status)

        return "POST", path, service

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        known = self._peer.known
        while True:
            self._woken.clear()
            for sending in self._peer.due(self._wall()):
                if not await self._sent(sending):
                    break
            if self._keep is not None and self._peer.known != known:
                known = self._peer.known
                await asyncio.to_thread(self._keep, known)
            wait = min(max(self._peer.deadline(self._wall()) - self._wall(), 0.0), LAZIEST)
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _sent(self, sending: Sending) -> bool:
        """Whether a message was taken; what it was not is told."""
        try:
            response = await asked(sending.request, self._tls, self._timeout)
        except GridFault as fault:
            self._complain(GridFault(fault.trouble, f"{self._peer.name}: {sending.path}: {fault}"))
            self._peer.done(sending, None, self._wall())
            return False
        self._peer.done(sending, response.status, self._wall())
        if response.status != 204:
            trouble = Trouble.DENIED if 400 <= response.status < 500 else Trouble.UNREACHABLE
            self._complain(GridFault(trouble, f"{self._peer.name}: {sending.path} is answered {response.status}{_reason(response.body)}"))
        return response.status == 204


def _reason(body: bytes) -> str:
    try:
        return f", {msgspec.json.decode(body, type=words.Error).message[:200]!r}"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
