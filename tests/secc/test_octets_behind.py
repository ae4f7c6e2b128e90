"""Octets that follow a request inside its frame: zeros, as real cars append them, are put up with and told; anything else is answered."""

from typing import Any

import pytest

from tests.secc.scripted import Scripted, outlet
from tests.secc.test_order import WAITING, reach, request
from v2g.exi.schema import Type
from v2g.generations import GENERATIONS
from v2g.iso20 import frames
from v2g.iso20.sequence import REQUESTS, State, requests_in, response_to
from v2g.messages.app_protocol import responseCodeType as sapCodeType
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.common_messages import CertificateInstallationReq, SessionSetupReq
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import FrameReceived
from v2g.session.errors import PeerMisbehaved
from v2g.session.trace import Trace
from v2g.session.v2gtp import PayloadType, frame

CASES = [(state, kind) for state in WAITING for kind in requests_in(state)]
TAILS = (b"\xff", b"\0\1", b"\1" * 16)  # taken in turn: every request meets each of them, in one state or another
TURNS = [(state, kind, TAILS[(i + j) % 3]) for i, state in enumerate(WAITING) for j, kind in enumerate(REQUESTS)]


def spelt(value: Any) -> str:
    """The id of a parameter."""
    return value.hex() if isinstance(value, bytes) else getattr(value, "value", getattr(value, "__name__", ""))


def padded(car: Scripted, asked: Type, tail: bytes) -> None:
    car.octets(frame(frames.payload_type_of(type(asked)), frames.exi(asked) + tail))


def heard(car: Scripted) -> FrameReceived:
    return [event for event in car.happened if isinstance(event, FrameReceived)][-1]


@pytest.mark.parametrize(("state", "kind"), CASES, ids=spelt)
@pytest.mark.parametrize("zeros", [1, 2, 16, 570])
def test_zeros_change_nothing_and_stand_in_the_trace(state: State, kind: type[Type], zeros: int) -> None:
    plain, other = reach(state), reach(state)
    plain.send(request(plain, kind))
    padded(other, request(other, kind), bytes(zeros))
    assert heard(other).message == heard(plain).message
    assert other.answers() == plain.answers()
    ends = [car.session.ended and (car.session.ended.how, str(car.session.ended.error)) for car in (plain, other)]
    assert ends[0] == ends[1]
    record = Trace("secc", lambda at: at, GENERATIONS).record(heard(other))
    assert len(record["findings"]) == 1
    assert "0x00 follow" in record["findings"][0]
    assert kind.__name__ in record["findings"][0]
    assert Trace("secc", lambda at: at, GENERATIONS).record(heard(plain))["findings"] == []


@pytest.mark.parametrize(("state", "kind", "tail"), TURNS, ids=spelt)
def test_anything_else_gets_the_paired_response(state: State, kind: type[Type], tail: bytes) -> None:
    car = reach(state)
    padded(car, request(car, kind), tail)
    (answer,) = car.answers()
    assert type(answer) is response_to(kind)
    assert answer.ResponseCode is (sapCodeType.Failed_NoNegotiation if kind is supportedAppProtocolReq else Code.FAILED)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, PeerMisbehaved)
    assert f"{kind.__name__}: " in str(car.session.ended.error)
    assert f"the end, not all of them 0x00: 0x{tail.hex()[:16]}" in str(car.session.ended.error)


@pytest.mark.parametrize("profile", ["conformance", "interop"])
def test_the_profile_makes_no_difference(profile: Any) -> None:
    for tail, answered in ((bytes(2), Code.OK_NewSessionEstablished), (b"\xff", Code.FAILED)):
        car = Scripted(outlet(profile=profile))
        car.sap("dc")
        padded(car, SessionSetupReq(Header=car.header(), EVCCID="WMIV1234567890ABCDEX"), tail)
        (answer,) = car.answers()
        assert answer.ResponseCode is answered


def test_a_request_on_the_stream_of_the_older_generations_is_answered_as_what_it_is() -> None:
    car = reach(State.AUTHORIZATION)
    asked = request(car, CertificateInstallationReq)
    car.octets(frame(PayloadType.EXI, frames.exi(asked) + b"\xff"))
    (answer,) = car.answers()
    assert type(answer) is response_to(CertificateInstallationReq)
    assert answer.ResponseCode is Code.FAILED
