"""The usual session: negotiate, choose and pay, charge, leave; with pause, resume and renegotiation."""

from collections.abc import Callable

from evcc import leaving
from evcc.iso2.ac import Ac
from evcc.iso2.dc import Dc, state_of
from evcc.iso2.delivery import Leave, delivery, due
from evcc.iso2.known import Car, Memory
from evcc.iso2.mode import Mode
from evcc.iso2.selection import selection
from evcc.iso2.setup import opening
from evcc.script import Part, Signed, Step
from v2g.exi.schema import Type
from v2g.messages.iso2 import msg_body
from v2g.messages.iso2.msg_body import PowerDeliveryReq, SessionStopReq
from v2g.messages.iso2.msg_data_types import DC_EVErrorCodeType, chargeProgressType
from v2g.messages.iso2.msg_data_types import chargingSessionType as Session
from v2g.session.errors import PeerUnsafe

TOWARDS_POWER = (  # what a car no longer asks for once its driver wants to leave
    msg_body.ServiceDiscoveryReq, msg_body.ServiceDetailReq, msg_body.PaymentServiceSelectionReq, msg_body.PaymentDetailsReq,
    msg_body.CertificateInstallationReq, msg_body.CertificateUpdateReq, msg_body.AuthorizationReq, msg_body.ChargeParameterDiscoveryReq,
    msg_body.CableCheckReq, msg_body.PreChargeReq, PowerDeliveryReq,
)  # fmt: skip


ERRORS = {  # what was measured beyond the car's limits -> EVErrorCode
    "voltage": DC_EVErrorCodeType.FAILED_ChargingVoltageOutOfRange,
    "current": DC_EVErrorCodeType.FAILED_ChargingCurrentdifferential,
}


def charge(car: Car, leave: Callable[[Car], Leave] = due) -> Part[str]:
    """A whole session; returns how it ended ("Terminate" or "Pause"). With `car.memory` it goes on with the paused session's id."""
    yield from opening(car)
    part = leaving.heeding(car, visit(car, leave), towards_power, goodbye, Session.Terminate.value)
    return (yield from leaving.orderly(car, part, shut_off(car), goodbye))


def shut_off(car: Car) -> Callable[[PeerUnsafe], Type]:
    """Makes the PowerDeliveryReq by which a car leaves power for a fault; in DC it says by EVErrorCode what was beyond the car's limits."""

    def off(fault: PeerUnsafe) -> Type:
        code = ERRORS.get(fault.measured, DC_EVErrorCodeType.NO_ERROR)  # what the station says of itself is no error of the car
        state = state_of(car, False, code) if car.known.service.row.dc else None
        progress = chargeProgressType.Stop
        return PowerDeliveryReq(ChargeProgress=progress, SAScheduleTupleID=car.known.tuple_id, EVPowerDeliveryParameter=state)

    return off


def visit(car: Car, leave: Callable[[Car], Leave]) -> Part[str]:
    """The session from its services to its end; returns what SessionStopReq asked for."""
    yield from selection(car)
    mode: Mode = Dc(car) if car.known.service.row.dc else Ac(car)
    yield from mode.discovery()
    yield from mode.preparation()
    how = yield from delivery(car, mode, leave)
    yield from mode.conclusion()
    yield SessionStopReq(ChargingSession=how)
    if how is Session.Pause:
        car.memory = Memory(car.session_id)
    return str(how.value)


def towards_power(step: Step) -> bool:
    """Whether a step is one that a car no longer takes once its driver wants to leave."""
    request = step.request if isinstance(step, Signed) else step
    return isinstance(request, TOWARDS_POWER) and not (
        isinstance(request, PowerDeliveryReq) and request.ChargeProgress is not chargeProgressType.Start
    )


def goodbye(code: str, why: str) -> Type:
    """A SessionStopReq (Terminate): -2 has no words for the reason."""
    return SessionStopReq(ChargingSession=Session.Terminate)
