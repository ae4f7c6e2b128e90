"""Finds what a folder of certificates lacks, for `v2g doctor`, `v2g secc` and `v2g ev` alike."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pki.inventory import Lack, Side, lacking
from pki.profiles import INTEROP, ISO2, ISO20, Role

RULES = {"conformance": ISO20, "interop": INTEROP, "iso2": ISO2}
ENDS: dict[Side, Role] = {"station": Role.SECC, "car": Role.VEHICLE}


def sides(path: Path) -> tuple[Side, ...]:
    """The sides ("station", "car") that a folder is for: those with a TLS credential in it; both where it has neither."""
    found = tuple(side for side, role in ENDS.items() if (path / role.value).is_dir())
    return found or tuple(ENDS)


def lacks(path: Path, profile: str, at: float) -> Iterator[tuple[Side, Lack]]:
    """What a folder lacks at a time (epoch s), for each side that it is for."""
    for side in sides(path):
        for lack in lacking(path, side, RULES[profile], datetime.fromtimestamp(at, UTC)):
            yield side, lack


def missed(path: str, side: Side, profile: str, at: float, **needs: Any) -> tuple[Lack, ...]:
    """What a folder lacks for a station or a car that uses it, at a time (epoch s). Profile "iso2": a car of it alone."""
    return lacking(path, side, RULES[profile], datetime.fromtimestamp(at, UTC), **needs)
