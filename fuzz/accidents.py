"""What happens to a frame on its way: bits flip, octets get lost or doubled, and one who knows EXI writes nonsense where a value begins."""

import random

from fuzz.seeds import Seed

_NASTY = (0, 0x7F, 0x80, 0xFF)
_LONGEST = 12  # octets that one accident inserts


def accident(seed: Seed, chance: random.Random) -> bytes:
    """The frame of a seed after one to three accidents."""
    octets, marks = seed.octets, seed.marks
    for _ in range(chance.choice((1, 1, 2, 3))):
        octets = bits_changed(octets, marks, chance) if chance.random() < 0.4 else _octets(octets, chance)
    return octets


def _octets(octets: bytes, chance: random.Random) -> bytes:
    """An accident that respects octets."""
    changed = bytearray(octets)
    at = chance.randrange(len(changed)) if changed else 0
    match chance.randrange(7):
        case 0 if changed:
            changed[at] ^= 1 << chance.randrange(8)
        case 1 if changed:
            changed[at] = chance.choice((*_NASTY, chance.randrange(256)))
        case 2 if changed:
            del changed[at : at + chance.randint(1, 4)]
        case 3 if changed:
            changed[at : at + 8] = changed[at : at + 8][::-1]
        case 4 if changed:
            changed[at:at] = changed[at : at + chance.randint(1, 4 * _LONGEST)]
        case 5:
            changed[at:at] = chance.randbytes(chance.randint(1, 4))
        case _:
            changed[at:at] = b"\xff" * chance.randint(1, _LONGEST)
    return bytes(changed)


def bits_changed(octets: bytes, marks: tuple[int, ...], chance: random.Random) -> bytes:
    """An accident at a place where the seed has a code or a value: everything behind it may shift by bits."""
    size, value = len(octets) * 8, int.from_bytes(octets, "big")
    start = min(chance.choice(marks), size)
    end = min(start + chance.choice((1, 1, 2, 3, 7, 8, 8, 16, 33)), size)
    head, middle, tail = value >> size - start, value >> size - end & (1 << end - start) - 1, value & (1 << size - end) - 1
    width = end - start
    match chance.randrange(5):
        case 0:
            middle = chance.getrandbits(width) if width else 0
        case 1:
            middle = (1 << width) - 1
        case 2:
            middle, width = 0, 0
        case 3:
            middle, width = middle << width | middle, 2 * width
        case _:
            extra = chance.randint(1, 9)
            middle, width = middle << extra | chance.getrandbits(extra), width + extra
    whole = start + width + size - end
    padding = -whole % 8
    return ((((head << width | middle) << size - end) | tail) << padding).to_bytes((whole + padding) // 8, "big")
