"""The flexibility provider: registers, shakes hands, hears forecasts, says what its assets do and what it cannot keep. Sans-I/O."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.oscp import words
from v2gkit.grid.oscp.peer import MISSED, Known, Peer
from v2gkit.grid.times import written

FORECASTS: Final = 64  # ids of forecasts that are remembered for what cannot be kept of them


class FlexibilityProvider(Peer):
    """One capacity provider's flexibility provider, for one group.

    `hear` is given each forecast, and raises GridFault for one that cannot be taken. `live` is told until when the other side is good.
    """

    ACCEPTED: Mapping[str, type[words.Word]] = {
        name: words.PATHS[name] for name in ("register", "handshake", "heartbeat", "update_group_capacity_forecast")
    }

    def __init__(
        self,
        name: str,
        url: str,
        first: str,
        group: str,
        entropy: Callable[[int], bytes],
        hear: Callable[[words.UpdateGroupCapacityForecast], None],
        live: Callable[[float], None],
        heartbeat: float = 30.0,
        known: Known = Known(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(name, url, "" if known.ours else first, entropy, heartbeat, known)
        self._token, self._group, self._hear, self._live = first, group, hear, live
        self.measured: frozenset[str] = frozenset()  # CONTINUOUS, INTERMITTENT: what the other side wants
        self._correlation = ""  # of the latest forecast

    def registered(self, id_: str, now: float) -> None:
        """Register at the capacity provider in turn."""
        self.until = 0.0
        self.greet(id_)

    def sent(self, sending: object, now: float) -> None:
        """The first token is over once ours was taken."""
        if getattr(sending, "path", "") == "register":
            self._first = ""

    def forgotten(self, now: float) -> None:
        """Let the other side begin anew."""
        super().forgotten(now)
        self._first = self._token

    def alive(self, now: float) -> None:
        """Tell that the other side is there."""
        self._live(self.until)

    def take(self, message: words.Word, id_: str, correlation: str, now: float) -> tuple[int, str]:
        """Answer handshake and forecast."""
        if isinstance(message, words.Handshake):
            self.until = now + MISSED * self._heartbeat
            behaviour = message.required_behaviour
            self.measured = frozenset(behaviour.measurement_configuration) if behaviour is not None else frozenset()
            self.wanted(behaviour, now)
            ours = words.RequiredBehaviour(heartbeat_interval=self._heartbeat, measurement_configuration=[])
            self.send(words.HandshakeAcknowledge(required_behaviour=ours), id_, again=True)
            self._live(self.until)
            return 204, ""
        assert isinstance(message, words.UpdateGroupCapacityForecast)
        if not self.online or now >= self.until:
            return 400, "offline: a handshake comes first"
        if message.group_id != self._group:
            raise GridFault(
                Trouble.FOREIGN, f"{self.name}: a forecast for the group {quoted(message.group_id)}, and this is {self._group!r}"
            )
        self._hear(message)
        self._correlation = id_
        return 204, ""

    # --- what this side says ---

    def measure(self, powers: Iterable[tuple[str, words.Category, float]], now: float) -> None:
        """Say what assets do at `now`: each its name, what it is, and W, + from the grid. Nothing while the other side is offline."""
        found = [
            words.AssetMeasurement(
                asset_id=name,
                asset_category=category,
                instantaneous_measurement=words.InstantaneousMeasurement(value=power, phase="ALL", unit="W", measure_time=written(now)),
            )
            for name, category, power in powers
        ]
        if found and self.online:
            self.send(words.UpdateAssetMeasurement(group_id=self._group, measurements=found))

    def metered(self, registers: Iterable[tuple[float, float, float]]) -> None:
        """Say what the group's meter read: epoch s, Wh of import and of export since its beginning."""
        found = [
            words.EnergyMeasurement(value=energy, phase="ALL", unit="WH", direction=way, energy_type="TOTAL", measure_time=written(at))  # type: ignore[arg-type]
            for at, taken, given in registers
            for way, energy in (("IMPORT", taken), ("EXPORT", given))
        ]
        if found and self.online:
            self.send(words.UpdateGroupMeasurements(group_id=self._group, measurements=found), again=True)

    def decline(self, text: str) -> None:
        """Say that the latest forecast cannot be kept, and why."""
        if self.online:
            self.send(words.GroupCapacityComplianceError(message=text[:1_024]), self._correlation, again=True)

    def ask(self, forecast: words.Forecast, blocks: list[words.ForecastedBlock]) -> None:
        """Ask for another capacity."""
        if self.online:
            self.send(words.AdjustGroupCapacityForecast(group_id=self._group, type=forecast, forecasted_blocks=blocks), again=True)
