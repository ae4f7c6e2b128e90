"""What discovery answers on one interface, for all outlets there: by cable, and over WLAN to a car that a device or a coil serves."""

from collections.abc import Callable, Sequence
from typing import Protocol

from secc.conduct import Conduct
from secc.lobby import Door, Lobby, Welcome
from secc.outlet import Outlet
from secc.station import TurnedAway
from v2g.session.sdp import Diagnosis, Response, Security, WirelessRequest, WirelessResponse
from v2g.session.transport.addresses import link_local

NO_PORT = 0  # of an answer that leads nowhere yet


class Found(Door, Protocol):
    """An outlet that cars find by discovery, wherever its sessions run."""

    came: Callable[[str], None]  # called with the address of whoever connects there

    @property
    def offer(self) -> Outlet:
        """The offer of the outlet, by which a car is told how to come."""

    @property
    def port(self) -> int:
        """The port at which cars reach it."""

    @property
    def leaving(self) -> bool:
        """Whether it takes no more cars because the station is stopped."""

    def shut(self) -> str:
        """Why no car is sent there now, as far as that is not for want of a car at its cable; empty where one is."""

    def stands(self, request: WirelessRequest) -> bool | None:
        """Whether the car that asks over WLAN stands there; None where that cannot be told."""

    def turned_away(self, said: TurnedAway) -> None:
        """Called with a car that was refused before it had the outlet."""


class Responder:
    """Answers the cars on one interface for all its outlets: two that answer send every car to whichever is faster.

    Outlets that a car can find over WLAN say so by their services (`Outlet.couplings`); without one of them such requests are none.
    """

    def __init__(self, iface: str, bays: Sequence[Found], security: Security, conducts: Sequence[Conduct], now: Callable[[], float]):
        self.iface, self._bays, self._security, self._now = iface, tuple(bays), security, now
        self.lobby = Lobby(self._bays, max(each.generation.station_setup for each in conducts))
        for bay in self._bays:
            bay.came = self.lobby.came

    def sent_to(self, source: str) -> Found | None:
        """The outlet to which the car at the address `source` was sent a short while ago; None: it was sent to none."""
        place = self.lobby.sent(source, self._now())
        return None if place is None else self._bays[place]

    def wired(self, source: str) -> Response | None:
        """Where the car at the address `source` is to connect; None: no outlet takes it now, which the backend is told."""
        chosen = self.lobby.chosen(source, self._now())
        if chosen is None:
            late = self.lobby.late(source, self._now())
            self._undiscovered("it was sent to an outlet, did not connect in time, and has had no new data link since" if late else "")
            return None
        return Response(link_local(self.iface), self._bays[chosen].port, self._security_at(self._bays[chosen]))

    def _security_at(self, bay: Found) -> Security:
        """What the cars of an outlet are told: no TLS where all that is spoken there has none, whatever the station could do."""
        return self._security if bay.offer.secured else Security.NONE

    @property
    def plain(self) -> bool:
        """Whether every outlet here takes a car without TLS: which of them it will be is not known when it asks."""
        return all(bay.offer.plain for bay in self._bays)

    @property
    def wireless(self) -> Callable[[str, WirelessRequest], WirelessResponse | None] | None:
        """Answers over WLAN, where an outlet can be found so; else None."""
        return self._wireless if any(bay.offer.couplings for bay in self._bays) else None

    def _wireless(self, source: str, request: WirelessRequest) -> WirelessResponse | None:
        """Where the car stands that asks over WLAN, and where it is to connect once that is known.

        A device must not come down where another vehicle stands: as long as several outlets come into question the car hears that the
        station is still finding out, with no port. A car whose coupling or EVSE is none of ours is not answered: it may be a neighbour's.
        """
        fitting = {number: bay for number, bay in enumerate(self._bays) if request.coupling in bay.offer.couplings}
        stands = {number: stands for number, bay in fitting.items() if (stands := bay.stands(request)) is not False}
        if not stands:
            return None
        sure = [number for number in stands if self._bays[number].welcome(source) is Welcome.BACK]
        sure = sure or [number for number, seen in stands.items() if seen] or list(stands)
        here = link_local(self.iface)
        if len(sure) > 1:
            return WirelessResponse(here, NO_PORT, self._security, diagnosis=Diagnosis.ONGOING, coupling=request.coupling)
        chosen = self.lobby.chosen(source, self._now(), sure)
        if chosen is None:
            self._undiscovered()
            return None
        bay = self._bays[chosen]
        return WirelessResponse(here, bay.port, self._security_at(bay), coupling=request.coupling, evse_id=bay.offer.evse_id)

    def refused(self, why: str) -> None:
        """Tell the backend of a car whose request can have no answer."""
        self._bays[0].turned_away(TurnedAway(self._now(), "not discovered", why))

    def _undiscovered(self, why: str = "") -> None:
        """Tell of a car that was not answered because no outlet is free for it; told to the first that is shut, for all of them."""
        if why:
            self.refused(why)
            return
        shut = [(bay, reason) for bay in self._bays if (reason := bay.shut())]
        if shut and not any(bay.leaving for bay in self._bays):
            outlets = "; ".join(f"{bay.offer.evse_id}: {reason}" for bay, reason in shut)
            shut[0][0].turned_away(TurnedAway(self._now(), "not discovered", f"no outlet on {self.iface} takes a car: {outlets}"))
