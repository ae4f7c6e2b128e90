"""Octets of a message that somebody wrote down as XML or JSON."""

from v2g.exi import json as exi_json
from v2g.exi.codec import encode, encode_fragment
from v2g.exi.dialect import SCHEMA, Dialect
from v2g.exi.errors import EncodeError
from v2g.messages import MODULES, schema_set


def octets_of_xml(xml: str | bytes, name: str | None, dialect: Dialect = SCHEMA, *, fragment: bool = False) -> bytes:
    """The octets of a message in a schema set; without a name in the first set that has it.

    Raises EncodeError; of several sets that of the one which understood most.
    """
    refusals = []
    for each in [name] if name else MODULES:
        try:
            return _octets(xml, each, dialect, fragment)
        except EncodeError as error:
            refusals.append(error)
    raise max(refusals, key=lambda error: len(error.path))


def _octets(xml: str | bytes, name: str, dialect: Dialect, fragment: bool) -> bytes:
    from v2g.exi.xml import from_xml

    schemas = schema_set(name, dialect)
    message, element = from_xml(xml, schemas, fragment=fragment)
    return encode_fragment(message, schemas, element) if fragment else encode(message, schemas)


def octets_of_json(text: bytes, name: str, *, fragment: bool = False) -> bytes:
    """The octets of a message in a schema set. Raises EncodeError."""
    schemas = schema_set(name)
    message, element = exi_json.from_json(text, schemas, fragment=fragment)
    return encode_fragment(message, schemas, element) if fragment else encode(message, schemas)


def is_message(given: bytes) -> bool:
    """Whether it is JSON of a message: an object that holds an object. Records of a trace have octets."""
    return given.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"exi"' not in given
