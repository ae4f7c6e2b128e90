"""Two network namespaces joined by a cable: SDP on one machine, with link-local addresses and multicast as between two."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

INTERFACE = "v2g0"  # the same name at both ends
_numbers = itertools.count(1)


class NoNetwork(Exception):
    """This machine cannot make namespaces; the message says why."""


@dataclass(frozen=True, slots=True)
class Cable:
    """The namespaces at the two ends, by name."""

    station: str
    car: str

    @staticmethod
    def inside(namespace: str, *command: str) -> tuple[str, ...]:
        """A command as it is run inside a namespace."""
        return ("ip", "netns", "exec", namespace, *command)


@contextmanager
def cable() -> Iterator[Cable]:
    """Two namespaces and a veth pair between them, for as long as the block lasts. Raises NoNetwork."""
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
        # an address is usable at once, without the second in which it is looked for at the other end
        settings = f"/proc/sys/net/ipv6/conf/{INTERFACE}"
        _run(*Cable.inside(name, "sh", "-c", f"echo 0 > {settings}/accept_dad && echo 0 > {settings}/dad_transmits"))
        _ip("-n", name, "link", "set", INTERFACE, "up")


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own words
    if done.returncode:
        raise NoNetwork(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
