"""Metrics for Prometheus, served over HTTP from a thread of their own, so that no client can slow down a session."""

import contextlib
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from v2g.tasks import Account


class TaskStates(Collector):
    """Metrics of background tasks, computed at each scrape. `accounts` may grow meanwhile."""

    def __init__(self, accounts: list[Account]):
        self._accounts = accounts

    def collect(self) -> Iterable[Metric]:
        """The metrics of each background task: whether it runs, and how often it failed."""
        running = GaugeMetricFamily("v2g_task_running", "1: the background task runs", labels=["task"])
        falls = CounterMetricFamily("v2g_task_falls", "how often the background task ended although nobody had ended it", labels=["task"])
        for account in tuple(self._accounts):
            with contextlib.suppress(RuntimeError):  # a task began while they were counted, in the other thread; the next time then
                for name, said in account().items():
                    fell: float = said["restarts"] if "restarts" in said else said["failures"]
                    falls.add_metric([name], fell)
                    if "running" in said:
                        running.add_metric([name], float(said["running"]))
        return running, falls


@contextlib.contextmanager
def serve_metrics(registry: CollectorRegistry, host: str, port: int) -> Iterator[str]:
    """Serve a registry within the block; gives the URL to scrape. Port 0 is any free one. Raises OSError where the port cannot be had."""
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        error.filename = error.filename or f"metrics on {host}:{port}"
        raise
    shown = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(1.0)
