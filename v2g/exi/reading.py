"""The result of decoding: the message, what was tolerated on the way, and, if wanted, each step."""

from typing import Any, Literal

import msgspec

from v2g.exi.grammar import QName
from v2g.exi.schema import Field, Type

BEHIND = "behind the end"  # what is no part of the message
Mode = Literal["conformance", "interop"]


class Finding(msgspec.Struct, frozen=True):
    """Something that was tolerated while decoding: path of element names, bit offset, and what it was."""

    path: tuple[str, ...]
    bit: int
    reason: str

    def __str__(self) -> str:
        return f"{'/'.join(self.path)}: {self.reason} (at bit {self.bit})" if self.path else f"{self.reason} (at bit {self.bit})"


class Step(msgspec.Struct, frozen=True):
    """One thing read from the stream: `width` bits from `bit` on. `depth` counts the elements around it."""

    bit: int
    width: int
    depth: int
    what: str
    value: Any = None


class Reading(msgspec.Struct, frozen=True):
    """A decoded message, the name of its element, and what was tolerated on the way."""

    message: Type
    name: QName
    findings: tuple[Finding, ...] = ()
    behind: int = 0  # octets that follow the end


def behind(name: QName, octets: int, zeros: int) -> Finding:
    """The finding that of so many `octets` the last `zeros` are 0x00 behind the end of an element: some cars append them."""
    many = "an octet 0x00 follows" if zeros == 1 else f"{zeros} octets 0x00 follow"
    return Finding((name.local,), (octets - zeros) * 8, f"{many} the end")


class Slots:
    """The values of the fields of one element that have been read so far."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def put(self, target: Field, value: Any) -> int:
        """Store a value in a field, and return how many values the field now holds."""
        if not target.repeated:
            self.values[target.name] = value
            return 1
        held = self.values.setdefault(target.name, [])
        held.append(value)
        return len(held)

    def build(self, cls: type[Type]) -> Type:
        """The message of a class with the values that were read."""
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in self.values.items()})
