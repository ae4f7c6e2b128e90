"""Who the car is, and what it can charge by."""

import hashlib

from v2g.services import SERVICES

NEW_SESSION = bytes(8)
EVCCID = 6  # octets: a MAC address
LOCAL = 0x02  # the bit of a MAC address that nobody has registered


def charging(services: tuple[str, ...], plugs: tuple[str, ...] = ("ac", "dc")) -> tuple[str, ...]:
    """The services among `services` that charge over one of `plugs`: none that gives back."""
    return tuple(name for name in services if SERVICES[name].plug in plugs and not SERVICES[name].bidirectional)


def evcc_id(name: str) -> bytes:
    """The EVCCID of a car: the MAC address that its name spells in hex, else one of local administration made from its name."""
    spelt = name.replace(":", "").replace("-", "")
    try:
        if len(spelt) == 2 * EVCCID:
            return bytes.fromhex(spelt)
    except ValueError:
        pass
    made = hashlib.sha256(name.encode()).digest()[:EVCCID]
    return bytes([(made[0] | LOCAL) & 0xFE]) + made[1:]
