"""What the live viewer costs a station: CPU with and without --ui, and answers with nobody and with a hundred looking on.

Whatever else the machine does, it does to both sides: within one session the station's observer looks on in turns and away in those
between, and viewers come and go in turns. What is compared are neighbours.
"""

import asyncio
import contextlib
import json
import math
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evcc.car import Wish
from evcc.client import Visit
from evcc.config import Config
from evcc.trust import vehicle_tls
from pki.store import Store
from secc.server import wall_clock
from v2g.address import host_and_port
from v2g.iso20.services import DC
from v2g.messages.common_types import ChargeLoopResType
from v2g.session.endpoint import Event, FrameReceived
from v2g.session.link import Observer

PACES = ((0.0, 400, 0.2), (0.25, 24, 3.0))  # s between loops, turns, s of each: as fast as it goes, and four in a second
CARS, PACE = 4, 0.05  # cars at once while answers are measured, and s between their loops
TURNS, TURN, SETTLING = 30, 2.0, 0.5  # turns with and without viewers, s of each, and its first s that are not counted
VIEWERS = 100
MOST = 1.05  # times the CPU of a station that nobody observes
STATION = "host = '127.0.0.1'\n[offer]\nservices = ['DC']\nauthorizations = ['EIM']\n"
CAR = "[wish]\nservices = ['DC']\npace = {}\nloops = 1000000\n[battery]\ncapacity = 1e9\n"
Station = tuple["subprocess.Popen[str]", list[str], str]


def run() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _v2g("pki", "create", str(folder / "pki"))
        for pace, turns, seconds in PACES:
            _say_spent(pace, _spent(folder, pace, turns, seconds))
        _say_answers(*_answers(folder))


def _say_spent(pace: float, turns: list[tuple[bool, float, int]]) -> None:
    loops = {each: sum(turn[2] for turn in turns if turn[0] is each) for each in (False, True)}
    costs = [spent / max(1, found) * 1e3 for _, spent, found in turns]  # ms a loop
    ratios = [one / (0.5 * (costs[n - 1] + costs[n + 1])) for n, one in enumerate(costs[:-1]) if turns[n][0]]
    alone, watched = (statistics.median(cost for cost, turn in zip(costs, turns, strict=True) if turn[0] is each) for each in (False, True))
    ratio, error = statistics.median(ratios), 1.25 * statistics.stdev(ratios) / math.sqrt(len(ratios))
    print(
        f"CPU of a station over TLS, {f'{1 / pace:g} loops a second' if pace else 'as fast as it goes'}: {alone:.3f} ms a loop, with --ui "
        f"{watched:.3f} ms; ratio {ratio:.3f} +- {error:.3f} (median of {len(ratios)} turns, {loops[False]} and {loops[True]} loops): "
        f"{'met' if ratio <= MOST else 'MISSED'}"
    )


def _say_answers(alone: list[float], watched: list[float]) -> None:
    for viewers, took in ((0, alone), (VIEWERS, watched)):
        median, p99 = (sorted(took)[int(part * len(took))] * 1e3 for part in (0.5, 0.99))
        print(f"answers in the loop of {CARS} cars, {viewers:3} viewers: p99 {p99:6.2f} ms, median {median:5.2f} ms, of {len(took)}")


def _v2g(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "v2g", *arguments], capture_output=True, text=True, check=True, timeout=300)


@contextlib.contextmanager
def _station(folder: Path, outlets: int, *module: str) -> Iterator[Station]:
    """A station in a process of its own, its addresses, and that of its viewer."""
    config = folder / f"station-{outlets}.toml"
    config.write_text(STATION + "".join(f"[[outlet]]\nevse_id = 'DE*V2G*E{n}'\n" for n in range(1, outlets + 1)))
    options = ["--config", str(config), "--pki", str(folder / "pki"), "--port", "0", "--json"]
    command = [sys.executable, "-m", *(module or ("v2g", "secc", "--ui")), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        said = [json.loads(process.stdout.readline()) for _ in range(outlets + 1)]
        url = next((one["url"] for one in said if one["event"] == "viewer"), "")
        yield process, [one["address"] for one in said if one["event"] == "listening"], url
    finally:
        process.kill()
        process.wait()


def _spent(folder: Path, pace: float, turns: int, seconds: float) -> list[tuple[bool, float, int]]:
    """The turns of a station: whether it was observed, its CPU (s), its loops."""
    (folder / "car.toml").write_text(CAR.format(pace))
    while True:
        with _station(folder, 1, "bench._observed", str(turns), str(seconds)) as (process, addresses, _), _car(folder, addresses[0]) as car:
            assert process.stdout is not None

            def ended(car: Any = car, process: Any = process) -> None:
                car.wait()
                process.kill()

            watch = threading.Thread(target=ended, daemon=True)
            watch.start()
            for line in process.stdout:
                if line.startswith("turns "):
                    return [(bool(turn[0]), float(turn[1]), int(turn[2])) for turn in json.loads(line[6:])]
        print("not counted: the car left early")


@contextlib.contextmanager
def _car(folder: Path, address: str) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", "v2g", "ev", "--config", str(folder / "car.toml"), "--pki", str(folder / "pki")]
    process = subprocess.Popen([*command, "--connect", address, "--quiet", "--auth", "eim"], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class _Loops(Observer):
    """How long the answers of the charge loop took, as a car sees it, each with the time at which it came."""

    def __init__(self) -> None:
        self.took: list[tuple[float, float]] = []

    def event(self, event: Event) -> None:
        if isinstance(event, FrameReceived) and event.since_previous is not None and isinstance(event.message, ChargeLoopResType):
            self.took.append((event.at, event.since_previous))


def _answers(folder: Path) -> tuple[list[float], list[float]]:
    """How long (s) the answers in the loop to several cars took, in turns without viewers, and in those with them."""
    while True:
        with _station(folder, CARS) as (_, addresses, url), _onlookers(url) as viewers:
            found = asyncio.run(_visited(Store(folder / "pki"), addresses, viewers))
        if found is not None:
            return found


async def _visited(store: Store, addresses: list[str], viewers: "subprocess.Popen[str]") -> tuple[list[float], list[float]] | None:
    loops, clock, now = _Loops(), wall_clock(), asyncio.get_running_loop().time
    wish = Wish(store.vehicle.common_name, (DC.name,), authorizations=("EIM",), loops=1_000_000, pace=PACE)
    visits = [Visit(Config(soc=20.0, wish=wish).car(clock, now()), tls=vehicle_tls(store), observe=[lambda *_: loops]) for _ in addresses]
    running = [asyncio.create_task(visit.at(*host_and_port(place))) for visit, place in zip(visits, addresses, strict=True)]
    turns: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    for turn in range(TURNS):
        await asyncio.to_thread(_told, viewers, "leave" if turn % 2 == 0 else "join")
        begun = now()
        await asyncio.sleep(TURN)
        turns[turn % 2].append((begun + SETTLING, now()))
    wrong = [str(task.result().ended.error) for task in running if task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    if wrong:
        print(f"not counted: {'; '.join(wrong)}")  # a machine without a processor to spare misses a timer
        return None
    alone, watched = ([took for at, took in loops.took if any(start <= at <= end for start, end in each)] for each in turns)
    return alone, watched


def _told(viewers: "subprocess.Popen[str]", word: str) -> None:
    assert viewers.stdin is not None
    assert viewers.stdout is not None
    viewers.stdin.write(f"{word}\n")
    viewers.stdin.flush()
    if not viewers.stdout.readline():
        raise SystemExit("the viewers have ended")


@contextlib.contextmanager
def _onlookers(url: str) -> "Iterator[subprocess.Popen[str]]":
    """Viewers in a process of their own, which come and go as they are told."""
    command = [sys.executable, "-m", "bench._viewers", url, str(VIEWERS)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
