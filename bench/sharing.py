"""The same cars by one process and by workers: what the busiest process takes, which bounds the cars where each has a core.

    python -m bench.sharing [--cars 20] [--loops 100] [--workers 2] [--ocpp]

Cars of ISO 15118-2 at AC on plain TCP, 4 loops a second: they wait 2 s for an answer, so that all end in order on a machine with other
work, and the work is the same each time. Processor time of each process, from its first car to its last. With --ocpp a CSMS of the
laboratory decides, in a process of its own, and everything that it has to know passes from worker to parent.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.scale import COMMAND, PACE, processes, spent
from v2g.iso20.services import AC

SPREAD: Final = 5.0  # s within which the cars come


def taken(folder: Path, cars: int, loops: int, workers: int, csms: str) -> list[float]:
    """Processor seconds of each process of a station, the parent first, for so many cars."""
    config, car = folder / "station.toml", folder / "car.toml"
    outlets = "".join(f'[[outlet]]\nevse_id = "DE*V2G*E{number}"\n' for number in range(1, cars + 1))
    decides = f'ocpp = "{csms}"\n' if csms else ""
    offer = f'[offer]\nservices = ["{AC.name}"]\nauthorizations = ["EIM"]\n'
    config.write_text(f'host = "::1"\nport = 0\ntls = false\nworkers = {workers}\n{decides}{offer}{outlets}')
    car.write_text(f"[wish]\npace = {PACE}\n")
    serve = [*COMMAND, "secc", "--config", str(config), "--json"]
    with (folder / "lines").open("w") as lines, subprocess.Popen(serve, stdout=lines, stderr=subprocess.DEVNULL) as station:
        try:
            addresses = _listening(folder / "lines", cars)
            parts = processes(station.pid)
            began = [spent(part) for part in parts]
            drive = [*COMMAND, "ev", "--fleet", str(cars), "--spread", str(SPREAD), "--config", str(car), "--no-tls", "--json", "--quiet"]
            wish = [
                "--generation",
                "2",
                "--service",
                AC.name,
                "--auth",
                "eim",
                "--loops",
                str(loops),
                "--soc",
                "30",
                "--departure-in",
                "36000",
            ]
            come = [*drive, *wish, *(word for each in addresses for word in ("--connect", each))]
            said = json.loads(subprocess.run(come, capture_output=True, text=True, check=False).stdout.splitlines()[-1])
            if said["well"] != cars or said["loops"] < cars * loops:
                raise SystemExit(f"{said['well']} of {cars} cars ended in order, {said['loops']} loops: {said['reasons']}")
            return [spent(part) - before for part, before in zip(parts, began, strict=True)]
        finally:
            station.send_signal(signal.SIGKILL)


def _listening(lines: Path, outlets: int) -> list[str]:
    while True:
        said = [json.loads(line) for line in lines.read_text().split("\n")[:-1]]
        found = [str(one["address"]) for one in said if one["event"] == "listening"]
        if len(found) == outlets:
            return found
        time.sleep(0.05)


@contextlib.contextmanager
def csms() -> Iterator[str]:
    """The address of a CSMS of the laboratory, for the block."""
    command = [*COMMAND, "csms", "--port", "0", "--json", "--strategy", "none"]
    with tempfile.TemporaryFile("w+") as story, subprocess.Popen(command, stdout=story, stderr=subprocess.DEVNULL) as process:
        try:
            while not (line := _first(story)):
                time.sleep(0.05)
            yield f"ws://127.0.0.1:{json.loads(line)['port']}/ocpp"
        finally:
            process.kill()


def _first(story: object) -> str:
    story.seek(0)  # type: ignore[attr-defined]
    return str(story.read().partition("\n")[0])  # type: ignore[attr-defined]


def shared(cars: int, loops: int, workers: int, ocpp: bool) -> None:
    """Print what one process takes, and what each of several."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(csms()) if ocpp else ""
        alone = taken(Path(stack.enter_context(tempfile.TemporaryDirectory())), cars, loops, 1, url)
        apart = taken(Path(stack.enter_context(tempfile.TemporaryDirectory())), cars, loops, workers, url)
    each = ", ".join(f"{one:.2f}" for one in apart[1:])
    decided = "a CSMS decides" if ocpp else "each outlet decides"
    print(f"{cars} cars of {loops} loops, {decided}: one process {alone[0]:.2f} s; parent {apart[0]:.2f} s, workers {each} s")
    print(f"all together {sum(apart) / alone[0]:.2f} times as much, the busiest {alone[0] / max(apart):.2f} times less")


def run() -> None:
    """Print the figures."""
    shared(20, 100, 2, False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.sharing")
    parser.add_argument("--cars", type=int, default=20)
    parser.add_argument("--loops", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ocpp", action="store_true")
    options = parser.parse_args()
    shared(options.cars, options.loops, options.workers, options.ocpp)
