"""One day by ACN-Sim's earliest deadline first. Runs in an environment of its own, with nothing of ours.

Standard input: the scenario of `bench.anchors` as JSON; standard output: {"powers": kW of each car in each step, "cpu": s}.
"""

import importlib
import json
import os
import sys
import time
import warnings
from datetime import datetime
from typing import Any

VOLTS = 230.0


def main(told: dict[str, Any]) -> dict[str, Any]:
    """Live the day, and say what it took. It knows no prices, and gives nothing back."""
    sim, sorted_ = importlib.import_module("acnportal.acnsim"), importlib.import_module("acnportal.algorithms")
    network, events = sim.ChargingNetwork(), []
    names = [f"car {k}" for k in range(len(told["cars"]))]
    for name, (first, last, wanted, _, _, power) in zip(names, told["cars"], strict=True):
        metered = wanted / told["efficiency"]
        network.register_evse(sim.EVSE(name, max_rate=1_000.0 * power / VOLTS), VOLTS, 0)
        car = sim.EV(first, last, metered, name, name, sim.Battery(metered, 0, power))
        events.append(sim.PluginEvent(first, car))
    network.add_constraint(sim.Current(names), 1_000.0 * told["cap"] / VOLTS, name="grid")
    algorithm = sorted_.SortedSchedulingAlgo(sorted_.earliest_deadline_first)
    simulator = sim.Simulator(network, algorithm, sim.EventQueue(events), datetime(2024, 11, 6), period=15, verbose=False)
    started = time.process_time()
    simulator.run()
    took = time.process_time() - started
    steps = len(told["bought"])
    rates = [list(map(float, simulator.charging_rates[network.station_ids.index(name)]))[:steps] for name in names]
    return {"powers": [[VOLTS * rate / 1_000.0 for rate in each] + [0.0] * (steps - len(each)) for each in rates], "cpu": took}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints on the way is no part of the answer
    json.dump(main(json.load(sys.stdin)), out)
