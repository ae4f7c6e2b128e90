"""Guesses the schema set of EXI octets: from the V2GTP payload type, the phase of the session, and what decodes."""

from dataclasses import dataclass
from typing import Literal

from v2g.exi.codec import Reading, encode, read
from v2g.exi.errors import DecodeError, EncodeError, ExiError
from v2g.exi.reading import Mode
from v2g.messages import MODULES, schema_set
from v2g.session.v2gtp import PAYLOADS

Phase = Literal["handshake", "session"]

# the first payload type carries the handshake of every session, then the messages of -2 and DIN; what it is depends on the phase alone
BY_PAYLOAD_TYPE: dict[int, tuple[str, ...]] = {int(each): row.schema_sets for each, row in PAYLOADS.items() if row.schema_sets}
NEARLY = 0.9  # of the bits that make sense in another set
SDP: dict[int | None, str] = {int(each): row.says for each, row in PAYLOADS.items() if row.stream == "discovery"}


@dataclass(frozen=True, slots=True)
class Guess:
    """The schema set that fits best, the message that the octets are in it, and in words how sure that is."""

    set: str
    reading: Reading
    sure: str


def candidates(payload_type: int | None, phase: Phase | None) -> tuple[str, ...]:
    """The schema sets that payload type and phase allow. Raises ExiError for a payload type of SDP."""
    if payload_type in SDP:
        raise ExiError(f"payload type 0x{payload_type:04X} is an SDP {SDP[payload_type]}, which is no EXI")
    sets = tuple(MODULES) if payload_type is None else BY_PAYLOAD_TYPE.get(payload_type, tuple(MODULES))
    if phase == "handshake":
        return ("app",)
    return tuple(s for s in sets if s != "app") if phase == "session" else sets


def guess(
    octets: bytes, payload_type: int | None = None, phase: Phase | None = None, *, fragment: bool = False, mode: Mode = "conformance"
) -> Guess:
    """The schema set in which the octets are a message. Raises ExiError if there is none, with the reason of the likeliest set."""
    tried = candidates(payload_type, phase)
    fits, refusals = [], {}
    for name in tried:
        try:
            fits.append((*_rank(octets, name, fragment, mode), name))
        except DecodeError as refusal:
            refusals[name] = refusal
    if not fits:
        raise ExiError(_likeliest(refusals))
    best, reading, name = min(fits, key=lambda fit: fit[0])
    rivals = [other for rank, _, other in fits if rank == best and other != name]
    others = [other for _, _, other in fits if other != name]
    if len(tried) == 1:
        sure = "certain: payload type or phase leave no other set"
    elif not others:
        sure = f"certain: a message in no other of {len(tried)} sets"
    elif not rivals:
        sure = f"likely: less well it would be {', '.join(others)}"
    else:
        sure = f"a guess: as well it could be {', '.join(rivals)}"
    return Guess(name, reading, sure)


def _likeliest(refusals: dict[str, DecodeError]) -> str:
    """Why the octets are no message, in the set that they are most like: the one in which most of them make sense as a message.

    Octets of one set go on for a while in others, so of sets that come nearly as far the one that is met more often is meant.
    """
    named = [each for each in refusals if _named(refusals[each].path[:1], each)] or list(refusals)
    furthest = max(refusals[each].bit for each in named)
    name = next(each for each in named if refusals[each].bit >= NEARLY * furthest)
    others = [each for each in refusals if each != name]
    return f"most like the set {name}: {refusals[name]}" + (f"; a message in none of {', '.join(others)} either" if others else "")


def _named(path: tuple[str, ...], name: str) -> bool:
    """Whether an element is a message of a set, not a part of one: in -2 and DIN all are in one envelope."""
    return path[:1] == ("V2G_Message",) if name in ("iso2", "din") else bool(path) and path[0].endswith(("Req", "Res"))


def _rank(octets: bytes, name: str, fragment: bool, mode: Mode) -> tuple[tuple[bool, bool, bool, bool, int], Reading]:
    """How well octets fit a set, best first: a message, nothing behind it, nothing tolerated, the same octets again. Raises DecodeError."""
    schemas = schema_set(name)
    reading = read(octets, schemas, fragment=fragment, mode=mode)
    try:
        again = fragment or encode(reading.message, schemas) == octets
    except EncodeError:
        again = False
    return (not _named((reading.name.local,), name), reading.behind > 0, bool(reading.findings), not again, len(reading.findings)), reading
