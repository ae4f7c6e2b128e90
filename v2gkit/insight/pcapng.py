"""A session as a packet capture that Wireshark opens and decrypts by itself: pcapng with the TLS secrets inside.

The octets of the stream are the real ones, as they were on the wire. Ethernet, IP and TCP around them are synthetic, because a pump sees a
stream and not packets: MAC addresses are made up, sequence numbers begin at 1, nothing is ever lost. The file says so in its comment.
"""

import struct
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from v2g.session.endpoint import Event
from v2g.session.link import Connected, Disconnected, Observer

SECTION, INTERFACE, PACKET, SECRETS = 0x0A0D0D0A, 1, 6, 10
TLS_KEY_LOG: Final = 0x544C534B
ETHERNET: Final = 1
_COMMENT, _APPLICATION, _INTERFACE_NAME = 1, 4, 2
_NOTE = "Octets of the stream are real. Ethernet, IP and TCP headers are synthetic: made by v2gkit, which saw a stream and not packets."
_ETHER_TYPE = {4: 0x0800, 6: 0x86DD}
_FIN, _SYN, _PUSH, _ACK = 0x01, 0x02, 0x08, 0x10
SEGMENT: Final = 1428  # octets of payload: what fits a frame of 1514 beneath IPv6 and TCP
_MACS = (bytes.fromhex("020000000001"), bytes.fromhex("020000000002"))  # locally administered: the client's, the server's

Address = tuple[str, int]


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _options(*options: tuple[int, str]) -> bytes:
    if not options:
        return b""
    encoded = [struct.pack("<HH", code, len(text.encode())) + _padded(text.encode()) for code, text in options]
    return b"".join(encoded) + bytes(4)


def block(kind: int, body: bytes) -> bytes:
    """One block of a pcapng file."""
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def header(interface: str, comment: str = _NOTE) -> bytes:
    """The beginning of a pcapng file: a section with one interface, and time stamps in microseconds."""
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options((_COMMENT, comment), (_APPLICATION, "v2gkit"))
    described = struct.pack("<HHI", ETHERNET, 0, 0) + _options((_INTERFACE_NAME, interface))
    return block(SECTION, section) + block(INTERFACE, described)


def secrets(key_log: bytes) -> bytes:
    """A block with lines of a TLS key log, for the packets that follow."""
    return block(SECRETS, struct.pack("<II", TLS_KEY_LOG, len(key_log)) + _padded(key_log))


def packet(frame: bytes, epoch: float, comment: str = "") -> bytes:
    """A block with one Ethernet frame, seen at `epoch` (epoch s)."""
    stamp = round(epoch * 1e6)
    head = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
    return block(PACKET, head + _padded(frame) + _options(*([(_COMMENT, comment)] if comment else [])))


def _checksum(octets: bytes) -> int:
    # ones' complement addition of 16-bit words is addition modulo 65535, and of one large number as well
    return 0xFFFF - (int.from_bytes(octets + bytes(len(octets) % 2), "big") % 0xFFFF)


def _ip(host: str) -> IPv4Address | IPv6Address:
    return ip_address(host.partition("%")[0])


class _Side:
    """One end of the synthetic TCP connection."""

    def __init__(self, address: Address, mac: bytes):
        self.host, self.port, self.mac = _ip(address[0]), address[1], mac
        self.next = 0  # sequence number of its next octet


class TcpStream:
    """The synthetic TCP connection around a stream. Each method gives Ethernet frames; `from_client` says who sends."""

    def __init__(self, client: Address, server: Address):
        self._sides = (_Side(client, _MACS[0]), _Side(server, _MACS[1]))

    def opening(self) -> Iterator[bytes]:
        """The three frames that open the connection: SYN, SYN ACK, ACK."""
        yield self._segment(True, _SYN)
        yield self._segment(False, _SYN | _ACK)
        yield self._segment(True, _ACK)

    def data(self, from_client: bool, octets: bytes) -> Iterator[bytes]:
        """The frames with as many segments as the octets need."""
        for at in range(0, len(octets), SEGMENT):
            yield self._segment(from_client, _ACK | _PUSH, octets[at : at + SEGMENT])

    def closing(self, client_first: bool) -> Iterator[bytes]:
        """The three frames that close the connection: FIN from each side, and the last acknowledgement."""
        yield self._segment(client_first, _FIN | _ACK)
        yield self._segment(not client_first, _FIN | _ACK)
        yield self._segment(client_first, _ACK)

    def _segment(self, from_client: bool, flags: int, payload: bytes = b"") -> bytes:
        sender, receiver = self._sides if from_client else self._sides[::-1]
        acknowledged = receiver.next if flags & _ACK else 0
        tcp = struct.pack("!HHIIBBHHH", sender.port, receiver.port, sender.next, acknowledged, 5 << 4, flags, 0xFFFF, 0, 0) + payload
        sender.next += len(payload) + (1 if flags & (_SYN | _FIN) else 0)
        source, target = sender.host.packed, receiver.host.packed
        pseudo = source + target + (struct.pack("!BBH", 0, 6, len(tcp)) if len(source) == 4 else struct.pack("!II", len(tcp), 6))
        tcp = tcp[:16] + _checksum(pseudo + tcp).to_bytes(2, "big") + tcp[18:]
        version = sender.host.version
        ethernet = receiver.mac + sender.mac + _ETHER_TYPE[version].to_bytes(2, "big")
        return ethernet + (_ipv4(source, target, len(tcp)) if version == 4 else _ipv6(source, target, len(tcp))) + tcp


def _ipv4(source: bytes, target: bytes, length: int) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, 6, 0) + source + target
    return head[:10] + _checksum(head).to_bytes(2, "big") + head[12:]


def _ipv6(source: bytes, target: bytes, length: int) -> bytes:
    return struct.pack("!IHBB", 6 << 28, length, 6, 64) + source + target


class Capture(Observer):
    """Writes a connection as it happens. `write` takes octets, `wall` gives epoch seconds, `server` says whether this side listened.

    Secrets come before the packets that need them. Whoever gets the file can read the connection: it is for a bench, not for a backend.
    """

    def __init__(self, write: Callable[[bytes], object], wall: Callable[[float], float], local: Address, peer: Address, *, server: bool):
        self._write, self._wall, self._server = write, wall, server
        self._stream = TcpStream(*((peer, local) if server else (local, peer)))
        write(header("v2g"))

    def event(self, event: Event) -> None:
        """Write the packets that open and close a TCP connection."""
        if isinstance(event, Connected):
            self._packets(self._stream.opening(), event.at)
        elif isinstance(event, Disconnected):
            self._packets(self._stream.closing((event.by == "us") != self._server), event.at)

    def octets(self, sent: bool, octets: bytes, now: float) -> None:
        """Write the packets for octets that were on the wire."""
        self._packets(self._stream.data(sent != self._server, octets), now)

    def secret(self, line: bytes) -> None:
        """Keep a line of the TLS key log, to be written before the packets that need it."""
        self._write(secrets(line + b"\n"))

    def _packets(self, frames: Iterator[bytes], now: float) -> None:
        for frame in frames:
            self._write(packet(frame, self._wall(now)))
