"""What the tests of decoding share: capture files of every form, TCP as one wants it, and TLS sessions by OpenSSL in memory."""

import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.SSL import _lib

from v2g.session.v2gtp import PayloadType, frame
from v2gkit.insight.pcapng import TcpStream, header, packet, secrets

CAR, STATION = ("fe80::2", 50001), ("fe80::1", 15118)
EPOCH = 1_700_000_000.25


class Said(NamedTuple):
    """Octets of one side, on the wire or before TLS."""

    by_car: bool
    octets: bytes


# a session of DIN 70121, up to where a station is found: recorded of a production car, with another vehicle's identity
DIN = (
    ("car", "supportedAppProtocolReq", "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"),
    ("station", "supportedAppProtocolRes", "80400040"),
    ("car", "SessionSetupReq", "809a004011d01809e04d8e4fb400"),
    ("station", "SessionSetupRes", "809a0223e95ff78afebf9e11e020040080"),
    ("car", "ServiceDiscoveryReq", "809a0223e95ff78afebf9e1198"),
)
DIN_FRAMES = [frame(PayloadType.EXI, bytes.fromhex(exi)) for _, _, exi in DIN]
DIN_SAID = [Said(who == "car", octets) for (who, _, _), octets in zip(DIN, DIN_FRAMES, strict=True)]


def frames(said: Iterable[Said], client: tuple[str, int] = CAR, server: tuple[str, int] = STATION, *, close: bool = True) -> list[bytes]:
    """The Ethernet frames of a whole connection."""
    stream = TcpStream(client, server)
    found = list(stream.opening())
    for each in said:
        found += stream.data(each.by_car, each.octets)
    return [*found, *stream.closing(True)] if close else found


def pcapng(path: Path, packets: Iterable[bytes], keys: bytes = b"", step: float = 0.01) -> Path:
    """A pcapng file of Ethernet frames, one every `step` s."""
    octets = header("test") + (secrets(keys) if keys else b"")
    octets += b"".join(packet(each, EPOCH + place * step) for place, each in enumerate(packets))
    path.write_bytes(octets)
    return path


def pcap(packets: Iterable[bytes], *, order: str = "<", nano: bool = False, link: int = 1, snap: int = 262144, step: float = 0.01) -> bytes:
    """The octets of a pcap file."""
    units = 10**9 if nano else 10**6
    found = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)
    for place, each in enumerate(packets):
        at = round((EPOCH + place * step) * units)
        found += struct.pack(order + "IIII", at // units, at % units, len(each[:snap]), len(each)) + each[:snap]
    return found


def real_sessions() -> Path:
    """Where the sessions of real cars are, if they are."""
    return Path(__file__).parents[5] / "shared" / "captures" / "sessions.jsonl"


# --- TLS ---


@cache
def certificate(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A self-signed certificate of that name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(named).issuer_name(named).public_key(key.public_key()).serial_number(len(name))
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return made.sign(key, hashes.SHA256()), key


def der(name: str) -> bytes:
    return certificate(name)[0].public_bytes(Encoding.DER)


class Tls:
    """A car and a station by OpenSSL, whose octets on the wire and secrets are kept.

    `suites` is what both speak, in the names of OpenSSL; `groups` are those of the car and of the station.
    """

    def __init__(
        self, version: int, suites: str, groups: tuple[str, str] = ("P-256", "P-256"), options: int = 0, resumes: "Tls | None" = None
    ):
        self.wire: list[Said] = []
        self.lines: list[bytes] = []
        self._ends = {}
        for car, group in ((True, groups[0]), (False, groups[1])):
            if resumes is not None:
                context, self.lines = resumes._ends[car].get_context(), resumes.lines
            else:
                context = self._context(car, version, suites, group)
                context.set_options(options)
            self._ends[car] = SSL.Connection(context, None)
        self._ends[True].set_connect_state()
        self._ends[False].set_accept_state()
        if resumes is not None and (ticket := resumes._ends[True].get_session()) is not None:
            self._ends[True].set_session(ticket)
        self.complaint: SSL.Error | None = None

    def _context(self, car: bool, version: int, suites: str, groups: str) -> SSL.Context:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        (context.set_tls13_ciphersuites if version == SSL.TLS1_3_VERSION else context.set_cipher_list)(suites.encode())
        assert _lib.SSL_CTX_set1_curves_list(context._context, groups.encode()) == 1
        if car:
            context.set_keylog_callback(lambda connection, line: self.lines.append(line))
        own, key = certificate("car" if car else "station")
        context.use_certificate(own)
        context.use_privatekey(key)
        context.set_session_id(b"test")
        mutual = version == SSL.TLS1_3_VERSION
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT if mutual else SSL.VERIFY_NONE, lambda *_: True)
        return context

    @property
    def keys(self) -> bytes:
        """The key log."""
        return b"".join(line + b"\n" for line in self.lines)

    def carry(self) -> None:
        """Bring to each end what the other has written."""
        moved = True
        while moved:
            moved = False
            for car in (True, False):
                try:
                    octets = self._ends[car].bio_read(65536)
                except SSL.WantReadError:
                    continue
                self.wire.append(Said(car, octets))
                self._ends[not car].bio_write(octets)
                moved = True

    def shake(self) -> "Tls":
        """The handshake; `complaint` says why it failed."""
        for _ in range(6):
            for car in (True, False):
                try:
                    self._ends[car].do_handshake()
                except SSL.WantReadError:
                    pass
                except SSL.Error as error:
                    self.complaint = error
                self.carry()
        return self

    def say(self, *said: Said) -> "Tls":
        """Send octets from end to end."""
        for by_car, octets in said:
            self._ends[by_car].send(octets)
            self.carry()
            assert self._ends[not by_car].recv(len(octets)) == octets
        return self

    def close(self) -> "Tls":
        """Say goodbye from both ends."""
        for car in (True, False):
            self._ends[car].shutdown()
            self.carry()
        return self
