"""`v2g report`: from a trace, a folder or a capture to one file that needs nobody, and shows today's page without scripts."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.v2gkit.insight.viewer import traces
from tests.v2gkit.insight.viewer.test_packing import HOSTILE, Line, lines_of
from v2gkit.cli.main import main
from v2gkit.insight.viewer.packing import unpacked
from v2gkit.insight.viewer.page import bundle, page, script, shell

NODE = shutil.which("node")


class Read(HTMLParser):
    """The elements of a page as a browser that runs scripts sees them."""

    CDATA_CONTENT_ELEMENTS = ("script", "style", "noscript")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[int, str] = {}
        self.within = -1
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.within = len(self.found) - 1

    def handle_endtag(self, tag: str) -> None:
        self.within = -1

    def handle_data(self, data: str) -> None:
        self.text[self.within] = self.text.get(self.within, "") + data

    def content(self, tag: str, **wanted: str) -> list[str]:
        return [
            self.text.get(place, "")
            for place, (name, attributes) in enumerate(self.found)
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]


def written(path: Path, records: list[traces.Record]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines_in(path: Path) -> list[Line]:
    (content,) = Read(path.read_text(encoding="utf-8")).content("script", id="packed")
    return list(unpacked(content))


def of(t: str, lines: list[Line], /, **wanted: Any) -> list[Line]:
    return [line for line in lines if line["t"] == t and all(line.get(name) == value for name, value in wanted.items())]


@pytest.mark.parametrize("option", ["--out", "--output"])
def test_a_trace_becomes_one_file(option: str, tmp_path: Path) -> None:
    trace, target = written(tmp_path / "trace.jsonl", traces.of_station(traces.pair())), tmp_path / "page.html"
    assert main(["report", str(trace), option, str(target)]) == 0
    lines = lines_in(target)
    assert lines[0]["t"] == "head"
    assert lines[0]["title"] == "DC_BPT, Scheduled, PnC"
    assert len(of("verdict", lines)) == 1
    read = Read(target.read_text(encoding="utf-8"))
    (without,) = read.content("noscript")
    assert "<h1>DC_BPT, Scheduled, PnC</h1>" in without
    assert "Power and state of charge over time" in without
    addresses = [value for _, attributes in read.found for key, value in attributes.items() if key in ("src", "href") and value]
    assert all(value.startswith(("#", "data:")) for value in addresses)
    assert "default-src 'none'" in target.read_text(encoding="utf-8")


def test_a_folder_is_everything_in_it(tmp_path: Path) -> None:
    """Both traces, and what the CSMS logged while the station's connection stood, in the lane of the CSMS."""
    done = traces.pair()
    written(tmp_path / "trace.jsonl", traces.of_car(done))
    station = traces.of_station(done)
    written(tmp_path / "station-trace.jsonl", station)
    (tmp_path / "station.jsonl").write_text('{"event": "listening"}\n')
    began, ended = station[0]["epoch"], station[-1]["epoch"]
    periods = [{"startPeriod": 0, "limit": 9_000.0}]
    asked = {"id": 1, "chargingSchedule": [{"id": 1, "duration": 3600, "chargingRateUnit": "W", "chargingSchedulePeriod": periods}]}
    happened = [
        {"topic": "listening", "port": 1},
        {"at": began - 5, "station": "DE*V2G*E1", "topic": "boot", "text": "BootNotification", "facts": {}},
        {"at": began + 0.1, "station": "DE*V2G*E1", "topic": "transaction", "text": "EVSE 1: started", "facts": {"eventType": "Started"}},
        {"at": began + 0.2, "station": "DE*V2G*E1", "topic": "profile", "text": "profile 1", "facts": asked},
        {"at": ended + 9, "station": "DE*V2G*E1", "topic": "disconnected", "text": "gone", "facts": {}},
    ]
    (tmp_path / "csms.jsonl").write_text("".join(json.dumps(each) + "\n" for each in happened) + '{"at": 1')
    assert main(["report", str(tmp_path)]) == 0
    lines = lines_in(tmp_path / "report.html")
    sides = {line["side"]: line["c"] for line in of("connection", lines)}
    assert set(sides) == {"evcc", "secc", "csms"}
    assert [mark["name"] for mark in of("mark", lines, kind="ocpp", c=sides["secc"])] == ["transaction", "profile"]
    assert [mark["name"] for mark in of("mark", lines, kind="ocpp", c=sides["csms"])] == ["boot", "transaction", "profile", "disconnected"]
    started, profile = of("mark", lines, kind="ocpp", c=sides["secc"])
    assert (started["lane"], started["to"]) == ("station", "csms")
    assert (profile["lane"], profile["to"]) == ("csms", "station")
    assert of("series", lines, c=sides["secc"], name="asked by CSMS")[0]["points"][0][1] == 9_000
    assert len(of("verdict", lines)) == 3


def test_a_capture_shows_what_the_trace_shows(tmp_path: Path) -> None:
    """Octets in a log are the least that anybody has; the messages are the same."""
    records = traces.of_station(traces.pair())
    log = tmp_path / "session.log"
    frames = [record for record in records if record["type"] == "frame"]
    log.write_text("".join(f"{r['epoch']:.3f} {r['direction']} 01fe{r['payload_type'][2:]}{r['octets']:08x}{r['exi']}\n" for r in frames))
    assert main(["report", str(log)]) == 0
    found = of("frame", lines_in(tmp_path / "session.html"))
    assert [frame["name"] for frame in found] == [record["name"] for record in frames]


@pytest.mark.parametrize("arguments", [[], ["--keys", "keys.log"]], ids=["alone", "keys"])
def test_a_folder_without_traces_is_an_error(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.jsonl").write_text('{"event": "listening"}\n')
    assert main(["report", str(tmp_path), *arguments]) == 2
    told = capsys.readouterr()
    assert "--keys" in told.err if arguments else "holds no trace" in told.err
    assert told.err.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


def test_the_page_without_scripts_stays_small_beside_what_is_packed(tmp_path: Path) -> None:
    """Hundreds of connections, or one of thousands of loops: all of it is in the viewer, and the plain page says how much it leaves out."""
    records = traces.of_station(traces.pair())
    many = [{**record, "connection": number} for number in range(80) for record in records]
    assert main(["report", str(written(tmp_path / "many.jsonl", many))]) == 0
    (without,) = Read((tmp_path / "many.html").read_text(encoding="utf-8")).content("noscript")
    assert len(without) < 600_000
    shown = without.count("<article")
    assert 5 < shown < 80
    assert f"{80 - shown} more are not shown here" in without
    assert "80 of 80 connections ended as they should" in without
    assert len(of("verdict", lines_in(tmp_path / "many.html"))) == 80


# --- the page ---


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_ends_no_element(text: str, tmp_path: Path) -> None:
    records = traces.of_station(traces.pair())
    records[0]["about"] = {"evse": text}
    for record in records:
        if record["type"] == "event":
            record["name"] = text
        elif record["type"] == "note":
            record["topic"] = text
    records[-1] |= {"well": False, "error": text}
    trace = tmp_path / "trace.jsonl"
    trace.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert main(["report", str(trace)]) == 0
    read = Read((tmp_path / "trace.html").read_text(encoding="utf-8"))
    honest = Read(page(lines_of(traces.of_station(traces.pair())), "", "x"))
    assert [tag for tag, _ in read.found] == [tag for tag, _ in honest.found]
    assert of("verdict", lines_in(tmp_path / "trace.html"))[0]["reason"] == text


def test_a_title_from_outside_is_text() -> None:
    assert "<title>&lt;/title&gt;\\u202e</title>" in page([], "", "</title>\u202e")


def test_what_a_live_server_gives_out_has_nothing_inline() -> None:
    given = shell("/stream", "live")
    assert set(given) == {"/", "/viewer.css", "/viewer.js"}
    read = Read(given["/"][1])
    assert not "".join(read.content("script")).strip()
    assert not read.content("style")
    assert not [attributes for _, attributes in read.found if "style" in attributes or any(key.startswith("on") for key in attributes)]
    assert ("meta", {"name": "source", "content": "/stream"}) in read.found


def test_modules_are_joined_in_the_order_of_their_imports() -> None:
    modules = {
        "main.js": 'import { a } from "./a.js";\nimport { b } from "./b.js";\na(b);\n',
        "a.js": 'import { b } from "./b.js";\nexport function a() { return b; }\n',
        "b.js": "export const b = 1;\n",
    }
    assert bundle(modules.__getitem__, "main.js") == "const b = 1;\nfunction a() { return b; }\na(b);\n"
    modules["b.js"] = "export default 1;\n"
    with pytest.raises(ValueError, match="import or export"):
        bundle(modules.__getitem__, "main.js")
    modules["b.js"] = 'export const b = "</script>";\n'
    with pytest.raises(ValueError, match="ends the script"):
        bundle(modules.__getitem__, "main.js")


def test_no_two_modules_declare_the_same_name() -> None:
    names = re.findall(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", script(), re.MULTILINE)
    assert len(names) > 50
    assert not {name for name in names if names.count(name) > 1}


@pytest.mark.skipif(NODE is None, reason="no node to check with")
def test_the_bundle_is_a_module(tmp_path: Path) -> None:
    (tmp_path / "viewer.mjs").write_text(script(), encoding="utf-8")
    done = subprocess.run([str(NODE), "--check", "viewer.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
