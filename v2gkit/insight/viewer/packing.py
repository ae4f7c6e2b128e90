"""View lines as packed octets for a file, and back.

A frame says only which values differ from those of the frame before it that has its shape, in its connection; points of one curve are
gathered in one line as far as no other plan comes between. What is left is compressed and written in base64, in which nothing can end the
element that holds it.
"""

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from v2g.exi.errors import ExiError

Line = dict[str, Any]
LEVEL: Final = 9  # a report is written once and opened often
_ANEW: Final = ("from", "replace")  # what begins a curve anew, or from there on


def packed(lines: Iterable[Line]) -> str:
    """The lines, compressed, as base64."""
    text = "\n".join(_text(line) for line in shortened(lines))
    return base64.b64encode(gzip.compress(text.encode("ascii"), LEVEL, mtime=0)).decode("ascii")


def unpacked(text: str) -> Iterator[Line]:
    """The lines of packed octets, whole again. Raises ExiError for what is not packed so."""
    try:
        lines = gzip.decompress(base64.b64decode(text, validate=True)).decode("ascii").split("\n")
    except (ValueError, OSError, EOFError) as error:
        raise ExiError(f"not packed: {error}") from None
    before: dict[tuple[int, int], list[Any]] = {}
    for each in lines:
        line = json.loads(each)
        if line["t"] == "frame" and "s" in line:
            key = line["c"], line["s"]
            changes = line.pop("d", [])
            values = line["v"] if "v" in line else [*before[key]]
            for place, value in zip(changes[::2], changes[1::2], strict=True):
                values[place] = value
            before[key] = line["v"] = values
        yield line


def shortened(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines, frames as what is other than in the frame of their shape before, points of a curve together."""
    before: dict[tuple[int, int], list[Any]] = {}
    waiting: dict[tuple[int, str], Line] = {}
    for line in lines:
        if line["t"] == "series":
            yield from _gathered(line, waiting)
        elif line["t"] == "frame" and "s" in line:
            key = line["c"], line["s"]
            yield _different(line, before.get(key))
            before[key] = line["v"]
        else:
            yield line
    yield from waiting.values()


def _gathered(line: Line, waiting: dict[tuple[int, str], Line]) -> Iterator[Line]:
    key = line["c"], line["name"]
    if key not in waiting:
        waiting[key] = {**line, "points": list(line["points"])}
    elif any(each in line for each in _ANEW):
        yield waiting[key]
        waiting[key] = {**line, "points": list(line["points"])}
    else:
        waiting[key]["points"] += line["points"]
        waiting[key] |= {name: value for name, value in line.items() if name != "points"}


def _different(line: Line, before: list[Any] | None) -> Line:
    if before is None:
        return line
    found: Line = {name: value for name, value in line.items() if name != "v"}
    changes = [each for place, value in enumerate(line["v"]) if not _same(value, before[place]) for each in (place, value)]
    return found | ({"d": changes} if changes else {})


def _same(one: Any, other: Any) -> bool:
    return bool(one == other and type(one) is type(other))


def _text(line: Line) -> str:
    """A line of ASCII: whatever strange characters it holds, lone surrogates too, are escapes of JSON."""
    return json.dumps(line, separators=(",", ":"), allow_nan=False)
