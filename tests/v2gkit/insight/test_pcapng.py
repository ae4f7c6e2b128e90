"""Captures that others can read: an independent reader, and Wireshark's own where it is installed."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from v2g.session.link import Connected, Disconnected
from v2gkit.insight.pcapng import SEGMENT, Capture, TcpStream, header, packet, secrets

sys.path.insert(0, str(Path(__file__).parents[2] / "v2g" / "session"))
from tests.v2g.session.peers import BYE, HELLO, Station, car_tls, drive, go, hierarchy, station_tls
from v2g.session.transport import Server

TSHARK = shutil.which("tshark")
CAR, STATION = ("fe80::2%eth0", 50001), ("fe80::1%eth0", 50000)


def wall(at: float) -> float:
    return 1_700_000_000.25 + at


def blocks(octets: bytes) -> list[object]:
    scanner = pytest.importorskip("pcapng").FileScanner
    return list(scanner(io.BytesIO(octets)))


def folded(words: bytes) -> int:
    """The sum of 16-bit words with the carry added again, as RFC 1071 describes it."""
    total = sum(int.from_bytes(words[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(words), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def recorded(server: bool) -> bytes:
    """A small connection as one side sees it."""
    file = io.BytesIO()
    local, peer = (STATION, CAR) if server else (CAR, STATION)
    capture = Capture(file.write, wall, local, peer, server=server)
    capture.event(Connected(0.0, local, peer))
    capture.octets(not server, b"question" * 400, 1.0)
    capture.secret(b"CLIENT_RANDOM 00 11")
    capture.octets(server, b"answer", 1.5)
    capture.event(Disconnected(2.0, "us" if server else "peer", True))
    return file.getvalue()


def test_both_sides_record_the_same_connection() -> None:
    assert recorded(server=True) == recorded(server=False)


def test_an_independent_reader_finds_every_block() -> None:
    found = blocks(recorded(server=True))
    names = [type(block).__name__ for block in found]
    assert names[:2] == ["SectionHeader", "InterfaceDescription"]
    packets = [block for block in found if type(block).__name__ == "EnhancedPacket"]
    assert len(packets) == 3 + 3 + 1 + 3  # opening, a question in three segments, an answer, closing
    assert [round(p.timestamp - 1_700_000_000, 6) for p in packets][::5] == [0.25, 1.25]  # type: ignore[attr-defined]
    comment = found[0].options["opt_comment"]  # type: ignore[attr-defined]
    assert "synthetic" in comment
    assert len(found) == 2 + len(packets) + 1  # and the secrets, a block that this reader does not know


@pytest.mark.parametrize(("client", "server", "head"), [(CAR, STATION, 54), (("127.0.0.1", 50001), ("127.0.0.1", 50000), 34)])
def test_the_frames_carry_the_stream_and_right_checksums(client: tuple[str, int], server: tuple[str, int], head: int) -> None:
    stream = TcpStream(client, server)
    octets = bytes(range(256)) * 20
    frames = [*stream.opening(), *stream.data(True, octets), *stream.data(False, b"odd"), *stream.closing(False)]
    assert b"".join(f[head + 20 :] for f in frames if f[head : head + 2] == (50001).to_bytes(2, "big")) == octets
    expected = {True: 0, False: 0}
    for one in frames:
        tcp, from_client = one[head:], one[head : head + 2] == (50001).to_bytes(2, "big")
        addresses = one[head - 32 : head] if head == 54 else one[head - 8 : head]
        assert folded(addresses + (6).to_bytes(2, "big") + len(tcp).to_bytes(2, "big") + tcp) == 0xFFFF
        if head == 34:
            assert folded(one[14:34]) == 0xFFFF
        assert int.from_bytes(tcp[4:8], "big") == expected[from_client]
        assert len(tcp) - 20 <= SEGMENT
        expected[from_client] += len(tcp) - 20 + (1 if tcp[13] & 3 else 0)
        assert len(one) <= 1514


def test_blocks_are_padded_and_say_their_length_twice() -> None:
    for length in range(5):
        for block in (packet(bytes(length), 1.5, "x" * length), secrets(bytes(length)), header("e" * length)[:0] or secrets(b"")):
            assert len(block) % 4 == 0
            assert block[4:8] == block[-4:] == len(block).to_bytes(4, "little")


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize(("curve", "whose"), [("secp521r1", "station"), ("ed448", "car")])
def test_wireshark_decrypts_a_real_session(tmp_path: Path, curve: str, whose: str) -> None:
    files = {name: (tmp_path / f"{name}.pcapng").open("wb") for name in ("station", "car")}
    own, ports = hierarchy(curve), []

    def at_station(local: tuple[str, int], peer: tuple[str, int], number: int) -> Capture:
        return Capture(files["station"].write, wall, local, peer, server=True)

    def at_car(local: tuple[str, int], peer: tuple[str, int], number: int) -> Capture:
        return Capture(files["car"].write, wall, local, peer, server=False)

    async def scenario() -> None:
        async with Server(Station().attend, "::1", 0, station_tls(own), observe=[at_station]) as server:
            ports.append(server.port)
            assert (await drive(server.port, car_tls(own), HELLO, BYE, more=[at_car])).ended.well
            await server.served.get()

    go(scenario())
    for file in files.values():
        file.close()
    told = _tshark(tmp_path / f"{whose}.pcapng", ports[0], "-e", "data.data", "-Y", "data")
    assert told.split() == [HELLO.hex(), HELLO.hex(), BYE.hex(), BYE.hex()]
    types = _tshark(tmp_path / f"{whose}.pcapng", ports[0], "-e", "tls.handshake.type", "-Y", "tls.handshake").replace("\n", ",").split(",")
    assert {"1", "2", "8", "11", "13", "15", "20"} <= set(types)
    errors = _tshark(tmp_path / f"{whose}.pcapng", ports[0], "-e", "_ws.expert.message", "-Y", "_ws.expert.severity >= 0x600000")
    assert errors.strip() == ""


def _tshark(file: Path, port: int, *wanted: str) -> str:
    assert TSHARK is not None
    checks = [word for name in ("tcp", "ip") for word in ("-o", f"{name}.check_checksum:TRUE")]
    command = [
        TSHARK,
        "-2",
        "-r",
        str(file),
        "-d",
        f"tcp.port=={port},tls",
        "-d",
        f"tls.port=={port},data",
        *checks,
        "-T",
        "fields",
        *wanted,
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return result.stdout
