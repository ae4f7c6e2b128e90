"""Addresses of services (URLs): fit to be configured, shown without their secrets, compared by origin. Pure."""

from typing import Final
from urllib.parse import urlsplit

from v2g.legible import legible, masked

PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def shown(url: str) -> str:
    """An address as people may see it: one line, without user and password."""
    return legible(masked(url))[:160]


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: whom an address belongs to. ValueError for what is no address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def demand_address(url: str, *schemes: str) -> None:
    """Raises ValueError, without the password, for what is no address by one of these schemes, or holds credentials."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{shown(url)} is no address: {error}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"{shown(url)} is no address of this kind; begin it with {' or '.join(f'{each}://' for each in schemes)}")
    if not parts.hostname:
        raise ValueError(f"{shown(url)} names no host")
    if "@" in parts.netloc:
        raise ValueError(f"{shown(url)} holds credentials, which would stand in logs and process lists; give the password by a file")
