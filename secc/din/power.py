"""PowerDelivery and CurrentDemand: the contactor moves, power begins, flows and ends."""

from itertools import pairwise

from secc.din.notices import dc_status
from secc.din.parameters import DAY, SCHEDULE
from secc.din.words import WORDS
from secc.enveloped.demand import demanded
from secc.intent import Wish
from secc.neutral.contactor import CONTACTOR_LIMIT, wait_for_contactor
from secc.neutral.context import Context, Pending, Reply
from secc.neutral.readiness import unready
from secc.station import PowerStarted, PowerStopped, ScheduleChosen, SetOutput
from v2g.din.sequence import State
from v2g.energy.series import Series, Step
from v2g.messages.din.msg_body import CurrentDemandReq, CurrentDemandRes, PowerDeliveryReq, PowerDeliveryRes
from v2g.messages.din.msg_data_types import ChargingProfileType
from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused, SequenceError


def power_delivery(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    """Answer PowerDeliveryReq: begin or end, by its ReadyToChargeState."""
    return _start(request, known) if request.ReadyToChargeState else _stop(known)


def _delivered(known: Context) -> PowerDeliveryRes:
    return PowerDeliveryRes(ResponseCode=Code.OK, EVSEStatus=dc_status(known))


def _start(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    if known.state is not State.DC_START:
        raise SequenceError("power is to start that flows", "V2G-DC-666")
    if known.stopping:
        raise Refused(Reason.NO_POWER, known.stopping, None)
    profile = _profile(request.ChargingProfile, known)
    until = known.moment.received + CONTACTOR_LIMIT
    if (why := unready(known)) is not None:
        if known.now >= until:
            raise why
        return Pending(known, until)
    if known.station.contactor is not True:
        return wait_for_contactor(known, True)
    started = known.with_service(profile=profile, delivering=True, setpoint_wanted=None)
    started = started.with_station(contactor_wanted=True)  # the isolation test may have closed it: from now on it is to stay so
    wants = (ScheduleChosen(known.now, profile, None), PowerStarted(known.now))
    return Reply(_delivered(started), State.DC_LOOP, started, wants)


def _profile(sent: ChargingProfileType | None, known: Context) -> Series:
    """The power (W) by which the car says it will charge; what the outlet can, where it says nothing. The station leads it all the same.

    Raises Refused for a schedule that was not offered, and for a profile whose times leave it.
    """
    day = Series.constant(float(int(known.wall)), float(DAY), known.outlet.limits.charge_power)
    if sent is None:
        return day
    if sent.SAScheduleTupleID != SCHEDULE:
        raise Refused(Reason.WRONG_SCHEDULE, f"schedule tuple {sent.SAScheduleTupleID} was not offered", "V2G-DC-400")
    starts = [entry.ChargingProfileEntryStart for entry in sent.ProfileEntry]
    if starts[0] != 0 or starts[-1] >= DAY or any(later <= start for start, later in pairwise(starts)):
        said = ", ".join(map(str, starts))
        raise Refused(Reason.WRONG_PROFILE, f"the entries of ChargingProfile begin at {said} s, the schedule lasts {DAY} s", "V2G-DC-399")
    powers = [entry.ChargingProfileEntryMaxPower for entry in sent.ProfileEntry]
    if min(powers) < 0:
        raise Refused(Reason.WRONG_PROFILE, f"ChargingProfile has a power of {min(powers)} W", "V2G-DC-399")
    ends = [*starts[1:], DAY]
    return Series(day.start, tuple(Step(float(end - start), float(power)) for start, end, power in zip(starts, ends, powers, strict=True)))


def _stop(known: Context) -> Reply:
    """Power off. The contactor is kept for the welding detection, without voltage."""
    stopped: tuple[Event, ...] = (SetOutput(known.now, 0.0, 0.0), *((PowerStopped(known.now),) if known.delivering else ()))
    followed = known.session.intent.without(Wish.PAUSE, Wish.SCHEDULE, Wish.METERING)
    known = known.with_service(output_wanted=None, delivering=False).with_session(intent=followed)
    return Reply(_delivered(known), State.DC_WELDING, known, stopped)


def current_demand(request: CurrentDemandReq, known: Context) -> Reply:
    """Command the output that the car asks for, within the limits of both ends, and say which limit was reached."""
    known, said, wants = demanded(WORDS, request, known)
    return Reply(CurrentDemandRes(**said), State.DC_LOOP, known, wants)
