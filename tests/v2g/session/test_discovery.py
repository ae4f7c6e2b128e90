"""SECC discovery over real sockets: on the loopback interface always, between two network namespaces where we may make them."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from tests.v2g.session.peers import go
from v2g.session.link import Unreachable
from v2g.session.sdp import Request, Response, Security, Transport, encode
from v2g.session.transport import DiscoveryServer, discover
from v2g.session.transport.addresses import index_of, link_local, with_zone

ROOT = Path(__file__).parents[3]
HERE = IPv6Address("::1")
PATIENT = 300.0  # s between two requests, where one is enough: a test may get no processor for longer than a car waits
HOSTILE = [
    b"",
    b"\x01",
    b"\x01\xfe\x90\x00\x00\x00\x00",
    bytes(1400),
    bytes.fromhex("fffe9000000000020000"),
    bytes.fromhex("01ff9000000000020000"),
    bytes.fromhex("01fe7000000000020000"),
    bytes.fromhex("01fe9000000000ff0000"),
    bytes.fromhex("01fe9000fffffffe0000"),
    bytes.fromhex("01fe900000000002ff00"),
    encode(Request(transport=Transport.UDP)),
    encode(Response(HERE, 1)),
]


def station(security: Security = Security.TLS, port: int = 50000) -> Response:
    return Response(HERE, port, security)


def test_a_car_finds_a_station_on_the_loopback_interface() -> None:
    async def scenario() -> None:
        async with DiscoveryServer("lo", lambda _: station(), port=0) as server:
            found = await discover("lo", port=server.port, retry=PATIENT)
            assert (found.host, found.port, found.security, found.attempts) == ("::1", 50000, Security.TLS, 1)
            assert server.answered == 1

    go(scenario())


def test_hostile_datagrams_are_counted_and_nothing_else() -> None:
    async def scenario() -> None:
        async with DiscoveryServer("lo", lambda _: station(), port=0) as server:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as hostile:
                hostile.bind(("::1", 0))
                for datagram in HOSTILE:
                    hostile.sendto(datagram, ("::1", server.port))
                assert (await discover("lo", port=server.port, retry=PATIENT)).attempts == 1
                hostile.setblocking(False)
                with pytest.raises(BlockingIOError):
                    hostile.recv(100)
            assert sum(server.ignored.values()) == len(HOSTILE)
            assert server.answered == 1

    go(scenario())


def test_nonsense_of_a_thousand_kinds_needs_no_memory() -> None:
    async def scenario() -> None:
        async with DiscoveryServer("lo", lambda _: station(), port=0) as server:
            for payload_type in range(1000):
                server.datagram_received(b"\x01\xfe" + payload_type.to_bytes(2, "big") + bytes(4), ("::1", 1, 0, 0))
            assert len(server.ignored) == 64
            server.datagram_received(encode(Request()), ("2001:db8::1", 1, 0, 0))
            server.datagram_received(encode(Request()), ("fe80::1", 1, 0, server._index + 1))
            assert server.answered == 0
            assert (await discover("lo", port=server.port, retry=PATIENT)).attempts == 1

    go(scenario())


def test_a_station_that_expects_nobody_is_silent_until_it_does() -> None:
    async def scenario() -> None:
        ready: list[Response] = []
        async with DiscoveryServer("lo", lambda _: ready[0] if ready else None, port=0) as server:
            with pytest.raises(Unreachable, match=r"no station answered 2 requests on lo in 0\.02 s: nothing was heard"):
                await discover("lo", port=server.port, attempts=2, retry=0.01)
            assert server.ignored == {"a request while no car is expected": 2}
            ready.append(station())
            assert (await discover("lo", port=server.port)).port == 50000

    go(scenario())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (station(Security.NONE), r"\d x an answer with no TLS, although TLS was asked for: a downgrade"),
        (Response(IPv6Address("2001:db8::1"), 50000), r"\d x an answer with address 2001:db8::1 is not link-local"),
        (Response(IPv6Address("ff02::1"), 50000), "is not link-local"),
        (station(port=0), r"\d x an answer with port 0"),
    ],
)
def test_a_car_believes_no_answer_that_it_cannot_use(answer: Response, words: str) -> None:
    async def scenario() -> None:
        async with DiscoveryServer("lo", lambda _: answer, port=0) as server:
            with pytest.raises(Unreachable, match=words):
                await discover("lo", port=server.port, attempts=5, retry=0.02)

    go(scenario())


def test_a_car_without_tls_may_use_a_station_without_tls() -> None:
    async def scenario() -> None:
        async with DiscoveryServer("lo", lambda _: station(Security.NONE), port=0) as server:
            assert (await discover("lo", security=Security.NONE, port=server.port)).security is Security.NONE

    go(scenario())


def test_errors_say_what_is_there_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreachable, match=r"no network interface 'nosuch0'; this machine has .*lo"):
        go(discover("nosuch0"))
    monkeypatch.setattr("v2g.session.transport.addresses.addresses_of", lambda interface: ())
    monkeypatch.setattr("v2g.session.transport.addresses.is_loopback", lambda interface: False)
    with pytest.raises(Unreachable, match=r"no IPv6 link-local address.*ip link set lo up.*give host and port"):
        link_local("lo")
    assert with_zone(IPv6Address("fe80::1"), "eth7") == "fe80::1%eth7"
    assert index_of("lo") > 0


def test_a_port_that_is_taken_is_named() -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
            other.bind(("::", 0))
            port = other.getsockname()[1]
            with pytest.raises(Unreachable, match=f"cannot listen for cars on UDP port {port} of lo"):
                await DiscoveryServer("lo", lambda _: station(), port=port).start()

    go(scenario())


# --- two hosts, one wire ---

STATION_PROGRAM = """
import asyncio, json
from v2g.session.sdp import Response
from v2g.session.transport import DiscoveryServer
from v2g.session.transport.addresses import link_local

async def main():
    async with DiscoveryServer("v2gt0", lambda _: Response(link_local("v2gt0"), 50000)) as server:
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, input)
        print(json.dumps({"answered": server.answered, "ignored": server.ignored}))

asyncio.run(main())
"""
CAR_PROGRAM = """
import asyncio, json, socket, sys
from v2g.session.transport import discover

hostile = [bytes.fromhex(h) for h in json.loads(sys.argv[1])]

async def main():
    first = await discover("v2gt0")
    index = socket.if_nametoindex("v2gt0")
    for _ in range(100):  # a flood from ports that change, multicast like the real thing
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            for datagram in hostile:
                sock.sendto(datagram, ("ff02::1", 15118, 0, index))
    second = await discover("v2gt0")
    print(json.dumps([[f.host, f.port, f.attempts, f.source] for f in (first, second)]))

asyncio.run(main())
"""
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="two network namespaces need root and iproute2")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def wire() -> Iterator[tuple[str, str]]:
    """Two namespaces, joined by v2gt0 on either side."""
    names = (f"v2g-{os.getpid()}-a", f"v2g-{os.getpid()}-b")
    try:
        for name in names:
            ip("netns", "add", name)
    except (subprocess.CalledProcessError, OSError):
        pytest.skip("network namespaces cannot be made here")
    try:
        ip("-n", names[0], "link", "add", "v2gt0", "type", "veth", "peer", "name", "v2gt0", "netns", names[1])
        for name in names:
            subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.v2gt0.accept_dad=0"], check=True)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "v2gt0", "up")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


@NEEDS_ROOT
def test_discovery_over_a_wire_survives_a_flood(wire: tuple[str, str]) -> None:
    def program(host: str, text: str, *arguments: str) -> list[str]:
        return ["ip", "netns", "exec", host, sys.executable, "-c", text, *arguments]

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        program(wire[0], STATION_PROGRAM), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        hostile = json.dumps([datagram.hex() for datagram in HOSTILE])
        car = subprocess.run(
            program(wire[1], CAR_PROGRAM, hostile), capture_output=True, text=True, env=environment, timeout=300, check=True
        )
        told, _ = server.communicate("\n", timeout=300)
    account = json.loads(told)
    for host, port, _, source in json.loads(car.stdout):
        assert host == f"{source}%v2gt0"
        assert host.startswith("fe80::")
        assert port == 50000
    assert 2 <= account["answered"] <= sum(attempts for _, _, attempts, _ in json.loads(car.stdout))
    assert sum(account["ignored"].values()) > len(HOSTILE)
