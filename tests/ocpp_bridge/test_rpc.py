"""Frames and their exchange, without a socket: what is answered to what, and in which order."""

import itertools
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge.wire.rpc import (
    CONNECTION_LOST,
    OPEN_LIMIT,
    TIMEOUT,
    Answered,
    Asked,
    Exchange,
    Failed,
    FrameFault,
    Ignored,
    Streamed,
    read,
)
from ocpp_bridge.wire.schemas import PayloadFault, Version, actions, check

HEARTBEAT = {"currentTime": "2026-11-22T18:00:00Z"}
STATUS = {"timestamp": "2026-11-22T18:00:00Z", "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
STREAM = {"id": 1, "pending": 0, "basetime": "2026-11-22T18:00:00Z", "data": [{"t": 0.0, "v": "50.01"}]}


def exchange(version: Version = "ocpp2.1", supported: frozenset[str] = frozenset({"Reset", "SetChargingProfile"})) -> Exchange:
    numbers = itertools.count()
    return Exchange(version, lambda n: next(numbers).to_bytes(n, "big"), supported)


def frames(peer: Exchange, now: float = 0.0) -> list:
    return [json.loads(text) for text in peer.frames(now)]


def received(peer: Exchange, *parts: object):
    return peer.receive(json.dumps(parts))


# --- our calls ---


def test_one_call_is_open_at_a_time_and_the_order_is_that_of_the_calls():
    peer = exchange()
    ids = [peer.call("Heartbeat", {}, 30), peer.call("StatusNotification", STATUS, 30), peer.call("Heartbeat", {}, 30)]
    seen = []
    for id_ in ids:
        [frame] = frames(peer)
        assert frames(peer) == []
        seen.append(frame[1])
        [event] = received(peer, 3, id_, HEARTBEAT if frame[2] == "Heartbeat" else {})
        assert isinstance(event, Answered)
    assert seen == ids
    assert len(set(ids)) == 3
    assert all(len(id_) == 36 for id_ in ids)


def test_calls_of_the_peer_are_answered_while_ours_is_open():
    peer = exchange()
    peer.call("Heartbeat", {}, 30)
    frames(peer)
    [asked] = received(peer, 2, "x", "Reset", {"type": "OnIdle"})
    assert asked == Asked("x", "Reset", {"type": "OnIdle"})
    peer.answer("x", {"status": "Accepted"})
    assert frames(peer) == [[3, "x", {"status": "Accepted"}]]


def test_a_call_that_is_not_answered_fails_and_the_next_one_goes_out():
    peer = exchange()
    first, second = peer.call("Heartbeat", {}, 30), peer.call("Heartbeat", {}, 5)
    frames(peer, now=100.0)
    assert peer.deadline() == 130.0
    assert peer.tick(129.9) == []
    [failed] = peer.tick(130.0)
    assert (failed.id, failed.code) == (first, TIMEOUT)
    assert [frame[1] for frame in frames(peer, now=130.0)] == [second]
    assert peer.deadline() == 135.0
    assert isinstance(received(peer, 3, first, HEARTBEAT)[0], Ignored)  # too late


def test_the_peers_error_ends_our_call():
    peer = exchange()
    id_ = peer.call("Heartbeat", {}, 30)
    frames(peer)
    assert received(peer, 4, id_, "InternalError", "no", {}) == [Failed(id_, "Heartbeat", "InternalError", "no")]


def test_an_error_without_id_ends_the_call_that_is_open():
    peer = exchange()
    id_ = peer.call("Heartbeat", {}, 30)
    frames(peer)
    assert received(peer, 4, "-1", "RpcFrameworkError", "", {}) == [Failed(id_, "Heartbeat", "RpcFrameworkError", "")]


def test_all_calls_fail_when_the_connection_is_lost():
    peer = exchange()
    ids = [peer.call("Heartbeat", {}, 30) for _ in range(3)]
    frames(peer)
    assert [(f.id, f.code) for f in peer.lost()] == [(id_, CONNECTION_LOST) for id_ in ids]
    assert frames(peer) == []


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("StatusNotification", STATUS | {"connectorStatus": "Sleepy"}, "PropertyConstraintViolation"),
        ("StatusNotification", STATUS | {"timestamp": "now"}, "PropertyConstraintViolation"),
        ("StatusNotification", STATUS | {"evseId": "1"}, "TypeConstraintViolation"),
        ("StatusNotification", {"evseId": 1}, "OccurrenceConstraintViolation"),
        ("StatusNotification", STATUS | {"colour": "red"}, "FormatViolation"),
        ("Dance", {}, "NotImplemented"),
    ],
)
def test_we_never_send_what_breaks_the_schema(action, payload, code):
    peer = exchange()
    with pytest.raises(PayloadFault) as caught:
        peer.call(action, payload, 30)
    assert caught.value.code == code
    assert frames(peer) == []


# --- the peer's calls ---


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Dance", {}, "NotImplemented"),
        ("NotifyPeriodicEventStream", STREAM, "NotImplemented"),
        ("Heartbeat", {}, "NotSupported"),
        ("Reset", {}, "OccurrenceConstraintViolation"),
        ("Reset", {"type": 1}, "TypeConstraintViolation"),
        ("Reset", {"type": "Never"}, "PropertyConstraintViolation"),
        ("Reset", {"type": "OnIdle", "why": 1}, "FormatViolation"),
    ],
)
def test_a_call_that_cannot_be_served_is_refused_with_the_code_of_the_specification(action, payload, code):
    peer = exchange()
    assert isinstance(received(peer, 2, "x", action, payload)[0], Ignored)
    [[kind, id_, said, text, details]] = frames(peer)
    assert (kind, id_, said, details) == (4, "x", code, {})
    assert 0 < len(text) <= 255


@pytest.mark.parametrize("value", ["9" * 400, "-" + "9" * 400, "1" + "0" * 40, "[" * 400 + "]" * 400, '{"a":' * 400 + "1" + "}" * 400])
def test_a_value_beyond_all_bounds_is_refused_and_no_more(value):
    peer = exchange(supported=frozenset({"GetCompositeSchedule"}))
    peer.receive(f'[2,"x","GetCompositeSchedule",{{"evseId":{value},"duration":"x"}}]')
    assert [frame[:2] for frame in frames(peer)] == [[4, "x"]]
    peer.receive(f'[2,"y","GetCompositeSchedule",{{"evseId":1,"duration":60,"customData":{{"vendorId":"v","deep":{value}}}}}]')
    assert all(frame[:2] == [4, "y"] for frame in frames(peer))


def test_201_spells_occurrence_with_one_r():
    peer = exchange("ocpp2.0.1")
    received(peer, 2, "x", "Reset", {})
    assert frames(peer)[0][2] == "OccurenceConstraintViolation"


def test_a_refusal_never_repeats_the_value():
    peer = exchange(supported=frozenset({"RequestStartTransaction"}))
    received(peer, 2, "x", "RequestStartTransaction", {"remoteStartId": 1, "idToken": {"idToken": "SECRET" * 50, "type": "Central"}})
    assert "SECRET" not in peer.frames(0.0)[0]


def test_our_answer_is_held_to_its_schema_too():
    peer = exchange()
    received(peer, 2, "x", "Reset", {"type": "OnIdle"})
    with pytest.raises(PayloadFault):
        peer.answer("x", {"status": "Perhaps"})
    peer.refuse("x", "InternalError", "")
    assert frames(peer) == [[4, "x", "InternalError", "", {}]]


def test_a_retry_of_a_call_in_work_is_answered_once():
    peer = exchange()
    assert isinstance(received(peer, 2, "x", "Reset", {"type": "OnIdle"})[0], Asked)
    assert isinstance(received(peer, 2, "x", "Reset", {"type": "OnIdle"})[0], Ignored)
    peer.answer("x", {"status": "Accepted"})
    assert len(frames(peer)) == 1


def test_a_peer_that_calls_without_end_is_bounded():
    peer = exchange()
    for number in range(OPEN_LIMIT + 5):
        received(peer, 2, str(number), "Reset", {"type": "OnIdle"})
    assert [frame[2] for frame in frames(peer)] == ["GenericError"] * 5


def test_an_invalid_result_is_told_in_21_and_only_there():
    for version, told in (("ocpp2.1", [[5, "TypeConstraintViolation"]]), ("ocpp2.0.1", [])):
        peer = exchange(version)
        id_ = peer.call("Heartbeat", {}, 30)
        frames(peer)
        [failed] = received(peer, 3, id_, {"currentTime": 1})
        assert (failed.id, failed.code) == (id_, "TypeConstraintViolation")
        assert [[frame[0], frame[2]] for frame in frames(peer)] == told


def test_send_is_read_and_written_in_21_only():
    peer = exchange()
    assert received(peer, 6, "x", "NotifyPeriodicEventStream", STREAM) == [Streamed("NotifyPeriodicEventStream", STREAM)]
    assert isinstance(received(peer, 6, "y", "NotifyPeriodicEventStream", {})[0], Ignored)
    peer.send("NotifyPeriodicEventStream", STREAM)
    assert [frame[0] for frame in frames(peer)] == [6]
    with pytest.raises(PayloadFault):
        exchange("ocpp2.0.1").send("NotifyPeriodicEventStream", STREAM)


# --- frames that are none ---

MALFORMED = [
    ("", "-1"),
    ("{", "-1"),
    ("{}", "-1"),
    ("[]", "-1"),
    ("3", "-1"),
    ("[NaN]", "-1"),
    ('["2","x","Reset",{}]', "-1"),
    ("[2]", "-1"),
    ('[2,7,"Reset",{}]', "-1"),
    ('[2,"","Reset",{}]', "-1"),
    (f'[2,"{"x" * 37}","Reset",{{}}]', "-1"),
    ('[2,"-1","Reset",{}]', "-1"),
    ('[2,"x"]', "x"),
    ('[2,"x","Reset"]', "x"),
    ('[2,"x","Reset",[]]', "x"),
    ('[2,"x","Reset",null]', "x"),
    ('[2,"x",{},{}]', "x"),
    ('[2,"x","Reset",{},1]', "x"),
    ("[" * 100_000, "-1"),
    ('[2,"x","Reset",' + '{"a":' * 5000, "-1"),
    (b"[2]", "-1"),
]


@pytest.mark.parametrize(("text", "id_"), MALFORMED)
@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
def test_an_unreadable_frame_is_answered_with_RpcFrameworkError(text, id_, version):
    peer = exchange(version)
    assert isinstance(peer.receive(text)[0], Ignored)
    [frame] = frames(peer)
    assert frame[:3] == [4, id_, "RpcFrameworkError"]
    assert isinstance(read(json.dumps(frame), version).fields, tuple)  # what we answer is itself readable, so nothing bounces


@pytest.mark.parametrize(
    "text", ["[3]", '[3,"x"]', '[3,"x",1]', '[4,"x"]', '[4,"x","a",1,{}]', '[5,"x"]', '[6,"x"]', '[3,"x",{},1]', '[6,"x","a"]']
)
def test_a_faulty_answer_is_never_answered(text):
    peer = exchange()
    peer.receive(text)
    assert frames(peer) == []


def test_unknown_message_types_are_ignored_in_21_and_refused_in_201():
    for version, said in (("ocpp2.1", []), ("ocpp2.0.1", ["MessageTypeNotSupported"] * 3)):
        peer = exchange(version)
        for kind in (7, 1, 6):
            received(peer, kind, "x", "Dance", {})
        assert [frame[2] for frame in frames(peer)] == said


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c), max_leaves=8
)


@given(st.one_of(st.text(), st.binary(), json_values.map(json.dumps), st.lists(json_values, max_size=6).map(json.dumps)))
def test_any_text_is_a_frame_or_a_fault(text):
    for version in ("ocpp2.1", "ocpp2.0.1"):
        with suppress(FrameFault):
            read(text, version)


@given(st.integers(2, 6), st.sampled_from(["x", "open", "-1"]), st.lists(json_values | st.just("Reset"), max_size=4))
def test_an_exchange_survives_whatever_comes(kind, id_, fields):
    peer = exchange()
    ours = peer.call("Heartbeat", {}, 30)
    frames(peer)
    peer.receive(json.dumps([kind, ours if id_ == "open" else id_, *fields]))
    for text in peer.frames(0.0):
        read(text, "ocpp2.1")


# --- schemas ---


@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
def test_every_schema_compiles(version):
    names = actions(version)
    assert len(names) == {"ocpp2.1": 91, "ocpp2.0.1": 64}[version]
    for action in names - {"NotifyPeriodicEventStream"}:
        for direction in ("Request", "Response"):
            with pytest.raises(PayloadFault):
                check(version, action, direction, {"a key that no message has": 1})
