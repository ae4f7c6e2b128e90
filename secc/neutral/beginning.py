"""How a session begins: at an outlet that is free, under an id that nobody else has."""

from secc.neutral.context import NO_SESSION, Context
from v2g.reasons import Reason
from v2g.session.errors import Refused


def demand_free(known: Context) -> None:
    """Raises Refused where the outlet serves nobody now, or somebody else."""
    if known.station.unserviceable:
        raise Refused(Reason.OTHER, f"the outlet is out of service: {known.station.unserviceable}", None)
    if known.station.taken:
        raise Refused(Reason.OTHER, "another session has the outlet", None)


def fresh_id(known: Context) -> bytes:
    """Eight random octets that are not all zero [V2G20-2106] [V2G20-2621]."""
    while (session_id := known.given.entropy(len(NO_SESSION))) == NO_SESSION:
        pass
    return session_id
