"""What a directory of certificates lacks, said the same way by `v2g doctor`, `v2g secc` and `v2g ev`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.output import complain
from pki.inventory import Lack, Side, lacking
from pki.profiles import INTEROP, ISO20, Role

RULES = {"conformance": ISO20, "interop": INTEROP}
ENDS: dict[Side, Role] = {"station": Role.SECC, "car": Role.VEHICLE}


def sides(path: Path) -> tuple[Side, ...]:
    """The ends a directory is for: those it holds a TLS credential of, or a folder for one; both where it has neither."""
    found = tuple(side for side, role in ENDS.items() if (path / role.value).is_dir())
    return found or tuple(ENDS)


def lacks(path: Path, profile: str, at: float) -> Iterator[tuple[Side, Lack]]:
    """What is amiss at a time (epoch s), for each end the directory is for."""
    for side in sides(path):
        for lack in lacking(path, side, RULES[profile], datetime.fromtimestamp(at, UTC)):
            yield side, lack


def said_at_start(command: str, path: str, side: Side, profile: str, at: float, **needs: Any) -> frozenset[str]:
    """Say on standard error what a command will miss or refuse, one line each; gives the lines, so that none is said twice."""
    found = lacking(path, side, RULES[profile], datetime.fromtimestamp(at, UTC), **needs)
    for lack in found:
        complain(f"{command}: {'' if lack.bad else 'note: '}{lack}")
    return frozenset(str(lack) for lack in found)
