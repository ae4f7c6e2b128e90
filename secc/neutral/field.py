"""WPT: what a station watches of its ground device. There is no field for a vehicle that is not paired, not aligned, not in its place."""

from collections.abc import Callable
from functools import partial

from secc.neutral.context import Context
from secc.neutral.fault import Fault
from v2g.reasons import Reason
from v2g.session.errors import StationFailed
from v2g.session.wireless import PASSING

OBSTRUCTED_LIMIT = 60.0  # s without power that a vehicle is kept waiting: as long as a station waits for a schedule under power
REACTION = 2.0  # s for a field to be off once it was commanded off: hardware that protects the living is faster by itself
RESIDUE = 100.0  # W beyond which power flows, and no instrument errs


def wireless(known: Context) -> bool:
    """Whether the selected service is one of WPT."""
    selection = known.agreement.selection
    return selection is not None and selection.row.wireless


def misplaced(known: Context) -> str:
    """Why the ground device does not reach this session's vehicle; empty where it does, and for every other service."""
    station = known.station
    if not wireless(known):
        return ""
    if station.unassociated:
        return f"the vehicle over the ground device is no longer this session's: {station.unassociated}"
    if station.position is not None and not station.position.reachable:
        return "the vehicle has left the place where the ground device reaches it"
    return ""


def unaligned(known: Context) -> str:
    """Why a ground device must give no power; empty where it may, and for every other service."""
    alignment = known.station.alignment
    if not wireless(known) or misplaced(known):
        return misplaced(known)
    if alignment is None:
        return "the alignment of the coils is not checked"
    return "" if alignment.aligned else f"the coils are not aligned: {alignment.reason or 'the outlet gives no reason'}"


def obstructed(known: Context) -> str:
    """Why no power may flow for now, and may again later; empty where it may, and for every other service."""
    return f"the ground device reports {known.station.ground}" if wireless(known) and known.station.ground != "NoIssue" else ""


def field_fault(known: Context) -> Fault | None:
    """The danger of a field that is on; None where there is none. While the alignment is checked nothing is known of it yet, and nothing
    may come in between."""
    if not wireless(known):
        return None
    checking = known.station.alignment is None and not known.delivering
    why = misplaced(known) if checking else unaligned(known)
    if why:
        kind = Reason.ASSOCIATION if known.station.unassociated else Reason.FIELD
        return Fault(StationFailed(f"{why}, under power", kind=kind, requirement=None))
    if obstructed(known) and (checking or known.station.ground not in PASSING):
        return _fault(obstructed(known))
    return None


def disturbed(known: Context) -> list[tuple[float, Callable[[], Fault]]]:
    """An obstruction that stays, or over which power flows on: when (session time, s), and the fault it is then."""
    if not wireless(known):
        return []
    why, since, watts = obstructed(known), known.station.ground_since, known.station.output.watts
    if not why or not known.live:
        return []
    still = [(since + REACTION, partial(_fault, f"{why}, and {watts:.0f} W flow"))] if abs(watts) > RESIDUE else []
    return [(since + OBSTRUCTED_LIMIT, partial(_fault, f"{why} for {OBSTRUCTED_LIMIT:g} s")), *still]


def _fault(why: str) -> Fault:
    return Fault(StationFailed(why, kind=Reason.FIELD, requirement=None))
