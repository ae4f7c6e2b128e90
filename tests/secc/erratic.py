"""The cars of the station's machine (`Erratic` in any generation, `Car` of ISO 15118-20), what each does next that means well, and the
hardware that they meet: slow, or broken in one way."""

import heapq
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from secc import station as words
from tests.secc.scripted import Scripted, polled
from tests.secc.watch import Told
from v2g.energy.offer import Offer
from v2g.exi.schema import Type
from v2g.iso20.sequence import CHARGE_LOOPS, ROWS, State
from v2g.iso20.services import CONTROL, SERVICES
from v2g.messages import common_messages
from v2g.messages.common_messages import ScheduleExchangeReq, SessionSetupReq
from v2g.session.endpoint import Event

LOOPING = tuple(state for state in State if any((state, loop) in ROWS for loop in CHARGE_LOOPS))


class NoAnswer(Exception):
    """The session owes none: it is over, or waits for a fact."""


class Erratic:
    """What makes a scripted car of any generation one of a machine: it is not surprised when nothing is answered, and the hardware of its
    outlet has its own pace and its own faults."""

    strict = False
    broken = True  # what a session caught is judged by the machine
    hardware = ""
    refuses = False  # the backend wants no car
    share = 1.0  # of what the schedule usually has
    LAG = (0.05, 0.4, 0.9, 2.0)  # s, of slow hardware, one after the other

    def __post_init__(self) -> None:
        super().__post_init__()
        self.broken, self.later, self.granted = True, list[tuple[float, int, words.Fact]](), 0
        tell = self.session.tell

        def told(fact: words.Fact, now: float) -> None:
            self.happened.append(Told(now, fact))
            tell(fact, now)

        self.session.tell = told

    def answers(self) -> list[Any]:
        found = super().answers()
        if self.strict and len(found) != 1:
            raise NoAnswer
        return found

    def strictly(self, ask: Callable[[], Any]) -> Any:
        self.strict = True
        try:
            return ask()
        finally:
            self.strict = False

    def offer(self, needs: Any) -> Offer:
        def scaled(series: Any) -> Any:
            return series and series.map(lambda power: power * self.share)

        usual = super().offer(needs)
        return replace(
            usual, tuples=tuple(replace(t, charging=scaled(t.charging), discharging=scaled(t.discharging)) for t in usual.tuples)
        )

    def grant(self, event: Event) -> words.Fact | None:
        fact = super().grant(event)
        if self.refuses and isinstance(fact, words.Authorized):
            fact = words.AuthorizationRefused()
        match self.hardware, fact:
            case "mute", words.ContactorIs() | words.IsolationMeasured() | words.OutputMeasured() | words.DeviceIs() | words.AlignmentIs():
                return None
            case "stays open", words.ContactorIs(closed=True):
                return words.ContactorIs(False)
            case "stays closed", words.ContactorIs(closed=False):
                return words.ContactorIs(True)
            case "leaks", words.IsolationMeasured():
                return words.IsolationMeasured(False)
            case "leaks", words.AlignmentIs():
                return words.AlignmentIs(words.Alignment(False, reason="it leaks"))
            case "gives too much", words.OutputMeasured(voltage=volts, current=amperes) if abs(amperes) > 2.0:
                return words.OutputMeasured(volts, amperes * 20)
            case "slow", words.Fact():
                self.granted += 1
                heapq.heappush(self.later, (self.now + self.LAG[self.granted % len(self.LAG)], self.granted, fact))
                return None
        return fact

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.later and self.later[0][0] <= end:
            due, _, fact = heapq.heappop(self.later)
            super().wait(max(due - self.now, 0.0))
            self.tell(fact)
        super().wait(max(end - self.now, 0.0))


class Car(Erratic, Scripted):
    """A car of ISO 15118-20."""

    def _explained(self, response: Any) -> None:
        """The machine does that."""

    def ask(self, cls: type[Type], on: int | None = None, **fields: Any) -> Any:
        return self.strictly(lambda: Scripted.ask(self, cls, on, **fields))

    def deliver(self, progress: str, **fields: Any) -> Any:
        return self.strictly(lambda: Scripted.deliver(self, progress, **fields))

    def tries(self, service: str, control: str, authorized: bool) -> None:
        """Go all the way to power, although this car was refused, or has not even asked."""
        self.setup(service)
        if authorized:
            self.ask(common_messages.AuthorizationSetupReq)
            self.refuses = True
            polled(self.authorize)
        self.select(service, CONTROL[control])  # type: ignore[index]
        self.parameters(service)
        self.scheduled(control)
        if SERVICES[service].dc:
            self.isolated()
            self.pre_charge()
            self.pre_charge("Finished")
        if SERVICES[service].wireless:
            self.aligned()
        self.start(control)


Due = Callable[["Car", str, str], Any]
EXCHANGE, START = (lambda car, service, control: car.exchange(control)), (lambda car, service, control: car.start(control))
DUE: dict[State, Due] = {  # what a car that means well does next; in a state that is not here it does nothing
    State.SUPPORTED_APP_PROTOCOL: lambda car, service, control: car.sap(SERVICES[service].schema_set),
    State.SESSION_SETUP: lambda car, service, control: car.ask(SessionSetupReq, EVCCID="WMIV1234567890ABCDEX"),
    State.AUTHORIZATION_SETUP: lambda car, service, control: car.ask(common_messages.AuthorizationSetupReq),
    State.AUTHORIZATION: lambda car, service, control: car.authorize(),
    State.SERVICE_DISCOVERY: lambda car, service, control: car.select(service, CONTROL[control]),  # type: ignore[index]
    **{state: lambda car, service, control: car.parameters(service) for state in State if state.name.endswith("PARAMETERS")},
    **{state: EXCHANGE for state in State if (row := ROWS.get((state, ScheduleExchangeReq))) is not None and row.stream == "main"},
    State.ACDP_POSITIONING: lambda car, service, control: car.positioning(),
    State.WPT_SETUP: lambda car, service, control: car.wpt_setup(),
    State.WPT_POSITIONING: lambda car, service, control: car.fine_positioning(),
    State.WPT_PAIRING: lambda car, service, control: car.pairing(),
    State.WPT_ALIGNMENT: lambda car, service, control: car.alignment(),
    State.ACDP_CONNECT: lambda car, service, control: car.connect(),
    State.DC_CABLE_CHECK: lambda car, service, control: car.cable_check(),
    State.DC_PRE_CHARGE: lambda car, service, control: car.pre_charge("Finished"),
    **{state: START for state in State if state.name.endswith(("_START", "_RESTART"))},
    **{state: lambda car, service, control: car.loop(service, control) for state in LOOPING},
    State.DC_WELDING: lambda car, service, control: car.welding("Finished"),
    State.ACDP_DISCONNECT: lambda car, service, control: car.disconnect(),
    State.SESSION_STOP: lambda car, service, control: car.stop(),
}
