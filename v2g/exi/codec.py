"""Octets to messages and back: the walk over the grammars.

    decode(octets, schema_set("dc")) -> DC_ChargeLoopReq(...)
    encode(message, schema_set("dc")) -> octets

The options are those of ISO 15118 and DIN 70121: bit-packed, schema-informed, not strict, nothing preserved, no options in the header,
which is the one octet 0x80 [V2G2-099]. A document is one of the global elements; a fragment is any element declared anywhere in the set:
what gets signed.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from v2g.exi import strings, values
from v2g.exi.bits import BitReader, BitWriter
from v2g.exi.errors import DecodeError, EncodeError
from v2g.exi.events import events
from v2g.exi.grammar import Event, Production, QName, SchemaSet, State
from v2g.exi.schema import Field, String, Type, fields

HEADER = 0x80  # distinguishing bits 10, no options, version 1
Mode = Literal["conformance", "interop"]


def decode(octets: bytes, schema_set: SchemaSet) -> Type:
    """The message in a document (the octets after the V2GTP header). Raises DecodeError, and nothing else, for anything else."""
    return read(octets, schema_set).message


def encode(message: Type, schema_set: SchemaSet) -> bytes:
    """A message as a document. Raises EncodeError if it is not valid in the set."""
    return write(message, schema_set)


def decode_fragment(octets: bytes, schema_set: SchemaSet) -> Type:
    """The element in a fragment. Raises DecodeError."""
    return read(octets, schema_set, fragment=True).message


def encode_fragment(message: Type, schema_set: SchemaSet, name: str | None = None) -> bytes:
    """An element as a fragment: what is digested and signed. Its class tells its name, unless several elements have that class."""
    return write(message, schema_set, fragment=True, name=name)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was tolerated while decoding."""

    path: tuple[str, ...]
    bit: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What octets turned out to be: the message, the name of its element, and what was tolerated on the way."""

    message: Type
    name: QName
    findings: tuple[Finding, ...] = ()


def read(octets: bytes, schema_set: SchemaSet, *, fragment: bool = False, mode: Mode = "conformance") -> Reading:
    """Decode and tell what was tolerated. In `interop` mode values outside their facets are tolerated too."""
    decoder = _Decoder(bytes(octets), schema_set, mode)
    try:
        name, message = decoder.fragment() if fragment else decoder.document()
    except DecodeError as error:
        error.path = tuple(decoder.path)
        raise
    return Reading(message, name, tuple(decoder.findings))


def write(message: Type, schema_set: SchemaSet, *, fragment: bool = False, name: str | None = None) -> bytes:
    """Encode as document or fragment."""
    if not isinstance(message, Type):
        raise EncodeError(f"{message!r} is no message")
    encoder = _Encoder(schema_set)
    encoder.bits.bits(HEADER, 8)
    if fragment:
        encoder.fragment(message, name)
    else:
        encoder.document(message)
    return encoder.bits.octets()


# --- decoding ---


@dataclass(slots=True)
class _Slots:
    """What one element has yielded so far."""

    values: dict[str, Any] = field(default_factory=dict)

    def put(self, target: Field, value: Any) -> int:
        """Store a value; how many the field now holds."""
        if not target.repeated:
            self.values[target.name] = value
            return 1
        held = self.values.setdefault(target.name, [])
        held.append(value)
        return len(held)

    def build(self, cls: type[Type]) -> Type:
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in self.values.items()})


class _Decoder:
    """One walk through one document."""

    def __init__(self, octets: bytes, schema_set: SchemaSet, mode: Mode) -> None:
        self.bits = BitReader(octets)
        self.set = schema_set
        self.mode = mode
        self.partitions = strings.ValuePartitions()
        self.findings: list[Finding] = []
        self.path: list[str] = []

    # document and fragment

    def document(self) -> tuple[QName, Type]:
        self._header()
        roots = self.set.globals
        code = self.bits.bits(self.set.document_width)
        if code >= len(roots):
            raise self._error(f"document code {code}, the set {self.set.name} has {len(roots)} global elements", self.set.document_width)
        name = QName(roots[code].name, roots[code].namespace)
        message = self._element(name, roots[code].type)
        self._padding()
        return name, message

    def fragment(self) -> tuple[QName, Type]:
        self._header()
        names, width = self.set.names, self.set.fragment_width
        code = self.bits.bits(width)
        if code >= len(names):
            raise self._error(f"fragment code {code}, the set {self.set.name} has {len(names)} elements", width)
        name = tuple(names)[code]
        message = self._element(name, names[name][0]) if len(names[name]) == 1 else self._relaxed(name)
        if not isinstance(message, Type):
            raise self._error(f"{name.local} is a simple value, not a message", 0)
        end = self.bits.bits(width)
        if end != len(names) + 1:
            raise self._error(f"code {end} instead of the end of the fragment", width)
        self._padding()
        return name, message

    def _header(self) -> None:
        first = self.bits.bits(8)
        if first != HEADER:
            raise self._error(f"the first octet is 0x{first:02X}, an EXI header without options is 0x{HEADER:02X}", 8)

    def _padding(self) -> None:
        if self.bits.bits(-self.bits.position % 8):
            self._tolerate("the padding bits are not zero")
        left = self.bits.octets[self.bits.position // 8 :]
        if left == b"\0":
            self._tolerate("an octet 0x00 follows the end")  # Tesla vehicles and one certificate backend append it
        elif left:
            raise self._error(f"{len(left)} octets follow the end", 0)

    # elements

    def _element(self, name: QName, content: Any) -> Any:
        """The content of an element whose start has been read."""
        self.path.append(name.local)
        if isinstance(content, type) and issubclass(content, Type):
            value: Any = self._complex(name, content)
        else:
            value = self._simple(name, content)
        self.path.pop()
        return value

    def _simple(self, name: QName, content: Any) -> Any:
        shape = values.representation(content)
        if self.bits.bits(1):
            return self._empty(shape)
        value = self._value(name, shape)
        if self.bits.bits(1):
            raise self._refused(("element", "untyped text")[self.bits.bits(1)], 2)
        return value

    def _empty(self, shape: values.Representation) -> Any:
        """A simple element that has an undeclared event where its value should be: its end, if it is empty."""
        self._undeclared(State((), True, True))
        if shape.kind not in ("string", "binary"):
            raise self._error("the element is empty", 4)
        self._tolerate("ended by an undeclared end event instead of an empty value")
        return self._checked(shape, "" if shape.kind == "string" else b"")

    def _value(self, name: QName, shape: values.Representation) -> Any:
        return self._checked(shape, self.partitions.read(self.bits, name) if shape.kind == "string" else values.read(self.bits, shape))

    def _checked(self, shape: values.Representation, value: Any) -> Any:
        if wrong := values.violation(shape.facets, value):
            if self.mode == "conformance":
                raise self._error(wrong, 0)
            self._tolerate(wrong)
        return value

    def _complex(self, name: QName, cls: type[Type]) -> Type:
        grammar = self.set.grammar(cls)
        if grammar.abstract:
            raise self._error(f"{name.local} is abstract", 0)
        state, slots = grammar.start, _Slots()
        while True:
            code = self.bits.bits(state.width)
            if code >= len(state.productions):
                self._undeclared(state)
                return self._cut_short(cls, slots)
            production = state.productions[code]
            if production.event is Event.END:
                return slots.build(cls)
            state = production.next(self._event(name, production, slots))

    def _event(self, name: QName, production: Production, slots: _Slots) -> int:
        target = production.field
        if target is None:
            raise self._refused("element" if production.event is Event.ANY_ELEMENT else "text", 0)
        if production.event is Event.ELEMENT:
            assert production.name is not None
            return slots.put(target, self._element(production.name, production.content))
        at = production.name if production.event is Event.ATTRIBUTE else name
        assert at is not None
        return slots.put(target, self._value(at, values.representation(production.content)))  # type: ignore[arg-type]

    # what the schema does not declare

    def _undeclared(self, state: State) -> None:
        """Behind the escape: only the end of an element is accepted."""
        offered = state.undeclared
        width = (len(offered) - 1).bit_length()
        code = self.bits.bits(width)
        if code >= len(offered):
            raise self._error(f"second-level code {code} of {len(offered)}", width)
        if offered[code] != "end":
            raise self._refused(offered[code], width)

    def _cut_short(self, cls: type[Type], slots: _Slots) -> Type:
        missing = [f.name for f in fields(cls) if f.minimum > len(slots.values.get(f.name, ())) and f.name not in slots.values]
        text = next((f for f in fields(cls) if f.role == "text"), None)
        if text is not None and missing == [text.name]:
            slots.put(text, self._empty_text(text))
        elif missing:
            raise self._error(f"the element ends before {missing[0]}", 0)
        self._tolerate("ended by an undeclared end event")
        return slots.build(cls)

    def _empty_text(self, text: Field) -> Any:
        shape = values.representation(text.content)  # type: ignore[arg-type]
        if shape.kind not in ("string", "binary"):
            raise self._error("the element is empty", 0)
        return self._checked(shape, "" if shape.kind == "string" else b"")

    def _relaxed(self, name: QName) -> Type:
        """An element that is declared with several types, in a fragment: its attributes and its text are untyped strings (EXI 8.5.3)."""
        self.path.append(name.local)
        relaxed = Relaxed.of(self.set, name)
        if relaxed is None:
            raise self._error(f"{name.local} has several types in the set {self.set.name}, none of them with attributes and text", 0)
        slots, width = _Slots(), relaxed.start_width
        while True:
            code = self.bits.bits(width)
            if width == relaxed.start_width and (target := relaxed.attributes.get(code)):
                slots.put(target, self.partitions.read(self.bits, QName(target.name, target.namespace)))
            elif code == relaxed.text(width) and relaxed.field.name not in slots.values:
                slots.put(relaxed.field, self.partitions.read(self.bits, name))
                width = relaxed.content_width
            elif code == relaxed.end(width):
                slots.values.setdefault(relaxed.field.name, "")
                self.path.pop()
                return slots.build(relaxed.cls)
            else:
                raise self._error(f"code {code}: only the attributes and the text of {name.local} are expected", width)

    # reports

    def _error(self, reason: str, width: int) -> DecodeError:
        return DecodeError(reason, self.bits.position - width)

    def _refused(self, what: str, width: int) -> DecodeError:
        return self._error(f"{what} where EXI admits one and no message has one", width)

    def _tolerate(self, reason: str) -> None:
        self.findings.append(Finding(tuple(self.path), self.bits.position, reason))


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The relaxed element fragment grammar, as far as a class with attributes and text uses it.

    Its start state lists every attribute of the set, AT(*), every element of the set, SE(*), EE and CH; the state after the text lacks the
    attributes.
    """

    cls: type[Type]
    field: Field  # the text
    attributes: dict[int, Field]  # by code
    attribute_count: int
    element_count: int

    @classmethod
    def of(cls, schema_set: SchemaSet, name: QName) -> "Relaxed | None":
        for content in schema_set.names[name]:
            if isinstance(content, type) and issubclass(content, Type):
                text = next((f for f in fields(content) if f.role == "text" and isinstance(f.content, String)), None)
                if text is not None:
                    codes = {n: code for code, n in enumerate(schema_set.attributes)}
                    own = {codes[QName(f.name, f.namespace)]: f for f in fields(content) if f.role == "attribute"}
                    return cls(content, text, own, len(codes), len(schema_set.names))
        return None

    @property
    def content_width(self) -> int:
        return (self.element_count + 3).bit_length()

    @property
    def start_width(self) -> int:
        return (self.attribute_count + self.element_count + 4).bit_length()

    def end(self, width: int) -> int:
        return self.element_count + 1 + (self.attribute_count + 1 if width == self.start_width else 0)

    def text(self, width: int) -> int:
        return self.end(width) + 1


# --- encoding ---


class _Encoder:
    """One walk through one message."""

    def __init__(self, schema_set: SchemaSet) -> None:
        self.bits = BitWriter()
        self.set = schema_set

    def document(self, message: Type) -> None:
        found = self.set.document_code(type(message))
        if found is None:
            raise EncodeError(f"{type(message).__name__} is no global element of the set {self.set.name}")
        code, element = found
        self.bits.bits(code, self.set.document_width)
        self._element(element.name, element.type, message)

    def fragment(self, message: Type, local: str | None) -> None:
        name = element_name(message, self.set, local)
        names, width = self.set.names, self.set.fragment_width
        self.bits.bits(tuple(names).index(name), width)
        if len(names[name]) == 1:
            self._element(name.local, type(message), message)
        else:
            self._relaxed(name, message)
        self.bits.bits(len(names) + 1, width)

    def _element(self, name: str, content: Any, value: Any) -> None:
        try:
            if isinstance(content, type) and issubclass(content, Type):
                self._complex(content, value)
            else:
                self.bits.bits(0, 1)
                self._value(content, value)
                self.bits.bits(0, 1)
        except EncodeError as error:
            error.within(name)
            raise

    def _value(self, content: Any, value: Any) -> None:
        values.unfit(content, value)
        values.write(self.bits, values.representation(content), value)

    def _complex(self, cls: type[Type], message: Any) -> None:
        for code, width, production, value in events(message, cls, self.set):
            self.bits.bits(code, width)
            if production.event is Event.ELEMENT:
                assert production.name is not None
                self._element(production.name.local, production.content, value)
            elif production.event is not Event.END:
                self._value(production.content, value)

    def _relaxed(self, name: QName, message: Type) -> None:
        relaxed = Relaxed.of(self.set, name)
        if relaxed is None or type(message) is not relaxed.cls:
            raise EncodeError(f"{name.local} has several types in the set {self.set.name}: {type(message).__name__} cannot be its fragment")
        for code, target in relaxed.attributes.items():
            if (value := getattr(message, target.name)) is not None:
                self.bits.bits(code, relaxed.start_width)
                strings.write(self.bits, value)
        self.bits.bits(relaxed.text(relaxed.start_width), relaxed.start_width)
        self._value(relaxed.field.content, getattr(message, relaxed.field.name))
        self.bits.bits(relaxed.end(relaxed.content_width), relaxed.content_width)


def element_name(message: Type, schema_set: SchemaSet, local: str | None = None) -> QName:
    """The element of the set that a message is the content of. Raises EncodeError if none or several are, unless `local` names it."""
    cls = type(message)
    found = [n for n, contents in schema_set.names.items() if cls in contents and local in (None, n.local)]
    if len(found) == 1:
        return found[0]
    declared = schema_set.document_code(cls)
    if declared is not None and local is None:
        return QName(declared[1].name, declared[1].namespace)
    if not found:
        raise EncodeError(f"{local or cls.__name__} is no element of the set {schema_set.name}")
    raise EncodeError(f"{cls.__name__} is the type of {', '.join(n.local for n in found)}: name the one that is meant")
