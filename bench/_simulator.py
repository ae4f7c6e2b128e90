"""EV2Gym's simulator as a process: told the actions of each step, it says who is there. It runs in an environment of its own.

    python _simulator.py '{"seeds": [7, 8], "uniform": true}'

A line of JSON for each step: cars, price and transformer. Actions come back as a line: a number for each port, -1 to 1 of what its
charger can. The last line of each day is what the simulator itself says of it. With "baseline" one of its own ways charges, and only
that line is said.
"""

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def opened(wanted: dict[str, Any], seed: int) -> Any:
    """The simulator in its own V2G set-up: 25 chargers at a workplace, a day drawn from the seed."""
    package = importlib.import_module("ev2gym")
    yaml, module = importlib.import_module("yaml"), importlib.import_module("ev2gym.models.ev2gym_env")
    home = Path(str(package.__file__)).parent
    settings = yaml.safe_load((home / "example_config_files" / "V2GProfitMax.yaml").read_text())
    settings["heterogeneous_ev_specs"] = not wanted["uniform"]
    settings["ev_specs_file"] = str(home / "data" / "ev_specs_v2g_enabled2024.json")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(settings, file)
        file.flush()
        return module.EV2Gym(config_file=file.name, seed=seed)


def seen(env: Any) -> dict[str, Any]:
    """Who is there, what a kWh costs from now on, and what the transformer carries (kW)."""
    cars, port = [], 0
    for charger in env.charging_stations:
        for car in charger.evs_connected:
            if car is not None:
                able = charger.get_max_power()
                most = min(able, car.max_ac_charge_power), min(able, -car.max_discharge_power)
                energies = [car.current_capacity, car.desired_capacity, car.battery_capacity, car.min_battery_capacity, car.max_energy_AFAP]
                cars.append([port, int(car.time_of_arrival), int(car.time_of_departure), *map(float, (*most, able, *energies))])
            port += 1
    step = env.current_step
    told = {"step": step, "ports": port, "cars": cars, "cap": float(env.transformers[0].max_power[step])}
    told["bought"] = [-float(price) for price in env.charge_prices[0, step:]]
    return told | {"sold": [float(price) for price in env.discharge_prices[0, step:]]}


def said(env: Any) -> dict[str, float]:
    """The simulator's own account of a day."""
    names = ("total_ev_served", "total_profits", "total_energy_charged", "total_energy_discharged", "min_energy_user_satisfaction")
    missing = sum(max(min(car.desired_capacity, car.max_energy_AFAP) - car.current_capacity, 0.0) for car in env.EVs)
    return {name: float(env.stats[name]) for name in (*names, "total_transformer_overload")} | {"missing": float(missing)}


def main(wanted: dict[str, Any]) -> None:
    """Live the days."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the simulator prints is no part of the answers
    heuristics = importlib.import_module("ev2gym.baselines.heuristics")
    for seed in wanted["seeds"]:
        env, done = opened(wanted, seed), False
        agent = getattr(heuristics, wanted["baseline"])(env=env) if "baseline" in wanted else None
        while not done:
            if agent is None:
                print(json.dumps(seen(env)), file=out)
            _, _, done, _, _ = env.step(list(agent.get_action(env)) if agent is not None else json.loads(sys.stdin.readline()))
        print(json.dumps(said(env)), file=out)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
