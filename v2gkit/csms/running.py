"""Puts the parts of a CSMS together around its stations' server: bus, fleet, REST, script."""

import asyncio
import contextlib
import os
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from v2gkit.csms.bus.memory import MemoryBus
from v2gkit.csms.bus.verbs import Bus, BusFault
from v2gkit.csms.fleet import Fleet
from v2gkit.csms.party import Party
from v2gkit.csms.script import Step, perform, read
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Entry

if TYPE_CHECKING:
    from v2gkit.csms.rest.opened import Opened
    from v2gkit.csms.store.keeper import Store


class Asked(NamedTuple):
    """What is wanted beside the stations' server; None: it is not. `api` is the port of the REST, `nats` the URL of a server."""

    api: int | None = None
    bind: str = "127.0.0.1"
    tokens: Path | None = None
    nats: str | None = None
    script: Path | None = None
    tls: ssl.SSLContext | None = None  # of the REST
    ages: Mapping[str, float] = {}  # of the history, s by table: what is older goes


def process_name() -> str:
    """A name for this process that no other one has."""
    return f"{socket.gethostname().partition('.')[0][:24]}-{os.getpid()}-{secrets.token_hex(3)}"


@contextlib.asynccontextmanager
async def together(csms: Csms, store: "Store | None", asked: Asked, wall: Callable[[], float]) -> "AsyncIterator[Opened | None]":
    """All parts at work within the block; gives where the REST is, None without. Raises ValueError for what cannot be had."""
    steps = read(asked.script) if asked.script is not None else []
    try:
        async with contextlib.AsyncExitStack() as stack:
            party = await stack.enter_async_context(Party(csms, await _bus(asked.nats), csms.process).joined())
            fleet = Fleet(csms, party, wall)
            stack.enter_context(csms.heard_by(fleet.entry))
            aging = [_aged(store, asked, wall)] if store is not None and asked.ages else []
            for work in (fleet.run(), _performed(csms, party, steps), *aging):
                stack.callback(asyncio.create_task(work).cancel)
            yield None if asked.api is None else await stack.enter_async_context(_rest(csms, store, party, fleet, asked, wall))
    except BusFault as fault:
        raise ValueError(str(fault)) from None


def _rest(csms: Csms, store: "Store | None", party: Party, fleet: Fleet, asked: Asked, wall: Callable[[], float]) -> Any:
    from v2gkit.csms.page import assets
    from v2gkit.csms.rest.opened import listening, opened, tokens_of

    assert store is not None
    known = tokens_of(asked.tokens)
    return opened(csms, store, party, fleet, listening(asked.bind, asked.api or 0), known, assets(), wall, asked.tls)


def _aged(store: "Store", asked: Asked, wall: Callable[[], float]) -> Coroutine[Any, Any, None]:
    from v2gkit.csms.retention import keep_for

    return keep_for(store, asked.ages, wall)


async def _bus(url: str | None) -> Bus:
    if url is None:
        return MemoryBus()
    from v2gkit.csms.bus.over_nats import NatsBus

    return await NatsBus.at(url)


async def _performed(csms: Csms, party: Party, steps: list[Step]) -> None:
    def told(station: str, text: str) -> None:
        csms.tell(Entry(csms.wall(), station, "script", text, {}))

    await perform(party, steps, told)
