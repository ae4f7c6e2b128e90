"""Numbers in registers of 16 bits: integers and floats of every width, in either order of words, and what says that there is none."""

import math
import struct
from collections.abc import Sequence
from typing import Final, Literal

Kind = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
Words = Literal["big", "little"]  # the order of registers: most significant first, or last
FORMATS: Final[dict[str, str]] = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}


def width(kind: str) -> int:
    """How many registers a number takes."""
    return struct.calcsize(FORMATS[kind]) // 2


def number(registers: Sequence[int], kind: str, words: Words = "big") -> float:
    """The number in as many registers as its kind takes; NaN for a float that is no number."""
    ordered = registers if words == "big" else registers[::-1]
    value: float = struct.unpack(FORMATS[kind], struct.pack(f">{len(ordered)}H", *ordered))[0]
    return value


def registers_of(value: float, kind: str, words: Words = "big") -> tuple[int, ...]:
    """The registers of a number, rounded toward zero where the kind is of integers. ValueError for one that does not fit."""
    whole = value if kind.startswith("float") else math.trunc(value)
    try:
        octets = struct.pack(FORMATS[kind], whole)
    except (struct.error, OverflowError):
        raise ValueError(f"{value} does not fit into {kind}; give another type or scale") from None
    made = struct.unpack(f">{len(octets) // 2}H", octets)
    return made if words == "big" else made[::-1]


def implemented(value: float, kind: str) -> bool:
    """Whether SunSpec means a number by this one: each type has a value that stands for a point that a device does not have."""
    if kind.startswith("float"):
        return not math.isnan(value)
    bits = 16 * width(kind)
    none = -(1 << bits - 1) if kind.startswith("int") else (1 << bits) - 1
    return value != none
