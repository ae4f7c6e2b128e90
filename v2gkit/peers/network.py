"""Two network namespaces joined by a virtual cable: SDP on one machine, with link-local addresses and multicast as between two."""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

INTERFACE = "v2g0"  # the same name at both ends
_numbers = itertools.count(1)
# A veth pair leaves checksums to hardware that is not there: what a raw socket passes on would be dropped.
# ETHTOOL_STXCSUM 0 by SIOCETHTOOL.
WHOLE_CHECKSUMS = """
import ctypes, fcntl, socket, struct, sys
value = ctypes.create_string_buffer(struct.pack("II", 0x17, 0))
fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sP16x", sys.argv[1].encode(), ctypes.addressof(value)))
"""


class NoNetwork(Exception):
    """This machine cannot make namespaces; the message says why."""


@dataclass(frozen=True, slots=True)
class Cable:
    """The names of the network namespaces at the two ends of a virtual cable."""

    station: str
    car: str

    @staticmethod
    def inside(namespace: str, *command: str) -> tuple[str, ...]:
        """The command line that runs a command inside a namespace."""
        return ("ip", "netns", "exec", namespace, *command)


@contextmanager
def cable() -> Iterator[Cable]:
    """Within the block: two network namespaces and a veth pair between them. Raises NoNetwork."""
    if os.geteuid() != 0:
        raise NoNetwork("network namespaces need root")
    if not shutil.which("ip"):
        raise NoNetwork("there is no `ip`: apt-get install iproute2")
    number = f"{os.getpid()}-{next(_numbers)}"
    ends = Cable(f"v2g-station-{number}", f"v2g-car-{number}")
    try:
        _plug(ends)
        yield ends
    finally:
        for name in (ends.station, ends.car):  # its end of the cable goes with a namespace
            subprocess.run(("ip", "netns", "delete", name), capture_output=True)  # noqa: S603, S607


def _plug(ends: Cable) -> None:
    for name in (ends.station, ends.car):
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
    _ip("-n", ends.station, "link", "add", INTERFACE, "type", "veth", "peer", "name", INTERFACE, "netns", ends.car)
    for name in (ends.station, ends.car):
        _lively(name, INTERFACE)


def _lively(namespace: str, interface: str) -> None:
    """Set an interface up; its address is usable at once, without the second in which it is looked for at the other end."""
    settings = f"/proc/sys/net/ipv6/conf/{interface}"
    _run(*Cable.inside(namespace, "sh", "-c", f"echo 0 > {settings}/accept_dad && echo 0 > {settings}/dad_transmits"))
    _ip("-n", namespace, "link", "set", interface, "up")


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own words
    if done.returncode:
        raise NoNetwork(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


@contextmanager
def power_line(attenuation: int) -> Iterator[Cable]:
    """Within the block: two network namespaces joined by two simulated power line modems, which pass messages only once both have one key.

    `attenuation` is in dB. Raises NoNetwork.
    """
    with cable() as ends:
        middle = ends.station.replace("station", "line")
        try:
            _ip("netns", "add", middle)
            _ip("-n", ends.station, "link", "delete", INTERFACE)  # both ends of the cable
            for name, port in ((ends.station, "station0"), (ends.car, "car0")):
                _ip("-n", name, "link", "add", INTERFACE, "type", "veth", "peer", "name", port, "netns", middle)
                _lively(name, INTERFACE)
                _lively(middle, port)
                _run(*Cable.inside(name, sys.executable, "-c", WHOLE_CHECKSUMS, INTERFACE))
            program = (sys.executable, "-m", "v2gkit.peers.modem", "station0", "car0", "--attenuation", str(attenuation))
            modems = subprocess.Popen(Cable.inside(middle, *program), stdout=subprocess.PIPE, text=True)  # noqa: S603
            try:
                assert modems.stdout is not None
                if modems.stdout.readline() != "ready\n":
                    raise NoNetwork(f"the modems did not start (exit code {modems.wait()})")
                yield ends
            finally:
                modems.kill()
                modems.wait()
        finally:
            subprocess.run(("ip", "netns", "delete", middle), capture_output=True)  # noqa: S603, S607
