"""The built-in backend: rules for EIM, plans for schedules, setpoints from the plan."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from secc import station as words
from secc.backend import LocalBackend, Stay, Surroundings
from tests.starved import HANG
from v2g.energy import program
from v2g.energy.der import GridControl
from v2g.energy.needs import Needs
from v2g.energy.patience import ENDLESS, Patience
from v2g.energy.program import SolverMissing
from v2g.energy.series import Series
from v2g.energy.site import Site
from v2g.reasons import Reason
from v2g.session.endpoint import Ended
from v2g.workers import Workers

START = 1_790_000_000.0
HOUR = 3600.0
PRICES = Series.from_pairs([(START, 0.30), (START + HOUR, 0.10), (START + 2 * HOUR, 0.50)], START + 3 * HOUR)
SITE = Site(import_limit=20e3, export_limit=20e3, import_prices=PRICES, export_prices=PRICES)
NEEDS = Needs(
    departure=START + 3 * HOUR, energy_target=10e3, energy_maximum=40e3, energy_minimum=-10e3,
    charge_maximum=11e3, discharge_maximum=11e3, bidirectional=True,
)  # fmt: skip


@dataclass
class Desk:
    """A backend with surroundings of its own: jobs and later calls run when the test says so."""

    site: Site = SITE
    given: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wall, self.jobs, self.calls, self.told = START, [], [], []  # type: ignore[var-annotated]
        around = Surroundings(lambda: self.wall, self.later, self.put, self.put)
        self.backend = LocalBackend(around, self.site, **self.given)
        self.backend.began(self.told.append)

    def later(self, delay: float, call: Callable[[], None]) -> Callable[[], None]:
        self.calls.append((delay, call))
        return lambda: None

    def put(self, owner: Any, job: Callable[[Patience], Any], done: Callable[[Any], None]) -> None:
        assert owner is self.backend._desk
        self.jobs.append((job, done))

    def work(self, patience: Patience = ENDLESS) -> None:
        jobs, self.jobs = self.jobs, []
        for job, done in jobs:
            done(job(patience))

    def pass_time(self, seconds: float = 1.0) -> None:
        self.wall += seconds
        calls, self.calls = self.calls, []
        for _, call in calls:
            call()

    def hear(self, *events: Any) -> None:
        for event in events:
            self.backend.heard(event)


EIM = words.AuthorizationWanted(0.0, "EIM", "CAR")


def test_eim_is_accepted_refused_or_left_to_somebody_else() -> None:
    desk = Desk()
    desk.hear(EIM)
    assert desk.told == [words.Authorized()]
    desk = Desk(given={"eim": "refuse"})
    desk.hear(EIM)
    (refused,) = desk.told
    assert refused.kind is Reason.CARD_REFUSED
    assert "by rule" in refused.reason
    desk = Desk(given={"eim": "wait"})
    desk.hear(EIM)
    assert desk.told == []


def test_a_card_takes_a_while() -> None:
    desk = Desk(given={"eim_delay": 3.0})
    desk.hear(EIM)
    assert desk.told == []
    assert [delay for delay, _ in desk.calls] == [3.0]
    desk.pass_time()
    assert desk.told == [words.Authorized()]


def test_a_card_of_the_car_before_is_none() -> None:
    desk = Desk(given={"eim_delay": 3.0})
    desk.hear(EIM)
    desk.backend.ended(Ended("Terminate"))
    desk.backend.began(desk.told.append)
    desk.pass_time()
    assert desk.told == []


STARTED = words.SessionStarted(0.0, bytes(8), "CAR")
CODES = GridControl(discharge_maximum=2_000.0)


def test_a_car_that_leaves_its_stay_to_the_station_is_told_it_from_its_arrival() -> None:
    desk = Desk(given={"stay": Stay(seconds=2 * HOUR, minimum_soc=20.0, target_soc=80.0)})
    desk.wall += 600.0
    desk.hear(STARTED)
    assert desk.told == [words.MobilityNeedsSet(START + 600.0 + 2 * HOUR, 20.0, 80.0)]
    desk = Desk(given={"stay": Stay(target_soc=80.0)})
    desk.hear(STARTED)
    assert desk.told == [words.MobilityNeedsSet(None, None, 80.0)]
    desk = Desk()
    desk.hear(STARTED)
    assert desk.told == []  # nobody has said: the car's own needs hold


def test_every_session_is_told_what_the_grid_asks_and_the_one_that_is_here_of_each_change() -> None:
    desk = Desk(given={"grid": CODES})
    assert desk.told == []
    desk.hear(STARTED)
    assert desk.told == [words.GridControlChanged(CODES)]
    other = GridControl(var=500.0)
    desk.backend.ask_of_cars(other)
    desk.backend.ask_of_cars(None)
    assert desk.told[1:] == [words.GridControlChanged(other), words.GridControlChanged(GridControl())]
    desk.backend.ended(Ended("Terminate"))
    desk.backend.ask_of_cars(CODES)
    assert len(desk.told) == 3  # nobody is here
    desk.backend.began(desk.told.append)
    desk.hear(STARTED)
    assert desk.told[3:] == [words.GridControlChanged(CODES)]


def test_a_contract_that_the_session_verified_is_good() -> None:
    desk = Desk()
    desk.hear(words.AuthorizationWanted(0.0, "PnC", "CAR", "DEV2GC00000001G", (b"der",)))
    assert desk.told == [words.Authorized()]


def test_there_are_no_contracts_to_install() -> None:
    desk = Desk()
    desk.hear(words.CertificateInstallationWanted(0.0, b"", "urn:of:a:schema", 1))
    (refused,) = desk.told
    assert refused.kind is Reason.NO_CERTIFICATE
    assert "no provisioning service" in refused.reason


def test_needs_become_an_offer_that_buys_cheap_and_sells_dear() -> None:
    desk = Desk()
    desk.hear(words.NeedsChanged(0.0, NEEDS, True))
    assert desk.told == []  # the session does not wait: the plan is made elsewhere
    desk.work()
    (ready,) = desk.told
    best = ready.offer.tuples[0]
    assert best.power.at(START + 1.5 * HOUR) > 0
    assert best.power.at(START + 2.5 * HOUR) < 0


def test_an_offer_that_comes_after_its_session_is_thrown_away() -> None:
    desk = Desk()
    desk.hear(words.NeedsChanged(0.0, NEEDS, True))
    desk.backend.ended(Ended("Terminate"))
    desk.backend.began(desk.told.append)
    desk.work()
    assert desk.told == []


def _steered(desk: Desk) -> list[float]:
    return [fact.power for fact in desk.told if isinstance(fact, words.SetpointChanged)]


def test_dynamic_control_is_steered_by_the_plan_until_power_stops() -> None:
    desk = Desk()
    desk.hear(words.ServiceSelected(0.0, "DC_BPT", "Dynamic"), words.NeedsChanged(0.0, NEEDS, True))
    desk.work()
    desk.hear(words.PowerStarted(0.0))
    desk.pass_time(1.5 * HOUR)
    desk.pass_time(HOUR)
    setpoints = _steered(desk)
    assert setpoints[-2] > 0 > setpoints[-1]
    desk.hear(words.PowerStopped(0.0))
    desk.pass_time()
    desk.pass_time()
    assert _steered(desk) == setpoints
    assert desk.calls == []


def test_a_car_that_is_full_is_not_led_to_charge() -> None:
    desk = Desk()
    desk.hear(words.ServiceSelected(0.0, "DC_BPT", "Dynamic"), words.NeedsChanged(0.0, NEEDS, True))
    desk.work()
    desk.hear(words.PowerStarted(0.0))
    desk.hear(words.EVReported(0.0, energy_target=0.0, energy_maximum=0.0, energy_minimum=-50e3))
    desk.pass_time(1.5 * HOUR)
    assert _steered(desk)[-1] == 0


def test_where_time_runs_fast_the_setpoint_follows_every_change_of_the_plan() -> None:
    """At a scale of 8400 a second is more than two hours: a look every second would pass over a peak."""
    scale = 8_400.0
    desk = Desk()
    desk.backend.around = replace(desk.backend.around, until=lambda wall: (wall - desk.wall) / scale)
    desk.hear(words.ServiceSelected(0.0, "DC_BPT", "Dynamic"), words.NeedsChanged(0.0, NEEDS, True))
    desk.work()
    desk.hear(words.PowerStarted(0.0))
    plan = desk.backend._plan
    assert plan is not None
    seen = []
    while desk.calls and desk.wall < plan.power.until - 600:
        delay, call = desk.calls.pop()
        assert 0.02 <= delay <= 1.0
        desk.wall += delay * scale
        call()
        seen.append(desk.wall)
    for edge in plan.power.merged().edges()[1:-1]:
        assert min(after - edge for after in seen if after >= edge) <= 0.02 * scale + 1, edge


def test_scheduled_control_is_not_steered() -> None:
    desk = Desk()
    desk.hear(words.ServiceSelected(0.0, "DC", "Scheduled"), words.NeedsChanged(0.0, NEEDS, True))
    desk.work()
    desk.hear(words.PowerStarted(0.0))
    assert desk.calls == []
    assert _steered(desk) == []


@pytest.mark.parametrize("error", [SolverMissing, ArithmeticError, RecursionError])
def test_without_a_solver_or_with_one_that_fails_there_is_still_an_offer(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise error

    monkeypatch.setattr(program, "load_solver", fails)
    desk = Desk()
    desk.hear(words.NeedsChanged(0.0, NEEDS, True))
    desk.work()
    (ready,) = desk.told
    (at_once,) = ready.offer.tuples
    assert at_once.power.at(START) == pytest.approx(11e3)
    assert at_once.plan is not None
    assert at_once.plan.unmet < 1.0  # Wh: powers are cut to what a message carries


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_a_car_that_stands_by_is_asked_back_when_power_is_wanted_that_was_not_before(control: Any) -> None:
    desk = Desk()
    desk.hear(words.ServiceSelected(0.0, "DC", control), words.NeedsChanged(0.0, NEEDS, first=True))
    desk.work()
    plan = desk.backend._plan
    assert plan is not None
    idle = [start for start, _, power in plan.power.spans() if power == 0.0]
    busy = [start for start, _, power in plan.power.spans() if power != 0.0]
    assert idle
    assert busy

    def asked() -> int:
        return sum(isinstance(fact, words.ExitStandbyAsked) for fact in desk.told)

    desk.hear(words.PowerStarted(0.0))
    desk.wall = busy[0]
    desk.hear(words.PowerStopped(0.0), words.StoodBy(0.0))
    desk.pass_time()
    assert asked() == 0  # it stands by although power is offered: that is its own wish
    desk.wall = idle[0]
    desk.pass_time()
    desk.wall = busy[-1]
    desk.pass_time()
    assert asked() == 1
    desk.pass_time()
    assert asked() == 1

    desk.hear(words.PowerStarted(0.0), words.PowerStopped(0.0), words.StoodBy(0.0))
    desk.wall = idle[0]
    desk.pass_time()
    desk.backend.ended(Ended("Terminate"))
    desk.wall = busy[-1]
    desk.pass_time()
    assert asked() == 1


def test_one_plan_is_made_at_a_time_and_of_what_waits_only_the_newest() -> None:
    """A car that polls faster than plans are made must not pile them up: they would outlive its session, and the station's end."""
    desk = Desk()
    for number in range(60):
        desk.hear(words.NeedsChanged(0.0, replace(NEEDS, energy_target=10e3 + number), first=True))
    assert len(desk.jobs) == 1
    desk.work()
    assert len(desk.jobs) == 1
    desk.work()
    assert desk.jobs == []
    first, last = (fact.offer.tuples[0].plan for fact in desk.told if isinstance(fact, words.ScheduleReady))
    assert sum(first.power.values) < sum(last.power.values)


def test_a_plan_for_a_car_that_has_gone_is_told_to_nobody_and_holds_up_no_other() -> None:
    """Odd needs make a plan slow. Who comes after such a car does not wait for it, and its end takes nothing from them."""
    desk = Desk()
    desk.hear(words.NeedsChanged(0.0, NEEDS, first=True), words.NeedsChanged(0.0, replace(NEEDS, energy_target=1e3), first=True))
    (slow,) = desk.jobs
    desk.jobs = []
    desk.backend.ended(Ended("Terminate"))
    desk.backend.began(desk.told.append)
    desk.hear(words.NeedsChanged(0.0, NEEDS, first=True))
    assert len(desk.jobs) == 1
    desk.hear(words.NeedsChanged(0.0, replace(NEEDS, energy_target=2e3), first=True))
    job, done = slow
    done(job(ENDLESS))
    assert desk.told == []
    assert len(desk.jobs) == 1, "the end of the old plan let a second be made beside that of the new car"
    desk.work()
    assert [type(fact) for fact in desk.told] == [words.ScheduleReady]
    assert len(desk.jobs) == 1, "needs that came while the first plan was made were forgotten"


def test_after_a_hundred_cars_with_needs_that_take_minutes_to_search_the_next_has_its_offer() -> None:
    """A minimum as large as the maximum, a range for V2X, a battery nearly empty: 210 s on one core, were there no limit."""
    hard = replace(
        NEEDS, departure=START + 24 * HOUR, energy_target=59e3, energy_maximum=59.1e3, v2x_maximum=20e3, v2x_minimum=5e3,
        charge_minimum=10.9e3, discharge_minimum=10.9e3,
    )  # fmt: skip

    async def visited() -> list[Any]:
        workers, told, ready = Workers("plans", longest=0.2), list[Any](), asyncio.Event()
        backend = LocalBackend(Surroundings(lambda: START, lambda *_: lambda: None, workers.submit, workers.submit), Site())
        for _ in range(100):
            backend.began(told.append)
            backend.heard(words.NeedsChanged(0.0, hard, first=True))
            await asyncio.sleep(0)
            backend.ended(Ended("Terminate"))

        def tell(fact: Any) -> None:
            told.append(fact)
            ready.set()

        backend.began(tell)
        backend.heard(words.NeedsChanged(0.0, hard, first=True))
        async with asyncio.timeout(HANG):
            await ready.wait()
        return told

    (offer,) = asyncio.run(visited())
    assert isinstance(offer, words.ScheduleReady)
    assert offer.offer.tuples[0].power.at(START + 60) == pytest.approx(11e3)


def test_a_plan_that_fails_is_not_the_last() -> None:
    desk = Desk()
    desk.hear(words.NeedsChanged(0.0, NEEDS, first=True))
    (_, done) = desk.jobs.pop()
    with pytest.raises(ArithmeticError):
        done(ArithmeticError("no plan"))
    desk.hear(words.NeedsChanged(0.0, NEEDS, first=True))
    desk.work()
    assert [type(fact) for fact in desk.told] == [words.ScheduleReady]


# --- the state of charge alone ---


def test_a_state_of_charge_that_is_read_ends_the_session_without_a_plan() -> None:
    desk = Desk(given={"read_soc": True})
    desk.hear(words.NeedsChanged(0.0, replace(NEEDS, soc=42.0), True))
    assert desk.jobs == []
    (stop,) = (fact for fact in desk.told if isinstance(fact, words.StopAsked))
    assert stop.reason == "the state of charge was read, 42 %, and nothing is charged here"


def test_a_car_that_says_it_in_its_loop_gets_no_power_until_then() -> None:
    desk = Desk(given={"read_soc": True})
    desk.hear(words.ServiceSelected(0.0, "DC", "Dynamic"), words.NeedsChanged(0.0, NEEDS, True), words.PowerStarted(0.0))
    (offered,) = (fact.offer for fact in desk.told if isinstance(fact, words.ScheduleReady))
    assert offered.tuples[0].charging is not None
    assert set(offered.tuples[0].charging.values) == {0.0}
    assert [fact.power for fact in desk.told if isinstance(fact, words.SetpointChanged)] == [0.0]
    assert not any(isinstance(fact, words.StopAsked) for fact in desk.told)
    desk.hear(words.EVReported(0.0, power=0.0, soc=42.0))
    assert isinstance(desk.told[-1], words.StopAsked)
