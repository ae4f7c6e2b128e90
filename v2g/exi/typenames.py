"""The names of types, for `xsi:type`: how a qualified name is spelled in the stream, and which declaration it means.

A name is an index into the namespaces of the schema set, then one into the local names of that namespace: elements, attributes and types
in alphabetical order (EXI 7.1.7 and appendix D). Only a decoder needs them, and only for encoders that state a type nobody asked for.
"""

from functools import cache, cached_property
from types import ModuleType
from typing import Annotated, Any, get_origin

from v2g.exi import schema
from v2g.exi.bits import BitReader
from v2g.exi.errors import DecodeError
from v2g.exi.grammar import Content, QName, SchemaSet
from v2g.exi.schema import Type

XML, XSI, XSD = "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/2001/XMLSchema"
# fmt: off
BUILTIN = [
    "ENTITIES", "ENTITY", "ID", "IDREF", "IDREFS", "NCName", "NMTOKEN", "NMTOKENS", "NOTATION", "Name", "QName", "anySimpleType",
    "anyType", "anyURI", "base64Binary", "boolean", "byte", "date", "dateTime", "decimal", "double", "duration", "float", "gDay",
    "gMonth", "gMonthDay", "gYear", "gYearMonth", "hexBinary", "int", "integer", "language", "long", "negativeInteger",
    "nonNegativeInteger", "nonPositiveInteger", "normalizedString", "positiveInteger", "short", "string", "time", "token",
    "unsignedByte", "unsignedInt", "unsignedLong", "unsignedShort",
]
# fmt: on


class TypeNames:
    """The namespaces and names of one schema set."""

    def __init__(self, schema_set: SchemaSet) -> None:
        self.set = schema_set
        self.namespaces = ["", XML, XSI, XSD, *sorted({m.NAMESPACE for m in schema_set.modules})]

    @cached_property
    def types(self) -> dict[QName, Content]:
        """Every named type with what it declares."""
        found: dict[QName, Content] = {QName(name, XSD): content for name in BUILTIN if (content := _builtin(name)) is not None}
        for at, module in enumerate(self.set.modules):  # importers come before what they import
            types = declared_types(self.set.modules[at:])
            found |= {QName(name, module.NAMESPACE): content for name, content in types.items()}
        return found

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """The local names of each namespace in the order of their indices."""
        every = (*self.set.names, *self.set.attributes, *self.types)
        found = {namespace: sorted({n.local for n in every if n.namespace == namespace}) for namespace in self.namespaces}
        return {**found, XML: ["base", "id", "lang", "space"], XSI: ["nil", "type"], XSD: BUILTIN}

    def read(self, bits: BitReader) -> QName:
        """Read the qualified name of a type. Raises DecodeError for a name that is no type of the set and so is spelled as text."""
        start = bits.position
        index = bits.bits(len(self.namespaces).bit_length())
        if not 0 < index <= len(self.namespaces):
            raise DecodeError("a type of a foreign namespace", start)
        namespace = self.namespaces[index - 1]
        known = self.names[namespace]
        if bits.unsigned(32):
            raise DecodeError("a type that the schema does not name", start)
        at = bits.bits((len(known) - 1).bit_length()) if known else 0
        if at >= len(known):
            raise DecodeError(f"name {at} of {len(known)}", start)
        return QName(known[at], namespace)


@cache
def type_names(schema_set: SchemaSet) -> TypeNames:
    """The `TypeNames` of a schema set; made once and kept."""
    return TypeNames(schema_set)


def _builtin(name: str) -> Any:
    hint = getattr(schema, {"int": "int_"}.get(name, name), None)
    return None if hint is None else schema.facets(hint)


def declared_types(modules: tuple[ModuleType, ...]) -> dict[str, Content]:
    """The named types of the first module, by name. What it imports is in the vocabulary or in one of the other modules."""
    module, *imported = modules
    elsewhere = set(vars(schema)).union(*(vars(m) for m in imported))
    found: dict[str, Content] = {}
    for name, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == module.__name__:
            if type_name := _class_type(value):
                found[type_name] = value
        elif name not in elsewhere and (get_origin(value) is Annotated or value is bool):
            found[name] = schema.facets(value)
    return found


def _class_type(cls: type) -> str | None:
    """The name of the type that a class stands for. A message bears the name of its element, and its type has the same with "Type"."""
    if cls.__name__.endswith("Type") or not issubclass(cls, Type):
        return cls.__name__
    base = cls.__mro__[1]
    only_named = not schema.own_fields(cls) and not base.__dict__.get("__abstract__")
    return None if base is Type or only_named else f"{cls.__name__}Type"  # the schema gives it no name, or it is another's
