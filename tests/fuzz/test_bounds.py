"""What hostile octets may cost, at a size that is quick; `python -m fuzz.bounds` measures at the size that stations take."""

import pytest

from fuzz.bounds import MEMORY, TIME, Cost, costs, table
from fuzz.bounds import Worst as Measured
from v2g.exi import engine


@pytest.fixture(scope="module")
def measured() -> tuple[int, Measured]:
    return costs(1_000)


def test_memory_and_time_are_bounded_by_the_input(measured: tuple[int, Measured]) -> None:
    count, worst = measured
    print("\n".join(table(worst)))
    assert count > 100
    assert {name for _, name in worst} == set(engine.names())
    for memory, slow in worst.values():
        assert memory.memory < MEMORY, told(memory)
        assert slow.time < 4 * TIME, told(slow)  # of a busy machine


def test_the_inputs_are_what_they_claim(measured: tuple[int, Measured]) -> None:
    """Long lists are long, and cost memory; what announces more than there is costs nothing."""
    _, worst = measured
    for (kind, _), (memory, _) in worst.items():
        if kind == "list":
            assert memory.memory > 40
            assert len(memory.case.octets) > 500
        elif kind in ("octets cut short", "integer without end", "octets after the end"):
            assert memory.memory < 20, told(memory)
    assert {kind for kind, _ in worst} >= {"list", "string", "octets", "damaged frame", "every item reported"}


def told(cost: Cost) -> str:
    case = cost.case
    return f"{cost.engine}: {cost.memory:.0f} octets, {cost.time:.1f} us for each of {len(case.octets)}: {case.kind} {case.what}"
