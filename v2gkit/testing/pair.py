"""A car and a station in one virtual time: two sessions, a link of a few milliseconds, hardware that does as it is told.

pair = Pair(car(service="DC", control="Dynamic"))
pair.station.ended, pair.evcc.ended      # both have run to their end, hours of a charge in a tenth of a second
pair.happened, pair.seen                 # what happened at the station and at the car, in order
"""

from dataclasses import dataclass, field, replace
from typing import Any

from evcc.car import Car, Wish
from evcc.engine import EvccSession
from evcc.ev import Ev
from evcc.goal import Goal
from evcc.iso20.charge import charge
from evcc.script import Script
from secc import station as words
from secc.engine import SeccSession
from secc.outlet import Outlet
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series, Step
from v2g.iso20.services import SERVICES
from v2g.session.clock import Clock
from v2g.session.endpoint import Event
from v2g.session.tls import TlsFacts

LATENCY = 0.003  # s
LIMITS = words.Limits(
    charge_power=50_000, discharge_power=30_000, charge_current=140, discharge_current=90, voltage=920, voltage_minimum=150
)


def outlet(**changes: Any) -> Outlet:
    """An outlet with every service."""
    return Outlet(**{"services": tuple(SERVICES), "limits": LIMITS, "authorizations": ("EIM", "PnC"), **changes})


def night(start: float) -> Offer:
    """Cheap for two hours, then dear for one: charge, then give back."""
    hour = 3600.0
    prices = Series(start, (Step(2 * hour, 0.10), Step(hour, 0.50)))
    charging = Series(start, (Step(2 * hour, 20_000.0), Step(hour, 0.0)))
    discharging = Series(start, (Step(2 * hour, 0.0), Step(hour, -10_000.0)))
    return Offer((Tuple(11, charging, discharging, prices, prices),))


def car(service: str = "", control: str = "Scheduled", *, epoch: float = 1_800_000_000.0, scale: float = 1.0, **wish: Any) -> Car[Any]:
    """A car that authorizes by external means, over plain TCP as on a bench, and leaves after five loops; `wish` are fields of `Wish`.

    Without a service it takes what a `Wish` wants by itself. Its wall clock begins at `epoch`
    (s since 1970) and runs `scale` times as fast as the session.
    """
    wanted = {
        "services": (service,) if service else Wish().services,
        "control": control,
        "authorizations": ("EIM",),
        "loops": 5,
        "bench_plain": True,
        **wish,
    }
    return Car(Ev(), wish=Wish(**wanted), goal=Goal(), clock=Clock(epoch, 0.0, scale))


def mirrored(facts: TlsFacts) -> TlsFacts:
    """The facts of a TLS connection as the other side of it sees them."""
    return replace(facts, own_chain=facts.peer_chain, peer_chain=facts.own_chain)


@dataclass
class Pair:
    """Runs until both sessions have ended; raises AssertionError where they do not end.

    `setpoint` (W) is what Dynamic control asks for; `facts` are told to the station at the loop of that number; `given` are arguments of
    `SeccSession`. Without TLS on the car's link the station is insecure, as on a bench.
    """

    car: Car[Any]
    outlet: Outlet = field(default_factory=outlet)
    script: Script = charge
    given: dict[str, Any] = field(default_factory=dict)
    setpoint: float = 8_000.0
    facts: dict[int, words.Fact] = field(default_factory=dict)
    hardware: float = 0.01  # s until a command is carried out
    lane: int = 250  # what a car that checks in travels to its place
    imported: float = 0.0  # Wh, by a meter of the test
    exported: float = 0.0

    def __post_init__(self) -> None:
        self.now = self.car.now
        tls = mirrored(self.car.link.tls) if self.car.link and self.car.link.tls else None
        options: dict[str, Any] = {
            "entropy": lambda n: (int(self.now) + 1).to_bytes(n, "big"),
            "tls": tls,
            "insecure": tls is None,
            **self.given,
        }
        self.station = SeccSession(self.outlet, self.car.clock, self.now, **options)
        self.evcc = EvccSession(self.script, self.car, self.now)
        self.later: list[tuple[float, words.Fact]] = []
        self.happened: list[Event] = []
        self.seen: list[Event] = []
        self.output = (0.0, 0.0)
        self.counted = self.car.wall
        self._run()

    def _run(self) -> None:
        for _ in range(2_000_000):
            if not self._moves():
                return
        raise AssertionError("the session does not end")

    def _moves(self) -> bool:
        """Let octets cross, or time go on to what is due next; False: there is neither."""
        if self._exchange():
            return True
        if self.station.ended and not self.evcc.ended:
            self.evcc.receive(b"", self.now)
            return True
        if self.evcc.ended and not self.station.ended:
            self.station.receive(b"", self.now)
            return True
        dues = [due for due in self._dues() if due is not None]
        if self.evcc.ended or not dues:
            return False
        self._count(min(dues))
        self.evcc.tick(self.now)
        self.station.tick(self.now)
        for fact in [fact for due, fact in self.later if due <= self.now]:
            self._tell(fact)
        return True

    def _dues(self) -> tuple[float | None, ...]:
        return self.evcc.deadline(), self.station.deadline(), *(due for due, _ in self.later)

    def _count(self, now: float) -> None:
        """Time goes on: the test's meter counts what the output gives."""
        self.now = max(self.now, now)
        wall = self.car.clock.wall(self.now)
        energy = self.output[0] * self.output[1] * (wall - self.counted) / 3600.0
        self.imported += max(energy, 0.0)
        self.exported -= min(energy, 0.0)
        self.counted = wall

    def _exchange(self) -> bool:
        to_station, to_car = self.evcc.octets_to_send(), self.station.octets_to_send()
        self.seen += self.evcc.events()
        if to_station or to_car:
            self._count(self.now + LATENCY)
        if to_station:
            self.station.receive(to_station, self.now)
        if to_car:
            self.evcc.receive(to_car, self.now)
            if self.station.ended and not self.evcc.ended:
                self.evcc.receive(b"", self.now)
        for event in self.station.events():
            self.happened.append(event)
            self._serve(event)
        return bool(to_station or to_car)

    def _serve(self, event: Event) -> None:
        fact: words.Fact | None = None
        match event:
            case words.AuthorizationWanted():
                fact = words.Authorized()
            case words.CheckIsolation():
                self._after(words.ContactorIs(True))
                fact = words.IsolationMeasured(True)
            case words.CloseContactor():
                fact = words.ContactorIs(True)
            case words.ServiceSelected(service=service) if SERVICES[service].docked or SERVICES[service].wireless:
                fact = words.PositionIs(words.Position(reachable=True))
            case words.CheckInReported(arrival=said):
                left = self.lane - (said.travel or 0)
                fact = words.PlaceIs(words.ParkingPlace(7, 8, left, occupied=left == 0 and said.status == "Completed"))
            case words.CheckOutReported():
                fact = words.CheckedOut()
            case words.ConnectDevice():
                fact = words.DeviceIs("EndPosition")
            case words.DisconnectDevice():
                fact = words.DeviceIs("Home")
            case words.PairVehicle(observed=observed):
                fact = words.PairingIs(words.Paired(True), observed)
            case words.CheckAlignment(current=current):
                self._after(words.ContactorIs(False))
                fact = words.AlignmentIs(words.Alignment(True, 50.0, current))
            case words.OpenContactor():
                self.output = (0.0, 0.0)
                fact = words.ContactorIs(False)
            case words.SetOutput(voltage=voltage, current=current, power=power):
                if abs(voltage * current) > abs(power):
                    current = power / voltage
                self.output = (voltage, current)
                fact = words.OutputMeasured(voltage, current)
            case words.SetPower(power=power):
                self.output = (1.0, power)
            case words.NeedsChanged():
                fact = words.ScheduleReady(night(int(self.car.wall)))
            case words.PowerStarted():
                self._after(words.SetpointChanged(self.setpoint))
                fact = words.MeterRead(words.MeterReading("M1", 1.0, 0.0, self.car.wall, bytes(64)))
            case words.EVReported(power=power):
                if self.car.known.service.row.mains:
                    self.output = (1.0, power or 0.0)  # a meter sees what the car really takes
                fact = self.facts.pop(self.car.loops, None)
        if fact is not None:
            self._after(fact)

    def _after(self, fact: words.Fact) -> None:
        self.later.append((self.now + self.hardware, fact))

    def _tell(self, fact: words.Fact) -> None:
        self.later = [(due, other) for due, other in self.later if other is not fact]
        self.station.tell(fact, self.now)

    def of(self, kind: type[Any]) -> list[Any]:
        """The station's wants and events of a kind."""
        return [event for event in self.happened if isinstance(event, kind)]
