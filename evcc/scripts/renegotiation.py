"""Cars that change their mind under power: another schedule, another service."""

from dataclasses import replace

from evcc.car import Car
from evcc.script import Part, Script
from evcc.scripts.charge import charge
from evcc.scripts.delivery import RENEGOTIATE, Leave, due
from v2g.messages.common_messages import chargingSessionType as Session


def schedule_renegotiation(after: int) -> Script:
    """Charge, and ask for a new schedule after so many loops."""
    asked = False

    def leave(car: Car) -> Leave:
        nonlocal asked
        if not asked and car.loops >= after:
            asked = True
            return RENEGOTIATE
        return due(car)

    return lambda car: charge(car, leave)


def service_renegotiation(after: int, services: tuple[str, ...]) -> Script:
    """Charge, and go on with another service after so many loops, if the station has announced that it can [V2G20-1477]."""
    asked = False

    def leave(car: Car) -> Leave:
        nonlocal asked
        if asked or car.loops < after:
            return due(car)
        asked = True
        if not car.renegotiable:
            car.note("service renegotiation left out", why="the station does not support it")
            return due(car)
        car.wish = replace(car.wish, services=services)
        return Session.ServiceRenegotiation

    def script(car: Car) -> Part[str]:
        return (yield from charge(car, leave))

    return script
