"""Cars that renegotiate under power: another schedule, or another service."""

from dataclasses import replace

from evcc.iso20.charge import charge
from evcc.iso20.delivery import RENEGOTIATE, Leave, due
from evcc.iso20.known import Car
from evcc.script import Part, Script
from v2g.messages.common_messages import chargingSessionType as Session


def schedule_renegotiation(after: int) -> Script:
    """A script for one car that charges, and asks once for a new schedule, after so many loops."""
    asked = False

    def leave(car: Car) -> Leave:
        nonlocal asked
        if not asked and car.loops >= after:
            asked = True
            return RENEGOTIATE
        return due(car)

    return lambda car: charge(car, leave)


def service_renegotiation(after: int, services: tuple[str, ...]) -> Script:
    """A script for one car that charges, and changes once to another service, after so many loops, if the station can [V2G20-1477]."""
    asked = False

    def leave(car: Car) -> Leave:
        nonlocal asked
        if asked or car.loops < after:
            return due(car)
        asked = True
        if not car.known.renegotiable:
            car.note("service renegotiation left out", why="the station does not support it")
            return due(car)
        car.wish = replace(car.wish, services=services)
        return Session.ServiceRenegotiation

    def script(car: Car) -> Part[str]:
        return (yield from charge(car, leave))

    return script
