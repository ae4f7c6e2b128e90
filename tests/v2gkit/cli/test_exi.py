"""`v2g exi` as people and scripts use it."""

import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from v2g.exi.codec import encode, encode_fragment
from v2g.exi.derive import least
from v2g.exi.dialect import CBEXIGEN
from v2g.exi.errors import ExiError
from v2g.messages import acdp, common_messages, dc, schema_set
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2gkit.cli.main import main
from v2gkit.insight.exi_guess import candidates, guess
from v2gkit.insight.octet_forms import frames

OFFER = AppProtocolType(ProtocolNamespace="urn:din:70121:2012:MsgDef", VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=1, Priority=1)
SAP = encode(supportedAppProtocolReq(AppProtocol=(OFFER,)), schema_set("app"))
CHECK = least(dc.DC_CableCheckReq)
CHECK_OCTETS = encode(CHECK, schema_set("dc"))


def run(*arguments: str, stdin: bytes = b"", monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
    return main(["exi", *arguments])


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_decode_guesses_the_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("decode", SAP.hex(), monkeypatch=monkeypatch) == 0
    output = capsys.readouterr()
    assert "<ProtocolNamespace>urn:din:70121:2012:MsgDef</ProtocolNamespace>" in output.out
    assert "set app, certain" in output.err


def test_decode_takes_file_and_standard_input(tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    raw, spelled = tmp_path / "raw", tmp_path / "hex"
    raw.write_bytes(CHECK_OCTETS)
    spelled.write_text(CHECK_OCTETS.hex(" ") + "\n")
    for argument, stdin in ((str(raw), b""), (str(spelled), b""), ("-", CHECK_OCTETS), ("-", CHECK_OCTETS.hex().encode())):
        assert run("decode", "--set", "dc", argument, stdin=stdin, monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.count("<dc:DC_CableCheckReq") == 4


def test_encode_reverses_decode(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run("decode", "--set", "dc", CHECK_OCTETS.hex(), monkeypatch=monkeypatch)
    xml = capsys.readouterr().out
    for arguments in (("--set", "dc"), ()):
        assert run("encode", *arguments, "-", stdin=xml.encode(), monkeypatch=monkeypatch) == 0
        assert capsys.readouterr().out.strip() == CHECK_OCTETS.hex()


def test_json_both_ways(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("json", "--set", "dc", CHECK_OCTETS.hex(), monkeypatch=monkeypatch) == 0
    text = capsys.readouterr().out
    assert json.loads(text) == {"DC_CableCheckReq": {"Header": {"SessionID": "00" * 8, "TimeStamp": 0}}}
    assert run("json", "--set", "dc", "-", stdin=text.encode(), monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.strip() == CHECK_OCTETS.hex()


def test_a_bad_line_never_stops_the_stream(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"id": "good", "set": "dc", "exi": CHECK_OCTETS.hex(), "fragment": False}
    stream = [
        json.dumps(good).encode(),
        b"no json",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        json.dumps({"id": 1}).encode(),
        json.dumps({**good, "id": 2, "set": "nonsense"}).encode(),
        json.dumps({**good, "id": 3, "set": ["dc"]}).encode(),
        json.dumps({**good, "id": 4, "exi": "xyz"}).encode(),
        json.dumps({**good, "id": 5, "exi": "8000"}).encode(),
        json.dumps({**good, "id": 6, "set": None}).encode(),
        json.dumps(good).encode(),
    ]
    assert run("decode", "--jsonl", stdin=b"\n".join(stream), monkeypatch=monkeypatch) == 0
    answers = lines(capsys.readouterr().out)
    assert [a["id"] for a in answers] == ["good", None, None, None, None, 1, 2, 3, 4, 5, 6, "good"]
    assert [a["id"] for a in answers if "xml" in a] == ["good", 6, "good"]
    assert all("error" in a for a in answers if "xml" not in a)
    assert answers[0]["root"] == "DC_CableCheckReq"
    assert answers[10]["set"] == "dc"


def test_lines_of_xml_encode(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    info = least(common_messages.SignedCertificateChainType, Id="id1")
    octets = encode_fragment(info, schema_set("common"))
    run("decode", "--set", "common", "--fragment", octets.hex(), monkeypatch=monkeypatch)
    request = {"id": 1, "set": "common", "xml": capsys.readouterr().out, "fragment": True}
    bad = [{**request, "id": 2, "xml": "<a"}, {**request, "id": 3, "set": None}, {**request, "id": 4, "xml": 7}]
    stdin = "\n".join(map(json.dumps, (request, *bad))).encode()
    assert run("encode", "--jsonl", stdin=stdin, monkeypatch=monkeypatch) == 0
    first, *rest = lines(capsys.readouterr().out)
    assert first == {"id": 1, "exi": octets.hex()}
    assert [a["id"] for a in rest if "error" in a] == [2, 3, 4]


def test_explain_accounts_for_every_bit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("explain", "--set", "dc", "--json", CHECK_OCTETS.hex(), monkeypatch=monkeypatch) == 0
    position = 0
    for step in json.loads(capsys.readouterr().out)["steps"]:
        assert step["bit"] == position
        position += step["width"]
    assert position == len(CHECK_OCTETS) * 8


def test_explain_shows_how_far_it_came(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("explain", "--set", "dc", CHECK_OCTETS[:-2].hex(), monkeypatch=monkeypatch) == 1
    output = capsys.readouterr()
    assert "SE SessionID" in output.out
    assert "are wanted" in output.err


def test_a_message_in_another_dialect(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = acdp.mechanicalChargingDeviceStatusType.EndPosition
    theirs = encode(least(acdp.ACDP_ConnectRes, EVSEMechanicalChargingDeviceStatus=arrived), schema_set("acdp", CBEXIGEN)).hex()
    assert run("decode", "--set", "acdp", theirs, monkeypatch=monkeypatch) == 1
    assert run("decode", "--set", "acdp", "--either", theirs, monkeypatch=monkeypatch) == 0
    output = capsys.readouterr()
    assert "CBEXIGEN" in output.err
    assert run("encode", "--set", "acdp", "--dialect", "cbexigen", "-", stdin=output.out.encode(), monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.strip() == theirs


def test_exit_codes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("decode", monkeypatch=monkeypatch) == 2
    assert run("decode", "8000", monkeypatch=monkeypatch) == 1
    assert run("decode", "no hex at all", monkeypatch=monkeypatch) == 1
    assert run("encode", "<a/>", monkeypatch=monkeypatch) == 1
    assert run("describe", "RationalNumberType", monkeypatch=monkeypatch) == 0
    assert run("describe", "Nothing", monkeypatch=monkeypatch) == 1
    assert all(line.startswith("v2g exi: ") for line in capsys.readouterr().err.splitlines())


@pytest.mark.parametrize(
    ("payload_type", "phase", "expected"),
    [
        (0x8001, None, ("app", "iso2", "din")),
        (0x8001, "handshake", ("app",)),
        (0x8001, "session", ("iso2", "din")),
        (0x8004, None, ("dc",)),
    ],
)
def test_payload_type_and_phase_narrow_the_sets(payload_type: int, phase: Any, expected: tuple[str, ...]) -> None:
    assert candidates(payload_type, phase) == expected


def test_a_frame_gives_its_payload_type_away() -> None:
    framed = b"\x01\xfe\x80\x04" + len(CHECK_OCTETS).to_bytes(4, "big") + CHECK_OCTETS
    ((octets, payload_type, *_),) = frames(framed)
    found = guess(octets, payload_type)
    assert (found.set, found.reading.message, found.sure.split(":")[0]) == ("dc", CHECK, "certain")


def test_what_fits_several_sets_is_called_a_guess() -> None:
    from v2g.messages import ac

    octets = encode(least(ac.AC_ChargeLoopReq, CLReqControlMode=least(ac.BPT_Scheduled_AC_CLReqControlModeType)), schema_set("ac"))
    found = guess(octets)
    assert found.set in ("ac", "ac_der_iec", "ac_der_sae")
    assert not found.sure.startswith("certain")
    with pytest.raises(ExiError, match=r"most like the set app: .*\(at bit 8\); a message in none of xmldsig, .* either"):
        guess(b"\x80\xff\xff")


SHARED = Path(os.environ.get("V2GKIT_SHARED", Path(__file__).parents[4] / "shared")) / "cases" / "exi"


def cases(name: str) -> list[list[str]]:
    """The lines of a file of cases, cut at their bars."""
    if not SHARED.exists():
        pytest.skip("no folder of shared cases beside the checkout, nor named by V2GKIT_SHARED")
    lines = (line for line in (SHARED / name).read_text().splitlines() if not line.startswith("#"))
    return [[part.strip() for part in line.split("|")] for line in lines]


def test_the_forms_in_which_people_hold_a_message(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for _, form, given in cases("input-forms.txt"):
        code = run("decode", given, monkeypatch=monkeypatch)
        output = capsys.readouterr()
        if form == "V2GTP of SDP":
            assert code == 1
            assert "payload type 0x9000 is an SDP request, which is no EXI" in output.err
        else:
            assert code == 0, form
            assert "<ContractAuthenticationReq" in output.out or ":ContractAuthenticationReq" in output.out


def test_without_a_set_the_reason_is_the_one_of_the_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, what, given in cases("guess-hides-the-reason.txt"):
        codes, told = [], []
        for arguments in (("--set", name), ()):
            codes.append(run("decode", *arguments, given, monkeypatch=monkeypatch))
            told.append(capsys.readouterr().err.strip().removeprefix("v2g exi: "))
        assert codes[0] == codes[1] == int("too many" not in what), what
        assert told[0] in told[1] or told[0].split(": ", 1)[1] in told[1], what
