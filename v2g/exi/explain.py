"""The bit stream as a table for people: every code and every value with the bits it takes."""

import enum
from collections.abc import Iterator
from typing import Any

from v2g.exi.decoder import Decoder
from v2g.exi.errors import DecodeError
from v2g.exi.grammar import SchemaSet
from v2g.exi.reading import Mode, Step

_LONGEST = 48  # characters of a value that are shown


def explain(octets: bytes, schema_set: SchemaSet, *, fragment: bool = False, mode: Mode = "conformance") -> tuple[list[Step], str | None]:
    """Every step of decoding `octets`, and the text of the error where they are no message, else None."""
    steps: list[Step] = []
    try:
        reading = Decoder(octets, schema_set, mode, steps).read(fragment)
    except DecodeError as error:
        return steps, str(error)
    return steps, "; ".join(map(str, reading.findings)) or None


def table(octets: bytes, steps: list[Step]) -> Iterator[str]:
    """One line for each step: offset, width, the bits as read, the event, the value."""
    yield f"{'bit':>6} {'width':>5}  {'bits':<16}  event"
    stream = "".join(f"{octet:08b}" for octet in octets)
    for step in steps:
        bits = stream[step.bit : step.bit + step.width]
        bits = bits if len(bits) <= 16 else f"{bits[:13]}..."
        yield f"{step.bit:>6} {step.width:>5}  {bits:<16}  {'  ' * step.depth}{step.what} {shown(step.value)}".rstrip()


def shown(value: Any) -> str:
    """A value as text of a few characters, shortened where it is longer."""
    if isinstance(value, enum.Enum):
        value = value.value
    text = value.hex() if isinstance(value, bytes) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
