"""The client's side of Modbus RTU, sans-I/O: one question at a time on a serial line, each frame between unit and CRC."""

from typing import Final

from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import Answer, Question, Read, answer_of

POLYNOMIAL: Final = 0xA001  # of the CRC-16 of Modbus, its bits turned around
DECLINED: Final = 5  # octets of an exception: unit, function, code, CRC
CONFIRMED: Final = 8  # of the answer to a write
FRAME: Final = 256  # octets at most
SILENCE: Final = 3.5  # characters between two frames
BITS: Final = 11  # of a character, with start, parity and stop
SHORTEST: Final = 0.00175  # s of silence above 19200 Bd, where a character is shorter than what hears it


def silence(baud: int) -> float:
    """The silence (s) before a frame on a line of this speed."""
    return max(SILENCE * BITS / baud, SHORTEST)


def crc(octets: bytes) -> bytes:
    """The two octets that end a frame."""
    value = 0xFFFF
    for octet in octets:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ POLYNOMIAL if value & 1 else value >> 1
    return value.to_bytes(2, "little")


class SerialLine:
    """The questions to one unit of a serial line. Whoever asks has emptied the line before; after a fault the next question begins anew."""

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self._asked: Question | None = None
        self._octets = b""

    def ask(self, question: Question) -> bytes:
        """The octets of a question, to be sent."""
        self._asked, self._octets = question, b""
        frame = bytes((self._unit,)) + question.pdu
        return frame + crc(frame)

    def receive(self, octets: bytes) -> Answer | None:
        """What the device answers once it is whole, None until then. Raises GridFault for what is no answer to the question."""
        if self._asked is None:
            raise GridFault(Trouble.MALFORMED, "an answer that nobody asked for")
        self._octets += octets
        if len(self._octets) < DECLINED:
            return None
        length = self._length(self._asked)
        if len(self._octets) < length:
            return None
        frame, rest = self._octets[: length - 2], self._octets[length:]
        if rest or crc(frame) != self._octets[length - 2 : length]:
            raise GridFault(Trouble.MALFORMED, f"{len(self._octets)} octets with a wrong CRC; has the line another speed or parity?")
        if frame[0] != self._unit:
            raise GridFault(Trouble.REPLAYED, f"an answer of unit {frame[0]}; {self._unit} was asked")
        asked, self._asked = self._asked, None
        return answer_of(asked, frame[1:])

    def _length(self, asked: Question) -> int:
        """How many octets the answer has, by what it is and was asked."""
        if self._octets[1] & 0x80:
            return DECLINED
        return 5 + 2 * asked.count if isinstance(asked, Read) else CONFIRMED
