"""Declared classes to EXI grammars: which event may come next, and which code it has.

An element's grammar is a set of states. A state lists its productions in the order of their event codes; with k productions a code takes as
many bits as the numbers 0..k need, since the code k always escapes to what the schema does not declare (EXI 8.5.4.4). States come into
being when a walk first reaches them: what a session never says is never compiled.

The grammar belongs to the schema set, not to the class, because the set decides who is in a substitution group.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from types import ModuleType
from typing import Any, NamedTuple

from v2g.exi import schema
from v2g.exi.content import Event as Event
from v2g.exi.content import Part, Term, Todo, optional_after_list, parts
from v2g.exi.dialect import SCHEMA, Dialect
from v2g.exi.schema import Element, Facets, Field, Type


class QName(NamedTuple):
    """A qualified name; sorts as event codes do, by local name first."""

    local: str
    namespace: str


Content = Facets | type[Type]


UNBOUNDED = 1 << 63  # more than any list holds
FULL = -1  # in the place of the copies made: a list that is full, in a dialect that offers its start all the same


class Production:
    """One event that a state admits, and the state after it.

    `field` receives the value. Once the field holds `limit` values, the state after it is `full` instead of `after`: a list that has
    reached its maximum offers no further start, or in some dialects one that nobody may take: it has no field, and nothing comes after it.
    """

    __slots__ = ("_after", "_full", "_grammar", "content", "event", "field", "limit", "name")

    def __init__(
        self, grammar: "Grammar", event: Event, term: "Term | None", name: QName | None, content: Any, after: "Todo | None"
    ) -> None:
        self.event = event
        self.name = name
        self.content: Content = content
        self.field: Field | None = term.field if term and after is not None else None
        self.limit = term.maximum if term and term.maximum and term.maximum > 1 else None
        self._grammar = grammar
        self._after: Any = after
        self._full: Any = grammar.filled(after, self.limit) if after and self.limit else None

    def __str__(self) -> str:
        """As EXI writes it, with the local name."""
        kind = ("AT", "SE", "SE(*)", "EE", "CH", "CH mixed")[self.event]
        return f"{kind} {self.name.local}" if self.name else kind

    @property
    def after(self) -> "State":
        """The state that this production leads to."""
        if isinstance(self._after, tuple):
            self._after = self._grammar.state(self._after, self.event)
        return self._after  # type: ignore[no-any-return]

    @property
    def full(self) -> "State":
        """The state after the last value that the field may have."""
        if isinstance(self._full, tuple):
            self._full = self._grammar.state(self._full, self.event)
        return self._full  # type: ignore[no-any-return]

    def next(self, held: int) -> "State":
        """The state after this event, when the field now holds `held` values."""
        return self.full if self.limit is not None and held >= self.limit else self.after


class State:
    """The productions in code order, and the bits that a code takes. `start` and `attributes` decide what the second level offers."""

    __slots__ = ("attributes", "productions", "start", "width")

    def __init__(self, productions: tuple[Production, ...], start: bool, attributes: bool) -> None:
        self.productions = productions
        self.width = len(productions).bit_length()
        self.start = start  # nothing of the element has been read yet
        self.attributes = attributes  # no content has been read yet

    @property
    def undeclared(self) -> tuple[str, ...]:
        """The undeclared events that the state admits after the escape code, in code order."""
        return second_level(any(p.event is Event.END for p in self.productions), self.start, self.attributes)


def second_level(ends: bool, start: bool, attributes: bool) -> tuple[str, ...]:
    """The undeclared events of a state in code order, by what it declares (EXI 8.5.4.4.1, not strict, nothing preserved).

    `ends`: it declares the end of its element; `start`: it is the first of its element; `attributes`: an attribute may come.
    """
    return (
        *(() if ends else ("end",)),
        *(("xsi:type", "xsi:nil") if start else ()),
        *(("attribute", "untyped attribute") if attributes else ()),
        "element",
        "untyped text",
    )


BEFORE_VALUE = second_level(ends=False, start=True, attributes=True)  # of an element of simple type: at its start,
AFTER_VALUE = second_level(ends=True, start=False, attributes=False)  # and where its end is due


class Grammar:
    """The states of one class in one schema set."""

    def __init__(self, schema_set: "SchemaSet", cls: type[Type], nil: bool = False) -> None:
        self.cls = cls
        self.dialect = schema_set.dialect
        self.abstract = bool(cls.__dict__.get("__abstract__"))
        self._set = schema_set
        self._mixed = bool(cls.__dict__.get("__mixed__")) and not nil
        self._parts = tuple(p for p in parts(cls) if not nil or (isinstance(p, Term) and p.event is Event.ATTRIBUTE))
        self._states: dict[tuple[Any, ...], State] = {}

    @cached_property
    def start(self) -> State:
        """The state in which the content of a type begins, attributes first."""
        return self._state(tuple((part, 0) for part in self._parts), start=True, attributes=True)

    @cached_property
    def emptied(self) -> State:
        """The first state of an element that is nil: attributes or the end may come."""
        return Grammar(self._set, self.cls, nil=True).start

    def state(self, todo: Todo, event: Event) -> State:
        """The state in which the parts `todo` are still to come, after an event of kind `event`."""
        return self._state(todo, start=False, attributes=event is Event.ATTRIBUTE)

    def filled(self, todo: Todo, limit: int) -> Todo:
        """The parts still to come once the first of `todo`, a list, has reached its limit."""
        return ((todo[0][0], FULL), *todo[1:]) if limit >= (self.dialect.endless_from or UNBOUNDED) else todo[1:]

    def _state(self, todo: Todo, start: bool, attributes: bool) -> State:
        key = (start, attributes, *((id(part), done) for part, done in todo))
        if key not in self._states:
            self._states[key] = State(tuple(self._productions(todo)), start, attributes)
        return self._states[key]

    def _productions(self, todo: Todo) -> list[Production]:
        found: dict[tuple[Event, QName | None], Production] = {}
        for event, term, after in self._expand(todo):
            for name, content in self._names(term):
                found.setdefault((event, name), Production(self, event, term, name, content, after))
        if self._mixed and not any(event is Event.ATTRIBUTE and term and term.minimum for event, term, _ in self._expand(todo)):
            found[Event.MIXED_TEXT, None] = Production(self, Event.MIXED_TEXT, None, None, None, todo)
        return sorted(found.values(), key=lambda p: p.event)

    def _expand(self, todo: Todo) -> Iterator[tuple[Event, Term | None, Todo | None]]:
        """What may come next: (event, term, what is left to do after it, None if it only takes a code)."""
        if not todo:
            yield Event.END, None, ()
            return
        (part, done), rest = todo[0], todo[1:]
        if done == FULL:
            assert isinstance(part, Term)
            yield part.event, part, None
            yield from self._expand(rest)
            return
        if self.dialect.optional_after_list and optional_after_list(part, rest):
            yield from self._forgetful(part, done, rest)
            return
        if part.maximum is None or done < part.maximum:
            # copies beyond the minimum are alike until the list is full, which the walk sees by counting: see Production.limit
            copies = min(done + 1, part.minimum) if part.maximum != 1 else 1
            yield from self._enter(part, ((part, copies), *rest))
        if done >= part.minimum:
            yield from self._expand(rest)

    def _enter(self, part: Part, after: Todo) -> Iterator[tuple[Event, Term | None, Todo | None]]:
        if isinstance(part, Term):
            yield part.event, part, after
        elif part.alternatives:
            for alternative in part.parts:
                yield from self._expand(((alternative, 0), *after))
        else:
            yield from self._expand((*((p, 0) for p in part.parts), *after))

    def _forgetful(self, part: Part, done: int, rest: Todo) -> Iterator[tuple[Event, Term | None, Todo | None]]:
        """The dialect's optional list before an optional element: without items it forgets the element, after two it takes no third."""
        if done < 2:
            yield from self._enter(part, ((part, done + 1), *rest))
        yield from self._expand(rest if done else rest[1:])

    def _names(self, term: "Term | None") -> Iterable[tuple[QName | None, Any]]:
        field = term.field if term else None
        if field is None:
            return [(None, None)]
        if isinstance(field.content, tuple):
            return [class_name(cls) for cls in field.content]
        if field.reference and isinstance(field.content, type) and issubclass(field.content, Type):
            return [(QName(e.name, e.namespace), e.type) for e in self._set.substitutes(field.name)]
        return [(QName(field.name, field.namespace), field.content)]


def class_name(cls: type[Type]) -> tuple[QName, type[Type]]:
    """The name of the element that holds a class in a repeated choice, and the class."""
    declared = schema.declared_elements(cls)
    return (QName(declared[0].name, declared[0].namespace) if declared else QName(cls.__name__, schema.namespace_of(cls))), cls


# --- the schema set ---


def _name_order(element: Element) -> tuple[str, ...]:
    return element.name, element.namespace


def _type_order(element: Element) -> tuple[str, ...]:
    """By the name of the type. A class named like its element adds nothing if it only gives a concrete type that name."""
    cls, base = element.type, element.type.__mro__[1]
    named = cls.__name__.endswith("Type") or schema.own_fields(cls) or base is Type or base.__dict__.get("__abstract__")
    return f"{cls.__name__.removesuffix('Type')}Type" if named else base.__name__, element.name, element.namespace


MERGED = ("ac_der_iec", "ac_der_sae")  # the sets that a dialect may merge with their first import


class SchemaSet:
    """The modules that one schema imports, directly or not: their global elements, and a grammar for each of their classes."""

    def __init__(self, name: str, modules: tuple[ModuleType, ...], dialect: Dialect = SCHEMA) -> None:
        self.name = name
        self.modules = modules
        self.dialect = dialect
        self._grammars: dict[type[Type], Grammar] = {}

    def __repr__(self) -> str:
        return f"<SchemaSet {self.name} {self.dialect.name}>"

    def grammar(self, cls: type[Type]) -> Grammar:
        """The grammar of a class, made when it is first asked for."""
        if cls not in self._grammars:
            self._grammars[cls] = Grammar(self, cls)
        return self._grammars[cls]

    @cached_property
    def globals(self) -> tuple[Element, ...]:
        """The global elements in the order of their document codes."""
        order = _type_order if self.dialect.ordered_by_type else _name_order
        return tuple(sorted((e for m in self.modules for e in schema.elements(m)), key=order))

    @cached_property
    def _by_class(self) -> dict[type[Type], tuple[int, Element]]:
        return {e.type: (code, e) for code, e in reversed(tuple(enumerate(self.globals)))}

    def document_code(self, cls: type[Type]) -> tuple[int, Element] | None:
        """The document code and the global element whose type is a class; None where it is the type of none."""
        return self._by_class.get(cls)

    @cached_property
    def document_width(self) -> int:
        """The number of bits of the code of a document's root element."""
        return len(self.globals).bit_length()

    @cached_property
    def _members(self) -> dict[str, list[Element]]:
        members: dict[str, list[Element]] = {}
        for element in self.globals:
            if element.substitutes:
                members.setdefault(element.substitutes, []).append(element)
        return members

    def substitutes(self, head: str) -> tuple[Element, ...]:
        """The head of a substitution group and all its direct and indirect members, in code order."""
        found = [e for e in self.globals if e.name == head]
        for element in found:  # grows while it is walked: members of members
            found += self._members.get(element.name, ())
        return tuple(sorted(found, key=_name_order))

    @cached_property
    def classes(self) -> tuple[type[Type], ...]:
        """Every declared class of the set."""
        return tuple(
            v for m in self.modules for v in vars(m).values() if isinstance(v, type) and issubclass(v, Type) and v.__module__ == m.__name__
        )

    @cached_property
    def names(self) -> dict[QName, tuple[Content, ...]]:
        """Every element name declared anywhere in the set, in the order of fragment codes, with the contents it is declared with."""
        found: dict[QName, list[Content]] = {}
        for name, content in (*self._global_names(), *self._local_names()):
            contents = found.setdefault(name, [])
            if content not in contents:
                contents.append(content)
        return {name: tuple(found[name]) for name in sorted(found)}

    def _global_names(self) -> Iterator[tuple[QName, Content]]:
        for element in self.globals:
            yield QName(element.name, self._merged(element.namespace)), element.type

    def _local_names(self) -> Iterator[tuple[QName, Content]]:
        for cls in self.classes:
            for field in schema.own_fields(cls):
                if field.role != "element":
                    continue
                if isinstance(field.content, tuple):
                    yield from (class_name(c) for c in field.content)
                elif not field.reference:
                    yield QName(field.name, self._merged(field.namespace)), field.content

    def _merged(self, namespace: str) -> str:
        """The namespace that a dialect counts an element in: amendment 1 imports the schema it extends, or was merged with it."""
        entry, first_import = (m.NAMESPACE for m in self.modules[:2]) if self.name in MERGED else ("", None)
        return str(entry) if self.dialect.merged_imports and namespace == first_import else namespace

    def roots(self, fragment: bool) -> list[tuple[QName, type[Type]]]:
        """The elements of complex type that a document, or a fragment, may consist of."""
        if not fragment:
            return [(QName(e.name, e.namespace), e.type) for e in self.globals]
        return [(n, c) for n, contents in self.names.items() for c in contents if isinstance(c, type) and issubclass(c, Type)]

    @cached_property
    def attributes(self) -> tuple[QName, ...]:
        """Every attribute name declared anywhere in the set."""
        found = {QName(f.name, f.namespace) for cls in self.classes for f in schema.own_fields(cls) if f.role == "attribute"}
        return tuple(sorted(found))

    def fragment_content(self, name: QName) -> Content | None:
        """What an element holds as a fragment; None for the relaxed grammar, because it is declared with several types."""
        contents = self.names[name]
        if len(contents) > 1 and self.dialect.typed_fragments:
            return next((c for c in contents if isinstance(c, type) and issubclass(c, Type)), contents[0])
        return contents[0] if len(contents) == 1 else None

    @cached_property
    def fragment_names(self) -> tuple[QName, ...]:
        """The element names; the index of each is its fragment code."""
        return tuple(self.names)

    @cached_property
    def fragment_codes(self) -> dict[QName, int]:
        """The fragment code of each element name."""
        return {name: code for code, name in enumerate(self.names)}

    @cached_property
    def named(self) -> dict[type[Type], tuple[QName, ...]]:
        """The names of the elements that have a class as their type, by class."""
        found: dict[type[Type], list[QName]] = {}
        for name, cls in self.roots(fragment=True):
            found.setdefault(cls, []).append(name)
        return {cls: tuple(names) for cls, names in found.items()}

    @cached_property
    def fragment_width(self) -> int:
        """The number of bits of the code of a fragment's element."""
        return (len(self.names) + 1).bit_length()
