"""The quick encoder in pure Python, the mirror of `v2g.exi.straight_reader`: for each class a generated function that appends it.

The stream is one integer `x` that starts with a one bit, so that leading zeros count. Where a value is not what its field declares, the
function raises, and `v2g.exi.encoder` finds out what is wrong and says so.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from v2g.exi import values
from v2g.exi.encoder import element_name
from v2g.exi.generated import Generated
from v2g.exi.grammar import Event, Production, QName, SchemaSet, State
from v2g.exi.outline import Crooked, Outline, Unclear, key
from v2g.exi.schema import Binary, Field, String, Type

DYNAMIC = 0  # the width of a code that depends on the state; it comes first among the bits to append
WRITTEN = 4096  # bits of a list before they are appended to the stream

# of a value that is none of its field: no such key, no such attribute, not to be unpacked, not to be counted, not to be written as ASCII
GIVES_UP = (Unclear, KeyError, AttributeError, TypeError, ValueError)


def groups(x: int, value: int) -> int:
    """The stream `x` with `value` appended as an EXI Unsigned Integer."""
    while value > 127:
        x = x << 8 | value & 127 | 128
        value >>= 7
    return x << 8 | value


def join(x: int, y: int) -> int:
    """The stream `x` with the bits of the stream `y` appended."""
    width = y.bit_length() - 1
    return x << width | y ^ 1 << width


class Writers(Generated):
    """The generated writers of a schema set; each is generated when it is first called."""

    name = "write"

    def __init__(self, schema_set: SchemaSet) -> None:
        super().__init__(schema_set, {"Unclear": Unclear, "groups": groups, "join": join})
        self._scope["W"] = self.made

    def text(self, cls: type[Type]) -> str:
        """The text of the writer of a class."""
        return source(self, cls)

    def document(self, message: Type) -> bytes:
        """A message as a document. Raises one of GIVES_UP for anything unusual."""
        found = self.set.document_code(type(message))
        if found is None:
            raise Unclear
        start = (1 << 8 | 0x80) << self.set.document_width | found[0]
        return _octets(self.made[self.place(type(message))](message, start))

    def fragment(self, message: Type, element: str | QName | None) -> bytes:
        """A message as a fragment. Raises one of GIVES_UP for anything unusual."""
        name = element_name(message, self.set, element)
        codes, width = self.set.fragment_codes, self.set.fragment_width
        if self.set.fragment_content(name) is None:
            raise Unclear
        x = (1 << 8 | 0x80) << width | codes[name]
        return _octets(self.made[self.place(type(message))](message, x) << width | len(codes) + 1)


def _octets(x: int) -> bytes:
    width = x.bit_length() - 1
    padding = -width % 8
    return (x << padding).to_bytes((width + padding) // 8 + 1, "big")[1:]


def source(writers: Writers, cls: type[Type]) -> str:
    """The text of the writer of one class."""
    try:
        lines = _Text(writers, cls).lines()
    except Crooked:
        lines = ["raise Unclear"]
    return "\n".join(["def write(m, x):", *(f"    {line}" for line in lines)])


class _Text:
    """Writes one writer.

    `states` are the states in which the stream may be between two fields: if they are several, the variable `s` has the number of the one
    that it is in, and the code of the next event is looked up by it.
    """

    def __init__(self, writers: Writers, cls: type[Type]) -> None:
        self.writers = writers
        self.outline = Outline(writers.set, cls)
        self.number = {id(state): n for n, state in enumerate(self.outline.states)}
        self.states = [self.outline.start]
        self.stream = "x"
        self.pending: list[tuple[int, str]] = []  # bits to append: (width, expression); those of width DYNAMIC are `w` many
        self.done: list[Field] = []
        self.margin = ""
        self.text: list[str] = []

    def lines(self) -> list[str]:
        self._write(f"if m.__class__ is not {self.writers.constant(self.outline.cls)}: raise Unclear")
        for field in self.outline.fields:
            self._field(field)
        self._code(lambda p: p.event is Event.END)
        self._write("return x")
        return self.text

    # what every line goes through

    def _write(self, *lines: str) -> None:
        self._flush()
        self.text += [self.margin + line for line in lines]

    def _bits(self, width: int, expression: str = "") -> None:
        """Append bits; without an expression they are zero."""
        self.pending.append((width, expression))

    def _flush(self) -> None:
        if self.pending:
            self.text.append(f"{self.margin}{self.stream} = {_appended(self.stream, self.pending)}")
            self.pending = []

    @contextmanager
    def _under(self, head: str) -> Iterator[None]:
        self._write(head)
        self.margin += "    "
        yield
        self._flush()
        self.margin = self.margin[:-4]

    # codes

    def _code(self, mine: Callable[[Production], bool], chosen: str = "") -> None:
        """Append the code of the first production of this kind, plus `chosen` if there are several."""
        codes = {id(state): next((c for c, p in enumerate(state.productions) if mine(p)), None) for state in self.states}
        if len(self.states) == 1:
            state, code = self.states[0], codes[id(self.states[0])]
            if code is None:
                raise Crooked
            self._bits(state.width, f"{code} + {chosen}" if chosen else str(code) if code else "")
            return
        table: list[tuple[int, int] | None] = [None] * len(self.number)
        for state in self.states:
            code = codes[id(state)]
            table[self.number[id(state)]] = None if code is None else (state.width, code)
        self._write(f"w, b = {self.writers.constant(table)}[s]")
        self._bits(DYNAMIC, f"b + {chosen}" if chosen else "b")

    # fields

    def _field(self, field: Field) -> None:
        productions, name = self.outline.productions(field), f"v_{field.name}"
        self.text.append(f"{self.margin}{name} = m.{field.name}")
        self.done.append(field)
        optional = [state for state in self.states if not self._required(state, field)]
        if field.repeated:
            self._list(field, productions, name, optional)
        elif not optional:
            self._one(field, productions, name)
            self.states = self.outline.after(field)
        else:
            after = self.outline.after(field)[0]
            self._here()
            with self._under(f"if {name} is not None:"):
                self._one(field, productions, name)
                self._write(f"s = {self.number[id(after)]}")
            self.states = _distinct([*optional, after])

    def _required(self, state: State, field: Field) -> bool:
        """Whether of all that may come in a state only this field, and what has been dealt with, is left."""
        left = [p.field for p in state.productions if p.event is Event.END or (p.field is not None and p.field not in self.done)]
        return not left and any(p.field is field for p in state.productions)

    def _here(self) -> None:
        """Tell which state the stream is in, if that is certain yet."""
        if len(self.states) == 1:
            self._write(f"s = {self.number[id(self.states[0])]}")

    def _list(self, field: Field, productions: list[Production], name: str, optional: list[State]) -> None:
        """The items go into a stream of their own, which is appended now and then: not every item moves the whole stream."""
        before, steps, limit = self.states, self.outline.after(field), productions[0].limit
        self._here()
        empty = "" if optional else f" or not {name}"
        self._write(f"if {name}.__class__ is not tuple{empty}: raise Unclear", "y = 1", "n = 0")
        full = [productions[0].full] if limit else []
        self.states, self.stream = _distinct([*before, *steps, *full]), "y"
        with self._under(f"for v in {name}:"):
            self._one(field, productions, "v")
            self._write("n += 1")
            with self._under(f"if y.bit_length() > {WRITTEN}:"):
                self._write("x, y = join(x, y), 1")
            numbers = [str(self.number[id(s)]) for s in steps]
            onward = numbers[0] if len(numbers) == 1 else f"{tuple(map(int, numbers))}[n - 1] if n < {len(numbers)} else {numbers[-1]}"
            self._write(f"s = {self.number[id(full[0])]} if n == {limit} else {onward}" if full else f"s = {onward}")
        self.stream = "x"
        self._write("x = join(x, y)")
        self.states = _distinct([*optional, *steps, *full])

    def _one(self, field: Field, productions: list[Production], target: str) -> None:
        """The code and the content of one value."""
        names = {key(p) for p in productions}
        contents = [p.content for p in productions]
        if len(contents) > 1:
            if not all(values.is_complex(c) for c in contents):
                raise Crooked
            order = _code_order(self.states, names)
            places = {p.content: (order.index(key(p)), self.writers.place(p.content)) for p in productions}  # type: ignore[arg-type]
            self._write(f"i, j = {self.writers.constant(places)}[{target}.__class__]")
            self._code(lambda p: key(p) in names, "i")
            self._write(f"{self.stream} = W[j]({target}, {self.stream})")
            return
        self._code(lambda p: key(p) in names)
        content: Any = contents[0]
        if values.is_complex(content):
            self._write(f"{self.stream} = W[{self.writers.place(content)}]({target}, {self.stream})")
        elif field.role == "element":
            self._bits(1)
            self._value(values.representation(content), target)
            self._bits(1)
        else:
            self._value(values.representation(content), target)

    # values

    def _value(self, shape: values.Representation, target: str) -> None:
        facets: Any = shape.facets
        match shape.kind:
            case "boolean" | "enumeration":
                # members are singletons, and the identity is found faster than the hash
                codes = self.writers.constant({id(member): code for code, member in enumerate(shape.members)})
                self._bits(shape.width, f"{codes}[id({target})]")
            case "nbit":
                self._checked(f"{target}.__class__ is not int or not {facets.minimum} <= {target} <= {facets.maximum}")
                self._bits(shape.width, f"{target} - {facets.minimum}" if facets.minimum else target)
            case "unsigned":
                limit = "" if facets.maximum is None else f" <= {facets.maximum}"
                self._checked(f"{target}.__class__ is not int or not {facets.minimum} <= {target}{limit}")
                self._unsigned(target)
            case "signed":
                self._checked(f"{target}.__class__ is not int or {_outside(facets, target)}")
                self._bits(1, f"{target} < 0")
                self._unsigned(f"{target} if {target} >= 0 else ~{target}")
            case "binary":
                self._checked(f"{target}.__class__ is not bytes or {_length(facets, f'len({target})')}")
                self._octets(target, f"len({target})")
            case "string":
                self._checked(f"{target}.__class__ is not str or {_length(facets, f'len({target})')}")
                self.text.append(f"{self.margin}o = {target}.encode('ascii')")
                self._octets("o", "len(o) + 2")

    def _checked(self, wrong: str) -> None:
        self.text.append(f"{self.margin}if {wrong}: raise Unclear")

    def _unsigned(self, expression: str) -> None:
        self.text.append(f"{self.margin}u = {expression}")
        short = _appended(self.stream, [*self.pending, (8, "u")])
        long = f"groups({_appended(self.stream, self.pending) if self.pending else self.stream}, u)"
        self.pending = []
        self._write(f"{self.stream} = {short} if u < 128 else {long}")

    def _octets(self, octets: str, length: str) -> None:
        self._unsigned(length)
        self._write(f"{self.stream} = {self.stream} << 8 * len({octets}) | int.from_bytes({octets}, 'big')")


def _appended(stream: str, pending: list[tuple[int, str]]) -> str:
    """The expression that appends the pending bits."""
    right = sum(width for width, _ in pending)
    shift = " + ".join([*(["w"] if pending[0][0] == DYNAMIC else []), *([str(right)] if right else [])])
    parts = []
    for width, expression in pending:
        right -= width
        if expression:
            bare = expression if expression.isidentifier() or expression.isdecimal() else f"({expression})"
            parts.append(f"{bare} << {right}" if right else bare)
    if not parts:
        return f"{stream} << {shift}"
    return f"{stream} << {shift} | {parts[0]}" if len(parts) == 1 else f"{stream} << {shift} | ({' | '.join(parts)})"


def _outside(facets: Any, target: str) -> str:
    if facets.maximum is None:
        return f"{target}.bit_length() > {values.MAX_INTEGER_BITS}"
    return f"not {facets.minimum} <= {target} <= {facets.maximum}"


def _length(facets: Binary | String, length: str) -> str:
    if facets.max_length is None:
        return f"{length} < {facets.min_length}"
    return f"not {facets.min_length} <= {length} <= {facets.max_length}"


def _distinct(states: list[State]) -> list[State]:
    return [*{id(state): state for state in states}.values()]


def _code_order(states: list[State], names: set[Any]) -> list[Any]:
    """The productions of one field in the order of their codes, which must be the same, without gap, wherever they may come."""
    found = {tuple(key(p) for p in state.productions if key(p) in names) for state in states} - {()}
    if len(found) != 1 or len(names) != len(next(iter(found))):
        raise Crooked
    return list(next(iter(found)))
