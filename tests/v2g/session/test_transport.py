"""One port, one pump: sessions of both sides over real sockets, and peers that do everything wrong."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
import ssl
import struct
import time

import pytest
from OpenSSL import SSL

from pki.profiles import Role
from tests.starved import HANG
from tests.v2g.session.peers import (
    BYE,
    HELLO,
    Answering,
    Asking,
    Station,
    car_tls,
    credential,
    der,
    drive,
    go,
    hierarchy,
    judge,
    key_pem,
    station_tls,
)
from v2g.session.admission import Stage
from v2g.session.errors import Misuse
from v2g.session.link import Disconnected, HandshakeFailed, KeyLog, Secured, Unprotected, Unreachable
from v2g.session.tls import Credential
from v2g.session.transport import ClientTls, Limits, Server, ServerTls, run
from v2g.session.transport.pump import Pump


@pytest.mark.parametrize(
    ("curve", "group", "scheme"), [("secp521r1", "secp521r1", "ecdsa_secp521r1_sha512"), ("ed448", "secp521r1", "ed448")]
)
def test_a_session_over_tls(curve: str, group: str, scheme: str) -> None:
    own = hierarchy(curve)

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(own), observe=[station.observe]) as server:
            car = await drive(server.port, car_tls(own))
            served = await server.served.get()
        assert car.ended.well
        assert car.heard == [b"hello", b"bye"]
        assert served.ended is not None
        assert served.ended.well
        for facts, mine, theirs in ((car.facts, Role.VEHICLE, Role.SECC), (station.links[0].tls, Role.SECC, Role.VEHICLE)):
            assert facts is not None
            assert (facts.version, facts.suite, facts.group) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384", group)
            assert (facts.own_scheme, facts.peer_scheme) == (scheme, scheme)
            assert facts.own_chain == tuple(der(c) for c in own[mine].chain)
            assert facts.peer_chain == tuple(der(c) for c in own[theirs].chain)
            assert facts.verified.role is theirs  # type: ignore[attr-defined]
            assert facts.certificate_requested
            assert facts.carries_20
            assert facts.relaxations == ()
            assert not facts.resumed
            assert facts.limits
        roots = tuple(own[role].certificate.subject.public_bytes() for role in (Role.V2G_ROOT, Role.OEM_ROOT))
        assert car.facts is not None
        assert car.facts.authorities_named_by_peer == roots  # [V2G20-2401]
        end = station.witnesses[1].of(Disconnected)[0]
        assert end.clean

    go(scenario())


def test_plain_tcp_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "127.0.0.1", 0, None, observe=[station.observe]) as server:
            car = await drive(server.port, None, host="127.0.0.1")
        assert car.ended.well
        assert car.facts is None
        assert station.links[0].tls is None
        assert station.witnesses[1].of(Unprotected)[0].requirement == "V2G20-2356"

    go(scenario())
    assert "bench override" in caplog.text


def test_frames_survive_segments_and_are_written_one_by_one() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, None, observe=[station.observe]) as server:
            reader, writer = await asyncio.open_connection("::1", server.port)
            for octet in HELLO:
                writer.write(bytes((octet,)))
                await asyncio.sleep(0)
            assert await reader.readexactly(len(HELLO)) == HELLO
            writer.write(HELLO + HELLO + BYE)
            assert await reader.read() == HELLO + HELLO + BYE
            writer.close()
            await server.served.get()
        assert [octets for sent, octets in station.witnesses[1].wire if sent] == [HELLO, HELLO, HELLO, BYE]

    go(scenario())


def test_a_deadline_ticks_the_endpoint() -> None:
    async def scenario() -> None:
        station = Station(patience=0.05)
        async with Server(station.attend, "::1", 0, None) as server:
            reader, writer = await asyncio.open_connection("::1", server.port)
            writer.write(HELLO)
            assert await reader.read() == HELLO  # then the station closes
            writer.close()
            served = await server.served.get()
        assert "patience of 0.05 s ran out" in str(served.ended)
        assert served.disconnected.by == "us"

    go(scenario())


def test_a_nudge_makes_the_shell_look_again() -> None:
    async def scenario() -> None:
        station = Station(patience=None)
        async with Server(station.attend, "::1", 0, None) as server:
            reader, writer = await asyncio.open_connection("::1", server.port)
            writer.write(HELLO)
            assert await reader.readexactly(len(HELLO)) == HELLO
            station.endpoints[0]._out = BYE
            station.links[0].nudge()
            assert await reader.readexactly(len(BYE)) == BYE
            writer.close()

    go(scenario())


# --- peers that misbehave: each costs its own connection ---


async def _alive(port: int) -> None:
    car = await drive(port, car_tls())
    assert car.ended.well, car.ended


async def _send(port: int, octets: bytes, *, then: str = "read") -> bytes:
    reader, writer = await asyncio.open_connection("::1", port)
    writer.write(octets)
    await writer.drain()
    if then == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return b""
    if then == "half-close":
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (HELLO, "plain V2GTP where TLS is spoken"),
        (b"GET / HTTP/1.1\r\n\r\n", "no TLS record"),
        (bytes.fromhex("160301000401000000"), "ends"),
        (bytes.fromhex("1603010004020000000000"), "handshake message 2"),
        (bytes.fromhex("160301000401ffffff"), "16777219 octets"),
        (bytes.fromhex("16030100010116030100010016030100030000000000"), "ends"),
        (bytes.fromhex("1603014101") + bytes(40), "no TLS record"),
        (bytes.fromhex("160301400001003ffc") + bytes(20000), "is followed by"),
        (b"\x16\x03\x01\xff\xff" * 20, "no TLS record"),
    ],
)
def test_garbage_instead_of_a_hello_is_named(octets: bytes, words: str) -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe]) as server:
            await _send(server.port, octets, then="half-close")
            await server.served.get()
            assert words in station.witnesses[1].of(HandshakeFailed)[0].reason
            await _alive(server.port)
        assert len(station.links) == 1

    go(scenario())


def test_a_connection_that_is_over_leaves_nothing_for_the_garbage_collector() -> None:
    """A flood of newcomers would fill the memory of a station before the collector comes by."""

    async def scenario() -> int:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe]) as server:
            gc.collect()
            gc.disable()
            try:
                for _ in range(10):
                    await _send(server.port, octets_of_a_hello(), then="half-close")
                    await server.served.get()
                until = time.monotonic() + HANG
                while (left := sum(isinstance(each, SSL.Connection | Pump) for each in gc.get_objects())) > 1:
                    assert time.monotonic() < until, f"{left} connections that are over still take memory"
                    await asyncio.sleep(0.05)
                return left
            finally:
                gc.enable()

    assert go(scenario()) <= 1  # the last may still be on its way out


def octets_of_a_hello() -> bytes:
    """A ClientHello that any TLS library sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return out.read()


@pytest.mark.parametrize("then", ["reset", "half-close"])
@pytest.mark.parametrize("cut", [0, 1, 5, 60, 200])
def test_a_peer_that_goes_away_in_its_hello_costs_nobody_else(cut: int, then: str) -> None:
    async def scenario() -> None:
        hello = car_tls().channel()
        hello.start()
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls()) as server:
            await _send(server.port, hello.octets_to_send()[:cut], then=then)
            await server.served.get()
            await _alive(server.port)

    go(scenario())


def test_resets_between_the_flights_and_in_the_session() -> None:
    async def scenario() -> None:
        station, hello = Station(), car_tls().channel()
        hello.start()
        async with Server(station.attend, "::1", 0, station_tls()) as server:
            for _ in range(100):
                await _send(server.port, hello.octets_to_send() or HELLO, then="reset")
                await server.served.get()
            car = asyncio.create_task(drive(server.port, car_tls(), *[HELLO] * 1000))
            await station.under_way.wait()
            car.cancel()
            served = await server.served.get()
            assert served.ended is not None
            assert not served.ended.well
            await _alive(server.port)

    go(scenario())


@pytest.mark.parametrize("octets", [b"", b"\x16", b"\x16\x03\x01\x00\xf0\x01"])
def test_a_handshake_has_its_time(octets: bytes) -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe], limits=Limits(handshake=0.05)) as server:
            assert await _send(server.port, octets) == b""
            failed = station.witnesses[1].of(HandshakeFailed)[0]
            assert "no complete TLS handshake within 0.05 s" in failed.reason

    go(scenario())


@pytest.mark.parametrize(("plain", "octets", "given"), [(True, b"", 0.4), (True, b"\x16", 0.05), (False, b"", 0.05)])
def test_a_port_for_cars_without_tls_waits_longer_for_a_first_octet(plain: bool, octets: bytes, given: float) -> None:
    """A car of ISO 15118-2 on plain TCP has the whole time for communication setup; who has begun with TLS has that of a handshake."""

    async def scenario() -> None:
        station, limits = Station(), Limits(handshake=0.05, first=0.4)
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe], limits=limits, plain=plain) as server:
            assert await _send(server.port, octets) == b""
            failed = station.witnesses[1].of(HandshakeFailed)[0]
            assert f"no complete TLS handshake within {given:g} s" in failed.reason

    go(scenario())


def test_a_flood_of_idle_connections_does_not_shut_a_car_out() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), room={Stage.SILENT: 16}) as server:
            idle = [await asyncio.open_connection("::1", server.port) for _ in range(200)]
            await _alive(server.port)
            assert len(server._pumps) <= 17
            for _, writer in idle:
                writer.close()

    go(scenario())


def test_a_station_that_ran_out_of_descriptors_serves_again_when_it_has_some(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with Server(Station().attend, "::1", 0, station_tls()) as server:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            with socket.create_connection(("::1", server.port)):
                free = os.dup(0)
                os.close(free)
                resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
                try:
                    await asyncio.sleep(0.05)  # the listener finds that it cannot accept
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                await _alive(server.port)

    go(scenario())
    assert "cannot accept a connection" in caplog.text


def test_a_running_session_is_never_dropped_for_newcomers() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, None, room={Stage.SILENT: 4}) as server:
            reader, writer = await asyncio.open_connection("::1", server.port)
            writer.write(HELLO)
            assert await reader.readexactly(len(HELLO)) == HELLO
            idle = [await asyncio.open_connection("::1", server.port) for _ in range(20)]
            writer.write(BYE)
            assert await reader.read() == BYE
            for _, other in [*idle, (None, writer)]:
                other.close()

    go(scenario())


def test_after_a_bug_the_endpoint_is_told_that_its_connection_is_gone() -> None:
    class Faulty(Answering):
        def receive(self, octets: bytes, now: float) -> None:
            super().receive(octets, now)
            if octets:
                raise RuntimeError("a bug")

    async def scenario() -> None:
        endpoint = Faulty()
        async with Server(lambda link: endpoint, "::1", 0, None) as server:
            assert await _send(server.port, HELLO) == b""
            served = await server.served.get()
        assert endpoint.ended is not None
        assert served.ended is endpoint.ended
        assert "a bug" in served.disconnected.reason

    go(scenario())


def test_a_bug_in_an_endpoint_ends_its_connection_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, None) as server:
            reader, writer = await asyncio.open_connection("::1", server.port)
            writer.write(HELLO)
            await reader.readexactly(len(HELLO))
            station.endpoints[0].receive = lambda octets, now: 1 / 0  # type: ignore[method-assign, assignment, return-value]
            writer.write(HELLO)
            assert await reader.read() == b""
            served = await server.served.get()
            assert "ZeroDivisionError" in served.disconnected.reason
            car = await drive(server.port, None)
            assert car.ended.well
            writer.close()

    go(scenario())
    assert "internal error" in caplog.text


async def _flood(writer: asyncio.StreamWriter) -> None:
    for _ in range(2000):
        writer.write(HELLO[:4] + (60000).to_bytes(4, "big") + bytes(60000))
        await writer.drain()


def test_a_peer_that_does_not_read_is_not_read_either() -> None:
    async def scenario() -> None:
        station = Station(patience=None)
        async with Server(station.attend, "::1", 0, None) as server:
            _, writer = await asyncio.open_connection("::1", server.port)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_flood(writer), 1.0)
            assert sum(len(payload) for payload in station.endpoints[0].heard) < 60_000_000
            writer.transport.abort()
            await server.served.get()

    go(scenario())


# --- ends, errors, reload ---


def test_a_port_scan_is_no_session() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls()) as server:
            await _send(server.port, b"x", then="half-close")
            assert (await server.served.get()).ended is None
            assert (await drive(server.port, car_tls())).ended.well
            served = await server.served.get()
            assert served.number == 2
            assert served.ended is not None
            assert served.ended.well

    go(scenario())


def test_ended_connections_that_nobody_asks_for_are_forgotten() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, None) as server:
            for _ in range(300):
                _, writer = await asyncio.open_connection("::1", server.port)
                writer.close()
            assert (await drive(server.port, None)).ended.well
            assert server.served.qsize() <= 256

    go(scenario())


def test_other_credentials_hold_from_the_next_connection_on() -> None:
    async def scenario() -> None:
        station, other = Station(), hierarchy("ed448")
        async with Server(station.attend, "::1", 0, station_tls()) as server:
            running = asyncio.create_task(drive(server.port, car_tls(), *[HELLO] * 50, BYE))
            await station.under_way.wait()
            server.reload(station_tls(other))
            assert (await running).ended.well
            assert not (await drive(server.port, car_tls())).ended.well
            assert (await drive(server.port, car_tls(other))).ended.well

    go(scenario())


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("::1", "refuses connections: nothing listens there"),
        ("fe80::1", "needs its interface, as in fe80::1%eth0"),
        ("no.such.host.invalid", "is no address and no name"),
    ],
)
def test_no_connection_says_what_to_do(host: str, words: str) -> None:
    with socket.socket(socket.AF_INET6) as closed:
        closed.bind(("::1", 0))
        port = closed.getsockname()[1]
    ended = go(run(lambda link: Asking(), host, port, None))
    assert ended.how == "no connection"
    assert isinstance(ended.error, Unreachable)
    assert words in str(ended.error)


def test_a_port_that_is_taken_is_named() -> None:
    async def scenario() -> None:
        async with Server(Station().attend, "::1", 0, None) as server:
            with pytest.raises(Unreachable, match=rf"cannot listen on \[::1\]:{server.port}"):
                await Server(Station().attend, "::1", server.port, None).start()

    go(scenario())


def test_a_key_that_is_not_the_certificates_is_refused_when_the_context_is_made() -> None:
    own = hierarchy()
    chain = credential(own[Role.SECC]).chain
    for wrong in (key_pem(own[Role.VEHICLE]), b"nothing"):
        with pytest.raises(Misuse, match="does the key belong"):
            ServerTls([Credential(chain, wrong)], judge(Role.VEHICLE, own))
    with pytest.raises(Misuse, match="at least one credential"):
        ServerTls([], judge(Role.VEHICLE, own))
    with pytest.raises(Misuse, match="holds no certificate"):
        Credential.from_pem(b"", b"")
    assert b"PRIVATE" not in repr(credential(own[Role.SECC])).encode()


def test_a_verifier_that_proves_nothing_lets_nobody_in() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(verify=lambda chain, now: None), observe=[station.observe]) as server:
            car = await drive(server.port, car_tls())
            assert not car.ended.well
            await server.served.get()
        assert "must return the proof" in station.witnesses[1].of(HandshakeFailed)[0].reason
        assert not station.witnesses[1].of(Secured)

    go(scenario())


def test_the_key_log_has_the_five_secrets_of_a_connection() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe]) as server:
            car = await drive(server.port, car_tls())
        labels = {line.split()[0] for line in car.witness.secrets}
        assert labels == {
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET",
            b"CLIENT_TRAFFIC_SECRET_0",
            b"SERVER_TRAFFIC_SECRET_0",
            b"EXPORTER_SECRET",
        }
        assert sorted(car.witness.secrets) == sorted(station.witnesses[1].secrets)
        written: list[str] = []
        for line in car.witness.secrets:
            KeyLog(written.append).secret(line)
        assert "".join(written).encode() == b"".join(line + b"\n" for line in car.witness.secrets)
        sent = b"".join(octets for mine, octets in car.witness.wire if mine)
        received = b"".join(octets for mine, octets in station.witnesses[1].wire if not mine)
        assert sent == received
        assert b"hello" not in sent

    go(scenario())


def test_a_client_context_without_credential_is_possible_for_minus_2_only() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe]) as server:
            car = await drive(server.port, ClientTls(None, judge(Role.SECC, hierarchy())))
            assert not car.ended.well
            assert "certificate_required" in str(car.ended.error)
            await server.served.get()
            assert station.witnesses[1].of(HandshakeFailed)[0].alert == "certificate_required"
            await _alive(server.port)

    go(scenario())
