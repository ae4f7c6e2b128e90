"""What the live viewer costs a station: CPU with and without --ui, and answers with nobody and with a hundred looking on."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
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

ROUNDS = 4
LOOPS = 1500  # of the session whose CPU is measured: some seconds
CARS, PACE = 4, 0.05  # cars at once while answers are measured, and s between their loops
SECONDS = 12.0  # that they stay
VIEWERS = 100
TICK = os.sysconf("SC_CLK_TCK")
STATION = "host = '127.0.0.1'\n[offer]\nservices = ['DC']\nauthorizations = ['EIM']\n"
CAR = "[wish]\nservices = ['DC']\npace = {}\nloops = {}\n[battery]\ncapacity = 1e9\n"


def run() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _v2g("pki", "create", str(folder / "pki"))
        spent: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(2 * ROUNDS):
            for shown in spent:
                spent[shown].append(_spent(folder, shown))
        alone, watched = (min(spent[shown]) for shown in (False, True))
        print(f"CPU of a station, {LOOPS} loops over TLS   {alone:6.2f} s, with --ui {watched:6.2f} s, ratio {watched / alone:.3f}")
        p99: dict[int, list[float]] = {0: [], VIEWERS: []}
        for _ in range(ROUNDS):
            for viewers in p99:
                p99[viewers].append(_answers(folder, viewers))
        for viewers, found in p99.items():
            print(
                f"p99 in the loop of {CARS} cars, {viewers:3} viewers  {min(found):6.2f} ms, of {', '.join(f'{one:.2f}' for one in found)}"
            )


def _v2g(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "v2g", *arguments], capture_output=True, text=True, check=True, timeout=300)


@contextlib.contextmanager
def _station(folder: Path, shown: bool, outlets: int) -> "Iterator[tuple[subprocess.Popen[str], list[str], str]]":
    """A station in a process of its own, its addresses, and that of its viewer."""
    (folder / "station.toml").write_text(STATION + "".join(f"[[outlet]]\nevse_id = 'DE*V2G*E{n}'\n" for n in range(1, outlets + 1)))
    command = [
        sys.executable,
        "-m",
        "v2g",
        "secc",
        "--config",
        str(folder / "station.toml"),
        "--pki",
        str(folder / "pki"),
        "--port",
        "0",
        "--json",
    ]
    process = subprocess.Popen([*command, *(["--ui"] if shown else [])], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        said = [json.loads(process.stdout.readline()) for _ in range(outlets + shown)]
        url = next((one["url"] for one in said if one["event"] == "viewer"), "")
        yield process, [one["address"] for one in said if one["event"] == "listening"], url
    finally:
        process.kill()
        process.wait()


def _cars(folder: Path, addresses: list[str], pace: float, loops: int) -> dict[str, Any]:
    """What a fleet, one car at each address, has to say of the station's answers."""
    (folder / "car.toml").write_text(CAR.format(pace, loops))
    places = [part for address in addresses for part in ("--connect", address)]
    said: dict[str, Any] = json.loads(
        _v2g("ev", "--config", str(folder / "car.toml"), "--pki", str(folder / "pki"), "--fleet", str(len(addresses)), *places,
             "--json", "--quiet", "--auth", "eim").stdout
    )  # fmt: skip
    assert said["ok"], said
    return said


def _cpu(process: "subprocess.Popen[str]") -> float:
    """CPU seconds of a process and its threads; those that it started count for themselves."""
    fields = (Path("/proc") / str(process.pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _spent(folder: Path, shown: bool) -> float:
    """CPU seconds of the station for one session."""
    with _station(folder, shown, 1) as (process, addresses, _):
        before = _cpu(process)
        _cars(folder, addresses, 0.0, LOOPS)
        return _cpu(process) - before


class _Loops(Observer):
    """How long the answers of the charge loop took, as a car sees it."""

    def __init__(self) -> None:
        self.took: list[float] = []

    def event(self, event: Event) -> None:
        if isinstance(event, FrameReceived) and event.since_previous is not None and isinstance(event.message, ChargeLoopResType):
            self.took.append(event.since_previous)


async def _visits(store: Store, addresses: list[str]) -> list[float]:
    loops, clock = _Loops(), wall_clock()
    now = asyncio.get_running_loop().time()
    wish = Wish(store.vehicle.common_name, (DC.name,), authorizations=("EIM",), loops=int(SECONDS / PACE), pace=PACE)
    visits = [Visit(Config(soc=20.0, wish=wish).car(clock, now), tls=vehicle_tls(store), observe=[lambda *_: loops]) for _ in addresses]
    results = await asyncio.gather(*(visit.at(*host_and_port(address)) for visit, address in zip(visits, addresses, strict=True)))
    wrong = [str(result.ended.error) for result in results if not result.ended.well]
    if wrong:
        print(f"not counted: {'; '.join(wrong)}")  # a machine without a processor to spare misses a timer
    return [] if wrong else loops.took


def _answers(folder: Path, viewers: int) -> float:
    """The p99 (ms) of the answers in the loop to several cars, with so many viewers on the stream."""
    took: list[float] = []
    while not took:
        with _station(folder, True, CARS) as (_, addresses, url), _looking(url, viewers):
            took = sorted(asyncio.run(_visits(Store(folder / "pki"), addresses)))
    return took[int(0.99 * len(took))] * 1e3


@contextlib.contextmanager
def _looking(url: str, viewers: int) -> Iterator[None]:
    """Viewers in a process of their own."""
    command = [sys.executable, "-m", "bench._viewers", url, str(viewers)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
