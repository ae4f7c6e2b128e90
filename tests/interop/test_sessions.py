"""One session of each kind with the foreign peer, where it is installed; `make interop` runs all of them."""

import asyncio
import shutil
from pathlib import Path

import pytest

from v2g.session.profiles import PROFILES
from v2gkit.peers.bench import Bench, Cell
from v2gkit.peers.ecog_setup import Peer, equip

PEER = Peer(Path(__file__).parents[2] / ".interop")
IN_TLS = ("group ", "own scheme ", "peer scheme ")  # the transport words these from what was negotiated

MISSING = not PEER.python.exists() or not shutil.which("java")
pytestmark = pytest.mark.skipif(MISSING, reason="the foreign peer is not installed: make interop installs it, and needs Java")


@pytest.mark.parametrize("role", ["car", "station"])
def test_plug_and_charge_back_to_the_grid(role: str, tmp_path: Path) -> None:
    equip(PEER)
    bench = Bench(PEER, tmp_path, tmp_path / "logs")
    seen = asyncio.run(bench.run(Cell(role, "DC_BPT", "scheduled", "pnc", "tls13")))
    assert seen.ok, seen
    assert seen.loops == bench.loops
    known = {deviation.name for deviation in PROFILES["interop"]}
    for relaxation in seen.relaxed:
        assert relaxation.rpartition(" [")[0] in known or relaxation.startswith(IN_TLS), relaxation
    assert any("secp256r1" in relaxation for relaxation in seen.relaxed)
