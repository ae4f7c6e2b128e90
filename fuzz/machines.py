"""Take a million random steps with the machines of station and car: `python -m fuzz.machines --steps 1000000 [--seed N] [--only secc2]`.

They are those of the tests (`tests/secc/machine.py`, `tests/evcc/machine.py`, and those of the other generations beside them): legal,
illegal and hostile peers, hardware that is slow or broken, set-points, limits and faults, in virtual time. After each step every invariant
is asked: contactors open after the end and before authorization, no power outside PowerDelivery or beyond a stated limit, the reserve kept,
a deadline in every state, no exception, a reason for every refusal. The generations take turns, or `--generation` names one. Several
processes take one batch after the other; what a batch does follows from the seed and its number alone.

Exit codes: 0 all of it held, 1 something did not: the shortest steps that show it are printed, and how to take that batch again.
"""

import argparse
import importlib
import multiprocessing
import os
import secrets
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final

BATCH: Final = 2_500  # steps: what one of them keeps is given back after it
MACHINES: Final = {
    "secc": ("tests.secc.machine", "Sessions"),
    "evcc": ("tests.evcc.machine", "Visits"),
    "secc2": ("tests.secc.iso2.machine2", "Sessions2"),
    "evcc2": ("tests.evcc.iso2.machine2", "Visits2"),
    "secc70121": ("tests.secc.din.machine70121", "Sessions70121"),
    "evcc70121": ("tests.evcc.din.machine70121", "Visits70121"),
}
GENERATIONS: Final = {  # whose machines take their turns in this order; a car's takes fewer: it has one peer and no backend
    "20": ("secc", "secc", "secc", "evcc"),
    "2": ("secc2", "secc2", "secc2", "evcc2"),
    "DIN": ("secc70121", "secc70121", "secc70121", "evcc70121"),
}
Tally = Counter[tuple[str, str, str]]  # (machine, what, which)


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of one batch: what was counted, and the failure in words, empty where every invariant held."""

    number: int
    machine: str
    tally: Tally
    failure: str = ""


def batch(machine: str, seed: int, number: int, steps: int) -> Batch:
    """Take one batch of steps with a machine; they follow from seed and number."""
    module, name = MACHINES[machine]
    kind: Any = getattr(importlib.import_module(module), name)
    kind.tally.clear()
    failure = ""
    try:
        importlib.import_module("tests.machines").drive(kind, steps, seed << 32 | number)
    except Exception as error:
        failure = "".join(traceback.format_exception(error))
    return Batch(number, machine, Counter({(machine, *what): count for what, count in kind.tally.items()}), failure)


def batches(options: argparse.Namespace) -> Iterator[Batch]:
    """One batch after the other, as they are done, until nobody asks for more."""
    turns = turns_of(options)
    numbers = iter(range(options.batch, sys.maxsize))
    if options.processes == 1:
        for number in numbers:
            yield batch(turns[number % len(turns)], options.seed, number, options.of)
    os.environ["PYTHONHASHSEED"] = "0"  # which rules are left out follows from the order of a set of names
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as pool:
        busy: set[Future[Batch]] = set()
        try:
            while True:
                while len(busy) < 2 * options.processes:
                    number = next(numbers)
                    busy.add(pool.submit(batch, turns[number % len(turns)], options.seed, number, options.of))
                done, busy = wait(busy, return_when=FIRST_COMPLETED)
                for each in done:
                    yield each.result()
        finally:
            pool.shutdown(cancel_futures=True)


def turns_of(options: argparse.Namespace) -> list[str]:
    """The machines that take their turns, one generation beside the other."""
    if options.only:
        return [options.only]
    each = [GENERATIONS[options.generation]] if options.generation else GENERATIONS.values()
    return [machine for together in zip(*each, strict=True) for machine in together]


def taken(tally: Tally) -> int:
    """The steps of all machines."""
    return sum(count for (_, what, _), count in tally.items() if what == "steps")


def report(tally: Tally, seconds: float) -> None:
    """Steps, sessions, refusals, and how sessions ended in each state."""
    print(f"{taken(tally)} steps in {seconds:.0f} s")
    for machine in [name for name in MACHINES if any(whose == name for whose, _, _ in tally)]:
        for what in ("steps", "sessions", "refusals", "ends"):
            counted = {which: count for (whose, about, which), count in tally.items() if (whose, about) == (machine, what)}
            print(f"{machine} {what}: {sum(counted.values())}")
            for which, count in sorted(counted.items()) if any(counted) else ():
                print(f"    {count:9} {which}")


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command line; None: of this process."""
    parser = argparse.ArgumentParser("python -m fuzz.machines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000, help="of all machines (default 1,000,000)")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbits(31), help="default: the system's generator gives one, and it is printed"
    )
    parser.add_argument("--generation", choices=list(GENERATIONS), help="the machines of this generation alone")
    parser.add_argument("--only", choices=list(MACHINES), help="this machine alone")
    parser.add_argument("--batch", type=int, default=0, help="the number of the first batch, to take one again (default 0)")
    parser.add_argument("--of", type=int, default=BATCH, help=f"steps of a batch (default {BATCH})")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: as many as there are processors")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it."""
    options = parsed(argv)
    print(f"seed {options.seed}", flush=True)
    tally, begun, shown = Tally(), time.monotonic(), 0
    running = batches(options)
    for done in running:
        tally += done.tally
        if done.failure:
            running.close()  # type: ignore[attr-defined]
            report(tally, time.monotonic() - begun)
            again = f"--seed {options.seed} --only {done.machine} --batch {done.number} --of {options.of} --steps 1 --processes 1"
            print(f"{done.failure}\nFAILED: PYTHONHASHSEED=0 python -m fuzz.machines {again}", file=sys.stderr)
            return 1
        if taken(tally) >= options.steps:
            break
        if taken(tally) // 50_000 > shown:
            shown = taken(tally) // 50_000
            print(f"{taken(tally):9} steps, {time.monotonic() - begun:.0f} s", flush=True)
    running.close()  # type: ignore[attr-defined]
    report(tally, time.monotonic() - begun)
    return 0


if __name__ == "__main__":
    sys.exit(main())
