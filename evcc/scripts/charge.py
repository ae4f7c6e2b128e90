"""The usual visit: connect, authorize, choose a service, charge (or discharge), leave. Pause, resume and renegotiation included."""

from collections.abc import Callable

from evcc.ac import Ac
from evcc.car import Car
from evcc.dc import Dc
from evcc.mode import Mode
from evcc.script import Part, Step, ask
from evcc.scripts.authorization import authorization
from evcc.scripts.delivery import Leave, delivery, due
from evcc.scripts.opening import opening
from evcc.scripts.schedule import schedule
from evcc.scripts.selection import selection
from v2g.exi.schema import Type
from v2g.messages import ac, dc
from v2g.messages.common_messages import (
    AuthorizationReq,
    AuthorizationSetupReq,
    CertificateInstallationReq,
    PowerDeliveryReq,
    ScheduleExchangeReq,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    ServiceSelectionReq,
    SessionStopReq,
    chargeProgressType,
)
from v2g.messages.common_messages import chargingSessionType as Session
from v2g.messages.common_types import processingType
from v2g.session.errors import PeerIncompatible, PeerUnsafe, SessionError

TOWARDS_POWER = (  # what a car no longer asks for once its driver wants to leave
    AuthorizationSetupReq, AuthorizationReq, CertificateInstallationReq, ServiceDiscoveryReq, ServiceDetailReq, ServiceSelectionReq,
    ac.AC_ChargeParameterDiscoveryReq, dc.DC_ChargeParameterDiscoveryReq, ScheduleExchangeReq, dc.DC_CableCheckReq, dc.DC_PreChargeReq,
    PowerDeliveryReq,
)  # fmt: skip


def charge(car: Car, leave: Callable[[Car], Leave] = due) -> Part[str]:
    """A whole session. With `car.memory` it joins the paused session if the station still knows it, and starts anew if not."""
    if (yield from opening(car)):
        return (yield from orderly(car, visit(car, leave, selected=True)))
    return (yield from orderly(car, first(car, leave)))


def first(car: Car, leave: Callable[[Car], Leave]) -> Part[str]:
    """From authorization on."""
    yield from authorization(car)
    return (yield from visit(car, leave))


def visit(car: Car, leave: Callable[[Car], Leave], selected: bool = False) -> Part[str]:
    """Services one after the other until the car pauses or leaves; service renegotiation comes back to the discovery [V2G20-1477]."""
    while True:
        if not selected:
            yield from selection(car)
        how = yield from energy(car, leave)
        yield ask(SessionStopReq, ChargingSession=how)
        if how is Session.Pause:
            car.memory = car.remember()
        if how is not Session.ServiceRenegotiation:
            return str(how.value)
        selected = False


def mode_of(car: Car) -> Mode:
    """The energy side of the selected service."""
    return Dc(car) if car.service.dc else Ac(car)


def energy(car: Car, leave: Callable[[Car], Leave]) -> Part[Session]:
    """One service from its parameters to the end of power."""
    mode = mode_of(car)
    yield from mode.discovery()
    yield from schedule(car)
    yield from mode.preparation()
    how = yield from delivery(car, mode, leave)
    yield from mode.conclusion()
    return how


def orderly(car: Car, part: Part[str]) -> Part[str]:
    """Where both sides cannot come together the car says goodbye, and why, before it goes. Where a station does harm it opens first."""
    try:
        return (yield from heeding(car, part))
    except PeerIncompatible as error:
        car.note("incompatible", why=str(error))
        car.open()
        yield goodbye("incompatible", str(error))
        raise
    except PeerUnsafe as fault:
        car.note("unsafe", why=str(fault), requirement=fault.requirement)
        car.make_safe()
        try:
            if car.delivering:
                yield ask(PowerDeliveryReq, EVProcessing=processingType.Finished, ChargeProgress=chargeProgressType.Stop)
                car.delivering = False
            yield goodbye("unsafe", str(fault))
        except SessionError as error:  # why the car leaves is the first fault, not that the station does not take it well
            car.note("no orderly end", why=str(error))
        raise


def heeding(car: Car, part: Part[str]) -> Part[str]:
    """The same steps, until the driver wants to leave: then SessionStop is the next. The charge loop sees to its own end."""
    move: Callable[[], Step] = lambda: next(part)  # noqa: E731
    while True:
        try:
            step = move()
        except StopIteration as end:
            return str(end.value)
        if car.stop_asked and isinstance(step, TOWARDS_POWER) and not (isinstance(step, PowerDeliveryReq) and not starts(step)):
            part.close()
            car.note("leaving", why=car.stop_asked)
            yield goodbye("stopped", car.stop_asked)  # the station makes its outlet safe before it answers
            return Session.Terminate.value
        move = yield from answered(part, step)


def answered(part: Part[str], step: Step) -> Part[Callable[[], Step]]:
    """Do a step for a script; how it goes on."""
    try:
        answer = yield step
    except SessionError as error:
        fault = error
        return lambda: part.throw(fault)
    return lambda: part.send(answer)


def starts(request: PowerDeliveryReq) -> bool:
    """Whether power is to begin."""
    return request.ChargeProgress is chargeProgressType.Start


def goodbye(code: str, why: str) -> Type:
    """SessionStop that says why."""
    stop = {"EVTerminationCode": code, "EVTerminationExplanation": why[:160]}
    return ask(SessionStopReq, ChargingSession=Session.Terminate, **stop)
