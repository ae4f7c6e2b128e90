"""Whole sessions over loopback sockets and TLS 1.3: every combination of service, control and authorization."""

import itertools

import pytest

from evcc.car import Wish
from evcc.goal import Goal
from evcc.iso20.read_soc import read_soc
from evcc.iso20.renegotiation import schedule_renegotiation, service_renegotiation
from pki.store import Store
from tests.integration.conftest import go, meet
from v2g.iso20.services import SERVICES

CONTROLS, WAYS = ("Scheduled", "Dynamic"), ("EIM", "PnC")


@pytest.mark.parametrize(("service", "control", "way"), list(itertools.product(SERVICES, CONTROLS, WAYS)))
def test_every_combination_over_tls(store: Store, service: str, control: str, way: str) -> None:
    wish = Wish(services=(service,), control=control, authorizations=(way,), loops=5, pace=0.02)  # type: ignore[arg-type]
    met = go(meet(store, wish))
    said = met.said
    assert said["ok"], said
    assert met.station.well, met.station
    assert (said["service"], said["control"], said["auth"]) == (service, control.lower(), way.lower())
    assert (said["tls"], said["loops"], said["ended"], said["relaxed"]) == ("TLSv1.3", 5, "Terminate", [])
    assert not met.evse.closed  # safe afterwards


def test_a_day_charges_when_cheap_and_gives_back_when_dear(store: Store) -> None:
    """Eighteen hours in nine seconds, both ways; what the car counts is what the station's meter counts.

    A loop is more than a minute of that day, hours where the machine is busy with something else: then the day is played more slowly. In
    virtual time it ends within a per mille (tests/evcc).
    """
    wish = Wish(services=("DC_BPT",), authorizations=("PnC",), pace=0.01)
    for scale in (7_200.0, 2_400.0, 800.0):
        met = go(meet(store, wish, scale=scale, soc=60.0, goal=Goal(target_soc=70, minimum_soc=20), stay=18 * 3600.0))
        if abs(met.said["soc_end"] - 70.0) < 12.0:
            break
    said, meter = met.said, met.evse.meter
    assert said["ok"], said
    assert met.station.well
    assert said["energy_discharged"] > 5_000
    assert said["energy_charged"] > 5_000
    assert said["energy_charged"] == pytest.approx(meter.imported, rel=0.1)
    assert said["energy_discharged"] == pytest.approx(meter.exported, rel=0.1)
    assert said["soc_end"] == pytest.approx(70.0, abs=12.0)


def test_a_pause_and_the_way_back(store: Store) -> None:
    met = go(meet(store, Wish(services=("DC_BPT",), authorizations=("PnC",), loops=6, pause_after=3, pace=0.02)))
    said = met.said
    assert said["ok"], said
    assert (said["sessions"], said["loops"], said["ended"]) == (2, 6, "Terminate")
    assert said["auth"] == "pnc"


@pytest.mark.parametrize("service", ["AC", "DC_BPT"])
def test_a_schedule_is_renegotiated_under_power(store: Store, service: str) -> None:
    met = go(meet(store, Wish(services=(service,), loops=6, pace=0.02), schedule_renegotiation(3)))
    assert met.said["ok"], met.said
    assert met.said["loops"] == 6


def test_a_service_is_renegotiated(store: Store) -> None:
    met = go(meet(store, Wish(services=("DC",), loops=6, pace=0.02), service_renegotiation(3, ("DC_BPT",))))
    assert met.said["ok"], met.said
    assert (met.said["service"], met.said["loops"]) == ("DC_BPT", 6)


def test_a_visit_to_read_the_state_of_charge(store: Store) -> None:
    met = go(meet(store, Wish(services=("DC",), authorizations=("EIM",)), read_soc))
    assert met.said["ok"], met.said
    assert met.said["loops"] == 1
    assert met.said["energy_charged"] < 1.0


def test_a_bench_without_tls(store: Store) -> None:
    met = go(meet(None, Wish(services=("DC",), authorizations=("EIM",), loops=3, pace=0.02)))
    assert met.said["ok"], met.said
    assert met.said["tls"] is None
