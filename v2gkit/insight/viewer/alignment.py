"""Two sessions side by side: their messages aligned by state and name, and which values differ.

Exchanges that repeat, as polls and charge loops do, are aligned as runs: a session with ten loops more differs in ten exchanges at the end
of the run. Values that are other ones every time are not compared: moments, session ids, random octets. What was measured, or follows from
it, is another value in each session of real hardware: messages that differ in that alone are told apart, and are no difference. A rational
number is compared as the number that it is.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import groupby, zip_longest
from typing import Any, Final

Line = dict[str, Any]
Leaves = dict[str, Any]  # path -> value
FRESH: Final = frozenset(  # elements whose values are other ones in every session
    {
        "DHPublicKey",
        "DepartureTime",
        "DigestValue",
        "GenChallenge",
        "MeterSignature",
        "MeterTimestamp",
        "SECCPublicKey",
        "SessionID",
        "SignatureValue",
        "SignedEncryptedPrivateKey",
        "TimeAnchor",
        "TimeStamp",
    }
)
MEASURED: Final = re.compile(  # a path with an element that states what was measured, or what follows from that moment by moment
    r"Present(?:Voltage|Current|SOC|ActivePower|ReactivePower)"
    r"|/(?:MeterInfo|Receipt)(?:/|$)"
    r"|ChargeLoopReq/.*(?:EnergyRequest|EVTargetVoltage|EVTargetCurrent|RemainingTimeTo\w+|ChargingComplete)$"
)
PATHS: Final = 40  # of one message that are told


@dataclass(slots=True)
class Connection:
    """The frames and the verdict of one connection, from view lines."""

    about: Line
    frames: list[Line] = field(default_factory=list)
    verdict: Line | None = None

    @property
    def name(self) -> str:
        """How people tell it from others."""
        outlet = f" at {self.about['outlet']}" if self.about.get("outlet") else ""
        return f"{self.about['source']}, connection {self.about['number']}{outlet}"


@dataclass(slots=True)
class Difference:
    """What two connections have in common: a row for each pair of messages, and each value that differs, with its first example."""

    one: Connection
    other: Connection
    rows: list[tuple[int | None, int | None, str, list[str]]] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)  # path -> how often, value of one, value of the other

    @property
    def same(self) -> bool:
        """Whether messages, values and endings are the same."""
        return all(row[2] in ("same", "measured") for row in self.rows) and _ending(self.one) == _ending(self.other)

    def line(self) -> Line:
        """The rows of both as a line for the viewer."""
        return {"t": "pair", "a": self.one.about["c"], "b": self.other.about["c"], "rows": [list(row) for row in self.rows]}

    def summary(self, most: int = 12) -> Iterator[str]:
        """A few lines for people."""
        many = {kind: sum(row[2] == kind for row in self.rows) for kind in ("same", "measured", "differs", "only a", "only b")}
        yield f"A  {self.one.name}: {len(self.one.frames)} messages, {_ending(self.one)}"
        yield f"B  {self.other.name}: {len(self.other.frames)} messages, {_ending(self.other)}"
        apart = f", {many['measured']} but for measured values" if many["measured"] else ""
        yield f"   {many['same']} the same{apart}, {many['differs']} differ, {many['only a']} only in A, {many['only b']} only in B"
        values = {path: value for path, value in self.values.items() if not MEASURED.search(path)}
        for path, (times, one, other) in sorted(values.items(), key=lambda each: -each[1][0])[:most]:
            yield f"   {times:>6} × {path}: {_shown(one)} in A, {_shown(other)} in B"
        if len(values) > most:
            yield f"   and {len(values) - most} other values; --out shows them all"


def connections(lines: Iterable[Line]) -> tuple[dict[int, Line], list[Connection]]:
    """The shapes by number, and the connections that have messages, in the order in which they began."""
    shapes: dict[int, Line] = {}
    found: dict[int, Connection] = {}
    for line in lines:
        match line["t"]:
            case "shape":
                shapes[line["s"]] = line
            case "connection":
                found[line["c"]] = Connection(line, found[line["c"]].frames if line["c"] in found else [])
            case "frame":
                found[line["c"]].frames.append(line)
            case "verdict":
                found[line["c"]].verdict = line
    return shapes, [each for each in found.values() if each.frames]


def compared(one: Connection, other: Connection, shapes: dict[int, Line]) -> Difference:
    """The difference of two connections whose frames have these shapes."""
    found = Difference(one, other)
    by_state = one.about["side"] == other.about["side"]  # a car and a station name their states in other words
    paths = _Paths(shapes)
    for mine, theirs in _aligned(_exchanges(one.frames, by_state), _exchanges(other.frames, by_state)):
        for left, right in zip_longest(mine, theirs):
            if left is None or right is None:
                found.rows.append((None, right["n"], "only b", []) if left is None else (left["n"], None, "only a", []))
            else:
                _compare(left, right, paths, found)
    return found


# --- aligning ---

Exchange = tuple[tuple[str, ...], list[Line]]  # what it is called, and its request with its response


def _exchanges(frames: Sequence[Line], by_state: bool) -> list[Exchange]:
    """Requests with their responses, and what has no partner alone, in the order of requests."""
    found: list[tuple[list[str], list[Line]]] = []
    open_ones: dict[int, int] = {}
    for frame in frames:
        name = [frame.get("state", "") if by_state else "", frame["name"]]
        if (place := open_ones.pop(frame.get("to", -1), None)) is not None:
            found[place][0].append(frame["name"])
            found[place][1].append(frame)
            continue
        open_ones[frame["n"]] = len(found)
        found.append((name, [frame]))
    return [(tuple(name), each) for name, each in found]


def _aligned(one: list[Exchange], other: list[Exchange]) -> Iterator[tuple[list[Line], list[Line]]]:
    """Frames of both that stand beside each other."""
    runs = [_runs(one), _runs(other)]
    matcher = SequenceMatcher(None, [name for name, _ in runs[0]], [name for name, _ in runs[1]], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        mine, theirs = runs[0][a:b], runs[1][c:d]
        if kind == "equal":
            for (_, left), (_, right) in zip(mine, theirs, strict=True):
                yield from zip_longest(left, right, fillvalue=[])
        else:
            yield from ((each, []) for _, run in mine for each in run)
            yield from (([], each) for _, run in theirs for each in run)


def _runs(exchanges: list[Exchange]) -> list[tuple[tuple[str, ...], list[list[Line]]]]:
    """Exchanges of one name that follow each other, as one."""
    return [(name, [each for _, each in run]) for name, run in groupby(exchanges, key=lambda each: each[0])]


# --- comparing ---


class _Paths:
    """The path of each leaf of a shape, None for one that is not compared; and which of them are the two parts of a rational number."""

    def __init__(self, shapes: dict[int, Line]) -> None:
        self._shapes = shapes
        self._known: dict[int, list[tuple[str, int, int | None]]] = {}

    def leaves(self, frame: Line) -> Leaves | None:
        """Path and value of each leaf that is compared; None for a frame without shape."""
        if "s" not in frame:
            return None
        if frame["s"] not in self._known:
            self._known[frame["s"]] = list(_paths(self._shapes[frame["s"]]))
        values = frame["v"]
        return {
            path: values[leaf] if exponent is None else float(f"{values[leaf]}e{values[exponent]}")
            for path, leaf, exponent in self._known[frame["s"]]
        }


def _paths(shape: Line) -> Iterator[tuple[str, int, int | None]]:
    """Path, leaf, and the leaf of the exponent that belongs to it, of each leaf that is compared."""
    above: list[str] = []
    count: dict[str, int] = {}
    exponent: tuple[str, int] | None = None
    for depth, name, leaf, _, _, many in shape["rows"]:
        del above[depth:]
        within = "/".join(above)
        if many:
            path = f"{within}/{name}"
            count[path] = count.get(path, 0) + 1
            name = f"{name}[{count[path]}]"
        above.append(name)
        if leaf < 0 or FRESH & {each.lstrip("@#~") for each in above}:
            continue
        if name == "Exponent":
            exponent = within, leaf
        elif name == "Value" and exponent is not None and exponent[0] == within:
            yield within, leaf, exponent[1]
        else:
            yield "/".join(above), leaf, None


def _compare(left: Line, right: Line, paths: _Paths, found: Difference) -> None:
    mine, theirs = paths.leaves(left), paths.leaves(right)
    if mine is None or theirs is None:
        same = left.get("exi") == right.get("exi")
        found.rows.append((left["n"], right["n"], "same" if same else "differs", [] if same else ["the octets, which are no message"]))
        return
    names = [path for path in {**mine, **theirs} if path not in mine or path not in theirs or mine[path] != theirs[path]]
    for path in names:
        known = found.values.setdefault(path, [0, mine.get(path), theirs.get(path)])
        known[0] += 1
    names.sort(key=lambda path: MEASURED.search(path) is not None)  # what tells more comes first
    kind = "same" if not names else "measured" if MEASURED.search(names[0]) else "differs"
    found.rows.append((left["n"], right["n"], kind, names[:PATHS]))


def _ending(connection: Connection) -> str:
    verdict = connection.verdict
    if verdict is None:
        return "has no end"
    return f"ended {verdict['ended']}" + (f": {verdict['reason']}" if verdict["reason"] else "")


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
