"""Octets that nobody should send, in every state: an answer or an end, never an exception, and never a live outlet left behind."""

import copy
import random

import pytest

from secc import station as words
from secc.conduct import Diary
from tests.secc.scripted import Scripted
from tests.secc.test_order import WAITING, reach
from v2g.iso20 import frames
from v2g.iso20.sequence import State, requests_in
from v2g.session.endpoint import FrameReceived
from v2g.session.v2gtp import FrameReader, frame

MUTANTS = 150  # of each state; the codec has its own, far longer test


def twin(car: Scripted) -> Scripted:
    """The same session once more; its context is a value, only its buffers are its own."""
    other = copy.copy(car)
    other.session = copy.copy(car.session)
    other.session._reader, other.session._out, other.session._diary = FrameReader(), [], Diary(car.session._diary.now)
    other.session._events = other.session._diary.events
    other.reader, other.happened = FrameReader(), []
    return other


def requests(state: State) -> list[bytes]:
    """The frames that led to a state, and the least of each request that it admits."""
    from tests.secc.test_order import request

    car = reach(state)
    known = [frame(event.payload_type, event.exi) for event in car.happened if isinstance(event, FrameReceived)]
    return known + [frames.framed(request(car, kind)) for kind in requests_in(state)]


def survived(car: Scripted, octets: bytes) -> None:
    live = car.session.context.energised
    car.octets(octets)
    assert len(car.answers()) <= octets.count(b"\x01\xfe") + 1
    if car.session.ended is not None:
        assert car.session.deadline() is None
        assert bool(car.wants(words.OpenContactor)) or not live
        assert car.session.octets_to_send() == b""


@pytest.mark.parametrize("state", WAITING, ids=lambda state: state.value)
def test_flipped_bits(state: State) -> None:
    dice = random.Random(state.value)
    car, given = reach(state), requests(state)
    for _ in range(MUTANTS):
        octets = bytearray(dice.choice(given))
        for _ in range(dice.choice((1, 1, 2, 8))):
            octets[dice.randrange(len(octets))] ^= 1 << dice.randrange(8)
        survived(twin(car), bytes(octets))


@pytest.mark.parametrize("state", [State.SUPPORTED_APP_PROTOCOL, State.AUTHORIZATION, State.DC_LOOP], ids=lambda state: state.value)
def test_a_request_cut_at_every_octet(state: State) -> None:
    car, octets = reach(state), requests(state)[-1]
    for end in range(len(octets) - 8):
        survived(twin(car), frame(int.from_bytes(octets[2:4], "big"), octets[8 : 8 + end] or b"\x80"))


def test_a_response_to_the_station_is_no_request() -> None:
    car = reach(State.DC_LOOP)
    response = car.loop("DC_BPT")
    other = twin(car)
    other.send(response)
    assert other.answers() == []
    assert other.session.ended is not None
    assert len(other.wants(words.OpenContactor)) == 1


def test_random_octets() -> None:
    dice = random.Random(20)
    car = reach(State.DC_LOOP)
    for _ in range(200):
        octets = dice.randbytes(dice.randrange(1, 300))
        survived(twin(car), octets)
        survived(twin(car), frame(dice.choice(list(frames.SETS)), octets))
