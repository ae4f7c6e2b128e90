"""The station as a process part: real sockets, our car, hardware that fails, cars that misbehave."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.result import Result
from evcc.trust import contract_of, vehicle_tls
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc import station as words
from secc.backend import LocalBackend
from secc.bay import Place
from secc.evse import EVSE
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, Physics, SimulatedEVSE
from secc.simulated import LIMITS as SIMULATED
from secc.station import Fact, Limits, OutputMeasured
from secc.trust import station_tls, station_verifier
from tests.starved import attempts, hear
from v2g.iso20.services import SERVICES
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Event, FrameReceived, FrameSent
from v2g.session.link import Disconnected, Observer

QUICK = Physics(contactor=0.01, isolation=0.02, volts_per_second=40_000, amperes_per_second=20_000)
ALL = tuple(SERVICES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    from datetime import UTC, datetime

    return create(tmp_path_factory.mktemp("pki"), [build(Plan(), "secp521r1", datetime.now(UTC))])


class Witness(Observer):
    """Keeps every event of every connection, and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._came = asyncio.Event()

    def event(self, event: Event) -> None:
        self.events.append(event)
        self._came.set()
        if isinstance(event, Disconnected) and event.ended is not None:
            hear(event.ended.reason)

    async def seen(self, kind: type[Any], count: int = 1) -> None:
        """Wait until so many of a kind have come."""
        while len(self.of(kind)) < count:
            self._came.clear()
            await self._came.wait()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Bench:
    """A station with one outlet, as a test wants it."""

    def __init__(self, station: Station, clock: Clock, witness: Witness, evse: EVSE, store: Store | None):
        self.station, self.clock, self.witness, self.evse, self.store = station, clock, witness, evse, store

    async def free(self) -> None:
        """Wait until no session has the outlet any more."""
        for driver in list(self.station.bays[0]._drivers):
            await driver.safe()

    async def visit(self, service: str = "DC", control: str = "Scheduled", auth: str = "EIM", loops: int = 3, **wished: Any) -> Result:
        """One car."""
        now = asyncio.get_running_loop().time()
        wish = Wish(services=(service,), control=control, authorizations=(auth,), loops=loops, bench_plain=self.store is None, **wished)  # type: ignore[arg-type]
        if self.store:
            wish = replace(wish, evccid=self.store.vehicle.common_name)
        ev = Ev(Battery(), Inlet(), AC_INLET, energy=0.2 * Battery().capacity)
        car = Car(ev, wish=wish, clock=self.clock, contract=contract_of(self.store) if self.store and auth == "PnC" else None, now=now)
        result = await Visit(car, tls=vehicle_tls(self.store) if self.store else None).at(*self.station.addresses[0])
        hear(result.ended.reason)
        return result


@contextlib.asynccontextmanager
async def bench(store: Store | None = None, evse: EVSE | None = None, **changes: Any) -> AsyncIterator[Bench]:
    clock, witness = wall_clock(), Witness()
    now = asyncio.get_running_loop().time
    limits = changes.pop("limits", DC_LIMITS)
    evse = evse or SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep, limits=limits, physics=QUICK)
    iface = changes.pop("iface", None)
    outlet = Outlet(**{"services": ALL, "limits": limits, "authorizations": ("EIM", "PnC"), **changes})
    place = Place(evse, outlet, LocalBackend(surroundings(clock)), iface=iface)
    tls, verifier = (station_tls(store), station_verifier(store)) if store else (None, None)
    async with Station([place], tls, clock=clock, verifier=verifier, observe=[lambda *_: witness]) as station:
        yield Bench(station, clock, witness, evse, store)


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run a scene whose sessions have the timers of the standard, between two ends in this process: again where one of them was missed."""

    async def bounded() -> None:
        async with asyncio.timeout(300):
            await work()

    attempts(lambda number: asyncio.run(bounded()))


@pytest.mark.parametrize("auth", ["EIM", "PnC"])
@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", ALL)
def test_every_combination_over_tls(store: Store, service: str, control: str, auth: str) -> None:
    async def story() -> None:
        limits = SIMULATED[SERVICES[service].plug]
        async with bench(store, limits=limits) as it:
            result = await it.visit(service, control, auth)
            assert result.ended.well, result.ended
            assert result.ended.how == "Terminate"
            assert it.witness.of(words.ServiceSelected)[0].service == service
            assert it.witness.of(words.ServiceSelected)[0].control == control
            assert it.witness.of(words.AuthorizationWanted)[0].authorization == auth
            assert isinstance(it.evse, SimulatedEVSE)
            assert it.evse.meter.imported > 0
        assert not it.evse.closed

    run(story)


def test_the_time_to_answer_is_what_it_took_at_both_ends(store: Store) -> None:
    """A virtual zero would be below any clock: decoding, deciding, encoding and encrypting take time."""

    async def story() -> None:
        async with bench(store) as it:
            assert (await it.visit("DC")).ended.well
            came = None
            for event in it.witness.events:
                if isinstance(event, FrameReceived):
                    came = event
                elif isinstance(event, FrameSent):
                    assert came is not None
                    assert event.since_previous is not None
                    assert event.since_previous > 0
                    assert event.at - came.at == pytest.approx(event.since_previous)

    run(story)


# --- hardware ---


class Bare(EVSE):
    """What a firmware engineer writes first: nothing."""


def test_an_evse_with_nothing_but_defaults_serves_a_car() -> None:
    async def story() -> None:
        async with bench(evse=Bare()) as it:
            for service in ("DC", "AC"):
                assert (await it.visit(service)).ended.well

    run(story)


class Failing(EVSE):
    """One method raises."""

    def __init__(self, name: str):
        super().__init__()
        self.opened = 0
        if name:
            setattr(self, name, self._fail)

    async def _fail(self, *_: Any) -> Any:
        raise OSError("bus error")

    async def open_contactor(self) -> bool:
        self.opened += 1
        return True


@pytest.mark.parametrize(
    "name", ["check_isolation", "set_output", "close_contactor", "read_output", "read_meter", "session_began", "authorize"]
)
def test_hardware_that_raises_ends_its_session_safely_and_the_next_car_is_served(name: str) -> None:
    async def story() -> None:
        evse = Failing(name)
        async with bench(evse=evse) as it:
            result = await it.visit("DC")
            assert not result.ended.well
            await it.free()
            assert evse.opened >= 1
            delattr(evse, name)
            assert (await it.visit("DC")).ended.well

    run(story)


class Saying(EVSE):
    """Says something once the loop has begun."""

    def __init__(self, fact: Fact):
        super().__init__()
        self._fact = fact
        self._looping = asyncio.Event()

    async def car_reported(self, report: words.EVReported) -> None:
        self._looping.set()

    async def notices(self) -> AsyncIterator[Fact]:
        await self._looping.wait()
        yield self._fact

    async def limits(self) -> Limits:
        return DC_LIMITS


def test_a_button_stops_the_car_in_order() -> None:
    async def story() -> None:
        async with bench(evse=Saying(words.StopAsked("button"))) as it:
            result = await it.visit("DC", loops=1000)
            assert result.ended.well
            assert result.car.loops < 1000

    run(story)


def test_a_card_reader_of_the_outlet_decides_before_the_backend() -> None:
    class Reader(EVSE):
        async def authorize(self, evccid: str) -> bool | None:
            return False

    async def story() -> None:
        async with bench(evse=Reader()) as it:
            result = await it.visit("DC")
            assert not result.ended.well
            assert it.witness.of(words.PowerStarted) == []

    run(story)


class Watching(EVSE):
    """Keeps what it was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    async def session_began(self, evccid: str) -> None:
        self.heard.append("began")

    async def session_ended(self, ended: Ended) -> None:
        self.heard.append(f"ended {ended.how}")

    async def open_contactor(self) -> bool:
        self.heard.append("open")
        return True

    async def close_contactor(self) -> bool:
        self.heard.append("close")
        return True

    async def read_output(self) -> OutputMeasured:
        return self._output


# --- cars ---


def test_a_car_that_vanishes_in_the_loop_leaves_a_safe_outlet_and_no_trace() -> None:
    async def story() -> None:
        evse = Watching()
        async with bench(evse=evse) as it:
            visiting = asyncio.create_task(it.visit("DC", loops=1000))
            await it.witness.seen(words.EVReported, 3)
            visiting.cancel()
            await it.witness.seen(Disconnected)
            await it.free()
            assert evse.heard[-2:] == ["open", "ended closed by the car"]
            assert (await it.visit("DC")).ended.well

    run(story)


def test_nonsense_on_the_port_costs_nobody_a_session() -> None:
    async def story() -> None:
        async with bench() as it:
            host, port = it.station.addresses[0]
            for octets in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x01\xfe\x80\x01\xff\xff\xff\xff", secrets.token_bytes(4096)):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(octets)
                writer.close()
            idle = [await asyncio.open_connection(host, port) for _ in range(30)]
            assert (await it.visit("DC")).ended.well
            for _, writer in idle:
                writer.close()
            del reader

    run(story)


def test_a_second_car_is_refused_while_the_first_charges_on() -> None:
    async def story() -> None:
        async with bench() as it:
            first = asyncio.create_task(it.visit("DC", loops=12))
            await it.witness.seen(words.PowerStarted)
            second = await it.visit("DC")
            assert not second.ended.well
            assert Code.FAILED.value in str(second.ended.error)
            assert (await first).ended.well
            assert (await it.visit("DC")).ended.well

    run(story)


def test_stopping_the_station_makes_every_outlet_safe() -> None:
    async def story() -> None:
        evse = Watching()
        async with bench(evse=evse) as it:
            visiting = asyncio.create_task(it.visit("DC", loops=1000))
            await it.witness.seen(words.EVReported, 3)
        assert evse.heard[-1] == "ended aborted"
        assert "open" in evse.heard
        assert not (await visiting).ended.well

    run(story)


def test_two_outlets_have_two_sessions() -> None:
    async def story() -> None:
        clock = wall_clock()
        around = surroundings(clock)
        places = [Place(EVSE(), Outlet(evse_id=f"DE*V2G*E{n}", limits=DC_LIMITS), LocalBackend(around)) for n in (1, 2)]
        async with Station(places, None, clock=clock) as station:
            benches = [Bench(station, clock, Witness(), place.evse, None) for place in places]
            benches[1].station = _Second(station)  # type: ignore[assignment]
            results = await asyncio.gather(*(it.visit("DC", loops=5) for it in benches))
            assert [result.ended.well for result in results] == [True, True]
            assert [result.car.evse_id for result in results] == ["DE*V2G*E1", "DE*V2G*E2"]

    run(story)


class _Second:
    def __init__(self, station: Station):
        self.addresses = station.addresses[1:]


async def stranded(it: Bench, number: int = 1) -> asyncio.StreamWriter:
    """A car that introduces itself and is never heard of again, without closing anything."""
    from tests.secc.test_services import DC, entry
    from v2g.iso20.frames import framed
    from v2g.messages.app_protocol import supportedAppProtocolReq
    from v2g.messages.common_messages import SessionSetupReq
    from v2g.messages.common_types import MessageHeaderType

    _, writer = await asyncio.open_connection(*it.station.addresses[0])
    writer.write(framed(supportedAppProtocolReq(AppProtocol=(entry(DC, 1, 1),))))
    writer.write(framed(SessionSetupReq(Header=MessageHeaderType(SessionID=bytes(8), TimeStamp=1), EVCCID="LOST")))
    await it.witness.seen(words.SessionStarted, number)
    return writer


def test_a_car_that_lost_its_connection_comes_back_and_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    from secc import bay

    async def story() -> None:
        evse = Watching()
        async with bench(evse=evse) as it:
            lost = await stranded(it)
            assert not (await it.visit("DC")).ended.well  # it may still be there
            monkeypatch.setattr(bay, "SILENCE", 0.0)
            assert (await it.visit("DC")).ended.well
            assert evse.heard[:3] == ["began", "open", "ended aborted"]  # what was there before is gone before the next begins
            assert evse.heard[3] == "began"
            lost.close()

    run(story)


def test_a_silent_session_is_taken_over_by_its_own_car_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from secc import bay

    async def story() -> None:
        evse = Watching()
        async with bench(evse=evse) as it:
            lost = await stranded(it)
            monkeypatch.setattr(bay, "SILENCE", 0.0)
            monkeypatch.setattr(bay, "_car", lambda link: link.peer)  # by address and port: every connection is another car
            refused = await it.visit("DC")
            assert not refused.ended.well
            assert Code.FAILED.value in str(refused.ended.error)
            assert evse.heard == ["began"]
            lost.close()

    run(story)


def test_a_backend_does_not_lose_a_car_to_the_end_of_one_that_left_long_before() -> None:
    """Two cars drop their connections one after the other; the outlet of the first is slow to be given back, and the third is served."""

    class Slow(Watching):
        def __init__(self) -> None:
            super().__init__()
            self.reached, self.go = asyncio.Event(), asyncio.Event()

        async def unlock_connector(self) -> None:
            if not self.reached.is_set():
                self.reached.set()
                await self.go.wait()

    async def story() -> None:
        evse = Slow()
        async with bench(evse=evse) as it:
            for number in (1, 2):
                lost = await stranded(it, number)
                lost.transport.abort()
                await it.witness.seen(Disconnected, number)
                await evse.reached.wait()
            third = asyncio.create_task(it.visit("DC"))
            await it.witness.seen(words.SessionStarted, 3)
            evse.go.set()
            assert (await third).ended.well
            gone = ["ended connection lost"] * 2
            # each opens at once, whoever has not left yet; the second was never greeted
            assert evse.heard[:6] == ["began", "open", "open", *gone, "began"]

    run(story)
