"""A CSMS of plain payloads, our bridge, station and car in one virtual time: what leaves the CSMS is seen in the car and its meter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.smart import local
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import check
from ocpp_bridge.wire.times import timestamp
from secc import station as words
from tests.evcc.test_pair import EPOCH, car
from tests.evcc.virtual_pair import LIMITS, Pair, outlet
from tests.ocpp_bridge.ocpp_stand import entropy
from tests.ocpp_bridge.test_bridge import ANSWERS
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, FrameReceived

Scene = Callable[["Chain"], Any]


@dataclass
class Chain(Pair):
    """Runs a whole session. `profile` is sent once the needs are told; `scenes` happen at a charge loop."""

    profile: dict[str, Any] | None = None
    scenes: dict[int, Scene] = field(default_factory=dict)
    service: str = "DC_BPT"
    options: dict[str, Any] = field(default_factory=dict)  # of the charger
    prepare: Scene | None = None

    def __post_init__(self) -> None:
        self.sent: list[Call] = []
        self.telling: Scene | None
        self.received: list[dict[str, Any]] = []
        self.powers: list[tuple[int, float]] = []  # (loop, W at the output)
        self.outlet = outlet(services=(self.service,))
        options = {"owner": {"idToken": "OWNER", "type": "Local"}, "v2x_unasked": True} | self.options
        self.bridge = Bridge(Charger(Clock(EPOCH, 0.0), entropy(), {1: Evse(1, (self.service,), LIMITS, "DE*V2G*E1")}, **options))
        self.bridge.go_online("ocpp2.1", 0.0)
        self.now, self.telling = 0.0, None  # what is told at every charge loop
        if self.prepare is not None:
            self.prepare(self)
        super().__post_init__()

    def say(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """A call of the CSMS."""
        check("ocpp2.1", action, "Request", payload)
        answer = self.bridge.answer(action, payload, self.now)
        check("ocpp2.1", action, "Response", answer)
        self.received.append(answer)
        return answer

    def install(self, profile: dict[str, Any], evse: int = 1) -> dict[str, Any]:
        """SetChargingProfile; a TxProfile gets the transaction that runs."""
        if profile["chargingProfilePurpose"] == "TxProfile":
            transaction = self.bridge.charger.evses[1].transaction
            assert transaction is not None
            profile = profile | {"transactionId": transaction.id}
        return self.say("SetChargingProfile", {"evseId": evse, "chargingProfile": profile})

    def calls(self, action: str) -> list[dict[str, Any]]:
        return [call.payload for call in self.sent if call.action == action]

    def frames(self, kind: type[Any]) -> list[Any]:
        """What the car received, of one kind."""
        return [event.message for event in self.seen if isinstance(event, FrameReceived) and isinstance(event.message, kind)]

    def settled(self, first: int, last: int) -> set[float]:
        """The powers (W, whole) at the output in these charge loops."""
        return {round(power) for loop, power in self.powers if first <= loop <= last}

    def _moves(self) -> bool:
        self._bridge()
        return super()._moves()

    def _dues(self) -> tuple[float | None, ...]:
        return (*super()._dues(), self.bridge.deadline())

    def _bridge(self) -> None:
        self.bridge.tick(self.now)
        while calls := self.bridge.calls(self.now):
            for call in calls:
                check("ocpp2.1", call.action, "Request", call.payload)
                self.sent.append(call)
                answer = dict(ANSWERS.get(call.action, {}))
                if "currentTime" in answer:
                    answer["currentTime"] = timestamp(self.car.clock.wall(self.now))
                self.bridge.take_result(call, answer, self.now)
                if call.action == "NotifyEVChargingNeeds" and self.profile is not None:
                    profile, self.profile = self.profile, None
                    self.install(profile)
        for wanted in self.bridge.plans():
            self.bridge.take_plan(wanted, *local.schedule(wanted), self.now)
        for _, fact in self.bridge.facts():
            self._after(fact)

    def _serve(self, event: Event) -> None:
        if isinstance(event, words.Want):
            self.bridge.want(1, event, self.now)
        if isinstance(event, words.AuthorizationWanted | words.NeedsChanged):
            return
        if isinstance(event, words.PowerStarted):
            self._read()
            return
        super()._serve(event)
        if isinstance(event, words.EVReported):
            self.powers.append((self.car.loops, self.output[0] * self.output[1]))
            self._read()
            if self.telling is not None:
                self.telling(self)
            if (scene := self.scenes.pop(self.car.loops, None)) is not None:
                scene(self)
            self._bridge()

    def _read(self) -> None:
        reading = words.MeterReading("M1", self.imported, self.exported, self.car.clock.wall(self.now), bytes(64))
        self.bridge.take_reading(1, reading, self.output[0] * self.output[1], self.output[0])
        self._after(words.MeterRead(reading))


def run(service: str = "DC_BPT", control: str = "Dynamic", **more: Any) -> Chain:
    """A session from the cable to the end, with `loops` charge loops."""
    wishes = {name: more.pop(name) for name in ("loops",) if name in more}
    return Chain(car(service, control, **wishes), service=service, **more)
