"""Powers of AC over the phases: an element alone is the total, with its _L2 and _L3 it is that of L1."""

from functools import cache
from typing import Any, Final

from v2g.iso20.rational import Rounding, inward, number, rational
from v2g.messages.common_types import RationalNumberType

PHASES: Final = ("", "_L2", "_L3")


def total(said: Any, name: str) -> float | None:
    """The sum over the phases (W, var, VA); None where the message has no such element or leaves it out."""
    stated = each(said, name)
    return sum(stated) if stated else None


def each(said: Any, name: str) -> tuple[float, ...]:
    """What is said of each phase; one value is the total, empty where nothing is said. A phase that is left out has nothing."""
    if (first := getattr(said, name, None)) is None:
        return ()
    kind: Any = type(said)
    if not (others := _others(kind, name)):  # of DC there is no more
        return (number(first),)
    values = [first, *[getattr(said, other) for other in others]]
    if values == [first, None, None]:
        return (number(first),)
    last = max(place for place, value in enumerate(values) if value is not None)
    return tuple(0.0 if value is None else number(value) for value in values[: last + 1])


@cache
def _others(message: Any, name: str) -> tuple[str, ...]:
    """The elements of the other phases that a class of messages has beside this one."""
    return tuple(name + phase for phase in PHASES[1:] if hasattr(message, name + phase))


def spread(name: str, value: float, phases: int, rounding: Rounding | None = None) -> dict[str, RationalNumberType]:
    """The fields of a power that is the same on each of so many phases; with one it is the element alone.

    Without `rounding` towards zero: never more than was meant, in either direction.
    """
    share = inward(value / phases) if rounding is None else rational(value / phases, rounding)
    return {name + phase: share for phase in PHASES[:phases]}


def within_phases(said: Any, name: str, share: float) -> float:
    """A limit (W, a magnitude) where no phase counts for more than its `share`, as far as they are said one by one.

    A limit of charging below zero stays so: it cannot be meant. Of discharging either sign is read: public stacks differ.
    """
    stated = each(said, name)
    discharged = "Discharge" in name
    if len(stated) == 1:
        return abs(stated[0]) if discharged else stated[0]
    if not discharged and any(value < 0 for value in stated):
        return sum(stated)
    return sum(min(abs(value), share) for value in stated)
