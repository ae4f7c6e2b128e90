"""One schedule by FlexMeasures' `device_scheduler`, at its planning layer, on HiGHS. It runs in an environment of its own.

Standard input: the scenario of `bench.anchors` as JSON; standard output: {"powers": kW of each car in each step, "cpu": s}.
"""

import importlib
import json
import math
import os
import sys
import time
from typing import Any

MODELS = "flexmeasures.data.models.planning"


def devices(told: dict[str, Any], pandas: Any, index: Any, columns: list[str]) -> list[Any]:
    """The constraints of each car, in kW and kW times a step (its stock counts steps, no hours) from the energy at its arrival on."""
    steps = 4.0  # an hour
    found = []
    for first, last, wanted, room, reserve, power in told["cars"]:
        frame = pandas.DataFrame(index=index, columns=columns, dtype=float)
        frame["max"], frame["min"] = steps * room, steps * reserve
        frame["derivative max"], frame["derivative min"] = 0.0, 0.0
        frame.iloc[first:last, columns.index("derivative max")] = power
        if told["both"]:
            frame.iloc[first:last, columns.index("derivative min")] = -power
        frame.iloc[last - 1 :, columns.index("min")] = steps * wanted
        frame["derivative up efficiency"] = frame["derivative down efficiency"] = told["efficiency"]
        found.append(frame)
    return found


def main(told: dict[str, Any]) -> dict[str, Any]:
    """Plan, and say what it took."""
    flask, pandas = importlib.import_module("flask"), importlib.import_module("pandas")
    planning = importlib.import_module(MODELS)
    scheduler = importlib.import_module(f"{MODELS}.linear_optimization").device_scheduler
    columns = list(importlib.import_module(f"{MODELS}.storage").StorageScheduler.COLUMNS)
    index = pandas.date_range("2024-11-06", periods=len(told["bought"]), freq="15min", tz="UTC")
    site = pandas.DataFrame(index=index, columns=columns, dtype=float)
    site["derivative max"], site["derivative min"] = told["cap"], -told["cap"]
    bought, sold = (pandas.Series(told[name], index=index) for name in ("bought", "sold"))
    energy = planning.FlowCommitment(name="energy", quantity=0, upwards_deviation_price=bought, downwards_deviation_price=sold, index=index)
    app = flask.Flask("anchor")
    app.config.update(FLEXMEASURES_LP_SOLVER="highspy", LOGGING_LEVEL="WARNING")
    with app.app_context():
        cars = devices(told, pandas, index, columns)
        started = time.process_time()
        powers, *_ = scheduler(cars, site, commitments=[energy], initial_stock=0)
        took = time.process_time() - started
    return {"powers": [[0.0 if math.isnan(value) else float(value) for value in each] for each in powers[: len(cars)]], "cpu": took}


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints on the way is no part of the answer
    json.dump(main(json.load(sys.stdin)), out)
