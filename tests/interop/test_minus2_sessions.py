"""The foreign car of ISO 15118-2 and of DIN SPEC 70121 at our station over a socket, where it is installed, with EIM."""

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


@pytest.mark.parametrize(
    ("protocol", "mode"),
    [("ISO_15118_2", "DC_extended"), ("ISO_15118_2", "AC_three_phase_core"), ("DIN_SPEC_70121", "DC_extended")],
)
def test_a_foreign_car_charges_at_our_station(protocol: str, mode: str, tmp_path: Path) -> None:
    equip(PEER)
    service = mode[:2]
    path = os.pathsep.join(filter(None, (str(SOURCE), os.environ.get("PYTHONPATH"))))
    offer = ("--services", service, "--auth", "EIM", "--no-tls", "--json", "--once")
    ours = (sys.executable, "-m", "v2gkit", "secc", "--host", "::1", "--port", "0", *offer)

    async def story() -> tuple[dict[str, object], dict[str, object]]:
        station = Process("our station", ours, environment={**os.environ, "PYTHONPATH": path}, folder=tmp_path, log=tmp_path / "secc.log")
        async with station as serving:
            port = str((await serving.expect("address", START))["address"]).rpartition(":")[2]
            said = ("--connect", f"::1,{port}", "--mode", mode, "--loops", str(LOOPS), "--protocol", protocol)
            command = (str(PEER.python), str(DRIVERS / "ecog_car2.py"), *said)
            environment = PEER.environment(service, False, "EIM", contract=False) | {"PROTOCOLS": protocol}
            car = Process("foreign car", command, environment=environment, folder=tmp_path, log=tmp_path / "car.log")
            async with car as driving:
                await driving.finish(START + SESSION)
                await serving.finish(SESSION)
                return driving.last, serving.last

    theirs, ended = asyncio.run(story())
    assert (theirs["ok"], theirs["protocol"], theirs["state"]) == (True, protocol, "SessionStop"), theirs
    assert (ended["ok"], ended["how"], ended["service"], ended["auth"]) == (True, "Terminate", service, "EIM"), ended
    assert protocol != "ISO_15118_2" or ended["loops"] == theirs["loops"]  # in DIN the package asks in other places whether to go on
    assert ended["loops"] >= 1  # type: ignore[operator]
    assert ended["objected"] == []
