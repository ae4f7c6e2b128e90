"""A CSMS with everything around it, in one loop: store, bus, fleet, REST; and who asks it over HTTP."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2gkit.csms.bus.memory import MemoryBus
from v2gkit.csms.bus.verbs import Bus
from v2gkit.csms.fleet import Fleet
from v2gkit.csms.page import assets
from v2gkit.csms.party import Party
from v2gkit.csms.rest import tokens
from v2gkit.csms.rest.opened import listening, opened
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy
from v2gkit.csms.store.keeper import Store, file_url


@dataclass
class Lodge:
    """A CSMS at work. `ask` returns status and JSON of an answer."""

    csms: Csms
    store: Store
    party: Party
    fleet: Fleet
    url: str
    texts: dict[str, str]

    async def ask(self, path: str, body: Any = None, role: str = "operate", **headers: str) -> tuple[int, Any]:
        status, octets, _ = await self.raw(path, body, role, **headers)
        return status, json.loads(octets) if octets.startswith((b"{", b"[")) else octets

    async def raw(self, path: str, body: Any = None, role: str = "operate", **headers: str) -> tuple[int, bytes, Any]:
        known = {"Authorization": f"Bearer {self.texts[role]}"} if role in self.texts else {}
        known |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return await asyncio.to_thread(asked, urllib.request.Request(self.url + path, data, known))


def asked(request: urllib.request.Request) -> tuple[int, bytes, Any]:
    """Status, octets and headers of an answer, whatever it is."""
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


@asynccontextmanager
async def lodge(folder: Path, bus: Bus | None = None, process: str = "P1", url: str = "", **how: Any) -> AsyncIterator[Lodge]:
    """A CSMS with its REST on loopback, its store in a folder."""
    store, tls = Store(url or file_url(folder)), how.pop("tls", None)
    csms = Csms(how.pop("strategy", Strategy("none")), archive=store, process=process, **how)
    known = tokens.fresh()
    async with Party(csms, bus or MemoryBus(), process).joined() as party:
        fleet = Fleet(csms, party)
        running = asyncio.create_task(fleet.run())
        with csms.heard_by(fleet.entry):
            async with opened(csms, store, party, fleet, listening("127.0.0.1", 0), known, assets(), time.time, tls) as at:
                yield Lodge(csms, store, party, fleet, at.url, dict(known[1]))
        running.cancel()
    store.close()
