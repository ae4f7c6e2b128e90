"""A capacity provider for the laboratory: registers at one flexibility provider, tells it forecasts, hears what it says. Sans-I/O."""

from collections.abc import Callable, Mapping
from typing import Final

from v2gkit.grid.oscp import words
from v2gkit.grid.oscp.peer import LONGEST, MISSED, Known, Peer, Sending

HEARD: Final = ("register", "handshake_acknowledge", "heartbeat", "adjust_group_capacity_forecast", "group_capacity_compliance_error")
HEARD_OF_METERS: Final = ("update_group_measurements", "update_asset_measurements")


class CapacityProvider(Peer):
    """The capacity provider of the flexibility provider at `there`; `hear` is given each message that it sends."""

    ACCEPTED: Mapping[str, type[words.Word]] = {name: words.PATHS[name] for name in (*HEARD, *HEARD_OF_METERS)}

    def __init__(
        self,
        name: str,
        url: str,
        there: str,
        first: str,
        entropy: Callable[[int], bytes],
        hear: Callable[[words.Word], None],
        heartbeat: float = 30.0,
    ) -> None:
        super().__init__(name, url, "", entropy, heartbeat, Known())
        self._there, self._token, self._hear = there.rstrip("/"), first, hear
        self._forecasts: dict[tuple[str, str], words.UpdateGroupCapacityForecast] = {}
        self._step = "idle"  # idle, registering, shaking: what was sent and not answered yet
        self._since = 0.0  # epoch s; of the step
        self._known = False  # whether the other side has registered

    def forecast(self, message: words.UpdateGroupCapacityForecast) -> None:
        """Tell this, now and after every handshake."""
        self._forecasts[message.group_id, message.type] = message
        if self.online:
            self.send(message, again=True)

    def due(self, now: float) -> tuple[Sending, ...]:
        """What is to be sent: first of all a registration, then a handshake."""
        self._demand_online(now)
        if self._step != "idle" and not self.online and now >= self._since + LONGEST:
            self._step = "idle"  # what it answered never came
        if now >= self._after and not self.online and self._step == "idle":
            self._queue.clear()
            if not self._known:
                self._step, self._since = "registering", now
                self.known = Known("", self._token, self._there)
                self.greet()
            else:
                self._shake(now)
        return super().due(now)

    def deadline(self, now: float) -> float:
        """At once while there is something to begin."""
        if self.online:
            return super().deadline(now)
        return self._after if self._step == "idle" else min(super().deadline(now), self._since + LONGEST)

    def registered(self, id_: str, now: float) -> None:
        """Shake hands with who has registered."""
        self.until, self._known = 0.0, True
        self._shake(now)

    def lost(self, now: float) -> None:
        """Begin with a handshake again."""
        self._step = "idle"

    def refused(self, sending: Sending, now: float) -> None:
        """What was refused of the beginning is begun anew."""
        if sending.path in ("register", "handshake"):
            self.forgotten(now)

    def forgotten(self, now: float) -> None:
        """Begin with a registration again."""
        super().forgotten(now)
        self._step, self._known = "idle", False

    def take(self, message: words.Word, id_: str, correlation: str, now: float) -> tuple[int, str]:
        """Hear whatever the other side says; its acknowledgement makes it online."""
        if isinstance(message, words.HandshakeAcknowledge):
            self.until, self._step = now + MISSED * self._heartbeat, "idle"
            self.wanted(message.required_behaviour, now)
            for forecast in self._forecasts.values():
                self.send(forecast, again=True)
        elif not self.online:
            return 400, "offline: a handshake comes first"
        self._hear(message)
        return 204, ""

    def _shake(self, now: float) -> None:
        self._step, self._since = "shaking", now
        behaviour = words.RequiredBehaviour(heartbeat_interval=self._heartbeat, measurement_configuration=["CONTINUOUS"])
        self.send(words.Handshake(required_behaviour=behaviour), again=True)
