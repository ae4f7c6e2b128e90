"""TLS of OpenSSL's making, read with its key log: every suite, what handshakes can do, and what cannot be read."""

import os
import re
import selectors
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

from tests.free_ports import free_port
from tests.starved import HANG
from tests.v2gkit.insight.decode.captures import DIN, DIN_SAID, Said, Tls, certificate, der, frames, pcapng
from v2gkit.insight.decode import records

OPENSSL = shutil.which("openssl")
TSHARK = shutil.which("tshark")
SUITES13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
SUITES12 = {
    "ECDHE-ECDSA-AES128-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "ECDHE-ECDSA-AES256-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
    "ECDHE-ECDSA-AES128-SHA": "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "ECDHE-ECDSA-AES128-GCM-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}


def read(path: Path, keys: Path | None = None) -> list[dict[str, Any]]:
    return list(records(path, keys))


def names(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [("car" if each["direction"] == "received" else "station", each["name"]) for each in told if each["type"] == "frame"]


def of(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in told if each["type"] == kind]


def notes(told: list[dict[str, Any]], topic: str) -> list[dict[str, Any]]:
    return [each["facts"] for each in of(told, "note") if each["topic"] == topic]


EXPECTED = [(who, name) for who, name, _ in DIN]


@pytest.mark.parametrize("suite", SUITES13)
def test_tls_13_is_read_by_secrets_inside_the_capture(tmp_path: Path, suite: str) -> None:
    tls = Tls(SSL.TLS1_3_VERSION, suite).shake().say(*DIN_SAID).close()
    told = read(pcapng(tmp_path / "a.pcapng", frames(tls.wire), tls.keys))
    assert names(told) == EXPECTED
    (facts,) = of(told, "tls")
    assert (facts["version"], facts["suite"], facts["group"]) == ("TLSv1.3", suite, "secp256r1")
    assert (facts["own_chain"], facts["peer_chain"]) == ([der("station").hex()], [der("car").hex()])
    assert facts["certificate_requested"]
    assert facts["judged_at"] > 0
    assert of(told, "end")[0]["clean"]
    assert not of(told, "note")


@pytest.mark.parametrize("suite", SUITES12)
@pytest.mark.parametrize("mac_first", [True, False])
def test_tls_12_is_read_by_a_key_log(tmp_path: Path, suite: str, mac_first: bool) -> None:
    """Suites of CBC with the MAC before and after encryption: OpenSSL agrees on the second unless told otherwise."""
    tls = Tls(SSL.TLS1_2_VERSION, suite, options=1 << 19 if mac_first else 0).shake().say(*DIN_SAID).close()
    log = tmp_path / "keys.log"
    log.write_bytes(b"# a comment\n" + tls.keys)
    told = read(pcapng(tmp_path / "a.pcapng", frames(tls.wire)), log)
    assert names(told) == EXPECTED
    (facts,) = of(told, "tls")
    assert (facts["version"], facts["suite"], facts["profile"]) == ("TLSv1.2", SUITES12[suite], "iso2")
    assert (facts["own_chain"], facts["peer_chain"]) == ([der("station").hex()], [])
    assert not of(told, "note")


def test_certificates_of_tls_12_are_told_without_any_secret(tmp_path: Path) -> None:
    tls = Tls(SSL.TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256").shake().say(*DIN_SAID).close()
    told = read(pcapng(tmp_path / "a.pcapng", frames(tls.wire)))
    assert of(told, "tls")[0]["own_chain"] == [der("station").hex()]
    (missing,) = notes(told, "secrets missing")
    assert missing["missing"] == ["CLIENT_RANDOM"]
    assert re.fullmatch(r"CLIENT_RANDOM of client random [0-9a-f]{64}", missing["reason"])
    assert not of(told, "frame")


def test_the_secrets_that_are_missing_are_named(tmp_path: Path) -> None:
    tls = Tls(SSL.TLS1_3_VERSION, SUITES13[1]).shake().say(*DIN_SAID).close()
    told = read(pcapng(tmp_path / "a.pcapng", frames(tls.wire)))
    (missing,) = notes(told, "secrets missing")
    assert len(missing["missing"]) == 4
    assert of(told, "tls")[0]["suite"] == SUITES13[1]
    assert of(told, "tls")[0]["own_chain"] == []
    half = b"".join(line + b"\n" for line in tls.lines if b"SERVER" in line)
    told = read(pcapng(tmp_path / "b.pcapng", frames(tls.wire), half))
    assert names(told) == [each for each in EXPECTED if each[0] == "station"]
    assert notes(told, "secrets missing")[0]["missing"] == ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0"]


def test_traffic_secrets_alone_are_enough_for_the_messages(tmp_path: Path) -> None:
    tls = Tls(SSL.TLS1_3_VERSION, SUITES13[0]).shake().say(*DIN_SAID).close()
    few = b"".join(line + b"\n" for line in tls.lines if b"TRAFFIC_SECRET_0" in line)
    told = read(pcapng(tmp_path / "a.pcapng", frames(tls.wire), few))
    assert names(told) == EXPECTED
    assert "not known" in of(told, "tls")[0]["limits"][0]


def test_a_hello_retry_request_is_followed(tmp_path: Path) -> None:
    tls = Tls(SSL.TLS1_3_VERSION, SUITES13[1], ("P-256:P-521", "P-521")).shake().say(*DIN_SAID).close()
    told = read(pcapng(tmp_path / "a.pcapng", frames(tls.wire), tls.keys))
    assert names(told) == EXPECTED
    assert of(told, "tls")[0]["group"] == "secp521r1"
    assert notes(told, "hello retry request") == [{"group": "secp521r1"}]


def test_a_resumed_connection_is_read(tmp_path: Path) -> None:
    for version, suite in ((SSL.TLS1_3_VERSION, SUITES13[1]), (SSL.TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256")):
        first = Tls(version, suite).shake().say(*DIN_SAID)
        again = Tls(version, suite, resumes=first).shake().say(*DIN_SAID).close()
        told = read(pcapng(tmp_path / f"{version}.pcapng", frames(again.wire), again.keys))
        assert names(told) == EXPECTED
        assert of(told, "tls")[0]["resumed"], suite
        assert not of(told, "note")


def test_a_refused_car_is_told_with_the_alert(tmp_path: Path) -> None:
    tls = Tls(SSL.TLS1_3_VERSION, SUITES13[1], ("P-256", "P-521")).shake()
    assert tls.complaint is not None
    (failed,) = of(read(pcapng(tmp_path / "a.pcapng", frames(tls.wire), tls.keys)), "handshake-failed")
    assert (failed["by"], failed["alert"]) == ("us", "handshake_failure")
    assert "the station ended it" in failed["reason"]


def test_a_session_is_read_from_its_middle(tmp_path: Path) -> None:
    """Place in the sequence and roles are found by trying: nothing before the messages is in the file."""
    tls = Tls(SSL.TLS1_3_VERSION, SUITES13[1]).shake()
    tls.say(*[Said(True, b"x" * 9)] * 300, *[Said(False, b"y" * 9)] * 20)
    before = len(frames(tls.wire, close=False))
    tls.say(*DIN_SAID[2:]).close()
    told = read(pcapng(tmp_path / "a.pcapng", frames(tls.wire)[before:], tls.keys))
    assert names(told) == EXPECTED[2:]
    assert not of(told, "tls")
    assert of(told, "trace")[0]["about"]["beginning"] == "not in the capture"
    assert {
        "station": of(told, "connected")[0]["local"][0],
        "car": of(told, "connected")[0]["peer"][0],
    } == {"station": "fe80::1", "car": "fe80::2"}
    told = read(pcapng(tmp_path / "b.pcapng", frames(tls.wire)[before:]))
    assert "none of 0 secrets opens" in notes(told, "secrets missing")[0]["reason"]


@pytest.mark.parametrize(("version", "suite"), [(SSL.TLS1_3_VERSION, SUITES13[1]), (SSL.TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256")])
def test_records_that_are_missing_cost_no_more_than_themselves(tmp_path: Path, version: int, suite: str) -> None:
    tls = Tls(version, suite).shake().say(*DIN_SAID[:2])
    before = len(frames(tls.wire, close=False))
    tls.say(DIN_SAID[2])
    after = len(frames(tls.wire, close=False))
    tls.say(*DIN_SAID[3:]).close()
    whole = frames(tls.wire)
    told = read(pcapng(tmp_path / "a.pcapng", whole[:before] + whole[after:], tls.keys))
    assert names(told) == EXPECTED[:2] + EXPECTED[3:]
    assert notes(told, "capture gap")[0]["from"] == "the car"


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_a_key_update_is_followed(tmp_path: Path) -> None:
    """Between the commands of OpenSSL, which can be told to renew its keys, with a relay between that keeps the octets."""
    station = tmp_path / "station.pem"
    own, key = certificate("station")
    station.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + own.public_bytes(Encoding.PEM))
    wire: list[Said] = []
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = free_port()
        serving = ["s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(station), "-naccept", "1", "-quiet", "-tls1_3"]
        asking = ["s_client", "-connect", f"127.0.0.1:{door.getsockname()[1]}", "-keylogfile", str(tmp_path / "keys.log"), "-tls1_3"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with (
            subprocess.Popen([str(OPENSSL), *serving], stderr=subprocess.DEVNULL, **pipes) as server,
            subprocess.Popen([str(OPENSSL), *asking], stderr=subprocess.PIPE, **pipes) as client,
        ):
            relayed = threading.Thread(target=relay, args=(door, port, wire), daemon=True)
            relayed.start()
            for by_car, octets in DIN_SAID:
                speaker, listener = (client, server) if by_car else (server, client)
                speak(client, b"k\n" if by_car else b"K\n")  # renew one's own keys; ask the other to do so, too
                hear(client.stderr, b"KEYUPDATE\n")  # a command is one read of its input: what follows may not be in it
                speak(speaker, octets)
                hear(listener.stdout, octets)
            client.terminate()
            relayed.join(HANG)
            server.terminate()
    told = read(pcapng(tmp_path / "a.pcapng", frames(wire)), tmp_path / "keys.log")
    assert names(told) == EXPECTED
    assert {each["from"] for each in notes(told, "key update")} == {"the car", "the station"}


def hear(pipe: IO[bytes] | None, octets: bytes) -> None:
    """Wait until a program has written some octets."""
    assert pipe is not None
    heard = b""
    while octets not in heard:
        more = os.read(pipe.fileno(), 4096)
        assert more, f"ended after {heard!r}"
        heard += more


def speak(process: "subprocess.Popen[bytes]", octets: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(octets)
    process.stdin.flush()


def relay(door: socket.socket, port: int, wire: list[Said]) -> None:
    """Carry octets between a car that comes through the door and the station at the port, and keep them in their order."""
    door.settimeout(HANG)
    car, _ = door.accept()
    while True:
        try:
            station = socket.create_connection(("127.0.0.1", port), HANG)
            break
        except OSError:
            time.sleep(0.1)
    with car, station, selectors.DefaultSelector() as ready:
        ready.register(car, selectors.EVENT_READ, (True, station))
        ready.register(station, selectors.EVENT_READ, (False, car))
        while True:
            for found, _ in ready.select(30):
                by_car, other = found.data
                try:
                    octets = found.fileobj.recv(65536)
                except OSError:
                    return
                if not octets:
                    return
                wire.append(Said(by_car, octets))
                other.sendall(octets)


def test_damaged_records_are_told_and_passed_over(tmp_path: Path) -> None:
    tls = Tls(SSL.TLS1_3_VERSION, SUITES13[1]).shake().say(*DIN_SAID).close()
    place = next(i for i, each in enumerate(tls.wire) if i > 4 and each.octets[0] == 23 and len(each.octets) < 80)
    hurt = [Said(each.by_car, each.octets[:-1] + b"?" if i == place else each.octets) for i, each in enumerate(tls.wire)]
    told = read(pcapng(tmp_path / "a.pcapng", frames(hurt), tls.keys))
    assert notes(told, "unreadable")
    assert len(names(told)) < len(EXPECTED)


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize(
    ("version", "suite"), [*((SSL.TLS1_3_VERSION, each) for each in SUITES13), *((SSL.TLS1_2_VERSION, each) for each in SUITES12)]
)
def test_wireshark_reads_the_same(tmp_path: Path, version: int, suite: str) -> None:
    tls = Tls(version, suite).shake().say(*DIN_SAID).close()
    file = pcapng(tmp_path / "a.pcapng", frames(tls.wire), tls.keys)
    command = [
        str(TSHARK),
        "-r",
        str(file),
        "-d",
        "tcp.port==15118,tls",
        "-d",
        "tls.port==15118,data",
        "-Y",
        "data",
        "-T",
        "fields",
        "-e",
        "data.data",
    ]
    theirs = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout.split()
    assert [each[16:] for each in theirs] == [each["exi"] for each in of(read(file), "frame")]
