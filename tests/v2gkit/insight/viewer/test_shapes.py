"""Shape and values are all of a message: JSON, XML and EXI events rebuilt from them are those of the codec's own views."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.v2gkit.insight.viewer import rebuilt, traces
from v2g.exi import explain
from v2g.exi.codec import encode, read
from v2g.exi.errors import DecodeError, EncodeError
from v2g.exi.json import plain
from v2g.exi.sample import inhabited, sample
from v2g.exi.xml import to_xml
from v2g.iso20.services import SERVICES
from v2g.messages import MODULES, dc, schema_set
from v2gkit.insight.viewer.octets import Encoder
from v2gkit.insight.viewer.shapes import Shapes
from v2gkit.insight.viewer.units import unit_of

SHARED = Path(os.environ.get("V2GKIT_SHARED", Path(__file__).parents[5] / "shared"))
CAPTURED = SHARED / "captures" / "sessions.jsonl"


class Judged:
    """Shapes, each with its line as it was told, and every message held to the codec's own views."""

    def __init__(self) -> None:
        self.shapes = Shapes()
        self.lines: dict[int, dict[str, Any]] = {}
        self.messages = 0

    def judge(self, octets: bytes, name: str, message: Any = None) -> None:
        """`message` is what a trace says that the octets are."""
        shaped = self.shapes.of(octets, name)
        assert shaped.shape is not None, shaped.error
        if shaped.line is not None:
            self.lines[shaped.shape] = json.loads(json.dumps(shaped.line))
        shape, values = self.lines[shaped.shape], json.loads(json.dumps(shaped.values))
        schemas = schema_set(name)
        reading = read(octets, schemas)
        found = rebuilt.message(shape, values)
        assert rebuilt.same_json(found, plain(reading.message, schemas, reading.name))
        if message is not None:
            assert rebuilt.same_json(found, message)
        self._judge_xml(shape, values, reading, schemas)
        steps, _ = explain.explain(octets, schemas)
        told = [(step.bit, step.width, step.depth, step.what, explain.shown(step.value)) for step in steps]
        assert Encoder(shape).octets(values) == encode(reading.message, schemas)
        if shaped.explained is None:
            assert list(rebuilt.events(shape, values, octets)) == told
        else:
            assert list(shaped.explained) == told
        self.messages += 1

    def _judge_xml(self, shape: Any, values: Any, reading: Any, schemas: Any) -> None:
        try:
            wanted = to_xml(reading.message, schemas, reading.name)
        except EncodeError:
            return  # a character that XML cannot carry
        assert canonical(rebuilt.xml(shape, values)) == canonical(wanted)


def canonical(xml: str) -> bytes:
    return etree.tostring(etree.fromstring(xml.encode()), method="c14n")


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", SERVICES)
def test_every_message_of_a_session_is_whole(service: str, control: str) -> None:
    done, judged = traces.pair(service, control), Judged()
    for record in traces.of_station(done):
        if record["type"] == "frame":
            judged.judge(bytes.fromhex(record["exi"]), record["set"], record["message"])
    assert judged.messages > 30
    assert len(judged.lines) < judged.messages


@pytest.mark.skipif(not CAPTURED.exists(), reason="no captures beside the checkout (V2GKIT_SHARED)")
def test_messages_of_others_are_whole() -> None:
    judged = Judged()
    for vector in sorted((SHARED / "vectors").glob("*.jsonl")):
        for each in map(json.loads, vector.read_text().splitlines()):
            if not each["fragment"]:
                judged.judge(bytes.fromhex(each["exi"]), each["set"])
    for session in map(json.loads, CAPTURED.read_text().splitlines()):
        for each in session["frames"]:
            if read_or_none(each) is not None:
                judged.judge(bytes.fromhex(each["exi"]), each["set"])
    assert judged.messages > 100


def read_or_none(frame: dict[str, Any]) -> Any:
    """Some frames of those sessions are no messages, or of another dialect."""
    try:
        return read(bytes.fromhex(frame["exi"]), schema_set(frame["set"]))
    except (DecodeError, KeyError):
        return None


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, Any]:
    name = draw(st.sampled_from(sorted(MODULES)))
    schemas = schema_set(name)
    cls = draw(st.sampled_from([e.type for e in schemas.globals if inhabited(e.type, schemas)]))
    return name, sample(cls, schemas, draw(st.randoms(use_true_random=False)))


@settings(max_examples=200, deadline=None)
@given(messages())
def test_any_message_of_any_set_is_whole(case: tuple[str, Any]) -> None:
    name, message = case
    Judged().judge(encode(message, schema_set(name)), name)


def test_zeros_behind_the_end_are_a_step_and_no_other_shape() -> None:
    done, judged = traces.pair(), Judged()
    octets = next(bytes.fromhex(r["exi"]) for r in traces.of_station(done) if r["type"] == "frame" and r["name"] == "SessionSetupReq")
    judged.judge(octets, "common")
    judged.judge(octets + b"\0\0", "common")
    assert len(judged.lines) == 1


def test_what_is_tolerated_has_its_own_steps() -> None:
    """An integer with a group too many: the bits are others than the shape says, so the steps come with the frame."""
    octets = bytes.fromhex("808c04000000000000000009984b5d80620aaba6a4ab1923a5a4aa1818181818181818181880")
    bits = "".join(f"{octet:08b}" for octet in octets)
    end = 92 + 40  # of the time stamp
    longer = bits[: end - 8] + "1" + bits[end - 7 : end] + "00000000" + bits[end:]
    octets = int(longer.ljust(-(-len(longer) // 8) * 8, "0"), 2).to_bytes(-(-len(longer) // 8), "big")
    shaped = Shapes().of(octets, "common")
    assert shaped.explained is not None
    assert any("more groups" in finding for finding in shaped.findings)
    Judged().judge(octets, "common")


def test_octets_that_are_no_message_say_why_and_how_far_they_go() -> None:
    shaped = Shapes().of(bytes.fromhex("808c04"), "common")
    assert shaped.shape is None
    assert "SessionSetupReq" in shaped.error
    assert shaped.explained is not None
    assert shaped.explained[1] == (8, 6, 0, "document SessionSetupReq", "35")
    assert "no schema set" in Shapes().of(b"\x80", "nonsense").error


def test_a_car_that_sends_ever_other_structures_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v2gkit.insight.viewer.shapes.ROWS", 50)
    shapes = Shapes()
    told = [shapes.of(bytes.fromhex(r["exi"]), r["set"]) for r in traces.of_station(traces.pair()) if r["type"] == "frame"]
    assert told[0].shape is not None
    late = [shaped for shaped in told if shaped.shape is None]
    assert late
    assert all("octets say it all" in shaped.error for shaped in late)


def test_units_stand_where_the_fields_are_declared() -> None:
    assert unit_of(dc.DC_CPDReqEnergyTransferModeType, "EVMaximumChargePower") == "W"
    assert unit_of(dc.DC_CPDReqEnergyTransferModeType, "TargetSOC") == "%"
    assert unit_of(dc.BPT_DC_CPDReqEnergyTransferModeType, "EVMaximumVoltage") == "V"  # of its base
    assert unit_of(dc.DC_ChargeLoopRes, "EVSEPowerLimitAchieved") == ""
