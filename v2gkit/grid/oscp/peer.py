"""What both ends of OSCP 2.0 share: who may call, registration, heartbeats, ids of messages, repetition. Sans-I/O.

    status, text = peer.answer(asked, now)      whatever is asked; 204 and "" is success
    for sending in peer.due(now): ...           send each, one after the other, and say peer.done(sending, status, now)
    peer.deadline(now)                          when to look for what is due again

Three tokens change hands: the flexibility provider's owner gives the first to the capacity provider, beside the protocol. It lets the
capacity provider register, with the token by which it wants to be called; the flexibility provider registers in turn, with the third,
and the first is good no more, until the other side refuses us: then it has forgotten, and begins anew.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

import msgspec

from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.http import Request
from v2gkit.grid.oscp import words
from v2gkit.grid.secrecy import demand_secret
from v2gkit.grid.times import instant, written

REMEMBERED: Final = 256  # ids of messages, by which a repeated one is known
FIRST, LONGEST = 1.0, 60.0  # s until a message that has failed is sent again, the first time and at most
MISSED: Final = 3.0  # heartbeats that may fail before the other side takes us for offline
QUEUED: Final = 32  # messages that wait to be sent; more mean that nobody takes them
STATUSES: Final = {Trouble.DENIED: 401, Trouble.FOREIGN: 400, Trouble.REPLAYED: 400, Trouble.HUGE: 413}


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that came: the last part of its path, its headers in small letters, its body."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that is to be sent. `again`: until it was taken."""

    path: str
    request: Request = field(repr=False)
    id: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What a party remembers of its registration over a restart: secrets. `ours` is what the other side has to show."""

    ours: str = ""
    theirs: str = ""
    url: str = ""


class Peer:
    """One relation to the other side. `url` is where this side is called; `first` the token that begins; `entropy` gives octets."""

    ACCEPTED: Mapping[str, type[words.Word]] = {}

    def __init__(self, name: str, url: str, first: str, entropy: Callable[[int], bytes], heartbeat: float, known: Known) -> None:
        self.name, self.url = name, url.rstrip("/")
        self.known = known
        self.until = 0.0  # epoch s; the other side is online until then
        self._first, self._entropy, self._heartbeat = first, entropy, heartbeat
        self._interval: float | None = None  # s; of the heartbeats that the other side wants
        self._beat_at = inf
        self._queue: list[Sending] = []
        self._wait, self._after = FIRST, 0.0
        self._ids: OrderedDict[str, bytes] = OrderedDict()

    # --- what comes ---

    def answer(self, asked: Asked, now: float) -> tuple[int, str]:
        """Status and reason; raises GridFault, whose `status_of` is the answer, for what this side's owner should hear of."""
        self._demand_token(asked)
        if asked.path not in self.ACCEPTED:
            return 404, f"there is no {asked.path[:60]!r} here"
        id_ = asked.headers.get("x-request-id", "")
        if not 1 <= len(id_) <= 128:
            return 400, "X-Request-ID is wanted, of 1 to 128 characters"
        if any(asked.headers.get(name, "1") != "1" for name in ("x-segment-index", "x-segment-count")):
            return 501, "a message in segments is not taken; send it whole"
        if self._repeated(id_, asked):
            return 204, ""
        message = words.read(asked.body, self.ACCEPTED[asked.path], f"{self.name}: {asked.path}")
        outcome = self._taken(message, asked, now)
        if outcome[0] == 204:
            self._ids[id_] = _digest(asked)
            while len(self._ids) > REMEMBERED:
                self._ids.popitem(last=False)
        return outcome

    def _taken(self, message: words.Word, asked: Asked, now: float) -> tuple[int, str]:
        if isinstance(message, words.Register):
            return self._registered(message, asked, now)
        if isinstance(message, words.Heartbeat):
            return self._alive(message, now)
        return self.take(message, asked.headers.get("x-request-id", ""), asked.headers.get("x-correlation-id", ""), now)

    def take(self, message: words.Word, id_: str, correlation: str, now: float) -> tuple[int, str]:
        """What a message of this role is answered."""
        raise NotImplementedError

    def registered(self, id_: str, now: float) -> None:
        """The other side has registered, by the message of this id."""
        raise NotImplementedError

    def alive(self, now: float) -> None:
        """The other side is online, until `self.until`."""

    @property
    def online(self) -> bool:
        """Whether a handshake was made, and the other side was not offline since."""
        return self.until > 0

    def _demand_token(self, asked: Asked) -> None:
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        given = token.strip().encode() if scheme.lower() == "token" else b""
        good = [each for each in (self.known.ours, self._first if asked.path == "register" else "") if each]
        if not any(hmac.compare_digest(given, each.encode()) for each in good):
            raise GridFault(Trouble.DENIED, f"{self.name}: {quoted(asked.path)} without the token that was agreed upon")

    def _repeated(self, id_: str, asked: Asked) -> bool:
        before = self._ids.get(id_)
        if before is not None and before != _digest(asked):
            raise GridFault(Trouble.REPLAYED, f"{self.name}: two messages have the X-Request-ID {quoted(id_)}; the first one stands")
        return before is not None

    def _registered(self, message: words.Register, asked: Asked, now: float) -> tuple[int, str]:
        url = next((each.base_url for each in message.version_url if each.version == words.VERSION), None)
        if url is None:
            return 501, f"version {words.VERSION} is spoken here"
        if not message.token.isascii() or not message.token.isprintable():
            return 400, "the token does not fit into a header"
        try:
            demand_secret(url, "the tokens")
        except ValueError as error:
            return 400, str(error)
        self.known = Known(self.known.ours, message.token, url.rstrip("/"))
        self._queue.clear()
        self.registered(asked.headers["x-request-id"], now)
        return 204, ""

    def _alive(self, message: words.Heartbeat, now: float) -> tuple[int, str]:
        if not self.online or now >= self.until:
            return 400, "offline: a handshake comes first"
        try:
            until = instant(message.offline_mode_at)
        except (ValueError, OverflowError) as error:
            raise GridFault(Trouble.MALFORMED, f"{self.name}: heartbeat: {error}") from None
        if until is None or until <= now:
            raise GridFault(Trouble.EXPIRED, f"{self.name}: a heartbeat that was good until {message.offline_mode_at}; is a clock wrong?")
        self.until = until
        self.alive(now)
        return 204, ""

    # --- what goes ---

    def due(self, now: float) -> tuple[Sending, ...]:
        """What is to be sent at `now`, in its order."""
        self._demand_online(now)
        if now < self._after:
            return ()
        if self.online and now >= self._beat_at and not any(each.path == "heartbeat" for each in self._queue):
            assert self._interval is not None
            self.send(words.Heartbeat(offline_mode_at=written(now + MISSED * self._interval)))
            self._beat_at = now + self._interval
        return tuple(self._queue)

    def done(self, sending: Sending, status: int | None, now: float) -> None:
        """Note what became of a message; None: nobody answered."""
        if sending not in self._queue:
            return
        if status == 204:
            self._queue.remove(sending)
            self._wait = FIRST
            self.sent(sending, now)
        elif status == 401:
            self._queue.clear()
            self._later(now)
            self.forgotten(now)
        else:
            if not sending.again or status == 400:
                self._queue.remove(sending)
                self.refused(sending, now)
            self._later(now)

    def sent(self, sending: Sending, now: float) -> None:
        """The other side took a message."""

    def refused(self, sending: Sending, now: float) -> None:
        """The other side did not take a message, which is not sent again."""

    def forgotten(self, now: float) -> None:
        """The other side knows us no more."""
        self.known, self.until, self._beat_at = Known(), 0.0, inf

    def deadline(self, now: float) -> float:
        """When something is due, or over (epoch s)."""
        waiting = self._after if self._queue else inf
        return min(waiting, max(self._beat_at, self._after), self.until if self.online else inf)

    def send(self, message: words.Word, correlation: str = "", again: bool = False) -> None:
        """Put a message into the queue, in the place of one of its kind that waits still, if it is such that counts no more then."""
        path, id_ = words.NAMES[type(message)], self._entropy(16).hex()
        headers = {"Authorization": f"Token {self.known.theirs}", "X-Request-ID": id_, "Content-Type": "application/json"}
        if correlation:
            headers["X-Correlation-ID"] = correlation
        if len(self._queue) >= QUEUED:
            self._queue.pop(0)
        self._queue.append(Sending(path, Request("POST", f"{self.known.url}/{path}", msgspec.json.encode(message), headers), id_, again))

    def greet(self, correlation: str = "") -> None:
        """Register at the other side, with a new token by which it has to call."""
        self.known = Known(self._entropy(24).hex(), self.known.theirs, self.known.url)
        self.send(
            words.Register(token=self.known.ours, version_url=[words.VersionUrl(version=words.VERSION, base_url=self.url)]),
            correlation,
            again=True,
        )

    def wanted(self, behaviour: words.RequiredBehaviour | None, now: float) -> None:
        """Do what the other side wants from now on."""
        self._interval = None if behaviour is None else behaviour.heartbeat_interval
        self._beat_at = inf if self._interval is None else now

    def _demand_online(self, now: float) -> None:
        if self.online and now >= self.until:
            self.until, self._beat_at = 0.0, inf
            self._queue = [each for each in self._queue if each.path == "register"]
            self.lost(now)

    def lost(self, now: float) -> None:
        """The other side is offline."""

    def _later(self, now: float) -> None:
        self._after = now + self._wait
        self._wait = min(2 * self._wait, LONGEST)


def status_of(fault: GridFault) -> int:
    """The HTTP status of a fault."""
    return STATUSES.get(fault.trouble, 400)


def _digest(asked: Asked) -> bytes:
    return hashlib.sha256(asked.path.encode() + b"\n" + asked.body).digest()
