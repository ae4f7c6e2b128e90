"""A station that is scraped beside a charging car: the figures are what happened, and a reader who does not read costs nothing."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from secc import station as words
from tests.starved import again
from tests.v2gkit.cli.test_secc import car, station, wait_for
from v2g.exi.derive import least
from v2g.messages.iso2.msg_body import ChargingStatusRes
from v2g.messages.iso2.msg_data_types import MeterInfoType
from v2g.session.endpoint import Ended, FrameSent, Noted
from v2g.session.link import Connected, Disconnected
from v2gkit.station.metrics import Figures

EVSE = "DE*V2G*E1"


class Scraped:
    """What an address answers, sample by sample."""

    def __init__(self, url: str):
        with urllib.request.urlopen(url, timeout=300) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        self.samples = [sample for family in families for sample in family.samples]

    def all(self, name: str, **labels: str) -> list[float]:
        """The values of those that have this name and these labels."""
        return [each.value for each in self.samples if each.name == name and each.labels.items() >= labels.items()]

    def one(self, name: str, **labels: str) -> float:
        """The value of the only one."""
        (value,) = self.all(name, evse=EVSE, **labels)
        return value


@again
def test_figures_of_a_session_and_of_a_stranger() -> None:
    with station("--services", "DC_BPT,DC", "--metrics", "0", "--time-scale", "600") as (process, first):
        url = wait_for(process, "metrics")["url"]
        assert url.startswith("http://127.0.0.1:")
        silent = socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0])))  # a scraper that asks and never reads
        silent.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        began = time.monotonic()
        said = car(first["address"], "--service", "DC", "--loops", "5", "--time-scale", "600")
        took = time.monotonic() - began
        assert said["ok"], said
        account = wait_for(process, "ended")
        host, _, port = first["address"].rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as one:
            one.sendall(b"GET / HTTP/1.1\r\n\r\n")
            wait_for(process, "ended")
        while (seen := Scraped(url)).one("v2g_connections"):  # what ended is told before the socket is closed
            time.sleep(0.05)
        silent.close()
    assert seen.one("v2g_messages_total", message="DC_ChargeLoopReq", direction="received") == said["loops"] == 5
    assert seen.one("v2g_messages_total", message="DC_ChargeLoopRes", direction="sent") == 5
    assert seen.one("v2g_sessions_total", how="Terminate", requirement="") == 1
    assert sum(seen.all("v2g_sessions_total")) == 2
    assert seen.one("v2g_response_seconds_count", message="SessionSetupRes") == 1
    assert seen.one("v2g_response_seconds_sum", message="SessionSetupRes") > 0
    assert sum(seen.all("v2g_response_seconds_sum")) < took
    assert account["charged"] > 0
    assert seen.one("v2g_energy_wh_total", direction="charged") == account["charged"]  # and the car's, in virtual time: test_report.py
    assert seen.all("v2g_task_running", task=f"limits of {EVSE}") == [1]
    assert seen.all("v2g_task_falls_total", task=f"limits of {EVSE}") == [0]


@again
def test_a_refusal_is_counted_by_its_code() -> None:
    with station("--eim", "refuse", "--metrics", "0") as (process, first):
        url = wait_for(process, "metrics")["url"]
        assert not car(first["address"], "--service", "DC", "--loops", "1")["ok"]
        wait_for(process, "ended")
        seen = Scraped(url)
    assert sum(seen.all("v2g_refusals_total", message="AuthorizationRes")) >= 1
    codes = {each.labels["code"] for each in seen.samples if each.name == "v2g_refusals_total"}
    assert codes
    assert all(code.startswith(("WARNING", "FAILED")) for code in codes)


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "v2gkit", "secc", "--no-tls", "--port", "0", "--metrics", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "the address is in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize(("resumed", "counted"), [(False, 700), (True, 200)])
def test_energy_of_before_a_pause_is_not_counted_twice(resumed: bool, counted: int) -> None:
    figures = Figures()
    watch = figures.watching("E1")(("", 0), ("", 0), 1)
    watch.event(Connected(0.0, ("", 0), ("", 0)))
    watch.event(words.SessionStarted(0.0, b"", "", resumed))
    for charged in (500, 600, 700):
        watch.event(Noted(1.0, "ended", {"charged": charged, "discharged": 0}))
    assert figures.registry.get_sample_value("v2g_energy_wh_total", {"evse": "E1", "direction": "charged"}) == counted
    assert figures.registry.get_sample_value("v2g_connections", {"evse": "E1"}) == 1
    watch.event(Disconnected(2.0, "peer", True))
    watch.event(Disconnected(2.0, "peer", True))
    assert figures.registry.get_sample_value("v2g_connections", {"evse": "E1"}) == 0


def test_a_car_of_iso_15118_2_is_counted_to_its_end_whatever_its_meter_is_called() -> None:
    figures = Figures()
    watch = figures.watching("E1")(("", 0), ("", 0), 1)
    watch.event(Connected(0.0, ("", 0), ("", 0)))
    watch.event(FrameSent(1.0, 0x8001, "iso2", b"", least(ChargingStatusRes, MeterInfo=MeterInfoType(MeterID="meter", MeterReading=1500))))
    watch.event(Noted(2.0, "ended", {"charged": 700, "discharged": 0}))
    watch.event(Disconnected(3.0, "peer", True, ended=Ended("Terminate")))
    value = figures.registry.get_sample_value
    assert value("v2g_energy_wh_total", {"evse": "E1", "direction": "charged"}) == 700
    assert value("v2g_sessions_total", {"evse": "E1", "how": "Terminate", "requirement": ""}) == 1
