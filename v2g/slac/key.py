"""The key of a network, and the id that follows from it [HomePlug Green PHY 4.4.3.1]."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

NMK_LENGTH = 16
NID_LENGTH = 7


@dataclass(frozen=True, slots=True)
class Network:
    """A logical network on the power line: its id (NID) and its key (NMK). Whoever has the key is in it; it is never printed."""

    nid: bytes
    nmk: bytes = field(repr=False)


def network_id(nmk: bytes) -> bytes:
    """The network id (NID) that follows from a key (NMK): 52 bits of a digest, and a security level of 0."""
    digest = nmk
    for _ in range(5):
        digest = sha256(digest).digest()
    return digest[: NID_LENGTH - 1] + bytes([digest[NID_LENGTH - 1] >> 4])


def fresh(entropy: Callable[[int], bytes]) -> Network:
    """A network with a new random key, so that the car before is no longer in it. `entropy(n)` gives n random octets."""
    nmk = entropy(NMK_LENGTH)
    return Network(network_id(nmk), nmk)
