"""Runs one cell of the interoperability matrix: a station and a car as processes, and a verdict from what both report."""

import asyncio
import os
import shutil
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import v2gkit
from v2g.iso20.services import SERVICES
from v2gkit.peers.ecog_setup import Peer
from v2gkit.peers.network import INTERFACE, Cable, NoNetwork, cable
from v2gkit.peers.process import Process, ProcessFailed
from v2gkit.peers.stories import ENDLESS, OLDER, STORIES, TOLD_IN, WHOLE, Story

DRIVERS = Path(__file__).parent
SOURCE = Path(v2gkit.__file__).parent.parent
START, SESSION = 60.0, 90.0  # s until a side listens, and until a session is over: for a machine much slower than any seen
PARTING = 10.0  # s that a station has to end after a car that failed
ATTEMPTS = 4  # at a session in which the peer misses one of our timers
PROTOCOLS = {"2": "ISO_15118_2", "DIN": "DIN_SPEC_70121"}  # as the peer names them
ENERGIES = ("charged", "discharged", "energy_charged", "energy_discharged")  # Wh, as a station and a car name them
PATIENCE = 20.0  # the peer's own timers are stretched by this; ours never are


@dataclass(frozen=True, slots=True)
class Cell:
    """One session to try. `role` is the part that the foreign peer plays."""

    role: str  # car, station, both
    service: str
    control: str  # scheduled, dynamic; in -2 and DIN nobody chooses: empty
    authorization: str  # eim, pnc
    transport: str  # tcp, tls12, tls13
    discovery: str = "address"  # address: the car is told where the station is; sdp: it asks, over a cable between two namespaces
    about: str = WHOLE.name  # a row of `stories`
    generation: str = "20"  # 20, 2, DIN

    @property
    def words(self) -> set[str]:
        """The words by which `--only` picks this cell."""
        chosen = (self.role, self.service, self.control, self.authorization, self.transport, self.discovery, self.about, self.generation)
        return {word for word in chosen if word}

    @property
    def story(self) -> Story:
        """What the session is about."""
        return (OLDER if self.older else STORIES)[self.about]

    @property
    def slug(self) -> str:
        """The name of the cell in file names."""
        return "-".join(str(self).split())

    @property
    def bidirectional(self) -> bool:
        """Whether the service of the cell may discharge."""
        return SERVICES[self.service].bidirectional

    @property
    def tls(self) -> bool:
        return self.transport != "tcp"

    @property
    def older(self) -> bool:
        """Whether it is a session of -2 or DIN, where there is no control mode to choose."""
        return self.generation != "20"

    def __str__(self) -> str:
        chosen = f"{self.generation:3} {self.role:7} {self.service:6} {self.control:9} {self.transport:5} {self.authorization}"
        return f"{chosen} {self.discovery:7} {self.about}"


@dataclass(frozen=True, slots=True)
class CellResult:
    """The result of a cell. `wrong` is empty when all went well; `relaxed` are the requirements that our side set aside."""

    cell: Cell
    wrong: tuple[str, ...] = ()
    skipped: str = ""  # why this machine cannot run it
    loops: int = 0
    seconds: float = 0.0
    relaxed: tuple[str, ...] = ()
    foreign: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1

    @property
    def late(self) -> bool:
        """Whether one of our timers ran out."""
        return "timed out" in (self.ours.get("how"), self.ours.get("ended")) or str(self.ours.get("reason")).startswith("TimedOut")

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong in the session."""
        return not self.wrong

    @property
    def text(self) -> str:
        """The result as text for the table."""
        if self.skipped:
            return f"not run: {self.skipped}"
        if self.wrong:
            return "fails: " + self.wrong[0].replace("|", "/").replace("\n", " ")
        again = f", attempt {self.attempts}" if self.attempts > 1 else ""
        return f"{self.loops} loops, {self.seconds:.1f} s{again}"

    def as_dict(self) -> dict[str, Any]:
        """The result as plain values for JSON."""
        return {**asdict(self), "ok": self.ok}


@dataclass(frozen=True, slots=True)
class Program:
    """One side of a session as a command to start. `announces` is the key in a station's first line: its port, or its address.

    The peer is `favoured` by the system: its codec takes 40 ms of processor for a loop, of the 250 for which a car of -2 waits.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] | None
    announces: str = "port"
    favoured: bool = False


@dataclass(frozen=True, slots=True)
class Bench:
    """What cells are run with: the peer, a scratch folder, and a folder for the logs of both sides."""

    peer: Peer
    scratch: Path
    logs: Path
    loops: int = 10

    async def run(self, cell: Cell) -> CellResult:
        """Run the session of a cell, and again where the peer was too slow for one of our timers, which the result says.

        On a busy machine the peer's Java codec is. Our timers are those of the standard.
        """
        for attempt in range(1, ATTEMPTS + 1):
            seen = replace(await self._attempt(cell), attempts=attempt)
            if not seen.late:
                break
        return seen

    async def _attempt(self, cell: Cell) -> CellResult:
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            with cable() if cell.discovery == "sdp" else nullcontext() as ends:
                return await self._session(cell, ends)
        except ProcessFailed as failure:
            return CellResult(cell, wrong=(str(failure),))
        except NoNetwork as reason:
            return CellResult(cell, skipped=str(reason))

    async def _session(self, cell: Cell, ends: Cable | None) -> CellResult:
        station = self.foreign_station(cell) if cell.role != "car" else self.our_station(cell)
        async with self._process(station, cell, ends.station if ends else None) as serving:
            listening = str((await serving.expect(station.announces, START))[station.announces])
            port = listening.rpartition(":")[2]
            car = self.foreign_car(cell, port) if cell.role != "station" else self.our_car(cell, port)
            async with self._process(car, cell, ends.car if ends else None) as driving:
                if cell.story.told and cell.role == "car":
                    await serving.expect("state", START + SESSION)  # of the power
                    await asyncio.sleep(TOLD_IN)
                    serving.ask_to_end()
                code = await driving.finish(START + SESSION)
                if not driving.said:
                    raise ProcessFailed(f"{car.name} ended with exit code {code} and gave no account; see {driving.log}")
                await serving.finish(SESSION if code == 0 else PARTING)
        return judged(cell, self.loops, driving.last, serving.last if cell.role != "car" else account(serving.said))

    def foreign_car(self, cell: Cell, port: str) -> Program:
        """The foreign car as a program that visits our station."""
        where = () if cell.discovery == "sdp" else ("--connect", f"::1,{port}")
        wish = ("--service", cell.service, "--loops", self._loops(cell), *cell.story.foreign_car)
        if cell.older:
            return self._foreign("foreign car", "ecog_car2.py", cell, (*where, *wish, "--protocol", PROTOCOLS[cell.generation]))
        return self._foreign("foreign car", "ecog_car.py", cell, (*where, *wish, "--control", cell.control))

    def _loops(self, cell: Cell) -> str:
        return str(ENDLESS if cell.story.told else self.loops)

    def _config(self, cell: Cell, whose: str, text: str) -> tuple[str, ...]:
        if not text:
            return ()
        path = self.scratch / f"{cell.slug}.{whose}.toml"
        path.write_text(text)
        return "--config", str(path)

    def foreign_station(self, cell: Cell) -> Program:
        """The foreign station as a program that waits for our car."""
        where = () if cell.discovery == "sdp" else ("--listen", "::1,0")
        return self._foreign(
            "foreign station",
            "ecog_station.py",
            cell,
            (*where, "--current", SERVICES[cell.service].schema_set.upper(), *control(cell), *cell.story.foreign_station),
        )

    def _foreign(self, name: str, driver: str, cell: Cell, arguments: tuple[str, ...]) -> Program:
        tls = ("--tls",) if cell.tls else ()
        command = (str(self.peer.python), str(DRIVERS / driver), *arguments, *tls, "--timeout-factor", str(PATIENCE))
        pnc = cell.authorization == "pnc"
        offers = "EIM,PNC" if pnc else "EIM"
        interface = INTERFACE if cell.discovery == "sdp" else "lo"
        protocol = PROTOCOLS.get(cell.generation, "")
        environment = self.peer.environment(cell.service, cell.tls, offers, contract=pnc, interface=interface, protocol=protocol)
        return Program(name, command, environment, favoured=True)

    def our_station(self, cell: Cell) -> Program:
        """Our station as a program that waits for the foreign car."""
        where = ("--iface", INTERFACE) if cell.discovery == "sdp" else ("--host", "::1", "--port", "0")
        plug = SERVICES[cell.service].plug
        services = ",".join(row.name for row in SERVICES.values() if row.plug == plug and not row.der)
        auth = "EIM" if cell.older and cell.authorization == "eim" else "EIM,PnC"  # a car of -2 takes PnC wherever it is offered
        offer = ("--services", services, "--auth", auth, "--prices", str(self._prices(cell)), *cell.story.our_station_options)
        return self._ours("our station", cell, "secc", *where, "--once", *offer, *self._config(cell, "station", cell.story.our_station))

    def _prices(self, cell: Cell) -> Path:
        """Prices by which power flows at once: out of a bidirectional car, into another. They are told from five minutes' extremes down."""
        falling = ("0.90,0.85", "0.60,0.55", "0.05,0.01")  # import, export per kWh
        now, prices = int(time.time()), falling if cell.bidirectional else falling[::-1]
        steps = zip((now - 60, now + 300, now + 1800, now + 9000), (*prices, prices[-1]), strict=True)
        path = self.scratch / f"{cell.slug}.csv"
        path.write_text("# currency: EUR\nstart,import_price,export_price\n" + "".join(f"{start},{price}\n" for start, price in steps))
        return path

    def our_car(self, cell: Cell, port: str) -> Program:
        """Our car as a program that visits the foreign station."""
        where = ("--iface", INTERFACE) if cell.discovery == "sdp" else ("--connect", f"[::1]:{port}")
        wish = ("--generation", cell.generation, "--service", cell.service, "--auth", cell.authorization, "--loops", self._loops(cell))
        battery = ("--soc", "85", "--target-soc", "40") if cell.bidirectional else ("--soc", "20")
        story = (*cell.story.our_car_options, *self._config(cell, "car", cell.story.our_car))
        return self._ours("our car", cell, "ev", *where, *wish, *control(cell), *battery, "--departure-in", "7200", *story)

    def _ours(self, name: str, cell: Cell, command: str, *arguments: str) -> Program:
        kept = self.logs / f"{cell.slug}.{command}.trace.jsonl"
        tls = ("--tls",) if cell.tls else () if cell.generation == "DIN" and command == "ev" else ("--no-tls",)
        common = (*tls, "--pki", str(self._certificates(cell, command)), "--profile", "interop", "--trace", str(kept), "--json")
        path = os.pathsep.join(filter(None, (str(SOURCE), os.environ.get("PYTHONPATH"))))
        return Program(name, (sys.executable, "-m", "v2gkit", command, *arguments, *common), {**os.environ, "PYTHONPATH": path}, "address")

    def _certificates(self, cell: Cell, command: str) -> Path:
        """The folder of our certificates; where a car is to have a contract installed, one of its own, without contract."""
        if not cell.story.bare or command != "ev":
            return self.peer.certificates
        own = self.scratch / f"{cell.slug}.pki"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(self.peer.certificates, own)
        shutil.rmtree(own / "contract")
        return own

    def _process(self, program: Program, cell: Cell, namespace: str | None) -> Process:
        log = self.logs / f"{cell.slug}.{program.name.replace(' ', '-')}.log"
        log.unlink(missing_ok=True)
        command = Cable.inside(namespace, *program.command) if namespace else program.command
        known = program.environment
        return Process(program.name, command, environment=known, folder=self.scratch, log=log, favoured=program.favoured)


def control(cell: Cell) -> tuple[str, ...]:
    """The option of a program that says the control mode of a cell, where it has one."""
    return ("--control", cell.control) if cell.control else ()


def judged(cell: Cell, loops: int, car: dict[str, Any], station: dict[str, Any]) -> CellResult:
    """The result of a cell, by what both sides reported."""
    wrong = (*complaints("car", car, cell, loops), *complaints("station", station, cell, loops))
    foreign, ours = (car, station) if cell.role == "car" else (station, car)
    if not wrong and cell.role != "both" and not flowed(cell, ours):
        told = ", ".join(f"{name} {ours[name]}" for name in ENERGIES if name in ours) or "no meter was read"
        wrong = (f"no energy flowed {'back' if cell.bidirectional else 'into the car'} ({told})",)
    wrong = wrong or tuple(
        f"peer: {key} was {foreign.get(key)}, not {value}" for key, value in cell.story.seen if foreign.get(key) != value
    )
    relaxed = tuple(ours.get("relaxed", ()))
    return CellResult(cell, wrong, "", int(car.get("loops", 0)), float(car.get("seconds", 0.0)), relaxed, foreign, ours)


def flowed(cell: Cell, ours: dict[str, Any]) -> bool:
    """Whether our side measured energy in the direction of the cell."""
    way = "discharged" if cell.bidirectional else "charged"
    return bool(ours.get(way) or ours.get(f"energy_{way}"))


def account(said: list[dict[str, Any]]) -> dict[str, Any]:
    """The result of our station from the lines it printed, with the same keys as the other three programs have."""
    by_event = {fact["event"]: fact for fact in said if "event" in fact}
    ended = by_event.get("ended", {})
    lowered = {name: str(ended.get(name) or "").lower() or None for name in ("control", "auth")}
    relaxed = [f"{fact['relaxation']} [{fact['requirement']}]" for fact in said if fact.get("event") == "relaxed"]
    return {**ended, **lowered, "tls": by_event.get("secured", {}).get("version"), "relaxed": list(dict.fromkeys(relaxed))}


def complaints(side: str, said: dict[str, Any], cell: Cell, loops: int) -> tuple[str, ...]:
    """What is wrong with a session by one side's report: how it ended, and each thing that was not what the cell asks for."""
    if not said.get("ok"):
        return (f"{side}: {said.get('reason', 'gave no account of the session')}",)
    asked = {
        "service": cell.service,
        **({"control": cell.control} if cell.control else {}),
        "auth": cell.authorization,
        "tls": {"tls13": "TLSv1.3", "tls12": "TLSv1.2"}.get(cell.transport),
        **({} if cell.story.told else {"loops": loops}),
    }
    if cell.story.told and not 0 < said.get("loops", 0) < ENDLESS:
        return (f"{side}: {said.get('loops', 0)} loops; it was to leave in their midst",)
    return tuple(f"{side}: {name} was {said.get(name)}, not {value}" for name, value in asked.items() if said.get(name) != value)
