"""Octets that no encoder writes: frames with a wrong header, and EXI documents that were changed bit by bit (pure)."""

from v2g.session.v2gtp import HEADER_LENGTH, frame


def header(payload_type: int, length: int, version: int = 0x01, inverse: int = 0xFE) -> bytes:
    """A V2GTP header that says whatever it shall."""
    return bytes((version, inverse)) + payload_type.to_bytes(2, "big") + length.to_bytes(4, "big")


def bits(octets: bytes) -> str:
    """Octets as a text of 0 and 1."""
    return "".join(f"{octet:08b}" for octet in octets)


def octets(text: str) -> bytes:
    """A text of 0 and 1 as octets, filled up with zeros at its end."""
    filled = text.ljust(-(-len(text) // 8) * 8, "0")
    return bytes(int(filled[at : at + 8], 2) for at in range(0, len(filled), 8))


def document(framed: bytes) -> bytes:
    """The EXI document in a frame."""
    return framed[HEADER_LENGTH:]


def again(framed: bytes, exi: bytes) -> bytes:
    """Another document in a frame of the same payload type."""
    return frame(int.from_bytes(framed[2:4], "big"), exi)


def unsigned(value: int, continued: int = 0) -> str:
    """An EXI unsigned integer as bits, seven to an octet, least first; with `continued` zero octets behind it that add nothing."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    groups += [0] * continued
    return "".join(f"{(128 if place < len(groups) - 1 else 0) | group:08b}" for place, group in enumerate(groups))


def place_of(framed: bytes, value: bytes) -> int:
    """Where the octets of a binary value begin, in bits of the document. Raises ValueError where they are not there."""
    return bits(document(framed)).index(bits(value))


def with_length(framed: bytes, value: bytes, length: int) -> bytes:
    """A frame in which a binary value has another length: cut, or with zeros behind it."""
    text, at = bits(document(framed)), place_of(framed, value)
    changed = (value + bytes(length))[:length]
    return again(framed, octets(text[: at - 8] + unsigned(length) + bits(changed) + text[at + 8 * len(value) :]))


def with_claimed(framed: bytes, value: bytes, claimed: int, continued: int = 0) -> bytes:
    """A frame in which a binary value claims a length that it has not."""
    text, at = bits(document(framed)), place_of(framed, value)
    return again(framed, octets(text[: at - 8] + unsigned(claimed, continued) + text[at:]))


def grown(fewer: bytes, more: bytes, times: int) -> bytes:
    """A frame whose list has `times` entries more than `more`, where `more` has one more than `fewer` and all entries are alike."""
    one, two = bits(document(fewer)), bits(document(more))
    octets_more = (len(document(more)) - len(document(fewer))) * 8
    at = next((place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), len(one))
    # the documents end on whole octets, so the length of an entry is found where both agree again
    rest, lengths = one[at:].rstrip("0"), range(max(octets_more - 7, 1), octets_more + 8)
    length = next(each for each in lengths if two[at + each :].rstrip("0") == rest)
    entry = two[at : at + length]
    return again(more, octets(two[:at] + entry * (times + 1) + two[at + length :]))


def flipped(framed: bytes, bit: int) -> bytes:
    """A frame with one bit of its document turned."""
    changed = bytearray(framed)
    changed[HEADER_LENGTH + bit // 8] ^= 0x80 >> bit % 8
    return bytes(changed)
