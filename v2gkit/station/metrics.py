"""Metrics of a station: sessions, messages, refusals, response times, energy both ways, background tasks."""

from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from secc import station as words
from v2g.session.endpoint import Event, FrameReceived, FrameSent, Noted
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Observe, Observer
from v2g.tasks import Account
from v2gkit.metrics import TaskStates

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)  # s; a car waits 2 s for most answers


@dataclass(frozen=True, slots=True)
class Figures:
    """The metrics of one station, over all its outlets. Labels have few values: messages, codes, requirement ids, outlets."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    accounts: list[Account] = field(default_factory=list)
    kinds: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Register every metric of the station."""

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"v2g_{name}", what, ("evse", *labels), registry=self.registry)

        self.kinds.update(
            connections=Gauge("v2g_connections", "open connections", ("evse",), registry=self.registry),
            sessions=counter("sessions", "sessions that have ended, by how and by the requirement that was broken", "how", "requirement"),
            handshakes=counter("handshakes_failed", "TLS handshakes that failed, by the requirement that was broken", "requirement"),
            messages=counter("messages", "messages received and sent", "message", "direction"),
            refusals=counter("refusals", "requests that were not answered OK, by response code", "message", "code"),
            objections=counter("objections", "requests answered with a WARNING, by the requirement that was broken", "requirement"),
            energy=counter("energy_wh", "Wh into the car (charged) and out of it (discharged)", "direction"),
            power=Gauge("v2g_power_watts", "present power, + into the car", ("evse",), registry=self.registry),
            seconds=Histogram(
                "v2g_response_seconds", "from a request to its answer", ("evse", "message"), buckets=SECONDS, registry=self.registry
            ),
        )
        self.registry.register(TaskStates(self.accounts))

    def watching(self, evse: str) -> Observe:
        """The observer that counts the connections of one outlet."""
        return lambda local, peer, number: Counting(self, evse)


class Counting(Observer):
    """Counts the events of one connection in the metrics of its station."""

    def __init__(self, figures: Figures, evse: str):
        self._kinds, self._evse = figures.kinds, evse
        self._open = False
        self._metered: dict[str, float] | None = {}  # Wh of this session; None: the first reading was counted before

    def event(self, event: Event) -> None:
        """Count an event in the metrics that it belongs to."""
        kinds, evse = self._kinds, self._evse
        match event:
            case Connected():
                self._opened(True)
            case HandshakeFailed(requirement=requirement):
                kinds["handshakes"].labels(evse, requirement or "").inc()
            case FrameReceived(message=message):
                kinds["messages"].labels(evse, "undecodable" if message is None else type(message).__name__, "received").inc()
            case FrameSent():
                self._sent(event)
            case words.SessionStarted(resumed=True):
                self._metered = None
            case words.Objected(objection=objection):
                kinds["objections"].labels(evse, objection.requirement or "").inc()
            case words.EVReported(power=power) if power is not None:
                kinds["power"].labels(evse).set(power)
            case words.PowerStopped():
                kinds["power"].labels(evse).set(0.0)
            case Noted(topic="ended", facts=facts):
                self._meter(facts.get("charged"), facts.get("discharged"))
            case Disconnected(ended=ended):
                self._opened(False)
                if ended is not None:
                    kinds["sessions"].labels(evse, ended.how, ended.requirement or "").inc()
                    kinds["power"].labels(evse).set(0.0)

    def _opened(self, is_open: bool) -> None:
        if is_open != self._open:
            self._open = is_open
            self._kinds["connections"].labels(self._evse).inc(1 if is_open else -1)

    def _sent(self, event: FrameSent) -> None:
        name, code = type(event.message).__name__, getattr(event.message, "ResponseCode", None)
        self._kinds["messages"].labels(self._evse, name, "sent").inc()
        if event.since_previous is not None:
            self._kinds["seconds"].labels(self._evse, name).observe(event.since_previous)
        if code is not None and not code.value.startswith("OK"):
            self._kinds["refusals"].labels(self._evse, name, code.value).inc()
        meter = getattr(event.message, "MeterInfo", None)
        if (charged := getattr(meter, "ChargedEnergyReadingWh", None)) is not None:  # of others the end of the session says it
            self._meter(charged, getattr(meter, "BPT_DischargedEnergyReadingWh", None))

    def _meter(self, charged: float | None, discharged: float | None) -> None:
        """Count what the meter moved on since it was last read: readings are of the session, and never go back."""
        shown = {"charged": charged or 0.0, "discharged": discharged or 0.0}
        before, self._metered = (shown if self._metered is None else self._metered), shown
        for direction, value in shown.items():
            self._metered[direction] = max(value, before.get(direction, 0.0))
            self._kinds["energy"].labels(self._evse, direction).inc(self._metered[direction] - before.get(direction, 0.0))
