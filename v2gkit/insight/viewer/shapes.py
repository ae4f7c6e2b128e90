"""Messages as a shape, which all messages of one structure share, and the values of their leaves.

    shapes = Shapes()
    shaped = shapes.of(octets, "dc")      # number of the shape, values, and the line of the shape where it is new

Explaining a document takes a thousand times as long as decoding it; of each structure it is done once. What the events of another message
of the structure are follows from its bits: codes are as wide as in the first one, and only values differ in width.
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args

from v2g.exi import explain, lexical, values
from v2g.exi.codec import encode, read
from v2g.exi.decoder import Decoder
from v2g.exi.errors import DecodeError, EncodeError
from v2g.exi.events import events
from v2g.exi.grammar import Event, QName, SchemaSet
from v2g.exi.reading import BEHIND, Reading, Step
from v2g.exi.schema import Binary, Field, Integer, Type, fields
from v2g.messages import schema_set
from v2gkit.insight.viewer.units import unit_of

Line = dict[str, Any]
ROWS: Final = 300_000  # of all shapes of one viewer: a car that sends ever other structures fills no memory; beyond it octets say it all
STEPS: Final = 20_000  # of one document that has them of its own
EXACT: Final = 1 << 53  # JavaScript has no exact integers beyond
VALUES: Final = frozenset(get_args(values.Kind))
FIXED: Final = frozenset({"boolean", "enumeration", "nbit"})


@dataclass(frozen=True, slots=True)
class Shaped:
    """A message as shape and values. `shape` None: it could not be decoded, or there are too many structures.

    `explained` are the steps of a document that differs from others of its shape, or is none: (bit, width, depth, what, value).
    """

    shape: int | None = None
    values: tuple[Any, ...] = ()
    line: Line | None = None  # of a shape that is new
    message: Type | None = None
    findings: tuple[str, ...] = ()
    error: str = ""
    explained: tuple[tuple[int, int, int, str, str], ...] | None = None


class Shapes:
    """The shapes of all messages of one viewer, numbered as they come."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[int, tuple[int, ...] | None]] = {}
        self._rows = 0

    def of(self, octets: bytes, name: str) -> Shaped:
        """The message in a document of the schema set of that name, whatever the octets are."""
        try:
            schemas = schema_set(name)
        except KeyError as error:
            return Shaped(error=str(error.args[0]))
        try:
            reading = read(octets, schemas)
        except DecodeError as error:
            return self._broken(octets, schemas, str(error))
        odd = [finding for finding in reading.findings if "follow" not in finding.reason]
        return self._shaped(reading, schemas, _explained(octets, schemas) if odd else None)

    def _broken(self, octets: bytes, schemas: SchemaSet, error: str) -> Shaped:
        """What is no message: the steps as far as they go, and what it would be to whoever reads it with indulgence."""
        explained = _explained(octets, schemas)
        try:
            shaped = self._shaped(read(octets, schemas, mode="interop"), schemas, explained)
        except (DecodeError, EncodeError):
            return Shaped(error=error, explained=explained)
        return Shaped(shaped.shape, shaped.values, shaped.line, shaped.message, shaped.findings, error, explained)

    def _shaped(self, reading: Reading, schemas: SchemaSet, explained: Any) -> Shaped:
        key: list[Any] = [schemas, reading.name]
        held: list[Any] = []
        _gather(reading.message, key, held)
        structure, line = tuple(key), None
        if structure not in self._known:
            if self._rows > ROWS:
                told = "its structure is one too many to be shown; the octets say it all"
                return Shaped(message=reading.message, findings=tuple(map(str, reading.findings)), error=told, explained=explained)
            walk, order = _rows(reading, schemas)
            self._rows += len(walk.rows)
            self._known[structure] = len(self._known), order
            line = _line(len(self._known) - 1, reading, schemas, walk)
        number, order = self._known[structure]
        found = tuple(held) if order is None else tuple(held[place] for place in order)
        return Shaped(number, found, line, reading.message, tuple(map(str, reading.findings)), "", explained)


# --- the values of a message, and what makes its structure ---


@dataclass(frozen=True, slots=True)
class _Slot:
    """A field as it is gathered: how its simple values are spelled, None where they are complex."""

    name: str
    repeated: bool
    spell: Callable[[Any], Any] | None


@cache
def _slots(cls: type[Type]) -> tuple[_Slot, ...]:
    order = {"attribute": 0, "text": 1, "element": 2}
    found = sorted(fields(cls), key=lambda field: order[field.role])
    return tuple(_Slot(field.name, field.repeated, None if _complex(field) else _spelling(field.content)) for field in found)


def _complex(field: Field) -> bool:
    return isinstance(field.content, tuple) or values.is_complex(field.content)


def _spelling(content: Any) -> Callable[[Any], Any]:
    """How a simple value is written in JSON, as `v2g.exi.json` writes it; an integer beyond JavaScript's is a list of its digits."""
    if content is bool:
        return bool
    if isinstance(content, Integer):
        return lambda value: value if -EXACT < value < EXACT else [str(value)]
    if isinstance(content, enum.EnumMeta):
        return lambda value: value.value
    return lambda value: value if isinstance(value, str) else lexical.spell(content, value, True)


def _gather(message: Type, key: list[Any], held: list[Any]) -> None:
    """Append what makes the structure of a message, and the values of its leaves, in the order of its fields."""
    key.append(type(message))
    for slot in _slots(type(message)):
        value = getattr(message, slot.name)
        if value is None:
            key.append(None)
        elif slot.repeated:
            key.append(len(value))
            for each in value:
                if slot.spell is None:
                    _gather(each, key, held)
                else:
                    held.append(slot.spell(each))
        elif slot.spell is None:
            _gather(value, key, held)
        else:
            key.append(True)
            held.append(slot.spell(value))


# --- rows and steps of a shape ---


@dataclass(slots=True)
class _Walk:
    """The rows of a message in the order of its octets; of each leaf the path by which `_gather` comes to it."""

    schemas: SchemaSet
    spaces: dict[str, int]
    rows: list[list[Any]]
    leaves: list[tuple[Any, ...]]
    contents: list[Any]  # of the leaves

    def space(self, name: QName) -> int:
        return self.spaces.setdefault(name.namespace, len(self.spaces)) if name.namespace else -1

    def leaf(self, path: tuple[Any, ...], content: Any) -> int:
        self.leaves.append(path)
        self.contents.append(content)
        return len(self.leaves) - 1

    def content(self, message: Type, depth: int, path: tuple[Any, ...]) -> None:
        """Rows of everything within an element."""
        taken: dict[str, int] = {}
        for _, _, production, value in events(message, type(message), self.schemas, True):
            field = production.field
            if field is None:
                continue
            place = taken.get(field.name, 0)
            taken[field.name] = place + 1
            at = (*path, field.name, place)
            unit, many = unit_of(type(message), field.name), int(field.repeated)
            if production.event is Event.TEXT:
                self.rows.append([depth, f"#{field.name}", self.leaf(at, production.content), unit, -1, 0])
                continue
            assert production.name is not None
            space = self.space(production.name)
            if production.event is Event.ATTRIBUTE:
                self.rows.append([depth, f"@{field.name}", self.leaf(at, production.content), unit, space, 0])
                continue
            deep = depth
            if isinstance(field.content, tuple):  # a repeated choice: in JSON the list has a name of its own
                self.rows.append([depth, f"~{field.name}", -1, "", -1, many])
                deep, many = depth + 1, 0
            if isinstance(value, Type):
                self.rows.append([deep, production.name.local, -1, unit, space, many])
                self.content(value, deep + 1, at)
            else:
                self.rows.append([deep, production.name.local, self.leaf(at, production.content), unit, space, many])


def _gathered(message: Type, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The paths of the leaves in the order in which `_gather` has their values."""
    for slot in _slots(type(message)):
        value = getattr(message, slot.name)
        for place, each in enumerate(value if slot.repeated and value is not None else () if value is None else (value,)):
            if slot.spell is None:
                yield from _gathered(each, (*path, slot.name, place))
            else:
                yield (*path, slot.name, place)


def _rows(reading: Reading, schemas: SchemaSet) -> tuple[_Walk, tuple[int, ...] | None]:
    """The rows, and from which place each value is to be taken, None where they are gathered in the order of the octets."""
    walk = _Walk(schemas, {}, [], [], [])
    walk.rows.append([0, reading.name.local, -1, "", walk.space(reading.name), 0])
    walk.content(reading.message, 1, ())
    places = {path: place for place, path in enumerate(_gathered(reading.message, ()))}
    order = tuple(places[path] for path in walk.leaves)
    return walk, None if order == tuple(range(len(order))) else order


def _line(number: int, reading: Reading, schemas: SchemaSet, walk: _Walk) -> Line:
    prefixes = {module.NAMESPACE: module.PREFIX for module in schemas.modules}
    return {
        "t": "shape",
        "s": number,
        "name": reading.name.local,
        "set": schemas.name,
        "spaces": list(walk.spaces),
        "prefixes": [prefixes.get(space, "") for space in walk.spaces],
        "rows": walk.rows,
        "steps": _steps(reading, schemas, walk.contents),
    }


def _steps(reading: Reading, schemas: SchemaSet, contents: list[Any]) -> list[list[Any]]:
    """The events of the canonical document of a message; none where it has values that are in no document.

    Depth, event, width (-1: it differs), leaf (-1: a code), how to find the width, and what a code is, or how a value becomes its bits.
    """
    try:
        octets = encode(reading.message, schemas)
        account: list[Step] = []
        Decoder(octets, schemas, "conformance", account).read(False)
    except (DecodeError, EncodeError):
        return []
    found: list[list[Any]] = []
    leaf = 0
    for step in account:
        if step.what == "padding":
            continue
        if step.what not in VALUES:
            found.append([step.depth, step.what, step.width, -1, "bits", step.value])
            continue
        fixed = step.what in FIXED
        found.append([step.depth, step.what, step.width if fixed else -1, leaf, "bits" if fixed else step.what, _coding(contents[leaf])])
        leaf += 1
    return [*found, [1, "padding", -1, -1, "padding", None], [1, BEHIND, -1, -1, "rest", None]]


def _coding(content: Any) -> Any:
    """What one must know to write a value: the members of an enumeration, the least of a few integers, how octets are spelled."""
    shape = values.representation(content)
    if shape.kind == "enumeration":
        return [member.value for member in shape.members]
    if shape.kind == "nbit":
        return shape.offset
    return content.lexical if isinstance(content, Binary) else None


def _explained(octets: bytes, schemas: SchemaSet) -> tuple[tuple[int, int, int, str, str], ...]:
    steps, _ = explain.explain(octets, schemas)
    return tuple((step.bit, step.width, step.depth, step.what, explain.shown(step.value)) for step in steps[:STEPS])
