"""Matching on the power line (SLAC) for one outlet of a station: one modem, for as long as the station runs."""

import secrets
from collections.abc import Callable

from v2g.legible import logger
from v2g.session.endpoint import Ended
from v2g.session.link import Unreachable
from v2g.slac.side import Progress
from v2g.slac.station import EvseMatching
from v2g.slac.wire import Wire

log = logger("v2g.slac")


class Matching:
    """The data link of one outlet (`secc.evse.DataLink`). `say` takes the name of an event and its facts."""

    def __init__(self, interface: str, evse_id: str, say: Callable[..., None]):
        self._interface, self._evse, self._say = interface, evse_id, say
        self._wire = Wire(interface)  # what keeps it from being opened is said before the station listens
        self._wire.close()
        self._side: EvseMatching | None = None

    def linked(self) -> bool | None:
        """Whether a car has matched and its modem is in the network."""
        return self._side is not None and self._side.state == "linked"

    def session_over(self, ended: Ended) -> None:
        """Change the key of the network after a session, so that its car is out of it [V2G3-M09-17]; not after a pause."""
        if self._side is not None and ended.how != "Pause":
            self._side.unplugged(self._wire.now())
            self._wire.stir()

    async def run(self) -> None:
        """Match every car that comes. Never returns: to be run as a task."""
        async with Wire(self._interface) as self._wire:
            wire = self._wire
            self._side = EvseMatching(wire.mac, wire.now(), entropy=secrets.token_bytes)
            await wire.run(self._side, self._progress)
        raise Unreachable("matching ended")

    def _progress(self, step: Progress) -> None:
        log.info("%s: %s: %s", self._evse, step.state, step.what)
        self._say("slac", evse=self._evse, state=step.state, what=step.what, **step.facts)
