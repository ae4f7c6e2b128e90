"""Changes that a server tells by itself: where it may tell them, and what is made of it. Scripts, as in OpenADR 3.

What is told is no news but a reason to ask: a round follows, so that whoever knows our address can cost us a round and nothing else.
"""

from typing import Final

from v2gkit.grid.faults import GridFault
from v2gkit.grid.sep2 import words
from v2gkit.grid.sep2.asking import Asking, Script

LIMIT: Final = 1  # elements of a list that are told with a change: they are asked for anyway
STALE: Final = 64  # subscriptions of an earlier run that are taken back at once


class Subscriptions:
    """The subscriptions of one device at one server; `url` is where it is told, with a part that nobody guesses behind its last slash."""

    def __init__(self, asking: Asking, url: str) -> None:
        self._asking, self._url = asking, url
        self._there: set[str] = set()  # resources

    def opening(self, where: str) -> Script[None]:
        """See what there is of ours, and take back what an earlier run left. Raises GridFault."""
        self._there = set()
        stale: list[str] = []
        for each in (yield from self._asking.all(where, "Subscription")):
            url = words.text(each, "notificationURI") or ""
            if url == self._url:
                self._there.add(words.text(each, "subscribedResource") or "")
            elif url.rpartition("/")[0] == self._url.rpartition("/")[0] and each.get("href"):
                stale.append(each.get("href", ""))
        for href in stale[:STALE]:
            yield from self._asking.delete(href)

    def subscribing(self, where: str) -> Script[None]:
        """Subscribe to all that is subscribable and was read. Raises GridFault."""
        for resource in [each for each in self._asking.subscribable if each not in self._there]:
            parts: list[words.Part] = [
                ("subscribedResource", resource), ("encoding", 0), ("level", "+S1"), ("limit", LIMIT), ("notificationURI", self._url),
            ]  # fmt: skip
            yield from self._asking.send("POST", where, "Subscription", parts)
            self._there.add(resource)

    def notified(self, body: bytes) -> None:
        """Hear that a resource has changed. Raises GridFault for what is no such word, or of a resource that was not subscribed to."""
        notification = words.read(body, "Notification")
        resource = words.text(notification, "subscribedResource") or ""
        if resource not in self._there:
            raise words.malformed(f"a notification of {resource!r}, which was not subscribed to")
        if words.number(notification, "status", otherwise=0):  # it ends: the next round begins another one
            self._there.discard(resource)


def fault_status(fault: GridFault) -> int:
    """The HTTP status for a notification that is not taken."""
    return 413 if fault.trouble.value == "huge" else 400
