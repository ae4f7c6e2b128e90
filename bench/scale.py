"""Many cars at one station, each side in a process of its own: processor time a loop, answer times, memory a session.

python -m bench scale                                 a few points, and what grows between them
python -m bench scale --cars 100 --seconds 20         one point
python -m bench scale --cars 100 --workers 2          the outlets shared out among processes
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from v2g.iso20.services import DC_BPT

COMMAND: Final = [sys.executable, "-m", "v2gkit"]
PACE: Final = 0.25  # s from an answer of the charge loop to the next request
ARRIVE: Final = 0.1  # s between two arrivals, as at a depot at the end of a shift
HANG: Final = 300.0  # s
TICK: Final = os.sysconf("SC_CLK_TCK")
POINTS: Final = (10, 50)


@dataclass(frozen=True, slots=True)
class Point:
    """What one number of cars cost."""

    cars: int
    share: float  # of a core that the station took in the loop, all its processes together
    busiest: float  # of a core, by the one of its processes that took most: where another core is free for each, it bounds the cars
    loop: float  # s of processor time for each loop, the station's side
    resident: float  # kB a session
    arrival: float  # s from the first arrival until all had power
    well: int  # sessions that ended as they should
    p50: float  # ms until an answer, of all messages, as cars see it
    p99: float  # ms


@dataclass
class Lines:
    """The lines of JSON that a process prints, counted by event."""

    stream: IO[str]
    counts: dict[str, int] = field(default_factory=dict)
    seen: threading.Condition = field(default_factory=threading.Condition)

    def follow(self) -> None:
        """Count until the stream ends."""
        for line in self.stream:
            event = json.loads(line).get("event", "")
            with self.seen:
                self.counts[event] = self.counts.get(event, 0) + 1
                self.seen.notify_all()

    def await_(self, event: str, count: int, fleet: Any) -> None:
        """Wait until so many of an event were seen. SystemExit where the fleet ends before."""
        until = time.monotonic() + HANG
        with self.seen:
            while self.counts.get(event, 0) < count:
                self.seen.wait(1.0)
                if fleet.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"{self.counts.get(event, 0)} of {count} {event}: {self.counts}")


def pinned(core: int) -> list[str]:
    """What puts a command on a core of its own, where there are two."""
    return ["taskset", "-c", str(core)] if len(os.sched_getaffinity(0)) > 1 else []


def spent(process: int) -> float:
    """Processor seconds of a process until now."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(process: int) -> float:
    """Resident memory of a process (kB)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


def processes(station: int) -> list[int]:
    """A station's process, and those that it has started."""
    return [station, *map(int, Path(f"/proc/{station}/task/{station}/children").read_text().split())]


def measured(folder: Path, cars: int, seconds: float, control: str, workers: int = 1) -> Point:
    """One number of cars, whose loops are watched for so many seconds once all of them have power."""
    config = folder / "station.toml"
    outlets = "".join(f'[[outlet]]\nevse_id = "DE*V2G*E{number}"\nport = 0\n' for number in range(1, cars + 1))
    offer = f'services = ["{DC_BPT.name}"]\nauthorizations = ["PnC"]\ncontrols = ["{control.capitalize()}"]\n'
    config.write_text(f'workers = {workers}\nhost = "::1"\nport = 0\npki = "{folder / "pki"}"\n[offer]\n{offer}{outlets}')
    car = folder / "car.toml"
    car.write_text(f"[wish]\npace = {PACE}\n")
    serve = [*(pinned(0) if workers == 1 else []), *COMMAND, "secc", "--config", str(config), "--json"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as station:
        assert station.stdout is not None
        try:
            addresses = [json.loads(station.stdout.readline())["address"] for _ in range(cars)]
            return _driven(folder, station, Lines(station.stdout), addresses, seconds, control)
        finally:
            station.send_signal(signal.SIGKILL)


def _driven(folder: Path, station: Any, lines: Lines, addresses: Sequence[str], seconds: float, control: str) -> Point:
    cars, parts = len(addresses), processes(station.pid)
    before = sum(map(resident, parts))
    threading.Thread(target=lines.follow, daemon=True).start()
    loops = int((cars * ARRIVE * 2 + seconds + 10.0) / PACE)
    wish = [
        "--service",
        DC_BPT.name,
        "--control",
        control,
        "--auth",
        "pnc",
        "--loops",
        str(loops),
        "--departure-in",
        "36000",
        "--soc",
        "30",
    ]
    drive = [*pinned(1), *COMMAND, "ev", "--fleet", str(cars), "--spread", str(cars * ARRIVE), "--pki", str(folder / "pki")]
    drive += ["--config", str(folder / "car.toml"), "--json", "--quiet", *wish]
    drive += [word for address in addresses for word in ("--connect", address)]
    began = time.monotonic()
    with subprocess.Popen(drive, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as fleet:
        lines.await_("power", cars, fleet)
        arrival = time.monotonic() - began
        at, until = list(map(spent, parts)), time.monotonic()
        time.sleep(seconds)
        costs, real = [spent(part) - began for part, began in zip(parts, at, strict=True)], time.monotonic() - until
        cost, each = sum(costs), (sum(map(resident, parts)) - before) / cars
        assert fleet.stdout is not None
        said = json.loads(fleet.stdout.read().splitlines()[-1])
    return Point(
        cars, cost / real, max(costs) / real, cost / (cars * real / PACE), each, arrival, said["well"], said["p50_ms"], said["p99_ms"]
    )


def told(control: str, point: Point) -> str:
    """A point in one line."""
    return (
        f"{control:9} {point.cars:4} cars: {point.share:6.1%} of a core ({point.busiest:.1%} the busiest process), "
        f"{point.loop * 1e3:.2f} ms a loop, "
        f"{point.resident:5.0f} kB a session, "
        f"all with power after {point.arrival:5.1f} s, {point.well} well, answers p50 {point.p50:g} ms, p99 {point.p99:g} ms"
    )


def _points(numbers: Sequence[int], seconds: float, controls: Sequence[str], workers: int = 1) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([*COMMAND, "pki", "create", str(folder / "pki")], check=True, capture_output=True)
        for control in controls:
            points = [measured(folder, number, seconds, control, workers) for number in numbers]
            for point in points:
                print(told(control, point), flush=True)
            if len(points) > 1:
                grown = statistics.mean(point.loop for point in points[1:]) / points[0].loop
                print(f"{control:9} a loop beside many / beside few {grown:.2f}")


def run() -> None:
    """Print the figures."""
    _points(POINTS, 10.0, ("scheduled", "dynamic"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.scale")
    parser.add_argument("--cars", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--control", choices=("scheduled", "dynamic"), default="scheduled")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    _points((options.cars,), options.seconds, (options.control,), options.workers)
