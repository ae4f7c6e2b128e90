"""A capture of a long session, decrypted and decoded to records, beside tshark, which decrypts the same file."""

import contextlib
import gc
import resource
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from OpenSSL import SSL

from bench import _messages as messages
from pki.issue import build
from pki.plan import Plan
from pki.profiles import Role
from v2g.iso20.frames import framed
from v2gkit.insight.decode import records
from v2gkit.insight.pcapng import TcpStream, header, packet, secrets

CLIENT, SERVER = ("fe80::2", 50001), ("fe80::1", 15118)
LOOPS = 10_000  # requests and responses: a charge of an hour
PACE = 0.15  # s between two frames
LOOP = ("DC_ChargeLoopReq", "DC_ChargeLoopRes")


def run() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "session.pcapng"
        file.write_bytes(_capture())
        (spelled, found), (ours, _) = (_read(file, decoded) for decoded in (True, False))
        print(f"capture                            {file.stat().st_size / 1e6:8.1f} MB, {found} messages")
        print(f"records, messages spelled out      {spelled:8.2f} s CPU, {spelled / found * 1e6:.0f} us a message")
        print(f"records, messages named            {ours:8.2f} s CPU, {ours / found * 1e6:.0f} us a message")
        theirs = _tshark(file, found)
        if theirs is None:
            print("tshark                             is not installed")
            return
        print(f"tshark, octets of V2GTP alone      {theirs:8.2f} s CPU")
        print(f"ours / tshark                      {ours / theirs:8.2f}")


def _read(file: Path, decoded: bool) -> tuple[float, int]:
    """CPU seconds to read a file, and how many messages there were."""
    gc.collect()
    begin = time.process_time()
    found = sum(1 for record in records(file, decoded=decoded) if record["type"] == "frame")
    return time.process_time() - begin, found


def _capture() -> bytes:
    """A pcapng with its secrets, TLS by OpenSSL in memory."""
    lines: list[bytes] = []
    car, station = _end(True, lines), _end(False, lines)
    wire: list[tuple[bool, bytes]] = []

    def carry() -> None:
        for by_car, one, other in ((True, car, station), (False, station, car)):
            try:
                octets = one.bio_read(65536)
            except SSL.WantReadError:
                continue
            wire.append((by_car, octets))
            other.bio_write(octets)

    for _ in range(4):
        for end in (car, station):
            with contextlib.suppress(SSL.WantReadError):
                end.do_handshake()
            carry()
    request, response = (framed(next(each for each, _ in messages.SAMPLES if type(each).__name__ == name)) for name in LOOP)
    for _ in range(LOOPS):
        for one, other, octets in ((car, station, request), (station, car, response)):
            one.send(octets)
            carry()
            other.recv(65536)
    stream = TcpStream(CLIENT, SERVER)
    frames = [*stream.opening(), *(each for by_car, octets in wire for each in stream.data(by_car, octets)), *stream.closing(True)]
    keys = b"".join(line + b"\n" for line in lines)
    return header("bench") + secrets(keys) + b"".join(packet(each, 1_700_000_000 + PACE * place) for place, each in enumerate(frames))


def _end(car: bool, lines: list[bytes]) -> SSL.Connection:
    own = build(Plan(curves=("secp521r1",), responders=False), "secp521r1", datetime.now(UTC))[Role.VEHICLE if car else Role.SECC]
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(b"TLS_AES_256_GCM_SHA384")
    if car:
        context.set_keylog_callback(lambda connection, line: lines.append(line))
    context.use_certificate(x509.load_der_x509_certificate(own.certificate.public_bytes(Encoding.DER)))
    key: Any = load_pem_private_key(own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), None)
    context.use_privatekey(key)
    connection = SSL.Connection(context, None)
    (connection.set_connect_state if car else connection.set_accept_state)()
    return connection


def _tshark(file: Path, expected: int) -> float | None:
    """CPU seconds of tshark for the same file; None where it is not installed."""
    if (tshark := shutil.which("tshark")) is None:
        return None
    command = [
        tshark,
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
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    frames = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout.split()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(frames) == expected, (len(frames), expected)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
