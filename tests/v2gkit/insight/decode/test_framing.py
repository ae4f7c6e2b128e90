"""V2GTP cut out of streams that have lost their rhythm."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.session.v2gtp import CAR_RECEIVES, Frame, PayloadType, frame
from v2gkit.insight.decode.framing import Astray, Cutter

ONE, TWO = frame(PayloadType.DC, b"\x80one"), frame(PayloadType.COMMON, b"\x80two")


def cut(*pieces: bytes, adrift: bool = False) -> list[Frame | Astray]:
    cutter = Cutter(CAR_RECEIVES, adrift)
    return [*(found for piece in pieces for found in cutter.feed(piece)), *cutter.end()]


@settings(max_examples=200)
@given(at=st.lists(st.integers(0, len(ONE + TWO) * 3), max_size=9))
def test_frames_however_they_are_cut(at: list[int]) -> None:
    stream, places = (ONE + TWO) * 3, sorted({0, *at, len(ONE + TWO) * 3})
    pieces = [stream[begin:end] for begin, end in itertools.pairwise(places)]
    assert cut(*pieces) == [Frame(PayloadType.DC, b"\x80one"), Frame(PayloadType.COMMON, b"\x80two")] * 3


@settings(max_examples=300)
@given(noise=st.binary(min_size=1, max_size=60))
def test_noise_costs_itself_and_no_more(noise: bytes) -> None:
    found = cut(ONE + noise + TWO)
    assert found[0] == Frame(PayloadType.DC, b"\x80one")
    told = sum(len(each.payload) + 8 if isinstance(each, Frame) else each.octets for each in found)
    assert told == len(ONE + noise + TWO)
    if b"\x01" not in noise:
        assert found[-1] == Frame(PayloadType.COMMON, b"\x80two")


def test_what_is_told_of_noise() -> None:
    _first, astray, _last = cut(ONE + b"noise" + TWO)
    assert isinstance(astray, Astray)
    assert astray.octets == 5
    assert astray.reason == "0x6e6f69736501fe80 is no V2GTP header, which begins with 0x01fe"


def test_the_end_within_a_frame_or_header() -> None:
    assert cut(ONE[:-2]) == [Astray("the stream ends within a frame: its header announces 4 octets, 2 came", len(ONE) - 2)]
    assert cut(ONE[:5]) == [Astray("the stream ends within a V2GTP header, after 5 of 8 octets", 5)]


def test_a_gap_is_passed_over() -> None:
    cutter = Cutter(CAR_RECEIVES)
    assert not list(cutter.feed(ONE[:9]))
    cutter.lost(20)
    found = list(cutter.feed(TWO[3:] + ONE))
    assert found == [Astray("20 octets before it are missing in the capture", 9 + len(TWO) - 3), Frame(PayloadType.DC, b"\x80one")]


def test_a_stream_from_its_middle_needs_exi_behind_the_header() -> None:
    found = cut(b"\x01\xfe\x80\x04\x00\x00\x00\x04none", ONE, adrift=True)
    assert found[-1] == Frame(PayloadType.DC, b"\x80one")
