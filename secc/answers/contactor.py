"""The contactor, for the answers that cannot say Ongoing: they wait for it, and it is an error in time."""

from dataclasses import replace

from secc.context import Context, Pending
from secc.station import CloseContactor, LockConnector, OpenContactor
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Event
from v2g.session.errors import StationFailed

CONTACTOR_LIMIT = 1.4  # s to move, so that the answer leaves within the performance time of 1.5 s


def waiting(known: Context, closed: bool) -> Pending:
    """Wait until the contactor is closed, or open. Raises StationFailed for one that does not move in time [V2G20-847]."""
    until = known.received + CONTACTOR_LIMIT
    if known.now >= until:
        why = f"the contactor did not {'close' if closed else 'open'} within {CONTACTOR_LIMIT:g} s"
        raise StationFailed(why, code=Code.FAILED_ContactorError, requirement=None)
    if known.contactor_wanted is closed:
        return Pending(known, until)
    wants: tuple[Event, ...] = (LockConnector(known.now), CloseContactor(known.now)) if closed else (OpenContactor(known.now),)
    return Pending(replace(known, contactor_wanted=closed), until, wants)
