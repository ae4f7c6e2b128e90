"""What must hold of a station's session in any generation, judged by its events alone: frames, facts as they were told, wants.

Nothing of the session's own reckoning is read, so that no rule is tested against itself. Powers are W, positive into the car. What a
generation's messages say is read by its own witness (`tests/secc/witness.py`, `tests/secc/iso2/witness2.py`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from secc import station as words
from secc.neutral.bounds import POWER, SHARE
from secc.neutral.keeping import ENDED_BY_OUTLET
from secc.neutral.output import PRE_CHARGE_CURRENT, SAME, SAME_POWER
from tests.machines import Plan, Span
from v2g.session.endpoint import Event, FrameReceived, FrameSent

ROUNDED = 0.001  # share of a number that its rounding on the wire may take or give
LIMITS_OF_A_CAR = ("charge_power", "discharge_power", "charge_current", "discharge_current", "voltage")
UNLIMITED = words.Limits(**dict.fromkeys(LIMITS_OF_A_CAR, math.inf))


@dataclass(frozen=True, slots=True)
class Told(Event):
    """What the station told its session, whatever that made of it."""

    fact: words.Fact


class Watch(ABC):
    """Sees every event of one session, in order, and asserts. `wall` gives the epoch (s) of a session time."""

    responses: ClassVar[Mapping[type, type]]  # of a generation: the response to a request

    def __init__(self, limits: words.Limits, wall: Callable[[float], float]):
        self.built, self.limits, self._wall = limits, limits, wall
        self.closed = self.testing = self.opening = False  # as the hardware was told
        self.powered = False  # between PowerStarted and PowerStopped
        self.authorized = self.delivering = False  # as the car was told
        self.output: words.SetOutput | None = None
        self.power: float | None = None
        self.measured = words.OutputMeasured(0.0, 0.0)
        self.service, self.control = "DC", "Scheduled"
        self.car = UNLIMITED
        self.shown: Plan | None = None  # last, on whatever stream
        self.bound: list[tuple[Plan, int | None]] = []  # what may bind now
        self.beyond: dict[str, float] = {}  # whose limit is passed, and since when
        self.asked: dict[type, Any] = {}  # the latest request of a class
        self.waiting: set[type] = set()  # responses that are owed

    @property
    def live(self) -> bool:
        """A car may find voltage here."""
        return self.closed or self.testing

    def see(self, event: Event) -> None:
        match event:
            case Told(fact=fact):
                self.told(fact)
            case FrameReceived(message=request) if request is not None:
                self.asked[type(request)] = request
                self.waiting.add(self.responses[type(request)])
                self.heard(request)
            case FrameSent(message=response):
                self.waiting.discard(type(response))
                code = getattr(response, "ResponseCode", None)
                if code is not None and not code.value.startswith("FAILED"):
                    self.answered(response, event.at)
            case _:
                self._wanted(event)

    @abstractmethod
    def heard(self, request: Any) -> None:
        """What a car states."""

    @abstractmethod
    def answered(self, response: Any, at: float) -> None:
        """What a car is answered at a session time, when that refuses nothing."""

    def told(self, fact: object) -> None:
        """What the station is told."""
        match fact:
            case words.ContactorIs(closed=False):
                self.closed = self.testing = False
            case words.LimitsChanged(limits=limits):
                self.limits = limits
            case words.OutputMeasured():
                self.measured = fact

    # --- what the hardware is told ---

    def _wanted(self, event: Event) -> None:
        match event:
            case words.ServiceSelected(service=service, control=control):
                self.service, self.control = service, control
            case words.CloseContactor() | words.CheckIsolation() | words.CheckAlignment():
                assert self.authorized, f"{type(event).__name__} before authorization"
                self.closed, self.testing, self.opening = self.closed or isinstance(event, words.CloseContactor), True, False
                self.energised(event)
            case words.OpenContactor():
                self.closed, self.testing, self.opening = False, False, True
                self.output = self.power = None
            case words.SetOutput(current=current):
                assert self.delivering or abs(current) <= PRE_CHARGE_CURRENT, f"{current:g} A outside PowerDelivery"
                assert not (self.opening and current), f"{current:g} A from an outlet that is told to open"
                self.output = event
                self.within_outlet()
            case words.SetPower(power=power):
                assert self.delivering or power == 0, f"{power:g} W outside PowerDelivery"
                assert not (self.opening and power), f"{power:g} W from an outlet that is told to open"
                self.power = power
                self.within_outlet()
            case words.PowerStarted():
                assert self.authorized, "power before authorization"
                assert not self.powered, "power started twice"
                self.powered = True
            case words.PowerStopped():
                assert self.powered, "power stopped that never started"
                self.powered = False

    def energised(self, event: Event) -> None:  # noqa: B027 - most have nothing to say of it
        """What follows from a command that makes an outlet live."""

    # --- what holds ---

    def within_outlet(self) -> None:
        """The limits of the outlet, which hold at any time and not from the next loop on."""
        ours, output, power = self.limits.within(self.built), self.output, self.power
        if output is not None and self.delivering:
            assert output.voltage <= ours.voltage + SAME, "a voltage beyond the outlet"
            assert -ours.discharge_current - SAME <= output.current <= ours.charge_current + SAME, "a current beyond the outlet"
            power = output.power if output.current else 0.0
        if power is not None and self.delivering:
            self.spans(power, (-ours.discharge_power, ours.charge_power), "beyond the outlet")

    def spans(self, power: float, span: Span, what: str) -> None:
        """Whether a power is within, but for rounding."""
        least, most = (bound * (1 + ROUNDED) + slack for bound, slack in zip(span, (-SAME_POWER, SAME_POWER), strict=True))
        assert least <= power <= most, f"a power of {power:.0f} W {what} of {span[0]:.0f} to {span[1]:.0f} W"

    def commanded(self) -> float | None:
        """The power (W) that is commanded, with voltage and current as the car has stated them; None: none is."""
        output = self.output
        if output is None:
            power = self.power
        else:
            assert output.voltage <= self.car.voltage + SAME, "a voltage beyond the car"
            assert -self.car.discharge_current - SAME <= output.current <= self.car.charge_current + SAME, "a current beyond the car"
            power = output.power if output.current else 0.0
        return power

    def within_car(self, power: float) -> None:
        """What the car has stated."""
        self.spans(power, (-self.car.discharge_power, self.car.charge_power), "beyond the car")

    def scheduled(self, at: float) -> Span:
        """What the schedules that may bind now let flow."""
        spans = [plan.at(chosen, self._wall(at)) for plan, chosen in self.bound]
        return min((s[0] for s in spans), default=0.0), max((s[1] for s in spans), default=0.0)

    def borne(self, stated: list[float], at: float, back: bool, patience: float) -> None:
        """What flows (W): beyond a limit it is borne for its time, and no longer."""
        for whose, ours, limit in (
            ("the outlet", self.built, ENDED_BY_OUTLET), ("its limits", self.limits.within(self.built), patience)
        ):  # fmt: skip
            most, least = ours.charge_power, -ours.discharge_power if back else 0.0
            if max(stated) <= most * (1 + SHARE) + POWER and min(stated) >= least * (1 + SHARE) - POWER:
                self.beyond.pop(whose, None)
                continue
            since = self.beyond.setdefault(whose, at)
            assert at - since < limit, f"{max(stated, key=abs):.0f} W flow, beyond {whose}, for {at - since:.1f} s"
