"""The figures of a CSMS: what it is told, read while it runs."""

import urllib.request

from prometheus_client import generate_latest

from v2gkit.csms.metrics import Figures
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Entry, Station
from v2gkit.csms.steering import Strategy
from v2gkit.csms.store.keeper import Store, file_url
from v2gkit.metrics import serve_metrics


def test_stations_transactions_and_energy_are_read_when_they_are_asked_for() -> None:
    figures, csms = Figures(), Csms(Strategy("none"))
    figures.of(csms)
    with serve_metrics(figures.registry, "127.0.0.1", 0) as url:

        def lines() -> list[str]:
            with urllib.request.urlopen(url, timeout=300) as answer:
                return str(answer.read().decode()).splitlines()

        assert not [line for line in lines() if line.startswith("v2g_csms_connected{")]
        transaction = csms.stations.setdefault("S1", Station("S1")).transaction("T")
        for number, value in enumerate((1_000.0, 3_500.0)):
            sampled = [{"measurand": "Energy.Active.Import.Register", "value": value}]
            values = [{"timestamp": "2026-03-01T12:00:00Z", "sampledValue": sampled}]
            info = {"eventType": "Updated", "transactionInfo": {"transactionId": "T"}}
            transaction.note({"seqNo": number, "meterValue": values} | info, 0.0)
        figures.entry(Entry(0.0, "S1", "boot", "", {}))
        said = lines()
    assert 'v2g_csms_connected{station="S1"} 0.0' in said
    assert 'v2g_csms_transactions{station="S1"} 1.0' in said
    assert 'v2g_csms_energy_wh{direction="charged",station="S1"} 2500.0' in said
    assert 'v2g_csms_events_total{station="S1",topic="boot"} 1.0' in said


def test_power_both_ways_and_the_store_are_read_too(tmp_path) -> None:
    store = Store(file_url(tmp_path))
    figures, csms = Figures(), Csms(Strategy("none"), archive=store)
    figures.of(csms)
    for station, direction, value in (("S1", "Import", 7_000.0), ("S2", "Export", 4_000.0), ("S3", "Export", 1_000.0)):
        csms.stations[station] = Station(station)
        sampled = [{"measurand": f"Power.Active.{direction}", "value": value}]
        values = [{"timestamp": "2026-03-01T12:00:00Z", "sampledValue": sampled}]
        info = {"eventType": "Updated", "transactionInfo": {"transactionId": "T"}}
        csms.stations[station].transaction("T").note({"seqNo": 0, "meterValue": values} | info, 0.0)
    said = generate_latest(figures.registry).decode()
    store.close()
    assert 'v2g_csms_power_w{direction="charged"} 7000.0' in said
    assert 'v2g_csms_power_w{direction="discharged"} 5000.0' in said
    assert "v2g_csms_store_failures_total 0.0" in said
    assert "v2g_csms_store_waiting 0.0" in said
