"""The foreign car of ISO 15118-2 and of DIN SPEC 70121 at our station, and our car at the foreign station; `make interop` plays all."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.starved import again, heed
from v2g.session.profiles import EVERYWHERE, PROFILES
from v2gkit.peers.bench import Bench, Cell
from v2gkit.peers.ecog_setup import Peer, equip

PEER = Peer(Path(__file__).parents[2] / ".interop")
MISSING = not PEER.python.exists() or not shutil.which("java")
pytestmark = pytest.mark.skipif(MISSING, reason="the foreign peer is not installed: make interop installs it, and needs Java")


@pytest.mark.parametrize(
    "cell",
    [
        Cell("car", "AC", "", "pnc", "tls12", generation="2"),
        Cell("car", "DC", "", "pnc", "tls12", about="installed", generation="2"),
        Cell("car", "DC", "", "eim", "tcp", about="told", generation="DIN"),
        Cell("station", "DC", "", "pnc", "tls12", about="installed", generation="2"),
        Cell("station", "DC", "", "eim", "tcp", generation="DIN"),
    ],
    ids=str,
)
@again
def test_a_session_with_the_foreign_peer(cell: Cell, tmp_path: Path) -> None:
    """In each role; Plug & Charge over TLS 1.2, with a contract that was installed in the session; a stop that the station asks for."""
    equip(PEER)
    seen = asyncio.run(Bench(PEER, tmp_path, tmp_path / "logs").run(cell))
    heed(seen.ours.get("reason"))
    assert seen.ok, seen
    assert seen.ours.get("objected", []) == []
    known = {deviation.name for deviation in (*EVERYWHERE, *PROFILES["interop"])}
    assert {relaxation.rpartition(" [")[0] for relaxation in seen.relaxed} <= known, seen.relaxed
