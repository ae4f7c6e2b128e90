"""What the car puts up with under the interop profile and refuses under conformance."""

import pytest

from evcc.car import Car, Wish
from evcc.ev import Ev
from evcc.goal import Goal
from tests.evcc.scripted_station import EPOCH, Station, power_schedule, prices, run, schedule_tuple
from v2g.session.clock import Clock
from v2g.session.endpoint import Relaxed
from v2g.session.errors import PeerIncompatible
from v2g.session.profiles import ANCHOR_ZERO, Profile


def visitor(profile: Profile) -> Car:
    wish = Wish(services=("DC_BPT",), authorizations=("EIM",), loops=3, bench_plain=True, profile=profile)
    return Car(Ev(energy=20e3), Goal(), wish, Clock(EPOCH, 0.0, 1.0))


def anchored(at: int) -> Station:
    """A station whose schedules and prices begin at `at` (epoch s) and last an hour."""
    charge, back = power_schedule(at, (3600, 10e3)), power_schedule(at, (3600, -10e3))
    return Station(tuples=(schedule_tuple(1, charge, prices(at, (3600, 0.2)), back, prices(at, (3600, 0.1))),))


def test_a_schedule_from_1970_offers_nothing_now() -> None:
    session = run(visitor("conformance"), anchored(0))
    assert session.ended is not None
    assert isinstance(session.ended.error, PeerIncompatible)


@pytest.mark.parametrize(("at", "told"), [(0, [ANCHOR_ZERO.name]), (EPOCH, [])])
def test_under_interop_an_anchor_of_zero_is_now(at: int, told: list[str]) -> None:
    car, station = visitor("interop"), anchored(at)
    session = run(car, station)
    assert session.ended is not None
    assert session.ended.well, session.ended
    assert [event.relaxation for event in session.events() if isinstance(event, Relaxed) and "TimeAnchor" in event.relaxation] == told
    (profile,) = [r.EVPowerProfile for r in station.requests if getattr(r, "EVPowerProfile", None)]
    assert EPOCH <= profile.TimeAnchor <= EPOCH + 60
    assert car.ev.energy > 20e3


def test_an_anchor_of_zero_anywhere_in_the_offer_is_one() -> None:
    """Power is anchored now, its discharging half and its prices in 1970: the present for them too, and told once."""
    charge, back = power_schedule(EPOCH, (3600, 10e3)), power_schedule(0, (3600, 5e3))
    car = visitor("interop")
    session = run(car, Station(tuples=(schedule_tuple(1, charge, prices(0, (3600, 0.2)), back, prices(0, (3600, 0.1))),)))
    assert session.ended is not None
    assert session.ended.well, session.ended
    (offer,) = car.known.offers
    assert all(series is not None and series.start >= EPOCH for series in (offer.charge, offer.discharge, offer.buy, offer.sell))
    assert [e.relaxation for e in session.events() if isinstance(e, Relaxed) and "TimeAnchor" in e.relaxation] == [ANCHOR_ZERO.name]


def test_the_reason_names_the_anchor_and_the_profile_that_bears_it() -> None:
    session = run(visitor("conformance"), anchored(0))
    assert session.ended is not None
    assert "TimeAnchor is 0" in str(session.ended.error)
    assert "interop" in str(session.ended.error)
