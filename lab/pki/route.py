"""What a service of the lab is to the web server under it: routes, and values for question and answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as a service sees it."""

    path: str  # behind the route, as it was sent
    body: bytes
    headers: Mapping[str, str]  # names in any case
    source: str = ""  # address of who asks


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say to it."""

    body: bytes
    kind: str = "application/octet-stream"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Service = Callable[[Asked], Answer] | Callable[[Asked], Awaitable[Answer]]
Route = tuple[str, str, Service]
"""Method, beginning of the path, and who answers: a function, which runs in a thread, or a coroutine function."""
