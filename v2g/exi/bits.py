"""The bit stream: most significant bit first, no alignment. Content that is octets moves as one block, never bit by bit."""

from v2g.exi.errors import DecodeError


class BitReader:
    """Reads bits of `octets` from bit `position` on. Reading beyond the end, or beyond the first `sight` octets, is a `DecodeError`."""

    __slots__ = ("octets", "overlong", "position", "size")

    def __init__(self, octets: bytes, position: int = 0, sight: int | None = None) -> None:
        self.octets = octets
        self.position = position
        self.size = (len(octets) if sight is None else min(sight, len(octets))) * 8
        self.overlong = 0  # integers that were written with more groups than they need

    def bits(self, width: int) -> int:
        """The next `width` bits as an unsigned number; 0 bits are 0."""
        start = self.position
        end = start + width
        if end > self.size:
            raise self.missing(f"{width} bits are wanted, {self.size - start} are left")
        self.position = end
        first, last = start >> 3, (end + 7) >> 3
        return int.from_bytes(self.octets[first:last], "big") >> (last * 8 - end) & ((1 << width) - 1)

    def missing(self, what: str) -> DecodeError:
        """The error to raise where `what` cannot be read: the octets end, or they are beyond what may be looked into."""
        if self.size < len(self.octets) * 8:
            what = f"unusual, or broken, and longer than the {self.size // 8} octets looked into"
        return DecodeError(what, self.position)

    def unsigned(self, max_bits: int) -> int:
        """Read an EXI Unsigned Integer: groups of 7 bits, least significant first, the eighth bit says that more follow."""
        start, value, shift = self.position, 0, 0
        while True:
            group = self.bits(8)
            value |= (group & 0x7F) << shift
            if value.bit_length() > max_bits or shift > max_bits:
                raise DecodeError(f"the integer is longer than {max_bits} bits", start)
            if group < 0x80:
                self.overlong += group == 0 and shift > 0
                return value
            shift += 7

    def block(self, length: int) -> bytes:
        """The next `length` octets. The length is checked against what is left before anything is allocated."""
        left = (self.size - self.position) // 8
        if length > left:
            raise self.missing(f"{length} octets are wanted, {left} are left")
        return self.bits(length * 8).to_bytes(length, "big")


class BitWriter:
    """Collects bits; `octets()` pads the last octet with zeros."""

    __slots__ = ("_done", "_pending", "_value")

    def __init__(self) -> None:
        self._done = bytearray()
        self._value = 0
        self._pending = 0  # bits in _value that are not yet in _done

    @property
    def position(self) -> int:
        """The number of bits written so far."""
        return len(self._done) * 8 + self._pending

    def bits(self, value: int, width: int) -> None:
        """Append the lowest `width` bits of a value."""
        self._value = self._value << width | value
        self._pending += width
        if self._pending > 256:  # keeps the number short: appending to a long one would copy it each time
            self._flush()

    def unsigned(self, value: int) -> None:
        """Append an EXI Unsigned Integer: groups of seven bits, the lowest first."""
        while value > 0x7F:
            self.bits(value & 0x7F | 0x80, 8)
            value >>= 7
        self.bits(value, 8)

    def block(self, octets: bytes) -> None:
        """Append octets as they are, wherever the bit position stands."""
        self.bits(int.from_bytes(octets, "big"), len(octets) * 8)

    def _flush(self) -> None:
        whole, rest = divmod(self._pending, 8)
        self._done += (self._value >> rest).to_bytes(whole, "big")
        self._value &= (1 << rest) - 1
        self._pending = rest

    def octets(self) -> bytes:
        """Everything written so far, filled up with zero bits to whole octets."""
        self._flush()
        return bytes(self._done) + (self._value << (8 - self._pending)).to_bytes(1, "big") if self._pending else bytes(self._done)
