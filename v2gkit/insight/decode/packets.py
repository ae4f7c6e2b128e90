"""What packets carry: segments of TCP and datagrams of UDP, over IPv4 and IPv6, over the links on which people capture.

Ethernet with VLAN tags, Linux "cooked" captures of any interface, loopback, and IP as it is. A packet that is none of these, or no whole
one, carries nothing; nothing here raises.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from v2gkit.insight.decode.files import Packet

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_IPV4, _IPV6, _TCP, _UDP, _FRAGMENT = 0x0800, 0x86DD, 6, 17, 44
_VLANS: Final = frozenset(int.from_bytes(tag, "big") for tag in (b"\x81\x00", b"\x88\xa8", b"\x91\x00"))  # EtherTypes
_TAGS: Final = 4  # VLAN tags within each other; networks use two
_EXTENSIONS: Final = frozenset({0, 43, 51, 60, 135})  # of IPv6, between its header and what it carries
_MOST_EXTENSIONS: Final = 8  # a packet has one or two


class Address(NamedTuple):
    """One end: host and port."""

    host: str
    port: int


class Segment(NamedTuple):
    """One TCP segment; `at` in ns since 1970, `cut` octets of its payload are not in the file."""

    number: int  # of the packet
    at: int
    source: Address
    target: Address
    sequence: int
    acknowledges: int | None
    flags: int
    payload: bytes
    cut: int = 0


class Datagram(NamedTuple):
    """One UDP datagram; `at` in ns since 1970."""

    number: int
    at: int
    source: Address
    target: Address
    payload: bytes


class Fragment(NamedTuple):
    """One part of an IP packet that was sent in several, which are not put together here."""

    number: int


def _ethernet(octets: bytes) -> tuple[int, bytes] | None:
    return _tagged(octets, 12)


def _tagged(octets: bytes, at: int) -> tuple[int, bytes] | None:
    """What follows an EtherType at `at`, and any VLAN tags."""
    for _ in range(_TAGS + 1):
        kind = int.from_bytes(octets[at : at + 2], "big")
        if kind not in _VLANS:
            return kind, octets[at + 2 :]
        at += 4
    return None


def _bare(octets: bytes) -> tuple[int, bytes] | None:
    version = octets[0] >> 4 if octets else 0
    return (_IPV4 if version == 4 else _IPV6, octets) if version in (4, 6) else None


def _loopback(octets: bytes) -> tuple[int, bytes] | None:
    return _bare(octets[4:])  # the family before it has another number on every system


LINKS: Final[Mapping[int, Callable[[bytes], tuple[int, bytes] | None]]] = {  # link type -> EtherType and what it announces
    0: _loopback,
    1: _ethernet,
    12: _bare,
    14: _bare,
    101: _bare,
    108: _loopback,
    113: lambda octets: _tagged(octets, 14),
    228: _bare,
    229: _bare,
    276: lambda octets: (
        (int.from_bytes(octets[:2], "big"), octets[20:]) if octets[:2] not in (b"\x81\x00", b"\x88\xa8") else _tagged(octets, 22)
    ),
}


@lru_cache(maxsize=1024)
def _host(octets: bytes) -> str:
    return str(ip_address(octets))


def carried(packet: Packet) -> Segment | Datagram | Fragment | None:
    """The segment, datagram or fragment in a packet; None where it carries none."""
    link = LINKS.get(packet.link)
    found = link(packet.octets) if link is not None else None
    if found is None:
        return None
    kind, octets = found
    if kind == _IPV4:
        return _ipv4(packet, octets)
    return _ipv6(packet, octets) if kind == _IPV6 else None


def _ipv4(packet: Packet, octets: bytes) -> Segment | Datagram | Fragment | None:
    if len(octets) < 20 or octets[0] >> 4 != 4:
        return None
    head, whole = (octets[0] & 15) * 4, int.from_bytes(octets[2:4], "big")
    if head < 20 or len(octets) < head:
        return None
    if int.from_bytes(octets[6:8], "big") & 0x3FFF:
        return Fragment(packet.number)
    # a length of 0 is that of a packet which the network card cuts up later
    rest = (whole or len(octets) + packet.cut) - head
    return _transport(packet, octets[9], octets[12:16], octets[16:20], octets[head:], rest)


def _ipv6(packet: Packet, octets: bytes) -> Segment | Datagram | Fragment | None:
    if len(octets) < 40 or octets[0] >> 4 != 6:
        return None
    rest, kind, at = int.from_bytes(octets[4:6], "big") or len(octets) + packet.cut - 40, octets[6], 40
    for _ in range(_MOST_EXTENSIONS):
        if kind == _FRAGMENT:
            return Fragment(packet.number)
        if kind not in _EXTENSIONS:
            return _transport(packet, kind, octets[8:24], octets[24:40], octets[at:], rest)
        if len(octets) < at + 8:
            return None
        length = (octets[at + 1] + 2) * 4 if kind == 51 else (octets[at + 1] + 1) * 8
        kind, at, rest = octets[at], at + length, rest - length
    return None


def _transport(packet: Packet, kind: int, source: bytes, target: bytes, octets: bytes, length: int) -> Segment | Datagram | None:
    """What IP carries: `length` octets, of which `octets` are there, and perhaps the padding of a short frame behind them."""
    octets = octets[: max(0, length)]
    if kind == _TCP:
        return _segment(packet, source, target, octets, length)
    if kind == _UDP and len(octets) >= 8:
        ports = int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:4], "big")
        payload = octets[8 : max(8, int.from_bytes(octets[4:6], "big"))]
        return Datagram(packet.number, packet.at, Address(_host(source), ports[0]), Address(_host(target), ports[1]), payload)
    return None


def _segment(packet: Packet, source: bytes, target: bytes, octets: bytes, length: int) -> Segment | None:
    if len(octets) < 20:
        return None
    head, flags = (octets[12] >> 4) * 4, octets[13]
    if not 20 <= head <= length:
        return None
    return Segment(
        packet.number,
        packet.at,
        Address(_host(source), int.from_bytes(octets[:2], "big")),
        Address(_host(target), int.from_bytes(octets[2:4], "big")),
        int.from_bytes(octets[4:8], "big"),
        int.from_bytes(octets[8:12], "big") if flags & ACK else None,
        flags,
        octets[head:],
        max(0, length - max(head, len(octets))),
    )
