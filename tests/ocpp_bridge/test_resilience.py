"""A station's way to its CSMS: whatever answers at the address, and whatever falls on our side, the station comes back to it."""

import asyncio
import logging
import secrets

import pytest
from websockets.asyncio.server import ServerConnection, serve

from ocpp_bridge.charge_point import Endpoint
from ocpp_bridge.wire.opening import RECEIVED, Attempt, opening
from tests.free_ports import free_port
from tests.ocpp_bridge.ocpp_stand import door, stand
from tests.starved import HANG
from v2gkit.csms.door import Admission
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

REDIRECTS = [
    "http://login.example/",
    "https://login.example/ocpp",
    "file:///etc/passwd",
    "ws://[::zz]/",
    "ws://127.0.0.1:1/ocpp/CS-1",
    "ws://localhost:PORT/ocpp/CS-1",
    "wss://127.0.0.1:PORT/ocpp/CS-1",
    "//elsewhere.example/ocpp",
    "ws://CS-1:0123456789abcdef@127.0.0.2:PORT/",
    "ws://127.0.0.1:99999999/",
    "http://[",
    "ws://",
    "\x1b]0;x\x07",
    "",
]
ANSWERS = [  # what else a web server, or what is none, may say
    b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
    b"HTTP/9.9 abc\r\n\r\n",
    b"\x00" * 4096,
    b"GET / HTTP/1.1\r\n" * 100,
    b"\x16\x03\x03\x00\x02\x02\x28",
    b"",
]
PASSWORD = "0123456789abcdef"


async def _hears(answer: bytes, heard: list[bytes], port: int = 0) -> asyncio.Server:
    async def serve(reader, writer):
        heard.append(await reader.read(4096))
        writer.write(answer)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)


def _redirect(to: str, port: int) -> bytes:
    location = to.replace("PORT", str(port))
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")


@pytest.mark.parametrize("answer", [*REDIRECTS, *ANSWERS], ids=lambda answer: repr(answer)[:40])
def test_whatever_answers_the_station_says_why_and_is_there_when_the_csms_is(answer, caplog):
    async def scene():
        heard: list[bytes] = []
        port = free_port()
        octets = answer if isinstance(answer, bytes) else _redirect(answer, port)
        wrong = await _hears(octets, heard, port)
        async with stand(port=port, endpoint={"password": PASSWORD}) as s:
            await s.until(lambda: len(heard) >= 2)
            await s.until(lambda: s.point.account()["failures"] >= 2)
            said = s.point.account()
            assert said["reason"]
            assert said["tasks"]["connection"]["restarts"] == 0  # a peer's answer is an event, not an accident
            wrong.close()
            await wrong.wait_closed()
            csms = Csms(Strategy("none"), door=door(PASSWORD))
            server = await csms.serve(port=port)
            await s.until(lambda: csms.stations and csms.stations["CS-1"].connectors)
            assert s.point.account()["failures"] == 0
            server.close()

    with caplog.at_level(logging.WARNING, logger="v2g.ocpp"):
        asyncio.run(asyncio.wait_for(scene(), HANG))
    assert "no connection to ws://127.0.0.1" in caplog.text
    assert PASSWORD not in caplog.text
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_credentials_never_travel_to_another_origin(host):
    async def scene():
        stolen: list[bytes] = []
        elsewhere = await _hears(b"", stolen)
        there = elsewhere.sockets[0].getsockname()[1]
        heard: list[bytes] = []
        portal = await _hears(_redirect(f"ws://{host}:{there}/ocpp/CS-1", there), heard)
        async with stand(port=portal.sockets[0].getsockname()[1], endpoint={"password": PASSWORD}) as s:
            await s.until(lambda: len(heard) >= 3)
            assert "redirects to another origin are not followed" in s.point.account()["reason"]
        assert all(b"Authorization: Basic" in each for each in heard[:3])
        assert not stolen
        for server in (elsewhere, portal):
            server.close()

    asyncio.run(asyncio.wait_for(scene(), HANG))


def test_a_redirect_within_the_origin_is_followed():
    async def scene():
        class Moved(Admission):
            async def __call__(self, connection, request):
                if request.path.startswith("/ocpp/"):
                    response = connection.respond(307, "")
                    response.headers["Location"] = "/new/CS-1"
                    return response
                return await super().__call__(connection, request)

        csms = Csms(Strategy("none"))
        csms.admission = Moved(None)
        async with stand(csms) as s:
            await s.until(lambda: csms.stations and csms.stations["CS-1"].connectors)

    asyncio.run(asyncio.wait_for(scene(), HANG))


def test_every_task_of_a_charge_point_that_is_killed_comes_back(tmp_path):
    async def scene():
        csms = Csms(Strategy("none"))
        async with stand(csms, store=tmp_path / "ocpp.sqlite") as s:
            await s.until(lambda: csms.stations and csms.stations["CS-1"].connectors)
            names = set(s.point.account()["tasks"])
            assert names == {"store", "bridge", "connection"}
            for number, name in enumerate(sorted(names), 1):
                (task,) = (each for each in s.point.tasks.running() if each.get_name() == name)
                task.cancel()
                await s.until(lambda name=name: s.point.account()["tasks"][name]["restarts"] == 1)
                await s.until(lambda name=name: s.point.account()["tasks"][name]["running"])
                await s.until(lambda: s.station.link is not None and s.point.link is not None)
                s.arrive()
                s.pnc()
                await s.until(lambda number=number: len(s.station.transactions) == number and s.transaction.token)
                s.leave()
                await s.until(lambda: s.transaction.ended)
            await s.until(lambda: not s.point.bridge.charger.outbox.kept)

    asyncio.run(asyncio.wait_for(scene(), HANG))


@pytest.mark.parametrize("where", ["_carry", "_converse", "_open", "_write"])
def test_a_fault_of_our_own_is_said_and_got_over(where, tmp_path, monkeypatch, caplog):
    """An exception nobody thought of, once, in each part of the charge point."""
    from ocpp_bridge.charge_point import ChargePoint
    from ocpp_bridge.keeping import Keeping

    faults = ["a fault"]
    owner = ChargePoint if hasattr(ChargePoint, where) else Keeping
    sound = getattr(owner, where)

    def broken(self, *given):
        if faults:
            raise RuntimeError(faults.pop())
        return sound(self, *given)

    monkeypatch.setattr(owner, where, broken)

    async def scene():
        csms = Csms(Strategy("none"))
        async with stand(csms, store=tmp_path / "ocpp.sqlite") as s:
            await s.until(lambda: csms.stations and csms.stations["CS-1"].connectors)
            s.arrive()
            await s.until(lambda: not faults and s.station.transactions)

    with caplog.at_level(logging.WARNING, logger="v2g.ocpp"):
        asyncio.run(asyncio.wait_for(scene(), HANG))
    assert "a fault" in caplog.text


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ws://CS-1:0123456789abcdef@csms.example/ocpp", "holds credentials"),
        ("ws://[::zz]/", "is no address"),
        ("ws://csms.example:99999/", "is no address"),
        ("http://user:0123456789abcdef@csms.example/", "begin it with ws:// or wss://"),
        ("ws:///ocpp", "names no host"),
    ],
)
def test_an_address_that_is_not_fit_is_refused_without_its_password(url, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        Endpoint(url, "CS-1")
    assert PASSWORD not in str(refused.value)


def test_an_empty_password_is_refused():
    with pytest.raises(ValueError, match="empty"):
        Endpoint("ws://csms.example/", "CS-1", password="")


def test_what_comes_at_once_is_no_more_than_one_turn_can_parse(monkeypatch):
    """The library parses all that it is given in one turn of the loop that serves cars, too."""
    got: list[int] = []
    taken = Attempt.data_received
    monkeypatch.setattr(Attempt, "data_received", lambda self, data: got.append(len(data)) or taken(self, data))

    async def flood(socket: ServerConnection) -> None:
        for _ in range(2000):
            await socket.send(secrets.token_hex(150))
        await socket.wait_closed()

    async def scene() -> None:
        async with serve(flood, "127.0.0.1", 0, subprotocols=["ocpp2.1"]) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            socket = await opening(f"ws://127.0.0.1:{port}/ocpp", versions=("ocpp2.1",), headers={}, tls=None, ping=None)
            for _ in range(2000):
                await socket.recv()
            await socket.close()

    asyncio.run(asyncio.wait_for(scene(), HANG))
    assert sum(got) > 8 * RECEIVED, "what it sent is compressed"
    assert max(got) <= 6 * RECEIVED, f"{max(got)} octets came at once"  # the first: what the window was before it was made smaller
    assert sorted(got)[-2] <= 3 * RECEIVED
