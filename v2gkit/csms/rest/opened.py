"""Opens the REST of a CSMS with its page: at which address, for which tokens, with which files."""

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from v2g.session.link import address_text
from v2gkit.authorities.gate import Gate
from v2gkit.csms.fleet import Fleet
from v2gkit.csms.party import Party
from v2gkit.csms.rest import tokens
from v2gkit.csms.rest.answers import Answers
from v2gkit.csms.rest.declared import Role
from v2gkit.csms.rest.site import House, application
from v2gkit.csms.server import Csms
from v2gkit.csms.store.keeper import Store
from v2gkit.insight.live.door import LOCAL, Door
from v2gkit.insight.live.site import Room, serve

LAST: Final = 0.2  # s that answers in work have at the end


@dataclass(frozen=True, slots=True)
class Opened:
    """Where it is served, and the tokens that are new: their text is nowhere else."""

    url: str
    fresh: Mapping[Role, str]

    @property
    def page(self) -> str:
        """The address of the page, with the token to read where it is new."""
        return f"{self.url}/?token={self.fresh['read']}" if "read" in self.fresh else f"{self.url}/"


def tokens_of(file: Path | None) -> tuple[tokens.Tokens, Mapping[Role, str]]:
    """The tokens of a file, which is made where it is missing; without a file new ones that live as long as this process. ValueError."""
    if file is None:
        return tokens.fresh()
    return (tokens.read(file), {}) if file.exists() else tokens.made(file)


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens. Raises OSError with the address in it."""
    try:
        return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=64)
    except OSError as error:
        if error.errno is None or isinstance(error, socket.gaierror):
            raise
        raise OSError(error.errno, os.strerror(error.errno), f"REST on {address_text((address, port))}") from None


@contextlib.asynccontextmanager
async def opened(
    csms: Csms,
    store: Store,
    party: Party,
    fleet: Fleet,
    listener: socket.socket,
    known: tuple[tokens.Tokens, Mapping[Role, str]],
    assets: Mapping[str, tuple[str, str]],
    wall: Callable[[], float],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Opened]:
    """Serve within the block, on a socket that listens, over TLS where a context for it is given."""
    host, port = listener.getsockname()[:2]
    local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    names = LOCAL | {address_text((host, port)).rpartition(":")[0].lower()} if local else frozenset()
    room = Room()
    answers = Answers(csms, store, party, fleet, wall)
    scheme = "http" if tls is None else "https"
    house = House(answers, known[0], Door("", names, port, scheme), room, assets, _version())
    gate = None if tls is None else Gate(tls)
    server = await serve(listener, application(house), room, None if gate is None else gate.entry)
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - it is asked whether the user wanted that
    try:
        yield Opened(f"{scheme}://{address_text((shown, port))}", known[1])
    finally:
        server.close()
        await asyncio.sleep(LAST)
        room.close()
        if gate is not None:
            gate.close()


def _version() -> str:
    try:
        return version("v2gkit")
    except PackageNotFoundError:
        return "0"
