"""`v2g decode`: lines for people and for machines, and what it says where something cannot be read."""

import json
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.v2gkit.insight.decode.captures import DIN, DIN_SAID, Said, Tls, frames, pcapng
from v2g.session.v2gtp import frame
from v2gkit.cli.main import main


def test_a_line_of_json_for_each_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = [*DIN_SAID, Said(False, frame(0xB000, b"maker"))]
    assert main(["decode", str(pcapng(tmp_path / "a.pcapng", frames(said))), "--jsonl"]) == 1
    *told, strange = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(each) for each in told] == [["frame", "connection", "from", "type", "set", "message", "exi"]] * 5
    assert [(each["from"], each["message"], each["exi"]) for each in told] == list(DIN)
    assert [each["frame"] for each in told] == [1, 2, 3, 4, 5]
    assert list(strange) == ["frame", "connection", "from", "type", "set", "error", "exi"]
    assert (strange["type"], strange["exi"]) == ("0xB000", b"maker".hex())


def test_lines_for_people_have_times_and_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", str(pcapng(tmp_path / "a.pcapng", frames(DIN_SAID)))]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("connection 1  2023-11-14 22:13:20.250Z")
    assert told[1].split() == ["0.000", "TCP", "[fe80::2]:50001", "to", "[fe80::1]:15118"]
    assert told[4].split() == ["0.040", "station", "0x8001", "app", "10.0", "ms", "supportedAppProtocolRes", "OK_SuccessfulNegotiation"]
    assert "OK_NewSessionEstablished" in told[6]
    assert told[-1].split(maxsplit=1)[1].startswith("end      Broken off: the car closed the connection after ServiceDiscoveryReq")


def test_keys_open_tls_and_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tls = Tls(SSL.TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256").shake().say(*DIN_SAID).close()
    file, keys = pcapng(tmp_path / "a.pcapng", frames(tls.wire)), tmp_path / "keys.log"
    keys.write_bytes(tls.keys)
    assert main(["decode", str(file), "--keys", str(keys), "--jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(DIN)
    assert main(["decode", str(file), "--jsonl"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert 'secrets missing: missing ["CLIENT_RANDOM"]' in told.err
    keys.write_text("no secrets here\n")
    assert main(["decode", str(file), "--keys", str(keys)]) == 2
    assert "holds no secret of TLS" in capsys.readouterr().err


def test_a_trace_is_read_by_the_eyes_that_saw_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from v2gkit.insight.decode import records

    told = list(records(pcapng(tmp_path / "a.pcapng", frames(DIN_SAID))))
    for side, first in (("secc", "car"), ("evcc", "station")):
        file = tmp_path / "trace.jsonl"
        file.write_text("".join(json.dumps({**each, "side": side} if each["type"] == "trace" else each) + "\n" for each in told))
        assert main(["decode", str(file), "--jsonl"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[0])["from"] == first
    file.write_text(file.read_text().replace('"exi"', '"octets"'))
    assert main(["decode", str(file)]) == 2
    assert "'exi' is missing" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nowhere.pcap", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["decode", str(tmp_path / name)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_no_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.pcap").write_bytes(b"\xd4\xc3\xb2\xa1")
    assert main(["decode", str(tmp_path / "a.pcap")]) == 2
    assert "capture on the interface that leads to the car" in capsys.readouterr().err
