"""TCP put together again: of each connection the octets of both ends in their order, whatever came twice, late, overlapping or never.

    reassembly = Reassembly()
    for happened in reassembly.take(segment): ...   # Opened, Octets, Lost, Closed
    for happened in reassembly.end(): ...

An octet is told once, the first copy of it that the file has. Octets that are missing are waited for while they may come; once the receiver
has acknowledged what is not in the file, and went on, they are told as lost. A connection of which the beginning is missing starts where
the file does. Memory is bounded for each end and by the number of connections.
"""

from collections import OrderedDict
from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

from v2gkit.insight.decode.packets import FIN, RST, SYN, Address, Segment

# What waits behind octets that are missing: a window of TCP without scaling is 64 KiB, cars and stations send less than 2 KiB at once.
WAITING: Final = 256 * 1024  # octets, of one end
PIECES: Final = 1024  # in which they wait; a window in segments of 64 octets
LATE: Final = 64  # segments of a connection, after which octets that were acknowledged elsewhere do not come any more
# Connections that are followed at once; a capture of a site has a car at each of its outlets. Beyond it the one that was silent longest
# is over.
OPEN: Final = 256
OVER: Final = 1024  # closed ones that are remembered, so that what is sent once more after the end begins no connection
_MODULUS: Final = 1 << 32


class Opened(NamedTuple):
    """A connection begins: its two ends, the one that opened it first where `whole`; else the one that was heard first."""

    key: int
    at: int  # ns since 1970
    ends: tuple[Address, Address]
    whole: bool  # its first segment is in the file


class Octets(NamedTuple):
    """Octets of one end (0 or 1, as in `Opened`), which follow those before."""

    key: int
    at: int
    end: int
    octets: bytes


class Lost(NamedTuple):
    """Octets of one end are not in the file: so many, before those that follow."""

    key: int
    at: int
    end: int
    octets: int


class Closed(NamedTuple):
    """A connection is over: closed by FIN of one end, "reset" by one, or "cut": the file says nothing more of it."""

    key: int
    at: int
    end: int | None  # that closed first
    how: str  # "closed", "reset", "cut"
    repeated: int  # segments that came more than once, wholly or in part
    reordered: int  # segments that came before one that precedes them


Happened = Opened | Octets | Lost | Closed


class _End:
    """What one end has sent."""

    def __init__(self) -> None:
        self.first: int | None = None  # sequence number of its SYN
        self.next: int | None = None  # sequence number of the next octet, counted on beyond 32 bits; None: nothing is known yet
        self.waiting: dict[int, bytes] = {}  # beyond what is missing, by sequence number
        self.held = 0  # octets that wait
        self.patience = LATE
        self.acknowledged = -1  # by the other end, on the same count
        self.finished: int | None = None  # where its stream ends

    def place(self, sequence: int) -> int:
        """A sequence number of the wire on the endless count, near to what comes next."""
        assert self.next is not None
        return self.next + ((sequence - self.next + _MODULUS // 2) % _MODULUS) - _MODULUS // 2

    @property
    def over(self) -> bool:
        return self.finished is not None and self.next is not None and self.next >= self.finished


class _Connection:
    def __init__(self, key: int, ends: tuple[Address, Address], at: int):
        self.key, self.ends, self.at = key, ends, at
        self.sides = (_End(), _End())
        self.first_to_close: int | None = None
        self.repeated = self.reordered = 0
        self.heard = False  # octets


class Reassembly:
    """The connections of a capture, as their segments come."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Address, Address], _Connection] = OrderedDict()
        self._over: OrderedDict[tuple[Address, Address], None] = OrderedDict()
        self._count = 0

    def take(self, segment: Segment) -> Iterator[Happened]:
        """What a segment brings to light."""
        pair = (segment.source, segment.target) if segment.source <= segment.target else (segment.target, segment.source)
        connection = self._open.get(pair)
        if segment.flags & SYN and not segment.flags & RST:
            if connection is not None and self._again(connection, segment):
                yield from self._shut(pair, connection, "cut")
                connection = None
            if connection is None:
                connection = yield from self._opened(pair, segment, whole=True)
        elif connection is None:
            if pair in self._over or not segment.payload:
                return
            connection = yield from self._opened(pair, segment, whole=False)
        self._open.move_to_end(pair)
        connection.at = segment.at
        end = connection.ends.index(segment.source) if segment.source != segment.target else 0
        yield from self._segment(connection, end, segment)
        if segment.flags & RST:
            connection.first_to_close = end if connection.first_to_close is None else connection.first_to_close
            yield from self._shut(pair, connection, "reset")
        elif connection.sides[0].over and connection.sides[1].over:
            yield from self._shut(pair, connection, "closed")

    def end(self) -> Iterator[Happened]:
        """What is left when the file is over."""
        for pair, connection in list(self._open.items()):
            closing = any(side.finished is not None for side in connection.sides)
            yield from self._shut(pair, connection, "closed" if closing else "cut")

    # --- connections ---

    def _again(self, connection: _Connection, segment: Segment) -> bool:
        """Whether a SYN opens another connection of the same addresses, and is not the one that is known once more."""
        side = connection.sides[connection.ends.index(segment.source)]
        if side.first is None:
            return side.next is not None and bool(connection.heard)  # what was followed began in mid-stream
        return segment.sequence != side.first or side.finished is not None

    def _opened(self, pair: tuple[Address, Address], segment: Segment, whole: bool) -> Generator[Happened, None, _Connection]:
        """Begin a connection; the value of the generator. The one that is silent longest goes where there are too many."""
        if len(self._open) >= OPEN:
            oldest, silent = next(iter(self._open.items()))
            yield from self._shut(oldest, silent, "cut")
        self._count += 1
        answered = whole and segment.acknowledges is not None  # the first SYN is not in the file
        ends = (segment.target, segment.source) if answered else (segment.source, segment.target)
        connection = self._open[pair] = _Connection(self._count, ends, segment.at)
        self._over.pop(pair, None)
        yield Opened(self._count, segment.at, ends, whole)
        return connection

    def _shut(self, pair: tuple[Address, Address], connection: _Connection, how: str) -> Iterator[Happened]:
        for end in (0, 1):
            yield from self._given_up(connection, end, connection.at)
        del self._open[pair]
        self._over[pair] = None
        if len(self._over) > OVER:
            self._over.popitem(last=False)
        yield Closed(connection.key, connection.at, connection.first_to_close, how, connection.repeated, connection.reordered)

    # --- octets ---

    def _segment(self, connection: _Connection, end: int, segment: Segment) -> Iterator[Happened]:
        side, other = connection.sides[end], connection.sides[1 - end]
        sequence = (segment.sequence + 1) % _MODULUS if segment.flags & SYN else segment.sequence
        if segment.flags & SYN:
            connection.repeated += side.first is not None
            side.first = segment.sequence
        if side.next is None:
            side.next = sequence
        if segment.acknowledges is not None:
            if other.next is None:
                other.next = segment.acknowledges
            other.acknowledged = max(other.acknowledged, other.place(segment.acknowledges))
        at = side.place(sequence)
        if segment.payload:
            connection.heard = True
            yield from self._payload(connection, end, at, segment)
        if segment.flags & FIN and side.finished is None:
            side.finished = at + len(segment.payload) + segment.cut
            if connection.first_to_close is None:
                connection.first_to_close = end
        for which in (0, 1):
            yield from self._missed(connection, which, segment.at)

    def _payload(self, connection: _Connection, end: int, at: int, segment: Segment) -> Iterator[Happened]:
        side, octets = connection.sides[end], segment.payload
        assert side.next is not None
        if at < side.next:
            connection.repeated += 1
            octets = octets[side.next - at :]
            at = side.next
        if not octets:
            return
        if at > side.next:
            connection.reordered += 1
            if side.held + len(octets) > WAITING or len(side.waiting) >= PIECES:
                yield from self._given_up(connection, end, segment.at)
                if at > (side.next or 0):
                    yield Lost(connection.key, segment.at, end, at - side.next)
                    side.next = at
                octets = octets[side.next - at :]
            else:
                if len(octets) > len(side.waiting.get(at, b"")):
                    side.held += len(octets) - len(side.waiting.get(at, b""))
                    side.waiting[at] = octets
                return
        if octets:
            side.next += len(octets)
            yield Octets(connection.key, segment.at, end, octets)
        yield from self._joined(connection, end, segment.at)

    def _joined(self, connection: _Connection, end: int, at: int) -> Iterator[Happened]:
        """What waited and follows now."""
        side = connection.sides[end]
        assert side.next is not None
        while side.waiting and (first := min(side.waiting)) <= side.next:
            octets = side.waiting.pop(first)
            side.held -= len(octets)
            if octets := octets[side.next - first :]:
                side.next += len(octets)
                yield Octets(connection.key, at, end, octets)
        if not side.waiting:
            side.patience = LATE

    def _missed(self, connection: _Connection, end: int, at: int) -> Iterator[Happened]:
        """Give octets up that the other end has acknowledged, and that have not come for a while."""
        side = connection.sides[end]
        reached = side.acknowledged if side.finished is None else min(side.acknowledged, side.finished)
        if side.next is None or reached <= side.next:
            return
        side.patience -= 1
        if side.patience <= 0:
            side.patience = LATE
            if side.waiting:
                yield from self._given_up(connection, end, at)
            else:
                yield Lost(connection.key, at, end, reached - side.next)
                side.next = reached

    def _given_up(self, connection: _Connection, end: int, at: int) -> Iterator[Happened]:
        """Tell everything that waits, with the gaps between."""
        side = connection.sides[end]
        while side.waiting:
            first = min(side.waiting)
            assert side.next is not None
            if first > side.next:
                yield Lost(connection.key, at, end, first - side.next)
                side.next = first
            yield from self._joined(connection, end, at)
