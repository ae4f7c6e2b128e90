"""The foreign car of ISO 15118-2 and of DIN SPEC 70121 at our station, and our car at the foreign station, over a socket, with EIM."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.starved import again, heed
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


@again
def test_our_car_charges_at_the_foreign_station(tmp_path: Path) -> None:
    """By AC: in DC its codec takes longer than the 0.25 s of CurrentDemand where a machine is busy."""
    equip(PEER)
    path = os.pathsep.join(filter(None, (str(SOURCE), os.environ.get("PYTHONPATH"))))
    environment = PEER.environment("AC", False, "EIM", contract=False) | {"PROTOCOLS": "ISO_15118_2"}
    command = (str(PEER.python), str(DRIVERS / "ecog_station.py"), "--listen", "::1,0", "--current", "AC", "--timeout-factor", "20")
    wish = ("--generation", "2", "--service", "AC", "--loops", str(LOOPS), "--auth", "eim", "--profile", "interop", "--no-tls", "--json")

    async def story() -> tuple[dict[str, object], dict[str, object]]:
        station = Process("foreign station", command, environment=environment, folder=tmp_path, log=tmp_path / "secc.log")
        async with station as serving:
            port = (await serving.expect("port", START))["port"]
            ours = (sys.executable, "-m", "v2gkit", "ev", "--connect", f"[::1]:{port}", *wish)
            car = Process("our car", ours, environment={**os.environ, "PYTHONPATH": path}, folder=tmp_path, log=tmp_path / "ev.log")
            async with car as driving:
                await driving.finish(START + SESSION)
                await serving.finish(SESSION)
                return serving.last, driving.last

    theirs, ours = asyncio.run(story())
    heed(ours["reason"])
    assert (ours["ok"], ours["service"], ours["auth"], ours["loops"]) == (True, "AC", "eim", LOOPS), ours
    assert (theirs["ok"], theirs["protocol"], theirs["state"]) == (True, "ISO_15118_2", "SessionStop"), theirs
    assert float(str(ours["energy_charged"])) > 0
