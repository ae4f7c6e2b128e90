"""EV2Gym's simulator takes our plans as its actions: what a day earns by its own account, and who leaves full, beside its own ways.

    python -m bench.ev2gym [--days 5] [--seed 1] [--mixed]

Its own V2G set-up (25 chargers at a workplace, Dutch day-ahead prices of 2022 and 2023), installed by pip in an environment of its own. It
bills the energy that reaches or leaves the battery, and prices both ways alike. With --mixed its cars are of different makes, with
losses and a taper that no plan is told of.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench._wheels import NotToBeHad, environment
from bench.site import Planner, _plain, begun
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground, Outlet
from v2g.energy.fleet.guest import Guest
from v2g.energy.needs import Needs
from v2g.energy.series import Series, Step
from v2g.energy.site import Site

REQUIREMENTS = (
    "ev2gym==2.0.0",
    "setuptools<81",
    "pandapower",
    "numba",
    "multicopula",
    "psutil",
)  # the last four it imports and does not name
START = 1_700_000_100.0  # epoch s of its first step: a quarter of an hour, any
STEP = 900.0
BASELINES = {"its AFAP": "ChargeAsFastAsPossible", "its ALAP": "ChargeAsLateAsPossible"}


def grounds(told: dict[str, Any], capped: bool, room: bool) -> Ground:
    """The connection at a step: the transformer's cap or none, and what its prices say; with room for cars at free ports or none."""
    now = START + STEP * told["step"]
    bought, sold = (Series(now, tuple(Step(STEP, price) for price in told[name])) for name in ("bought", "sold"))
    cap = 1_000.0 * told["cap"] if capped else 10_000_000.0
    site = Site(import_prices=bought, export_prices=sold, efficiency_charge=1.0, efficiency_discharge=1.0)
    outlets = tuple(Outlet(f"port {k}", "grid", 11_000.0) for k in range(told["ports"])) if room else ()
    return Ground(Connection("grid", cap, cap), site, outlets=outlets)


def guests(told: dict[str, Any], both: bool) -> list[Guest]:
    """Its cars: each wants what it would have had as fast as possible, and departs when its last step is over."""
    found = []
    for port, arrival, departure, charge, discharge, _, stored, desired, capacity, least, fastest in told["cars"]:
        needs = Needs(
            departure=START + STEP * (departure + 1),
            energy_target=1_000.0 * max(min(desired, fastest) - stored, 0.0),
            energy_maximum=1_000.0 * max(capacity - stored, 0.0),
            energy_minimum=1_000.0 * min(least - stored, 0.0) if both else None,
            charge_maximum=1_000.0 * charge,
            discharge_maximum=1_000.0 * discharge if both else 0.0,
            bidirectional=both,
        )
        found.append(Guest(f"{port}/{arrival}", needs, "grid", outlet=f"port {port}"))
    return found


def lived(python: Path, wanted: dict[str, Any], act: Callable[[dict[str, Any]], list[float]]) -> list[dict[str, float]]:
    """The days in the simulator; `act` says what each port does in a step."""
    words, days = [str(python), "-P", str(Path(__file__).parent / "_simulator.py"), json.dumps(wanted)], list[dict[str, float]]()
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin
        assert process.stdout
        for line in process.stdout:
            told: dict[str, Any] = json.loads(line)
            if "missing" in told:
                days.append(told)
            else:
                process.stdin.write(json.dumps(act(told)) + "\n")
                process.stdin.flush()
    if process.returncode:
        raise NotToBeHad(f"ev2gym: the simulator ended with {process.returncode}")
    return days


def acting(planner: Planner, both: bool, where: tuple[bool, bool], spent: list[float]) -> Callable[[dict[str, Any]], list[float]]:
    """Our plan at each step, as its action: the power of this step, as a part of what the charger can. CPU s are added to `spent`."""

    def act(told: dict[str, Any]) -> list[float]:
        now, actions = START + STEP * told["step"], [0.0] * told["ports"]
        if told["cars"]:
            started = time.process_time()
            made = planner(grounds(told, *where), guests(told, both), now)
            spent.append(time.process_time() - started)
            for port, arrival, _, _, _, able, *_ in told["cars"]:
                series = made.plans.get(f"{port}/{arrival}")
                power = series.power.clip(now, now + STEP).integral() * 3_600.0 / STEP if series is not None else 0.0
                actions[port] = round(power / (1_000.0 * able), 5)
        return actions

    return act


def run(arguments: Sequence[str] = ()) -> None:
    """Print what the simulator says of each way, summed over the days."""
    parser = argparse.ArgumentParser(prog="python -m bench.ev2gym")
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the first day")
    parser.add_argument("--mixed", action="store_true", help="cars of different makes")
    given = parser.parse_args(arguments)
    ours = {
        "in order, capped": (lambda: _plain, False, True, True),
        "joint, charging": (begun, False, False, False),
        "joint, charging, capped": (begun, False, True, False),
        "  any free outlet": (begun, False, True, True),
        "joint, both ways": (begun, True, False, False),
        "joint, both ways, capped": (begun, True, True, False),
        "  any free outlet ": (begun, True, True, True),
    }
    print(f"{'':26} {'EUR':>9} {'served':>7} {'kWh missing':>12} {'least full %':>13} {'kW over':>8} {'ms a plan':>10}")
    try:
        python = environment("ev2gym", REQUIREMENTS)
        days = {"seeds": list(range(given.seed, given.seed + given.days)), "uniform": not given.mixed}
        for name, baseline in BASELINES.items():
            _line(name, lived(python, {**days, "baseline": baseline}, lambda told: []), [])
        for name, (planner, both, capped, room) in ours.items():
            spent: list[float] = []
            _line(name, lived(python, days, acting(planner(), both, (capped, room), spent)), spent)
    except NotToBeHad as missing:
        print(f"not measured: {missing}")


def _line(name: str, days: Sequence[dict[str, float]], spent: Sequence[float]) -> None:
    earned, served, missing, over = (
        sum(day[key] for day in days) for key in ("total_profits", "total_ev_served", "missing", "total_transformer_overload")
    )
    least = min(day["min_energy_user_satisfaction"] for day in days)
    each = f"{1000.0 * sum(spent) / len(spent):10.1f}" if spent else ""
    print(f"{name:26} {earned:9.2f} {served:7.0f} {missing:12.2f} {least:13.2f} {over:8.1f} {each}", flush=True)


if __name__ == "__main__":
    run(sys.argv[1:])
