"""The page of the fleet: stations, power and schedule as they happen, in every width, and on to the session's viewer."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.browser.conftest import Opened, process
from tests.browser.layout import faults
from tests.browser.test_hostile import HOSTILE, innocent
from tests.browser.test_layout import PICTURES, SIZES

NUMBERS = itertools.count(1)
V2X = {"maxChargePower": 11_000, "maxDischargePower": 11_000, "minChargePower": 0, "minDischargePower": 0}
NEEDS = {"requestedEnergyTransfer": "DC_BPT", "controlMode": "DynamicControl", "v2xChargingParameters": V2X}


def now(before: float = 0.0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - before))


def say(station: ClientConnection, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Send a call and wait for its answer; calls of the CSMS are accepted meanwhile."""
    id_ = str(next(NUMBERS))
    station.send(json.dumps([2, id_, action, payload]))
    while True:
        kind, number, *rest = json.loads(station.recv(60))
        if kind == 2:
            station.send(json.dumps([3, number, {"status": "Accepted"}]))
        elif number == id_:
            assert kind == 3, rest
            answer: dict[str, Any] = rest[0]
            return answer


def transaction(number: int, power: float, kind: str = "Updated") -> dict[str, Any]:
    direction = "Import" if power >= 0 else "Export"
    sampled = [{"measurand": f"Power.Active.{direction}", "value": abs(power)}]
    sampled += [{"measurand": f"Energy.Active.{way}.Register", "value": 1000.0 + 10 * number} for way in ("Import", "Export")]
    at = now(40 - number)
    told = {"eventType": kind, "triggerReason": "MeterValuePeriodic", "seqNo": number, "timestamp": at, "evse": {"id": 1}}
    info = {"transactionId": "0b8f-session", "chargingState": "Charging"}
    return told | {"transactionInfo": info, "meterValue": [{"timestamp": at, "sampledValue": sampled}]}


@contextmanager
def fleet(folder: Path) -> Iterator[str]:
    """A CSMS whose page is served, with a station in a session that discharges, one that is idle, one that says hostile things."""
    options = ["csms", "--port", "0", "--strategy", "setpoint", "--setpoint", "-5000", "--json", "--state", str(folder), "--api", "--ui"]
    with process(*options) as csms, ExitStack() as links:
        assert csms.stdout is not None
        said: dict[str, Any] = {}
        while "fleet" not in said:
            line = json.loads(csms.stdout.readline())
            said[line["topic"]] = line
        where = said["listening"]["url"].replace("/STATION", "")
        stations = [links.enter_context(connect(f"{where}/{name}", subprotocols=["ocpp2.1"])) for name in ("CS-1", "CS-2", "CS-3")]  # type: ignore[list-item]
        for station, model in zip(stations, ("one", "two", HOSTILE[:20].replace("\x00", "")), strict=True):
            named = {"vendorName": "V", "model": model}
            say(station, "BootNotification", {"reason": "PowerUp", "chargingStation": named})
        running = stations[0]
        status = {"timestamp": now(), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
        say(running, "StatusNotification", status)
        say(running, "TransactionEvent", transaction(0, 0.0, "Started"))
        say(running, "NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": NEEDS})
        for number in range(1, 40):
            say(running, "TransactionEvent", transaction(number, 3000.0 if number < 20 else -5000.0))
        say(stations[2], "SecurityEventNotification", {"type": "x", "timestamp": now(), "techInfo": HOSTILE[:200].replace("\x00", "")})
        yield said["fleet"]["page"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with fleet(tmp_path_factory.mktemp("csms")) as page:
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_the_page_in_every_width_and_both_schemes(width: int, scheme: str, served: str, opened: Opened) -> None:
    page = opened(served, width, SIZES[width], scheme)
    page.locator("[data-transaction]").wait_for()
    assert "-5 kW" in page.locator("[data-transaction]").inner_text()
    page.locator("#power-says", has_text="out of cars").wait_for()
    page.locator("[data-transaction]").click()
    page.locator("#session-says", has_text="by the meter").wait_for()
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"csms-{width}-{scheme}.png")
    found = faults(page)
    assert not found, "\n".join(found)
    innocent(page)


def test_a_session_has_its_schedule_beside_it_and_its_messages_behind_a_link(served: str, opened: Opened) -> None:
    page = opened(served)
    page.locator("[data-transaction]").click()
    page.locator("#session-says", has_text="-5 kW by the schedule").wait_for()
    assert page.url.endswith("#CS-1/0b8f-session")
    address = page.locator("#session-name a").get_attribute("href")
    viewer = opened(address)
    viewer.locator("#sequence .row", has_text="NotifyEVChargingNeeds").first.wait_for()
    assert "0b8f-session" in viewer.locator("#detail").inner_text()


def test_the_page_without_scripts_names_where_the_same_is_told(served: str, opened: Opened) -> None:
    page = opened(served, scripts=False)
    assert "/v1/stations" in page.locator("body").inner_text()
