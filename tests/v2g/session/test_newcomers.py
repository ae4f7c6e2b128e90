"""What strangers at the door cost those who are inside: nothing. Handshakes beside the loop, room, pace, shortage, lateness."""

import asyncio
import contextlib
import socket
import threading
from ipaddress import IPv6Address
from typing import Any

import pytest

from pki.profiles import Role
from tests.v2g.session.descriptors import no_more_descriptors
from tests.v2g.session.peers import BYE, HELLO, Station, car_tls, drive, go, hierarchy, judge, station_tls
from v2g.session import sdp
from v2g.session.admission import Stage
from v2g.session.sdp import Request, Response, Security
from v2g.session.transport import DiscoveryServer, Limits, Server
from v2g.session.transport.handshakes import Handshakes, Step


async def _idle(port: int, count: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    return [await asyncio.open_connection("::1", port) for _ in range(count)]


def _closed(idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    for _, writer in idle:
        writer.transport.abort()


def _hello() -> bytes:
    channel = car_tls().channel()
    channel.start()
    return channel.octets_to_send()


# --- handshakes are worked on beside the loop ---


def test_a_session_runs_on_while_the_verdict_on_a_newcomer_hangs() -> None:
    asked, answer, loop = asyncio.Event(), threading.Event(), list[asyncio.AbstractEventLoop]()
    honest = judge(Role.VEHICLE, hierarchy())

    def slow(chain: tuple[bytes, ...], now: float) -> object:
        loop[0].call_soon_threadsafe(asked.set)
        answer.wait(300)
        return honest(chain, now)

    async def scenario() -> None:
        loop.append(asyncio.get_running_loop())
        station = Station(patience=20)
        async with Server(station.attend, "::1", 0, station_tls(verify=slow), limits=Limits(handshake=30)) as server:
            answer.set()
            guest = asyncio.create_task(drive(server.port, car_tls(), *[HELLO] * 400, BYE))
            await station.under_way.wait()
            answer.clear()
            asked.clear()
            newcomer = asyncio.create_task(drive(server.port, car_tls()))
            await asked.wait()
            assert (await guest).ended.well  # all its messages were answered while the verifier of the other slept
            assert not newcomer.done()
            answer.set()
            assert (await newcomer).ended.well

    go(scenario())


def test_what_finds_no_room_in_the_queue_is_refused_before_any_cryptography() -> None:
    worked: list[int] = []

    class Counting(Handshakes):
        def _start(self, step: Step, loop: asyncio.AbstractEventLoop) -> None:
            worked.append(1)
            super()._start(step, loop)

    async def scenario() -> None:
        station, hello = Station(), _hello()
        handshakes = Counting(pace=3600.0, waiting=8)  # the first is worked on, then none for an hour
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe], handshakes=handshakes) as server:
            everyone = await _idle(server.port, 30)
            for _, writer in everyone:
                writer.write(hello)
            for _ in range(30 - 1 - 8):
                assert "more than 8 TLS handshakes wait" in (await server.served.get()).disconnected.reason
            assert len(worked) == 1
            _closed(everyone)
        handshakes.close()

    go(scenario())


def test_sources_have_their_turn() -> None:
    """Of one source's hundred and another's one, the one waits for a single place."""
    order: list[str] = []

    async def scenario() -> None:
        handshakes = Handshakes(workers=1, pace=0.0)
        gate, done = threading.Event(), asyncio.Event()

        def step(source: str, first: bool = True) -> Step:
            def told(outcome: bytes | Exception) -> None:
                order.append(source)
                if len(order) == 22:
                    done.set()

            return Step(source, lambda: (gate.wait(300) and b"") or b"", told, lambda: True, lambda reason: None, first)

        for _ in range(20):
            handshakes.submit(step("flood"))
        handshakes.submit(step("car"))
        handshakes.submit(step("second flight", first=False))
        gate.set()
        await done.wait()
        handshakes.close()

    go(scenario())
    assert order.index("second flight") == 1  # whose first flight was paid for goes before all
    assert order.index("car") <= 3


def test_a_step_that_nobody_wants_any_more_is_not_run() -> None:
    ran: list[str] = []

    async def scenario() -> None:
        handshakes, done = Handshakes(workers=1, pace=0.0), asyncio.Event()

        def step(name: str, wanted: bool) -> Step:
            return Step(name, lambda: bytes(ran.append(name) or b""), lambda outcome: done.set(), lambda: wanted, ran.append, True)

        handshakes.submit(step("gone", False))
        handshakes.submit(step("here", True))
        await done.wait()
        handshakes.close()

    go(scenario())
    assert ran == ["here"]


# --- room ---


def test_a_slow_controller_gets_in_beside_a_flood_of_the_silent() -> None:
    """Its hello comes after 300 others came and said nothing, its second flight after 300 more, all from its own address."""

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), room={Stage.SILENT: 64, Stage.SPEAKING: 4}) as server:
            reader, writer = await asyncio.open_connection("::1", server.port)
            channel = car_tls().channel()
            channel.start()
            before = await _idle(server.port, 60)
            writer.write(channel.octets_to_send())
            between = await _idle(server.port, 300)
            while channel.facts is None:
                channel.receive(await reader.read(65536))
            after = await _idle(server.port, 300)
            writer.write(channel.octets_to_send())
            channel.send(HELLO)
            writer.write(channel.octets_to_send())
            answer = b""
            while not answer:
                answer = channel.receive(await reader.read(65536))
            assert answer == HELLO
            assert len(server._crowd) <= 64 + 4 + 5
            _closed([*before, *between, *after, (reader, writer)])

    go(scenario())


def test_a_seated_session_outlives_any_number_that_are_secured_after_it() -> None:
    async def scenario() -> None:
        station = Station(patience=20)
        holder: list[Any] = []
        async with Server(station.attend, "::1", 0, None, room={Stage.SECURED: 2}, seated=lambda endpoint: endpoint in holder) as server:
            reader, writer = await asyncio.open_connection("::1", server.port)
            writer.write(HELLO)
            assert await reader.readexactly(len(HELLO)) == HELLO
            holder.append(station.endpoints[0])
            others = await _idle(server.port, 10)
            for other, its in others:
                its.write(HELLO)
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    await other.readexactly(len(HELLO))
            assert server._crowd.count(Stage.SECURED) <= 3
            writer.write(BYE)
            assert await reader.read() == BYE
            _closed(others)

    go(scenario())


# --- descriptors ---


def test_the_silent_make_room_when_descriptors_run_out_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with Server(Station().attend, "::1", 0, station_tls()) as server:
            idle = await _idle(server.port, 12)
            while len(server._crowd) < 12:  # noqa: ASYNC110 - the listener tells nobody
                await asyncio.sleep(0.01)
            with socket.create_connection(("::1", server.port)), socket.create_connection(("::1", server.port)), no_more_descriptors():
                for listener in server.listener.sockets:
                    for _ in range(5):
                        server.listener.accept(listener)
                        asyncio.get_running_loop().remove_reader(listener)
                assert len(server._crowd) <= 4
            await asyncio.sleep(0.5)
            assert (await drive(server.port, car_tls())).ended.well
            _closed(idle)

    go(scenario())
    assert sum("cannot accept a connection" in record.message for record in caplog.records) == 1


# --- lateness ---


@pytest.mark.parametrize("woken", ["by a fact from outside", "by the alarm"])
def test_a_loop_that_was_late_reads_before_it_judges(woken: str) -> None:
    """The peer spoke in time; this process was stuck past the deadline. The octets are in the socket, so nobody was late but ourselves."""

    async def scenario() -> None:
        loop, station = asyncio.get_running_loop(), Station(patience=None)
        async with Server(station.attend, "::1", 0, None) as server:
            with socket.create_connection(("::1", server.port)) as peer:
                peer.sendall(HELLO * 4)
                await station.under_way.wait()
                endpoint, pump = station.endpoints[0], server._pumps[1]

                def stuck() -> None:  # the peer speaks, then the deadline passes, before the loop polls again
                    peer.sendall(HELLO)
                    endpoint._due = pump._alarm._due = loop.time() - 1.0

                loop.call_soon(stuck)
                loop.call_soon(station.links[0].nudge if woken == "by a fact from outside" else pump._alarm._ring)
                while len(endpoint.heard) == 4:
                    await asyncio.sleep(0)
                    assert endpoint.ended is None
                endpoint._due = loop.time() - 1.0  # and whoever says nothing is still found out
                station.links[0].nudge()
                await pump.done
                assert endpoint.ended is not None
                assert endpoint.ended.how == "silent"

    go(scenario())


# --- discovery ---


def test_discovery_answers_a_car_and_not_a_shouter(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        server = DiscoveryServer("lo", lambda _: Response(IPv6Address("::1"), 50000, Security.TLS))
        sent: list[tuple[Any, ...]] = []
        monkeypatch.setattr(server, "_send", lambda message, target: sent.append(target))
        request = sdp.encode(Request(Security.TLS))
        index = server._index
        for _ in range(1000):
            server.datagram_received(request, ("::1", 1, 0, index))
        shouted = len(sent)
        assert 1 <= shouted <= 40
        server.datagram_received(request, ("fe80::2", 1, 0, index))
        assert len(sent) == shouted + 1
        assert server.ignored["more requests than a car makes"] >= 900

    go(scenario())


def test_a_refused_handshake_hears_the_peer_close_and_waits_for_no_timer() -> None:
    async def scenario() -> None:
        station = Station()
        own, foreign = hierarchy(), hierarchy("secp521r1", "Other")
        async with Server(station.attend, "::1", 0, station_tls(own), limits=Limits(drain=3600.0)) as server:
            car = await drive(server.port, car_tls(foreign, verify=judge(Role.SECC, own)))
            assert not car.ended.well
            await server.served.get()  # not an hour later

    go(scenario())
