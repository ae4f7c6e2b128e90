"""How a VEN stands to the events of its VTN, as the book has it: for its reports. Pure."""

from collections.abc import Iterable

from v2g.energy.signal import Kind
from v2gkit.grid.openadr3.reports import CURTAILED, NORMAL, OUT
from v2gkit.grid.received import Fate, Received

OVER = (Fate.EXPIRED, Fate.WITHDRAWN, Fate.WAITING)


def states_of(events: Iterable[str], rows: Iterable[Received], refused: Iterable[str]) -> dict[str, str]:
    """The operating state for each event (ids) that signals were made of, or that was refused.

    A cap that a lower one outdoes is kept with that; a setpoint that something goes before is not followed.
    """
    found: dict[str, str] = {}
    mine = set(events)
    for row in rows:
        if row.reference not in mine:
            continue
        left = row.fate is Fate.OVERRIDDEN and row.signal.kind is Kind.SETPOINT
        state = OUT if left else NORMAL if row.fate in OVER else CURTAILED
        before = found.get(row.reference)
        if before is None or before == NORMAL or state == OUT:
            found[row.reference] = state
    return found | dict.fromkeys(mine & set(refused), OUT)
