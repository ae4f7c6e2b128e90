"""What strangers at the TLS of our servers cost those who are inside: nothing. Over real sockets, at the CSMS and at the web services."""

import ast
import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from tests.rooms import OURS, ROOT
from v2g.session.admission import Stage
from v2g.session.transport.handshakes import Handshakes, Step
from v2gkit.authorities import est, gate, web
from v2gkit.authorities.gate import Gate, Secured
from v2gkit.authorities.route import Answer
from v2gkit.authorities.web import Site
from v2gkit.csms import door
from v2gkit.csms import server as csms_server
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

MANY = 200


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return create(tmp_path_factory.mktemp("gate") / "certs", [build(Plan(), "secp521r1", datetime.now(UTC))])


def server_tls(store: Store) -> ssl.SSLContext:
    return est.server_tls(store, datetime.now(UTC), "::1")


@pytest.fixture(scope="module")
def client_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # who the server is, other tests ask
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def hello(tls: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "that never speak": lambda hello: b"",
    "that say hello and no more": lambda hello: hello,
    "whose hello never ends": lambda hello: hello[:-1],
    "that send garbage": lambda hello: b"GET / HTTP/1.1\r\n\r\n",
    "that break the handshake": lambda hello: hello + b"\x16\x03\x03\x00\x04\x0b\x00\x00\x00",
}
attacked = pytest.mark.parametrize("said", ATTACKS.values(), ids=ATTACKS)


async def crowd(port: int, said: bytes, count: int = MANY) -> list[asyncio.StreamWriter]:
    writers = []
    for _ in range(count):
        _, writer = await asyncio.open_connection("::1", port)
        writer.write(said)
        writers.append(writer)
    return writers


def run(scene: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 300))


@contextlib.asynccontextmanager
async def listening(csms: Csms, tls: ssl.SSLContext) -> AsyncIterator[int]:
    server = await csms.serve("::1", 0, tls)
    try:
        yield next(iter(server.sockets)).getsockname()[1]
    finally:
        server.close(close_connections=True)
        await server.wait_closed()


def dial(port: int, station: str, tls: ssl.SSLContext) -> Any:
    url = f"wss://localhost:{port}/ocpp/{station}"
    return connect(url, host="::1", port=port, subprotocols=["ocpp2.1"], ssl=tls, proxy=None, open_timeout=200)  # type: ignore[list-item]


async def beats(socket: Any) -> None:
    await socket.send('[2,"1","Heartbeat",{}]')
    assert '"1"' in await socket.recv()


# --- the CSMS ---


@attacked
def test_stations_keep_their_csms_and_others_come_in_beside_a_crowd(store: Store, client_tls: ssl.SSLContext, said: Any) -> None:
    async def scene() -> None:
        csms = Csms(Strategy("none"))
        csms.admission = door.Admission(None, {Stage.SILENT: 32, Stage.SPEAKING: 16})
        async with listening(csms, server_tls(store)) as port, dial(port, "CS-1", client_tls) as there:
            await beats(there)
            writers = await crowd(port, said(hello(client_tls)))
            await beats(there)
            async with dial(port, "CS-2", client_tls) as newcomer:
                await beats(newcomer)
                await beats(there)
            assert len(csms.admission.open) <= 32 + 16 + 2  # of 200
            for writer in writers:
                writer.transport.abort()

    run(scene)


def test_what_is_too_much_at_the_csms_is_refused_before_any_cryptography(
    store: Store, client_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    made: list[Handshakes] = []

    class Counting(Handshakes):
        def __init__(self) -> None:
            super().__init__(pace=3600.0, waiting=8)  # the first is worked on, then none for an hour
            made.append(self)

        def _start(self, step: Step, loop: asyncio.AbstractEventLoop) -> None:
            begun.append(1)
            super()._start(step, loop)

    monkeypatch.setattr(gate, "Handshakes", Counting)

    async def scene() -> None:
        csms = Csms(Strategy("none"))
        async with listening(csms, server_tls(store)) as port:
            readers = []
            for _ in range(30):
                reader, writer = await asyncio.open_connection("::1", port)
                writer.write(hello(client_tls))
                readers.append((reader, writer))
            waiting = {asyncio.ensure_future(_closed(reader)) for reader, _ in readers}
            while len([one for one in waiting if one.done()]) < 30 - 1 - 8:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=0.1)
            assert len(begun) == 1
            assert made[0]._queued == 8
            for _, writer in readers:
                writer.transport.abort()
            await asyncio.wait(waiting)

    run(scene)


async def _closed(reader: asyncio.StreamReader) -> None:
    """Until the other side has closed without having said a whole flight."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass


def test_a_link_is_kept_beside_more_admitted_connections_than_there_is_room_for(store: Store, client_tls: ssl.SSLContext) -> None:
    async def scene() -> None:
        csms = Csms(Strategy("none"))
        csms.admission = door.Admission(None, {Stage.SECURED: 2})
        async with listening(csms, server_tls(store)) as port, contextlib.AsyncExitStack() as stack:
            seated = [await stack.enter_async_context(dial(port, f"CS-{n}", client_tls)) for n in range(2)]
            for each in seated:
                await beats(each)
            for n in range(5):
                with contextlib.suppress(Exception):  # there is no room: it hears nothing, or a reset
                    async with dial(port, f"OTHER-{n}", client_tls) as other:
                        await other.recv()
            for each in seated:
                await beats(each)

    run(scene)


# --- the web services ---


def get(site: Site, tls: ssl.SSLContext, path: str = "/ok") -> bytes:
    connection = http.client.HTTPSConnection("::1", site._address[1], timeout=300, context=tls)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


@attacked
def test_a_crowd_at_the_tls_of_a_web_service_shuts_nobody_out(
    store: Store, client_tls: ssl.SSLContext, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "ROOM", 32)
    monkeypatch.setattr(web, "SHAKING", 16)
    doors: list[Any] = []
    monkeypatch.setattr(web, "_Door", lambda *given, real=web._Door: doors.append(real(*given)) or doors[0])
    routes: list[Any] = [("GET", "/ok", lambda _: Answer(b"fine"))]
    with Site(routes, tls=server_tls(store), lifetime=3600.0) as site:
        kept = http.client.HTTPSConnection("::1", site._address[1], timeout=300, context=client_tls)
        kept.request("GET", "/ok")
        assert kept.getresponse().read() == b"fine"
        sockets = [socket.create_connection(("::1", site._address[1]), timeout=300) for _ in range(MANY)]
        for one in sockets:
            with contextlib.suppress(OSError):
                one.sendall(said(hello(client_tls)))
        assert get(site, client_tls) == b"fine"
        kept.request("GET", "/ok")  # on the connection that stood before them
        assert kept.getresponse().read() == b"fine"
        assert doors[0]._crowd.count(Stage.SPEAKING) <= 16
        assert doors[0]._crowd.count(Stage.SILENT) <= 32
        for one in sockets:
            one.close()


# --- the channel itself ---


class Echo(asyncio.Protocol):
    """Sends back what comes; tells how it ended."""

    def __init__(self) -> None:
        self.over = asyncio.get_running_loop().create_future()
        self.heard, self.ended, self.stopped = 0, False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Secured)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += len(data)
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.stopped = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def eof_received(self) -> None:
        self.ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set_result(exc)


@contextlib.asynccontextmanager
async def echoing(store: Store, **how: Any) -> AsyncIterator[tuple[int, list[Echo], list[Stage]]]:
    made, stages = list[Echo](), list[Stage]()

    def entry() -> asyncio.Protocol:
        made.append(Echo())
        return tls.entry(made[-1], moved=stages.append)

    tls = Gate(server_tls(store), **how)
    server = await asyncio.get_running_loop().create_server(entry, "::1", 0)
    try:
        yield server.sockets[0].getsockname()[1], made, stages
    finally:
        server.close()
        tls.close()


def test_everything_comes_through_in_both_directions_and_a_slow_reader_costs_no_memory(store: Store, client_tls: ssl.SSLContext) -> None:
    async def scene() -> None:
        async with echoing(store) as (port, made, stages):
            reader, writer = await asyncio.open_connection("::1", port, ssl=client_tls)
            octets = bytes(range(256)) * 65_536  # 16 MiB: more than all buffers on the way
            sending = asyncio.create_task(_sent(writer, octets))
            while not (made and made[0].stopped):  # noqa: ASYNC110 - nobody reads yet, so it must stop somewhere
                await asyncio.sleep(0.01)
            assert made[0].transport.get_write_buffer_size() < 2_000_000
            assert await reader.readexactly(len(octets)) == octets
            await sending
            assert stages == [Stage.SPEAKING, Stage.SECURED]
            writer.close()
            await made[0].over
            assert made[0].ended

    run(scene)


async def _sent(writer: asyncio.StreamWriter, octets: bytes) -> None:
    writer.write(octets)
    await writer.drain()


def test_a_close_of_ours_says_so_after_the_last_octet(store: Store, client_tls: ssl.SSLContext) -> None:
    async def scene() -> None:
        async with echoing(store) as (port, made, _):
            reader, writer = await asyncio.open_connection("::1", port, ssl=client_tls)
            writer.write(b"last words")
            assert await reader.readexactly(10) == b"last words"
            made[0].transport.write(bytes(500_000))
            made[0].transport.close()
            assert made[0].transport.is_closing()
            assert len(await reader.read()) == 500_000  # and no error: it is a close_notify that ends it
            assert await made[0].over is None
            writer.close()

    run(scene)


def test_a_handshake_that_takes_too_long_is_ended_and_its_protocol_never_heard_of_it(store: Store, client_tls: ssl.SSLContext) -> None:
    async def scene() -> None:
        async with echoing(store, limit=0.2) as (port, made, _):
            for said in (b"", hello(client_tls)):
                reader, writer = await asyncio.open_connection("::1", port)
                writer.write(said)
                await _closed(reader)
                writer.close()
            assert not any(echo.over.done() or hasattr(echo, "transport") for echo in made)

    run(scene)


def test_who_fails_is_told_why(store: Store) -> None:
    async def scene() -> None:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        old.set_ciphers("AES128-GCM-SHA256")  # needs an RSA certificate
        async with echoing(store) as (port, _, _):
            with pytest.raises(ssl.SSLError, match=r"(?i)alert handshake failure"):
                await asyncio.open_connection("::1", port, ssl=old)

    run(scene)


def test_flights_are_worked_on_beside_the_loop(store: Store, client_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set[int]()
    real = gate._Entry._flight

    def flight(self: Any, octets: bytes) -> bytes:
        threads.add(threading.get_ident())
        return real(self, octets)

    monkeypatch.setattr(gate._Entry, "_flight", flight)

    async def scene() -> None:
        async with echoing(store) as (port, _, _):
            _, writer = await asyncio.open_connection("::1", port, ssl=client_tls)
            writer.close()

    run(scene)
    assert threads
    assert threading.get_ident() not in threads


def test_no_server_of_ours_shakes_hands_on_its_loop() -> None:
    """Whoever listens with TLS does it through `Gate`, or as a station: asyncio's own TLS bounds nothing in number."""
    listens = {"serve", "create_server", "start_server", "connect_accepted_socket", "create_unix_server", "start_tls"}
    found = []
    bench = Path(ROOT, "v2gkit/conform/backend.py")  # plays the CSMS of the one station that a lab judges
    for path in (file for room in OURS for file in Path(ROOT, room).rglob("*.py") if "peers" not in file.parts and file != bench):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "ssl=" in text else ():
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in listens:
                found += [f"{path}:{node.lineno}" for keyword in node.keywords if keyword.arg == "ssl"]
    assert not found
    assert csms_server.Gate is web.Gate is Gate
