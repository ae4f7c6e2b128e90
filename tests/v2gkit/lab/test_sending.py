"""Messages that somebody edited, sent to our own station: as they are, and in the place of a car's own."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evcc.iso20.charge import charge
from secc.engine import SeccSession
from tests.evcc.test_pair import car
from tests.evcc.virtual_pair import Pair, outlet
from tests.starved import again, heed
from tests.v2gkit.cli.test_secc import station
from tests.v2gkit.insight.decode.captures import DIN
from v2g.exi.codec import decode, encode
from v2g.exi.json import to_json
from v2g.exi.xml import to_xml
from v2g.messages import schema_set
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.common_messages import AuthorizationSetupReq, ServiceDetailReq, SessionSetupReq
from v2g.messages.common_types import MessageHeaderType
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameReceived, FrameSent, Noted
from v2g.session.errors import SessionError
from v2g.session.v2gtp import PayloadType, frame
from v2gkit.cli.main import main
from v2gkit.lab.sending import Prepared, Sending, prepared, replacing

HEADER = MessageHeaderType(SessionID=bytes(8), TimeStamp=1)
OFFER = supportedAppProtocolReq(
    AppProtocol=(
        AppProtocolType(
            ProtocolNamespace="urn:iso:std:iso:15118:-20:DC", VersionNumberMajor=1, VersionNumberMinor=0, SchemaID=1, Priority=1
        ),
    )
)
SETUP = SessionSetupReq(Header=HEADER, EVCCID="WMIV1234567890ABCDEX")
WAYS = AuthorizationSetupReq(Header=HEADER)


def as_json(*messages: Any) -> bytes:
    sets = ["app" if isinstance(each, supportedAppProtocolReq) else "common" for each in messages]
    return json.dumps([json.loads(to_json(each, schema_set(name))) for each, name in zip(messages, sets, strict=True)]).encode()


@dataclass
class Bench:
    """A station in memory, and what is sent to it."""

    sending: Sending
    station: SeccSession = field(
        default_factory=lambda: SeccSession(outlet(), Clock(), 0.0, entropy=lambda n: bytes(range(1, n + 1)), insecure=True)
    )
    now: float = 0.0

    def run(self) -> list[Any]:
        """Until nothing moves any more; what happened at the sender."""
        events = self.sending.events()
        while not self.sending.ended:
            self.station.receive(self.sending.octets_to_send(), self.now)
            answer = self.station.octets_to_send()
            if not answer:
                self.now = self.sending.deadline() or 0.0
                self.sending.tick(self.now)
            else:
                self.sending.receive(answer, self.now)
            events += self.sending.events()
        return events


def sent(*messages: Any, **given: Any) -> tuple[Sending, list[Any]]:
    sending = Sending(prepared(as_json(*messages), "a file"), 0.0, lambda now: 1_800_000_000.0 + now, **given)
    return sending, Bench(sending).run()


# --- what was written ---


@pytest.mark.parametrize(
    "given",
    [
        to_json(SETUP, schema_set("common")).encode(),
        to_xml(SETUP, schema_set("common")).encode(),
        json.dumps({"set": "common", "message": json.loads(to_json(SETUP, schema_set("common")))}).encode(),
        json.dumps(
            {"frame": 1, "from": "car", "type": "0x8002", "set": "common", "exi": encode(SETUP, schema_set("common")).hex()}
        ).encode(),
        encode(SETUP, schema_set("common")).hex().encode(),
        frame(PayloadType.COMMON, encode(SETUP, schema_set("common"))),
    ],
)
def test_a_message_in_every_form(given: bytes) -> None:
    (found,) = prepared(given, "a file")
    assert (found.set, found.payload_type, found.name) == ("common", 0x8002, "SessionSetupReq")
    assert found.exi == encode(SETUP, schema_set("common"))
    assert found.message == SETUP


def test_what_a_car_sent_is_taken_of_the_lines_of_a_capture() -> None:
    lines = [
        {
            "frame": number,
            "connection": 1,
            "from": who,
            "type": "0x8001",
            "set": "app" if "App" in name else "din",
            "message": name,
            "exi": exi,
        }
        for number, (who, name, exi) in enumerate(DIN, 1)
    ]
    found = prepared("\n".join(map(json.dumps, lines)).encode(), "frames.jsonl")
    assert [each.name for each in found] == ["supportedAppProtocolReq", "SessionSetupReq", "ServiceDiscoveryReq"]
    assert [each.exi.hex() for each in found] == [exi for who, _, exi in DIN if who == "car"]
    fresh = found[2].of_session(b"\x01" * 8, 5)
    assert fresh.message.Header.SessionID == b"\x01" * 8  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "a file"),
        (b"{", "not JSON"),
        (b'{"NoSuchReq": {}}', "a file"),
        (b'{"from": "station", "exi": "00"}\n{', "line 2"),
        (b"[1]", "an object is expected"),
        (b'{"exi": "zz"}', "no hex"),
        (b'{"from": "station", "exi": "00"}', "holds 0 messages"),
        (b"<a/>", "a file"),
        (b'{"set": "none", "message": {"SessionStopReq": {}}}', "no schema set 'none'"),
    ],
)
def test_what_is_no_message(given: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prepared(given, "a file")


# --- as they are ---


def test_messages_are_sent_one_after_the_other_with_the_id_of_the_session() -> None:
    sending, events = sent(OFFER, SETUP, WAYS)
    assert sending.ended is not None
    assert sending.ended.error is None
    answers = [type(each.message).__name__ for each in events if isinstance(each, FrameReceived)]
    assert answers == ["supportedAppProtocolRes", "SessionSetupRes", "AuthorizationSetupRes"]
    (asked,) = [each for each in events if isinstance(each, FrameSent) and isinstance(each.message, AuthorizationSetupReq)]
    header = decode(asked.exi, schema_set("common")).Header  # type: ignore[attr-defined]
    assert header.SessionID == events[3].message.Header.SessionID != bytes(8)
    assert header.TimeStamp == 1_800_000_000


def test_what_is_kept_is_sent_as_it_was_written() -> None:
    sending, events = sent(OFFER, SETUP, WAYS, kept=True)
    codes = [each.message.ResponseCode.value for each in events if isinstance(each, FrameReceived)]
    assert codes[-1] == "FAILED_UnknownSession"
    assert sending.answered == 3


def test_a_station_that_ends_it_is_told() -> None:
    bench = Bench(Sending(prepared(as_json(OFFER, SETUP, WAYS), "a file"), 0.0, lambda now: now))
    bench.sending.receive(b"", 1.0)
    assert bench.sending.ended is not None
    assert "2 messages were not sent" in str(bench.sending.ended.error)
    bench = Bench(Sending(prepared(as_json(OFFER), "a file"), 0.0, lambda now: now, within=3.0))
    assert bench.sending.deadline() == 3.0
    bench.sending.tick(3.0)
    assert "no answer to supportedAppProtocolReq" in str(bench.sending.ended and bench.sending.ended.error)
    bench = Bench(Sending(prepared(as_json(OFFER), "a file"), 0.0, lambda now: now))
    bench.sending.lost(SessionError("gone"), 1.0)
    assert str(bench.sending.ended and bench.sending.ended.error) == "gone"
    bench = Bench(Sending(prepared(as_json(OFFER), "a file"), 0.0, lambda now: now))
    bench.sending.receive(b"HTTP/1.1 400", 1.0)
    assert bench.sending.ended is not None
    assert bench.sending.ended.how == "broken"


def test_octets_that_are_no_message_are_sent_and_noted() -> None:
    (odd,) = prepared(b"80ffffffffff", "odd.hex", payload_type=0x8004)
    assert (odd.payload_type, odd.message, odd.exi) == (0x8004, None, bytes.fromhex("80ffffffffff"))
    sending = Sending([odd], 0.0, lambda now: now)
    assert sending.octets_to_send() == frame(0x8004, odd.exi)
    assert [type(each) for each in sending.events()] == [Noted]


# --- in the place of a car's own ---


def test_an_edited_message_stands_for_the_cars_own_and_the_session_goes_on() -> None:
    used: list[str] = []
    other = Prepared("common", 0x8002, b"", ServiceDetailReq(Header=HEADER, ServiceID=99))
    pair = Pair(car("DC"), script=replacing(charge, [other], used.append))
    assert used == ["ServiceDetailReq"]
    asked = [
        each.message.ServiceID for each in pair.happened if isinstance(each, FrameReceived) and isinstance(each.message, ServiceDetailReq)
    ]
    assert asked == [99]
    assert pair.evcc.ended is not None
    assert "FAILED_ServiceIDInvalid" in str(pair.evcc.ended.error)
    same = Prepared("common", 0x8002, b"", WAYS)
    pair = Pair(car("DC"), script=replacing(charge, [same]))
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.how == "Terminate"


# --- the command ---


@again
def test_the_command_sends_and_shows_what_came_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_bytes(as_json(OFFER, SETUP))
    (tmp_path / "b.xml").write_text(to_xml(WAYS, schema_set("common")))
    with station("--host", "127.0.0.1") as (_, first):
        files = [str(tmp_path / "a.json"), "--then", str(tmp_path / "b.xml")]
        assert main(["send", first["address"], *files, "--no-tls", "--jsonl"]) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(each["from"], each["message"]) for each in told][-2:] == [
            ("car", "AuthorizationSetupReq"),
            ("station", "AuthorizationSetupRes"),
        ]
        assert told[3]["content"]["SessionSetupRes"]["ResponseCode"].startswith("OK")
        assert main(["send", first["address"], str(tmp_path / "b.xml"), "--in-session", "--no-tls"]) == 0
        said = capsys.readouterr()
        heed(said.out, said.err)
        assert "1 of 1 messages were sent; the session ended Terminate" in said.err
        assert "DC_ChargeLoopRes" in said.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "a.json"], "is no address"),
        (["[::1]:1", "a.json"], "--pki DIR"),
        (["[::1]:1", "a.json", "--no-tls", "--type", "0x123456"], "no payload type"),
        (["[::1]:1", "bad.json", "--no-tls"], "bad.json: not JSON"),
        (["[::1]:1", "din.hex", "--no-tls", "--in-session", "--set", "din"], "no request of ISO 15118-20"),
    ],
)
def test_wrong_usage(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_bytes(as_json(SETUP))
    Path("bad.json").write_text("{")
    Path("din.hex").write_text(DIN[2][2])
    assert main(["send", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.startswith("v2g send: ")


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_bytes(as_json(SETUP))
    assert main(["send", "[::1]:1", str(tmp_path / "a.json"), "--no-tls"]) == 1
    assert "nothing listens there" in capsys.readouterr().err
