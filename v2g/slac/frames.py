"""The management messages of matching as Ethernet frames: one row for each, read and written by it (pure).

A frame is believed in nothing but its length: what is no message of ours, is cut off, or asks for security that matching does not have, is
a `FramingError`. What follows a message is padding. Fields that ISO 15118-3 leaves unused are written as zero and not looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from v2g.session.errors import FramingError

ETHERTYPE: Final = 0x88E1  # HomePlug AV
BROADCAST: Final = b"\xff" * 6
LOCAL_MODEM: Final = bytes.fromhex("00b052000001")  # the modem behind one's own port, whatever its address (Qualcomm)
LEAST: Final = 60  # octets of an Ethernet frame without its check sequence
MOST: Final = 1514
HEADER: Final = 14
RESP_TYPE_STATION: Final = 0x01  # the result goes to another station, not to one's own host

NOT_REQUIRED: Final = 0x04  # of CM_VALIDATE.CNF
READY: Final = 0x01
SUCCESS: Final = 0x02
FAILURE: Final = 0x03


@dataclass(frozen=True, slots=True)
class SlacParmReq:
    """CM_SLAC_PARM.REQ: a car looks for stations."""

    run_id: bytes


@dataclass(frozen=True, slots=True)
class SlacParmCnf:
    """CM_SLAC_PARM.CNF: a station is here, and wants so many sounds within so many 100 ms."""

    run_id: bytes
    forwarding_sta: bytes
    num_sounds: int
    time_out: int
    resp_type: int = RESP_TYPE_STATION


@dataclass(frozen=True, slots=True)
class StartAttenCharInd:
    """CM_START_ATTEN_CHAR.IND: the car's sounds follow."""

    run_id: bytes
    forwarding_sta: bytes
    num_sounds: int
    time_out: int
    resp_type: int = RESP_TYPE_STATION


@dataclass(frozen=True, slots=True)
class MnbcSoundInd:
    """CM_MNBC_SOUND.IND: one sound, and how many are left."""

    run_id: bytes
    count: int
    random: bytes


@dataclass(frozen=True, slots=True)
class AttenProfileInd:
    """CM_ATTEN_PROFILE.IND: a modem has measured one sound of that car; `groups` in dB."""

    pev_mac: bytes
    groups: bytes


@dataclass(frozen=True, slots=True)
class AttenCharInd:
    """CM_ATTEN_CHAR.IND: the mean of so many sounds; `groups` in dB."""

    source_address: bytes
    run_id: bytes
    num_sounds: int
    groups: bytes


@dataclass(frozen=True, slots=True)
class AttenCharRsp:
    """CM_ATTEN_CHAR.RSP: the car has the mean; `result` 0 says well."""

    source_address: bytes
    run_id: bytes
    result: int = 0


@dataclass(frozen=True, slots=True)
class ValidateReq:
    """CM_VALIDATE.REQ: the car asks the station to watch its control pilot, or says for how long it will toggle it (`timer`)."""

    timer: int = 0
    result: int = READY
    signal_type: int = 0  # S2 toggles


@dataclass(frozen=True, slots=True)
class ValidateCnf:
    """CM_VALIDATE.CNF: whether the station watches, and how many toggles it saw."""

    toggle_num: int
    result: int
    signal_type: int = 0


@dataclass(frozen=True, slots=True)
class SlacMatchReq:
    """CM_SLAC_MATCH.REQ: the car chooses that station."""

    pev_mac: bytes
    evse_mac: bytes
    run_id: bytes


@dataclass(frozen=True, slots=True)
class SlacMatchCnf:
    """CM_SLAC_MATCH.CNF: the network to join."""

    pev_mac: bytes
    evse_mac: bytes
    run_id: bytes
    nid: bytes
    nmk: bytes


@dataclass(frozen=True, slots=True)
class SetKeyReq:
    """CM_SET_KEY.REQ: a host tells its modem which network to be in."""

    nid: bytes
    nmk: bytes
    my_nonce: bytes = bytes(4)


@dataclass(frozen=True, slots=True)
class SetKeyCnf:
    """CM_SET_KEY.CNF: the modem's answer. Real ones say 1 where the table says 0, so either is taken."""

    result: int
    your_nonce: bytes = bytes(4)


@dataclass(frozen=True, slots=True)
class LinkStatusReq:
    """LINK_STATUS.REQ of Qualcomm's modems: is anybody in the network?"""


@dataclass(frozen=True, slots=True)
class LinkStatusCnf:
    """LINK_STATUS.CNF: `link` 1 where there is."""

    status: int
    link: int


Message = (
    SlacParmReq
    | SlacParmCnf
    | StartAttenCharInd
    | MnbcSoundInd
    | AttenProfileInd
    | AttenCharInd
    | AttenCharRsp
    | ValidateReq
    | ValidateCnf
    | SlacMatchReq
    | SlacMatchCnf
    | SetKeyReq
    | SetKeyCnf
    | LinkStatusReq
    | LinkStatusCnf
)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message, `length` octets: a field (`name`), octets of one value (`fixed`), or octets that are ignored when read."""

    length: int
    name: str = ""
    fixed: bytes = b""
    written: bytes = b""  # what is sent in octets that are ignored when read


NO_SECURITY = Part(2, fixed=bytes(2))  # APPLICATION_TYPE: PEV-EVSE matching; SECURITY_TYPE: none
RUN_ID = Part(8, "run_id")
GROUPS = Part(0, "groups")  # as many as the octet says that stands first
_SOUNDS = (Part(1, "num_sounds"), Part(1, "time_out"), Part(1, "resp_type"), Part(6, "forwarding_sta"))
_OUI = Part(3, fixed=bytes.fromhex("00b052"))


def _unused(length: int, written: bytes = b"") -> Part:
    return Part(length, written=written or bytes(length))


def _match(length: int) -> tuple[Part, ...]:
    ends = (_unused(17), Part(6, "pev_mac"), _unused(17), Part(6, "evse_mac"))
    return (NO_SECURITY, _unused(2, length.to_bytes(2, "little")), *ends, RUN_ID, _unused(8))


LAYOUTS: Final[dict[type[Message], tuple[int, tuple[Part, ...]]]] = {  # message -> MMTYPE, parts
    SlacParmReq: (0x6064, (NO_SECURITY, RUN_ID)),
    SlacParmCnf: (0x6065, (_unused(6, BROADCAST), *_SOUNDS, NO_SECURITY, RUN_ID)),
    StartAttenCharInd: (0x606A, (NO_SECURITY, *_SOUNDS, RUN_ID)),
    AttenCharInd: (0x606E, (NO_SECURITY, Part(6, "source_address"), RUN_ID, _unused(34), Part(1, "num_sounds"), GROUPS)),
    AttenCharRsp: (0x606F, (NO_SECURITY, Part(6, "source_address"), RUN_ID, _unused(34), Part(1, "result"))),
    MnbcSoundInd: (0x6076, (NO_SECURITY, _unused(17), Part(1, "count"), RUN_ID, _unused(8), Part(16, "random"))),
    ValidateReq: (0x6078, (Part(1, "signal_type"), Part(1, "timer"), Part(1, "result"))),
    ValidateCnf: (0x6079, (Part(1, "signal_type"), Part(1, "toggle_num"), Part(1, "result"))),
    SlacMatchReq: (0x607C, _match(0x3E)),
    SlacMatchCnf: (0x607D, (*_match(0x56), Part(7, "nid"), _unused(1), Part(16, "nmk"))),
    AttenProfileInd: (0x6086, (Part(6, "pev_mac"), GROUPS)),
    SetKeyReq: (
        0x6008,
        (
            _unused(1, b"\x01"),
            Part(4, "my_nonce"),
            _unused(4),
            _unused(1, b"\x04"),
            _unused(4),
            Part(7, "nid"),
            _unused(1, b"\x01"),
            Part(16, "nmk"),
        ),
    ),
    SetKeyCnf: (0x6009, (Part(1, "result"), _unused(4), Part(4, "your_nonce"), _unused(5))),
    LinkStatusReq: (0xA0B8, (_OUI,)),
    LinkStatusCnf: (0xA0B9, (_OUI, Part(1, "status"), Part(1, "link"))),
}
_TYPES = {number: kind for kind, (number, _) in LAYOUTS.items()}
_VENDOR = 0xA000  # messages from here on are a vendor's: version 0, and nothing of fragments in their header
_NUMBERS = {"num_sounds", "time_out", "resp_type", "count", "result", "signal_type", "timer", "toggle_num", "status", "link"}
_RESERVED_AFTER_COUNT = {AttenProfileInd}  # an octet between the number of groups and the first


def frame(destination: bytes, source: bytes, message: Message) -> bytes:
    """A message as an Ethernet frame, padded to the shortest length that Ethernet carries."""
    number, parts = LAYOUTS[type(message)]
    head = b"\x00" + number.to_bytes(2, "little") if number >= _VENDOR else b"\x01" + number.to_bytes(2, "little") + bytes(2)
    octets = destination + source + ETHERTYPE.to_bytes(2, "big") + head + b"".join(_written(message, parts))
    return octets.ljust(LEAST, b"\x00")


def _written(message: Message, parts: tuple[Part, ...]) -> Iterator[bytes]:
    for part in parts:
        if part is GROUPS:
            groups: bytes = message.groups  # type: ignore[union-attr] # the layout says that it has them
            yield bytes([len(groups)]) + (bytes(1) if type(message) in _RESERVED_AFTER_COUNT else b"") + groups
        elif part.name:
            value = getattr(message, part.name)
            yield bytes([value]) if part.name in _NUMBERS else value
        else:
            yield part.fixed or part.written


def unframe(octets: bytes) -> tuple[bytes, bytes, Message]:
    """Destination and source (6 octets each) and message of an Ethernet frame. Raises FramingError for one that holds no message."""
    if len(octets) < HEADER + 3:
        raise FramingError(f"{len(octets)} octets are no frame of the power line; the shortest has {HEADER + 3}")
    if len(octets) > MOST:
        raise FramingError(f"{len(octets)} octets are more than an Ethernet frame has ({MOST})")
    kind = int.from_bytes(octets[12:14], "big")
    if kind != ETHERTYPE:
        raise FramingError(f"EtherType 0x{kind:04X} is not HomePlug AV (0x{ETHERTYPE:04X})")
    number = int.from_bytes(octets[15:17], "little")
    message = _TYPES.get(number)
    if message is None:
        raise FramingError(f"MMTYPE 0x{number:04X} is no message of matching")
    version = 0 if number >= _VENDOR else 1
    if octets[14] != version:
        raise FramingError(f"{message.__name__} in version {octets[14]} of the management messages, it is of version {version}")
    start = HEADER + (3 if number >= _VENDOR else 5)
    return octets[:6], octets[6:12], message(**_read(message, octets, start))


def _read(message: type[Message], octets: bytes, at: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in LAYOUTS[message][1]:
        length = part.length
        if part is GROUPS:
            length = octets[at] if at < len(octets) else 0
            at += 2 if message in _RESERVED_AFTER_COUNT else 1
        piece = octets[at : at + length]
        if len(piece) < length or at > len(octets):
            raise FramingError(f"{message.__name__} ends after {len(octets)} octets, {part.name or 'a part of it'} needs {at + length}")
        if part.fixed and piece != part.fixed:
            raise FramingError(f"{message.__name__} begins {piece.hex()}, expected is {part.fixed.hex()} (matching without security)")
        if part.name:
            found[part.name] = piece[0] if part.name in _NUMBERS else bytes(piece)
        at += length
    return found
