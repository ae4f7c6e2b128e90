"""`v2g secc --slac` and `v2g ev --slac`: matched over raw Ethernet, found by SDP, charged, and out of the network again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from secc.config import parse
from tests.starved import again, heed
from v2g.settings.strict import ConfigError
from v2gkit.peers.network import INTERFACE, Cable

ROOT = Path(__file__).parents[3]


def started(namespace: str, *arguments: str) -> "subprocess.Popen[str]":
    command = Cable.inside(namespace, sys.executable, "-m", "v2gkit", *arguments)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)


@again
def test_two_cars_one_after_the_other_match_and_charge(line: Cable) -> None:
    station = started(line.station, "secc", "--slac", INTERFACE, "--no-tls", "--json")
    try:
        assert station.stdout is not None
        assert json.loads(station.stdout.readline())["event"] == "listening"
        for _ in range(2):
            car = started(line.car, "ev", "--slac", INTERFACE, "--no-tls", "--json", "--auth", "eim", "--service", "DC", "--loops", "2")
            out, err = car.communicate(timeout=300)
            said = json.loads(out.splitlines()[-1])
            heed(said, err)
            assert said["ok"], (said, err)
            assert "slac       the modems are in one network" in err
            seen = []
            for text in station.stdout:
                seen.append(json.loads(text))
                if seen[-1].get("what") == "the cable was unplugged":
                    break
            states = [each["state"] for each in seen if each["event"] == "slac"]
            assert states == ["matching", "matched", "linked", "unmatched"]
            assert [each["event"] for each in seen].index("session") > [each.get("state") for each in seen].index("linked")
    finally:
        station.kill()
        station.wait()


def test_where_nobody_is_the_account_says_that_nothing_was_matched(line: Cable) -> None:
    car = started(line.car, "ev", "--slac", INTERFACE, "--no-tls", "--json", "--quiet")
    out, err = car.communicate(timeout=300)
    said = json.loads(out.splitlines()[-1])
    assert not said["ok"]
    assert "no station was matched" in said["reason"], (said, err)
    assert car.returncode == 1


def test_two_outlets_on_one_modem_are_refused() -> None:
    text = 'tls = false\nslac = "plc0"\n[[outlet]]\nevse_id = "A*1"\n[[outlet]]\nevse_id = "A*2"\n'
    with pytest.raises(ConfigError, match="2 outlets match on 'plc0'"):
        parse(text)
