"""Says at the start of a command what its certificates lack."""

from typing import Any

from pki.inventory import Side
from v2gkit.output import complain
from v2gkit.station.stock import missed


def said_at_start(command: str, path: str, side: Side, profile: str, at: float, **needs: Any) -> frozenset[str]:
    """Print on standard error what a folder of certificates lacks for a command; returns the lines, so that none is printed twice."""
    found = missed(path, side, profile, at, **needs)
    for lack in found:
        complain(f"{command}: {'' if lack.bad else 'note: '}{lack}")
    return frozenset(str(lack) for lack in found)
