"""Messages as JSON documents and back, in the shape of the XML: an object of one key, the element, and within it a key for each element.

    {"DC_CableCheckReq": {"Header": {"SessionID": "0011223344556677", "TimeStamp": 1700000000}}}

A list is an array, a member of a substitution group stands under its own name, attributes and character content (`value`) look like
elements. Integers and booleans are JSON's, octets are hexadecimal or base64 as in XML.
"""

import json
from typing import Any

from v2g.exi import lexical, values
from v2g.exi.encoder import element_name
from v2g.exi.errors import EncodeError
from v2g.exi.events import events
from v2g.exi.grammar import Event, QName, SchemaSet, class_name
from v2g.exi.schema import Field, Integer, Type, fields


def to_json(message: Type, schema_set: SchemaSet, name: QName | None = None, *, indent: int | None = None, lenient: bool = False) -> str:
    """A message as JSON text. Raises EncodeError if it is not valid in the set; `lenient` shows what `interop` mode has tolerated."""
    return json.dumps(plain(message, schema_set, name, lenient=lenient), indent=indent, ensure_ascii=False)


def from_json(text: str | bytes, schema_set: SchemaSet, *, fragment: bool = False) -> tuple[Type, QName]:
    """The message in JSON text, and the name of its element. Raises EncodeError for text that is not JSON or not valid in the set."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EncodeError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or len(document) != 1:
        raise EncodeError("an object of one key, the name of the element, is expected")
    (local, body), *_ = document.items()
    for name, cls in schema_set.roots(fragment):
        if name.local == local:
            message = _message(body, cls, schema_set, local)
            plain(message, schema_set, name)  # judges what the fields alone do not say: choices, occurrence
            return message, name
    raise EncodeError(f"{local} is no {'element of complex type' if fragment else 'global element'} in the set {schema_set.name}")


def plain(message: Type, schema_set: SchemaSet, name: QName | None = None, *, lenient: bool = False) -> dict[str, Any]:
    """A message as dictionaries, lists, strings, integers and booleans. Raises EncodeError if it is not valid in the set."""
    name = name or element_name(message, schema_set)
    return {name.local: _object(message, schema_set, lenient)}


def _object(message: Type, schema_set: SchemaSet, lenient: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _, _, production, value in events(message, type(message), schema_set, lenient):
        field = production.field
        if field is None:
            continue
        shown = _object(value, schema_set, lenient) if isinstance(value, Type) else _shown(production.content, value, lenient)
        if isinstance(field.content, tuple):  # a repeated choice
            shown = {str(production.name and production.name.local): shown}
        key = production.name.local if production.event is Event.ELEMENT and production.name and field.reference else field.name
        if field.repeated:
            found.setdefault(key, []).append(shown)
        else:
            found[key] = shown
    return found


def _shown(content: Any, value: Any, lenient: bool) -> Any:
    values.demand_fit(content, value, lenient)
    return value if isinstance(content, Integer) or content is bool else lexical.spell(content, value, lenient)


def _message(body: Any, cls: type[Type], schema_set: SchemaSet, at: str) -> Type:
    try:
        if not isinstance(body, dict):
            raise EncodeError("an object is expected")
        named = {key: (field, content) for field in fields(cls) for key, content in _keys(field, schema_set)}
        if unknown := [key for key in body if key not in named]:
            raise EncodeError(f"{unknown[0]} is none of {', '.join(named)}")
        return cls(**{named[key][0].name: _field(found, *named[key], schema_set, key) for key, found in body.items()})
    except TypeError as error:  # of the class: a required field is missing
        raise EncodeError(str(error), (at,)) from None
    except EncodeError as error:
        error.within(at)
        raise


def _keys(field: Field, schema_set: SchemaSet) -> list[tuple[str, Any]]:
    """The keys under which a field may stand, each with its content."""
    if field.reference and values.is_complex(field.content):
        return [(e.name, e.type) for e in schema_set.substitutes(field.name)]
    return [(field.name, field.content)]


def _field(found: Any, field: Field, content: Any, schema_set: SchemaSet, key: str) -> Any:
    if not field.repeated:
        return _value(found, content, schema_set, key)
    if not isinstance(found, list):
        raise EncodeError("an array is expected", (key,))
    return tuple(_value(item, content, schema_set, key) for item in found)


def _value(found: Any, content: Any, schema_set: SchemaSet, key: str) -> Any:
    if isinstance(content, tuple):
        named = {class_name(c)[0].local: c for c in content}
        if not isinstance(found, dict) or len(found) != 1 or not named.keys() >= found.keys():
            raise EncodeError(f"an object of one key is expected: {', '.join(named)}", (key,))
        (local, body), *_ = found.items()
        return _message(body, named[local], schema_set, local)
    if values.is_complex(content):
        return _message(found, content, schema_set, key)
    try:
        native = isinstance(content, Integer) or content is bool
        if not native and not isinstance(found, str):
            raise EncodeError(f"{found!r} is no string")
        value = found if native else lexical.parse(content, found)
        values.demand_fit(content, value)
    except EncodeError as error:
        error.within(key)
        raise
    return value
