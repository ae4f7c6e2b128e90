"""The foreign car of ISO 15118-2 at our station over a socket, where it is installed: AC and DC with EIM."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from v2gkit.peers.bench import DRIVERS, SESSION, SOURCE, START
from v2gkit.peers.ecog_setup import Peer, equip
from v2gkit.peers.process import Process

PEER = Peer(Path(__file__).parents[2] / ".interop")
MISSING = not PEER.python.exists() or not shutil.which("java")
pytestmark = pytest.mark.skipif(MISSING, reason="the foreign peer is not installed: make interop installs it, and needs Java")
LOOPS = 5


@pytest.mark.parametrize("mode", ["DC_extended", "AC_three_phase_core"])
def test_a_foreign_car_of_minus_2_charges_at_our_station(mode: str, tmp_path: Path) -> None:
    equip(PEER)
    service = mode[:2]
    path = os.pathsep.join(filter(None, (str(SOURCE), os.environ.get("PYTHONPATH"))))
    offer = ("--services", service, "--auth", "EIM", "--no-tls", "--json", "--once")
    ours = (sys.executable, "-m", "v2gkit", "secc", "--host", "::1", "--port", "0", *offer)

    async def story() -> tuple[dict[str, object], dict[str, object]]:
        station = Process("our station", ours, environment={**os.environ, "PYTHONPATH": path}, folder=tmp_path, log=tmp_path / "secc.log")
        async with station as serving:
            port = str((await serving.expect("address", START))["address"]).rpartition(":")[2]
            command = (str(PEER.python), str(DRIVERS / "ecog_car2.py"), "--connect", f"::1,{port}", "--mode", mode, "--loops", str(LOOPS))
            environment = PEER.environment(service, False, "EIM", contract=False) | {"PROTOCOLS": "ISO_15118_2"}
            car = Process("foreign car", command, environment=environment, folder=tmp_path, log=tmp_path / "car.log")
            async with car as driving:
                await driving.finish(START + SESSION)
                await serving.finish(SESSION)
                return driving.last, serving.last

    theirs, ended = asyncio.run(story())
    assert (theirs["ok"], theirs["protocol"], theirs["state"]) == (True, "ISO_15118_2", "SessionStop"), theirs
    assert (ended["ok"], ended["how"], ended["service"], ended["auth"]) == (True, "Terminate", service, "EIM"), ended
    assert ended["loops"] == theirs["loops"]
    assert ended["objected"] == []
