"""The slow encoder: a message to octets, step by step. Every facet is enforced: nothing is tolerated in what we write ourselves."""

from typing import Any

from v2g.exi import strings, values
from v2g.exi.bits import BitWriter
from v2g.exi.errors import EncodeError
from v2g.exi.events import events
from v2g.exi.grammar import Event, QName, SchemaSet
from v2g.exi.relaxed import Relaxed
from v2g.exi.schema import Type

HEADER = 0x80


class Encoder:
    """Encodes one message by the grammar of a schema set."""

    def __init__(self, schema_set: SchemaSet) -> None:
        self.bits = BitWriter()
        self.set = schema_set
        self.bits.bits(HEADER, 8)

    def document(self, message: Type) -> bytes:
        """Write a message as a document, without header. Raises EncodeError where the set has no such global element."""
        found = self.set.document_code(type(message))
        if found is None:
            raise EncodeError(f"{type(message).__name__} is no global element of the set {self.set.name}")
        code, element = found
        self.bits.bits(code, self.set.document_width)
        self._element(element.name, element.type, message)
        return self.bits.octets()

    def fragment(self, message: Type, element: str | QName | None) -> bytes:
        """Write an element as a fragment, without header. Raises EncodeError where it is not clear which element of the set it is."""
        name = element_name(message, self.set, element)
        codes, width = self.set.fragment_codes, self.set.fragment_width
        self.bits.bits(codes[name], width)
        if self.set.fragment_content(name) is None:
            self._relaxed(name, message)
        else:
            self._element(name.local, type(message), message)
        self.bits.bits(len(codes) + 1, width)
        return self.bits.octets()

    def _element(self, name: str, content: Any, value: Any) -> None:
        try:
            if values.is_complex(content):
                self._complex(content, value)
            else:
                self.bits.bits(0, 1)
                self._value(content, value)
                self.bits.bits(0, 1)
        except EncodeError as error:
            error.within(name)
            raise

    def _value(self, content: Any, value: Any) -> None:
        values.demand_fit(content, value)
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


def element_name(message: Type, schema_set: SchemaSet, name: str | QName | None = None) -> QName:
    """The name of the element that a message is the content of: of several the global one, unless `name` says which.

    Raises EncodeError if there is none, or several and none of them global.
    """
    cls = type(message)
    found = [n for n in schema_set.named.get(cls, ()) if name is None or name in (n, n.local)]
    declared = schema_set.document_code(cls)
    preferred = [n for n in found if declared and n == (declared[1].name, declared[1].namespace)]
    if len(found) == 1 or preferred:
        return (preferred or found)[0]
    if not found:
        raise EncodeError(f"{name or cls.__name__} is no element of that type in the set {schema_set.name}")
    raise EncodeError(f"{cls.__name__} is the type of {', '.join(n.local for n in found)}: name the one that is meant")
