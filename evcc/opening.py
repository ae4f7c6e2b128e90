"""supportedAppProtocol as a car plays it, which all generations of the standard have in common."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evcc.car import Car
from evcc.conduct import Conduct
from evcc.script import Adopt, Part, Script
from v2g.session.sap import Protocol, offer, selected_protocol


def negotiation(car: Car[Any], protocols: tuple[Protocol, ...]) -> Part[None]:
    """Offer `protocols`, the best first, and set `car.protocol` to the selected one [V2G20-167] [V2G20-169].

    Nothing is done where that is set: `usual` has negotiated. Raises PeerIncompatible where the station selects none.
    """
    if car.protocol is not None:
        return
    request = offer(protocols)
    response = yield request
    car.protocol = selected_protocol(response, request, protocols)


def named(conducts: Sequence[Conduct], name: str) -> Script:
    """The script that negotiates as `usual` does and then plays the session of that name. Raises KeyError for a generation without it."""
    return usual([replace(conduct, script=conduct.scripts[name]) for conduct in conducts])


def usual(conducts: Sequence[Conduct]) -> Script:
    """The script that offers the protocols of all these generations, the first before the others, and plays the usual session of the one
    that the station selects. What a pause left in another generation is forgotten."""

    def script(car: Car[Any]) -> Part[str]:
        offered = [(protocol, conduct) for conduct in conducts for protocol in conduct.protocols(car)]
        yield from negotiation(car, tuple(protocol for protocol, _ in offered))
        chosen = next(conduct for protocol, conduct in offered if protocol == car.protocol)
        yield Adopt(chosen)
        if not isinstance(car.memory, chosen.memory | None):
            car.note("paused session left", why=f"it was of another generation than {chosen.generation.name}")
            car.memory = None
        return (yield from chosen.script(car))

    return script
