"""V2GTP: every way to cut a stream, and every header that may not pass."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.session.errors import FramingError
from v2g.session.v2gtp import HEADER_LENGTH, STREAM_TYPES, Frame, FrameReader, PayloadType, frame, unframe

SAP = bytes.fromhex("8000ebab9371d34b9b79d189a98989c1d191d191818999d26b9b3a232b30020000040040")
FRAMES = st.lists(st.tuples(st.sampled_from(sorted(STREAM_TYPES)), st.binary(min_size=1, max_size=300)), min_size=1, max_size=6)


def read(reader: FrameReader, *pieces: bytes) -> list[Frame]:
    frames = []
    for piece in pieces:
        reader.feed(piece)
        while (one := reader.next()) is not None:
            frames.append(one)
    return frames


def test_a_frame_is_eight_octets_and_its_payload() -> None:
    assert frame(PayloadType.EXI, SAP) == bytes.fromhex("01fe800100000024") + SAP


TYPES = """
EXI 8001  COMMON 8002  AC 8003  DC 8004  ACDP 8005  WPT 8006  AC_DER_IEC 8010  AC_DER_SAE 8011
SCHEDULE_RENEGOTIATION 8101  METERING_CONFIRMATION 8102  ACDP_SYSTEM_STATUS 8103  PARKING_STATUS 8104
SDP_REQUEST 9000  SDP_RESPONSE 9001  SDP_WIRELESS_REQUEST 9002  SDP_WIRELESS_RESPONSE 9003
"""


def test_the_payload_types_are_those_of_the_standard() -> None:
    words = TYPES.split()
    assert {t.name: f"{t:X}" for t in PayloadType} == dict(zip(words[::2], words[1::2], strict=True))


@given(FRAMES, st.data())
def test_frames_survive_any_segmentation(frames: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frame(*one) for one in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(FrameReader(), *pieces) == [Frame(*one) for one in frames]


def test_one_octet_per_segment() -> None:
    stream = frame(PayloadType.EXI, SAP) + frame(PayloadType.COMMON, b"\x80")
    assert read(FrameReader(), *(bytes((o,)) for o in stream)) == [Frame(0x8001, SAP), Frame(0x8002, b"\x80")]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("00fe800100000001", "protocol version is 0x00"),
        ("fffe800100000001", "protocol version is 0xFF"),
        ("01ff800100000001", "inverse protocol version is 0xFF"),
        ("01fe700100000001", "payload type is 0x7001"),
        ("01fe900000000002", "payload type is 0x9000"),
        ("01fe800200000000", "payload length is 0 octets"),
        ("01fe800200000401", "payload length is 1025 octets, must be 1 to 1024"),
        ("01fe800204000000", "payload length is 67108864 octets"),
        *((f"01fe8002fffffff{low:x}", f"payload length is {0xFFFFFFF0 + low} octets") for low in range(8, 16)),
    ],
)
def test_a_header_that_may_not_pass_names_field_value_and_limit(header: str, words: str) -> None:
    reader = FrameReader(limit=1024)
    reader.feed(bytes.fromhex(header))
    with pytest.raises(FramingError, match=words):
        reader.next()


def test_the_longest_admitted_payload_passes() -> None:
    assert read(FrameReader(limit=1024), frame(PayloadType.DC, bytes(1024))) == [Frame(0x8004, bytes(1024))]


def test_a_refused_length_costs_no_memory() -> None:
    reader = FrameReader(limit=1024)
    tracemalloc.start()
    reader.feed(bytes.fromhex("01fe800204000000"))
    with pytest.raises(FramingError):
        reader.next()
    for _ in range(1000):
        reader.feed(bytes(4096))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 1024
    assert reader.pending == 0


def test_an_error_is_for_good_but_what_came_before_is_delivered() -> None:
    reader = FrameReader()
    reader.feed(frame(PayloadType.EXI, SAP) + b"\x02" + bytes(20))
    assert reader.next() == Frame(0x8001, SAP)
    for _ in range(2):
        with pytest.raises(FramingError, match="0x02"):
            reader.next()
    reader.feed(frame(PayloadType.EXI, SAP))
    with pytest.raises(FramingError, match="0x02"):
        reader.next()


def test_half_a_header_decides_nothing() -> None:
    reader = FrameReader()
    reader.feed(b"\x01\xfe\x80\x01\x00\x00")
    assert reader.next() is None
    assert reader.pending == 6


@given(st.binary(max_size=64))
def test_any_octets_give_frames_or_a_framing_error(octets: bytes) -> None:
    reader = FrameReader(limit=32)
    reader.feed(octets)
    try:
        while (one := reader.next()) is not None:
            assert 0 < len(one.payload) <= 32
    except FramingError:
        return


@pytest.mark.parametrize(
    "datagram", [b"", b"\x01\xfe\x90\x00", bytes.fromhex("01fe900000000003") + b"\0\0", bytes.fromhex("01fe900000000001") + b"\0\0"]
)
def test_a_datagram_is_one_frame_exactly(datagram: bytes) -> None:
    with pytest.raises(FramingError):
        unframe(datagram)
    assert unframe(frame(PayloadType.SDP_REQUEST, b"\0\0")).payload == b"\0\0"


@pytest.mark.parametrize(("payload_type", "payload"), [(0x10000, b"\0"), (-1, b"\0")])
def test_what_fits_no_header_is_our_own_mistake(payload_type: int, payload: bytes) -> None:
    with pytest.raises(ValueError, match="no V2GTP frame"):
        frame(payload_type, payload)
    assert HEADER_LENGTH == 8
