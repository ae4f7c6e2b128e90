"""The built-in backend: rules for EIM, plans for schedules, setpoints from the plan."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from energy.needs import Needs
from energy.series import Series
from energy.site import Site
from secc import station as words
from secc.backend import LocalBackend, Surroundings
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Ended

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
        around = Surroundings(lambda: self.wall, self.later, lambda job, done: self.jobs.append((job, done)))
        self.backend = LocalBackend(around, self.site, **self.given)
        self.backend.began(self.told.append)

    def later(self, delay: float, call: Callable[[], None]) -> Callable[[], None]:
        self.calls.append((delay, call))
        return lambda: None

    def work(self) -> None:
        jobs, self.jobs = self.jobs, []
        for job, done in jobs:
            done(job())

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
    assert refused.code is Code.WARNING_EIMAuthorizationFailure
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


def test_a_contract_that_the_session_verified_is_good() -> None:
    desk = Desk()
    desk.hear(words.AuthorizationWanted(0.0, "PnC", "CAR", "DEV2GC00000001G", (b"der",)))
    assert desk.told == [words.Authorized()]


def test_there_are_no_contracts_to_install() -> None:
    desk = Desk()
    desk.hear(words.CertificateInstallationWanted(0.0, b"", 1))
    (refused,) = desk.told
    assert refused.code is Code.WARNING_NoCertificateAvailable
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


def test_scheduled_control_is_not_steered() -> None:
    desk = Desk()
    desk.hear(words.ServiceSelected(0.0, "DC", "Scheduled"), words.NeedsChanged(0.0, NEEDS, True))
    desk.work()
    desk.hear(words.PowerStarted(0.0))
    assert desk.calls == []
    assert _steered(desk) == []


def test_without_a_solver_there_is_still_an_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    from energy.program import SolverMissing
    from secc import backend

    def missing(*_: Any) -> Any:
        raise SolverMissing

    monkeypatch.setattr(backend, "plan", missing)
    plan, offered = backend.offered(NEEDS, SITE, START)
    (at_once,) = offered.tuples
    assert at_once.power.at(START) == pytest.approx(11e3)
    assert plan.unmet == pytest.approx(0)
