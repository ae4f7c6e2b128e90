"""The slow decoder: octets to a message, step by step through the grammar, with every tolerance and an account of each step if wanted."""

import sys
from typing import Any

from v2g.exi import strings, values
from v2g.exi.bits import BitReader
from v2g.exi.bounds import Bounds, Spent
from v2g.exi.errors import DecodeError
from v2g.exi.grammar import AFTER_VALUE, BEFORE_VALUE, Event, Production, QName, SchemaSet, State
from v2g.exi.reading import BEHIND, Finding, Mode, Reading, Slots, Step, behind
from v2g.exi.relaxed import Relaxed
from v2g.exi.schema import Element, Field, Type
from v2g.exi.typenames import type_names

HEADER = 0x80  # distinguishing bits 10, no options, version 1
MOST_FINDINGS = 100  # are told one by one; hostile octets hold one in every few bits, and each costs a hundred times its size


class Decoder:
    """Decodes one stream. `steps`, if given, receives an account of everything that is read.

    Raises DecodeError where the stream needs more octets or codes than `bounds` allows, or has more than `items` elements.
    """

    def __init__(
        self,
        octets: bytes,
        schema_set: SchemaSet,
        mode: Mode = "conformance",
        steps: list[Step] | None = None,
        *,
        bounds: Bounds | None = None,
        items: int = sys.maxsize,
    ) -> None:
        self.bits = BitReader(octets, sight=bounds.unusual if bounds else None)
        self.bounds = bounds
        self.items = items
        self.patience = bounds.patience if bounds else sys.maxsize
        self.set = schema_set
        self.mode = mode
        self.steps = steps
        self.partitions = strings.ValuePartitions()
        self.findings: list[Finding] = []
        self.tolerated = 0
        self.path: list[str] = []

    def read(self, fragment: bool) -> Reading:
        """The message of the whole stream, and what was tolerated. Raises DecodeError with path and bit."""
        try:
            name, message = self._fragment() if fragment else self._document()
            self.path = [name.local]
            left = self._padding(name)
        except DecodeError as error:
            error.path = tuple(self.path)
            raise
        if self.partitions.hits:
            self._tolerate(f"{self.partitions.hits} references to earlier strings")
        if self.bits.overlong:
            self._tolerate(f"{self.bits.overlong} integers with more groups than they need")
        if self.tolerated > MOST_FINDINGS:
            self.findings.append(Finding((name.local,), self.bits.position, f"{self.tolerated - MOST_FINDINGS} more"))
        return Reading(message, name, tuple(self.findings), left)

    # the frame around the root element

    def _header(self) -> None:
        first = self.bits.bits(8)
        if first != HEADER:
            raise self._error(f"the first octet is 0x{first:02X}, an EXI header without options is 0x{HEADER:02X}", 8)
        self._note(8, "header", first)

    def root(self) -> Element:
        """The global element that the stream begins with."""
        self._header()
        roots, width = self.set.globals, self.set.document_width
        code = self.bits.bits(width)
        if code >= len(roots):
            raise self._error(f"document code {code}, the set {self.set.name} has {len(roots)} global elements", width)
        self._note(width, f"document {roots[code].name}", code)
        return roots[code]

    def _document(self) -> tuple[QName, Type]:
        found = self.root()
        name = QName(found.name, found.namespace)
        message = self._element(name, found.type)
        assert isinstance(message, Type)
        return name, message

    def _fragment(self) -> tuple[QName, Type]:
        self._header()
        names, width = self.set.fragment_names, self.set.fragment_width
        code = self.bits.bits(width)
        if code >= len(names):
            raise self._error(f"fragment code {code}, the set {self.set.name} has {len(names)} elements", width)
        name = names[code]
        self._note(width, f"fragment {name.local}", code)
        content = self.set.fragment_content(name)
        message = self._relaxed(name) if content is None else self._element(name, content)
        if not isinstance(message, Type):
            raise self._error(f"{name.local} is a simple value, not a message", 0)
        end = self.bits.bits(width)
        if end != len(names) + 1:
            raise self._error(f"code {end} instead of the end of the fragment", width)
        self._note(width, "end of fragment", end)
        return name, message

    def _padding(self, name: QName) -> int:
        """How many octets follow the element. Zeros in any number are known from real cars; anything else is no part of a message."""
        width = -self.bits.position % 8
        padding = self.bits.bits(width)
        if width:
            self._note(width, "padding", padding)
        if padding:
            self._tolerate("the padding bits are not zero")
        left = self.bits.octets[self.bits.position // 8 :]
        if not left:
            return 0
        self.bits.position += len(left) * 8
        finding = behind(name, len(self.bits.octets), len(left))
        if left.strip(b"\0"):
            many = f"{len(left)} octets follow" if len(left) > 1 else "an octet follows"
            told = f"{many} the end, not all of them 0x00: 0x{left[:8].hex()}{'...' if len(left) > 8 else ''}"
            if self.mode == "conformance":
                raise self._error(told, len(left) * 8)
            finding = Finding(finding.path, finding.bit, told)
        self._note(len(left) * 8, BEHIND, left)
        self._tell(finding)
        return len(left)

    # elements

    def _element(self, name: QName, content: Any) -> Any:
        """The content of an element whose start has been read."""
        self.path.append(name.local)
        value = self._complex(name, content) if values.is_complex(content) else self._simple(name, content)
        self.path.pop()
        return value

    def _simple(self, name: QName, content: Any, stated: Any = None, seen: tuple[str, ...] = ()) -> Any:
        """A value between its start and its end; `stated` is the type that the stream has named for it, `seen` what else it has stated."""
        shape = values.representation(stated or content)
        if self.bits.bits(1):
            return self._before_value(name, content, stated, seen)
        self._note(1, "CH", 0)
        value = self._value(name, shape)
        if stated and (wrong := values.misfit(content, value)):
            raise self._error(wrong, 0)
        if self.bits.bits(1):
            raise self._refused(self._undeclared(AFTER_VALUE, 1), 0)
        self._note(1, "EE", 0)
        return value

    def _before_value(self, name: QName, content: Any, stated: Any, seen: tuple[str, ...]) -> Any:
        """An undeclared event where the value should be."""
        event = self._once(self._undeclared(BEFORE_VALUE, 1), seen)
        if event == "end":
            return self._empty(values.representation(content))
        if event == "xsi:type":
            named = self._stated_type()
            if values.is_complex(named):
                raise self._error(f"the complex type {named.__name__} for a simple value", 0)
            return self._simple(name, content, named, (*seen, event))
        if event != "xsi:nil":
            raise self._refused(event, 0)
        if not self._nil():
            return self._simple(name, content, stated, (*seen, event))
        if self.bits.bits(1):
            raise self._refused(self._undeclared(AFTER_VALUE, 1), 0)
        self._note(1, "EE", 0)
        return self._empty(values.representation(content))

    def _value(self, name: QName, shape: values.Representation) -> Any:
        start = self.bits.position
        value = self.partitions.read(self.bits, name) if shape.kind == "string" else values.read(self.bits, shape)
        self._note(self.bits.position - start, shape.kind, value)
        return self._checked(shape, value)

    def _checked(self, shape: values.Representation, value: Any) -> Any:
        if wrong := values.violation(shape.facets, value):
            if self.mode == "conformance":
                raise self._error(wrong, 0)
            self._tolerate(wrong)
        return value

    def _complex(self, name: QName, cls: type[Type], seen: tuple[str, ...] = ()) -> Type:
        grammar, slots = self.set.grammar(cls), Slots()
        state = grammar.start
        self._spend()
        while True:
            code = self.bits.bits(state.width)
            self.patience -= 1
            if self.patience < 0:
                raise self._error(f"unusual, or broken, and longer than the {self.bounds and self.bounds.patience} codes looked into", 0)
            if code >= len(state.productions):
                return self._behind_escape(name, cls, state, slots, seen)
            if grammar.abstract and state is grammar.start:
                self._headless(name, state.width)
            production = state.productions[code]
            self._note(state.width, production, code)
            if production.event is Event.END:
                return slots.build(cls)
            state = production.next(self._event(name, cls, production, slots))

    def _headless(self, name: QName, width: int) -> None:
        """An abstract head that stands for itself, as senders built on OpenV2G write it."""
        members = [e.name for e in self.set.substitutes(name.local) if not self.set.grammar(e.type).abstract]
        told = f"{name.local} is abstract" + (f", one of {', '.join(members)} belongs in its place" if members else "")
        if self.mode == "conformance":
            raise self._error(told, width)
        self._tolerate(told)

    def _spend(self) -> None:
        """Take one of the elements that may still come."""
        self.items -= 1
        if self.items < 0:
            raise Spent

    def _bounded(self, cls: type[Type], target: Field, slots: Slots) -> None:
        """Whether a field may hold one more value."""
        assert self.bounds is not None
        most, held = self.bounds.of(cls, target.name), slots.values.get(target.name)
        if most is not None and (len(held) if isinstance(held, list) else 0) >= most:
            raise self._error(f"more than {most} {target.name}: no message has so many" if most else f"{target.name}: no message has it", 0)

    def _event(self, name: QName, cls: type[Type], production: Production, slots: Slots) -> int:
        """Read what a production announces into its field; how many values the field now holds."""
        target = production.field
        if target is None:
            if production.event is Event.ELEMENT:
                raise self._error(f"one more {production}, and the list is full", 0)
            raise self._refused("element" if production.event is Event.ANY_ELEMENT else "text", 0)
        if self.bounds is not None:
            self._bounded(cls, target, slots)
        if target.repeated and not values.is_complex(production.content):
            self._spend()
        if production.event is Event.ELEMENT:
            assert production.name is not None
            return slots.put(target, self._element(production.name, production.content))
        at = production.name if production.event is Event.ATTRIBUTE else name
        assert at is not None
        return slots.put(target, self._value(at, values.representation(production.content)))  # type: ignore[arg-type]

    # what the schema does not declare

    def _undeclared(self, offered: tuple[str, ...], escape: int) -> str:
        """The event behind the escape."""
        self._note(escape.bit_length(), "escape", escape)
        width = (len(offered) - 1).bit_length()
        code = self.bits.bits(width)
        if code >= len(offered):
            raise self._error(f"second-level code {code} of {len(offered)}", width)
        self._note(width, f"undeclared {offered[code]}", code)
        return offered[code]

    def _once(self, event: str, seen: tuple[str, ...]) -> str:
        """Type and nil are attributes, and no attribute comes twice."""
        if event in seen:
            raise self._error(f"{event} is stated twice", 0)
        return event

    def _behind_escape(self, name: QName, cls: type[Type], state: State, slots: Slots, seen: tuple[str, ...]) -> Type:
        """What follows in an element of complex type after the escape: its end, or its type or its being nil stated."""
        event = self._once(self._undeclared(state.undeclared, len(state.productions)), seen)
        if event == "end":
            return self._cut_short(cls, state, slots)
        if event == "xsi:type":
            named = self._stated_type()
            if not values.is_complex(named) or not issubclass(named, cls):
                raise self._error(f"{getattr(named, '__name__', 'a simple type')} is no {cls.__name__}", 0)
            return self._complex(name, named, (*seen, event))
        if event == "xsi:nil":
            return self._nothing(name, cls) if self._nil() else self._complex(name, cls, (*seen, event))
        raise self._refused(event, 0)

    def _stated_type(self) -> Any:
        """The declaration that `xsi:type` names."""
        start = self.bits.position
        names = type_names(self.set)
        name = names.read(self.bits)
        self._note(self.bits.position - start, "type", name.local)
        if name not in names.types:
            raise self._error(f"{name.local} is no type of the set {self.set.name}", 0)
        self._tolerate(f"its type {name.local} is stated")
        return names.types[name]

    def _nil(self) -> bool:
        value = bool(self.bits.bits(1))
        self._note(1, "boolean", value)
        self._tolerate(f"xsi:nil is stated to be {str(value).lower()}")
        return value

    def _nothing(self, name: QName, cls: type[Type]) -> Type:
        """An element that is nil: attributes at most. Only a type whose content may be empty has such an instance."""
        grammar, slots = self.set.grammar(cls), Slots()
        if grammar.abstract:
            raise self._error(f"{name.local} is abstract", 0)
        state, due = grammar.emptied, grammar.start
        while True:
            code = self.bits.bits(state.width)
            if code >= len(state.productions):
                raise self._refused(self._undeclared(state.undeclared, len(state.productions)), 0)
            production = state.productions[code]
            self._note(state.width, production, code)
            if production.event is Event.END:
                if not any(p.event is Event.END for p in due.productions):
                    raise self._error(f"nil, but {cls.__name__} must have content", 0)
                return slots.build(cls)
            due = next(p.after for p in due.productions if p.name == production.name)
            state = production.next(self._event(name, cls, production, slots))

    def _empty(self, shape: values.Representation) -> Any:
        """A simple element without value: an empty string or binary, as EXIficient writes it."""
        if shape.kind not in ("string", "binary"):
            raise self._error("the element is empty", 0)
        self._tolerate("an undeclared end stands for the empty value")
        return self._checked(shape, "" if shape.kind == "string" else b"")

    def _cut_short(self, cls: type[Type], state: State, slots: Slots) -> Type:
        """An element of complex type that an undeclared end has ended: its text is empty. Where elements are still due, it is broken."""
        text = next((p for p in state.productions if p.event is Event.TEXT), None)
        if text is None or text.field is None:
            due = state.productions[0].name
            raise self._error(f"the element ends before {due.local if due else 'its content'}", 0)
        slots.put(text.field, self._empty(values.representation(text.content)))  # type: ignore[arg-type]
        return slots.build(cls)

    def _relaxed(self, name: QName) -> Type:
        """An element that is declared with several types, in a fragment: its attributes and its text are untyped strings."""
        self.path.append(name.local)
        relaxed = Relaxed.of(self.set, name)
        if relaxed is None:
            raise self._error(f"{name.local} has several types in the set {self.set.name}, none of them with attributes and text", 0)
        slots, width = Slots(), relaxed.start_width
        while True:
            code = self.bits.bits(width)
            self._note(width, relaxed.event(code, width), code)
            if width == relaxed.start_width and (target := relaxed.attributes.get(code)) and target.name not in slots.values:
                self._untyped(QName(target.name, target.namespace), target, slots)
            elif code == relaxed.text(width) and relaxed.field.name not in slots.values:
                self._untyped(name, relaxed.field, slots)
                width = relaxed.content_width
            elif code == relaxed.end(width):
                self._end_relaxed(relaxed, slots)
                self.path.pop()
                return slots.build(relaxed.cls)
            else:
                raise self._error(f"code {code}: only the attributes and the text of {name.local} are expected", width)

    def _end_relaxed(self, relaxed: Relaxed, slots: Slots) -> None:
        """The end of such an element: every attribute it needs is there, and a text that is not there is empty."""
        if due := [f.name for f in relaxed.attributes.values() if f.minimum and f.name not in slots.values]:
            raise self._error(f"the element ends before its attribute {due[0]}", 0)
        if relaxed.field.name not in slots.values:
            shape = values.representation(relaxed.field.content)  # type: ignore[arg-type]
            slots.put(relaxed.field, self._checked(shape, ""))
            self._tolerate("the end stands for the empty value")

    def _untyped(self, name: QName, target: Field, slots: Slots) -> None:
        slots.put(target, self._value(name, values.representation(target.content)))  # type: ignore[arg-type]

    # reports

    def _note(self, width: int, what: object, value: Any) -> None:
        if self.steps is not None:
            self.steps.append(Step(self.bits.position - width, width, len(self.path), str(what), value))

    def _error(self, reason: str, width: int) -> DecodeError:
        return DecodeError(reason, self.bits.position - width)

    def _refused(self, what: str, width: int) -> DecodeError:
        return self._error(f"{what}: EXI admits it here, no message has it", width)

    def _tolerate(self, reason: str) -> None:
        self._tell(Finding(tuple(self.path), self.bits.position, reason))

    def _tell(self, finding: Finding) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
        self.tolerated += 1
