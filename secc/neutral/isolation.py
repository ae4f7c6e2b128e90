"""The isolation of a DC outlet, measured before power: on what is dead, and at the highest voltage that both sides can have."""

from dataclasses import dataclass

from secc.neutral.context import Context
from secc.neutral.readiness import demand_asking
from secc.station import CheckIsolation, Limits, LockConnector, OpenContactor, SetOutput
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether the isolation is found sound, the context after the question, and what the station must do for it."""

    finished: bool
    known: Context
    wants: tuple[Event, ...] = ()


def check_isolation(known: Context, limit: float) -> Checked:
    """Have the isolation measured, for at most `limit` (s). Raises Refused for a bad result, and where the car asks for no energy."""
    demand_asking(known)
    if known.service.isolation is False:
        raise Refused(Reason.OTHER, "the isolation is faulty", None)
    if known.unparked:
        return Checked(False, known)
    if known.standing and known.live:  # a contactor that was kept closed: nothing is tested on what may be live
        opened = known.with_service(isolation=None, isolation_asked=None, output_wanted=None).with_station(contactor_wanted=False)
        return Checked(False, opened, (SetOutput(known.now, 0.0, 0.0), OpenContactor(known.now)))
    if known.station.contactor is True and known.station.contactor_wanted is False:
        return Checked(False, known)
    if known.service.isolation is True:
        return Checked(True, known)
    if known.service.isolation_asked is None:
        voltage = min((known.service.car or Limits()).voltage, known.present_limits.voltage)
        # the test closes the contactor by itself: what was known of it before says nothing now
        asked = known.with_service(isolation_asked=known.now).with_station(contactor=None, contactor_wanted=None)
        return Checked(False, asked, (LockConnector(known.now), CheckIsolation(known.now, voltage)))
    if known.now - known.service.isolation_asked >= limit:
        raise Refused(Reason.OTHER, f"the isolation was not measured within {limit:g} s", None)
    return Checked(False, known)
