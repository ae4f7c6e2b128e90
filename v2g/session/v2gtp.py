"""V2GTP: eight octets of header before every message, and an incremental reader that believes none of them.

    offset  length  content, big endian
    0       1       protocol version, 0x01
    1       1       its complement, 0xFE
    2       2       payload type
    4       4       payload length

Nothing here knows EXI, sockets or time. A stream is read by `FrameReader`, a datagram by `unframe`.
"""

from enum import IntEnum
from typing import Final, Literal, NamedTuple

from v2g.session.errors import FramingError

HEADER_LENGTH: Final = 8
VERSION: Final = 0x01
INVERSE_VERSION: Final = 0xFE


class PayloadType(IntEnum):
    """What a frame carries, by the number in its header. 0xA000 to 0xFFFF is for manufacturers, any other unnamed one is reserved."""

    EXI = 0x8001  # SupportedAppProtocol, and every message of -2 and DIN 70121
    COMMON = 0x8002
    AC = 0x8003
    DC = 0x8004
    ACDP = 0x8005
    WPT = 0x8006
    AC_DER_IEC = 0x8010
    AC_DER_SAE = 0x8011
    SCHEDULE_RENEGOTIATION = 0x8101
    METERING_CONFIRMATION = 0x8102
    ACDP_SYSTEM_STATUS = 0x8103
    PARKING_STATUS = 0x8104
    SDP_REQUEST = 0x9000
    SDP_RESPONSE = 0x9001
    SDP_WIRELESS_REQUEST = 0x9002
    SDP_WIRELESS_RESPONSE = 0x9003


class Payload(NamedTuple):
    """One row for a payload type: the schema sets of its messages, the stream it runs on, and which side sends it first."""

    schema_sets: tuple[str, ...]  # the first is that of ISO 15118-20; empty where it carries no EXI
    stream: str  # "main", one of the side streams by its name, or "discovery"
    opens: Literal["car", "station"]  # whose request it carries, or whose answer alone
    says: str = ""  # what a datagram of discovery is


PAYLOADS: Final[dict[PayloadType, Payload]] = {
    PayloadType.EXI: Payload(("app", "iso2", "din"), "main", "car"),
    PayloadType.COMMON: Payload(("common",), "main", "car"),
    PayloadType.AC: Payload(("ac",), "main", "car"),
    PayloadType.DC: Payload(("dc",), "main", "car"),
    PayloadType.ACDP: Payload(("acdp",), "main", "car"),
    PayloadType.WPT: Payload(("wpt",), "main", "car"),
    PayloadType.AC_DER_IEC: Payload(("ac_der_iec",), "main", "car"),
    PayloadType.AC_DER_SAE: Payload(("ac_der_sae",), "main", "car"),
    PayloadType.SCHEDULE_RENEGOTIATION: Payload(("common",), "schedule renegotiation", "car"),
    PayloadType.METERING_CONFIRMATION: Payload(("common",), "metering confirmation", "car"),
    PayloadType.ACDP_SYSTEM_STATUS: Payload(("acdp",), "ACDP system status", "car"),
    PayloadType.PARKING_STATUS: Payload(("common",), "parking status", "car"),
    PayloadType.SDP_REQUEST: Payload((), "discovery", "car", "request"),
    PayloadType.SDP_RESPONSE: Payload((), "discovery", "station", "response"),
    PayloadType.SDP_WIRELESS_REQUEST: Payload((), "discovery", "car", "request (wireless)"),
    PayloadType.SDP_WIRELESS_RESPONSE: Payload((), "discovery", "station", "response (wireless)"),
}
STREAM_TYPES: Final = frozenset(int(each) for each, row in PAYLOADS.items() if row.schema_sets)

# The largest legal request is ScheduleExchangeReq with an energy offer of 1024 power entries and 1024 stacks of 8 price rules, about 115 KB
# of EXI. What a state takes is less: see `limits`.
STATION_RECEIVES: Final = 128 * 1024  # octets
# The largest legal response is ScheduleExchangeRes with 3 tuples, each with two schedules of 1024 entries and two price schedules of 1024
# stacks of 8 rules: about 1.3 MB. A car has one connection.
CAR_RECEIVES: Final = 2 * 1024 * 1024  # octets


# Beside the frame that is being received a second stream may have one, and a peer that is a little hasty the next: neither is long.
AHEAD: Final = 8 * 1024  # octets


class Frame(NamedTuple):
    """The payload of one frame, and its payload type; the header is gone."""

    payload_type: int
    payload: bytes


def frame(payload_type: int, payload: bytes) -> bytes:
    """A payload with its header. A payload of 4 GiB or more, or a type beyond 16 bits, raises ValueError: no caller of ours has one."""
    if len(payload) > 0xFFFFFFFF or not 0 <= payload_type <= 0xFFFF:
        raise ValueError(f"no V2GTP frame can carry payload type 0x{payload_type:X} with {len(payload)} octets")
    return bytes((VERSION, INVERSE_VERSION)) + payload_type.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload


def _header(octets: bytes | bytearray, types: frozenset[int] | None, limit: int) -> tuple[int, int]:
    """Payload type and length of the header that `octets` begin with; both are judged before anything is kept for the payload."""
    if octets[0] != VERSION:
        raise FramingError(f"V2GTP protocol version is 0x{octets[0]:02X}, only 0x{VERSION:02X} is known")
    if octets[1] != INVERSE_VERSION:
        raise FramingError(f"V2GTP inverse protocol version is 0x{octets[1]:02X}, must be 0x{INVERSE_VERSION:02X}")
    payload_type, length = int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[4:8], "big")
    if types is not None and payload_type not in types:
        raise FramingError(f"V2GTP payload type is 0x{payload_type:04X}, which is none that is spoken here")
    if not 0 < length <= limit:
        raise FramingError(f"V2GTP payload length is {length} octets, must be 1 to {limit}")
    return payload_type, length


class FrameReader:
    """Cuts a stream into frames, however TCP cut it into segments.

        reader.feed(octets)
        while (frame := reader.next()) is not None: ...

    `limit` bounds the payload (octets) and may be changed between frames; it is compared when the eighth octet is there, so a frame that is
    too long costs its header and nothing else. With `ahead` no more than one such frame and so many octets are kept: who sends on does not
    wait for answers.
    `types` are the payload types that are admitted, None admits all. A frame that may not be received raises FramingError, for which there
    is no way back: the stream has lost its rhythm, and every later `next` raises it again.
    """

    def __init__(self, limit: int = STATION_RECEIVES, types: frozenset[int] | None = STREAM_TYPES, ahead: int | None = None):
        self.limit = limit
        self._ahead = ahead
        self._types = types
        self._buffer = bytearray()
        self._header: tuple[int, int] | None = None
        self._failed: str | None = None
        self.refused: dict[str, str | int] = {}  # the header of the frame that may not be received, or how many octets were too many

    @property
    def pending(self) -> int:
        """Octets of a frame that is not complete yet; 0 between frames."""
        return len(self._buffer)

    def feed(self, octets: bytes) -> None:
        """Take octets of the stream. After a framing error they are thrown away."""
        waiting = len(self._buffer) + len(octets)
        if self._failed is None and self._ahead is not None and waiting > HEADER_LENGTH + self.limit + self._ahead:
            self._failed = f"{waiting} octets came at once, a message here has at most {self.limit} and is answered before the next"
            self.refused = {"waiting": waiting}
            self._buffer.clear()
        if self._failed is None:
            self._buffer += octets

    def next(self) -> Frame | None:
        """The next whole frame, or None while there is none."""
        if self._failed is not None:
            raise FramingError(self._failed)
        if self._header is None:
            if len(self._buffer) < HEADER_LENGTH:
                return None
            self._header = self._judged()
        payload_type, length = self._header
        if len(self._buffer) < HEADER_LENGTH + length:
            return None
        with memoryview(self._buffer) as view:
            payload = bytes(view[HEADER_LENGTH : HEADER_LENGTH + length])
        del self._buffer[: HEADER_LENGTH + length]
        self._header = None
        return Frame(payload_type, payload)

    def _judged(self) -> tuple[int, int]:
        try:
            return _header(self._buffer, self._types, self.limit)
        except FramingError as error:
            self._failed = str(error)
            self.refused = {"header": self._buffer[:HEADER_LENGTH].hex()}
            self._buffer.clear()
            raise


def frames_of(octets: bytes) -> list[bytes]:
    """Octets of several whole frames, cut into frames with their headers; a rest that is no frame stays one piece."""
    pieces = []
    while len(octets) > HEADER_LENGTH:
        end = HEADER_LENGTH + int.from_bytes(octets[4:8], "big")
        pieces.append(octets[:end])
        octets = octets[end:]
    return [*pieces, octets] if octets else pieces


def unframe(datagram: bytes, types: frozenset[int] | None = None, limit: int = 0xFFFF) -> Frame:
    """The frame in a datagram that holds exactly one. `limit` bounds the payload (octets). Raises FramingError for anything else."""
    if len(datagram) < HEADER_LENGTH:
        raise FramingError(f"a datagram of {len(datagram)} octets holds no V2GTP header, which has {HEADER_LENGTH}")
    payload_type, length = _header(datagram, types, limit)
    if length != len(datagram) - HEADER_LENGTH:
        raise FramingError(f"V2GTP payload length is {length} octets, the datagram holds {len(datagram) - HEADER_LENGTH}")
    return Frame(payload_type, datagram[HEADER_LENGTH:])
