"""Datatypes: the facets of a simple type decide its representation.

| facets | representation |
|---|---|
| bool | one bit |
| Enum | index in schema order, as many bits as the number of values needs |
| Integer of at most 4096 values | offset from the minimum, as many bits as needed |
| Integer, minimum not negative | Unsigned Integer |
| other Integer | sign bit, then Unsigned Integer of the value or of -value - 1 |
| Binary | Unsigned Integer count, then the octets |
| String | see `v2g.exi.strings` |
"""

import enum
from functools import cache
from typing import Any, Literal

import msgspec

from v2g.exi import strings
from v2g.exi.bits import BitReader, BitWriter
from v2g.exi.errors import DecodeError, EncodeError
from v2g.exi.schema import Binary, Facets, Integer, String, Type

NBIT_VALUES = 4096  # an Integer of at most so many values is an n-bit offset (EXI 7.1.5)
MAX_INTEGER_BITS = 4096  # of an integer without bounds (certificate serial numbers have 160): keeps reading linear in the input
MAX_COUNT_BITS = 32  # of a binary's length, see strings.MAX_LENGTH_BITS

Kind = Literal["boolean", "enumeration", "nbit", "unsigned", "signed", "binary", "string"]


class Representation(msgspec.Struct, frozen=True):
    """How EXI writes values of one simple type. `width`: bits of a fixed one, else the most bits that an Integer may have."""

    kind: Kind
    facets: Facets
    width: int = 0
    offset: int = 0
    members: tuple[Any, ...] = ()


def is_complex(content: Any) -> bool:
    """Whether an element's content is a declared class, not a simple value."""
    return isinstance(content, type) and issubclass(content, Type)


@cache
def representation(facets: Facets) -> Representation:
    """How EXI writes values of a simple type, decided by its facets."""
    match facets:
        case Integer(int() as low, int() as high) if high - low < NBIT_VALUES:
            return Representation("nbit", facets, (high - low).bit_length(), low)
        case Integer(low, high):
            width = MAX_INTEGER_BITS if high is None else high.bit_length()
            return Representation("unsigned" if low is not None and low >= 0 else "signed", facets, width)
        case Binary():
            return Representation("binary", facets)
        case String():
            return Representation("string", facets)
    if facets is bool:
        return Representation("boolean", facets, 1, 0, (False, True))
    members = tuple(facets)
    return Representation("enumeration", facets, (len(members) - 1).bit_length(), 0, members)


def read(bits: BitReader, shape: Representation) -> Any:
    """Read a simple value of any kind but a string. Raises `DecodeError` if the bits are missing or stand for no value."""
    match shape.kind:
        case "boolean" | "enumeration":
            start = bits.position
            index = bits.bits(shape.width)
            if index >= len(shape.members):
                raise DecodeError(f"enumeration value {index} of {len(shape.members)}", start)
            return shape.members[index]
        case "nbit":
            return bits.bits(shape.width) + shape.offset
        case "unsigned":
            return bits.unsigned(max(shape.width, 64))
        case "signed":
            negative = bits.bits(1)
            magnitude = bits.unsigned(max(shape.width, 64))
            return -magnitude - 1 if negative else magnitude
        case "binary":
            return bits.block(bits.unsigned(MAX_COUNT_BITS))
    raise AssertionError(shape.kind)


def write(bits: BitWriter, shape: Representation, value: Any) -> None:
    """Write a simple value; the caller has checked it by `violation`."""
    match shape.kind:
        case "boolean":
            bits.bits(value, 1)
        case "enumeration":
            bits.bits(shape.members.index(value), shape.width)
        case "nbit":
            bits.bits(value - shape.offset, shape.width)
        case "unsigned":
            bits.unsigned(value)
        case "signed":
            bits.bits(value < 0, 1)
            bits.unsigned(-value - 1 if value < 0 else value)
        case "binary":
            bits.unsigned(len(value))
            bits.block(value)
        case "string":
            strings.write(bits, value)


def violation(facets: Facets, value: Any) -> str | None:
    """What is wrong with a value, in words that name the limit; None if nothing is."""
    match facets:
        case Integer(low, high):
            if low is not None and value < low:
                return f"{_shown(value)} is below the minimum {low}"
            if high is not None and value > high:
                return f"{_shown(value)} is above the maximum {high}"
        case String(low, high) | Binary(_, low, high):
            unit = "octets" if isinstance(facets, Binary) else "characters"
            if len(value) < low:
                return f"{len(value)} {unit} are fewer than the {low} required"
            if high is not None and len(value) > high:
                return f"{len(value)} {unit} are more than the {high} allowed"
    return None


def misfit(facets: Facets, value: Any) -> str | None:
    """What is wrong with a value that may even have the wrong Python type, in words; None if nothing is."""
    match facets:
        case Integer():
            fits = type(value) is int
        case String():
            fits = isinstance(value, str)
        case Binary():
            fits = isinstance(value, bytes)
        case _:
            fits = type(value) is facets
    if not fits:
        return f"{value!r} is no {expected(facets)}"
    if isinstance(facets, Integer) and facets.maximum is None and max(value, ~value).bit_length() > MAX_INTEGER_BITS:
        return f"the integer is longer than {MAX_INTEGER_BITS} bits"
    return violation(facets, value)


def expected(facets: Facets) -> str:
    """The name of the Python type that a value of a simple type has, for error messages."""
    match facets:
        case Integer():
            return "int"
        case String():
            return "str"
        case Binary():
            return "bytes"
    return facets.__name__ if isinstance(facets, enum.EnumMeta | type) else str(facets)


def _shown(value: int) -> str:
    return str(value) if value.bit_length() <= 64 else f"an integer of {value.bit_length()} bits"


def demand_fit(facets: Facets, value: Any, lenient: bool = False) -> None:
    """Raise `EncodeError` if the value is not one of the simple type. `lenient` lets it be beyond its facets, as interop reads it."""
    if (wrong := misfit(facets, value)) and not (lenient and wrong == violation(facets, value)):
        raise EncodeError(wrong)
