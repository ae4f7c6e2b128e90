"""TCP put together: any cutting, order and repetition of segments gives the octets that were sent."""

import random
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from v2gkit.insight.decode.packets import ACK, FIN, RST, SYN, Address, Segment
from v2gkit.insight.decode.streams import OPEN, PIECES, WAITING, Closed, Happened, Lost, Octets, Opened, Reassembly

A, B = Address("::1", 50000), Address("::2", 15118)
SENT = bytes(range(256)) * 4
FIRST = 0xFFFFFF00  # the count of TCP wraps within what is sent


def segment(at: int, payload: bytes = b"", flags: int = ACK, source: Address = A, ack: int | None = 0) -> Segment:
    target = B if source == A else A
    return Segment(0, 0, source, target, at % 2**32, None if ack is None else ack % 2**32, flags, payload)


def happened(segments: Iterable[Segment], reassembly: Reassembly | None = None, *, end: bool = True) -> list[Happened]:
    reassembly = reassembly or Reassembly()
    found = [each for one in segments for each in reassembly.take(one)]
    return [*found, *reassembly.end()] if end else found


def octets(found: Iterable[Happened], end: int = 0) -> bytes:
    return b"".join(each.octets for each in found if isinstance(each, Octets) and each.end == end)


OPENING = [segment(FIRST - 1, flags=SYN, ack=None), segment(99, flags=SYN | ACK, source=B, ack=FIRST), segment(FIRST, ack=100)]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), most=st.integers(1, 200), twice=st.floats(0, 1), overlap=st.integers(0, 40), near=st.integers(1, 12))
def test_any_order_and_repetition(seed: int, most: int, twice: float, overlap: int, near: int) -> None:
    order = random.Random(seed)
    cuts, at = [], 0
    while at < len(SENT):
        length = order.randint(1, most)
        begin = max(0, at - order.randint(0, overlap))
        cuts.append(segment(FIRST + begin, SENT[begin : at + length], ack=100))
        if order.random() < twice:
            cuts.append(cuts[-1])
        at += length
    places = sorted(range(len(cuts)), key=lambda place: place + order.random() * near)
    found = happened([*OPENING, *(cuts[place] for place in places)])
    assert octets(found) == SENT
    assert not [each for each in found if isinstance(each, Lost)]


def test_an_acknowledgement_of_what_is_missing_makes_a_gap() -> None:
    missing = [*OPENING, segment(FIRST, b"one", ack=100), segment(FIRST + 6, b"three", ack=100), segment(100, source=B, ack=FIRST + 11)]
    found = happened([*missing, *(segment(100 + i, b"x", source=B, ack=FIRST + 11) for i in range(80))], end=False)
    told = [each for each in found if isinstance(each, Octets | Lost) and each.end == 0]
    assert [each.octets for each in told] == [b"one", 3, b"three"]


def test_what_is_missing_at_the_end_is_told_there() -> None:
    found = happened([*OPENING, segment(FIRST + 10, b"late", ack=100)])
    assert [each.octets for each in found if isinstance(each, Lost)] == [10]
    assert octets(found) == b"late"


def test_memory_is_bounded_whatever_is_missing() -> None:
    reassembly = Reassembly()
    found = happened(OPENING, reassembly, end=False)
    for place in range(3 * PIECES):
        found += list(reassembly.take(segment(FIRST + 1 + 2 * place, b"x", ack=100)))
    connection = next(iter(reassembly._open.values()))
    assert len(connection.sides[0].waiting) <= PIECES
    for place in range(40):
        found += list(reassembly.take(segment(FIRST + 100_000 + 20_001 * place, bytes(20_000), ack=100)))
        assert connection.sides[0].held <= WAITING
    assert sum(each.octets for each in found if isinstance(each, Lost)) >= 3 * PIECES // 2


def test_connections_are_bounded_and_the_silent_one_goes() -> None:
    reassembly = Reassembly()
    found: list[Happened] = []
    for port in range(OPEN + 3):
        one = Segment(0, 0, Address("::1", 1024 + port), B, 0, None, SYN, b"")
        found += list(reassembly.take(one))
    assert len([each for each in found if isinstance(each, Opened)]) == OPEN + 3
    assert [each.key for each in found if isinstance(each, Closed)] == [1, 2, 3]


def test_closing_by_both_and_by_reset() -> None:
    closing = [segment(FIRST, flags=FIN | ACK, ack=100), segment(100, flags=FIN | ACK, source=B, ack=FIRST + 1)]
    *_, closed = happened([*OPENING, *closing], end=False)
    assert isinstance(closed, Closed)
    assert (closed.end, closed.how) == (0, "closed")
    *_, closed = happened([*OPENING, segment(100, flags=RST, source=B)], end=False)
    assert isinstance(closed, Closed)
    assert (closed.end, closed.how) == (1, "reset")


def test_octets_after_the_end_begin_no_connection_but_another_syn_does() -> None:
    closing = [segment(FIRST, flags=FIN | ACK, ack=100), segment(100, flags=FIN | ACK, source=B, ack=FIRST + 1)]
    found = happened([*OPENING, *closing, segment(FIRST, b"again"), *OPENING], end=False)
    assert len([each for each in found if isinstance(each, Opened)]) == 2
    assert octets(found) == b""


def test_another_connection_of_the_same_ends_without_a_farewell() -> None:
    again = [segment(FIRST - 5000, flags=SYN, ack=None), segment(7, flags=SYN | ACK, source=B, ack=FIRST - 4999)]
    found = happened([*OPENING, segment(FIRST, b"one", ack=100), *OPENING[:1], *again, segment(FIRST - 4999, b"two", ack=8)])
    assert [each.whole for each in found if isinstance(each, Opened)] == [True, True]
    assert [each.octets for each in found if isinstance(each, Octets)] == [b"one", b"two"]


def test_a_connection_from_its_middle_begins_where_the_file_does() -> None:
    found = happened([segment(FIRST, b"mid", ack=500), segment(500, b"answer", source=B, ack=FIRST + 3)])
    opened = found[0]
    assert isinstance(opened, Opened)
    assert not opened.whole
    assert (octets(found), octets(found, 1)) == (b"mid", b"answer")
    answered = happened([OPENING[1]])[0]  # the first SYN is missing: who answered is the server
    assert isinstance(answered, Opened)
    assert answered.ends == (A, B)
