"""Who gets into the laboratory CSMS, as whom, and what strangers cost it."""

import asyncio
import contextlib
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ocpp_bridge.charge_point import Endpoint
from tests.ocpp_bridge.test_link import listening, trust
from v2g.session.admission import Stage
from v2gkit.authorities import passwords
from v2gkit.authorities.passwords import Door, Secret, TooSoon
from v2gkit.csms import door as csms_door
from v2gkit.csms.door import Admission
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

assert trust  # a fixture
SECRETS = {name: Secret.of(f"secret of {name}") for name in ("CS-1", "CS-2")}


@contextlib.asynccontextmanager
async def serving(csms: Csms, tls=None):
    server = await csms.serve(tls=tls)
    try:
        yield next(iter(server.sockets)).getsockname()[1]
    finally:
        server.close(close_connections=True)
        await server.wait_closed()


def dial(port: int, station: str, password: str | None = None, user: str | None = None, **how):
    headers = Endpoint("ws://host", user or "CS-1", password).headers() if password else {}
    scheme = "wss" if "ssl" in how else "ws"
    url = f"{scheme}://localhost:{port}/ocpp/{station}" if how else f"ws://127.0.0.1:{port}/ocpp/{station}"
    return connect(url, subprotocols=["ocpp2.1"], additional_headers=headers, proxy=None, **how)


async def status(attempt) -> int:
    try:
        async with attempt:
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def run(scene, limit: float = 300.0):
    return asyncio.run(asyncio.wait_for(scene(), limit))


def test_each_station_has_a_password_of_its_own():
    async def scene():
        async with serving(Csms(Strategy("none"), door=Door(SECRETS))) as port:
            assert await status(dial(port, "CS-1", "secret of CS-1")) == 101
            assert await status(dial(port, "CS-2", "secret of CS-2", user="CS-2")) == 101
            assert await status(dial(port, "CS-2", "secret of CS-1")) == 401  # who knows one secret is one station
            assert await status(dial(port, "CS-2", "secret of CS-1", user="CS-2")) == 401
            assert await status(dial(port, "CS-1", "secret of CS-1", user="CS-2")) == 401
            assert await status(dial(port, "CS-1")) == 401

    run(scene)


def test_the_certificate_of_one_station_does_not_speak_as_another(trust):
    async def scene():
        async with serving(Csms(Strategy("none")), listening(trust, mutual=True)) as port:
            tls = Endpoint("wss://localhost", "CS-1", trust=trust["ca"][0], certificate=trust["station"][0], key=trust["station"][1]).tls()
            assert await status(dial(port, "CS-1", ssl=tls)) == 101
            assert await status(dial(port, "CS-2", ssl=tls)) == 403

    run(scene)


def test_a_station_that_answers_keeps_its_connection(monkeypatch):
    monkeypatch.setattr(csms_door, "ANSWERING", 300.0)

    async def scene():
        csms = Csms(Strategy("none"))
        async with serving(csms) as port, dial(port, "CS-1") as first:
            async with dial(port, "CS-1") as second:
                with pytest.raises(ConnectionClosed) as closed:
                    await second.recv()
                assert closed.value.rcvd.code == 1008
            await first.send('[2,"1","Heartbeat",{}]')
            assert '"1"' in await first.recv()

    run(scene)


def test_a_connection_that_is_dead_gives_way(monkeypatch):
    monkeypatch.setattr(csms_door, "ANSWERING", 0.2)

    async def scene():
        csms = Csms(Strategy("none"))
        async with serving(csms) as port, dial(port, "CS-1", ping_interval=None) as first:
            while not (csms.stations and csms.stations["CS-1"].link):  # noqa: ASYNC110 - no event says so
                await asyncio.sleep(0.01)
            first.transport.pause_reading()  # gone, without a word: no pong will come
            async with dial(port, "CS-1") as second:
                await second.send('[2,"2","Heartbeat",{}]')
                assert '"2"' in await second.recv()
            first.transport.abort()

    run(scene)


@pytest.mark.parametrize("id_", ["a%0a%1b[31mFORGED", "%E2%80%AE", "", "x" * 49, "a%3Ab", "%00"])
def test_what_is_no_station_id_is_refused(id_):
    async def scene():
        csms = Csms(Strategy("none"))
        async with serving(csms) as port:
            assert await status(dial(port, id_)) == 404
            assert not csms.stations

    run(scene)


def test_connections_that_say_nothing_are_bounded_and_shut_nobody_out():
    async def scene():
        csms = Csms(Strategy("none"))
        csms.admission = Admission(None, {Stage.SILENT: 8, Stage.SPEAKING: 4})
        async with serving(csms) as port:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
            assert await status(dial(port, "CS-1")) == 101
            assert len(csms.admission.open) <= 8
            for _, writer in silent:
                writer.close()

    run(scene)


# --- guessing ---


class Clock:
    """Time that the test moves, and sleep that moves it."""

    def __init__(self, monkeypatch):
        self.now, self.slept = 1000.0, 0.0

        async def sleep(seconds):
            self.slept += seconds
            self.now += seconds

        monkeypatch.setattr(passwords.asyncio, "sleep", sleep)

    def __call__(self):
        return self.now


def test_guesses_wait_longer_each_time_and_then_are_sent_away(monkeypatch):
    async def scene():
        clock = Clock(monkeypatch)
        door = Door(SECRETS, clock)
        waits, judged, sent_away = [], 0, 0
        for _ in range(40):
            before = clock.slept
            try:
                assert not await door.opens("CS-1", "guess", "192.0.2.1")
                judged += 1
                waits.append(clock.slept - before)
            except TooSoon as too_soon:
                sent_away += 1
                clock.now += too_soon.after
        assert waits[:7] == [0, 0, 0, 0.5, 1.0, 2.0, 4.0]
        assert sent_away
        assert clock.now - 1000.0 > 0.9 * passwords.LONGEST * (judged - 9)  # half a minute for each, in the end
        assert await door.opens("CS-2", "secret of CS-2", "192.0.2.2")  # another address is not to blame

    run(scene)


def test_many_guesses_at_once_are_many_guesses():
    async def scene():
        door = Door(SECRETS)
        results = await asyncio.gather(*(door.opens("CS-1", f"{n}", "192.0.2.1") for n in range(200)), return_exceptions=True)
        assert sum(result is False for result in results) <= 8
        assert sum(isinstance(result, TooSoon) for result in results) >= 192

    run(scene)


def test_a_station_that_was_right_before_comes_in_beside_a_guesser():
    async def scene():
        door = Door(SECRETS)
        assert await door.opens("CS-1", "secret of CS-1", "192.0.2.1")
        guesses = (door.opens("CS-2", f"{n}", "192.0.2.1") for n in range(20))
        assert any(isinstance(one, TooSoon) for one in await asyncio.gather(*guesses, return_exceptions=True))
        assert await door.opens("CS-1", "secret of CS-1", "192.0.2.1")

    run(scene)


def test_a_guesser_has_his_whole_network():
    assert passwords.network("2001:db8::1") == passwords.network("2001:db8::ffff:1") != passwords.network("2001:db8:1::1")
    assert passwords.network("::ffff:192.0.2.1") == "192.0.2.1"
    assert passwords.network("fe80::1%eth0") == "fe80::1"
    assert passwords.network("192.0.2.1") != passwords.network("192.0.2.2")


def test_sources_are_remembered_in_bounded_memory():
    async def scene():
        door = Door({})
        began = time.monotonic()
        for n in range(passwords.SOURCES + 50):
            door._charged(f"source {n}")
        assert len(door._guesses) == passwords.SOURCES
        assert time.monotonic() - began < 300

    run(scene)


# --- the file ---


def test_a_file_of_secrets_says_nothing_and_knows_each(tmp_path):
    text = "# stations\n\n" + "".join(secret.line(name) for name, secret in SECRETS.items())
    assert "secret of" not in text
    found = passwords.parse(text, "stations.txt")
    assert found == SECRETS
    assert found["CS-1"].fits("secret of CS-1")
    assert not found["CS-1"].fits("secret of CS-2")
    assert Secret.of("same") != Secret.of("same")


LINE = SECRETS["CS-1"].line("CS-1")
WRONG = {
    "no hash": "CS-1:plain",
    "another hash": LINE.replace("scrypt", "md5"),
    "too costly": LINE.replace("16384", "1073741824"),
    "no number": LINE.replace("16384", "-1"),
    "cut off": LINE[:-9],
    "twice": LINE + LINE,
    "no name": "\x1b:x",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_file_that_is_none_is_refused_by_its_line(text):
    with pytest.raises(ValueError, match=r"^stations.txt, line \d: ") as refused:
        passwords.parse(text, "stations.txt")
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("said", ["station", "station:", ":secret", "", "a\nb:secret"])
def test_an_empty_password_lets_nobody_in(said):
    with pytest.raises(ValueError):
        passwords.name_and_secret(said)
