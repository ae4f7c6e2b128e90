"""The quick decoder in pure Python: for each class one generated function, in which the grammar's decisions are already taken.

The stream is one big integer `x` of which `p` bits are still to be read, so reading w bits is `p -= w` and `x >> p & mask`. From the states
of a class the text of a function is written that reads field after field, many bits at a time: codes that can only be zero, values of fixed
width and the code that follows come out of one window. Such a function knows the straight way only. Where anything unusual shows up, an
undeclared event, a value out of range, it raises, and `v2g.exi.decoder` reads the octets anew with all its
patience and its errors. So one place says what is tolerated, and why something is refused.

    print(source(Readers(schema_set("dc")), RationalNumberType))
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from v2g.exi import values
from v2g.exi.bounds import Bounds, Spent
from v2g.exi.generated import Generated
from v2g.exi.grammar import Event, Production, QName, SchemaSet, State
from v2g.exi.outline import Crooked, Outline, Unclear, key
from v2g.exi.schema import Binary, Field, String, Type
from v2g.exi.window import WINDOW, Window

READ = 4096  # bits read in a list before they are cut off: reading costs as much as the integer has bits before `p`
REFUSED = -1  # the number of a production that no message uses


GIVES_UP = (Unclear, ValueError, IndexError)  # of missing bits: a negative shift; of a code or enumeration beyond the last: no such item


def more(x: int, p: int, value: int) -> tuple[int, int]:
    """Read an Unsigned Integer whose first group has been read and is `value`: (value of the whole, bits left)."""
    shift = 7
    while True:
        p -= 8
        group = x >> p & 255
        value |= (group & 127) << shift
        if group < 128:
            if not group:  # written longer than it need be
                raise Unclear
            return value, p
        shift += 7
        if shift > values.MAX_INTEGER_BITS:  # each group costs a shift of the whole stream: an endless integer must not go on to its end
            raise Unclear


def block(x: int, p: int, count: int) -> tuple[bytes, int]:
    """Read `count` octets of the stream `x`, of which `p` bits are left: (octets, bits left)."""
    p -= count << 3
    if p < 0:
        raise Unclear
    return (x >> p & (1 << (count << 3)) - 1).to_bytes(count, "big"), p


def text(x: int, p: int, count: int) -> tuple[str, int]:
    """Read `count` characters of the stream `x`, of which `p` bits are left: (string, bits left)."""
    octets, after = block(x, p, count)
    if octets.isascii():
        return octets.decode("ascii"), after
    octets, _ = block(x, p, min(p >> 3, count * 3))
    points, at = [], 0
    for _ in range(count):
        point, shift = octets[at] & 127, 7
        while octets[at] > 127:
            at += 1
            point |= (octets[at] & 127) << shift
            shift += 7
        if (not octets[at] and shift > 7) or shift > 21 or 0xD800 <= point < 0xE000:
            raise Unclear
        points.append(chr(point))
        at += 1
    return "".join(points), p - at * 8


class Readers(Generated):
    """The generated readers of a schema set; each is generated when it is first called."""

    name = "read"

    def __init__(self, schema_set: SchemaSet, bounds: Bounds | None = None) -> None:
        super().__init__(schema_set, {"Unclear": Unclear, "more": more, "block": block, "text": text, "Spent": Spent})
        self.bounds = bounds
        self.left = [0]  # elements of complex type and items of lists that may still come; not counted without bounds
        self._scope |= {"R": self.made, "left": self.left}

    def text(self, cls: type[Type]) -> str:
        """The text of the reader of a class."""
        return source(self, cls)

    def document(self, octets: bytes, items: int = sys.maxsize) -> tuple[QName, Type, int]:
        """Name and message of a document, and how many octets 0x00 follow. Raises one of GIVES_UP for anything unusual, or Spent."""
        self.left[0] = items
        x, p = self._stream(octets)
        p -= self.set.document_width
        element = self.set.globals[x >> p & (1 << self.set.document_width) - 1]
        message, p = self.made[self.place(element.type)](x, p)
        return QName(element.name, element.namespace), message, self._end(x, p)

    def fragment(self, octets: bytes, items: int = sys.maxsize) -> tuple[QName, Type, int]:
        """Name and content of a fragment, and how many octets 0x00 follow. Raises one of GIVES_UP for anything unusual, or Spent."""
        self.left[0] = items
        (x, p), width = self._stream(octets), self.set.fragment_width
        names = self.set.fragment_names
        name = names[x >> (p - width) & (1 << width) - 1]
        content: Any = self.set.fragment_content(name)
        if not values.is_complex(content):
            raise Unclear
        message, p = self.made[self.place(content)](x, p - width)
        p -= width
        if x >> p & (1 << width) - 1 != len(names) + 1:
            raise Unclear
        return name, message, self._end(x, p)

    def _stream(self, octets: bytes) -> tuple[int, int]:
        if octets[:1] != b"\x80":
            raise Unclear
        return int.from_bytes(octets, "big"), len(octets) * 8 - 8

    def _end(self, x: int, p: int) -> int:
        if p < 0 or x & (1 << p) - 1:  # more than padding
            raise Unclear
        return p >> 3


def source(readers: Readers, cls: type[Type]) -> str:
    """The text of the reader of one class."""
    try:
        lines = _Text(readers, cls).lines()
    except Crooked:
        lines = ["raise Unclear"]
    return "\n".join(["def read(x, p):", *(f"    {line}" for line in lines)])


class _Text:
    """Writes one reader.

    Productions are numbered in the order of the fields. Between two fields either the state is known whose code is to be read next, or the
    variable `c` has the number of the production taken, and `possible` are the numbers it can have. A field with a number that `c` must
    have is read as it stands, one that `c` may have under an `if`, a list in a `while`.
    """

    def __init__(self, readers: Readers, cls: type[Type]) -> None:
        self.readers = readers
        self.outline = Outline(readers.set, cls)
        self.most = {f.name: readers.bounds.of(cls, f.name) for f in self.outline.fields} if readers.bounds else {}
        self.taken = [f for f in self.outline.fields if self.most.get(f.name) != 0]  # what may not come has no number
        numbered = (p for f in self.taken for p in self.outline.productions(f))
        self.numbers = {key(p): n for n, p in enumerate(numbered)}
        self.end = len(self.numbers)
        self.known: State | None = self.outline.start
        self.possible: set[int] = set()
        self.window = Window()
        self.margin = ""
        self.text: list[str] = []

    def lines(self) -> list[str]:
        self._spend()
        for f in self.outline.fields:
            if f.repeated or not f.minimum:
                self._write(f"v_{f.name} = {'[]' if f.repeated else 'None'}")
        for f in self.taken:
            self._field(f)
        if self.known is None:
            self._write(f"if c != {self.end}: raise Unclear")
        elif self._numbers(self.known) == (self.end,):
            self._room(1).constant(1)
        else:
            self._code(self.known)
            self._write(f"if c != {self.end}: raise Unclear")
        given = (f"{f.name}=tuple(v_{f.name})" if f.repeated else f"{f.name}=v_{f.name}" for f in self.outline.fields)
        self._write(f"return {self.readers.constant(self.outline.cls)}({', '.join(given)}), p")
        return self.text

    def _spend(self) -> None:
        """Count an item, where items are bounded."""
        if self.readers.bounds is not None:
            self._write("left[0] -= 1", "if left[0] < 0: raise Spent")

    # what every line goes through

    def _write(self, *lines: str) -> None:
        self._flush()
        self.text += [self.margin + line for line in lines]

    def _flush(self) -> None:
        window, self.window = self.window, Window()
        self.text += [self.margin + line for line in window.lines()]

    def _room(self, width: int) -> Window:
        if self.window.width + width > WINDOW:
            self._flush()
        return self.window

    @contextmanager
    def _under(self, head: str) -> Iterator[None]:
        self._write(head)
        self.margin += "    "
        yield
        self._flush()
        self.margin = self.margin[:-4]

    # codes

    def _numbers(self, state: State) -> tuple[int, ...]:
        return tuple(self.end if p.event is Event.END else self.numbers.get(key(p), REFUSED) for p in state.productions)

    def _code(self, state: State) -> None:
        """Read the code of a state into `c`."""
        numbers = self._numbers(state)
        self.known, self.possible = None, set(numbers) - {REFUSED}
        if len(numbers) == 1:
            self._room(1).constant(1)
            self._write(f"c = {numbers[0]}")
        else:
            self._room(state.width).take(state.width, f"c = {self.readers.constant(numbers)}[{{}}]")

    # fields

    def _field(self, field: Field) -> None:
        productions = self.outline.productions(field)
        mine = {self.numbers[key(p)] for p in productions}
        if self.known is not None and (len(mine) > 1 or field.repeated or set(self._numbers(self.known)) != mine):
            self._code(self.known)
        if self.known is not None:
            self._room(1).constant(1)
            self._content(field, productions, f"v_{field.name}")
            self.known = self.outline.after(field)[0]
            return
        if not mine & self.possible:
            return
        condition = f"c == {min(mine)}" if len(mine) == 1 else f"{min(mine)} <= c <= {max(mine)}"
        if field.repeated:
            self._list(field, productions, condition, mine)
        elif self.possible == mine:
            self._write(f"if c != {min(mine)}: raise Unclear" if len(mine) == 1 else f"if not {condition}: raise Unclear")
            self._content(field, productions, f"v_{field.name}")
            self.known = self.outline.after(field)[0]
        else:
            left = self.possible - mine
            with self._under(f"if {condition}:"):
                self._content(field, productions, f"v_{field.name}")
                self._code(self.outline.after(field)[0])
            self._admit(left | self.possible, mine)

    def _list(self, field: Field, productions: list[Production], condition: str, mine: set[int]) -> None:
        left, limit, steps = self.possible - mine, productions[0].limit, self.outline.after(field)
        branches = [(f"elif n == {n}:", state) for n, state in enumerate(steps[:-1], 1)] + [("else:", steps[-1])]
        if limit:
            branches.insert(0, (f"if n >= {limit}:", productions[0].full))
        with self._under(f"while {condition}:"):
            if most := self.most.get(field.name):
                self._write(f"if len(v_{field.name}) >= {most}: raise Unclear")
            if not all(values.is_complex(p.content) for p in productions):
                self._spend()
            self._content(field, productions, "v")
            self._write(f"v_{field.name}.append(v)")
            self._write(f"if x.bit_length() - p > {READ}: x &= (1 << p) - 1")
            if len(branches) > 1:
                self._write(f"n = len(v_{field.name})")
            for at, (head, state) in enumerate(branches):
                if len(branches) == 1:
                    self._code(state)
                else:
                    with self._under(head.removeprefix("el") if at == 0 else head):
                        self._code(state)
                left |= self.possible - mine
        self._admit(left, mine)

    def _admit(self, possible: set[int], mine: set[int]) -> None:
        self.possible = possible
        if possible and min(possible) <= max(mine):  # a field that came before may come again
            raise Crooked

    # values

    def _content(self, field: Field, productions: list[Production], target: str) -> None:
        contents = [p.content for p in productions]
        if all(values.is_complex(c) for c in contents):
            places = tuple(self.readers.place(c) for c in contents)  # type: ignore[arg-type]
            first = self.numbers[key(productions[0])]
            place = str(places[0]) if len(places) == 1 else f"{self.readers.constant(places)}[c - {first}]"
            self._write(f"{target}, p = R[{place}](x, p)")
        elif len(contents) > 1:
            raise Crooked
        elif field.role == "element":
            self._room(1).constant(1)
            self._value(values.representation(contents[0]), target)  # type: ignore[arg-type]
            self._room(1).constant(1)
        else:
            self._value(values.representation(contents[0]), target)  # type: ignore[arg-type]

    def _value(self, shape: values.Representation, target: str) -> None:
        facets: Any = shape.facets
        match shape.kind:
            case "boolean":
                self._room(1).take(1, f"{target} = {{}} != 0")
            case "enumeration":
                self._room(shape.width).take(shape.width, f"{target} = {self.readers.constant(shape.members)}[{{}}]")
            case "nbit":
                self._room(shape.width).take(shape.width, *_offset(target, shape))
            case "unsigned":
                self._room(8).group(target, _above(target, facets.maximum))
                if facets.minimum:
                    self.window.finally_(f"if {target} < {facets.minimum}: raise Unclear")
            case "signed":
                self._room(9).take(1, f"s_{target} = {{}}")
                self.window.group(target, _above(target, facets.maximum))
                self.window.finally_(f"if s_{target}: {target} = ~{target}")
            case "binary" | "string":
                self._octets(facets, target)

    def _octets(self, facets: Binary | String, target: str) -> None:
        if isinstance(facets, Binary) and facets.min_length == facets.max_length and facets.min_length * 8 + 8 <= WINDOW:
            length = facets.min_length
            self._room(8).constant(8, length)
            self._room(length * 8).take(length * 8, f"{target} = ({{}}).to_bytes({length}, 'big')")
            return
        self._room(8).group("n", None)
        if isinstance(facets, String):
            self._write("n -= 2")  # 0 and 1 are references to earlier strings
        limits = f"n < {facets.min_length}" if facets.max_length is None else f"not {facets.min_length} <= n <= {facets.max_length}"
        self._write(f"if {limits}: raise Unclear", f"{target}, p = {'text' if isinstance(facets, String) else 'block'}(x, p, n)")


def _offset(target: str, shape: values.Representation) -> list[str]:
    facets: Any = shape.facets
    first = f"{target} = ({{}}) + {facets.minimum}" if facets.minimum else f"{target} = {{}}"
    full = facets.maximum - facets.minimum == (1 << shape.width) - 1
    return [first] if full else [first, f"if {target} > {facets.maximum}: raise Unclear"]


def _above(target: str, maximum: int | None) -> str | None:
    return None if maximum is None else f"{target} > {maximum}"
