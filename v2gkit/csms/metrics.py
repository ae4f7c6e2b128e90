"""Metrics of a CSMS: stations, transactions, messages, energy and power both ways, the store, background tasks."""

import contextlib
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Entry, Station
from v2gkit.metrics import TaskStates


class Figures(Collector):
    """The metrics of one CSMS; those of its stations are computed at each scrape."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._csms: Csms | None = None
        self._entries = Counter("v2g_csms_events", "what happened, by topic", ("station", "topic"), registry=self.registry)
        self.registry.register(self)

    def of(self, csms: Csms) -> None:
        """Set the CSMS whose stations are counted."""
        self._csms = csms
        self.registry.register(TaskStates([csms.tasks.account]))

    def entry(self, entry: Entry) -> None:
        """Count one entry of the CSMS's story."""
        self._entries.labels(entry.station, entry.topic).inc()

    def collect(self) -> Iterable[Metric]:
        """The metrics of the stations and their transactions at this moment."""
        connected = GaugeMetricFamily("v2g_csms_connected", "1: the station is connected", labels=["station"])
        running = GaugeMetricFamily("v2g_csms_transactions", "transactions that run", labels=["station"])
        energy = GaugeMetricFamily("v2g_csms_energy_wh", "Wh of all transactions seen, by direction", labels=["station", "direction"])
        for station in self._places():
            with contextlib.suppress(RuntimeError):  # it changed while it was counted, in the other thread
                transactions = tuple(station.transactions.values())
                connected.add_metric([station.id], float(station.link is not None))
                running.add_metric([station.id], sum(not tx.ended for tx in transactions))
                for direction, name in (("charged", "imported"), ("discharged", "exported")):
                    energy.add_metric([station.id, direction], sum(tx.energy[name] for tx in transactions))
        return connected, running, energy, self._power(), *self._stored()

    def _power(self) -> Metric:
        power = GaugeMetricFamily("v2g_csms_power_w", "W by the meters of the transactions that run, by direction", labels=["direction"])
        with contextlib.suppress(RuntimeError):
            running = [tx.power or 0.0 for place in self._places() for tx in tuple(place.transactions.values()) if not tx.ended]
            power.add_metric(["charged"], sum(value for value in running if value > 0))
            power.add_metric(["discharged"], -sum(value for value in running if value < 0))
        return power

    def _stored(self) -> Iterable[Metric]:
        """What the store did; nothing where there is none."""
        store: Any = self._csms.archive if self._csms is not None else None
        if store is None:
            return
        yield CounterMetricFamily("v2g_csms_store_rows", "rows that were written", value=store.rows)
        yield CounterMetricFamily("v2g_csms_store_commits", "commits that they were written in", value=store.commits)
        yield CounterMetricFamily("v2g_csms_store_failures", "writes that the database refused", value=store.failures)
        yield GaugeMetricFamily("v2g_csms_store_waiting", "writes that wait for the disk", value=store.waiting)

    def _places(self) -> tuple[Station, ...]:
        return tuple(self._csms.stations.values()) if self._csms is not None else ()
