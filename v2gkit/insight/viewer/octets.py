"""The octets of a message from its shape and its values: what the viewer computes, so that a file need not hold them."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

Line = dict[str, Any]
Bits = Callable[[Any], str]
_OCTETS = tuple(f"{each:08b}" for each in range(256))


class Encoder:
    """Writes the messages of one shape. `shape` is its line."""

    def __init__(self, shape: Line) -> None:
        self._parts: list[str | tuple[int, Bits]] = []
        self._known = bool(shape["steps"])
        constant = ""
        for _, what, width, leaf, kind, extra in shape["steps"]:
            if leaf >= 0:
                self._parts += [constant, (leaf, _writing(what, width, extra))]
                constant = ""
            elif kind == "bits":
                constant += f"{extra:0{width}b}" if width else ""
        self._parts.append(constant)

    def octets(self, values: Sequence[Any]) -> bytes | None:
        """The canonical document of these values; None where the shape has no steps."""
        if not self._known:
            return None
        bits = "".join([part if isinstance(part, str) else part[1](values[part[0]]) for part in self._parts])
        length = -(-len(bits) // 8)
        return int(bits.ljust(length * 8, "0"), 2).to_bytes(length, "big")


def _writing(kind: str, width: int, extra: Any) -> Bits:
    """How a value of a kind becomes bits."""
    match kind:
        case "boolean":
            return lambda value: "1" if value else "0"
        case "enumeration":
            members = {member: _fixed(place, width) for place, member in enumerate(extra)}
            return members.__getitem__
        case "nbit":
            return lambda value: _fixed(value - extra, width)
        case "unsigned":
            return lambda value: _unsigned(_integer(value))
        case "signed":
            return _signed
        case "binary":
            return _hexadecimal if extra == "hexBinary" else _base64
    return _string


def _fixed(value: int, width: int) -> str:
    return f"{value:0{width}b}" if width else ""


def _integer(value: Any) -> int:
    return int(value[0]) if isinstance(value, list) else int(value)


def _unsigned(value: int) -> str:
    if value < 0x80:
        return _OCTETS[value]
    groups = ""
    while value >= 0x80:
        groups += _OCTETS[value & 0x7F | 0x80]
        value >>= 7
    return groups + _OCTETS[value]


def _signed(value: Any) -> str:
    number = _integer(value)
    return f"1{_unsigned(~number)}" if number < 0 else f"0{_unsigned(number)}"


def _hexadecimal(value: str) -> str:
    return _counted(bytes.fromhex(value))


def _base64(value: str) -> str:
    return _counted(base64.b64decode(value))


def _counted(octets: bytes) -> str:
    return _unsigned(len(octets)) + "".join([_OCTETS[octet] for octet in octets])


def _string(value: str) -> str:
    return _unsigned(len(value) + 2) + "".join([_unsigned(ord(character)) for character in value])
