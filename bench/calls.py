"""Calls of Python for each charge loop of a station: a count, which a machine that is busy with other things does not change.

python -m bench.calls --seconds 15 --most 20

The car is a process of its own, with Plug & Charge over TLS 1.3, DC_BPT in Dynamic control and four loops a second.
"""

import argparse
import asyncio
import cProfile
import pstats
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc.backend import LocalBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, SimulatedEVSE
from secc.trust import station_tls, station_verifier
from v2g.iso20.services import DC_BPT
from v2g.session.endpoint import Event, FrameReceived
from v2g.session.link import Observer

SECONDS: Final = 15.0
PACE: Final = 0.25  # s from an answer of the charge loop to the next request


class Loops(Observer):
    """Counts the requests of the charge loop."""

    def __init__(self) -> None:
        self.count = 0
        self.begun = asyncio.Event()

    def event(self, event: Event) -> None:
        if isinstance(event, FrameReceived) and type(event.message).__name__ == "DC_ChargeLoopReq":
            self.count += 1
            self.begun.set()


def station(store: Store, loops: Loops) -> Station:
    """One simulated outlet."""
    loop, clock = asyncio.get_running_loop(), wall_clock()
    evse = SimulatedEVSE(loop.time, lambda: clock.wall(loop.time()), asyncio.sleep, limits=DC_LIMITS)
    outlet = Outlet(evse_id=evse.evse_id, services=(DC_BPT.name,), limits=DC_LIMITS, authorizations=("PnC",))
    place = Place(evse, outlet, LocalBackend(surroundings(clock)), observe=[lambda *_: loops])
    return Station([place], station_tls(store), clock=clock, verifier=station_verifier(store))


async def counted(folder: Path, seconds: float) -> tuple[float, pstats.Stats]:
    """Calls for each loop over so many seconds, from the second loop on, and what they were."""
    store = create(folder / "pki", [build(Plan(), "secp521r1", datetime.now(UTC))])
    profile, loops = cProfile.Profile(), Loops()
    (folder / "car.toml").write_text(f"[wish]\npace = {PACE}\n")
    async with station(store, loops) as serving:
        ((_, port),) = serving.addresses
        command = [sys.executable, "-m", "v2gkit", "ev", "--connect", f"[::1]:{port}", "--pki", str(folder / "pki"), "--auth", "pnc"]
        command += ["--service", DC_BPT.name, "--control", "dynamic", "--loops", str(int(seconds / PACE) + 400)]
        command += ["--config", str(folder / "car.toml")]
        car = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            await loops.begun.wait()
            await asyncio.sleep(2.0)
            before = loops.count
            profile.enable()
            await asyncio.sleep(seconds)
            profile.disable()
        finally:
            car.kill()
            await car.wait()
    stats = pstats.Stats(profile)
    return stats.total_calls / (loops.count - before), stats  # type: ignore[attr-defined]


def run(seconds: float = SECONDS, most: int = 0) -> None:
    """Print the calls for each loop, and of what there were most."""
    with tempfile.TemporaryDirectory() as folder:
        calls, stats = asyncio.run(counted(Path(folder), seconds))
    print(f"a station of ISO 15118-20, DC_BPT: {calls:.0f} calls for each charge loop")
    if most:
        stats.sort_stats("ncalls").print_stats(most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.calls")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--most", type=int, default=0, help="of so many functions the counts, the most first")
    options = parser.parse_args()
    run(options.seconds, options.most)
