"""The viewer with 50,000 messages: size of the file, first paint, pictures a second while the cursor moves, in Debian's Chromium."""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from v2g.exi.codec import decode, encode
from v2g.exi.schema import Type
from v2g.iso20.rational import rational
from v2g.iso20.services import DC_BPT
from v2g.messages import schema_set

MESSAGES = 50_000
SIZE = 6.0  # MB, the limit of the file
PAINT = 1.5  # s, of the first paint
PICTURES = 30.0  # a second, while the cursor moves
PERIOD = 0.25  # s from one charge loop to the next
ROUNDS = 5  # the median of which counts
SECONDS = 3.0  # in which pictures are counted
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")
V2G = (sys.executable, "-m", "v2gkit")

_PAINTED = """() => new Promise((done) => {
  const look = () => {
    const first = performance.getEntriesByName("first-contentful-paint")[0];
    if (first) done(first.startTime / 1000); else setTimeout(look, 20);
  };
  look();
})"""
_READY = "() => (performance.getEntriesByName('v2g-ready')[0]?.startTime ?? NaN) / 1000"
_COUNTED = """([seconds, moves]) => new Promise((done) => {
  const began = performance.now(), all = moves ? [...v2g.store.connections.values()][0] : null;
  let pictures = 0;
  const next = (now) => {
    pictures++;
    const share = (now - began) / 1000 / seconds;
    if (share >= 1) return done(pictures / seconds);
    if (moves) v2g.cursor(all.from + (all.until - all.from) * share);
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a browser measured of a page: first paint and all shown (s from the start), pictures a second at rest and with the cursor."""

    paint: float
    ready: float
    rest: float
    moving: float


def run() -> None:
    """Print the figures, each beside that of an empty page in the same run."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("left out: there is no chromium on this machine")
        return
    with tempfile.TemporaryDirectory() as folder:
        trace, page, empty = (Path(folder) / name for name in ("trace.jsonl", "page.html", "empty.html"))
        recorded = _recorded(Path(folder) / "session.jsonl")
        trace.write_text("".join(json.dumps(record) + "\n" for record in _lengthened(recorded)))
        before = os.times().children_user
        subprocess.run([*V2G, "report", str(trace), "--output", str(page)], check=True, capture_output=True)
        made = os.times().children_user - before
        empty.write_text("<!doctype html><title>empty</title><p>nothing</p>")
        bare, full = _seen(chromium, empty, viewer=False), _seen(chromium, page, viewer=True)
        size, raw = page.stat().st_size / 1e6, trace.stat().st_size / 1e6
    print(f"{MESSAGES} messages, a trace of {raw:.0f} MB, made into a page in {made:.1f} s of CPU\n")
    print(f"{'':34} {'viewer':>9} {'empty page':>11} {'ratio':>7}")
    print(f"{'size, MB (of the trace)':34} {size:9.2f} {raw:11.1f} {size / raw:7.3f}")
    print(f"{'first paint, s':34} {full.paint:9.3f} {bare.paint:11.3f} {full.paint / bare.paint:7.1f}")
    print(f"{'everything shown, s':34} {full.ready:9.3f}")
    print(f"{'pictures a second, at rest':34} {full.rest:9.1f} {bare.rest:11.1f} {full.rest / bare.rest:7.2f}")
    print(f"{'pictures a second, cursor moves':34} {full.moving:9.1f} {bare.rest:11.1f} {full.moving / bare.rest:7.2f}\n")
    for what, well in {
        f"file at most {SIZE:g} MB": size <= SIZE,
        f"first paint within {PAINT:g} s": full.paint <= PAINT,
        f"cursor at {PICTURES:g} pictures a second or more": full.moving >= PICTURES,
    }.items():
        print(f"goal: {what}: {'met' if well else 'MISSED'}")


def _recorded(trace: Path) -> list[dict[str, Any]]:
    """A real session of a dozen charge loops, as its car recorded it."""
    command = [*V2G, "secc", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--once", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as station:
        assert station.stdout is not None
        address = json.loads(station.stdout.readline())["address"]
        car = [*V2G, "ev", "--no-tls", "--connect", address, "--service", DC_BPT.name, "--auth", "eim", "--loops", "12", "--quiet"]
        subprocess.run([*car, "--trace", str(trace)], check=True, capture_output=True, timeout=300)
        station.communicate(timeout=300)
    return [json.loads(line) for line in trace.read_text().splitlines()]


def _lengthened(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The session with its last whole charge loop repeated, each time with new times and values, until there are MESSAGES messages."""
    loops = [place for place, record in enumerate(records) if record.get("name") == "DC_ChargeLoopReq"]
    first, last = loops[-2], loops[-1]
    pair = [record for record in records[first:last] if record["type"] == "frame"]
    yield from records[:last]
    held, later = sum(record["type"] == "frame" for record in records), 0.0
    for number in range((MESSAGES - held) // len(pair)):
        later += PERIOD
        yield from (_renewed(record, number, later) for record in pair)
    for record in records[last:]:
        yield {**record, "at": record["at"] + later, "epoch": record["epoch"] + later}


def _renewed(record: dict[str, Any], number: int, later: float) -> dict[str, Any]:
    """A frame some time later, with the time stamp and the values of that moment, through the codec; as a station records a busy day."""
    schemas = schema_set(record["set"])
    message: Any = decode(bytes.fromhex(record["exi"]), schemas)
    epoch, swing = record["epoch"] + later, math.sin(number / 900.0)
    header = msgspec.structs.replace(message.Header, TimeStamp=int(epoch))
    octets = encode(msgspec.structs.replace(message, Header=header, **_moved(message, number, swing)), schemas)
    timing = {"gap": 0.004 + 0.002 * abs(math.sin(number * 1.7)), "margin": None}
    changed = {"exi": octets.hex(), "octets": len(octets), "message": None, "at": record["at"] + later, "epoch": epoch}
    return {**record, **timing, **changed}


def _moved(message: Type, number: int, swing: float) -> dict[str, Any]:
    """The values that move from loop to loop: state of charge, voltage and current."""
    volts, amperes = rational(400.0 + 20.0 * swing), rational(round(90.0 * swing, 1))
    moved = {"EVPresentVoltage": volts, "EVSEPresentVoltage": volts, "EVSEPresentCurrent": amperes}
    fields = {name: value for name, value in moved.items() if hasattr(message, name)}
    if (display := getattr(message, "DisplayParameters", None)) is not None:
        fields["DisplayParameters"] = msgspec.structs.replace(display, PresentSOC=int(50 + 40 * swing))
    return fields


def _seen(chromium: str, page: Path, *, viewer: bool) -> Seen:
    """What a new browser measures of a page, the median of some rounds."""
    from playwright.sync_api import sync_playwright

    rounds = list[tuple[float, float]]()
    with sync_playwright() as playwright:
        for _ in range(ROUNDS):
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            tab.goto(page.as_uri())
            if viewer:
                tab.locator("html[data-ready='1']").wait_for(state="attached", timeout=120_000)
            rounds.append((tab.evaluate(_PAINTED), tab.evaluate(_READY)))
            if len(rounds) == ROUNDS:
                rest, moving = (tab.evaluate(_COUNTED, [SECONDS, moves]) for moves in (False, viewer))
            browser.close()
    paint, ready = (sorted(values)[ROUNDS // 2] for values in zip(*rounds, strict=True))
    return Seen(paint, ready, rest, moving)
