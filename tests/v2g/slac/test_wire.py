"""Matching over raw Ethernet: two processes in namespaces of their own, simulated modems between them, and a foreign station."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.starved import HANG
from v2gkit.peers.network import INTERFACE, Cable
from v2gkit.peers.pyslac_setup import PROGRAM, python_of

ROOT = Path(__file__).parents[3]
SIDE = textwrap.dedent(
    """
    import asyncio, json, os, sys
    from v2g.slac.car import EvMatching
    from v2g.slac.station import EvseMatching
    from v2g.slac.wire import Wire

    async def main():
        async with Wire(sys.argv[2]) as wire:
            side = {"car": EvMatching, "station": EvseMatching}[sys.argv[1]](wire.mac, wire.now(), entropy=os.urandom)
            def tell(step):
                print(json.dumps({"state": step.state, "what": step.what, **step.facts}), flush=True)
            print(json.dumps({"state": "ready"}), flush=True)
            await asyncio.wait_for(wire.run(side, tell, until=lambda: side.state in ("linked", "failed")), 300)

    asyncio.run(main())
    """
)


def started(namespace: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = Cable.inside(namespace, *arguments)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)


def pinged(ends: Cable) -> bool:
    """Whether the car reaches the station by IPv6."""
    show = subprocess.run(
        ("ip", "-n", ends.station, "-6", "-o", "addr", "show", "dev", INTERFACE), capture_output=True, text=True, check=True
    )
    address = show.stdout.split("inet6 ")[1].split("/")[0]
    program = f"""
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM); s.settimeout(3)
try: s.connect(("{address}", 9, 0, socket.if_nametoindex("{INTERFACE}")))
except ConnectionRefusedError: sys.exit(0)
except OSError: sys.exit(1)
"""
    return subprocess.run(Cable.inside(ends.car, sys.executable, "-c", program), timeout=HANG).returncode == 0


def test_a_link_stands_once_both_have_matched_and_not_before(line: Cable) -> None:
    assert not pinged(line)
    station = started(line.station, sys.executable, "-c", SIDE, "station", INTERFACE)
    assert station.stdout is not None
    assert json.loads(station.stdout.readline()) == {"state": "ready"}
    car = started(line.car, sys.executable, "-c", SIDE, "car", INTERFACE)
    heard, complaints = car.communicate(timeout=HANG)
    assert json.loads(heard.splitlines()[-1])["state"] == "linked", (heard, complaints)
    told, complaints = station.communicate(timeout=HANG)
    assert json.loads(told.splitlines()[-1])["state"] == "linked", (told, complaints)
    assert pinged(line)


def test_without_the_right_to_raw_ethernet_the_cure_is_said() -> None:
    program = "import asyncio; from v2g.slac.wire import Wire; Wire('lo')"
    drop = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable, "-c", program)
    try:
        done = subprocess.run(drop, capture_output=True, text=True, cwd=ROOT, timeout=HANG, env={**os.environ, "PYTHONPATH": str(ROOT)})
    except FileNotFoundError:
        pytest.skip("no setpriv on this machine")
    if "setpriv" in done.stderr:
        pytest.skip(f"capabilities cannot be dropped here: {done.stderr.strip()}")
    assert "CAP_NET_RAW" in done.stderr


def test_an_interface_that_is_none_is_named() -> None:
    from v2g.session.link import Unreachable
    from v2g.slac.wire import Wire

    with pytest.raises(Unreachable, match="'nosuch0'"):
        Wire("nosuch0")


def test_our_car_matches_at_a_foreign_station(line: Cable) -> None:
    """PyPI `pyslac`: what it does with our frames, and what ours does with its."""
    python = python_of(ROOT / ".interop")
    if not python.exists():
        pytest.skip("pyslac is not installed; `make interop` does")
    station = started(line.station, str(python), str(PROGRAM), INTERFACE)
    try:
        assert station.stdout is not None
        assert json.loads(station.stdout.readline() or "{}") == {"step": "ready"}, station.communicate(timeout=HANG)
        car = started(line.car, sys.executable, "-c", SIDE, "car", INTERFACE)
        heard, complaints = car.communicate(timeout=HANG)
        steps = [json.loads(step) for step in heard.splitlines()]
        assert steps[-1]["state"] == "linked", (heard, complaints)
        told, _ = station.communicate(timeout=HANG)
    finally:
        station.kill()
    assert json.loads(told.splitlines()[-1])["step"] == "matched"
    assert next(step for step in steps if step["state"] == "matched")["attenuation"] == pytest.approx(4, abs=0.5)
