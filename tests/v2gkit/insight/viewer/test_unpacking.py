"""The browser's half of packing gives the same lines and octets as ours: run by Node where it is at hand."""

import base64
import gzip
import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.evcc.test_pair import greedy, hasty
from tests.v2gkit.insight.viewer import traces
from tests.v2gkit.insight.viewer.test_packing import Line, lines_of
from v2gkit.insight.viewer.packing import packed, unpacked

NODE = shutil.which("node")
PROGRAM = """
import { readFileSync } from "node:fs";
import { Unpacker, octetsOfShape } from "./unpack.mjs";
const unpacker = new Unpacker(), shapes = new Map();
for (const text of readFileSync("lines.txt", "utf-8").split("\\n")) {
  const line = unpacker.line(JSON.parse(text));
  if (line.t === "shape") shapes.set(line.s, line);
  if (line.t === "frame" && line.s !== undefined && line.exi === undefined)
    line.exi = Buffer.from(octetsOfShape(shapes.get(line.s), line.v)).toString("base64");
  console.log(JSON.stringify(line));
  if (line.t === "mark") Object.assign(line, { text: "of another", m: -1 }); // as the page adds to what it was given
}
"""


@pytest.mark.skipif(NODE is None, reason="no node to run the module with")
def test_the_browser_unpacks_what_we_pack(tmp_path: Path) -> None:
    sessions = [traces.pair(), traces.pair("AC_BPT", "Dynamic", "EIM"), traces.pair(script=hasty), traces.pair(script=greedy)]
    records = [*map(traces.of_station, sessions), *map(traces.of_car, sessions)]
    next(each for each in records[0] if each["type"] == "frame")["exi"] = "80"
    content = packed(lines_of(*records))
    (tmp_path / "lines.txt").write_bytes(gzip.decompress(base64.b64decode(content)))
    (tmp_path / "unpack.mjs").write_text((files("v2gkit.insight.viewer") / "assets" / "unpack.js").read_text(encoding="utf-8"))
    (tmp_path / "program.mjs").write_text(PROGRAM)
    done = subprocess.run([str(NODE), "program.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    found: list[Line] = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = list(unpacked(content))
    assert len(found) == len(wanted)
    for mine, theirs in zip(wanted, found, strict=True):
        if mine["t"] == "mark" and "text" not in theirs:
            del mine["text"]  # which the page makes of name and facts
        assert json.loads(json.dumps(mine)) == theirs
