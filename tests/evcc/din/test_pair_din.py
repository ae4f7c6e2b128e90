"""Our car and our station in DIN SPEC 70121, in one virtual time; and a car that offers several generations at stations of one."""

from dataclasses import replace
from typing import Any

import pytest

from evcc.car import Car, Wish
from evcc.ev import Ev
from evcc.generations import conducts_named
from evcc.goal import Goal
from evcc.opening import usual
from secc import station as words
from tests.evcc.test_pair import EPOCH, ended
from tests.evcc.virtual_pair import Pair, outlet
from v2g.messages.din.msg_body import PowerDeliveryReq
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameSent

PLACE = outlet(services=("DC",), authorizations=("EIM",))


def car(scale: float = 1.0, **wish: Any) -> Car[Any]:
    wishes = Wish(**{"services": ("DC",), "authorizations": ("EIM",), "loops": 5, **wish})
    return Car(Ev(energy=30_000), Goal(target_soc=50, minimum_soc=20), wishes, Clock(EPOCH, 0.0, scale))


def meet(visitor: Car[Any], **given: Any) -> Pair:
    return Pair(visitor, given.pop("outlet", PLACE), usual(conducts_named(given.pop("names", ["DIN"]))), **given)


def test_a_session() -> None:
    visitor = car()
    pair = meet(visitor)
    assert ended(pair) == "Terminate"
    assert (visitor.known.service.service, visitor.authorization, visitor.loops) == ("DC", "EIM", 5)
    assert (visitor.outcome().control, visitor.outcome().schedule) == ("Scheduled", 1)
    assert visitor.evse_id
    (began,) = pair.of(words.PowerStarted)
    assert pair.of(words.PowerStopped)[0].at > began.at
    assert pair.output == (0.0, 0.0)
    assert visitor.pilot == "B"
    assert not visitor.closed


def test_a_charge_to_the_goal_counts_the_same_energy_at_both_ends() -> None:
    visitor = car(scale=600.0, loops=None)
    visitor.goal = replace(visitor.goal, departure=EPOCH + 10 * 3600)
    pair = meet(visitor)
    assert ended(pair) == "Terminate"
    assert visitor.ev.soc == pytest.approx(50.0, abs=2.5)
    assert visitor.ev.charged == pytest.approx(pair.imported, rel=0.02)
    asked = [event.message for event in pair.seen if isinstance(event, FrameSent) and isinstance(event.message, PowerDeliveryReq)]
    assert [each.ReadyToChargeState for each in asked] == [True, False]


@pytest.mark.parametrize("fact", [words.StopAsked("the grid"), words.EmergencyStop("the button")])
def test_a_station_that_stops_or_fails_is_left(fact: Any) -> None:
    visitor = car(loops=50)
    pair = meet(visitor, facts={3: fact})
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well is isinstance(fact, words.StopAsked)
    assert visitor.loops <= 5
    assert not visitor.closed
    assert pair.output == (0.0, 0.0)


@pytest.mark.parametrize("spoken", ["2", "DIN"])
def test_a_car_of_all_generations_charges_in_the_one_that_the_station_speaks(spoken: Any) -> None:
    visitor = car()
    pair = meet(visitor, names=["20", "2", "DIN"], outlet=replace(PLACE, generations=(spoken,)))
    assert ended(pair) == "Terminate"
    assert visitor.protocol is not None
    assert visitor.protocol.schema_set == {"2": "iso2", "DIN": "din"}[spoken]
    assert visitor.loops == 5
