"""Files between the station and servers that its CSMS names (pure): to whom, and how often it is tried.

A CSMS that could name any server could make the station knock at every door of its network: only hosts that are allowed are gone to.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from v2g.address import demand_address

ATTEMPTS_MAXIMUM: Final = 10  # however many the CSMS wants: what ten attempts could not carry is not carried by more
WAIT: Final = (10.0, 3600.0)  # s between two attempts, the least and the most


def objection(url: str, hosts: Sequence[str], what: str) -> str:
    """Why `what` ("logs are sent to", "firmware is fetched from") does not go by a URL, in words; empty: it may."""
    try:
        demand_address(url, "https", "http")
    except ValueError as error:
        return str(error)
    if not url.isascii() or not url.isprintable() or " " in url:
        return "the address has characters that no URL has"
    host = urlsplit(url).hostname or ""
    return "" if host in hosts else f"{what} {', '.join(hosts) or 'nobody'} alone, not {host[:80]}"


def pause(seconds: float) -> float:
    """How long (s) to wait between two attempts, where the CSMS says `seconds`."""
    return min(max(float(seconds), WAIT[0]), WAIT[1])
