"""Default hours in sessions of virtual time: a car waits for the end of the peak and a random delay, unless somebody overrides it; limits
and safety wait for nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import urandom
from typing import Any

from secc import station as words
from secc.backend import Surroundings
from secc.neighbour import Neighbour
from secc.yard import Yard
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.market.hours import Hours, OffPeak
from v2g.energy.patience import ENDLESS
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2g.energy.site import Site
from v2g.session.endpoint import Event
from v2gkit.testing.pair import LIMITS, Pair, car

EVENING = datetime(2026, 9, 21, 21, 59, 30, tzinfo=UTC).timestamp()  # a Monday: peak until 22:00
PEAK_ENDS = EVENING + 30.0
Tale = list[tuple[float, str, Any]]


@dataclass
class Led(Pair):
    """A pair whose station is led by a yard with default hours; `acts` are called with the yard at a wall time (epoch s)."""

    hours: Hours | None = None
    prices: Series | None = None
    acts: dict[float, Callable[["Led"], None]] = field(default_factory=dict)
    tale: Tale = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now, self.later = self.car.now, []
        around = Surroundings(lambda: self.car.clock.wall(self.now), self.call, lambda *_: None, self.compute)
        site = Site(import_prices=self.prices, export_prices=self.prices)
        self.yard = Yard(around, lambda wall: Ground(Connection("grid", 40e3, 0.0), site), hours=self.hours)
        self.backend = Neighbour(around, site, spot=self.yard.spot("E1"))
        self.pending = dict(self.acts)
        super().__post_init__()

    def call(self, delay: float, call: Callable[[], None]) -> Callable[[], None]:
        entry: Any = (self.now + delay, call)
        self.later.append(entry)
        return lambda: self.later.remove(entry) if entry in self.later else None

    def compute(self, owner: object, job: Callable[..., Any], done: Callable[[Any], None]) -> None:
        done(job(ENDLESS))

    def _tell(self, fact: Any) -> None:
        if isinstance(fact, words.Fact):
            super()._tell(fact)
            self.backend.heard(fact)
            return
        self.later = [(due, each) for due, each in self.later if each is not fact]
        wall = self.car.clock.wall(self.now)
        for at in [each for each in self.pending if each <= wall]:
            self.pending.pop(at)(self)
        fact()

    def _serve(self, event: Event) -> None:
        wall = self.car.clock.wall(self.now)
        if isinstance(event, words.AuthorizationWanted):
            self.backend.began(self.said)
            self.backend.heard(words.LimitsChanged(LIMITS))
        if not isinstance(event, words.NeedsChanged | words.PowerStarted):
            super()._serve(event)
        if isinstance(event, words.SetOutput):
            self.tale.append((wall, "power", event.power))
        self.backend.heard(event)
        if isinstance(event, words.EVReported):
            self._after(words.OutputMeasured(*self.output))

    def said(self, fact: words.Fact) -> None:
        self.tale.append((self.car.clock.wall(self.now), type(fact).__name__, fact))
        super()._tell(fact)


def hours_of(*seconds: int) -> Hours:
    """The hours of Great Britain with these draws, again and again; with none those of the machine."""
    order = [*seconds]
    draw = (lambda count: order.append(order.pop(0)) or order[-1].to_bytes(count, "big")) if order else urandom  # type: ignore[func-returns-value]
    return Hours(OffPeak(profile="uk-scp-2021"), UTC, draw)


def lives(control: str = "Dynamic", loops: int = 700, **more: Any) -> Led:
    """A car that comes half a minute before ten, for some 75 s."""
    return Led(car("DC", control, epoch=EVENING, loops=loops), **more)


def told(led: Led, kind: str) -> list[tuple[float, Any]]:
    return [(wall, fact) for wall, name, fact in led.tale if name == kind]


def starts(led: Led) -> float:
    """When power was told first (epoch s)."""
    return min(wall for wall, fact in told(led, "SetpointChanged") if fact.power > 0)


def test_a_car_waits_for_the_end_of_the_peak_and_a_delay_and_a_limit_waits_for_nothing() -> None:
    def limit(led: Led) -> None:
        led.yard.follow([Signal("dso", Kind.IMPORT_CAP, Series.constant(EVENING + 60.0, 3_600.0, 2_000.0))])

    led = lives(hours=hours_of(20), acts={EVENING + 60.0: limit})
    assert led.station.ended is not None
    assert led.station.ended.error is None
    assert PEAK_ENDS + 20 <= starts(led) <= PEAK_ENDS + 20 + 3.0
    assert [(fact.at, fact.seconds, fact.why) for _, fact in told(led, "ChangeDelayed")] == [(PEAK_ENDS, 20, "start")]
    powers = [(wall, fact.power) for wall, fact in told(led, "SetpointChanged")]
    assert max(power for wall, power in powers if wall < EVENING + 60.0) > 10e3
    assert [power for wall, power in powers if EVENING + 60.0 <= wall < EVENING + 62.0][-1] <= 2_000.0
    assert all(power <= 2_000.0 for wall, power in powers if wall >= EVENING + 62.0)


def test_an_override_lets_a_car_charge_in_the_peak_without_a_delay() -> None:
    led = lives(hours=hours_of(20), loops=250, acts={EVENING + 10.0: lambda led: led.yard.spots["E1"].override(True)})
    assert EVENING + 10.0 <= starts(led) <= EVENING + 13.0
    assert [fact.overridden for _, fact in told(led, "DefaultsOverridden")] == [True]
    led = lives(hours=hours_of(20), loops=450, acts={EVENING + 32.0: lambda led: led.yard.spots["E1"].override(True)})
    assert EVENING + 32.0 <= starts(led) <= EVENING + 35.0  # the peak is over, and the delay runs: it is cancelled


def test_a_schedule_has_the_peak_and_its_delay() -> None:
    led = lives("Scheduled", loops=5, hours=hours_of(311))
    shown = told(led, "ScheduleReady")[0][1].offer.tuples[0].power
    assert shown.at(PEAK_ENDS + 310.5) == 0.0
    assert (shown.at(PEAK_ENDS + 311.5) or 0.0) > 10e3
    assert told(led, "ChangeDelayed")[0][1].seconds == 311


def test_a_price_that_falls_starts_a_car_after_a_delay_and_without_the_table_nothing_is_delayed() -> None:
    prices = Series.from_pairs([(EVENING - 3_600.0, 0.9), (PEAK_ENDS, 0.1)], EVENING + 9 * 3_600.0)
    hours = Hours(OffPeak(delay=600), UTC, lambda count: (10).to_bytes(count, "big"))
    late, plain = (lives(hours=given, prices=prices, loops=500) for given in (hours, None))
    assert PEAK_ENDS + 10.0 <= starts(late) <= PEAK_ENDS + 13.0
    assert PEAK_ENDS <= starts(plain) <= PEAK_ENDS + 3.0
    assert not told(plain, "ChangeDelayed")
