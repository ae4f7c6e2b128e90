"""The usual session: negotiate, authorize, choose a service, charge (or discharge), leave; with pause, resume and renegotiation."""

from collections.abc import Callable

from evcc import leaving
from evcc.iso20.ac import Ac
from evcc.iso20.acdp import docking, undocking
from evcc.iso20.authorization import authorization
from evcc.iso20.dc import Dc
from evcc.iso20.delivery import Leave, delivery, due
from evcc.iso20.der import AcDerIec, AcDerSae, Declined
from evcc.iso20.known import Car, memory_of
from evcc.iso20.mode import Mode
from evcc.iso20.parking import check_in, check_out
from evcc.iso20.requests import ask
from evcc.iso20.schedule import schedule
from evcc.iso20.selection import selection
from evcc.iso20.setup import opening
from evcc.iso20.wpt import Wpt, placing
from evcc.script import Part, Step
from v2g.exi.schema import Type
from v2g.messages import ac, acdp, dc, wpt
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
from v2g.session.errors import PeerUnsafe

TOWARDS_POWER = (  # what a car no longer asks for once its driver wants to leave
    AuthorizationSetupReq, AuthorizationReq, CertificateInstallationReq, ServiceDiscoveryReq, ServiceDetailReq, ServiceSelectionReq,
    ac.AC_ChargeParameterDiscoveryReq, dc.DC_ChargeParameterDiscoveryReq, ScheduleExchangeReq, dc.DC_CableCheckReq, dc.DC_PreChargeReq,
    PowerDeliveryReq, acdp.ACDP_VehiclePositioningReq, acdp.ACDP_ConnectReq, wpt.WPT_FinePositioningSetupReq, wpt.WPT_FinePositioningReq,
    wpt.WPT_PairingReq, wpt.WPT_ChargeParameterDiscoveryReq, wpt.WPT_AlignmentCheckReq,
)  # fmt: skip


def charge(car: Car, leave: Callable[[Car], Leave] = due) -> Part[str]:
    """A whole session; returns how it ended. With `car.memory` it resumes the paused session, or begins anew if the station forgot it."""
    if (yield from opening(car)):
        return (yield from orderly(car, visit(car, leave, selected=True)))
    return (yield from orderly(car, first(car, leave)))


def first(car: Car, leave: Callable[[Car], Leave]) -> Part[str]:
    """The session from authorization to its end; returns what SessionStopReq asked for ("Terminate" or "Pause")."""
    yield from authorization(car)
    return (yield from visit(car, leave))


def visit(car: Car, leave: Callable[[Car], Leave], selected: bool = False) -> Part[str]:
    """One service after the other until the car pauses or leaves; service renegotiation leads back to discovery [V2G20-1477].

    With `selected` the first one is that of a session that was resumed.
    """
    resumed = selected
    while True:
        if not selected:
            yield from selection(car)
        try:
            how = yield from energy(car, leave, resumed)
        except Declined:
            car.known.declined += (car.known.service.service,)
            car.known.selected, selected = None, False
            continue
        finally:
            resumed = False
        if how is Session.Terminate:
            yield from check_out(car)
        yield ask(SessionStopReq, ChargingSession=how)
        if how is Session.Pause:
            car.memory = memory_of(car)
        if how is not Session.ServiceRenegotiation:
            return str(how.value)
        selected = False


def mode_of(car: Car) -> Mode:
    """The `Mode` (AC, DC or WPT) of the selected service."""
    row, ways = car.known.service.row, dict[str, type[Ac]](iec=AcDerIec, sae=AcDerSae)
    if row.wireless:
        return Wpt(car)
    return Dc(car) if row.dc else ways.get(row.der, Ac)(car)


def energy(car: Car, leave: Callable[[Car], Leave], resumed: bool = False) -> Part[Session]:
    """One energy service, from its parameters to the end of power; returns how the session goes on.

    A session that was `resumed` goes on with the parameters: the car has not moved [V2G20-5046].
    """
    mode, row = mode_of(car), car.known.service.row
    docked = row.docked
    yield from check_in(car)
    if docked:
        yield from docking(car)
    if row.wireless and not resumed:
        yield from placing(car)
    yield from mode.discovery()
    yield from schedule(car)
    yield from mode.preparation()
    how = yield from delivery(car, mode, leave)
    yield from mode.conclusion()
    if docked:
        yield from undocking(car)
    return how


def orderly(car: Car, part: Part[str]) -> Part[str]:
    """Run a part of a script, and leave in order where the driver wants to, or where it must not go on."""
    return (yield from leaving.orderly(car, heeding(car, part), off, goodbye))


def heeding(car: Car, part: Part[str]) -> Part[str]:
    """Run a part of a script, and end it by SessionStopReq once the driver wants to leave; the charge loop ends by itself."""
    return (yield from leaving.heeding(car, part, towards_power, goodbye, Session.Terminate.value))


def towards_power(step: Step) -> bool:
    """Whether a step is one that a car no longer takes once its driver wants to leave."""
    return isinstance(step, TOWARDS_POWER) and not (isinstance(step, PowerDeliveryReq) and not starts(step))


def off(fault: PeerUnsafe) -> Type:
    """The PowerDeliveryReq that ends power."""
    return ask(PowerDeliveryReq, EVProcessing=processingType.Finished, ChargeProgress=chargeProgressType.Stop)


def starts(request: PowerDeliveryReq) -> bool:
    """Whether a PowerDeliveryReq begins power."""
    return request.ChargeProgress is chargeProgressType.Start


def goodbye(code: str, why: str) -> Type:
    """A SessionStopReq (Terminate) with a termination code and its explanation."""
    stop = {"EVTerminationCode": code, "EVTerminationExplanation": why[:160]}
    return ask(SessionStopReq, ChargingSession=Session.Terminate, **stop)
