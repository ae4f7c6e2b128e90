"""What both sides of matching have in common: frames that wait to be sent, events, the modem and its link (pure)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from v2g.session.errors import FramingError
from v2g.slac import timing
from v2g.slac.frames import (
    BROADCAST,
    LOCAL_MODEM,
    AttenProfileInd,
    LinkStatusCnf,
    LinkStatusReq,
    Message,
    SetKeyCnf,
    SetKeyReq,
    frame,
    unframe,
)
from v2g.slac.key import Network

State = Literal["unmatched", "matching", "matched", "linked", "failed"]
KEY_TRIES = 3
NO_LINKS = 3  # answers "no link" in a row that end one: a modem says so once when the noise is bad
LINK_PACE = 2.0  # s between two questions while there is a link


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of matching, for log and trace: the state reached, why, and what was measured. No key is ever in it."""

    at: float
    state: State
    what: str
    facts: dict[str, Any]


class Side(ABC):
    """What station and car share: `receive`, `tick`, `deadline`, `frames_to_send`, `events`. Times are of one monotonic clock, in s."""

    def __init__(self, mac: bytes, entropy: Callable[[int], bytes], modem: bytes = LOCAL_MODEM):
        self.state: State = "unmatched"
        self.mac, self.modem, self._entropy = mac, modem, entropy
        self._out: list[tuple[float, bytes]] = []  # when it is due, and the frame
        self._events: list[Progress] = []
        self._network: Network | None = None
        self._answers: bytes | None = None  # the address from which the modem confirmed its key; what it measures comes from there
        self._key_due: float | None = None
        self._key_tries = 0
        self._poll: float | None = None
        self._join_until: float | None = None
        self._link_heard = False  # the modem answers questions about its link
        self._no_links = 0

    # --- the verbs ---

    def receive(self, octets: bytes, now: float) -> None:
        """Take an Ethernet frame. One for another address, of another protocol, or out of turn changes nothing."""
        try:
            destination, source, message = unframe(octets)
        except FramingError:
            return
        if destination not in (self.mac, BROADCAST) or source == self.mac:
            return
        match message:
            case SetKeyCnf() if self._key_due is not None:
                self._key_due, self._answers = None, source
                self._keyed(now)
            case LinkStatusCnf() if source == self._answers:
                self._link(message.link == 1, now)
            case LinkStatusCnf() | SetKeyCnf():
                return
            case AttenProfileInd() if source != self._answers:
                return  # from the line: a stranger would be the loudest
            case _:
                self._take(source, message, now)

    def tick(self, now: float) -> None:
        """Act on every timer that is due at `now`."""
        if self._key_due is not None and now >= self._key_due:
            self._ask_key(now)
        if self._poll is not None and now >= self._poll:
            self._send(self.modem, LinkStatusReq(), now)
            self._poll = now + (LINK_PACE if self.state == "linked" else timing.POLL_LINK)
        if self._join_until is not None and now >= self._join_until:
            self._join_until = None
            if self._link_heard:
                self._lost(f"no link within {timing.TT_MATCH_JOIN:g} s of the match", now)
            else:
                self._reached("linked", "the modem says nothing about its link; it is taken to be there", now)
        self._time(now)

    def deadline(self) -> float | None:
        """The time at which to call `tick` or `frames_to_send` at the latest; None: nothing is due."""
        dues = [self._key_due, self._poll, self._join_until, *self._dues(), *(at for at, _ in self._out)]
        return min((due for due in dues if due is not None), default=None)

    def frames_to_send(self, now: float) -> list[bytes]:
        """Take the frames that are due at `now`, in order."""
        due = [octets for at, octets in self._out if at <= now]
        self._out = [(at, octets) for at, octets in self._out if at > now]
        return due

    def events(self) -> list[Progress]:
        """Take the steps of matching that happened since the last call."""
        events, self._events = self._events, []
        return events

    # --- what a side adds ---

    @abstractmethod
    def _take(self, source: bytes, message: Message, now: float) -> None:
        """Take a message that is not the modem's about key or link."""

    @abstractmethod
    def _time(self, now: float) -> None:
        """Do what time asks of this side."""

    @abstractmethod
    def _dues(self) -> list[float | None]:
        """When this side must do something at the latest."""

    @abstractmethod
    def _keyed(self, now: float) -> None:
        """The modem has the key."""

    @abstractmethod
    def _lost(self, why: str, now: float) -> None:
        """There is no link, or no longer."""

    @abstractmethod
    def _unkeyed(self, why: str, now: float) -> None:
        """The modem does not take the key."""

    # --- what both do ---

    def _send(self, destination: bytes, message: Message, at: float) -> None:
        self._out.append((at, frame(destination, self.mac, message)))

    def _reached(self, state: State, what: str, now: float, **facts: Any) -> None:
        self.state = state
        self._events.append(Progress(now, state, what, facts))

    def _join(self, network: Network, now: float) -> None:
        """Tell the modem which network to be in."""
        self._network, self._key_tries = network, 0
        self._poll = self._join_until = None
        self._ask_key(now)

    def _ask_key(self, now: float) -> None:
        assert self._network is not None
        if self._key_tries == KEY_TRIES:
            self._key_due = None
            self._unkeyed(
                f"the modem {self.modem.hex(':')} did not confirm CM_SET_KEY.REQ in {KEY_TRIES} attempts; is it on this interface?", now
            )
            return
        self._key_tries += 1
        self._key_due = now + timing.SETTLE_KEY
        self._send(self.modem, SetKeyReq(self._network.nid, self._network.nmk, self._entropy(4)), now)

    def _await_link(self, now: float) -> None:
        self._poll, self._join_until = now + timing.POLL_LINK, now + timing.TT_MATCH_JOIN
        self._link_heard, self._no_links = False, 0

    def _no_more_link(self) -> None:
        self._poll = self._join_until = None

    def _link(self, there: bool, now: float) -> None:
        if self._poll is None:
            return  # nobody asked
        self._link_heard = True
        self._no_links = 0 if there else self._no_links + 1
        if there and self.state == "matched":
            self._join_until = None
            self._reached("linked", "the modems are in one network", now)
        elif self.state == "linked" and self._no_links >= NO_LINKS:
            self._lost("the link was lost", now)
