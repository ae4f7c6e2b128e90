"""One listener for several outlets: it gives each connection to the outlet of the car that opened it, or to none.

Which car it is, a station learns in TLS; before that there is the address that it comes from, and what discovery told that address. Each
outlet has its own room for connections and its own TLS, so that what comes to one takes nothing from another.
"""

import socket
from collections.abc import Callable

from secc.bay import Bay
from secc.lobby import Welcome
from secc.station import TurnedAway
from v2g.legible import logger
from v2g.session.pace import Pace
from v2g.session.transport.listener import Listener

log = logger("v2g.secc")

TOLD = (1.0, 8.0)  # refusals per second, at once, of which the backend is told: a flood of them is no news


class Front:
    """The shared port of `bays` (set before it starts). `sent_to` says to which of them discovery sent a car, by its address."""

    def __init__(self, host: str, port: int | None, now: Callable[[], float]):
        self.bays: list[Bay] = []
        self.sent_to: Callable[[str], object] = lambda source: None
        self.listener = Listener(host, port, self._take, self._relieve, "shared")
        self.refused = 0  # connections that were given to no outlet
        self._now, self._pace = now, Pace(*TOLD)

    def chosen(self, source: str) -> Bay | str:
        """The outlet for a connection from the address `source`, or why there is none.

        It is the one that the car itself holds, else the one to which it was sent, else the only one that comes into question: those in
        service and free (or silent), with a data link, or where no such link can be told.
        """
        welcome = {number: bay.welcome(source) for number, bay in enumerate(self.bays)}
        back = [number for number, each in welcome.items() if each is Welcome.BACK]
        if back:
            return self.bays[back[0]]
        sent = self.sent_to(source)
        for bay in self.bays:
            if bay is sent:
                return bay
        links = {number: self.bays[number].linked() for number, each in welcome.items() if each is not Welcome.NOT}
        possible = [number for number, link in links.items() if link] or [number for number, link in links.items() if link is None]
        if len(possible) == 1:
            return self.bays[possible[0]]
        if possible:
            names = ", ".join(self.bays[number].place.outlet.evse_id for number in possible)
            return f"discovery sent nobody from {source} here, and it may be at any of {names}"
        return "no outlet is free and in service, with a car at its cable"

    def close(self) -> None:
        """Listen no more; what the outlets have of connections is theirs."""
        self.listener.close()

    def _take(self, accepted: socket.socket, source: str) -> None:
        try:
            bay = self.chosen(source.partition("%")[0])
        except Exception:
            log.exception("shared listener: internal error")
            bay = "internal error"
        if isinstance(bay, Bay):
            bay.server.take(accepted, source)
            return
        accepted.close()
        self.refused += 1
        if self._pace.allows(self._now()):
            self.bays[0].turned_away(TurnedAway(self._now(), "no outlet", f"the connection was closed: {bay}"))

    def _relieve(self, reason: str) -> None:
        for bay in self.bays:
            bay.server.relieve(reason)
