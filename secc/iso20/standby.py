"""Standby: the car stays in the charge loop and takes nothing, until PowerDelivery(Start) brings power back or (Stop) ends it.

What the contactor does meanwhile is the outlet's to say (`Outlet.standby`). Where it has opened, a DC car comes back to power by the cable
check and the pre-charge, an AC car by its pilot.
"""

from enum import Enum

from secc.iso20.notices import header, status
from secc.iso20.objections import warning
from secc.neutral.bounds import Bounds
from secc.neutral.contactor import wait_for_contactor
from secc.neutral.context import Context, Pending, Reply
from secc.neutral.facts import with_wish
from secc.neutral.output import output
from secc.station import ExitStandbyAsked, Objection, PowerStopped, SetOutput, SetPower, StoodBy
from v2g.iso20.sequence import State
from v2g.messages.common_messages import PowerDeliveryRes
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Event

STANDING: dict[Enum, State] = {
    State.AC_START: State.AC_STANDBY,
    State.AC_LOOP: State.AC_STANDBY,
    State.AC_STANDBY: State.AC_STANDBY,
    State.WPT_START: State.WPT_STANDBY,
    State.WPT_RESTART: State.WPT_STANDBY,
    State.WPT_LOOP: State.WPT_STANDBY,
    State.WPT_STANDBY: State.WPT_STANDBY,
    State.DC_CABLE_CHECK: State.DC_STANDBY,
    State.DC_START: State.DC_STANDBY,
    State.DC_RESTART: State.DC_STANDBY,
    State.DC_LOOP: State.DC_STANDBY,
    State.DC_STANDBY: State.DC_STANDBY,
}
NOTHING = Bounds(0.0, 0.0)


def stand_by(known: Context) -> Reply | Pending:
    """Power off at once, and the contactor as the outlet has it; before power has begun it opens in any case."""
    why = "this outlet has no standby" if known.outlet.standby == "none" else known.stopping and f"the session is to end: {known.stopping}"
    why = why or ("" if known.state in STANDING else "the alignment of the coils is not checked yet")
    begun = known.delivering and known.station.contactor_wanted is False  # a stop that comes meanwhile takes that back no more
    if why and not begun:
        objection = Objection(Reason.NO_STANDBY, why, None)
        return Reply(_delivered(known, warning(objection)), known.state, known, objection=objection)
    if known.standing:
        return Reply(_delivered(known), known.state, known)
    quiet: tuple[Event, ...] = ()
    if known.agreement.selected.dc:
        voltage = known.station.output.voltage or known.service.target_voltage  # the battery's, on which the contactor stays
        still = output(voltage, 0.0, NOTHING, known)[0] if _keeps(known) else SetOutput(known.now, 0.0, 0.0)
        known, quiet = known.with_service(output_wanted=still, target_voltage=still.voltage), (still,)
    else:
        known, quiet = known.with_service(setpoint_wanted=0.0), (SetPower(known.now, 0.0),)
    if not _keeps(known) and known.energised and known.station.contactor is not False:
        opening = wait_for_contactor(known, False)
        return Pending(opening.known, opening.until, (*quiet, *opening.wants) if opening.wants else ())
    stopped = (PowerStopped(known.now),) if known.delivering else ()
    if not _keeps(known):  # what is opened is tested anew before it is live again
        known, quiet = known.with_service(isolation=None, isolation_asked=None), () if known.station.contactor_wanted is False else quiet
    rests = known.with_service(delivering=False, violating=())
    return Reply(_delivered(rests), STANDING[known.state], rests, (*quiet, *stopped, StoodBy(known.now)))


def _keeps(known: Context) -> bool:
    """Whether the contactor stays closed: it was closed for power, and the outlet keeps it so."""
    return known.outlet.standby == "closed" and known.delivering


def _delivered(known: Context, code: Code = Code.OK) -> PowerDeliveryRes:
    return PowerDeliveryRes(Header=header(known), ResponseCode=code, EVSEStatus=status(known))


def with_limit(known: Context) -> Context:
    """Once the car has stood by for as long as the outlet lets it, it is asked to come back to power, or to leave."""
    if not known.standing or known.step.polled is None or known.now - known.step.polled < known.outlet.standby_limit:
        return known
    return with_wish(ExitStandbyAsked(), known)
