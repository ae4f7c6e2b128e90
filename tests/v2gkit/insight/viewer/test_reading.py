"""What the page makes of a message is what our command line says of it: EXI steps, XML and JSON, by Node where it is at hand."""

import base64
import gzip
import json
import random
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.v2gkit.insight.viewer import traces
from tests.v2gkit.insight.viewer.test_packing import lines_of
from v2g.exi import explain
from v2g.exi.codec import encode, read
from v2g.exi.json import plain
from v2g.exi.sample import samples
from v2g.exi.xml import to_xml
from v2g.messages import schema_set
from v2gkit.insight.viewer.packing import packed
from v2gkit.insight.viewer.shapes import Shapes

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node to run the modules with")
ASSETS = Path(str(files("v2gkit.insight.viewer") / "assets"))


def run(program: str, folder: Path, given: Any) -> Any:
    """What `program` gives for `given`, as a module beside ours."""
    for module in ASSETS.glob("*.js"):
        (folder / module.name).write_bytes(module.read_bytes())
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "program.js").write_text(
        'import { readFileSync } from "node:fs";\nconst given = JSON.parse(readFileSync("given.json", "utf-8"));\n' + program
    )
    done = subprocess.run([str(NODE), "program.js"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def session() -> list[dict[str, Any]]:
    pair = traces.pair()
    return lines_of(traces.of_station(pair), traces.of_car(pair))


@needs_node
def test_steps_are_those_of_explain(tmp_path: Path) -> None:
    lines = [line for line in session() if line["t"] in ("shape", "frame")]
    program = """
import { stepsOf } from "./message.js";
import { Store } from "./store.js";
const store = new Store();
for (const line of given) store.add(line);
const frames = given.filter((line) => line.t === "frame");
const told = (f) => stepsOf(f, store.shapes.get(f.s), store.octetsOf(f)).map((s) => [s.bit, s.width, s.depth, s.what, s.value]);
console.log(JSON.stringify(frames.map(told)));
"""
    found = run(program, tmp_path, lines)
    frames = [line for line in lines if line["t"] == "frame"]
    assert len({frame["name"] for frame in frames}) > 20
    for frame, steps in zip(frames, found, strict=True):
        octets = base64.b64decode(frame["exi"])
        wanted, _ = explain.explain(octets, schema_set(frame["set"]))
        assert steps == [[s.bit, s.width, s.depth, s.what, str(explain.shown(s.value))] for s in wanted], frame["name"]


@needs_node
def test_xml_and_json_are_those_of_the_codec(tmp_path: Path) -> None:
    """Of the messages of a session, and of samples of whole schema sets: attributes, repeated elements, large integers."""
    documents = [(base64.b64decode(line["exi"]), line["set"]) for line in session() if line["t"] == "frame"]
    for name in ("dc", "common", "iso2"):
        documents += sampled(name)
    shapes, given = Shapes(), []
    known: dict[int, Any] = {}
    for octets, name in documents:
        shaped = shapes.of(octets, name)
        assert shaped.shape is not None
        if shaped.line is not None:
            known[shaped.shape] = shaped.line
        given.append({"shape": known[shaped.shape], "v": shaped.values})
    program = """
import { jsonOf, treeOf, xmlOf } from "./message.js";
const roots = given.map(({ shape, v }) => [treeOf(shape, v), shape]);
console.log(JSON.stringify(roots.map(([root, shape]) => [jsonOf(root), xmlOf(root, shape)])));
"""
    for (octets, name), (said, xml) in zip(documents, run(program, tmp_path, given), strict=True):
        schemas = schema_set(name)
        reading = read(octets, schemas)
        assert json.loads(said) == json.loads(json.dumps(plain(reading.message, schemas, reading.name))), reading.name
        assert canonical(xml) == canonical(to_xml(reading.message, schemas, reading.name)), reading.name


def sampled(name: str) -> list[tuple[bytes, str]]:
    """Documents of each message of a schema set that can have one."""
    schemas = schema_set(name)
    return [(encode(message, schemas), name) for seed in range(3) for message in samples(schemas, random.Random(seed))]


def canonical(xml: Any) -> bytes:
    tree = etree.fromstring(xml.encode() if isinstance(xml, str) else xml, etree.XMLParser(remove_blank_text=True))
    etree.cleanup_namespaces(tree)
    return bytes(etree.tostring(tree, method="c14n"))


@needs_node
def test_packed_lines_come_out_whole_whatever_the_slices_are(tmp_path: Path) -> None:
    content = packed(session())
    program = """
import { packedLines } from "./store.js";
const lines = [];
for await (const line of packedLines(given)) lines.push(line);
console.log(JSON.stringify(lines));
"""
    assert run(program, tmp_path, content) == gzip.decompress(base64.b64decode(content)).decode().split("\n")


@needs_node
def test_the_store_keeps_the_order_of_time_and_what_a_new_plan_leaves_of_an_old_one(tmp_path: Path) -> None:
    series = {"t": "series", "c": 1, "name": "limit", "unit": "W", "role": "limit"}
    lines = [
        {"t": "mark", "c": 1, "at": 2.0, "epoch": 102, "kind": "fact", "name": "Late", "facts": {"power": 3, "many": [1]}},
        {"t": "frame", "c": 1, "n": 0, "at": 1.0, "epoch": 101, "from": "car", "name": "SessionSetupReq"},
        {"t": "frame", "c": 1, "n": 1, "at": 3.0, "epoch": 103, "from": "station", "name": "SessionSetupRes", "code": "FAILED"},
        {"t": "a line of a later version", "c": 1},
        {**series, "points": [[100, 1], [110, 2], [120, 3]], "step": True},
        {**series, "points": [[115, 9]], "from": 110},
        {"t": "verdict", "c": 1, "over": True, "well": False},
        {"t": "connection", "c": 2, "began": 100},
    ]
    program = """
import { Store } from "./store.js";
const store = new Store();
for (const line of given) store.add(line);
const of = store.connections.get(1), { xs, ys, step } = of.series.get("limit");
const told = { names: of.ordered().map((i) => i.name), i: of.items.map((i) => i.i), text: of.marks[0].text, bad: of.failures.length };
store.forget(1, 2);
console.log(JSON.stringify({ ...told, xs, ys, step, reach: [of.from, of.until], left: [...store.connections.keys()] }));
"""
    assert run(program, tmp_path, lines) == {
        "names": ["SessionSetupReq", "Late", "SessionSetupRes"],
        "i": [0, 1, 2],
        "text": "Late power 3",
        "bad": 1,
        "xs": [100, 115],
        "ys": [1, 9],
        "step": True,
        "reach": [100, 120],
        "left": [2],
    }


@needs_node
def test_a_curve_of_many_points_keeps_its_extremes_and_its_values(tmp_path: Path) -> None:
    values = [float(place % 97) for place in range(50_000)]
    values[31_234], values[7] = 5000.0, -5000.0
    program = """
import { trail, valueAt, placeOf } from "./plot.js";
import { sumOf } from "./fleet.js";
const curve = { xs: given.map((_, i) => i), ys: given, step: true, until: null }, line = { xs: [0, 10], ys: [0, 100], until: null };
const shown = trail(curve, 0, 50000, 1000, 50000).map((point) => point[1]);
const sum = sumOf([[{ xs: [0, 5], ys: [1, 2] }, 10], [{ xs: [5], ys: [-7] }, 20]]);
const extremes = { many: shown.length, most: Math.max(...shown), least: Math.min(...shown) };
const [at, between, before, after] = [valueAt(curve, 31234.5, 50000), ...[2.5, -1, 11].map((t) => valueAt(line, t, 10))];
const zoomed = trail(curve, 31230, 31240, 1000, 50000).length;
console.log(JSON.stringify({ ...extremes, at, between, before, after, zoomed, place: placeOf([1, 2, 2, 3], 2), sum: [sum.xs, sum.ys] }));
"""
    found = run(program, tmp_path, values)
    assert found.pop("many") <= 4 * 1000 + 2
    assert found == {
        "most": 5000,
        "least": -5000,
        "at": 5000,
        "between": 25,
        "before": None,
        "after": None,
        "zoomed": 21,
        "place": 2,
        "sum": [[0, 5, 10, 20], [1, -5, -7, 0]],
    }
