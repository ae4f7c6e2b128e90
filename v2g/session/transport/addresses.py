"""Network interfaces and addresses of this machine, with errors that say the cure."""

import socket
from ipaddress import IPv6Address
from pathlib import Path

from v2g.session.link import Unreachable

_IF_INET6 = Path("/proc/net/if_inet6")
_TENTATIVE = 0x40  # flag of an address whose uniqueness on the link is still being tested


def index_of(interface: str) -> int:
    """The number by which the system knows an interface. Raises Unreachable, which names the interfaces there are."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        known = ", ".join(name for _, name in socket.if_nameindex())
        raise Unreachable(f"no network interface {interface!r}; this machine has {known}") from None


def addresses_of(interface: str) -> tuple[IPv6Address, ...]:
    """The IPv6 addresses of an interface that can be used now, from /proc (Linux); empty on a system without /proc."""
    index_of(interface)
    try:
        rows = [line.split() for line in _IF_INET6.read_text().splitlines()]
    except OSError:
        return ()
    return tuple(IPv6Address(bytes.fromhex(row[0])) for row in rows if row[5] == interface and not int(row[4], 16) & _TENTATIVE)


def link_local(interface: str) -> IPv6Address:
    """The link-local address of an interface; ::1 for the loopback interface. Raises Unreachable with the cure."""
    if is_loopback(interface):
        return IPv6Address("::1")
    for address in addresses_of(interface):
        if address.is_link_local:
            return address
    raise Unreachable(
        f"interface {interface!r} has no IPv6 link-local address, which discovery needs: set it up (ip link set {interface} up), enable "
        f"IPv6 (sysctl net.ipv6.conf.{interface}.disable_ipv6=0), or do without discovery and give host and port"
    )


def is_loopback(interface: str) -> bool:
    """Whether an interface is a loopback, which leads to this machine alone."""
    return interface.startswith("lo") and interface[2:].rstrip("0123456789") == ""


def with_zone(address: IPv6Address, interface: str) -> str:
    """An address as `connect` takes it: a link-local one with its interface (fe80::1%eth0), any other as it is."""
    return f"{address}%{interface}" if address.is_link_local else str(address)
