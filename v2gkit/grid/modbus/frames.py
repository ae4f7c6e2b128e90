"""The client's side of Modbus TCP, sans-I/O: one question at a time, and the octets that answer it.

line = Line(unit=1)
octets = line.ask(Read(0x03, 40_000, 2))
answer = line.receive(octets_from_the_network)    # None: not whole yet; a list of registers; Exception of the device
"""

import struct
from dataclasses import dataclass
from typing import Final

from v2gkit.grid.faults import GridFault, Trouble

HOLDING: Final = 0x03  # read holding registers
INPUT: Final = 0x04  # read input registers
WRITE: Final = 0x10  # write multiple registers
MOST_READ: Final = 125  # registers of one read: what the standard admits
MOST_WRITTEN: Final = 123  # registers of one write
HEAD: Final = struct.Struct(">HHHB")  # transaction, protocol, length, unit
PDU: Final = 253  # octets at most; a header that says more is no Modbus
EXCEPTIONS: Final = {
    0x01: "illegal function",
    0x02: "illegal data address",
    0x03: "illegal data value",
    0x04: "server device failure",
    0x05: "acknowledge",
    0x06: "server device busy",
    0x08: "memory parity error",
    0x0A: "gateway path unavailable",
    0x0B: "gateway target failed to respond",
}


@dataclass(frozen=True, slots=True)
class Read:
    """A question for `count` registers from `address` on (0-based, as on the wire)."""

    function: int
    address: int
    count: int

    def __post_init__(self) -> None:
        if self.function not in (HOLDING, INPUT) or not 1 <= self.count <= MOST_READ or not 0 <= self.address <= 0x10000 - self.count:
            raise ValueError(f"{self}: function 3 or 4, 1 to {MOST_READ} registers below 65536")

    @property
    def pdu(self) -> bytes:
        """The octets behind the header."""
        return struct.pack(">BHH", self.function, self.address, self.count)


@dataclass(frozen=True, slots=True)
class Write:
    """Registers to be written from `address` on; the answer holds none."""

    address: int
    registers: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.registers) <= MOST_WRITTEN or not 0 <= self.address <= 0x10000 - len(self.registers):
            raise ValueError(f"a write of {len(self.registers)} registers at {self.address}: 1 to {MOST_WRITTEN} registers below 65536")

    @property
    def function(self) -> int:
        """The function code of the question."""
        return WRITE

    @property
    def pdu(self) -> bytes:
        """The octets behind the header."""
        count = len(self.registers)
        return struct.pack(f">BHHB{count}H", WRITE, self.address, count, 2 * count, *self.registers)


Question = Read | Write


@dataclass(frozen=True, slots=True)
class Declined:
    """An exception that a device answers."""

    code: int

    def __str__(self) -> str:
        return f"exception {self.code:#04x}, {EXCEPTIONS.get(self.code, 'unknown to the standard')}"


Answer = tuple[int, ...] | Declined


class Line:
    """One connection to one unit. After a GridFault, or a question without answer, it is of no use any more: make another."""

    def __init__(self, unit: int) -> None:
        self._unit, self._transaction = unit, 0
        self._asked: Question | None = None
        self._octets = b""

    def ask(self, question: Question) -> bytes:
        """The octets of a question, to be sent; the one before must have been answered."""
        assert self._asked is None
        self._asked = question
        self._transaction = self._transaction % 0xFFFF + 1
        pdu = question.pdu
        return HEAD.pack(self._transaction, 0, len(pdu) + 1, self._unit) + pdu

    def receive(self, octets: bytes) -> Answer | None:
        """What the device answers once it is whole, None until then. Raises GridFault for what is no answer to the question."""
        self._octets += octets  # bounded by what a shell reads at once, and by the header below
        if len(self._octets) < HEAD.size:
            return None
        transaction, protocol, length, unit = HEAD.unpack_from(self._octets)
        if protocol != 0 or not 2 < length <= PDU + 1:
            raise GridFault(
                Trouble.MALFORMED, f"a header of protocol {protocol} and length {length}; Modbus has protocol 0 and 3 to {PDU + 1}"
            )
        if len(self._octets) < HEAD.size - 1 + length:
            return None
        if self._asked is None:
            raise GridFault(Trouble.MALFORMED, "an answer that nobody asked for")
        if (transaction, unit) != (self._transaction, self._unit):
            raise GridFault(
                Trouble.REPLAYED,
                f"an answer to transaction {transaction} of unit {unit}; {self._transaction} of unit {self._unit} was asked",
            )
        frame, rest = self._octets[HEAD.size : HEAD.size - 1 + length], self._octets[HEAD.size - 1 + length :]
        if rest:
            raise GridFault(Trouble.MALFORMED, f"{len(rest)} octets behind the answer; one question has one answer")
        asked, self._asked, self._octets = self._asked, None, b""
        return answer_of(asked, frame)


def answer_of(asked: Question, pdu: bytes) -> Answer:
    """What the octets of an answer say, from its function on. Raises GridFault for what is no answer to the question."""
    function = pdu[0]
    if function == asked.function | 0x80:
        return Declined(pdu[1])
    if function != asked.function:
        raise GridFault(Trouble.MALFORMED, f"an answer to function {function:#04x}; {asked.function:#04x} was asked")
    if isinstance(asked, Write):
        if pdu != asked.pdu[:5]:
            raise GridFault(
                Trouble.MALFORMED, f"a write of {len(asked.registers)} registers at {asked.address} is confirmed as another one"
            )
        return ()
    if len(pdu) != 2 + 2 * asked.count or pdu[1] != 2 * asked.count:
        raise GridFault(Trouble.MALFORMED, f"{len(pdu) - 2} octets of registers, said to be {pdu[1]}; {asked.count} registers were asked")
    return struct.unpack(f">{asked.count}H", pdu[2:])
