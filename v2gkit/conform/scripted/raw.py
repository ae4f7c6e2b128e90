"""Octets that no codec writes: documents stretched, cut, flipped and filled up (pure)."""

import random
from collections.abc import Callable


def _bits(octets: bytes) -> str:
    return "".join(f"{octet:08b}" for octet in octets)


def _octets(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


def _length(count: int) -> bytes:
    """A length as EXI writes unsigned integers: seven bits an octet, the low ones first."""
    out = bytearray()
    while True:
        count, low = count >> 7, count & 127
        out.append(low | (128 if count else 0))
        if not count:
            return bytes(out)


def stretched(frame: bytes, old: bytes, new: bytes) -> bytes:
    """A V2GTP frame whose document has one binary value replaced by another of another length. ValueError where it is not there once."""
    return claimed(frame, old, new, len(new))


def claimed(frame: bytes, old: bytes, new: bytes, length: int) -> bytes:
    """A V2GTP frame whose document has one binary value replaced by `new`, said to have `length` octets. ValueError where there is none."""
    bits = _bits(frame[8:])
    value = _bits(_length(len(old)) + old)
    if bits.count(value) != 1:
        raise ValueError(f"the value {old.hex()} is {bits.count(value)} times in the document, must be once")
    return headed(frame, _octets(bits.replace(value, _bits(_length(length) + new))))


def headed(frame: bytes, payload: bytes) -> bytes:
    """Another payload under the header of a frame, with its own length."""
    return frame[:4] + len(payload).to_bytes(4, "big") + payload


def shortened(frame: bytes, seed: int) -> bytes:
    """The frame with a document that ends early, said truly in its header; the same for the same seed."""
    return headed(frame, frame[8 : 9 + seed * 7 % max(1, len(frame) - 9)])


def flipped(frame: bytes, seed: int, bits: int = 3) -> bytes:
    """The frame with some bits of its document turned, the same for the same seed."""
    chosen = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    payload = bytearray(frame[8:])
    for _ in range(bits):
        at = chosen.randrange(len(payload) * 8)
        payload[at // 8] ^= 1 << at % 8
    return headed(frame, bytes(payload))


def filled(frame: bytes, share: float, octet: int, count: int) -> bytes:
    """The frame with its document cut at a share of its length, and filled up with so many octets of one value."""
    payload = frame[8:]
    return headed(frame, payload[: max(2, int(len(payload) * share))] + bytes((octet,)) * count)


Spoil = Callable[[bytes], bytes]
