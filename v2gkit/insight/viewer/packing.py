"""View lines as packed octets for a file, and back.

A message says what differs from the one before it of its shape, and its octets are left out where they follow from shape
and values; a mark says what differs from the one before of its name. Points of one curve are gathered as far as no other plan comes
between. What replaces an older line is kept alone. Lines of one kind stand together. All that is compressed and written in base64, in
which nothing can end the element that holds it; `assets/unpack.js` is the other half.

A message that differs from the one before of its shape in nothing but time and values is an array: shape, how much later (0.1 ms) and how
much later by the wall clock (ms) than the message before in the connection, how long it took (us), octets, then places and values by turns.
"""

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from v2g.exi.errors import ExiError
from v2gkit.insight.viewer.octets import Encoder
from v2gkit.insight.viewer.told import short

Line = dict[str, Any]
LEVEL: Final = 9  # a report is written once and opened often
ORDER: Final = ("head", "connection", "requirement", "facts", "verdict", "shape", "chain", "frame", "signature", "series", "mark", "pair")
_LATEST: Final = ("connection", "facts", "verdict")  # of which each replaces the one before
_ANEW: Final = ("from", "replace")  # what begins a curve anew, or from there on
_TIMES: Final = ("at", "epoch", "took", "octets", "d")  # what an array holds
_KEPT: Final = ("t", "c", "s", "kind", "name")  # what tells whose change it is


def packed(lines: Iterable[Line]) -> str:
    """The lines, compressed, as base64."""
    text = "\n".join(_text(line) for line in shortened(lines))
    return base64.b64encode(gzip.compress(text.encode("ascii"), LEVEL, mtime=0)).decode("ascii")


def shortened(lines: Iterable[Line]) -> Iterator[Line | list[Any]]:
    """The lines in the order and form of the file, each as it is before it becomes text."""
    kinds: dict[str, list[Line]] = {kind: [] for kind in ORDER}
    latest: dict[tuple[str, int], Line] = {}
    for line in lines:
        if line["t"] in _LATEST:
            latest[line["t"], line["c"]] = line
        else:
            kinds[line["t"]].append(line)
    for (kind, _), line in latest.items():
        kinds[kind].append(line)
    kinds["series"] = list(_gathered(kinds["series"]))
    kinds["frame"].sort(key=lambda line: line["c"])  # the order within a connection stays
    packer = _Packer({line["s"]: line for line in kinds["shape"]})
    for kind in ORDER:
        for line in kinds[kind]:
            yield packer.frame(line) if kind == "frame" else packer.mark(line) if kind == "mark" else line


class _Packer:
    """Makes changes of frames and marks. Reads what it wrote as the other half will."""

    def __init__(self, shapes: dict[int, Line]) -> None:
        self._shapes, self._encoders = shapes, dict[int, Encoder]()
        self._before: dict[tuple[Any, str], Line] = {}
        self._last: tuple[int, int, int] | None = None  # connection, at (0.1 ms) and epoch (ms) of the frame before
        self._count = 0  # of frames in its connection

    def frame(self, line: Line) -> Line | list[Any]:
        """A frame as an object with its changes, or as an array."""
        here = line["c"], round(line["at"] * 1e4), round(line["epoch"] * 1e3)
        last = self._last if self._last is not None and self._last[0] == here[0] else None
        self._count = self._count + 1 if last is not None else 1
        self._last = here
        if "s" not in line:
            return line
        whole = dict(line)
        if self._follows(line):
            del whole["exi"]
        if whole["n"] == self._count - 1:
            del whole["n"]
        if "to" in whole:
            whole["b"] = line["n"] - whole.pop("to")
        key = line["s"], ""
        before, self._before[key] = self._before.get(key), whole
        if before is None:
            return whole
        changes = [each for place, value in enumerate(line["v"]) if not _same(value, before["v"][place]) for each in (place, value)]
        packed = _changed({**whole, "d": changes} if changes else whole, before)
        if last is not None and packed.keys() <= {*_KEPT, *_TIMES}:
            took = round(whole["took"] * 1e6) if "took" in whole else None
            return [line["s"], here[1] - last[1], here[2] - last[2], took, whole["octets"], *changes]
        return packed

    def mark(self, line: Line) -> Line:
        """A mark as an object with its changes."""
        whole = dict(line)
        if whole.get("text") == short(line["name"], line.get("facts")):
            del whole["text"]
        key = line["kind"], line["name"]
        before, self._before[key] = self._before.get(key), whole
        return whole if before is None else _changed(whole, before)

    def _follows(self, line: Line) -> bool:
        """Whether the octets of a frame are those that its shape and values give."""
        shape = line["s"]
        if shape not in self._encoders:
            self._encoders[shape] = Encoder(self._shapes[shape])
        octets = self._encoders[shape].octets(line["v"])
        return octets is not None and base64.b64encode(octets).decode("ascii") == line["exi"]


def _gathered(lines: Iterable[Line]) -> Iterator[Line]:
    """Curves, the points of each in one line until another plan begins."""
    waiting: dict[tuple[int, str], Line] = {}
    for line in lines:
        key = line["c"], line["name"]
        if key not in waiting:
            waiting[key] = {**line, "points": list(line["points"])}
        elif any(each in line for each in _ANEW):
            yield waiting[key]
            waiting[key] = {**line, "points": list(line["points"])}
        else:
            waiting[key]["points"] += line["points"]
            waiting[key] |= {name: value for name, value in line.items() if name != "points"}
    yield from waiting.values()


def _changed(whole: Line, before: Line) -> Line:
    found: Line = {
        name: value
        for name, value in whole.items()
        if name != "v" and (name in _KEPT or name in _TIMES or name not in before or not _same(value, before[name]))
    }
    if gone := [name for name in before if name not in whole and name not in ("v", "d")]:
        found["x"] = gone
    return found


def _same(one: Any, other: Any) -> bool:
    return bool(one == other and type(one) is type(other))


def _text(line: Line | list[Any]) -> str:
    """A line of ASCII: whatever strange characters it holds, lone surrogates too, are escapes of JSON."""
    return json.dumps(line, separators=(",", ":"), allow_nan=False)


# --- the other half ---


def unpacked(text: str) -> Iterator[Line]:
    """The lines of packed octets, whole again. Raises ExiError for what is not packed so."""
    try:
        lines = gzip.decompress(base64.b64decode(text, validate=True)).decode("ascii").split("\n")
    except (ValueError, OSError, EOFError) as error:
        raise ExiError(f"not packed: {error}") from None
    unpacker = _Unpacker()
    for each in lines:
        try:
            line = json.loads(each)
        except ValueError as error:
            raise ExiError(f"not packed: {error}") from None
        yield unpacker.line(line)


class _Unpacker:
    def __init__(self) -> None:
        self._before: dict[tuple[Any, str], Line] = {}
        self._encoders: dict[int, Encoder] = {}
        self._last = (-1, 0, 0)
        self._count = 0

    def line(self, packed: Any) -> Line:
        if isinstance(packed, list):
            return self._array(*packed)
        if packed["t"] == "shape":
            self._encoders[packed["s"]] = Encoder(packed)
        elif packed["t"] == "mark":
            key = packed["kind"], packed["name"]
            whole = self._before[key] = _merged(self._before.get(key, {}), packed)
            return whole if "text" in whole else {**whole, "text": short(whole["name"], whole.get("facts"))}
        elif packed["t"] == "frame":
            return self._frame(packed)
        return dict(packed)

    def _array(self, shape: int, later: int, epoch: int, took: int | None, octets: int, *changes: Any) -> Line:
        c, at, wall = self._last
        times = {"at": (at + later) / 1e4, "epoch": (wall + epoch) / 1e3, "octets": octets, "d": list(changes)}
        return self._frame({"t": "frame", "c": c, "s": shape, **times} | ({} if took is None else {"took": took / 1e6}))

    def _frame(self, packed: Line) -> Line:
        self._count = self._count + 1 if self._last[0] == packed["c"] else 1
        self._last = packed["c"], round(packed["at"] * 1e4), round(packed["epoch"] * 1e3)
        if "s" not in packed:
            return packed
        key = packed["s"], ""
        before = self._before.get(key, {})
        whole = _merged(before, packed)
        changes = whole.pop("d", ())
        whole["v"] = list(whole["v"])
        for place, value in zip(changes[::2], changes[1::2], strict=True):
            whole["v"][place] = value
        self._before[key] = whole
        found = {"n": self._count - 1, **whole}
        if "b" in found:
            found["to"] = found["n"] - found.pop("b")
        if "exi" not in found:
            found["exi"] = base64.b64encode(self._encoders[packed["s"]].octets(found["v"]) or b"").decode("ascii")
        return found


def _merged(before: Line, packed: Line) -> Line:
    gone = packed.get("x", ())
    return {name: value for name, value in {**before, **packed}.items() if name not in gone and name != "x"}
