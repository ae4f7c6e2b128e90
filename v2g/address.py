"""Addresses of hosts and of services (URLs): checked in settings, shown without their secrets, compared by origin. Pure."""

from typing import Final
from urllib.parse import urlsplit

from v2g.legible import legible, masked

PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def public_url(url: str) -> str:
    """A URL as people may see it: one line, without user and password."""
    return legible(masked(url))[:160]


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of a URL, which say whom it belongs to. ValueError for text that is no URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def demand_address(url: str, *schemes: str) -> None:
    """Raise ValueError for text that is no URL of one of these schemes, or that holds a user or password, which it does not repeat."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{public_url(url)} is no address: {error}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"{public_url(url)} is no address of this kind; begin it with {' or '.join(f'{each}://' for each in schemes)}")
    if not parts.hostname:
        raise ValueError(f"{public_url(url)} names no host")
    if "@" in parts.netloc:
        raise ValueError(f"{public_url(url)} holds credentials, which would stand in logs and process lists; give the password by a file")


def host_and_port(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. ValueError for anything else."""
    host, _, port = text.rpartition(":")
    if not (host and port.isdigit() and int(port) < 65_536):
        raise ValueError(f"{text!r} is no address; give HOST:PORT, as [::1]:15118 or station.local:15118")
    return host.strip("[]"), int(port)
