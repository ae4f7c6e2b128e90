"""Simulated power line modems between the Ethernet ports of a station and of cars, with an attenuation between each two.

    python -m v2gkit.peers.modem station0 car0 --attenuation 4      two Ethernet interfaces, a modem behind each

A modem takes a key from its host, measures the sounds of others, says whether anybody is in its network, and lets what is no management
message pass only between modems with the same key. That is what real ones do, so far as matching is concerned.
"""

import argparse
import selectors
import socket
import sys
from collections.abc import Callable, Iterator

from v2g.session.errors import FramingError
from v2g.slac.frames import (
    ETHERTYPE,
    LOCAL_MODEM,
    AttenProfileInd,
    LinkStatusCnf,
    LinkStatusReq,
    MnbcSoundInd,
    SetKeyCnf,
    SetKeyReq,
    frame,
    unframe,
)
from v2g.slac.timing import GROUPS

Attenuation = Callable[[str, str], int]
"""dB from the modem of one name to that of another."""


class Line:
    """The modems on one power line, by name (pure): takes a frame of a host, gives frames to hosts."""

    def __init__(self, names: list[str], attenuation: Attenuation):
        self.attenuation = attenuation
        self.keys: dict[str, bytes] = {name: bytes([number + 1]) * 16 for number, name in enumerate(names)}
        self.addresses = {name: bytes.fromhex("02b052000000")[:5] + bytes([number + 1]) for number, name in enumerate(names)}
        self.silent: set[str] = set()  # modems that answer their host nothing

    def sent(self, host: str, octets: bytes) -> Iterator[tuple[str, bytes]]:
        """The frames to hosts that a frame of `host` leads to, as (host, frame)."""
        modem, mac = self.addresses[host], octets[6:12]
        others = [name for name in self.keys if name != host]
        if int.from_bytes(octets[12:14], "big") != ETHERTYPE:
            yield from ((name, octets) for name in others if self.keys[name] == self.keys[host])
            return
        if octets[:6] in (LOCAL_MODEM, modem):
            yield from self._asked(host, modem, mac, octets)
            return
        yield from ((name, octets) for name in others)  # matching is heard by all who are near
        try:
            _, source, message = unframe(octets)
        except FramingError:
            return
        if isinstance(message, MnbcSoundInd):
            for name in others:
                level = self.attenuation(host, name)
                groups = bytes(max(0, level + (-1, 0, 1)[group % 3]) for group in range(GROUPS))
                yield name, frame(b"\xff" * 6, self.addresses[name], AttenProfileInd(source, groups))

    def _asked(self, host: str, modem: bytes, mac: bytes, octets: bytes) -> Iterator[tuple[str, bytes]]:
        try:
            _, _, message = unframe(octets)
        except FramingError:
            return
        if host in self.silent:
            return
        if isinstance(message, SetKeyReq):
            self.keys[host] = message.nmk
            yield host, frame(mac, modem, SetKeyCnf(1, message.my_nonce))  # as real ones say it
        elif isinstance(message, LinkStatusReq):
            linked = any(key == self.keys[host] for name, key in self.keys.items() if name != host)
            yield host, frame(mac, modem, LinkStatusCnf(0, int(linked)))


def main(arguments: list[str] | None = None) -> int:
    """Run a modem behind each named interface, until the process is stopped. Needs CAP_NET_RAW. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="v2gkit.peers.modem", description="simulated power line modems between Ethernet interfaces")
    parser.add_argument("interfaces", nargs="+", metavar="INTERFACE")
    parser.add_argument("--attenuation", type=int, default=4, help="dB between any two (default 4)")
    options = parser.parse_args(arguments)
    line = Line(options.interfaces, lambda *_: options.attenuation)
    selector = selectors.DefaultSelector()
    sockets = {}
    for name in options.interfaces:
        sockets[name] = port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        port.bind((name, 0))
        selector.register(port, selectors.EVENT_READ, name)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            octets, (_, _, kind, *_) = sockets[key.data].recvfrom(65_536)
            if kind == socket.PACKET_OUTGOING:
                continue
            for name, out in line.sent(key.data, octets):
                sockets[name].send(out)


if __name__ == "__main__":
    sys.exit(main())
