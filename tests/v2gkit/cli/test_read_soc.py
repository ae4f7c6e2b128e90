"""The state of charge and nothing else, in every generation: read by a station that charges nobody, told by a car that came for it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from evcc.generations import NAMED
from tests.starved import again, hear, heed
from tests.v2gkit.cli.test_secc import station
from v2gkit.cli.main import main

EVERY = pytest.mark.parametrize("generation", list(NAMED))
SOC = 37


class Socket:
    """A station in a process of its own, and the lines of its visits."""

    def __init__(self, process: Any, first: dict[str, Any]) -> None:
        self.process, self.address = process, first["address"]

    def visited(self, generation: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What a car of DC that stands at `SOC` says of its visit, and what the station says of it."""
        asked = ["--connect", self.address, "--no-tls", "--generation", generation, "--service", "DC", "--auth", "eim", "--soc", str(SOC)]
        main(["ev", *asked, "--loops", "5", "--json", *arguments])
        car: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        told: list[dict[str, Any]] = []
        while not told or told[-1]["event"] != "ended":
            told.append(json.loads(self.process.stdout.readline()))
        hear(car, told)
        heed(car["reason"])
        return car, told


@pytest.fixture(scope="module")
def reader() -> Iterator[Socket]:
    with station("--host", "127.0.0.1", "--read-soc") as (process, first):
        yield Socket(process, first)


@pytest.fixture(scope="module")
def charger() -> Iterator[Socket]:
    with station("--host", "127.0.0.1") as (process, first):
        yield Socket(process, first)


@EVERY
@again
def test_a_station_that_reads_it_charges_no_car(generation: str, reader: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    """A car of -20 says it in its loop and leaves as it is asked to; an older one says it with its parameters, and is refused there."""
    car, told = reader.visited(generation, capsys)
    ended = told[-1]
    assert [line["soc"] for line in told if line["event"] == "soc"] == [SOC]
    assert ended["asked"] == f"the state of charge was read, {SOC} %, and nothing is charged here"
    assert (ended["soc"], ended["charged"], car["energy_charged"]) == (SOC, 0, pytest.approx(0.0, abs=0.1))
    assert (ended["ok"], ended["how"], car["ok"]) == ((True, "Terminate", True) if generation == "20" else (False, "refused", False))
    assert [line["state"] for line in told if line["event"] == "power"] == (["on", "off"] if generation == "20" else [])


@EVERY
@again
def test_a_car_that_only_tells_it_leaves_in_order(generation: str, charger: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    car, told = charger.visited(generation, capsys, "--script", "read-soc")
    ended = told[-1]
    assert [line["soc"] for line in told if line["event"] == "soc"] == [SOC]
    assert (car["ok"], car["ended"], car["loops"]) == (True, "Terminate", 1 if generation == "20" else 0)
    assert (ended["ok"], ended["how"], ended["asked"]) == (True, "Terminate", "")
    assert (ended["soc"], ended["charged"], car["energy_charged"]) == (SOC, 0, pytest.approx(0.0, abs=0.1))
