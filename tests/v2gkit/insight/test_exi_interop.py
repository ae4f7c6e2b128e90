"""What cars and stations send though no schema has it: refused, and with --mode interop shown with a finding in every form of output."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.v2g.exi.test_codec import percent
from tests.v2g.exi.test_facets import Reckless
from tests.v2gkit.cli.test_exi import run
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.exi.encoder import Encoder
from v2g.exi.events import Event, events
from v2g.exi.schema import Type, fields
from v2g.messages import ac, common_messages, dc, schema_set
from v2g.session.v2gtp import frame
from v2gkit.insight.exi_reading import MODES

STATION = bytes.fromhex("809a02004080c1014181c21080004820400000c99002062050193080c0c802064c8010190140c80a20")


class Headed(Encoder):
    """Writes abstract heads as themselves, as senders built on OpenV2G do."""

    def _complex(self, cls: type[Type], message: Any) -> None:
        for code, width, production, value in events(message, cls, self.set, lenient=True):
            self.bits.bits(code, width)
            if production.event is Event.ELEMENT:
                assert production.name is not None
                self._element(production.name.local, production.content, value)
            elif production.event is not Event.END:
                self._value(production.content, value)


def places(name: str) -> Iterator[tuple[type[Type], str, Any]]:
    """(class, field, abstract class of its head) of a set, without the body that every message has."""
    schemas = schema_set(name)
    for cls in schemas.classes:
        for field in fields(cls):
            head: Any = field.content
            complex_reference = field.reference and isinstance(head, type) and issubclass(head, Type)
            if complex_reference and schemas.grammar(head).abstract and not schemas.grammar(cls).abstract and field.name != "BodyElement":
                yield cls, field.name, head


def whole(name: str, cls: type[Type], field: str, head: type[Type]) -> Type:
    """A message of a set with that head in it."""
    part = least(cls, **{field: least(head)})
    if name not in ("din", "iso2"):
        return part
    if field == "TimeInterval":
        from v2g.messages import din, iso2  # noqa: F401

        return wrapped(name, holding(name, part))
    return wrapped(name, part)


def wrapped(name: str, body: Type) -> Type:
    roots: dict[str, Any] = {cls.__name__: cls for cls in schema_set(name).classes}
    return least(roots["V2G_Message"], Body=roots["BodyType"](BodyElement=body))


def holding(name: str, entry: Any) -> Type:
    """A ChargeParameterDiscoveryRes whose schedule has that entry."""
    roots: dict[str, Any] = {cls.__name__: cls for cls in schema_set(name).classes}
    pmax = least(roots["PMaxScheduleType"])
    listed = roots["PMaxScheduleType"](**{**{f.name: getattr(pmax, f.name) for f in fields(type(pmax))}, "PMaxScheduleEntry": (entry,)})
    one = least(roots["SAScheduleTupleType"], PMaxSchedule=listed)
    return least(roots["ChargeParameterDiscoveryRes"], SASchedules=roots["SAScheduleListType"](SAScheduleTuple=(one,)))


HEADS = [
    (name, cls, field, head)
    for name in ("din", "iso2", "ac", "dc")
    for cls, field, head in places(name)
    if cls.__name__ not in ("SalesTariffEntryType",)
]


def outputs(octets: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, tuple[str, str]]:
    """What each verb prints of octets: standard output, and what was found."""
    told = {}
    for verb, arguments in {
        "xml": ("decode",),
        "json": ("decode", "--json"),
        "explain": ("explain",),
        "explain --json": ("explain", "--json"),
    }.items():
        assert run(*arguments, "--mode", "interop", *more, octets.hex(), monkeypatch=monkeypatch) == 0
        out, err = capsys.readouterr()
        told[verb] = out, err if verb in ("xml", "explain") else json.dumps(json.loads(out).get("findings", json.loads(out).get("remark")))
    line = json.dumps({"exi": octets.hex(), "mode": "interop"}).encode()
    for form, arguments in {"jsonl": (), "jsonl --json": ("--json",)}.items():
        assert run("decode", "--jsonl", *arguments, *more, stdin=line, monkeypatch=monkeypatch) == 0
        said = json.loads(capsys.readouterr().out)
        told[form] = json.dumps(said.get("xml", said.get("message"))), json.dumps(said["findings"])
    return told


def test_the_places_are_all_there() -> None:
    assert [sum(name == each for each, *_ in HEADS) for name in ("din", "iso2", "ac", "dc")] == [6, 7, 2, 2]
    assert {field for name, _, field, _ in HEADS if name == "din"} == {
        "SASchedules", "EVChargeParameter", "EVSEChargeParameter", "EVPowerDeliveryParameter", "EVSEStatus", "TimeInterval",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "cls", "field", "head"), HEADS, ids=lambda x: getattr(x, "__name__", x))
def test_an_abstract_head_is_shown(
    name: str, cls: type[Type], field: str, head: type[Type], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    octets = Headed(schema_set(name)).document(whole(name, cls, field, head))
    assert run("decode", "--set", name, octets.hex(), monkeypatch=monkeypatch) == 1
    assert f"{field} is abstract, one of " in capsys.readouterr().err
    for form, (shown, found) in outputs(octets, monkeypatch, capsys, "--set", name).items():
        assert field in shown, form
        assert f"{field} is abstract" in found, form


def test_the_station_that_sent_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """ChargeParameterDiscoveryRes of DIN with SASchedules itself: a production car charged on it. The set is found without being named."""
    for octets in (STATION, frame(0x8001, STATION)):
        assert run("decode", octets.hex(), monkeypatch=monkeypatch) == 1
        assert (
            "most like the set din: V2G_Message/Body/ChargeParameterDiscoveryRes/SASchedules: SASchedules is abstract"
            in capsys.readouterr().err
        )
        for form, (shown, found) in outputs(octets, monkeypatch, capsys).items():
            assert "SASchedules" in shown, form
            assert "SASchedules is abstract, one of SAScheduleList belongs in its place" in found, form


def test_a_value_out_of_range_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for form, (shown, found) in outputs(percent(127), monkeypatch, capsys).items():
        assert "127" in shown, form
        assert "127 is above the maximum 100" in found, form
    long = common_messages.SessionSetupReq(Header=least(common_messages.SessionSetupReq).Header, EVCCID="X" * 300)
    octets = Reckless(schema_set("common")).document(long)
    for form, (shown, found) in outputs(octets, monkeypatch, capsys).items():
        assert "XXXX" in shown, form
        assert "300 characters are more than the 255 allowed" in found, form


@pytest.mark.parametrize("mode", ["conformance", "interop"])
def test_a_nul_is_shown_as_json_and_the_xml_says_so(mode: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    header = least(common_messages.SessionSetupReq).Header
    octets = encode(common_messages.SessionSetupReq(Header=header, EVCCID="WMI\0\0"), schema_set("common"))
    told = "SessionSetupReq/EVCCID: holds U+0000, which XML cannot carry"
    assert run("decode", "--mode", mode, octets.hex(), monkeypatch=monkeypatch) == 1
    error = capsys.readouterr().err
    assert "'WMI\\x00\\x00' holds a character that XML cannot carry: --json shows it" in error
    assert told in error
    assert run("decode", "--json", "--mode", mode, octets.hex(), monkeypatch=monkeypatch) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["message"]["SessionSetupReq"]["EVCCID"] == "WMI\0\0"
    assert told in answer["findings"]
    assert run("json", octets.hex(), monkeypatch=monkeypatch) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["SessionSetupReq"]["EVCCID"] == "WMI\0\0"
    assert told in output.err
    line = json.dumps({"exi": octets.hex()}).encode()
    run("decode", "--jsonl", stdin=line, monkeypatch=monkeypatch)
    assert json.loads(capsys.readouterr().out)["error"].endswith("--json shows it")
    run("decode", "--jsonl", "--json", stdin=line, monkeypatch=monkeypatch)
    assert told in json.loads(capsys.readouterr().out)["findings"]


def test_what_is_valid_is_never_read_as_something_lenient(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Lenient reading makes more octets a message in more sets: a valid one stays what it is."""
    for name, message in (("dc", least(dc.DC_CableCheckReq)), ("ac", least(ac.AC_ChargeParameterDiscoveryReq))):
        octets = encode(message, schema_set(name))
        assert run("decode", "--json", "--mode", "interop", octets.hex(), monkeypatch=monkeypatch) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["root"], answer["findings"]) == (type(message).__name__, [])


def test_several_messages_are_shown_one_after_the_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    good = encode(least(dc.DC_CableCheckReq), schema_set("dc"))
    cut = good[:-3]
    log = f"12:00:00 > {frame(0x8004, good).hex()}\n12:00:01 nothing\n12:00:02 > {frame(0x8004, cut).hex()}\n12:00:03 < {good.hex(' ')}\n"
    assert run("decode", "--json", "-", stdin=log.encode(), monkeypatch=monkeypatch) == 1
    output = capsys.readouterr()
    assert [json.loads(line)["root"] for line in output.out.splitlines()] == ["DC_CableCheckReq"] * 2
    assert output.err.startswith("v2g exi: message 2 of 3: ")
    assert MODES == ("conformance", "interop")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "{}: this is a pcapng capture"),
        (b"some notes", "{}: 'some notes' holds no octets of a message"),
        (b"", "{}: nothing is given"),
        (b"\x90\x91\x92\xff", "{}: 4 octets that begin with 0x9091 and are no text"),
    ],
)
def test_a_file_that_is_none_is_called_a_file(
    content: bytes, says: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "captured.bin"
    file.write_bytes(content)
    for argument, name, stdin in ((str(file), str(file), b""), ("-", "standard input", content)):
        for verb in ("decode", "explain", "json"):
            assert run(verb, argument, stdin=stdin, monkeypatch=monkeypatch) == 1
            assert says.format(name) in capsys.readouterr().err


def test_what_is_no_file_and_what_cannot_be_read(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("decode", str(tmp_path), monkeypatch=monkeypatch) == 1
    assert f"{tmp_path} cannot be read: Is a directory" in capsys.readouterr().err
    assert run("decode", "missing.bin", monkeypatch=monkeypatch) == 1
    assert "'missing.bin' holds no octets of a message" in capsys.readouterr().err
    assert run("decode", "x" * 5000, monkeypatch=monkeypatch) == 1
    assert "holds no octets of a message" in capsys.readouterr().err
