"""The interface between a laboratory's services and their web server: routes, and values for request and answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request, as a service gets it."""

    path: str  # behind the route, as it was sent
    body: bytes
    headers: Mapping[str, str]  # names in any case
    source: str = ""  # address of who asks
    query: str = ""  # behind the question mark, as it was sent


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP answer of a service: body, content type, status, further headers."""

    body: bytes
    kind: str = "application/octet-stream"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Service = Callable[[Asked], Answer] | Callable[[Asked], Awaitable[Answer]]
Route = tuple[str, str, Service]
"""Method, beginning of the path, and what answers: a function, which runs in a thread, or a coroutine function."""
