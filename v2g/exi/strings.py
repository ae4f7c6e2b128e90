"""Strings, and the value partitions that let an encoder refer back to one it has written before.

ISO 15118 switches the partitions off (capacity 0), so we never write such a reference; other encoders leave them on, so we follow one.
"""

from typing import TYPE_CHECKING

from v2g.exi.bits import BitReader, BitWriter
from v2g.exi.errors import DecodeError, EncodeError

if TYPE_CHECKING:
    from v2g.exi.grammar import QName

MAX_LENGTH_BITS = 32  # of a string's length: far beyond any input, so that the length itself cannot grow without bound
SURROGATES = range(0xD800, 0xE000)
EXPANSION = 16  # characters that references may stand for in all, for each octet of the stream: views and logs write every one of them out


class ValuePartitions:
    """The strings read so far, by the name of their element or attribute and all together."""

    __slots__ = ("_everywhere", "_local", "hits", "referred")

    def __init__(self) -> None:
        self._local: dict[QName, list[str]] = {}
        self._everywhere: list[str] = []
        self.hits = 0
        self.referred = 0  # characters

    def read(self, bits: BitReader, name: "QName") -> str:
        """A string value of the named element or attribute: a literal, or a reference to an earlier one."""
        start = bits.position
        length = bits.unsigned(MAX_LENGTH_BITS)
        if length < 2:
            return self._earlier(bits, self._everywhere if length else self._local.get(name, []), start)
        text = literal(bits, length - 2)
        if text:
            self._local.setdefault(name, []).append(text)
            self._everywhere.append(text)
        return text

    def _earlier(self, bits: BitReader, known: list[str], start: int) -> str:
        index = bits.bits(max(len(known) - 1, 0).bit_length())
        if index >= len(known):
            raise DecodeError(f"refers to string {index} of {len(known)} known ones", start)
        self.hits += 1
        self.referred += len(known[index])
        if self.referred > EXPANSION * (bits.size // 8):
            raise DecodeError(f"references to earlier strings stand for more than {EXPANSION} characters for each octet", start)
        return known[index]


def literal(bits: BitReader, length: int) -> str:
    """Read a string of `length` characters, each an Unsigned Integer. ASCII takes one octet each and is moved as a block."""
    left = (bits.size - bits.position) // 8
    if length > left:
        raise bits.missing(f"a string of {length} characters is announced, {left} octets are left")
    start = bits.position
    block = bits.block(length)
    if block.isascii():
        return block.decode("ascii")
    bits.position = start
    return "".join(_character(bits) for _ in range(length))


def _character(bits: BitReader) -> str:
    start = bits.position
    point = bits.unsigned(21)
    if point > 0x10FFFF or point in SURROGATES:
        raise DecodeError(f"U+{point:04X} is no character", start)
    return chr(point)


def write(bits: BitWriter, text: str) -> None:
    """Write a string in full, length first. Raises `EncodeError` for a lone surrogate, which no octets can carry."""
    bits.unsigned(len(text) + 2)
    if text.isascii():
        bits.block(text.encode("ascii"))
        return
    for character in text:
        if ord(character) in SURROGATES:
            raise EncodeError(f"U+{ord(character):04X} is no character")
        bits.unsigned(ord(character))
