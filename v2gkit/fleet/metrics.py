"""Figures of a fleet for Prometheus: decisions, orders, what waits, power and limit of each site."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from v2gkit.fleet.conductor import Conductor
from v2gkit.sql.keeper import Keeper

COUNTED = {
    "decisions": "decisions that were made",
    "orders": "orders that were told",
    "taken": "orders that were taken",
    "refused": "that were not",
    "plans": "plans of sites that were made",
    "plan_faults": "that were not, so that the last ones stood",
}


class Figures(Collector):
    """Figures that are worked out at each scrape, in another thread than that which changes them."""

    def __init__(self, conductor: Conductor, store: Keeper) -> None:
        self._conductor, self._store = conductor, store

    def collect(self) -> Iterable[Metric]:
        """The figures of this moment."""
        counts = dict(self._conductor.counts)
        for name, what in COUNTED.items():
            yield CounterMetricFamily(f"v2g_fleet_{name}", what, value=counts[name])
        yield GaugeMetricFamily("v2g_fleet_owed", "rows that wait for a store that does not answer", value=counts["owed"])
        yield GaugeMetricFamily("v2g_fleet_store_waiting", "writes that wait for the disk", value=self._store.waiting)
        limit = GaugeMetricFamily("v2g_fleet_site_limit_watts", "what a site may draw by signals and operators", labels=["tenant", "site"])
        shed = GaugeMetricFamily("v2g_fleet_site_ordered_watts", "what its assets may draw by their orders", labels=["tenant", "site"])
        for place in list(self._conductor.places.values()):
            labels = [place.site.tenant, place.site.id]
            cap = place.held.import_cap
            limit.add_metric(labels, (place.site.import_limit or 0.0) if cap is None else cap)
            shed.add_metric(labels, sum(self._conductor.holds.get(asset.id, 0.0) for asset in place.assets))
        yield limit
        yield shed


def registry_of(conductor: Conductor, store: Keeper) -> CollectorRegistry:
    """A registry with these figures alone."""
    registry = CollectorRegistry()
    registry.register(Figures(conductor, store))
    return registry
