"""Orders and readings of stations without CSMS, by their [feed]: limits and setpoints go in, how the outlets are comes back.

An order is taken when the station says, after it was told, that it lets the outlet have no more. A station keeps its limit when we are
gone; a setpoint to give ends by itself, and leaves the limit: nothing.
"""

import asyncio
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from v2g.legible import legible, logger
from v2gkit.fleet.arms.verbs import ArmFault, Order, See, Seen
from v2gkit.fleet.declared import Asset, Feed

PATIENCE: Final = 5.0  # s for a station to answer
EVERY: Final = 1.0  # s between two readings, and after a link that broke
LINE: Final = 65_536  # octets of an answer: some hundred outlets
SETPOINT: Final = 3_600.0  # s, the longest for which a station takes a setpoint
SOURCE: Final = "EMS"  # whose limit it is
HIGHER: Final = 1.0  # W by which a station may round a limit up
LOG = logger("v2g.fleet")


class Outlet(msgspec.Struct, frozen=True):
    """An outlet as its station says, in the words of docs/site.schema.json."""

    evse: str
    here: bool
    power: float | None = None
    charge: float | None = None
    discharge: float | None = None
    most: float | None = None
    give: float = 0.0
    missing: float | None = None
    departure: float | None = None
    imported: float | None = None
    exported: float | None = None


class State(msgspec.Struct, frozen=True):
    """What answers a report."""

    id: str
    outlets: tuple[Outlet, ...]


_states = msgspec.json.Decoder(State)


class Line(Protocol):
    """A way to a station: what is sent, and whole answers as they come."""

    async def send(self, words: list[dict[str, object]]) -> None:
        """Send words, each with its `type`. Raises OSError, ConnectionError."""

    async def answer(self) -> bytes:
        """The next answer. Raises ConnectionError where the station hangs up, ValueError for one that is too long."""

    def close(self) -> None:
        """Hang up without a word."""


class FeedArm:
    """Carries orders to stations that are led by what they are told beside their cars. `folder` is where the paths of assets begin."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[str, Line] = {}  # by asset
        self._turns: dict[str, asyncio.Lock] = {}
        self._numbers = itertools.count(1)

    def forget(self, asset: str) -> None:
        """Hang up to an asset."""
        self._lost(asset)
        self._turns.pop(asset, None)

    def close(self) -> None:
        """Hang up to all assets, without a word."""
        for asset in list(self._lines):
            self._lost(asset)

    async def carry(self, asset: Asset, order: Order) -> None:
        """Have the station let the outlet have no more than is ordered. Raises ArmFault where it does not say that it does."""
        most, least = math.floor(max(order.power, 0.0)), math.floor(max(-order.power, 0.0))
        whose: dict[str, object] = {"evse": asset.evse} if asset.evse else {}
        limit: dict[str, object] = {"type": "limit", "source": SOURCE, "charge": most, "discharge": least, **whose}
        lasts = min(max(order.lasts, 1.0), SETPOINT)
        setpoint: dict[str, object] = {"type": "setpoint", "power": -least if least else None, "lasts": lasts, **whose}
        outlet = await self._asked(asset, [limit, setpoint])
        if outlet.charge is None or outlet.charge > most + HIGHER:
            raise ArmFault(f"{asset.id}: the station says that it keeps to {outlet.charge} W, and was told {most}")

    async def follow(self, asset: Asset, see: See) -> None:
        """Tell how the outlet is each second, until cancelled; a station that is not there is tried again."""
        missed, complained = False, ""
        while True:
            try:
                outlet = await self._asked(asset, [])
            except ArmFault as fault:
                missed = True
                if str(fault) != complained:
                    complained = str(fault)
                    LOG.warning("%s", legible(complained))
            else:
                known = outlet.missing is not None
                needs = outlet.most, outlet.give, outlet.missing or 0.0, outlet.departure, known
                see(Seen(outlet.power, outlet.here, *needs, missed, outlet.imported, outlet.exported or 0.0))
                missed, complained = False, ""
            await asyncio.sleep(EVERY)

    async def _asked(self, asset: Asset, words: list[dict[str, object]]) -> Outlet:
        """Tell a station words, and hear how the outlet is then. Raises ArmFault."""
        id_ = f"{next(self._numbers)}"
        async with self._turns.setdefault(asset.id, asyncio.Lock()):
            try:
                async with asyncio.timeout(PATIENCE):
                    line = self._lines.get(asset.id) or await self._opened(asset)
                    await line.send([*words, {"type": "report", "id": id_}])
                    while True:
                        octets = await line.answer()
                        if (state := state_of(octets)).id == id_:
                            return _outlet(asset, state)
            except (OSError, TimeoutError, ValueError) as error:
                self._lost(asset.id)
                raise ArmFault(f"{asset.id}: {error or 'the station does not answer'}") from None
            except asyncio.CancelledError:
                self._lost(asset.id)  # an answer may be under way that nobody waits for
                raise

    async def _opened(self, asset: Asset) -> Line:
        assert asset.feed is not None
        self._lines[asset.id] = line = await opened(asset.feed, self._folder)
        return line

    def _lost(self, asset: str) -> None:
        if (line := self._lines.pop(asset, None)) is not None:
            line.close()


async def opened(feed: Feed, folder: Path) -> Line:
    """A way to a station. Raises OSError; ConnectionError for a broker that is not there, ValueError for one without its library."""
    if feed.socket:
        return Socket(*await asyncio.open_unix_connection(folder / feed.socket, limit=LINE))
    try:
        from v2gkit.fleet.arms.broker import reached
    except ImportError:
        raise ValueError("a station behind a broker wants the extra mqtt: pip install 'v2gkit[mqtt]'") from None
    return await reached(feed, folder)


class Socket:
    """The Unix socket of a station."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, words: list[dict[str, object]]) -> None:
        """Send words as JSON lines."""
        self._writer.write(b"".join(msgspec.json.encode(word) + b"\n" for word in words))
        await self._writer.drain()

    async def answer(self) -> bytes:
        """The next line that the station says."""
        line = await self._reader.readline()
        if not line:
            raise ConnectionError("the station hangs up")
        return line

    def close(self) -> None:
        """Hang up without a word."""
        self._writer.transport.abort()


def state_of(octets: bytes) -> State:
    """An answer. Raises ValueError for a refusal, with its reason, and for what is none."""
    try:
        return _states.decode(octets)
    except msgspec.MsgspecError as error:
        said: Callable[[object], str] = lambda reason: legible(str(reason))[:300]  # noqa: E731
        try:
            reason = msgspec.json.decode(octets, type=dict).get("reason")
        except msgspec.MsgspecError:
            reason = None
        raise ValueError(f"the station refuses: {said(reason)}" if reason else f"no answer of a station: {said(error)}") from None


def _outlet(asset: Asset, state: State) -> Outlet:
    found = [each for each in state.outlets if each.evse == asset.evse] if asset.evse else list(state.outlets)
    if len(found) != 1:
        there = ", ".join(each.evse for each in state.outlets[:20])
        raise ValueError(f"the station has the outlets {legible(there) or 'none'}; evse of the asset is {asset.evse!r}, give one of them")
    return found[0]
