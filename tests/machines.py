"""What the two stateful machines (`tests/secc/machine.py`, `tests/evcc/machine.py`) have in common: how long they run, what is counted, and
how each invariant is seen to fail. `make machines` (`fuzz/machines.py`) runs a million steps of them with a seed of its own.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RULE_MARKER, RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from v2g.iso20.rational import number

INVARIANTS: Final = (
    "contactors are open after the end",
    "contactors are open before authorization",
    "no power outside PowerDelivery",
    "no power beyond a stated limit",
    "the reserve is kept",
    "every state has a deadline",
    "no exception leaves a session",
    "every refusal has a reason",
)
ALWAYS: Final = ("arrive", "the_next_one_arrives", "time_passes", "the_station_behaves")  # rules of which one may be taken at any time
LENGTH: Final = 50  # steps of one example
MODES: Final = ("CLReqControlMode", "CLResControlMode", "CPDReqEnergyTransferMode", "CPDResEnergyTransferMode")
Span = tuple[float, float]  # W: the most out of the car as a negative number, the most into it


class Counted(RuleBasedStateMachine):
    """A machine whose steps, sessions, refusals and ends are counted: `tally[what, which]`."""

    tally: Counter[tuple[str, str]] = Counter()  # noqa: RUF012 - one for all, in each process

    def count(self, what: str, which: str = "") -> None:
        self.tally[what, which] += 1

    @invariant()
    def counted(self) -> None:
        self.count("steps")


def seeded(machine: type[Counted], number: int) -> type[Counted]:
    """The machine, whose steps follow from the number."""
    return seed(number)(type(machine.__name__, (machine,), {}))


def sure(examples: int, **changes: Any) -> settings:
    """Settings for so many examples, which remember nothing from one run to the next."""
    given: dict[str, Any] = {
        "max_examples": examples, "stateful_step_count": LENGTH, "deadline": None, "suppress_health_check": list(HealthCheck),
        "phases": (Phase.generate, Phase.shrink), "database": None, "print_blob": False,
    }  # fmt: skip
    return settings(**{**given, **changes})


def drive(machine: type[Counted], steps: int, number: int) -> None:
    """Take so many steps, which follow from the number."""
    run_state_machine_as_test(seeded(machine, number), settings=sure(max(steps // LENGTH, 1)))  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Fault:
    """One thing broken in the product, the invariant that finds it, and in which words. `among` are the arrivals that can show it, `only`
    the rules that lead to it: what hypothesis draws differs from one program to the next, and nothing here may be a matter of luck."""

    invariant: str
    breaks: Callable[[pytest.MonkeyPatch], None]
    said: str
    among: dict[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()


def among(machine: type[Counted], arrivals: dict[str, st.SearchStrategy[Any]], fault: Fault) -> type[Counted]:
    """The machine with what can show a fault: arrivals of whom this much is known, and the rules that lead to it."""
    drawn = {**arrivals, **{name: st.just(value) for name, value in fault.among.items()}}

    class Known(machine):  # type: ignore[misc, valid-type]
        @initialize(**drawn)
        def arrive(self, **arrival: Any) -> None:
            super().arrive(**arrival)

        @precondition(lambda self: self.session.ended is not None)
        @rule(**drawn)
        def the_next_one_arrives(self, **arrival: Any) -> None:
            super().arrive(**arrival)

    kept = {*fault.only, *ALWAYS}
    for name in [name for name in dir(machine) if hasattr(getattr(machine, name), RULE_MARKER)] if fault.only else ():
        if name not in kept:
            setattr(Known, name, None)
    return Known


def found_out(machine: type[Counted], fault: Fault, steps: int) -> None:
    """Break the product and see the machine find it within so many steps, the same every time, by the invariant that is about it."""
    with pytest.MonkeyPatch.context() as patch:
        fault.breaks(patch)
        hunt = sure(steps // LENGTH, phases=(Phase.generate,), report_multiple_bugs=False)
        with pytest.raises(AssertionError, match=fault.said):
            run_state_machine_as_test(seeded(machine, 20), settings=hunt)  # type: ignore[no-untyped-call]


# --- what both read of messages ---


def mode_of(message: Any) -> Any:
    """The part of a message that states limits: its mode, where it has one."""
    names = [name for name in message.__struct_fields__ if name.endswith(MODES)]
    return getattr(message, names[0]) if names else message


@dataclass(frozen=True)
class Plan:
    """A schedule as the car was shown it: its tuples by id, each with the powers into the car and out of it."""

    tuples: dict[int | None, tuple[list[tuple[float, float, float]], list[tuple[float, float, float]]]]

    @classmethod
    def of(cls, shown: Any) -> "Plan":
        return cls({each.ScheduleTupleID: (steps(each.ChargingSchedule), steps(each.DischargingSchedule)) for each in shown.ScheduleTuple})

    def at(self, tuple_id: int | None, wall: float) -> Span:
        """What may flow at a wall time (epoch s) by one tuple, without an id by the only one; nothing where it says nothing."""
        only = next(iter(self.tuples)) if len(self.tuples) == 1 else None
        into, out = self.tuples.get(only if tuple_id is None else tuple_id, ([], []))
        charge, discharge = (max((abs(power) for start, end, power in each if start <= wall < end), default=0.0) for each in (into, out))
        return -discharge, charge


def steps(schedule: Any) -> list[tuple[float, float, float]]:
    """Begin, end (epoch s) and power (W) of each step of a schedule."""
    found, power = [], None if schedule is None else schedule.PowerSchedule
    at = 0.0 if power is None else float(power.TimeAnchor)
    for entry in () if power is None else power.PowerScheduleEntries.PowerScheduleEntry:
        found.append((at, at + entry.Duration, number(entry.Power)))
        at += entry.Duration
    return found
