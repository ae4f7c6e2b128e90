"""What flows at a connection beside the cars, or what its energy emits, as it is foreseen: a file of steps, dated or by time of day."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from v2g.energy.prices import Prices
from v2g.energy.series import Series

HOUR = 3_600.0  # s
DAYS = 3  # that a plan may reach into: today, and 48 h from now


@dataclass(frozen=True, slots=True)
class Loads:
    """Power over time (W, + is drawn, generation is negative), or another quantity; `relative` where starts are seconds after midnight."""

    power: Series
    relative: bool = False

    def at(self, wall: float, zone: tzinfo) -> Series:
        """The power from the day of `wall` (epoch s) on; by time of day it is alike on all days, by the clocks of `zone`."""
        if not self.relative:
            return self.power
        return Prices(self.power, self.power, relative=True).upcoming(wall, zone, DAYS).imports


def parse_loads(text: str, column: str = "power") -> Loads:
    """The loads of a CSV with the columns start,power, or another quantity. ValueError names the row, what stands there and the cure.

    A start is ISO 8601 with offset or a time of day (HH:MM), all of one kind and ascending; power in W. The last step is as long as the
    one before it, an hour where it is the only one; by time of day it lasts until midnight.
    """
    rows = list(csv.reader(line for line in text.splitlines() if line.strip() and not line.startswith("#")))
    if not rows or [cell.strip().lower() for cell in rows[0]] != ["start", column]:
        raise ValueError(f"the file of loads begins with {','.join(rows[0])[:40] if rows else 'nothing'}; its header is start,{column}")
    read = [_row(number, row) for number, row in enumerate(rows[1:], 1)]
    if not read:
        raise ValueError("the file of loads has no rows; give at least one start, power")
    if len({relative for _, relative, _ in read}) > 1:
        raise ValueError("the file of loads mixes times of day and dated times; use one kind")
    starts, relative = [start for start, _, _ in read], read[0][1]
    until = 24 * HOUR if relative else starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else HOUR)
    if any(after <= before for before, after in zip(starts, [*starts[1:], until], strict=True)):
        raise ValueError("the starts of the file of loads do not ascend; sort its rows")
    return Loads(Series.from_pairs([(start, power) for start, _, power in read], until), relative)


def _row(number: int, row: Sequence[str]) -> tuple[float, bool, float]:
    try:
        start, power = (cell.strip() for cell in row)
        watts = float(power)
        if not -1e9 < watts < 1e9:
            raise ValueError(f"{power} W is the power of no connection")
        return (*_start(start), watts)
    except ValueError as error:
        raise ValueError(f"row {number} of the file of loads, {','.join(row)[:60]}: {error}; write 2026-11-30T18:00+01:00,12000") from None


def _start(text: str) -> tuple[float, bool]:
    if len(text) == 5 and text[2] == ":":
        hours, minutes = int(text[:2]), int(text[3:])
        if not (0 <= hours < 24 and 0 <= minutes < 60):
            raise ValueError(f"{text} is no time of day")
        return hours * HOUR + minutes * 60.0, True
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return at.timestamp(), False
