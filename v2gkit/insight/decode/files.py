"""Packets out of a capture file: pcap and pcapng, of either byte order, any resolution of time, as they are or compressed by gzip.

    opened(path) -> a file of octets, unpacked
    packets(file, name) -> Packet or Remark, in the order of the file
    secrets(file, name) -> the key logs that a pcapng file carries

A file is read from front to back and never kept. What a length announces is compared before memory is taken for it; where the file is
damaged reading ends with a remark that says at which octet and why, and what came before counts.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

PCAP: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 10**6),
    b"\xd4\xc3\xb2\xa1": ("<", 10**6),
    b"\xa1\xb2\x3c\x4d": (">", 10**9),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9),
}
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
GZIP: Final = b"\x1f\x8b"
SECOND: Final = 10**9  # ns
LAST: Final = 253_402_300_799 * SECOND  # the end of the year 9999: a time beyond it is no time
# The most that any tool captures of one packet (libpcap's own maximum). A record that announces more is no record.
LARGEST: Final = 256 * 1024  # octets
# A block has a packet and its options (comments of people), or a key log; one of 10,000 sessions has 10 MB.
LARGEST_BLOCK: Final = 16 * 1024 * 1024  # octets
INTERFACES: Final = 4096  # of one section; a machine has a dozen
_SECTION, _INTERFACE, _OLD, _SIMPLE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_KEPT: Final = frozenset({_INTERFACE, _OLD, _SIMPLE, _ENHANCED})
_TLS_KEY_LOG: Final = 0x544C534B
_RESOLUTION, _OFFSET = 9, 14  # options of an interface
_PIECE: Final = 64 * 1024


class Packet(NamedTuple):
    """One packet: its number in the file (from 1, as Wireshark counts), when it was seen (ns since 1970), and its octets."""

    number: int
    at: int
    link: int  # link type, as tcpdump.org numbers them
    octets: bytes
    cut: int = 0  # octets that were on the wire and are not in the file


class Remark(NamedTuple):
    """Something about the file that a reader must know, in words."""

    text: str


class Interface(NamedTuple):
    """One interface of a section of pcapng: link type, how many units of time make a second, and what is added to times (s)."""

    link: int
    units: int = 10**6
    offset: int = 0
    snap: int = 0


class _Damaged(Exception):
    """The file cannot be read on; the message says why."""


def kind(first: bytes) -> str:
    """What a file is by its first octets: "pcap", "pcapng", "gzip", or "" for anything else."""
    if first[:4] in PCAP:
        return "pcap"
    return "pcapng" if first[:4] == PCAPNG else "gzip" if first[:2] == GZIP else ""


def opened(path: Path) -> BinaryIO:
    """The file, unpacked where gzip has packed it. Raises OSError where it cannot be opened."""
    with path.open("rb") as file:
        packed = kind(file.read(4)) == "gzip"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def packets(file: BinaryIO, name: str) -> Iterator[Packet | Remark]:
    """The packets of a capture. Raises ValueError for what is none; `name` is what it is called there."""
    try:
        first = _read(file, 4)
        if first in PCAP:
            yield from _pcap(file, *PCAP[first])
        elif first == PCAPNG:
            yield from _pcapng(file)
        else:
            raise ValueError(
                f"{name} begins with 0x{first.hex()}, which is no capture; give pcap or pcapng, as tcpdump and Wireshark write them"
            )
    except (_Damaged, EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Remark(f"{name} is damaged: {error}; what follows there is not read")


def _read(file: BinaryIO, length: int) -> bytes:
    """So many octets, or fewer where the file ends."""
    octets = file.read(length)
    while len(octets) < length and (more := file.read(length - len(octets))):
        octets += more
    return octets


def _skip(file: BinaryIO, length: int) -> None:
    while length > 0 and (octets := file.read(min(length, _PIECE))):
        length -= len(octets)


def _stamp(ticks: int, units: int, offset: int = 0) -> int:
    """A time in ns since 1970; 0 for one that lies in no year."""
    at = ticks * SECOND // units + offset * SECOND
    return at if 0 <= at <= LAST else 0


# --- pcap ---


def _pcap(file: BinaryIO, order: str, units: int) -> Iterator[Packet | Remark]:
    head = _read(file, 20)
    if len(head) < 20:
        raise _Damaged(f"it ends after {4 + len(head)} octets, within its header of 24")
    link = (
        struct.unpack(order + "HHiIII", head)[5] & 0xFFFF
    )  # above it: whether frames end with a checksum of Ethernet, which lies behind IP
    number, at = 0, 24
    while record := _read(file, 16):
        if len(record) < 16:
            raise _Damaged(f"it ends at octet {at + len(record)}, within the header of packet {number + 1}")
        seconds, parts, there, whole = struct.unpack(order + "IIII", record)
        if there > LARGEST:
            raise _Damaged(f"packet {number + 1} at octet {at} announces {there} octets, at most {LARGEST} are captured")
        octets = _read(file, there)
        if len(octets) < there:
            raise _Damaged(f"it ends within packet {number + 1} at octet {at}: {len(octets)} of {there} octets are there")
        number, at = number + 1, at + 16 + there
        yield Packet(number, _stamp(seconds * units + parts, units), link, octets, max(0, whole - there))


# --- pcapng ---


class _Blocks:
    """The blocks of a pcapng file, of the kinds that are wanted: kind, byte order, body. The first four octets have been read."""

    def __init__(self, file: BinaryIO, wanted: frozenset[int]):
        self._file, self._wanted = file, wanted
        self.order, self.at = "<", 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        first: bytes = PCAPNG
        while first:
            if len(first) < 4:
                raise _Damaged(f"it ends at octet {self.at + len(first)}, within a block")
            kind = _SECTION if first == PCAPNG else int(struct.unpack(self.order + "I", first)[0])
            length, head = self._length(kind)
            if kind in self._wanted and length > LARGEST_BLOCK:
                raise _Damaged(f"a block at octet {self.at} announces {length} octets, at most {LARGEST_BLOCK} are read")
            body = length - 12 - len(head)
            if kind in self._wanted:
                octets = _read(self._file, body)
                if len(octets) < body:
                    raise _Damaged(f"it ends within a block at octet {self.at}: {len(octets)} of {body} octets are there")
                yield kind, octets
            else:
                if kind == _SECTION:
                    yield kind, b""
                _skip(self._file, body)
            if (again := _read(self._file, 4)) != struct.pack(self.order + "I", length):
                raise _Damaged(f"a block at octet {self.at} announces {length} octets, and 0x{again.hex()} stands where it says so again")
            self.at += length
            first = _read(self._file, 4)

    def _length(self, kind: int) -> tuple[int, bytes]:
        """The length of the block that begins, and what of its body had to be read to know the byte order."""
        octets, head = _read(self._file, 4), b""
        if kind == _SECTION:
            head = _read(self._file, 4)
            if len(head) < 4:
                raise _Damaged(f"it ends at octet {self.at + 4 + len(octets) + len(head)}, within a block")
            if head not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                raise _Damaged(f"the section at octet {self.at} has no mark of its byte order but 0x{head.hex()}")
            self.order = ">" if head == b"\x1a\x2b\x3c\x4d" else "<"
        if len(octets) < 4:
            raise _Damaged(f"it ends at octet {self.at + 4 + len(octets)}, within a block")
        length = int(struct.unpack(self.order + "I", octets)[0])
        if length % 4 or length < 12 + len(head):
            raise _Damaged(f"a block at octet {self.at} announces {length} octets; a length is a multiple of 4 and at least 12")
        return length, head


def _pcapng(file: BinaryIO) -> Iterator[Packet | Remark]:
    blocks, interfaces, number = _Blocks(file, _KEPT), list[Interface](), 0
    for kind, body in blocks:
        if kind == _SECTION:
            interfaces = []
        elif kind == _INTERFACE:
            if len(interfaces) >= INTERFACES:
                raise _Damaged(f"a section has more than {INTERFACES} interfaces")
            interfaces.append(_interface(body, blocks))
        else:
            number += 1
            yield _packet(kind, body, blocks, interfaces, number)


def _interface(body: bytes, blocks: _Blocks) -> Interface:
    if len(body) < 8:
        raise _Damaged(f"the interface at octet {blocks.at} has {len(body)} octets, at least 8 are needed")
    link, _, snap = struct.unpack_from(blocks.order + "HHI", body)
    found, at, units, offset = {}, 8, 10**6, 0
    while at + 4 <= len(body):
        code, length = struct.unpack_from(blocks.order + "HH", body, at)
        if code == 0:
            break
        found[code] = body[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4
    if resolution := found.get(_RESOLUTION):
        units = int(2 ** (resolution[0] & 0x7F) if resolution[0] & 0x80 else 10 ** resolution[0])
    if len(shift := found.get(_OFFSET, b"")) == 8:
        offset = int(struct.unpack(blocks.order + "q", shift)[0])
    return Interface(link, units, offset, snap)


def _packet(kind: int, body: bytes, blocks: _Blocks, interfaces: list[Interface], number: int) -> Packet:
    """The packet of a block: of the usual kind, of the simple one without time, of the one that was before both."""
    form, head = {_ENHANCED: ("IIIII", 20), _OLD: ("HHIIII", 20), _SIMPLE: ("I", 4)}[kind]
    if len(body) < head:
        raise _Damaged(f"the packet at octet {blocks.at} has {len(body)} octets, its header alone {head}")
    fields = struct.unpack_from(blocks.order + form, body)
    place = 0 if kind == _SIMPLE else fields[0]
    if place >= len(interfaces):
        raise _Damaged(f"the packet at octet {blocks.at} is of interface {place}, {len(interfaces)} are described")
    interface = interfaces[place]
    if kind == _SIMPLE:
        whole = fields[0]
        there, ticks = min(whole, interface.snap or whole), 0
    else:
        high, low, there, whole = fields[-4:]
        ticks = high << 32 | low
    if there > min(LARGEST, len(body) - head):
        raise _Damaged(
            f"the packet at octet {blocks.at} announces {there} octets, {len(body) - head} are in its block, at most {LARGEST} are read"
        )
    return Packet(
        number, _stamp(ticks, interface.units, interface.offset), interface.link, body[head : head + there], max(0, whole - there)
    )


def secrets(file: BinaryIO, name: str) -> Iterator[bytes | Remark]:
    """The TLS key logs inside a pcapng file, wherever they stand in it; nothing for other files."""
    try:
        if _read(file, 4) != PCAPNG:
            return
        blocks, others = _Blocks(file, frozenset({_SECRETS})), False
        for kind, body in blocks:
            if kind != _SECRETS or len(body) < 8:
                continue
            what, length = struct.unpack_from(blocks.order + "II", body)
            if what == _TLS_KEY_LOG:
                yield body[8 : 8 + length]
            elif not others:
                others = True
                yield Remark(f"{name} carries secrets of type 0x{what:08X}; those of a TLS key log are read")
    except (_Damaged, EOFError, zlib.error, gzip.BadGzipFile):
        return  # where the packets are read, it is said
