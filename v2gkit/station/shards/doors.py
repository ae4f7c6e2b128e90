"""The outlets of a station whose sessions run in workers, as the parent knows them: for discovery, and for who watches connections."""

from collections.abc import Callable, Mapping, Sequence

from secc.lobby import Seen, Welcome
from secc.outlet import Outlet
from secc.station import Backend, TurnedAway
from v2g.legible import logger
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import StationFailed
from v2g.session.link import Disconnected, Observe, Observer
from v2g.session.sdp import WirelessRequest
from v2gkit.station.shards import said

log = logger("v2g.service")
STARTS = "its process has not begun yet"


class Door:
    """One outlet, as discovery knows it (`secc.responder.Found`). `backend` is told of cars that are turned away; None: nobody is."""

    def __init__(self, offer: Outlet, iface: str | None, backend: Backend | None):
        self.offer, self.iface, self._backend = offer, iface, backend
        self.port = 0
        self.seen = Seen(STARTS)
        self.leaving = False
        self.came: Callable[[str], None] = lambda source: None

    def welcome(self, source: str) -> Welcome:
        """How welcome a car is at this outlet that asks by SDP from address `source`."""
        return Welcome.NOT if self.leaving or self.seen.linked is False else self.seen.welcome(source)

    def linked(self) -> bool | None:
        """Whether the data link to a car stands at this outlet; None where that cannot be told."""
        return self.seen.linked

    def shut(self) -> str:
        """Why no car is sent here now, as far as that is not for want of a car at its cable; empty where one is."""
        return self.seen.shut()

    def stands(self, request: WirelessRequest) -> bool | None:
        """Whether a car that asks over WLAN stands here: none can be found so at the outlets of workers."""
        return False

    def turned_away(self, news: TurnedAway) -> None:
        """A car was refused before it had an outlet."""
        log.info("%s: a car was turned away: %s: %s", self.offer.evse_id, news.how, news.reason)
        if self._backend is not None:
            self._backend.heard(news)


class Watching:
    """The observers of the connections at all outlets, which see what workers say of them."""

    def __init__(self, observe: Mapping[int, Sequence[Observe]]):
        self._observe = observe  # by place
        self._open: dict[int, tuple[int, list[Observer]]] = {}  # connection -> place, observers
        self._blind: set[int] = set()  # places whose watchers have failed, which was said

    def hear(self, news: said.Opened | said.Happened | said.Octets | said.Secret) -> None:
        """Let the observers of a connection see what happened there."""
        if isinstance(news, said.Opened):
            self._open[news.number] = (news.place, [make(news.local, news.peer, news.number) for make in self._observe.get(news.place, ())])
            return
        place, observers = self._open.get(news.number, (0, []))
        for observer in tuple(observers):
            try:
                match news:
                    case said.Happened(event=event):
                        observer.event(event)
                    case said.Octets(sent=sent, octets=octets, now=now):
                        observer.octets(sent, octets, now)
                    case said.Secret(line=line):
                        observer.secret(line)
            except Exception:
                observers.remove(observer)
                if place not in self._blind:
                    self._blind.add(place)
                    log.exception("a watcher of connections failed; it watches this one no more")
        if isinstance(news, said.Happened) and isinstance(news.event, Disconnected):
            self._open.pop(news.number, None)

    def lost(self, places: Sequence[int], why: str, now: float) -> None:
        """The process of these outlets is no more, and their connections with it."""
        ended = Ended("aborted", StationFailed(why, None))
        for number in [number for number, (place, _) in self._open.items() if place in places]:
            last: Event = Disconnected(now, "us", False, why, ended)
            self.hear(said.Happened(number, last))


class Lines:
    """The lines of the sessions at some outlets. One whose process is lost has a last line, too."""

    def __init__(self, say: Callable[..., None]):
        self._say = say
        self._open: dict[int, dict[str, object]] = {}  # connection -> what is known of its session

    def say(self, event: str, facts: Mapping[str, object]) -> None:
        """Say an event as one line, and remember what is open."""
        number = facts.get("connection")
        if isinstance(number, int):
            if event == "session":
                self._open[number] = {"evse": facts["evse"], "service": None, "control": None}
            elif event == "selected" and number in self._open:
                self._open[number] |= {"service": facts["service"], "control": facts["control"]}
            elif event == "ended":
                self._open.pop(number, None)
        self._say(event, **facts)

    def lost(self, why: str) -> None:
        """Say how the sessions ended whose process is no more."""
        before, self._open = self._open, {}
        for number, facts in before.items():
            why_ = {"reason": why, "requirement": None, "asked": ""}
            self._say("ended", connection=number, ok=False, how="aborted", **why_, **facts)
