"""What must hold of a car in any generation, judged by its events alone: frames as they came and went, and what its hardware was told.

Nothing of the car's own reckoning is read but the state of its battery and the profile that it promised, so that no rule is tested against
itself. Powers are W, positive into the car. What a generation's messages say is read by its own witness (`tests/evcc/witness.py`,
`tests/evcc/iso2/witness2.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from evcc.car import Car
from evcc.ev import Ev, Inlet
from v2g.exi.schema import Type
from v2g.session.endpoint import Event, FrameReceived, FrameSent

MATCHED = 20.0  # V between inlet and battery on which contactors may close
TOLERATED = 1.2  # share of a limit that is measured beyond it and still an instrument's error and a late loop
OFF = 5.0  # A, of an instrument that shows no current


@dataclass(frozen=True, slots=True)
class Did(Event):
    """What the hardware was told: `contactors` (closed), `pilot` (state), `took` (W)."""

    what: str
    value: Any


@dataclass
class Watched(Ev):
    """A simulated car that tells what it is told, and whose hardware may be broken: it raises where it is told `broken`."""

    broken: str = ""
    failed: bool = False
    say: Callable[[str, Any], None] = field(default=lambda what, value: None)

    def contactors(self, closed: bool) -> None:
        self.say("contactors", closed)
        self._breaks("close" if closed else "open")

    def pilot(self, state: str) -> None:
        self.say("pilot", state)
        self._breaks("pilot")

    def take(self, power: float, seconds: float) -> None:
        self.say("took", power)
        super().take(power, seconds)

    def _breaks(self, what: str) -> None:
        if self.broken == what:
            self.failed = True
            raise OSError(f"{what}: bus error")


class Watch(ABC):
    """Sees every event of one session, in order, and asserts. `reserve` is in %, `wall` gives the epoch (s) of a session time."""

    loops: ClassVar[tuple[type[Type], ...]]  # requests of the charge loop of a generation

    def __init__(self, car: Car[Any], reserve: float, wall: Callable[[float], float]):
        self._car, self._reserve, self._wall = car, reserve, wall
        self.closed, self.pilot = False, "B"
        self.authorized = self.delivering = False
        self.flowed = False  # what flowed to the end of power is still to be counted
        self.last: Any = None  # the last response that was taken
        self.asked: dict[type, Any] = {}
        self.stated: dict[str, float] = {}  # the station's limits
        self.measured: tuple[float, float] | None = None  # V, A

    def see(self, event: Event) -> None:
        match event:
            case FrameReceived(message=response) if response is not None:
                self.last = response
                code = getattr(response, "ResponseCode", None)
                if code is not None and not code.value.startswith("FAILED"):
                    self.heard(response, event.at)
            case FrameSent(message=request):
                self.asked[type(request)] = request
                if isinstance(request, self.loops):
                    assert self.delivering, f"{type(request).__name__} outside PowerDelivery"
                    self.judge(request, event.at)
            case Did(what="contactors", value=closed):
                self.closed = closed
                if closed:
                    assert self.authorized, "contactors close before authorization"
                    self.may_close()
            case Did(what="pilot", value=state):
                self.pilot = state
                assert self.authorized or state == "B", "the car wants power before authorization"
            case Did(what="took", value=power):
                self.took(power)

    @abstractmethod
    def heard(self, response: Any, at: float) -> None:
        """What a station says at a session time, when that refuses nothing."""

    @abstractmethod
    def judge(self, asked: Any, at: float) -> None:
        """A request of the charge loop at a session time."""

    @abstractmethod
    def may_close(self) -> None:
        """The contactors close, upon the last response."""

    @property
    def inlet(self) -> Inlet:
        return self._car.ev.inlet(self._car.known.service.row.plug)

    def took(self, power: float) -> None:
        """Energy is counted from the beginning of power to its end, and once more for what flowed until then."""
        if power != 0:
            assert self.delivering or self.flowed, f"{power:.0f} W are counted outside PowerDelivery"
            own = self.inlet
            assert -TOLERATED * own.discharge_power - OFF * own.voltage <= power, f"{power:.0f} W were taken"
            assert power <= TOLERATED * own.charge_power + OFF * own.voltage, f"{power:.0f} W were taken"
        self.flowed = False if not self.delivering else self.flowed

    def matched(self, volts: float) -> None:
        """The voltage (V) on which contactors close."""
        assert abs(volts - self._car.ev.voltage()) <= MATCHED, "closed on another voltage"

    def borne(self) -> None:
        """What is measured behind closed contactors; asked once the car has looked at it."""
        if self.measured is None or not self.closed:
            return
        (volts, amperes), own = self.measured, self.inlet
        back = self._car.known.service.bidirectional
        assert -0.1 * own.voltage <= volts <= 1.1 * own.voltage, f"{volts} V and the contactors are closed"
        most = own.discharge_current if back else 0.0
        assert -TOLERATED * most - OFF <= amperes <= TOLERATED * own.charge_current + OFF, f"{amperes} A and the contactors are closed"
        least = own.discharge_power if back else 0.0
        power, instrument = volts * amperes, OFF * own.voltage
        assert -TOLERATED * least - instrument <= power <= TOLERATED * own.charge_power + instrument, f"{power:.0f} W and they are closed"

    @staticmethod
    def within(value: float, least: float, most: float, what: str) -> None:
        assert least - 1e-6 <= value <= most + 1e-6, f"{value:g} {what}: {least:g} to {most:g}"

    def most(self, name: str) -> float:
        """A limit that the station has stated; none where it has not."""
        return self.stated.get(name, float("inf"))
