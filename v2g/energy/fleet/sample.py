"""One group of many alike guests, planned with its part of all that they share: which way the meter of all goes, and at which prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from v2g.energy.fleet.directions import one_way
from v2g.energy.fleet.model import Model
from v2g.energy.fleet.seats import Table
from v2g.energy.patience import Patience
from v2g.energy.stay import TOLERANCE


@dataclass(frozen=True, slots=True)
class Sampled:
    """A table in which the meter goes one way wherever an export earns more than an import costs, and what a kWh is worth there."""

    table: Table
    worth: Mapping[int, float] = field(default_factory=dict)  # currency/kWh, by slot


def sampled(table: Table, group: Sequence[int], patience: Patience) -> Sampled:
    """The table as one group alone would have its meter go. OutOfTime where that is not found in time.

    What a kWh is worth is taken from the program that leaves the way open, since that is what the best of all plans is bounded by.
    """
    tempting = [number for number, slot in enumerate(table.slots) if slot.export_price > slot.import_price]
    if not tempting:
        return Sampled(table)
    model = Model(_part(table, group), curtails=False)
    opened = model.program.opened(patience)
    first = opened.solved()
    duals = opened.duals()
    worth = {number: duals[model.meters[number]] / table.slots[number].hours for number in tempting}
    solution, _ = one_way(model, opened, first)
    slots, top = list(table.slots), table.shared[0]
    up, down = list(top.up), list(top.down)
    for number in tempting:
        slot = slots[number]
        if solution.values[model.imports[number]] >= solution.values[model.exports[number]]:
            slots[number], down[number] = replace(slot, export_price=slot.import_price), min(down[number], slot.load)
        else:
            slots[number], up[number] = replace(slot, import_price=slot.export_price, carbon=0.0), min(up[number], -slot.load)
    left = tuple(min(a, b) for a, b in zip(top.left, up, strict=True)) if top.left else ()
    top = replace(top, up=tuple(up), down=tuple(down), left=left)
    return Sampled(replace(table, slots=tuple(slots), shared=(top, *table.shared[1:])), worth)


def _part(table: Table, group: Sequence[int]) -> Table:
    """The table of a group alone, with its part of every load and limit."""
    part, places = len(group) / len(table.seats), {number: place for place, number in enumerate(group)}
    shared = tuple(
        replace(
            limit,
            shares={places[number]: share for number, share in limit.shares.items() if number in places},
            up=tuple(part * room + TOLERANCE for room in limit.up),
            down=tuple(part * room + TOLERANCE for room in limit.down),
            left=(),
        )
        for limit in table.shared
    )
    slots = tuple(replace(slot, load=slot.load * part) for slot in table.slots)
    return replace(table, slots=slots, seats=tuple(table.seats[number] for number in group), shared=shared)
