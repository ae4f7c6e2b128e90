"""What a CSMS hears becomes cars: what flowed between the last reading and what a car says is in its needs already."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.v2gkit.fleet.played import Stage
from v2gkit.csms.stations import Entry, Station
from v2gkit.fleet.arms.watching import Watching

NOW = 1_800_000_000.0
NEEDS = {
    "controlMode": "DynamicControl", "requestedEnergyTransfer": "DC_BPT", "departureTime": "2027-01-15T20:00:00Z",
    "v2xChargingParameters": {"maxChargePower": 11_000.0, "evTargetEnergyRequest": 10_000.0, "evMaxEnergyRequest": 20_000.0},
}  # fmt: skip


def event(number: int, wh: float, power: float) -> dict[str, Any]:
    samples = [("Energy.Active.Import.Register", wh, "Wh"), ("Power.Active.Import", power, "W")]
    values = [{"measurand": name, "value": value, "unitOfMeasure": {"unit": unit}} for name, value, unit in samples]
    return {
        "eventType": "Updated" if number else "Started", "seqNo": number, "triggerReason": "MeterValuePeriodic", "timestamp": "x",
        "transactionInfo": {"transactionId": "t"}, "meterValue": [{"timestamp": "2027-01-15T08:00:00Z", "sampledValue": values}],
    }  # fmt: skip


def test_needs_that_come_between_two_readings_are_not_reckoned_with_what_flowed_before_them(tmp_path: Path) -> None:
    stage, station = Stage(tmp_path), Station("CS-bus2")
    csms: Any = SimpleNamespace(stations={"CS-bus2": station}, wall=lambda: stage.now)
    watching = Watching(csms, stage.conductor, lambda: stage.now, lambda rows: None)

    def told(number: int, wh: float, power: float) -> None:
        said = event(number, wh, power)
        station.transaction("t").note(said, stage.now)
        watching.hear(Entry(stage.now, "CS-bus2", "transaction", "", said))

    told(0, 0.0, 0.0)
    told(1, 1_000.0, 11_000.0)
    stage.now += 300.0  # 917 Wh flow
    watching.hear(Entry(stage.now, "CS-bus2", "needs", "", {"chargingNeeds": NEEDS}))
    assert stage.conductor.cars["bus2"].missing == 10_000.0
    stage.now += 1.0
    told(2, 1_000.0 + 920.0, 11_000.0)
    assert stage.conductor.cars["bus2"].missing == 10_000.0
    told(3, 1_000.0 + 920.0 + 2_000.0, 11_000.0)
    assert stage.conductor.cars["bus2"].missing == pytest.approx(10_000.0 - 0.95 * 2_000.0)
    stage.store.close()
