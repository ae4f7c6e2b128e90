"""The trace: every record as documented, complete, and without keys."""

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.v2g.session.peers import Station, car_tls, drive, go, station_tls
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.generations import GENERATIONS
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    EVPowerProfileEntryListType,
    EVPowerProfileType,
    PowerDeliveryReq,
    SessionSetupReq,
    SessionSetupRes,
)
from v2g.messages.dc import DC_ChargeLoopReq, DC_ChargeLoopRes
from v2g.session.endpoint import Ended, Event, FrameReceived, FrameSent, Noted, Relaxed, StateEntered
from v2g.session.errors import TimedOut
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Unprotected
from v2g.session.trace import RECORDS, OcppFrame, Record, Trace, TraceWriter, full, line
from v2g.session.transport import Server

HERE, THERE = ("::1", 50000), ("::1", 50001)


def checked(record: Record) -> Record:
    """The record as a reader gets it; it has exactly what the table says."""
    read: Record = json.loads(line(record))
    assert set(read) == {"type", "connection", "at", "epoch"} | set(RECORDS[read["type"]]), read
    return read


def trace(side: str = "secc", **given: Any) -> Trace:
    return Trace(side, lambda at: 1_700_000_000 + at, GENERATIONS, **given)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Wanted(Event):
    colour: Colour
    octets: bytes
    more: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Connected(1.0, HERE, THERE), {"type": "connected", "local": ["::1", 50000], "peer": ["::1", 50001]}),
        (
            OcppFrame(1.0, "sent", "call", "Heartbeat", "1", {}),
            {"type": "ocpp", "direction": "sent", "kind": "call", "action": "Heartbeat", "id": "1", "payload": {}, "evse": ""},
        ),
        (Unprotected(1.0), {"type": "plain", "requirement": "V2G20-2356"}),
        (HandshakeFailed(1.0, "refused", "us", "unknown_ca"), {"type": "handshake-failed", "by": "us", "alert": "unknown_ca"}),
        (StateEntered(1.0, "SessionSetup", "Sequence", 60.0), {"type": "state", "timer": "Sequence", "limit": 60.0}),
        (Relaxed(1.0, "group secp256r1", "V2G20-2460"), {"type": "relaxed", "requirement": "V2G20-2460"}),
        (Noted(1.0, "chosen", {"a": (1, Colour.RED)}), {"type": "note", "facts": {"a": [1, "red"]}}),
        (
            Wanted(1.0, Colour.RED, b"\x01", {"x": HERE}),
            {"type": "event", "name": "Wanted", "facts": {"colour": "red", "octets": "01", "more": {"x": ["::1", 50000]}}},
        ),
        (Disconnected(1.0, "peer", True, "", Ended("Terminate")), {"type": "end", "how": "Terminate", "well": True, "error": None}),
        (
            Disconnected(1.0, "us", True, "", Ended("silent", TimedOut("T", 60, "no request", "V2G20-443"))),
            {"type": "end", "well": False, "requirement": "V2G20-443", "error": "T of 60 s ran out: no request [V2G20-443]"},
        ),
        (Disconnected(1.0, "peer", False, "reset"), {"type": "end", "how": "no session", "well": False, "error": "reset"}),
    ],
)
def test_records_say_what_the_table_says(event: Event, expected: dict[str, Any]) -> None:
    record = checked(trace().record(event))
    assert expected.items() <= record.items()
    assert (record["at"], record["epoch"]) == (1.0, 1_700_000_001.0)


def test_a_frame_is_kept_whole_and_can_be_decoded_again() -> None:
    message = least(SessionSetupReq)
    exi = encode(message, schema_set("common"))
    record = checked(trace().record(FrameReceived(2.0, 0x8002, "common", exi, message, 0.125)))
    assert record["payload_type"] == "0x8002"
    assert record["name"] == "SessionSetupReq"
    assert record["message"]["SessionSetupReq"]["EVCCID"] == message.EVCCID
    assert record["gap"] == 0.125
    assert decode(bytes.fromhex(record["exi"]), schema_set(record["set"])) == message


def test_octets_that_are_no_message_are_kept_too() -> None:
    record = checked(trace().record(FrameReceived(2.0, 0x8002, "common", b"\x80\xff", None)))
    assert (record["name"], record["message"], record["exi"], record["gap"]) == (None, None, "80ff", None)


def test_decoding_can_wait() -> None:
    message = least(SessionSetupReq)
    record = checked(trace(decoded=False).record(FrameSent(2.0, 0x8002, "common", b"\x80", message)))
    assert (record["name"], record["message"]) == ("SessionSetupReq", None)


def test_another_process_makes_the_same_record_of_what_is_told_in_brief() -> None:
    loop, answer, odd = least(DC_ChargeLoopReq), least(DC_ChargeLoopRes), ("an element that is unknown",)
    for side, request, response in (("secc", FrameReceived, FrameSent), ("evcc", FrameSent, FrameReceived)):
        whole, brief = trace(side, decoded=False), trace(side, decoded=False)
        for event in (
            StateEntered(0.5, "DC_ChargeLoop", "V2G_SECC_Sequence_Timeout", 0.5),
            request(1.0, 0x8004, "dc", b"\x80", loop),
            response(1.0625, 0x8004, "dc", b"\x80\xff\x01", answer, 0.0625),
            request(1.5, 0x8004, "dc", b"", loop, 0.5),
            FrameReceived(2.0, 0x8002, "common", b"\x80\xff", None, 0.5, odd),
        ):
            expected = json.loads(line(whole.record(event)))
            if isinstance(event, StateEntered):
                brief.record(event)
            else:
                assert full(json.loads(msgspec.json.encode(brief.brief(event)))) == expected
    for wrong in ([], [1, 2], [1, 2.0, 3.0, True, "x", "dc", "gA==", None, [], None, "", None, None], [1] * 14):
        with pytest.raises((TypeError, ValueError)):
            full(wrong)


def test_a_frame_tells_the_limit_it_was_waited_for_with() -> None:
    loop = FrameSent(2.0, 0x8004, "dc", b"\x80", least(DC_ChargeLoopReq))
    entered = StateEntered(1.0, "DC_ChargeLoop", "V2G_SECC_Sequence_Timeout", 0.5)
    received = FrameReceived(2.0, 0x8002, "common", b"\x80", least(SessionSetupRes))
    for side, before, expected in (
        ("secc", entered, ("V2G_SECC_Sequence_Timeout", 0.5)),
        ("evcc", loop, ("V2G_EVCC_Msg_Timeout", 0.5)),
        ("secc", loop, ("", None)),
    ):
        one = trace(side)
        assert checked(one.record(before)).get("timer", "") == ("" if before is loop else expected[0])
        record = checked(one.record(received))
        assert (record["timer"], record["limit"]) == expected


def test_a_gap_stands_beside_what_the_standard_gives_for_it() -> None:
    loop, answer = least(DC_ChargeLoopReq), least(DC_ChargeLoopRes)
    for side, request, response in (("secc", FrameReceived, FrameSent), ("evcc", FrameSent, FrameReceived)):
        one = trace(side)
        first = checked(one.record(request(1.0, 0x8004, "dc", b"\x80", loop)))
        assert (first["performance"], first["margin"]) == (None, None)
        record = checked(one.record(response(1.0625, 0x8004, "dc", b"\x80", answer, 0.0625)))
        assert (record["gap"], record["performance"], record["margin"]) == (0.0625, 0.25, 0.1875)
        late = checked(one.record(request(1.5, 0x8004, "dc", b"\x80", loop, 0.5)))
        assert (late["performance"], late["margin"]) == (0.25, -0.25)
    slow = checked(trace().record(FrameSent(2.0, 0x8002, "common", b"\x80", least(SessionSetupRes), 0.5)))
    assert (slow["performance"], slow["margin"]) == (1.5, 1.0)


def test_the_trace_of_a_real_connection_holds_the_handshake_and_no_key() -> None:
    lines: list[str] = []
    secrets: list[bytes] = []

    class Both(TraceWriter):
        def secret(self, line: bytes) -> None:
            secrets.append(line)

    async def scenario() -> None:
        station = Station()
        observe = [lambda local, peer, number: Both(trace(connection=number), lines.append, {"name": "test"})]
        async with Server(station.attend, "::1", 0, station_tls(), observe=observe) as server:
            assert (await drive(server.port, car_tls())).ended.well
            await server.served.get()

    go(scenario())
    records = [json.loads(one) for one in lines]
    assert [r["type"] for r in records] == ["trace", "connected", "tls", "end"]
    for record in records:
        checked(record)
    assert records[0]["about"] == {"name": "test"}
    assert {r["connection"] for r in records} == {1}
    tls = records[2]
    assert tls["version"] == "TLSv1.3"
    assert [len(tls[key]) for key in ("own_chain", "peer_chain", "authorities_named")] == [3, 3, 2]
    assert tls["limits"]
    assert len(secrets) == 5
    for secret in secrets:
        assert secret.split()[-1].decode() not in "".join(lines)


@pytest.mark.parametrize(("entries", "shown"), [(900, True), (1100, False)])
def test_a_message_of_many_thousand_elements_is_kept_as_octets(entries: int, shown: bool) -> None:
    """To spell it out would take longer than a car waits, and it is the car that says how many there are."""
    entry = least(EVPowerProfileType).EVPowerProfileEntries.EVPowerProfileEntry[0]
    profile = least(EVPowerProfileType, EVPowerProfileEntries=EVPowerProfileEntryListType(EVPowerProfileEntry=(entry,) * entries))
    request = least(PowerDeliveryReq, EVPowerProfile=profile)
    record = checked(trace().record(FrameReceived(2.0, 0x8002, "common", b"\x80", request)))
    assert record["name"] == "PowerDeliveryReq"
    assert (record["message"] is not None) == shown
    assert record["exi"] == "80"


def test_the_documentation_says_what_the_table_says() -> None:
    sections = (Path(__file__).parents[3] / "docs" / "trace.md").read_text().split("\n## ")[1:]
    told = {section.split("`")[1]: dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", section, re.MULTILINE)) for section in sections}
    assert told == {kind: dict(fields) for kind, fields in RECORDS.items()}
