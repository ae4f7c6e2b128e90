"""SalesTariffs in a car of ISO 15118-2: whose prices it believes, what it charges by, and that its profile stays within the offer."""

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from evcc.car import Car
from evcc.credentials import PriceTrust
from pki import signature
from pki.profiles import ISO2, Role
from pki.tariff import sign_prices
from tests.evcc.iso2.scripted_station2 import EPOCH, STANDARD, Answer, Met, Option, Station2, car2, tuple_of
from tests.evcc.iso2.test_installation2 import OURS, STRANGERS, TRUSTED, contract, details, held
from v2g.iso2.physical import W, number, physical
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.errors import PeerMisbehaved

HOUR = 3600


def entry(start: int, level: int | None = None, price: int | None = None, duration: int | None = None) -> t.SalesTariffEntryType:
    cost = t.CostType(costKind=t.costKindType.relativePricePercentage, amount=price or 0)
    costs = () if price is None else (t.ConsumptionCostType(startValue=physical(0.0, W), Cost=(cost,)),)
    return t.SalesTariffEntryType(
        TimeInterval=t.RelativeTimeIntervalType(start=start, duration=duration), EPriceLevel=level, ConsumptionCost=costs
    )


def tariff(*entries: t.SalesTariffEntryType, number: int = 1) -> t.SalesTariffType:
    return t.SalesTariffType(Id=f"t{number}", SalesTariffID=number, NumEPriceLevels=3, SalesTariffEntry=entries)


DEAR_FIRST = (entry(0, 3), entry(4 * HOUR, 1, duration=8 * HOUR))


def signed(key: Any) -> Answer:
    """ChargeParameterDiscoveryRes with the signature of a key over its tariffs."""

    def answer(request: Any, station: Station2) -> Any:
        response = STANDARD["ChargeParameterDiscovery"](request, station)
        return response, sign_prices(response, key)

    return answer


def visitor(**wish: Any) -> Car[Any]:
    """A car that stays twelve hours, pays by a contract and knows its provider."""
    car = car2("DC", tls=True, **{"authorizations": ("PnC",), **wish})
    car.goal = replace(car.goal, departure=EPOCH + 12 * HOUR)
    car.prefer(held(contract()))
    car.prices = PriceTrust(TRUSTED, (), ISO2, signature.ISO2)
    return car


def station(*tuples: Any, **answers: Answer) -> Station2:
    return Station2({"PaymentDetails": details, **answers}, ways=(Option.ExternalPayment, Option.Contract), tuples=tuples)


def profile(there: Station2) -> list[tuple[int, float]]:
    """The ChargingProfile that the car sent: begin (s), power (W)."""
    start = there.of(b.PowerDeliveryReq)[0]
    return [(one.ChargingProfileEntryStart, number(one.ChargingProfileEntryMaxPower)) for one in start.ChargingProfile.ProfileEntry]


def power_at(steps: list[tuple[int, float]], second: int) -> float:
    return next((power for begin, power in reversed(steps) if begin <= second), 0.0)


@pytest.mark.parametrize(
    ("signer", "standing", "cheap"),
    [("its provider", "genuine", True), ("a stranger", "wrong", False), ("the station", "wrong", False), ("nobody", None, True)],
)
def test_prices_count_unless_their_signature_is_wrong(signer: str, standing: str | None, cheap: bool) -> None:
    keys = {"its provider": OURS[Role.MO_SUB2].key, "a stranger": STRANGERS[Role.MO_SUB2].key, "the station": OURS[Role.SECC].key}
    answers = {"ChargeParameterDiscovery": signed(keys[signer])} if signer in keys else {}
    met = Met(there := station(tuple_of(tariff=tariff(*DEAR_FIRST)), **answers), visitor())
    assert met.error is None, met.error
    told = [one["standing"] for one in met.noted("prices judged")]
    assert told == ([standing] if standing else [])
    steps = profile(there)
    assert (power_at(steps, 900) == 0.0) is cheap  # by the tariff it waits for the cheap hours, without one it begins at once
    assert (power_at(steps, 4 * HOUR + 900) > 0.0) is cheap


def test_a_tariff_that_was_changed_after_it_was_signed_does_not_count() -> None:
    def changed(request: Any, there: Station2) -> Any:
        response, made = signed(OURS[Role.MO_SUB2].key)(request, there)
        other = tuple_of(tariff=tariff(entry(0, 1), entry(4 * HOUR, 3, duration=8 * HOUR)))
        return msgspec.structs.replace(response, SASchedules=t.SAScheduleListType(SAScheduleTuple=(other,))), made

    met = Met(station(tuple_of(tariff=tariff(*DEAR_FIRST)), ChargeParameterDiscovery=changed), visitor())
    assert met.noted("prices judged")[0]["standing"] == "wrong"


def test_a_car_that_knows_nobody_who_signs_takes_prices_as_the_stations_word() -> None:
    car = visitor(authorizations=("EIM",))
    met = Met(there := station(tuple_of(tariff=tariff(*DEAR_FIRST)), ChargeParameterDiscovery=signed(STRANGERS[Role.MO_SUB2].key)), car)
    assert met.noted("prices judged")[0]["standing"] == "unsigned"
    assert power_at(profile(there), 900) == 0.0


def test_of_several_schedules_the_cheapest_that_reaches_the_target_is_followed() -> None:
    dear, cheap = tariff(entry(0, price=100)), tariff(entry(0, price=20), number=2)
    weak = tuple_of(300.0, 3, tariff(entry(0, price=1), number=3))  # cheapest, and too weak for the target
    met = Met(there := station(tuple_of(20_000.0, 1, dear), tuple_of(15_000.0, 2, cheap), weak), visitor())
    assert met.error is None
    assert {one.SAScheduleTupleID for one in there.of(b.PowerDeliveryReq)} == {2}


def costing(cost: t.CostType) -> t.SalesTariffEntryType:
    block = t.ConsumptionCostType(startValue=physical(0.0, W), Cost=(cost,))
    return t.SalesTariffEntryType(TimeInterval=t.RelativeTimeIntervalType(start=0), ConsumptionCost=(block,))


HOSTILE = {
    "times out of order": tariff(entry(HOUR, 1), entry(0, 2)),
    "the same time twice": tariff(entry(0, 1), entry(0, 2)),
    "the dearest price there is": tariff(
        costing(t.CostType(costKind=t.costKindType.relativePricePercentage, amount=2**32 - 1, amountMultiplier=3))
    ),
    "a thousand entries": tariff(*(entry(60 * place, place % 4) for place in range(1024))),
    "no price at all": tariff(entry(0), entry(HOUR)),
    "other costs alone": tariff(
        t.SalesTariffEntryType(
            TimeInterval=t.RelativeTimeIntervalType(start=0),
            ConsumptionCost=(
                t.ConsumptionCostType(
                    startValue=physical(0.0, W), Cost=(t.CostType(costKind=t.costKindType.CarbonDioxideEmission, amount=9),)
                ),
            ),
        )
    ),
    "an end before the beginning of power": tariff(entry(0, 1, duration=0)),
}


@pytest.mark.parametrize("what", list(HOSTILE))
def test_a_tariff_that_makes_no_sense_costs_no_charge(what: str) -> None:
    met = Met(there := station(tuple_of(tariff=HOSTILE[what])), visitor())
    assert met.error is None, met.error
    assert any(power > 0 for _, power in profile(there))
    assert bool(met.noted("tariff not understood")) is (what in ("times out of order", "the same time twice"))


def test_powers_out_of_order_are_no_schedule() -> None:
    two = [t.PMaxScheduleEntryType(TimeInterval=t.RelativeTimeIntervalType(start=at), PMax=physical(1000.0, W)) for at in (HOUR, 0)]
    one = t.SAScheduleTupleType(SAScheduleTupleID=1, PMaxSchedule=t.PMaxScheduleType(PMaxScheduleEntry=tuple(two)))
    assert isinstance(Met(station(one), visitor()).error, PeerMisbehaved)


def test_a_plan_that_is_over_before_its_schedule_closes_with_nothing() -> None:
    """The last entry of a ChargingProfile holds to the end of the schedule: a car that leaves in 15 minutes takes nothing then."""
    leaving = car2("DC")
    leaving.goal = replace(leaving.goal, departure=EPOCH + 900)
    met = Met(there := Station2(), leaving)
    assert met.error is None, met.error
    assert profile(there) == [(0, 20_000.0), (900, 0.0)]


@pytest.mark.parametrize("seed", range(12))
def test_the_profile_never_exceeds_what_was_offered(seed: int) -> None:
    dice = random.Random(seed)
    starts = sorted(dice.sample(range(12 * HOUR), dice.randint(1, 40)))
    starts[0] = 0
    limits = [(start, dice.choice([0.0, 50.0, 1_234.5, 7_777.0, 22_000.0, 400_000.0, -500.0])) for start in starts]
    entries = [
        t.PMaxScheduleEntryType(TimeInterval=t.RelativeTimeIntervalType(start=start), PMax=physical(power, W)) for start, power in limits
    ]
    entries[-1] = msgspec.structs.replace(entries[-1], TimeInterval=t.RelativeTimeIntervalType(start=starts[-1], duration=HOUR))
    offered = t.SAScheduleTupleType(
        SAScheduleTupleID=7,
        PMaxSchedule=t.PMaxScheduleType(PMaxScheduleEntry=tuple(entries)),
        SalesTariff=tariff(*(entry(HOUR * place, dice.randint(0, 3)) for place in range(12))),
    )
    met = Met(there := station(offered), visitor(supporting_points=dice.choice([12, 24, 1024])))
    assert met.error is None, met.error
    steps = profile(there)
    assert 1 <= len(steps) <= 24
    anchor = int(met.car.known.choice.powers.start - EPOCH) if met.car.known.choice else 0
    for second in range(0, min(12 * HOUR, starts[-1] + HOUR) - anchor, 150):  # the last entry holds until the schedule's end
        assert power_at(steps, second) <= max(power_at(limits, second + anchor), 0.0) + 1e-6, (second, steps)
