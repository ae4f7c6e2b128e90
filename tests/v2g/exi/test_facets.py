"""Every facet of every declared field, violated one at a time on the wire: refused in `conformance` mode, reported in `interop` mode."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from fuzz.promise import judge
from tests.v2g.exi.conftest import Count
from v2g.exi import values
from v2g.exi.codec import DecodeError, EncodeError, encode_fragment, read
from v2g.exi.dialect import CBEXIGEN
from v2g.exi.encoder import Encoder
from v2g.exi.events import events
from v2g.exi.grammar import Event, Production, QName, SchemaSet, State
from v2g.exi.sample import inhabited, sample
from v2g.exi.schema import Field, Integer, Type, fields
from v2g.messages import MODULES, schema_set

TRIES = 300  # samples drawn until one holds an optional field
REGISTER = 64  # bits: a longer integer is refused in either mode, unless its declaration is longer still


@dataclass(frozen=True, slots=True)
class Raw:
    """In the place of a value: bits that stand for none."""

    index: int


class Reckless(Encoder):
    """Writes values without asking whether they are allowed."""

    def _value(self, content: Any, value: Any) -> None:
        shape = values.representation(content)
        if isinstance(value, Raw):
            self.bits.bits(value.index, shape.width)
        else:
            values.write(self.bits, shape, value)


def violations(facets: Any) -> Iterator[tuple[str, Any, bool]]:
    """(facet, a value that violates it and that the encoding can carry, whether a lenient reader can make a value of it)."""
    shape = values.representation(facets)
    match shape.kind:
        case "nbit":
            highest = shape.offset + (1 << shape.width) - 1
            if highest > facets.maximum:
                yield from (("maximum", value, True) for value in {facets.maximum + 1, highest})
        case "unsigned":
            if facets.minimum:
                yield from (("minimum", value, True) for value in {0, facets.minimum - 1})
            yield from _too_high(facets, 0)
        case "signed":
            yield from _too_high(facets, 0)
            yield from _too_high(facets, -1)
        case "enumeration":
            last = (1 << shape.width) - 1
            if last >= len(shape.members):
                yield from (("enumeration", Raw(index), False) for index in {len(shape.members), last})
        case "string" | "binary":
            unit: Any = "x" if shape.kind == "string" else b"x"
            if facets.min_length:
                yield from (("minLength", unit * length, True) for length in {0, facets.min_length - 1})
            if facets.max_length is not None:
                yield from (("maxLength", unit * length, True) for length in (facets.max_length + 1, facets.max_length + 200))


def _too_high(facets: Integer, sign: int) -> Iterator[tuple[str, int, bool]]:
    """Beyond the maximum, or with sign -1 below the minimum: by one, at the end of the register, and beyond it."""
    if facets.maximum is None:
        return
    last = facets.maximum if sign == 0 else ~facets.minimum  # type: ignore[operator]
    for magnitude in {last + 1, 2**REGISTER - 1, 2**REGISTER, 2**1000} - {last}:
        yield "maximum" if sign == 0 else "minimum", magnitude if sign == 0 else ~magnitude, magnitude < 2**REGISTER


def holders(schemas: SchemaSet) -> Iterator[tuple[QName, type[Type], Field]]:
    """Every field of every class that an element can have, with one such element."""
    met = set()
    for name, cls in schemas.roots(fragment=True):
        if cls not in met and schemas.fragment_content(name) is cls and inhabited(cls, schemas):
            met.add(cls)
            yield from ((name, cls, field) for field in fields(cls))


def holding(cls: type[Type], field: Field, schemas: SchemaSet) -> Type:
    """An arbitrary instance in which the field has a value."""
    chance = random.Random(f"{cls.__name__} {field.name}")
    for _ in range(TRIES):
        message = sample(cls, schemas, chance, longest=1)
        if getattr(message, field.name) not in (None, ()):
            return message
    raise AssertionError(f"no {cls.__name__} with {field.name} in {TRIES} samples")


def violated(message: Type, field: Field, value: Any) -> Type:
    held = getattr(message, field.name)
    return msgspec.structs.replace(message, **{field.name: (value, *held[1:]) if field.repeated else value})


@pytest.mark.parametrize("name", MODULES)
def test_every_facet_of_every_field(name: str, count: Count) -> None:
    schemas, counts = schema_set(name), Counter[str]()
    for element, cls, field in holders(schemas):
        if isinstance(field.content, tuple) or values.is_complex(field.content):
            continue
        message = holding(cls, field, schemas)
        for facet, value, readable in violations(field.content):
            octets = Reckless(schemas).fragment(violated(message, field, value), element)
            _refused_here(octets, schemas, element, field)
            if readable:
                _reported_here(octets, schemas, element, field, value)
            else:
                _refused_here(octets, schemas, element, field, "interop")
            if not isinstance(value, Raw):
                with pytest.raises(EncodeError):
                    encode_fragment(violated(message, field, value), schemas, element)
            assert judge(octets, schemas, True) == ("interop" if readable else "refused")
            counts[facet] += 1
    for facet, number in counts.items():
        count(f"violations of {facet} refused and reported", name, number)
    assert counts.total() > 10 or name == "xmldsig"  # which limits nothing


def _path(element: QName, field: Field) -> tuple[str, ...]:
    return (element.local, field.name) if field.role == "element" else (element.local,)


def _refused_here(octets: bytes, schemas: SchemaSet, element: QName, field: Field, mode: Any = "conformance") -> None:
    with pytest.raises(DecodeError) as raised:
        read(octets, schemas, fragment=True, mode=mode)
    assert raised.value.path == _path(element, field)


def _reported_here(octets: bytes, schemas: SchemaSet, element: QName, field: Field, value: Any) -> None:
    reading = read(octets, schemas, fragment=True, mode="interop")
    held = getattr(reading.message, field.name)
    assert (held[0] if field.repeated else held) == value
    assert _path(element, field) in [finding.path for finding in reading.findings]


@pytest.mark.parametrize("name", MODULES)
def test_every_class_was_met(name: str) -> None:
    """What `holders` leaves out is in no message of the set by its own name: it has no instance, or only extensions of it are elements."""
    schemas = schema_set(name)
    met = {cls for _, cls, _ in holders(schemas)}
    several = {cls for n, cls in schemas.roots(fragment=True) if schemas.fragment_content(n) is None}
    missing = {cls for cls in schemas.classes if cls not in met | several and inhabited(cls, schemas) and fields(cls)}
    elements = {cls for _, cls in schemas.roots(fragment=True)}
    assert not missing & elements
    assert len(met) > len(missing)


# --- occurrence ---


class Astray(Encoder):
    """Follows the message in the root element, and at one of its states does something else: `leave` returns whether it has."""

    def __init__(self, schema_set: SchemaSet, leave: Callable[[Encoder, State, Counter[str]], bool]) -> None:
        super().__init__(schema_set)
        self.leave = leave
        self.inner = False

    def _complex(self, cls: type[Type], message: Any) -> None:
        if self.inner:
            super()._complex(cls, message)
            return
        self.inner = True
        state, held = self.set.grammar(cls).start, Counter[str]()
        for code, width, production, value in events(message, cls, self.set):
            if self.leave(self, state, held):
                return
            self.bits.bits(code, width)
            if production.event is Event.ELEMENT:
                self._element("", production.content, value)
            elif production.event is not Event.END:
                self._value(production.content, value)
            if production.field is not None:
                held[production.field.name] += 1
                state = production.next(held[production.field.name])


def cut(message: Type, element: QName, schemas: SchemaSet, written: int) -> tuple[bytes, set[Event]]:
    """A fragment whose element ends by the undeclared end after so many events, and the events due there; none if the end is declared."""
    due: set[Event] = set()

    def end(writer: Encoder, state: State, held: Counter[str]) -> bool:
        if held.total() != written or "end" not in state.undeclared:
            return False
        due.update(p.event for p in state.productions)
        writer.bits.bits(len(state.productions), state.width)
        writer.bits.bits(state.undeclared.index("end"), (len(state.undeclared) - 1).bit_length())
        return True

    return Astray(schemas, end).fragment(message, element), due


def overfilled(message: Type, element: QName, schemas: SchemaSet, field: Field) -> bytes | None:
    """A fragment in which a full list has one more item, where the grammar has a code to start it."""
    written: list[Production] = []

    def more(writer: Any, state: State, held: Counter[str]) -> bool:
        if held[field.name] == field.maximum and not written:
            for code, production in enumerate(state.productions):
                if production.event is Event.ELEMENT and production.name and production.name.local == field.name:
                    writer.bits.bits(code, state.width)
                    writer._element("", production.content, getattr(message, field.name)[0])
                    written.append(production)
        return False

    octets = Astray(schemas, more).fragment(message, element)
    return octets if written else None


@pytest.mark.parametrize("name", MODULES)
def test_nothing_required_may_be_missing(name: str, count: Count) -> None:
    """Every class, ended wherever its grammar asks for more: refused in either mode, unless what is missing is a text that may be empty."""
    schemas, places = schema_set(name), 0
    for element, cls in {cls: (n, cls) for n, cls, _ in holders(schemas)}.values():
        message = sample(cls, schemas, random.Random(cls.__name__), longest=2)
        for written in range(len(list(events(message, cls, schemas)))):
            octets, due = cut(message, element, schemas, written)
            if due:
                places += 1
                verdict = judge(octets, schemas, True)
                assert verdict == "refused" or (Event.TEXT in due and verdict in ("tolerated", "interop"))
    count("places at which something is required and was left out", name, places)
    assert places > 3


@pytest.mark.parametrize("name", MODULES)
def test_no_list_holds_more_than_its_maximum(name: str, count: Count) -> None:
    """Where an encoder goes on offering starts after the last (CBEXIGEN), one more can be on the wire: it is refused there too."""
    ours, theirs, lists = schema_set(name), schema_set(name, CBEXIGEN), 0
    for element, cls, field in holders(ours):
        if not field.repeated or field.maximum in (None, 1) or theirs.fragment_content(element) is not cls:
            continue
        message = holding(cls, field, ours)
        one = getattr(message, field.name)[:1]
        full, over = (msgspec.structs.replace(message, **{field.name: one * n}) for n in (field.maximum, field.maximum + 1))
        for schemas in (ours, theirs):
            with pytest.raises(EncodeError, match="has no place here"):
                encode_fragment(over, schemas, element)
        assert overfilled(full, element, ours, field) is None
        if cls.__name__.startswith("WPT_FinePositioning") and field.maximum > 2:
            continue  # it cannot even be filled in that dialect: see test_dialects
        assert read(encode_fragment(full, theirs, element), theirs, fragment=True).message == full
        octets = overfilled(full, element, theirs, field)
        assert (octets is None) == (field.maximum < 3)
        for mode in ("conformance", "interop") if octets else ():
            with pytest.raises(DecodeError, match="the list is full"):
                read(octets, theirs, fragment=True, mode=mode)  # type: ignore[arg-type]
        lists += 1
    count("lists filled beyond their maximum", name, lists)
