"""Accidents in every state of the sequence: the outlet is open in time, the session says why it ended, and the next car is taken.

The states are those of the table, and a car comes to each over a real socket, at a real station with simulated hardware; the time of it all
is leaping (`tests/leaping.py`). At one outlet the accidents of a state happen one after the other, each to the next car.
"""

import asyncio
import contextlib
import math
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import pytest

from evcc.trust import vehicle_tls
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc import station as words
from secc.bay import Place
from secc.driver import Driver
from secc.neutral.supervision import FAULT_ANSWER
from secc.server import Station
from secc.simulated import Physics, SimulatedEVSE
from secc.trust import station_tls
from tests.leaping import Leaping, leap
from tests.secc.scripted import EPOCH, LIMITS, Scripted
from tests.secc.test_order import WAITING, reach
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.rational import number, rational
from v2g.iso20.sequence import CHARGE_LOOPS, ROWS, STANDBY, State
from v2g.iso20.timing import SECC_COMMUNICATION_SETUP_TIMEOUT, SECC_SEQUENCE_TIMEOUT, SECC_SEQUENCE_TIMEOUT_LOOP
from v2g.messages import acdp, dc
from v2g.messages.common_messages import SessionSetupReq
from v2g.messages.common_types import MessageHeaderType, processingType
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, FrameReceived
from v2g.session.errors import ConnectionLost, Refused, StationFailed, TimedOut
from v2g.session.tls import TlsError
from v2g.session.transport.channel import Channel
from v2g.session.v2gtp import FrameReader, frame

SWITCHES: Final = 0.2  # s, virtual: hardware opens in 0.01 s, once it is told
QUICK = Physics(contactor=0.01, isolation=0.02, parking=0.02, device=0.02, volts_per_second=40_000, amperes_per_second=20_000)
BEFORE = (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP)  # nobody has introduced himself: the hardware is not this car's yet
LOOPS = tuple(state for state in WAITING if state not in STANDBY and any((state, loop) in ROWS for loop in CHARGE_LOOPS))


class Hardware(SimulatedEVSE):
    """Simulated hardware with accidents of its own."""

    def __init__(self, now: Callable[[], float]):
        super().__init__(now, lambda: EPOCH + now(), asyncio.sleep, limits=LIMITS, physics=QUICK)
        self.output_period, self.facts = 0.01, asyncio.Queue[words.Fact]()

    async def notices(self) -> AsyncIterator[words.Fact]:
        while True:
            yield await self.facts.get()


class Granting:
    """A backend that lets everybody charge, by the schedule that the scripted car's station has."""

    def began(self, tell: words.Tell) -> None:
        self.tell = tell

    def heard(self, event: Any) -> None:
        match event:
            case words.AuthorizationWanted(number=number):
                self.tell(words.Authorized(about=number))
            case words.NeedsChanged(needs=needs):
                wall = EPOCH + asyncio.get_running_loop().time()
                self.tell(words.ScheduleReady(Scripted.offer(SimpleNamespace(wall=wall), needs)))  # type: ignore[arg-type]

    def ended(self, ended: Ended) -> None:
        pass


@dataclass
class Line:
    """A car's end of a connection: octets of frames, in TLS where there is a channel."""

    sock: socket.socket
    channel: Channel | None = None
    reader: FrameReader = field(default_factory=FrameReader)
    id: bytes = bytes(8)

    async def send(self, octets: bytes) -> None:
        if self.channel is not None:
            self.channel.send(octets)
            octets = self.channel.octets_to_send()
        await asyncio.get_running_loop().sock_sendall(self.sock, octets)

    async def ask(self, request: Any, payload_type: int) -> Any:
        """Send a request of this session, and hear its answer."""
        if hasattr(request, "Header"):
            request = msgspec.structs.replace(request, Header=msgspec.structs.replace(request.Header, SessionID=self.id))
        await self.send(frame(payload_type, frames.exi(request)))
        while (heard := self.reader.next()) is None:
            octets = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
            assert octets, f"the station hangs up on {type(request).__name__}"
            self.reader.feed(self.channel.receive(octets) if self.channel is not None else octets)
        answer: Any = frames.message(heard.payload_type, heard.payload)
        self.id = getattr(answer, "Header", SimpleNamespace(SessionID=self.id)).SessionID
        assert answer.ResponseCode.value.startswith("OK"), answer
        return answer

    def close(self, abort: bool = False) -> None:
        if abort:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def steps(state: State, now: float) -> list[tuple[int, Type]]:
    """The requests that lead a car to a state, as the scripted one sends them; what it polls is there once."""
    car, found = reach(state, now), list[tuple[int, Type]]()
    if state in LOOPS:
        car.loop(car.session.context.agreement.selected.service)
    for event in car.wants(FrameReceived):
        if not found or found[-1] != (event.payload_type, event.message):
            found.append((event.payload_type, event.message))
    return found


@dataclass
class Scene:
    """A station with one outlet, and a store of keys where it speaks TLS."""

    station: Station
    hardware: Hardware
    store: Store | None = None

    async def car(self, state: State) -> tuple[Line, Driver]:
        """The next car comes, as far as to this state."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Leaping)
        loop.reach, at = 0.1, self.station.addresses[0]
        sock = socket.socket(socket.AF_INET6 if ":" in at[0] else socket.AF_INET)
        sock.setblocking(False)
        await loop.sock_connect(sock, at[:2])
        line = Line(sock, None if self.store is None else await shaken(self.store, sock))
        for payload_type, request in steps(state, loop.time()):
            if self.store is not None and isinstance(request, SessionSetupReq):
                request = msgspec.structs.replace(request, EVCCID=self.store.vehicle.common_name)  # as its certificate says
            while (answer := await line.ask(request, payload_type)) and waits(answer):  # noqa: ASYNC110 - a car polls
                await asyncio.sleep(0.05)
        while not self.station.bays[0]._drivers:  # noqa: ASYNC110 - a bay tells nobody who comes
            await asyncio.sleep(0.01)
        (driver,) = self.station.bays[0]._drivers
        assert driver.session.context.state is state
        return line, driver

    async def over(self, driver: Driver) -> tuple[float, float]:
        """Wait until the session has ended and the contactor is open: seconds until either."""
        loop = asyncio.get_running_loop()
        begun, opened = loop.time(), None if self.hardware.closed else 0.0
        while driver.ended is None or opened is None:
            await asyncio.sleep(0.01)
            assert loop.time() - begun < 2 * SECC_SEQUENCE_TIMEOUT, "the session does not end, or the contactor stays closed"
            if opened is None and not self.hardware.closed:
                opened = loop.time() - begun
            if driver.ended is not None:
                break
        ended = loop.time() - begun
        await driver.safe()
        assert not self.hardware.closed, "the contactor is closed after the end"
        return ended, loop.time() - begun if opened is None else opened


def waits(answer: Any) -> bool:
    """Whether the station asks to be asked again."""
    return getattr(answer, "EVSEProcessing", None) is processingType.Ongoing and not isinstance(answer, acdp.ACDP_DisconnectRes)


async def shaken(store: Store, sock: socket.socket) -> Channel:
    loop, channel = asyncio.get_running_loop(), vehicle_tls(store).channel()
    channel.start()
    await loop.sock_sendall(sock, channel.octets_to_send())
    while channel.facts is None:
        channel.receive(await loop.sock_recv(sock, 65536))
        await loop.sock_sendall(sock, channel.octets_to_send())
    return channel


@contextlib.asynccontextmanager
async def scene(state: State, store: Store | None = None) -> AsyncIterator[Scene]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Leaping)
    hardware = Hardware(loop.time)
    outlet = replace(reach(state).outlet, authorizations=("EIM",))
    place = Place(hardware, outlet, Granting())
    async with Station([place], None if store is None else station_tls(store), clock=Clock(EPOCH, 0.0)) as station:
        try:
            yield Scene(station, hardware, store)
        finally:
            loop.reach = math.inf  # to leave, there are only timers to wait for


# --- the accidents ---

Act = Callable[[Scene, Line], Awaitable[None] | None]


def silent(scene: Scene, line: Line) -> None:
    """From now on nobody says anything."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Leaping)
    loop.reach = math.inf


def hazard(fact: words.Fact, then: Callable[[Hardware], None] = lambda hardware: None) -> Act:
    """The hardware says something; the car says nothing any more."""

    def act(scene: Scene, line: Line) -> None:
        then(scene.hardware)
        scene.hardware.facts.put_nowait(fact)
        silent(scene, line)

    return act


def dead(hardware: Hardware) -> None:
    """The supply has failed: the contactor has dropped."""
    hardware.closed = False


async def alert(scene: Scene, line: Line) -> None:
    """What came from the station is no record to the car, which says so in TLS and is gone."""
    assert line.channel is not None
    with pytest.raises(TlsError):
        line.channel.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    said = line.channel.octets_to_send()
    assert said[:1] == b"\x17", "an alert is a record like any other, encrypted"
    await asyncio.get_running_loop().sock_sendall(line.sock, said)


def patience(state: State) -> float:
    """Seconds that a station waits in a state."""
    if state in BEFORE:
        return SECC_COMMUNICATION_SETUP_TIMEOUT
    return SECC_SEQUENCE_TIMEOUT_LOOP if state in LOOPS else SECC_SEQUENCE_TIMEOUT


Expected = Callable[[State, bool, Ended], tuple[float, float]]
"""Asserts why the session ended; returns the seconds that this and the opening may take. `live`: the outlet was."""


def lost(said: str) -> Expected:
    """The connection is gone, for this reason; nobody broke a requirement."""

    def expected(state: State, live: bool, ended: Ended) -> tuple[float, float]:
        assert ended.how in ("connection lost", "closed by the car")
        assert isinstance(ended.error, ConnectionLost | TlsError)
        assert said in ended.error.reason
        assert ended.requirement is None
        return SWITCHES, SWITCHES

    return expected


def timed_out(state: State, live: bool, ended: Ended) -> tuple[float, float]:
    """The car has said nothing for too long. Where power flows without a loop that is found at the same instant."""
    if isinstance(ended.error, Refused):
        assert "longer than 60 s" in ended.error.reason or "for 60 s" in ended.error.reason
    else:
        assert isinstance(ended.error, TimedOut)
        assert ended.requirement == "V2G20-443"
    return patience(state) + SWITCHES, patience(state) + SWITCHES


def endangered(said: str, always: bool = False) -> Expected:
    """A danger under power, for which the power goes at once and the session as soon as its car could have heard of it."""

    def expected(state: State, live: bool, ended: Ended) -> tuple[float, float]:
        if not live and not (always and state not in BEFORE):
            return timed_out(state, live, ended)
        assert isinstance(ended.error, Refused | StationFailed)
        assert said in ended.error.reason
        return FAULT_ANSWER + SWITCHES, SWITCHES

    return expected


ACCIDENTS: dict[str, tuple[Act, Expected]] = {
    "the connection is reset": (lambda scene, line: line.close(abort=True), lost("Connection reset by peer")),
    "the car hangs up": (lambda scene, line: line.close(), lost("the car closed the connection")),
    "the car is silent": (silent, timed_out),
    "the pilot is cut": (hazard(words.PilotIs("E")), endangered("control pilot went to state E")),
    "the power is lost": (hazard(words.ContactorIs(False), dead), endangered("the contactor opened under power")),
    "the emergency button": (hazard(words.EmergencyStop("the red one")), endangered("emergency stop: the red one", always=True)),
}


async def happens(it: Scene, state: State, name: str, act: Act, expected: Expected) -> None:
    line, driver = await it.car(state)
    await asyncio.sleep(0.05)  # what it has been told last it does
    live, delivering = driver.session.context.live, driver.session.context.delivering  # as far as the session knows
    assert live or not it.hardware.closed
    done = act(it, line)
    if done is not None:
        await done
    took, opened = await it.over(driver)
    ended = driver.ended
    assert ended is not None
    assert ended.reason, f"{name}: no reason"
    selected = driver.session.context.agreement.selection
    plugged = selected is None or not selected.row.wireless
    under = delivering if name == "the power is lost" else live and (plugged or name != "the pilot is cut")
    end_limit, limit = expected(state, under, ended)
    assert took <= end_limit, f"{name}: the session ended after {took:.2f} s"
    assert opened <= limit, f"{name}: the contactor opened after {opened:.2f} s"
    line.close()
    while not it.hardware.facts.empty():
        it.hardware.facts.get_nowait()


@pytest.mark.parametrize("state", WAITING, ids=lambda state: state.value)
def test_an_outlet_survives_accidents_in_every_state(state: State) -> None:
    async def story() -> None:
        async with scene(state) as it:
            for name, (act, expected) in ACCIDENTS.items():
                await happens(it, state, name, act, expected)
            line, driver = await it.car(state)  # and the next one
            line.close()
            await it.over(driver)

    leap(story())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return create(tmp_path_factory.mktemp("pki"), [build(Plan(), "secp521r1", datetime.now(UTC))])


@pytest.mark.parametrize("state", WAITING, ids=lambda state: state.value)
def test_an_outlet_survives_an_alert_in_every_state(state: State, store: Store) -> None:
    async def story() -> None:
        async with scene(state, store) as it:
            await happens(it, state, "an alert", alert, lost("peer sent alert bad_record_mac"))
            line, driver = await it.car(state)
            line.close(abort=True)
            await it.over(driver)

    leap(story())


def test_the_voltage_of_the_isolation_test_is_no_pre_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch reads in the middle of the test, over a slow bus, and the car asks before it has read again."""

    async def tested(hardware: Any, voltage: float) -> bool:
        hardware.testing = True
        await asyncio.sleep(0.09)
        hardware.closed, hardware.testing = True, False
        return True

    async def read(hardware: Any) -> words.OutputMeasured:
        found = words.OutputMeasured(348.0 if getattr(hardware, "testing", False) else 0.0, 0.0)
        await asyncio.sleep(0.09)
        return found

    async def story() -> None:
        async with scene(State.DC_PRE_CHARGE) as it:
            it.hardware.output_period = 3600.0
            line, driver = await it.car(State.DC_PRE_CHARGE)
            said = {"EVPresentVoltage": rational(0), "EVTargetVoltage": rational(348)}
            asked = dc.DC_PreChargeReq(Header=least(MessageHeaderType), EVProcessing=processingType.Ongoing, **said)
            answer = await line.ask(asked, frames.payload_type_for(asked))
            assert number(answer.EVSEPresentVoltage) == 0.0
            line.close()
            await it.over(driver)

    monkeypatch.setattr(Hardware, "check_isolation", tested)
    monkeypatch.setattr(Hardware, "read_output", read)
    leap(story())
