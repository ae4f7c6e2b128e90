"""A hundred cars that plug in within ten seconds, beside some that charge: who is answered late, and what keeps the loop.

    python -m bench.arrivals [--cars 100] [--within 10] [--charging 10]

Station, those that charge, and those that arrive are processes of their own: TLS 1.3 with certificates on both sides, DC_BPT Scheduled,
Plug & Charge. Times by the clock are of the machine as it is; what keeps the loop is in processor time of its thread, and no other work on
the machine changes it. Those that charge loop four times a second, and stop once the others have left.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.scale import COMMAND, PACE, Lines
from v2g.iso20.services import DC_BPT

LATE: Final = 0.25  # s: half of what a car waits in its loop
LOOPS: Final = 20  # of a car that arrives


def station(folder: Path, outlets: int, prices: Path | None) -> list[str]:
    """The command of the station, whose loop is watched; it listens at so many outlets."""
    config = folder / "station.toml"
    listed = "".join(f'[[outlet]]\nevse_id = "DE*V2G*E{number}"\n' for number in range(1, outlets + 1))
    offer = f'services = ["{DC_BPT.name}"]\nauthorizations = ["PnC"]\ncontrols = ["Scheduled"]\n'
    site = f'[site]\nprices = "{prices}"\n' if prices is not None else ""
    config.write_text(f'host = "::1"\nport = 0\npki = "{folder / "pki"}"\n{site}[offer]\n{offer}{listed}')
    return [sys.executable, "-m", "bench._held", str(folder / "held"), "secc", "--config", str(config), "--json"]


def fleet(folder: Path, addresses: Sequence[str], spread: float, loops: int) -> list[str]:
    """The command of one car at each address, within `spread` s."""
    car = folder / "car.toml"
    car.write_text(f"[wish]\npace = {PACE}\n")
    wish = ["--service", DC_BPT.name, "--control", "scheduled", "--auth", "pnc", "--loops", str(loops), "--soc", "30"]
    drive = [*COMMAND, "ev", "--fleet", str(len(addresses)), "--spread", str(spread), "--pki", str(folder / "pki"), "--config", str(car)]
    return [*drive, "--json", "--quiet", "--departure-in", "36000", *wish, *(word for each in addresses for word in ("--connect", each))]


def said(out: str) -> dict[str, Any]:
    """What a fleet said of itself."""
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def told(name: str, account: dict[str, Any]) -> str:
    """A fleet in one line."""
    share = f"{account['late']} of {account['answers']} answers after {LATE * 1e3:.0f} ms"
    times = f"p50 {account['p50_ms']:g} ms, p99 {account['p99_ms']:g} ms, longest {account['longest_ms']:g} ms"
    why = f"; {account['reasons']}" if account["reasons"] else ""
    return f"{name}: {account['well']} of {account['fleet']} ended in order; {share}; {times}{why}"


def measured(folder: Path, cars: int, within: float, charging: int, prices: Path | None) -> None:
    """Print what so many arrivals do to those that charge, and to the loop."""
    with subprocess.Popen(
        station(folder, cars + charging, prices), stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    ) as serving:
        assert serving.stdout is not None
        try:
            addresses = [json.loads(serving.stdout.readline())["address"] for _ in range(cars + charging)]
            lines = Lines(serving.stdout)
            threading.Thread(target=lines.follow, daemon=True).start()
            stay = fleet(folder, addresses[:charging], 1.0, 1_000_000)
            with subprocess.Popen(stay, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as staying:
                lines.await_("power", charging, staying)
                began = time.monotonic()
                come = fleet(folder, addresses[charging:], within, LOOPS)
                arrived = subprocess.run(come, capture_output=True, text=True, check=False)
                seconds = time.monotonic() - began
                staying.send_signal(signal.SIGTERM)
                print(told(f"{charging} that charge", said(staying.communicate()[0])))
            print(told(f"{cars} that arrive within {within:g} s, gone after {seconds:.0f} s", said(arrived.stdout)))
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.wait()
    held = json.loads((folder / "held").read_text())
    print(f"the station's loop: {held['callbacks']} callbacks in {held['seconds']:g} s of processor time; of 5 ms and more:")
    for name, each in sorted(held["long"].items(), key=lambda item: -item[1]["longest_ms"]):
        print(f"  {each['times']:4} x {name}, longest {each['longest_ms']:g} ms")


def arrivals(cars: int, within: float, charging: int, prices: Path | None) -> None:
    """Make certificates, and measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([*COMMAND, "pki", "create", str(folder / "pki")], check=True, capture_output=True)
        measured(folder, cars, within, charging, prices)


def run() -> None:
    """Print the figures of a few arrivals."""
    arrivals(30, 3.0, 5, None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.arrivals")
    parser.add_argument("--cars", type=int, default=100)
    parser.add_argument("--within", type=float, default=10.0)
    parser.add_argument("--charging", type=int, default=10)
    parser.add_argument("--prices", type=Path, metavar="FILE", help="day-ahead prices: every car gets a plan")
    options = parser.parse_args()
    arrivals(options.cars, options.within, options.charging, options.prices)
