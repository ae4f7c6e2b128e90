"""What a server is told of each of its events: received, started, completed, cancelled, superseded; each step once. Pure."""

from collections.abc import Iterable, Iterator

from v2gkit.grid.sep2 import words
from v2gkit.grid.sep2.asking import Asking, Script
from v2gkit.grid.sep2.events import CANCELLED, RANDOMLY_CANCELLED, SUPERSEDED, Control, goes_before, live, spans_of

RECEIVED, STARTED, COMPLETED, WAS_CANCELLED, WAS_SUPERSEDED = 1, 2, 3, 6, 7  # Response.status


class Answers:
    """The responses of one device to events of one kind: DERControlResponse or PriceResponse."""

    def __init__(self, asking: Asking, kind: str, lfdi: str) -> None:
        self._asking, self._kind, self._lfdi = asking, kind, lfdi
        self._said: dict[str, int] = {}  # event -> the last status that was told
        self._known: tuple[Control, ...] = ()  # as they were listed last

    def responding(self, events: Iterable[Control], offset: float, now: float) -> Script[tuple[str, ...]]:
        """Tell what is new of each event that wants it; the mRIDs of those that were received. `offset`: server's time less ours, s."""
        given = list(events)
        listed = {event.mrid for event in given}
        alive = live(given)
        given += [each for each in self._known if each.mrid not in listed and now >= each.end]  # they ended, and are gone
        received: list[str] = []
        for event in given:
            for status in self._statuses(event, alive, now):
                if event.reply_to is not None and event.required & (1 if status == RECEIVED else 2):
                    parts: list[words.Part] = [
                        ("createdDateTime", int(now + offset)), ("endDeviceLFDI", self._lfdi), ("status", status), ("subject", event.mrid),
                    ]  # fmt: skip
                    yield from self._asking.send("POST", event.reply_to, self._kind, parts)
                    received += [event.mrid] if status == RECEIVED else []
                self._said[event.mrid] = status
        self._known = tuple(event for event in given if event.mrid in listed and event.start is not None)
        self._said = {mrid: status for mrid, status in self._said.items() if mrid in listed}
        return tuple(received)

    def _statuses(self, event: Control, events: Iterable[Control], now: float) -> Iterator[int]:
        """What has to be said of an event that was not said before, in its order."""
        if event.start is None:
            return
        said = self._said.get(event.mrid, 0)
        if not said:
            yield RECEIVED
        if said in (COMPLETED, WAS_CANCELLED, WAS_SUPERSEDED):
            return
        taken = {
            mode for other in events
            if goes_before(other, event) and other.start is not None and other.start <= now < other.end
            and other.start < event.end and other.end > event.start
            for mode in other.modes
        }  # fmt: skip
        beaten = event.status == SUPERSEDED or (event.modes and set(event.modes) <= taken)  # what goes on in one mode is not over
        if event.status in (CANCELLED, RANDOMLY_CANCELLED):
            yield WAS_CANCELLED
        elif beaten or (event.modes and all(spans_of(event, mode, events) is None for mode in event.modes)):
            yield WAS_SUPERSEDED
        elif now >= event.end:
            yield COMPLETED
        elif now >= event.start and said != STARTED:
            yield STARTED
