"""A session without power: the station learns the state of charge, and the car leaves. A DC car says it in ChargeParameterDiscoveryReq."""

from dataclasses import replace

from evcc import leaving
from evcc.iso2.charge import goodbye, shut_off, towards_power
from evcc.iso2.dc import Dc
from evcc.iso2.known import Car
from evcc.iso2.selection import selection
from evcc.iso2.setup import charging, opening
from evcc.script import Part
from v2g.messages.iso2.msg_body import SessionStopReq
from v2g.messages.iso2.msg_data_types import chargingSessionType as Session
from v2g.services import SERVICES
from v2g.session.errors import PeerIncompatible


def read_soc(car: Car) -> Part[str]:
    """A session that ends after ChargeParameterDiscovery, before the cable is checked; returns "Terminate"."""
    by_dc = charging(tuple(name for name, row in SERVICES.items() if row.dc))
    car.wish = replace(car.wish, services=(*by_dc, *car.wish.services))  # an outlet of AC that wants to know offers DC as well
    yield from opening(car)
    part = leaving.heeding(car, telling(car), towards_power, goodbye, Session.Terminate.value)
    return (yield from leaving.orderly(car, part, shut_off(car), goodbye))


def telling(car: Car) -> Part[str]:
    """Say the state of charge, and end the session. Raises PeerIncompatible where the station has AC alone: no message of AC says it."""
    yield from selection(car)
    if not car.known.service.row.dc:
        raise PeerIncompatible(
            "no message of AC says a state of charge in ISO 15118-2, and the station has no mode of DC for this car", None
        )
    yield from Dc(car).discovery()
    car.note("state of charge told", soc=round(car.ev.soc))
    yield SessionStopReq(ChargingSession=Session.Terminate)
    return Session.Terminate.value
