"""Thousands of sessions at one station: whether its memory grows once it has settled, and whether it keeps descriptors.

    python -m bench.longlife [--sessions 10000] [--outlets 10]

The station is `v2g secc` in a process of its own, its hardware simulated and quick; here are the cars, one after the other at each outlet,
over TLS 1.3 with certificates on both sides, Plug & Charge, DC Dynamic, three charge loops each. A session that fails counts, too: what it
leaves behind is what is looked for. `python -m fuzz.soak` does the same with cars that misbehave, a process each.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.scale import COMMAND, resident, spent
from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.iso20.charge import charge
from evcc.trust import equip, vehicle_tls
from pki.store import Store
from v2g.iso20.services import DC
from v2g.session.clock import Clock

SETTLED: Final = 500  # sessions until caches and the allocator are full
EVERY: Final = 50  # sessions between two looks
CONFIG: Final = """
host = "::1"
port = 0
pki = "{pki}"
[offer]
services = ["DC"]
controls = ["Dynamic"]
authorizations = ["PnC"]
[hardware.physics]
contactor = 0.01
isolation = 0.01
volts_per_second = 80000
amperes_per_second = 40000
"""


@dataclass
class Life:
    """What was seen: sessions, resident octets and open descriptors at each look; how sessions ended."""

    looks: list[tuple[int, float, int]] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    done: int = 0


def descriptors(process: int) -> int:
    """How many a process has open."""
    return len(os.listdir(f"/proc/{process}/fd"))


def slope(points: list[tuple[int, float]]) -> float:
    """Of a line through the points by least squares."""
    x, y = (sum(column) / len(points) for column in zip(*points, strict=True))
    return float(sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points))


async def visited(store: Store, port: int, life: Life) -> None:
    """One car comes, charges and leaves."""
    now, battery = asyncio.get_running_loop().time(), Battery()
    wish = Wish(evccid=store.vehicle.common_name, services=(DC.name,), control="Dynamic", authorizations=("PnC",), loops=3, pace=0.0)
    car: Car[Any] = Car(Ev(battery, Inlet(), AC_INLET, energy=0.2 * battery.capacity), wish=wish, clock=Clock(time.time(), now), now=now)
    equip(car, store)
    result = await Visit(car, charge, vehicle_tls(store), rest=0.0).at("::1", port)
    life.ends[result.ended.how if result.ended.well else str(result.ended.error)[:80]] += 1
    life.done += 1


async def lived(process: int, ports: list[int], store: Store, sessions: int) -> Life:
    """So many sessions, shared out among the outlets."""
    life, left = Life(), iter(range(sessions))

    async def lane(port: int) -> None:
        for _ in left:
            await visited(store, port, life)
            if life.done % EVERY == 0:
                life.looks.append((life.done, resident(process) * 1024, descriptors(process)))

    await asyncio.gather(*(lane(port) for port in ports))
    return life


def told(life: Life, sessions: int, seconds: float) -> str:
    """What was seen, in lines."""
    settled = [(n, octets) for n, octets, _ in life.looks if n >= SETTLED]
    after = life.looks[-1]
    lines = [
        f"{sessions} sessions, {life.ends['Terminate']} ended in order, {seconds / sessions * 1e3:.1f} ms of the station's processor each"
    ]
    lines += [f"  {count} x {how}" for how, count in life.ends.most_common() if how != "Terminate"]
    first = next((octets for n, octets, _ in life.looks if n >= SETTLED), after[1])
    lines.append(f"resident {first / 2**20:.1f} MiB after {SETTLED} sessions, {after[1] / 2**20:.1f} after {after[0]}")
    if len(settled) >= 5:
        half = settled[len(settled) // 2 :]
        lines.append(f"slope {slope(settled):+.0f} octets a session after {SETTLED}, {slope(half):+.0f} in the second half of them")
    counts = [count for n, _, count in life.looks if n >= SETTLED] or [after[2]]
    lines.append(f"descriptors at looks: {min(counts)} to {max(counts)}")
    return "\n".join(lines)


def lives(sessions: int, outlets: int) -> None:
    """Print what so many sessions leave behind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([*COMMAND, "pki", "create", str(folder / "pki")], check=True, capture_output=True)
        config = folder / "station.toml"
        config.write_text(
            CONFIG.format(pki=folder / "pki") + "".join(f'[[outlet]]\nevse_id = "DE*V2G*E{n}"\n' for n in range(1, outlets + 1))
        )
        with (folder / "lines").open("w") as lines, (folder / "log").open("w") as log:
            station = subprocess.Popen([*COMMAND, "secc", "--config", str(config), "--json"], stdout=lines, stderr=log)
        try:
            ports = _listening(folder / "lines", outlets, station)
            idle, began = descriptors(station.pid), spent(station.pid)
            life = asyncio.run(lived(station.pid, ports, Store(folder / "pki"), sessions))
            print(told(life, sessions, spent(station.pid) - began))
            time.sleep(5.0)
            print(f"descriptors before the first {idle}, after the last {descriptors(station.pid)}")
        finally:
            station.kill()
            station.wait()


def _listening(lines: Path, outlets: int, station: Any) -> list[int]:
    while True:
        said = [json.loads(line) for line in lines.read_text().split("\n")[:-1]]
        found = [int(one["address"].rpartition(":")[2]) for one in said if one["event"] == "listening"]
        if len(found) == outlets:
            return found
        if station.poll() is not None:
            raise SystemExit(f"the station ended with {station.returncode}")
        time.sleep(0.05)


def run() -> None:
    """Print the figures of a short life."""
    lives(1500, 10)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.longlife", description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--outlets", type=int, default=10)
    options = parser.parse_args()
    lives(options.sessions, options.outlets)
    sys.exit(0)
