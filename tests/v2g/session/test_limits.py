"""What strangers' octets cost a session at most, counted in octets looked at, codes read and elements made; never in seconds."""

import random
import tracemalloc
from functools import cache
from typing import Any

import msgspec
import pytest

from fuzz.siege.frames import KINDS, largest
from fuzz.siege.fullest import filled, fullest, signature
from tests.secc.scripted import Scripted
from tests.secc.test_order import WAITING, reach, request
from tests.v2g.exi.test_engines import counted
from v2g.exi import codec, engine
from v2g.exi.codec import DecodeError, encode
from v2g.exi.decoder import Decoder
from v2g.exi.derive import least
from v2g.exi.sample import samples
from v2g.exi.schema import Type, fields
from v2g.iso20 import frames, limits
from v2g.iso20.limits import BOUNDS, LIMITS, state_limit
from v2g.iso20.sequence import REQUESTS, State, requests_in, response_to, row
from v2g.messages import schema_set, xmldsig
from v2g.messages.app_protocol import responseCodeType as sapCodeType
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.common_messages import (
    AuthorizationReq,
    CertificateInstallationReq,
    ScheduleExchangeReq,
    ServiceDetailReq,
    SessionSetupReq,
)
from v2g.messages.common_types import MessageHeaderType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.bounds import FRAMES_AT_ONCE
from v2g.session.errors import FramingError
from v2g.session.v2gtp import AHEAD, HEADER_LENGTH, FrameReader, PayloadType, frame

ENGINES = list(engine.ENGINES)
MEMORY = 8 * 2**20  # octets that one frame may take while it is read, the largest legal request included


@pytest.fixture(params=ENGINES)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(engine, "_used", request.param)
    return str(request.param)


# --- the table, held against the schema ---


@pytest.mark.parametrize("cls", LIMITS, ids=lambda cls: cls.__name__)
def test_the_largest_message_of_the_schema_is_within_its_limit(cls: type[Type]) -> None:
    message, octets = filled(cls)
    limit = LIMITS[cls]
    assert len(octets) <= limit.octets
    assert counted(message) <= limit.items
    assert frames.read_bounded(frames.payload_type_of(cls), octets).message == message
    if limit is not limits.ANY_OTHER:
        assert limit.octets < 2.2 * len(octets), "the number has lost its argument"


@pytest.mark.parametrize("name", ["ac_der_iec", "ac_der_sae"])
@pytest.mark.parametrize("cls", [cls for cls in LIMITS if cls.__module__.endswith(".ac")], ids=lambda cls: cls.__name__)
def test_the_largest_message_of_an_amendment_is_within_its_limit(cls: type[Type], name: str) -> None:
    message = fullest(cls, name, signature() if issubclass(cls, tuple(REQUESTS)) else None)
    octets, limit = encode(message, schema_set(name)), limits.limit_of(cls, name)
    assert "DER_" in next(type(getattr(message, field)).__name__ for field in frames.MODE_FIELDS if hasattr(message, field))
    assert len(octets) <= limit.octets
    assert counted(message) <= limit.items
    payload_type = frames.payload_type_for(message)
    assert frames.SETS[payload_type] == name
    assert frames.read_bounded(payload_type, octets).message == message
    if limit is not limits.ANY_OTHER and limit.octets > limits.ANY_OTHER.octets:
        assert limit.octets < 2.2 * len(octets), "the number has lost its argument"
    request = cls if cls in REQUESTS else next(one for one in REQUESTS if response_to(one) is cls)
    assert limits.answer_limit(request) >= limits.limit_of(response_to(request), name).octets


def test_what_each_state_takes() -> None:
    assert state_limit(State.SUPPORTED_APP_PROTOCOL) == 2560
    assert state_limit(State.SESSION_SETUP) == 1024
    assert state_limit(State.AUTHORIZATION_SETUP) == state_limit(State.AUTHORIZATION) == 12 * 1024
    long = {state for state in WAITING if state_limit(state) > 68 * 1024}
    assert long == {state for state in WAITING if row(state, ScheduleExchangeReq) is not None}  # beside the loop, too
    assert not long & {State.SERVICE_DISCOVERY, State.AC_PARAMETERS, State.DC_CABLE_CHECK, State.DC_START}
    assert max(map(state_limit, WAITING)) == 128 * 1024
    assert all(LIMITS[request].octets <= state_limit(state) for state in WAITING for request in requests_in(state))


# --- frames as large as may be ---


class Counts:
    """What the patient walk did: how often it was called, and how far it looked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.walks = self.codes = self.octets = 0
        read, at = Decoder.read, self

        def counted_read(walk: Decoder, fragment: bool) -> Any:
            at.walks += 1
            try:
                return read(walk, fragment)
            finally:
                at.codes = max(at.codes, BOUNDS.patience - walk.patience)
                at.octets = max(at.octets, walk.bits.size // 8)

        monkeypatch.setattr(Decoder, "read", counted_read)


@cache
def within(kind: str, cut: bool, cls: type[Type], size: int) -> bytes:
    """Octets of a kind in the header of that request, as many as it may have: the longest field first, as the siege makes them."""
    if cut:
        return within(kind, False, cls, size)[:-40]
    payload = largest(kind, False)[HEADER_LENGTH:]
    name = frames.SETS[frames.payload_type_of(cls)]
    hostile = codec.read(payload, schema_set("common")).message.Header.Signature  # type: ignore[attr-defined]

    def scaled(share: float) -> bytes:
        fewer = _fewer(hostile, share)
        header = MessageHeaderType(SessionID=bytes(8), TimeStamp=1, Signature=fewer)
        return encode(msgspec.structs.replace(least(cls), Header=header), schema_set(name))

    octets = scaled(size * 0.97 / len(payload))
    assert 0.8 * size < len(octets) <= size
    return octets


def _fewer(value: Any, share: float) -> Any:
    """The same with that share of its longest list."""
    if isinstance(value, tuple):
        return value[: int(len(value) * share)] if len(value) > 100 else tuple(_fewer(one, share) for one in value)
    if not isinstance(value, Type):
        return value
    return msgspec.structs.replace(value, **{field.name: _fewer(getattr(value, field.name), share) for field in fields(type(value))})


@pytest.mark.parametrize("cut", [False, True], ids=["valid", "cut"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_hostile_frames_cost_one_short_look(kind: str, cut: bool, quick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as whichever:  # the quickest makes them
        whichever.setattr(engine, "_used", ENGINES[0])
        octets = within(kind, cut, ScheduleExchangeReq, LIMITS[ScheduleExchangeReq].octets)
    with pytest.raises(DecodeError):
        frames.read_bounded(PayloadType.COMMON, octets)  # what is made on first use
    counts = Counts(monkeypatch)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError) as refused:
            frames.read_bounded(PayloadType.COMMON, octets)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.path[0] == "ScheduleExchangeReq"
    assert counts.walks == 1
    assert counts.codes <= BOUNDS.patience
    assert counts.octets <= BOUNDS.unusual
    assert peak < 2**20


def test_the_largest_legal_request_costs_no_look_and_bounded_memory(quick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if quick == "patient":
        pytest.skip("this engine has no quick way, and the patient one looks no further than it should")
    message, octets = filled(ScheduleExchangeReq)
    frames.read_bounded(PayloadType.COMMON, octets)
    counts = Counts(monkeypatch)
    tracemalloc.start()
    try:
        assert frames.read_bounded(PayloadType.COMMON, octets).message == message
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counts.walks == 0
    assert peak < MEMORY
    for broken in (octets[:-3], octets[: len(octets) // 2], octets + b"\1"):
        with pytest.raises(DecodeError) as refused:
            frames.read_bounded(PayloadType.COMMON, broken)
        assert refused.value.path[0] == "ScheduleExchangeReq"
        assert "longer than the " in refused.value.reason
    assert counts.walks == 3
    assert (counts.octets, counts.codes) <= (BOUNDS.unusual, BOUNDS.patience + 1)


@pytest.mark.parametrize(
    ("signed", "says"),
    [
        ({"KeyInfo": xmldsig.KeyInfoType(items=(xmldsig.KeyName(value="k"),))}, "SignatureType: KeyInfo: no message has it"),
        ({"Object": (xmldsig.ObjectType(),)}, "Object: no message has it"),
        ({"SignedInfo": 5}, "more than 4 Reference: no message has so many"),
    ],
)
def test_what_no_message_carries_is_answered(signed: dict[str, Any], says: str, quick: str) -> None:
    whole = signature()
    if signed.get("SignedInfo") == 5:
        info = whole.SignedInfo
        signed = {"SignedInfo": msgspec.structs.replace(info, Reference=info.Reference * 5)}
    car = reach(State.AUTHORIZATION)
    car.send(least(AuthorizationReq, Header=car.header(msgspec.structs.replace(whole, **signed))))
    (answer,) = car.answers()
    assert type(answer) is response_to(AuthorizationReq)
    assert answer.ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert says.removeprefix("SignatureType: ") in str(car.session.ended.error)


def test_four_references_are_a_signature(quick: str) -> None:
    info = signature().SignedInfo
    four = msgspec.structs.replace(signature(), SignedInfo=msgspec.structs.replace(info, Reference=info.Reference * 4))
    header = MessageHeaderType(SessionID=bytes(8), TimeStamp=1, Signature=four)
    octets = frames.exi(least(AuthorizationReq, Header=header))
    assert frames.read_bounded(PayloadType.COMMON, octets).message.Header == header  # type: ignore[attr-defined]


def test_all_engines_refuse_and_take_the_same() -> None:
    """Whatever becomes of a frame, it becomes of it with every engine: for the same reason, where the reason is in what was looked into."""
    chance, usual, told = random.Random(20), engine.used(), 0
    try:
        for name in ("common", "dc"):
            for message in samples(schema_set(name), chance):
                if type(message) not in LIMITS:
                    continue
                octets = bytearray(frames.exi(message))
                for _ in range(30):
                    octets[chance.randrange(1, len(octets))] ^= 1 << chance.randrange(8)
                    found = []
                    for each in ENGINES:
                        engine.use(each)
                        found.append(outcome(bytes(octets), frames.payload_type_of(type(message))))
                    assert all(one == found[0] for one in found), found
                    told += isinstance(found[0], str)
    finally:
        engine.use(usual)
    assert told > 500


def outcome(octets: bytes, payload_type: int) -> Any:
    try:
        return frames.read_bounded(payload_type, octets)
    except DecodeError as refusal:
        return str(refusal)


# --- sessions ---


@pytest.mark.parametrize("state", WAITING, ids=lambda state: state.value)
def test_a_frame_too_long_for_its_state_costs_its_header(state: State) -> None:
    car = reach(state)
    length = state_limit(state) + 1
    car.octets(bytes.fromhex("01fe8002") + length.to_bytes(4, "big"))
    assert car.session.ended is not None
    assert f"payload length is {length} octets, must be 1 to {state_limit(state)}" in str(car.session.ended.error)
    assert car.session._reader.pending == 0


def test_a_request_too_long_for_its_name_is_answered_before_it_is_read(quick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for state in (State.AUTHORIZATION, State.DC_SCHEDULE, State.DC_LOOP):
        for kind in REQUESTS:
            limit = LIMITS[kind].octets
            if limit >= state_limit(state):
                continue
            car = reach(state)
            payload = frames.exi(request(car, kind))
            counts = Counts(monkeypatch)
            car.octets(frame(frames.payload_type_of(kind), payload + bytes(limit + 1 - len(payload))))
            assert counts.walks == 0
            (answer,) = car.answers()
            assert type(answer) is response_to(kind)
            assert answer.ResponseCode is (sapCodeType.Failed_NoNegotiation if kind is supportedAppProtocolReq else Code.FAILED)
            assert f"{kind.__name__}: {limit + 1} octets, it has at most {limit}" in str(car.session.ended and car.session.ended.error)


@pytest.mark.parametrize(
    "state", [state for state in WAITING if CertificateInstallationReq not in requests_in(state)], ids=lambda s: s.value
)
def test_a_long_request_out_of_its_turn_has_its_answer(state: State) -> None:
    """Once a session is set up: before, nobody has a reason to send certificates."""
    car = reach(state)
    if state_limit(state) < LIMITS[CertificateInstallationReq].octets:
        assert state in (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP)
        return
    message, _ = filled(CertificateInstallationReq)
    car.send(msgspec.structs.replace(message, Header=car.header()))
    (answer,) = car.answers()
    assert type(answer) is response_to(CertificateInstallationReq)
    assert answer.ResponseCode is Code.FAILED_SequenceError


def test_an_element_that_is_no_message_is_not_read(quick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    many = xmldsig.ManifestType(Reference=(signature().SignedInfo.Reference[0],) * 40)
    car, octets = reach(State.DC_SCHEDULE), encode(many, schema_set("common"))
    counts = Counts(monkeypatch)
    car.octets(frame(PayloadType.COMMON, octets))
    assert counts.walks == 0
    assert "Manifest: no message of a session" in str(car.session.ended and car.session.ended.error)


def test_two_sets_are_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under 0x8001 a message may be of two sets; which, its first bits tell."""
    car = reach(State.AUTHORIZATION)
    counts = Counts(monkeypatch)
    car.octets(frame(PayloadType.EXI, frames.exi(request(car, CertificateInstallationReq))[:-1] + b"\xff\xff"))
    assert counts.walks == 1
    (answer,) = car.answers()
    assert type(answer) is response_to(CertificateInstallationReq)


def test_who_does_not_wait_for_answers_is_not_served() -> None:
    car = reach(State.SERVICE_SELECTION)
    asked = frames.framed(least(ServiceDetailReq, Header=car.header(), ServiceID=6))
    car.octets(asked * (FRAMES_AT_ONCE + 5))
    assert len(car.answers()) == FRAMES_AT_ONCE
    assert isinstance(car.session.ended and car.session.ended.error, FramingError)
    assert f"more than {FRAMES_AT_ONCE} requests at once" in str(car.session.ended and car.session.ended.error)


def test_what_waits_behind_a_parked_request_is_bounded() -> None:
    car = reach(State.DC_START)
    car.auto = False
    car.send(car.power("Start", EVPowerProfile=car.profile("Scheduled")))
    assert car.session._parked is not None
    kept = 0
    for _ in range(1000):
        car.octets(bytes.fromhex("01fe800200000400") + bytes(1000))
        kept = max(kept, car.session._reader.pending)
    assert 0 < kept <= HEADER_LENGTH + state_limit(State.DC_START) + AHEAD


def test_who_has_said_nothing_yet_is_kept_a_little_of() -> None:
    for octets in (bytes(100_000), frame(PayloadType.EXI, bytes(2500)) * 30):
        car = Scripted()
        car.octets(octets)
        assert car.session._reader.pending == 0
        assert "octets came at once, a message here has at most 2560" in str(car.session.ended and car.session.ended.error)


def test_a_reader_keeps_no_more_than_a_frame_and_a_little() -> None:
    reader = FrameReader(limit=1024, ahead=AHEAD)
    reader.feed(bytes.fromhex("01fe800200000400") + bytes(1024 + AHEAD))
    assert reader.next() is not None
    reader.feed(bytes(1024 + HEADER_LENGTH))
    reader.feed(b"\0")
    assert reader.pending == 0
    with pytest.raises(FramingError, match=f"{HEADER_LENGTH + 1024 + AHEAD + 1} octets came at once, a message here has at most 1024"):
        reader.next()


def test_a_new_session_has_room_for_the_longest_identity(quick: str) -> None:
    car = reach(State.SESSION_SETUP)
    car.send(SessionSetupReq(Header=car.header(), EVCCID="\u20ac" * 255))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK_NewSessionEstablished
