"""The shell around a book: listens to every source of a site, and tells what happens and what holds, as long as it runs."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from v2g.energy.signal import Signal
from v2g.tasks import Tasks
from v2gkit.authorities.route import Route
from v2gkit.grid.book import Book
from v2gkit.grid.declared import SITE, Grid, Modbus, OpenAdr, OpenAdr2
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.lines import Line, fault_line, line_of, passed_line, prices_line, reads_line, standing_line
from v2gkit.grid.modbus.headroom import Headroom
from v2gkit.grid.modbus.reading import signals_of as signals_of_box
from v2gkit.grid.modbus.storage import Storage
from v2gkit.grid.openadr2.pulled import Pulled
from v2gkit.grid.openadr3.events import Reader, ignored, intervals_of, signals_of
from v2gkit.grid.openadr3.reports import Reports
from v2gkit.grid.openadr3.standing import states_of
from v2gkit.grid.openadr3.words import Event, Program
from v2gkit.grid.received import Told
from v2gkit.grid.sep2.prices import Tariff
from v2gkit.grid.shell import openadr2, openadr3
from v2gkit.grid.shell.ears import Ears
from v2gkit.grid.shell.flexibility import Flexible
from v2gkit.grid.shell.modbus import follow
from v2gkit.grid.shell.s2 import Managed
from v2gkit.grid.shell.sep2 import Utility
from v2gkit.grid.shell.vendor import Behind
from v2gkit.grid.standing import Standing, part_of, share_of
from v2gkit.grid.unversioned import Unversioned
from v2gkit.grid.vendor.declared import Vendor
from v2gkit.grid.vendor.reading import Reading

AGAIN: Final = 60.0  # s after which a fault that goes on is told again
LAZIEST: Final = 60.0  # s between two looks at the book, where nothing happens
REPORTED: Final = ("connection", "chargers")  # roles of meters that a VTN is told of
Say = Callable[[Line], None]
Heed = Callable[[Standing, tuple[Signal, ...]], None]
"""Hears what holds, whenever it changes: at this moment, and the signals that planners reckon with."""


class Listening:
    """One site's sources, its book, and who hears of them. `wall` gives epoch s and never runs backward; `heed` may not wait."""

    def __init__(self, grid: Grid, wall: Callable[[], float], say: Say, heed: Heed | None = None) -> None:
        self._grid, self._wall, self._say, self._heed = grid, wall, say, heed
        self.book = Book(grid.tenant, grid.promises)
        self._headroom = Headroom(grid.site, grid.meters)
        self._values = {each.name: Unversioned(each.name) for each in grid.devices if each.role == "signal"}
        self._behind = [Behind(each, wall, partial(self._read, each), partial(self._complain, each.name)) for each in grid.vendor]
        self._states: dict[str, str | None] = {}  # of devices behind APIs
        self._woken = asyncio.Event()
        self._complained: dict[tuple[str, Trouble], float] = {}  # when it was told last
        self._passed: dict[str, frozenset[str]] = {}  # source -> what of its words is no signal
        self._held: Standing | None = None
        self._signals: tuple[Signal, ...] = ()
        self._powers: dict[str, tuple[str, float]] = {}  # meter -> role, W as it was read last
        self._called: list[Flexible] = []  # sources that call us
        self._utilities: list[Utility] = []
        self.tariffs: dict[str, Tariff] = {}
        """What energy costs, by the source that says it."""
        self._reports = {each.name: Reports(each.ven) for each in grid.openadr}
        self._refused: dict[str, frozenset[str]] = {}  # source -> its events (ids) that cannot be meant
        self.storages = {each.name: Storage(each.name, each.pack, wall) for each in grid.modbus if each.pack}
        """The batteries that a station leads, by the name of their inverter."""

    def routes(self, base: str) -> list[Route]:
        """The routes by which sources call us at `base`, a URL, to be served in the loop of `run`, later. ConfigError, OSError."""
        self._called = [
            Flexible(each, self._ears(each.name), base, f"/{quote(each.name, safe='')}/oscp/fp/2.0") for each in self._grid.oscp
        ]
        self._utilities = [
            Utility(each, self._ears(each.name), f"{base.rstrip('/')}/{quote(each.name, safe='')}/sep2") for each in self._grid.sep2
        ]
        notified = [each.route(f"/{quote(each.name, safe='')}/sep2") for each in self._utilities if each.notified]
        return [each.route for each in self._called] + notified

    async def run(self) -> None:
        """Listen to every source until cancelled."""
        if len(self._called) < len(self._grid.oscp) or (not self._utilities and any(each.notified for each in self._grid.sep2)):
            raise RuntimeError("a site with [[oscp]], or [[sep2]] that is notified, is called by others; serve `routes` first")
        async with Tasks("v2g.grid") as tasks:
            for device in self._grid.modbus:
                tasks.keep(device.name, partial(self._follow, device))
            for maker, behind in zip(self._grid.vendor, self._behind, strict=True):
                tasks.keep(maker.name, behind.run)
            for vtn in self._grid.openadr:
                tasks.keep(vtn.name, partial(self._poll, vtn))
            for older in self._grid.openadr2:
                tasks.keep(older.name, partial(self._pull, older))
            for source, called in zip(self._grid.oscp, self._called, strict=True):
                tasks.keep(source.name, called.run)
            for cem in self._grid.s2:
                tasks.keep(cem.name, Managed(cem, self._ears(cem.name)).run)
            for server in self._utilities or [Utility(each, self._ears(each.name)) for each in self._grid.sep2]:
                tasks.keep(server.name, server.run)
            while True:
                self._settle()
                await self._pause()

    def _follow(self, device: Modbus) -> Coroutine[Any, Any, None]:
        return follow(device, partial(self._hear, device, "modbus"), partial(self._complain, device.name), self.storages.get(device.name))

    async def _poll(self, vtn: OpenAdr) -> None:
        reader = Reader(vtn.name, vtn.ven, frozenset(vtn.targets), vtn.simple)
        reports = self._reports[vtn.name]
        account = openadr3.Account(reports, lambda: reports.due(self._states_of(vtn.name, reports.events), self._wall()))
        await openadr3.follow(vtn, self._wall, partial(self._hear_events, reader), partial(self._complain, vtn.name), account)

    def _states_of(self, source: str, events: Iterable[str]) -> dict[str, str]:
        rows = (row for row in self.book.rows() if row.source == source)
        return states_of(events, rows, self._refused.get(source, ()))

    def measured(self, name: str, power: float) -> None:
        """Take it that a meter, or a site, draws so much at this moment (W, + from the grid): for reports to those who ask for them."""
        for reports in self._reports.values():
            reports.sample(name, power, self._wall())

    async def _pull(self, vtn: OpenAdr2) -> None:
        pulled = Pulled(vtn, self.book, self._wall, partial(self._complain, vtn.name), self._woken.set)
        await openadr2.follow(vtn, pulled.hear, pulled.answered, pulled.complain)

    async def _pause(self) -> None:
        now = self._wall()
        deadline = self.book.deadline(now)
        wait = LAZIEST if deadline is None else min(max(deadline - now, 0.0), LAZIEST)
        self._woken.clear()
        try:
            async with asyncio.timeout(wait):
                await self._woken.wait()
        except TimeoutError:
            pass

    # --- sources ---

    def _read(self, device: Vendor, reading: Reading) -> None:
        """Enter what a device behind an API said, and tell it whenever its state is another one."""
        if device.name not in self._states or reading.state != self._states[device.name]:
            self._say(reads_line(device.name, reading.values, reading.state, self._wall()))
            self._states[device.name] = reading.state
        if device.role != "charger":
            self._hear(device, "vendor", reading.values)

    def _hear(self, device: Modbus | Vendor, protocol: str, said: Mapping[str, float]) -> None:
        """Enter what a device said in one round."""
        now = self._wall()
        if device.name in self.storages:
            self.storages[device.name].heard(said)
            if device.name not in self._grid.meters:
                return
        if device.role == "signal":
            told, source = signals_of_box(said, self._values[device.name], now), device.name
        else:
            self._powers[device.name] = device.role, said["power"]
            if device.role in REPORTED:
                self.measured(device.name, said["power"])
            self._headroom.read(device.name, said["power"], now)
            caps = self._headroom.told(now)
            if caps is None:
                return
            told, source = caps, SITE
        for fault in self.book.take_all(source, protocol, told, now):
            self._complain(source, fault)
        self._woken.set()

    def _hear_events(self, reader: Reader, events: list[tuple[Event, Program]]) -> None:
        """Enter every event that a VTN has."""
        now = self._wall()
        told: list[Told] = []
        faults: list[GridFault] = []
        refused: set[str] = set()
        self._reports[reader.source].know((event, intervals_of(event, reader, now)) for event, _ in events)
        for event, program in events:
            units = {each.payload_type: each.units for each in program.payload_descriptors or ()}
            try:
                told += signals_of(event, reader, units, now)
            except GridFault as fault:
                faults.append(fault)
                refused.add(event.id)
        self._refused[reader.source] = frozenset(refused)
        for found in self.book.take_all(reader.source, "openadr3", told, now, faults):
            self._complain(reader.source, found)
        self._pass_over(reader.source, ignored(event for event, _ in events))
        self._woken.set()

    def _pass_over(self, source: str, types: frozenset[str]) -> None:
        """Tell what of a source's words is no signal, unless that was told when it spoke last."""
        if types - self._passed.get(source, frozenset()):
            self._say(passed_line(source, types, self._wall()))
        self._passed[source] = types

    def _ears(self, source: str) -> Ears:
        return Ears(
            self.book, self._wall, partial(self._complain, source), partial(self._pass_over, source), self._woken.set,
            lambda: self._powers, partial(self._price, source),
        )  # fmt: skip

    def _price(self, source: str, tariff: Tariff) -> None:
        """Tell what energy costs, where that is news: that time passes is none."""
        known = self.tariffs.get(source, Tariff({}))
        if any(part not in known.ways.get(way, ()) for way, parts in tariff.ways.items() for part in parts[1:]) or [
            (way, parts[0].end, parts[0].blocks) for way, parts in tariff.ways.items()
        ] != [(way, parts[0].end, parts[0].blocks) for way, parts in known.ways.items()]:
            self._say(prices_line(source, tariff, self._wall()))
        self.tariffs[source] = tariff

    def _complain(self, source: str, fault: GridFault) -> None:
        """Tell a fault, unless one of its kind was told of its source in the last minute."""
        now, kind = self._wall(), (source, fault.trouble)
        if now - self._complained.get(kind, -AGAIN) >= AGAIN:
            self._complained[kind] = now
            self._say(fault_line(source, fault, now))

    # --- who hears ---

    def _settle(self) -> None:
        now = self._wall()
        for news in self.book.settle(now):
            self._say(line_of(news))
        held, signals = self.book.standing(now), self.book.signals(now)
        if held != self._held:
            self._say(standing_line(held, now))
        if held != self._held or _told(signals) != _told(self._signals):
            self._heeded(held, signals)
        self._held, self._signals = held, signals

    def _heeded(self, held: Standing, signals: tuple[Signal, ...]) -> None:
        """Tell what holds to devices behind APIs, each its share, and to whoever else keeps to it what they leave."""
        asked = held.setpoint
        for behind in self._behind:
            behind.heed(held.import_cap if asked is None else max(asked, 0.0))
        if self._heed is not None and self._grid.left < 1:
            self._heed(part_of(held, self._grid.left), tuple(share_of(each, self._grid.left) for each in signals))
        elif self._heed is not None:
            self._heed(held, signals)


def _told(signals: tuple[Signal, ...]) -> list[tuple[str, object]]:
    """What of signals has to differ to be news: caps that are drawn out in silence differ at every look."""
    return [(signal.id, signal.power.steps[0]) for signal in signals]
