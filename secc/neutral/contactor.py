"""The contactor, for answers that cannot say Ongoing: they wait for it, for a limited time."""

from secc.neutral.context import Context, Pending
from secc.station import CloseContactor, LockConnector, OpenContactor
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import StationFailed

CONTACTOR_LIMIT = 1.4  # s to move, so that the answer leaves within the performance time of 1.5 s


def wait_for_contactor(known: Context, closed: bool) -> Pending:
    """The reply that waits until the contactor is closed (`closed`) or open. Raises StationFailed once it took too long."""
    until = known.moment.received + CONTACTOR_LIMIT
    if known.now >= until:
        why = f"the contactor did not {'close' if closed else 'open'} within {CONTACTOR_LIMIT:g} s"
        raise StationFailed(why, kind=Reason.CONTACTOR, requirement=None)
    if known.station.contactor_wanted is closed:
        return Pending(known, until)
    wireless = known.agreement.selection is not None and known.agreement.selection.row.wireless  # there is no connector to lock
    closing = (CloseContactor(known.now),) if wireless else (LockConnector(known.now), CloseContactor(known.now))
    wants: tuple[Event, ...] = closing if closed else (OpenContactor(known.now),)
    return Pending(known.with_station(contactor_wanted=closed), until, wants)
