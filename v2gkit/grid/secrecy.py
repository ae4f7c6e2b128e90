"""Where secrets may go: over TLS, or to the machine itself. Pure."""

import ipaddress
from urllib.parse import urlsplit

from v2g.address import demand_address, public_url


def demand_secret(url: str, what: str) -> None:
    """Raise ValueError for a URL that is none of HTTP, and for one that would carry `what` in clear to another machine."""
    demand_address(url, "https", "http")
    if urlsplit(url).scheme == "http" and not _loopback(urlsplit(url).hostname or ""):
        raise ValueError(f"url {public_url(url)} would carry {what} in clear; https is wanted, and http is taken on the loopback alone")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
