"""However a session ends: CSMS, trace, report, `--json` and log give one reason, one requirement, one wish that it answered.

The station is the real one with its driver, on a socket; so are the bridge and the CSMS. The car is our engine on a wire that may be cut.
The clock of the loop is the machine's, and runs ahead where a session waits for it.
"""

import ast
import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evcc.car import Car, Wish
from evcc.engine import EvccSession
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.iso20.charge import charge
from evcc.iso20.misbehaving import hasty, stranger
from evcc.script import Part, Raw, Script, Wait
from ocpp_bridge.model.reasons import WORDS
from secc import station as words
from secc.bay import Place
from secc.evse import EVSE
from secc.iso20 import conduct
from secc.outlet import Outlet
from secc.server import Station
from secc.simulated import DC_LIMITS
from secc.station import Fact
from tests.ocpp_bridge.ocpp_stand import WALL, Stand, stand
from tests.starved import again, heed
from v2g.exi.schema import Type
from v2g.generations import GENERATIONS
from v2g.legible import legible
from v2g.messages import dc
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.common_messages import ServiceDiscoveryReq
from v2g.session.clock import Clock
from v2g.session.errors import Reason, Refused
from v2g.session.link import Observer
from v2g.session.trace import Trace, TraceWriter
from v2g.session.v2gtp import AHEAD, PayloadType, frame
from v2gkit.csms.server import Csms
from v2gkit.insight.report.page import page, shown
from v2gkit.insight.report.reading import stories
from v2gkit.station.teller import teller

TIME = 300.0  # s, generous
EVSE_ID = "DE*V2G*E1"
RESET = struct.pack("ii", 1, 0)


class Ahead(asyncio.SelectorEventLoop):
    """The clock of the machine, and what a test puts before it."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class Hardware(EVSE):
    """Says what a test puts into `facts`."""

    evse_id = EVSE_ID
    output_period = 0.01

    def __init__(self) -> None:
        super().__init__()
        self.facts: asyncio.Queue[Fact] = asyncio.Queue()

    async def limits(self) -> words.Limits:
        return DC_LIMITS

    async def notices(self) -> AsyncIterator[Fact]:
        while True:
            yield await self.facts.get()


class Heard(Csms):
    """A CSMS that remembers what it says of its stations."""

    def __init__(self) -> None:
        self.story: list[Any] = []
        super().__init__(say=self.story.append, wall=lambda: WALL)


@dataclass
class Wire:
    """A car's side of one connection, until the station closes it or a test does something to it."""

    session: EvccSession
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    cut: bool = False  # nothing more is carried, and the station is left to find out

    async def carry(self) -> None:
        """Drive the car to its end. What is left open is closed last."""
        loop = asyncio.get_running_loop()
        try:
            while not self.cut:
                if octets := self.session.octets_to_send():
                    self.writer.write(octets)
                if self.session.ended is not None:
                    break
                due = self.session.deadline()
                try:
                    async with asyncio.timeout_at(due):
                        octets = await self.reader.read(65536)
                except TimeoutError:
                    self.session.tick(loop.time())
                else:
                    self.session.receive(octets, loop.time())
                    if not octets:
                        break
            if not self.cut:
                self.writer.close()
        except OSError:
            pass


@dataclass
class Scene:
    """A station with its CSMS, and how its sessions ended, as each of the five told it."""

    at: Stand
    station: Station
    hardware: Hardware
    folder: Path
    told: list[dict[str, Any]] = field(default_factory=list)  # what --json prints of an end
    wires: list[Wire] = field(default_factory=list)
    busy: list[asyncio.Task[Any]] = field(default_factory=list)

    @property
    def bay(self) -> Any:
        return self.station.bays[0]

    async def come(self, script: Script, **wish: Any) -> Wire:
        """A car comes, and is driven beside the test."""
        reader, writer = await asyncio.open_connection(*self.station.addresses[0])
        now, battery = asyncio.get_running_loop().time(), Battery()
        wanted = Wish(**{"services": ("DC",), "authorizations": ("EIM",), "loops": 3, "bench_plain": True, "pace": 0.01, **wish})
        car = Car(Ev(battery, Inlet(), AC_INLET, energy=0.2 * battery.capacity), wish=wanted, clock=Clock(WALL, now), now=now)
        wire = Wire(EvccSession(script, car, now), reader, writer)
        self.wires.append(wire)
        self.busy.append(asyncio.create_task(wire.carry()))
        return wire

    def soon(self, work: Awaitable[Any]) -> None:
        self.busy.append(asyncio.ensure_future(work))


Act = Callable[[Scene, Wire], Any]
"""What happens in the second turn of the charge loop; octets that it returns are sent by the car, a number is how long it is silent."""


@dataclass(frozen=True)
class Case:
    """One kind of ending: what is done, and how the session ends by it."""

    act: Act | None
    how: str
    reason: str | None  # begins so; None: it ended as it should
    requirement: str | None = None
    asked: str = ""
    stopped: str | None = "Other"  # stoppedReason of the transaction; None: it goes on
    script: Callable[[Car], Part[str]] | None = None  # instead of a car that charges
    patch: Callable[[pytest.MonkeyPatch], object] = lambda patch: None
    wish: dict[str, Any] = field(default_factory=dict)
    during: type[Type] = dc.DC_ChargeLoopReq  # in whose second turn, or first where there is but one, it is done
    turn: int = 2


def says(fact: Fact) -> Act:
    return lambda scene, wire: scene.hardware.facts.put_nowait(fact)


def ahead(scene: Scene, wire: Wire, seconds: float = 1.0) -> float:
    """The car says nothing, and time goes by."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Ahead)
    wire.cut = True

    async def later() -> None:
        await asyncio.sleep(0.05)
        loop.ahead += seconds

    scene.soon(later())
    return 1e6


def reset(scene: Scene, wire: Wire) -> float:
    wire.cut = True
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    wire.writer.transport.abort()
    return 1e6


def hung_up(scene: Scene, wire: Wire) -> float:
    wire.cut = True
    wire.writer.close()
    return 1e6


def no_room(scene: Scene, wire: Wire) -> float:
    (number,) = scene.bay.server._pumps
    scene.bay.server._drop(number, "there is no room for more secured connections, and its source has most")
    return 1e6


def our_bug(scene: Scene, wire: Wire) -> float:
    """The shell of a connection raises, not the session."""
    (pump,) = scene.bay.server._pumps.values()

    def fails(*_: object) -> None:
        del pump._take
        raise ZeroDivisionError("a bug")

    pump._take = fails
    return 0.0


def stop_by_csms(scene: Scene, wire: Wire) -> None:
    assert scene.at.csms is not None
    scene.soon(scene.at.csms.remote_stop("CS-1"))


def closing(scene: Scene, wire: Wire) -> None:
    scene.soon(scene.station.leave(20.0))


def stays(scene: Scene, wire: Wire) -> float:
    """The car does not follow, and the grace is over."""

    async def closed() -> None:
        assert not await scene.station.leave(0.1)
        scene.station.abort("the station shuts down: a second signal came")

    wire.cut = True
    scene.soon(closed())
    return 1e6


def taken_over(scene: Scene, wire: Wire) -> float:
    """The same car once more, after it said nothing for a while."""
    wire.cut = True
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Ahead)
    loop.ahead += 3.0
    scene.soon(scene.come(charge, loops=1))
    return 1e6


def failing(name: str) -> Act:
    async def fails(*_: Any) -> Any:
        raise OSError("bus error")

    return lambda scene, wire: setattr(scene.hardware, name, fails)


def many(scene: Scene, wire: Wire) -> bytes:
    loop = dc.DC_ChargeLoopReq
    assert wire.session.car is not None
    request = wire.session._order.write(LAST[loop], wire.session.car.session_id)
    return frame(request[0], request[2]) * (AHEAD + 40)


LAST: dict[type, Any] = {}  # the latest request of a class, stamped by its session


def refused_as(reason: Reason) -> Callable[[pytest.MonkeyPatch], object]:
    """The second loop is refused for this reason: the others stand in tests/secc/test_refusals.py, this is about who hears of it."""
    return raising(lambda: Refused(reason, f"refused as {reason.name}", "V2G20-459"))


def raising(error: Callable[[], Exception]) -> Callable[[pytest.MonkeyPatch], object]:
    answer, turns = conduct.ANSWERS[dc.DC_ChargeLoopReq], []

    def second(request: Any, known: Any) -> Any:
        turns.append(request)
        if len(turns) == 2:
            raise error()
        return answer(request, known)

    return lambda patch: patch.setitem(conduct.ANSWERS, dc.DC_ChargeLoopReq, second)  # type: ignore[arg-type]


def never(_: Any, *__: Any) -> Awaitable[bool]:
    return asyncio.sleep(1e6, False)


def foreign(car: Car) -> Part[str]:
    """A protocol that nobody has."""
    nothing = AppProtocolType(ProtocolNamespace="urn:none", VersionNumberMajor=1, VersionNumberMinor=0, SchemaID=7, Priority=1)
    yield Raw(supportedAppProtocolReq(AppProtocol=(nothing,)))
    return "over"


def unheard(car: Car) -> Part[str]:
    """Octets that are no frame before anything else."""
    yield Raw(b"GET / HTTP/1.1\r\n\r\n")
    return "over"


PILOT = "the control pilot went to state"
CASES: dict[str, Case] = {
    "finished": Case(None, "Terminate", None, stopped="StoppedByEV"),
    "paused": Case(None, "Pause", None, stopped=None, wish={"pause_after": 2, "loops": 4}),
    "stopped at the outlet": Case(
        says(words.StopAsked("the stop button")), "Terminate", None, asked="the stop button", stopped="Local", wish={"loops": 100_000}
    ),
    "stopped by the CSMS": Case(
        stop_by_csms, "Terminate", None, asked="RequestStopTransaction", stopped="Remote", wish={"loops": 100_000}
    ),
    "the station shuts down": Case(
        closing, "Terminate", None, asked="the station shuts down", stopped="Local", wish={"loops": 100_000}
    ),
    "shut down under a car that stays": Case(
        stays, "aborted", "the station shuts down: a second signal came", asked="the station shuts down", stopped="Local"
    ),
    "emergency": Case(
        says(words.EmergencyStop("the red button\x1b[2J")), "failed", "emergency stop: the red button", stopped="EmergencyStop"
    ),
    "ground fault": Case(says(words.IsolationMeasured(False)), "failed", "the isolation is faulty", stopped="GroundFault"),
    "contactor opened": Case(says(words.ContactorIs(False)), "failed", "the contactor opened under power"),
    "connector unlocked": Case(says(words.ConnectorLock(False)), "failed", "the connector is not locked"),
    "unplugged": Case(says(words.PilotIs("A")), "refused", f"{PILOT} A under power", stopped="EVDisconnected"),
    "pilot cut": Case(says(words.PilotIs("E")), "refused", f"{PILOT} E under power"),
    "pilot away": Case(says(words.PilotIs("F")), "refused", f"{PILOT} F under power"),
    "hardware raises": Case(failing("set_output"), "aborted", "hardware of DE*V2G*E1 failed: OSError('bus error')"),
    "meter raises": Case(failing("read_meter"), "aborted", "meter of DE*V2G*E1 failed: OSError('bus error')", wish={"loops": 100_000}),
    "contactor does not close": Case(
        None, "failed", "the contactor did not close within 1.4 s", patch=lambda patch: patch.setattr(Hardware, "close_contactor", never),
    ),
    "silent": Case(ahead, "timed out", "V2G_SECC_Sequence_Timeout of 0.5 s ran out: no DC_ChargeLoopReq", "V2G20-443", stopped="Timeout"),
    "silent before power": Case(
        partial(ahead, seconds=61.0), "timed out", "V2G_SECC_Sequence_Timeout of 60 s ran out: no ", "V2G20-443",
        stopped="Timeout", during=ServiceDiscoveryReq, turn=1,
    ),
    "power without a loop": Case(partial(ahead, seconds=61.0), "refused", "there was no charge loop under power for 60 s"),
    "reset": Case(reset, "connection lost", "the connection was lost: Connection reset by peer"),
    "closed by the car": Case(hung_up, "closed by the car", "the car closed the connection"),
    "no frame": Case(lambda scene, wire: b"GET / HTTP/1.1\r\n\r\n", "no frame", "V2GTP protocol version is 0x47"),
    "too many": Case(many, "no frame", "more than 8 requests at once"),
    "no message": Case(lambda scene, wire: frame(PayloadType.DC, bytes(40)), "undecodable", "the first octet is 0x00"),
    "dropped for want of room": Case(
        no_room, "connection lost",
        "this side closed the connection: there is no room for more secured connections, and its source has most",
    ),
    "a bug in the shell": Case(our_bug, "connection lost", "this side closed the connection: internal error: ZeroDivisionError('a bug')"),
    "a bug in an answer": Case(
        None, "failed", "internal error: ZeroDivisionError: a bug", patch=raising(lambda: ZeroDivisionError("a bug"))
    ),
    "taken over": Case(
        taken_over, "aborted", "its car came back on another connection", during=ServiceDiscoveryReq, turn=1
    ),
    "not negotiated": Case(None, "not negotiated", "no protocol in common", "V2G20-169", script=foreign, stopped=None),
    "out of turn": Case(None, "refused", "ServiceDiscoveryReq came", "V2G20-459", stopped="EVDisconnected", script=hasty),
    "another session's id": Case(None, "refused", "AuthorizationReq has", "V2G20-460", stopped="EVDisconnected", script=stranger),
    **{
        f"refused as {reason.name}": Case(None, "refused", f"refused as {reason.name}", "V2G20-459", patch=refused_as(reason))
        for reason in Reason
    },
    "no frame at first": Case(None, "no frame", "V2GTP protocol version", script=unheard, stopped=None),
    "a long story": Case(says(words.EmergencyStop("x" * 700)), "failed", "emergency stop: xxx", stopped="EmergencyStop"),
}  # fmt: skip


def acting(scene: Scene, case: Case) -> Script:
    """A car that charges, to which something happens on the way."""

    def script(car: Car) -> Part[str]:
        well, turns = charge(car), 0
        step = next(well)
        while True:
            if isinstance(step, case.during):
                turns += 1
                LAST[type(step)] = car.stamped(step)
                if turns == case.turn and case.act is not None:
                    done = case.act(scene, scene.wires[0])
                    if isinstance(done, bytes):
                        yield Raw(done)
                        return "over"
                    if isinstance(done, float) and done:
                        yield Wait(done)
            try:
                step = well.send((yield step))
            except StopIteration as end:
                return str(end.value)

    return script


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    async with stand(Heard()) as at:
        await at.until(lambda: at.point.bridge.charger.accepted)
        at.point.bridge.charger.owner = {"idToken": "OWNER", "type": "Local"}
        loop, hardware, told = asyncio.get_running_loop(), Hardware(), []
        clock = Clock(WALL, loop.time())
        with (folder / "trace.jsonl").open("w") as file:

            def traced(local: Any, peer: Any, number: int) -> Observer:
                return TraceWriter(Trace("secc", clock.wall, GENERATIONS, connection=number), file.write, {"evse": EVSE_ID})

            def say(event: str, **facts: Any) -> None:
                if event == "ended":
                    told.append(json.loads(json.dumps(facts)))

            outlet = Outlet(services=("DC",), limits=DC_LIMITS, authorizations=("EIM",))
            place = Place(hardware, outlet, at.backend, observe=[teller(say, EVSE_ID), traced])
            async with Station([place], None, clock=clock) as station:
                it = Scene(at, station, hardware, folder, told)
                yield it
                for task in it.busy:
                    task.cancel()
                await asyncio.gather(*it.busy, return_exceptions=True)


@pytest.fixture(autouse=True)
def fresh() -> None:
    LAST.clear()


@dataclass
class Told:
    """What each of the five was told of one session."""

    line: dict[str, Any]  # of --json
    end: dict[str, Any]  # the trace's last record of the connection
    note: dict[str, Any]  # the session's own, in the trace
    verdict: str  # of the report
    html: str
    log: list[str]
    problems: list[dict[str, Any]]  # NotifyEvent at the CSMS
    stopped: list[str]  # stoppedReason of the transactions that have ended


async def played(case: Case, folder: Path, log: pytest.LogCaptureFixture) -> Told:
    """Play it; what was told."""
    async with scene(folder) as it:
        await it.come(case.script or acting(it, case), **case.wish)
        await it.at.until(lambda: any(line["connection"] == 1 for line in it.told), TIME)
        for driver in list(it.bay._drivers):
            await driver.safe()
        outbox, csms = it.at.point.bridge.charger.outbox, it.at.csms
        await it.at.until(lambda: not outbox.waiting and not outbox.under_way, TIME)
        assert isinstance(csms, Heard)
        problems = [entry.facts for entry in csms.story if entry.topic == "event"]
        last = [max(tx.events, key=lambda event: event["seqNo"]) for tx in it.at.station.transactions.values() if tx.ended]
        line = next(each for each in it.told if each["connection"] == 1)
    records = [json.loads(text) for text in (folder / "trace.jsonl").read_text().splitlines()]
    mine = [record for record in records if record["connection"] == line["connection"]]
    (end,) = [record for record in mine if record["type"] == "end"]
    (note,) = [record["facts"] for record in mine if record["type"] == "note" and record["topic"] == "ended"]
    told = stories(folder / "trace.jsonl")
    (story,) = [each for each in told if each.connection == line["connection"]]
    lines = [record.getMessage() for record in log.records if record.name == "v2g.secc"]
    return Told(line, end, note, story.ended, page(*told), lines, problems, [e["transactionInfo"]["stoppedReason"] for e in last])


@pytest.mark.parametrize("name", CASES)
@again
def test_every_ending_is_told_alike(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    case = CASES[name]
    LAST.clear()
    caplog.clear()
    case.patch(monkeypatch)
    caplog.set_level(logging.INFO, logger="v2g.secc")
    with asyncio.Runner(loop_factory=Ahead) as runner:
        told = runner.run(played(case, tmp_path, caplog))
    line, well = told.line, case.reason is None
    why = line["reason"] or ""
    if case.how != "timed out":
        heed(why)
    error = f"{why} [{line['requirement']}]" if line["requirement"] else why
    asked = f" (the car was asked to stop: {case.asked})" if case.asked else ""

    # --json, against what the case says
    assert (line["ok"], line["how"], line["requirement"], line["asked"]) == (well, case.how, case.requirement, case.asked)
    assert (line["reason"] is None) is well
    assert why.startswith(case.reason or "")
    assert well or why
    # everybody else, against that
    end, note = told.end, told.note
    assert (end["how"], end["well"], end["requirement"], end["asked"]) == (case.how, well, case.requirement, case.asked)
    assert end["error"] == (None if well else error)
    assert (note["how"], note.get("why"), note.get("requirement"), note.get("asked", "")) == (
        case.how, line["reason"], case.requirement, case.asked,
    )  # fmt: skip
    assert told.verdict == (f"Ended as it should: {case.how}{asked}" if well else f"{case.how}: {error}{asked}")
    assert shown(told.verdict) in told.html
    said = [text for text in told.log if text.startswith(f"{EVSE_ID}: {case.how}")]
    assert said == ([f"{EVSE_ID}: {case.how}: {legible(error)}{asked}"] if not well else [f"{EVSE_ID}: {case.how}{asked}"] if asked else [])
    heard = [(problem["techCode"], problem["techInfo"]) for problem in told.problems]
    assert heard == ([] if well else [(case.how, error if len(error) <= WORDS else f"{error[: WORDS - 1]}…")])
    assert told.stopped[:1] == ([case.stopped] if case.stopped else [])


def test_the_cases_are_all_that_there_are() -> None:
    """How the engine, its driver and its shell may end a session, and every neutral reason, have a case."""
    ways = {case.how for case in CASES.values()}
    engine = (Path(__file__).parents[1] / "secc" / "engine.py").read_text()
    ends = {
        node.args[0].value
        for node in ast.walk(ast.parse(engine))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("_end", "_part")
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(ends) > 5
    assert ends | {"refused", "failed", "Terminate", "Pause"} == ways
    assert {f"refused as {reason.name}" for reason in Reason} <= CASES.keys()
