"""Which schema set octets belong to, when nobody says: from the V2GTP payload type, the phase of the session, and what decodes."""

from dataclasses import dataclass
from typing import Literal

from v2g.exi.codec import Reading, encode, read
from v2g.exi.errors import ExiError
from v2g.messages import MODULES, schema_set

Phase = Literal["handshake", "session"]

# 0x8001 carries the handshake of every session, and then the messages of -2 and DIN 70121; what it is depends on the phase alone
BY_PAYLOAD_TYPE: dict[int, tuple[str, ...]] = {
    0x8001: ("app", "iso2", "din"),
    0x8002: ("common",),
    0x8003: ("ac",),
    0x8004: ("dc",),
    0x8005: ("acdp",),
    0x8006: ("wpt",),
    0x8010: ("ac_der_iec",),
    0x8011: ("ac_der_sae",),
    0x8101: ("common",),
    0x8102: ("common",),
    0x8103: ("acdp",),
    0x8104: ("common",),
}


@dataclass(frozen=True, slots=True)
class Guess:
    """The set that fits best, what the octets are in it, and how sure that is in words."""

    set: str
    reading: Reading
    sure: str


def unframe(octets: bytes) -> tuple[bytes, int | None]:
    """The payload of a V2GTP frame and its type, or the octets as they are if they are no frame: EXI never starts with 0x01."""
    if octets[:2] == b"\x01\xfe" and len(octets) >= 8 and int.from_bytes(octets[4:8], "big") == len(octets) - 8:
        return octets[8:], int.from_bytes(octets[2:4], "big")
    return octets, None


def candidates(payload_type: int | None, phase: Phase | None) -> tuple[str, ...]:
    """The sets that payload type and phase leave."""
    sets = tuple(MODULES) if payload_type is None else BY_PAYLOAD_TYPE.get(payload_type, tuple(MODULES))
    if phase == "handshake":
        return ("app",)
    return tuple(s for s in sets if s != "app") if phase == "session" else sets


def guess(octets: bytes, payload_type: int | None = None, phase: Phase | None = None, *, fragment: bool = False) -> Guess:
    """The set in which the octets are a message. Raises ExiError if they are one in no set that is left."""
    tried = candidates(payload_type, phase)
    fits = sorted((_rank(octets, name, fragment) for name in tried), key=lambda f: f[0])
    found = [(rank, name, reading) for rank, name, reading in fits if reading is not None]
    if not found:
        raise ExiError(f"a message in none of the sets {', '.join(tried)}")
    (best, name, reading), others = found[0], found[1:]
    assert reading is not None
    rivals = [other for rank, other, _ in others if rank == best]
    if len(tried) == 1:
        sure = "certain: payload type or phase leave no other set"
    elif not others:
        sure = f"certain: a message in no other of {len(tried)} sets"
    elif not rivals:
        sure = f"likely: less well it would be {', '.join(other for _, other, _ in others)}"
    else:
        sure = f"a guess: as well it could be {', '.join(rivals)}"
    return Guess(name, reading, sure)


def _rank(octets: bytes, name: str, fragment: bool) -> tuple[tuple[bool, bool, bool], str, Reading | None]:
    """How well the octets fit a set, best first: a message rather than a part of one, nothing tolerated, the same octets again."""
    schemas = schema_set(name)
    try:
        reading = read(octets, schemas, fragment=fragment)
        again = fragment or encode(reading.message, schemas) == octets
    except ExiError:
        return (True, True, True), name, None
    is_message = reading.name.local.endswith(("Req", "Res", "V2G_Message"))
    return (not is_message, bool(reading.findings), not again), name, reading
