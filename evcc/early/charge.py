"""The usual session from its services on: choose and pay, charge, leave."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Final

from evcc import leaving
from evcc.early.delivery import Leave, Receipt, delivery
from evcc.early.known import Car
from evcc.early.mode import Mode
from evcc.early.setup import charging
from evcc.early.words import Words
from evcc.script import Limit, Part, Signed, Step
from v2g.exi.schema import Type
from v2g.services import SERVICES
from v2g.session.errors import PeerIncompatible, PeerUnsafe

ERRORS: Final = {  # what was measured beyond the car's limits -> EVErrorCode
    "voltage": "FAILED_ChargingVoltageOutOfRange",
    "current": "FAILED_ChargingCurrentdifferential",
}
Choosing = Callable[[Car], Part[Mode]]
"""Chooses how to charge and how to pay, gets authorized; returns the way of charging."""


def in_order(car: Car, words: Words, part: Part[str]) -> Part[str]:
    """Run a session after its setup so that it ends in order: when the driver wants to leave, and where the car must not go on."""
    goodbye = lambda code, why: words.goodbye()  # noqa: E731 - there are no words for the reason
    heeded = leaving.heeding(car, part, lambda step: _towards_power(step, words), goodbye, "Terminate")
    return (yield from leaving.orderly(car, heeded, lambda fault: _off(car, words, fault), goodbye))


def _off(car: Car, words: Words, fault: PeerUnsafe) -> Type:
    """The PowerDeliveryReq by which a car leaves power for a fault; in DC it says by EVErrorCode what was beyond the car's limits."""
    code = ERRORS.get(fault.measured, "NO_ERROR")  # what the station says of itself is no error of the car
    return words.power_off(car, words.dc_state(car, False, code) if car.known.service.row.dc else None)


def telling(car: Car, words: Words, choosing: Choosing) -> Part[str]:
    """A session that tells the state of charge and ends before the cable is checked. A DC car says it in ChargeParameterDiscoveryReq.

    Raises PeerIncompatible where the station has AC alone, of which no message says it.
    """
    by_dc = charging(tuple(SERVICES), ("dc",))
    car.wish = replace(car.wish, services=(*by_dc, *car.wish.services))  # an outlet of AC that wants to know offers DC as well
    mode = yield from choosing(car)
    if not car.known.service.row.dc:
        raise PeerIncompatible("no message of AC says a state of charge, and the station has no mode of DC for this car", None)
    yield from mode.discovery()
    car.note("state of charge told", soc=round(car.ev.soc))
    yield words.goodbye()
    return "Terminate"


def visit(
    car: Car, words: Words, choosing: Choosing, leave: Callable[[Car], Leave], receipt: Receipt | None = None, ready: Limit | None = None
) -> Part[str]:
    """The session from its services to its end; returns what SessionStopReq asked for. `ready` bounds the time until there may be power."""
    with nullcontext() if ready is None else car.within(ready):
        mode = yield from choosing(car)
        yield from mode.discovery()
        yield from mode.preparation()
    how = yield from delivery(car, mode, leave, receipt)
    yield from mode.conclusion()
    yield words.goodbye(how)
    return how


def _towards_power(step: Step, words: Words) -> bool:
    """Whether a step is one that a car no longer takes once its driver wants to leave."""
    request = step.request if isinstance(step, Signed) else step
    if not isinstance(request, words.towards_power):
        return False
    return not isinstance(request, words.body.PowerDeliveryReq) or words.begins(request)
