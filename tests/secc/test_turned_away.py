"""A car that is refused before it has the outlet: whoever runs the outlet hears why, and of nothing that is no car."""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pki.store import Store
from secc import server
from secc import station as words
from secc.doorkeeper import Doorkeeper
from secc.station import SessionStarted, TurnedAway
from tests.secc.test_server import Bench, bench, run
from tests.secc.test_server import store as store
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import TimedOut
from v2g.session.link import Disconnected, HandshakeFailed
from v2g.session.sdp import Request, Transport, encode
from v2g.session.transport.discovery import DiscoveryServer, Unreachable, discover


class Told:
    """Keeps what the backend of a bench hears of cars that were turned away."""

    def __init__(self, it: Bench):
        self.said: list[TurnedAway] = []
        backend = it.station.bays[0].place.backend
        pass_on = backend.heard
        self._came = asyncio.Event()

        def heard(event: Any) -> None:
            if isinstance(event, TurnedAway):
                self.said.append(event)
                self._came.set()
            pass_on(event)

        backend.heard = heard  # type: ignore[method-assign]

    async def one(self) -> TurnedAway:
        """The next one."""
        while not self.said:
            self._came.clear()
            await self._came.wait()
        return self.said.pop(0)


async def sent(it: Bench, octets: bytes) -> None:
    """Connect, say that, and read to the end."""
    reader, writer = await asyncio.open_connection(*it.station.addresses[0])
    if octets:
        writer.write(octets)
        await writer.drain()
    else:
        writer.write_eof()
    await reader.read()
    writer.close()


def test_a_handshake_that_fails_is_told_and_one_that_nobody_began_is_not(store: Store) -> None:
    async def story() -> None:
        async with bench(store) as it:
            told = Told(it)
            await sent(it, b"")
            await sent(it, b"GET / HTTP/1.1\r\n\r\n")
            said = await told.one()
            assert said.how == "handshake failed"
            assert said.reason
            assert not told.said

    run(story)


def test_a_second_car_is_told_to_whoever_runs_the_outlet() -> None:
    async def story() -> None:
        async with bench() as it:
            told = Told(it)
            first = asyncio.create_task(it.visit("DC", loops=12))
            await it.witness.seen(words.PowerStarted)
            await it.visit("DC")
            said = await told.one()
            assert (said.how, said.reason) == ("refused", "another session has the outlet")
            assert (await first).ended.well
            assert not told.said  # the one that had the outlet is told by its own end

    run(story)


def test_a_car_at_an_outlet_out_of_service_is_told() -> None:
    async def story() -> None:
        async with bench() as it:
            told = Told(it)
            it.evse.unserviceable = lambda: "its door is open"  # type: ignore[method-assign]
            await it.visit("DC")
            assert "its door is open" in (await told.one()).reason

    run(story)


def test_a_connection_that_had_to_make_room_is_told() -> None:
    async def story() -> None:
        async with bench() as it:
            told = Told(it)
            crowd = [await asyncio.open_connection(*it.station.addresses[0]) for _ in range(5)]
            for _, writer in crowd:
                writer.write(b"\1")  # the beginning of a frame: it has come as far as a session
                await writer.drain()
            said = await told.one()
            assert said.how == "no room"
            assert "there is no room for more secured connections" in said.reason
            for _, writer in crowd:
                writer.close()

    run(story)


def test_a_station_that_shuts_down_has_turned_nobody_away() -> None:
    async def story() -> None:
        async with bench() as it:
            told = Told(it)
            _, writer = await asyncio.open_connection(*it.station.addresses[0])
            writer.write(b"\1")
            await writer.drain()
            await it.witness.seen(Event)
        writer.close()
        assert not told.said

    run(story)


def on_lo(monkeypatch: pytest.MonkeyPatch, scene: Callable[[Bench, Told, DiscoveryServer], Awaitable[None]]) -> None:
    """A station on the loopback interface, whose discovery has a port of its own."""
    monkeypatch.setattr(server, "DiscoveryServer", functools.partial(DiscoveryServer, port=0))

    async def story() -> None:
        async with bench(iface="lo") as it:
            await scene(it, Told(it), it.station._responders[0])

    run(story)


def test_a_car_that_is_not_answered_because_the_outlet_is_taken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(it: Bench, told: Told, responder: DiscoveryServer) -> None:
        first = asyncio.create_task(it.visit("DC", loops=200))
        await it.witness.seen(words.PowerStarted)
        with pytest.raises(Unreachable):
            await discover("lo", port=responder.port, attempts=1, retry=0.2)
        said = await told.one()
        assert (said.how, said.reason) == ("not discovered", f"no outlet on lo takes a car: {it.evse.evse_id}: another car has it")
        first.cancel()

    on_lo(monkeypatch, scene)


@pytest.mark.parametrize("linked", [None, True, False])
def test_a_car_that_is_not_answered_is_told_unless_there_is_none_at_the_cable(monkeypatch: pytest.MonkeyPatch, linked: bool | None) -> None:
    async def scene(it: Bench, told: Told, responder: DiscoveryServer) -> None:
        it.evse.unserviceable = lambda: "its door is open"  # type: ignore[method-assign]
        it.evse.linked = lambda: linked  # type: ignore[method-assign]
        with pytest.raises(Unreachable):
            await discover("lo", port=responder.port, attempts=1, retry=0.2)
        assert [each.how for each in told.said] == ([] if linked is False else ["not discovered"])

    on_lo(monkeypatch, scene)


def test_a_car_that_asks_for_udp_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(it: Bench, told: Told, responder: DiscoveryServer) -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
            asking.sendto(encode(Request(transport=Transport.UDP)), ("::1", responder.port))
        assert "UDP" in (await told.one()).reason

    on_lo(monkeypatch, scene)


LEFT = Disconnected(1.0, "us", True, "the session is over", Ended("timed out", TimedOut("T", 18.0, "no SessionSetupReq", "V2G20-1")))


@pytest.mark.parametrize(
    ("spoke", "events", "told"),
    [
        (True, [LEFT], ("timed out", "T of 18 s ran out: no SessionSetupReq", "V2G20-1")),
        (True, [SessionStarted(0.0, bytes(8), "X"), LEFT], None),
        (True, [Disconnected(1.0, "us", True, "", Ended("Terminate"))], None),
        (False, [HandshakeFailed(0.0, "no hello", "peer"), Disconnected(1.0, "peer", True, "")], None),
        (
            True,
            [HandshakeFailed(0.0, "unknown_ca", "peer", "unknown_ca", "V2G20-2"), Disconnected(1.0, "peer", True, "")],
            ("handshake failed", "unknown_ca (said by the car)", "V2G20-2"),
        ),
    ],
)
def test_who_is_told_of(spoke: bool, events: list[Any], told: tuple[str, str, str | None] | None) -> None:
    said: list[TurnedAway] = []
    keeper = Doorkeeper(said.append)
    if spoke:
        keeper.octets(False, b"x", 0.0)
    keeper.octets(True, b"x", 0.0)
    for event in events:
        keeper.event(event)
    assert [(each.how, each.reason, each.requirement) for each in said] == ([told] if told else [])
