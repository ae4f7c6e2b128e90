"""Octets to messages and back: the public surface of the codec.

    decode(octets, schema_set("dc")) -> DC_ChargeLoopReq(...)
    encode(message, schema_set("dc")) -> octets

The options are those of ISO 15118 and DIN 70121: bit-packed, schema-informed, not strict, nothing preserved, no options in the header,
which is the one octet 0x80 [V2G2-099]. A document is one of the global elements; a fragment is any element declared anywhere in the set:
what gets signed.
"""

from collections.abc import Sequence

from v2g.exi import engine
from v2g.exi.bounds import Bounds, Spent
from v2g.exi.decoder import HEADER, Decoder
from v2g.exi.encoder import Encoder, element_name
from v2g.exi.errors import DecodeError, EncodeError
from v2g.exi.grammar import QName, SchemaSet
from v2g.exi.reading import Finding, Mode, Reading, behind
from v2g.exi.schema import Element, Type

__all__ = [
    "Bounds",
    "DecodeError",
    "EncodeError",
    "Reading",
    "decode",
    "decode_fragment",
    "element_name",
    "encode",
    "encode_fragment",
    "read",
    "read_first",
    "receive",
    "root",
]


def decode(octets: bytes, schema_set: SchemaSet) -> Type:
    """The message in a document (the octets after the V2GTP header). Raises DecodeError, and nothing else, for anything else."""
    quick = engine.read(octets, schema_set, False)
    return quick[1] if quick else Decoder(bytes(octets), schema_set).read(False).message


def encode(message: Type, schema_set: SchemaSet) -> bytes:
    """A message as a document. Raises EncodeError if it is not valid in the set."""
    return engine.write(message, schema_set, False) or Encoder(schema_set).document(message)


def decode_fragment(octets: bytes, schema_set: SchemaSet) -> Type:
    """The element in a fragment. Raises DecodeError."""
    return read(octets, schema_set, fragment=True).message


def encode_fragment(message: Type, schema_set: SchemaSet, name: str | QName | None = None) -> bytes:
    """An element as a fragment: what is digested and signed. Its class tells its name, unless several elements have that class."""
    return engine.write(message, schema_set, True, name) or Encoder(schema_set).fragment(message, name)


def read_first(octets: bytes, schema_sets: Sequence[SchemaSet], *, fragment: bool = False, mode: Mode = "conformance") -> Reading:
    """Decode by the first of several schema sets or dialects in which the octets are a message; a finding tells if it is not the first.

    A set in which nothing follows the message goes before one that leaves octets. Raises the DecodeError of the first set if the octets
    are a message in none.
    """
    refusal: DecodeError | None = None
    found: list[tuple[SchemaSet, Reading]] = []
    for schema_set in schema_sets:
        try:
            found.append((schema_set, read(octets, schema_set, fragment=fragment, mode=mode)))
        except DecodeError as error:
            refusal = refusal or error
            continue
        if not found[-1][1].behind:
            break
    if not found:
        raise refusal or DecodeError("no schema set is given")
    schema_set, reading = min(found, key=lambda each: each[1].behind > 0)
    if schema_set is schema_sets[0]:
        return reading
    fitting = f"no message of the set {schema_sets[0].name} in dialect {schema_sets[0].dialect.name}, "
    fitting += f"but one of {schema_set.name} in {schema_set.dialect.name}"
    return Reading(reading.message, reading.name, (Finding((), 0, fitting), *reading.findings), reading.behind)


def read(octets: bytes, schema_set: SchemaSet, *, fragment: bool = False, mode: Mode = "conformance") -> Reading:
    """The message in `octets` and what was tolerated in it. In `interop` mode values beyond their facets are tolerated too.

    Raises DecodeError.
    """
    quick = engine.read(octets, schema_set, fragment)
    return _found(quick, octets) if quick else Decoder(bytes(octets), schema_set, mode).read(fragment)


def _found(quick: engine.Found, octets: bytes) -> Reading:
    name, message, zeros = quick
    return Reading(message, name, (behind(name, len(octets), zeros),) if zeros else (), zeros)


def root(octets: bytes, schema_set: SchemaSet) -> Element:
    """The global element that a document begins with; nothing else is looked at. Raises DecodeError."""
    if len(octets) > 2 and octets[0] == HEADER:
        code = int.from_bytes(octets[1:3], "big") >> (16 - schema_set.document_width)
        if code < len(schema_set.globals):
            return schema_set.globals[code]
    return Decoder(octets, schema_set).root()  # which says what is wrong


def receive(octets: bytes, schema_set: SchemaSet, bounds: Bounds, items: int) -> Reading:
    """Decode what a stranger sent, as `read` does, with work and memory bounded by `bounds` and by `items` elements. Raises DecodeError.

    The quick decoder stops at the first item too many. What it cannot read is read once more by the slow one, as far as `bounds` allows.
    """
    try:
        quick = engine.read(octets, schema_set, False, bounds, items)
        if quick is None:
            return Decoder(octets, schema_set, bounds=bounds, items=items).read(False)
    except Spent:
        raise DecodeError(f"more than {items} elements: no message of this name has so many", 8, (root(octets, schema_set).name,)) from None
    return _found(quick, octets)
