"""ScheduleExchange: needs, offers, prices, and patience."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from secc.iso20.prices import STACKS
from tests.secc.scripted import EPOCH, LIMITS, Scripted, outlet, r
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series, Step
from v2g.exi.codec import encode
from v2g.iso20.rational import number, rational
from v2g.messages import common_messages as cm
from v2g.messages import schema_set
from v2g.messages.common_messages import Dynamic_SEReqControlModeType, ScheduleExchangeReq
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code


def before(service: str = "DC_BPT", control: str = "Scheduled", **changes: Any) -> Scripted:
    car = Scripted(outlet(**changes))
    car.authorized(service)
    car.select(service, {"Scheduled": 1, "Dynamic": 2, "SECC": 3}[control])
    car.parameters(service)
    return car


def test_scheduled_is_answered_by_tuples_that_cover_the_stay() -> None:
    answer = before().scheduled()
    (offered,) = answer.Scheduled_SEResControlMode.ScheduleTuple
    assert answer.Dynamic_SEResControlMode is None
    charging, discharging = offered.ChargingSchedule, offered.DischargingSchedule
    for schedule in (charging, discharging):
        entries = schedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry
        assert sum(e.Duration for e in entries) == 3 * 3600
        stacks = schedule.AbsolutePriceSchedule.PriceRuleStacks.PriceRuleStack
        assert sum(s.Duration for s in stacks) == 3 * 3600
        assert schedule.AbsolutePriceSchedule.PriceAlgorithm == "urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power"
    assert [number(e.Power) for e in charging.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry] == [11000, 0, 7000]
    assert [number(e.Power) for e in discharging.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry] == [0, -9000, 0]
    ids = [s.AbsolutePriceSchedule.PriceScheduleID for s in (charging, discharging)]
    assert len(set(ids)) == 2


def test_a_plain_service_is_offered_no_discharge() -> None:
    (offered,) = before("DC").scheduled().Scheduled_SEResControlMode.ScheduleTuple
    assert offered.DischargingSchedule is None


def test_dynamic_is_answered_in_kind_with_prices() -> None:
    answer = before(control="Dynamic").scheduled("Dynamic")
    assert answer.Scheduled_SEResControlMode is None
    mode = answer.Dynamic_SEResControlMode
    assert mode.AbsolutePriceSchedule is not None
    assert (mode.DepartureTime, mode.MinimumSOC, mode.TargetSOC) == (None, None, None)


def test_a_station_that_sets_the_needs_says_them() -> None:
    car = before(control="SECC", mobility_by_station=True)
    answer = car.exchange("Dynamic", MinimumSOC=30, TargetSOC=80)
    answer = car.exchange("Dynamic", MinimumSOC=30, TargetSOC=80)
    mode = answer.Dynamic_SEResControlMode
    assert (mode.MinimumSOC, mode.TargetSOC) == (30, 80)
    assert mode.DepartureTime == 3 * 3600


@pytest.mark.parametrize(("selected", "asked"), [("Scheduled", "Dynamic"), ("Dynamic", "Scheduled")])
def test_another_control_mode_than_was_selected_ends_the_session(selected: str, asked: str) -> None:
    car = before(control=selected)
    assert car.exchange(asked).ResponseCode is Code.FAILED
    assert car.session.ended is not None


def test_without_an_offer_it_is_ongoing_and_asked_once_then_failed() -> None:
    car = before()
    car.auto = False
    seconds = 0
    while (answer := car.exchange()).EVSEProcessing is processingType.Ongoing and answer.ResponseCode is Code.OK:
        assert seconds <= 60, "it is Ongoing for ever"
        car.wait(1)
        seconds += 1
    assert 54 <= seconds <= 60
    assert answer.ResponseCode is Code.FAILED
    assert len(car.wants(words.NeedsChanged)) == 1


def test_ongoing_answers_have_nothing_to_choose() -> None:
    for control in ("Scheduled", "Dynamic"):
        car = before(control=control)
        car.auto = False
        mode = car.exchange(control)
        assert mode.EVSEProcessing is processingType.Ongoing
        assert (mode.Scheduled_SEResControlMode is None) == (control == "Dynamic")
        tuples = mode.Scheduled_SEResControlMode.ScheduleTuple if control == "Scheduled" else ()
        assert all(number(e.Power) == 0 for t in tuples for e in t.ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry)


def test_other_needs_are_asked_about_anew() -> None:
    car = before()
    car.auto = False
    car.exchange()
    car.exchange(EVTargetEnergyRequest=r(1000))
    assert [want.needs.energy_target for want in car.wants(words.NeedsChanged)] == [30e3, 1000]


def test_needs_that_move_neither_ask_for_ever_nor_wait_for_ever() -> None:
    car = before()
    car.auto = False
    began = car.now
    for moved in range(600):
        answer = car.exchange(EVTargetEnergyRequest=r(20_000 + 5 * moved))
        if answer.ResponseCode is not Code.OK:
            break
        car.wait(0.5)
    assert answer.ResponseCode is Code.FAILED
    assert car.now - began == pytest.approx(55, abs=1)
    assert len(car.wants(words.NeedsChanged)) <= 4


def test_a_limit_that_a_backend_sets_for_now_is_no_need() -> None:
    """Else a CSMS that begins with a rest would be told that nothing can flow at all, and would plan that."""
    car = before()
    car.auto = False
    car.exchange("Scheduled")
    (wanted,) = car.wants(words.NeedsChanged)
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=0.0, discharge_power=0.0)))
    car.exchange("Scheduled")
    assert car.wants(words.NeedsChanged) == [wanted]
    assert wanted.needs.charge_maximum > 0


def test_needs_are_what_the_car_said_and_what_both_can() -> None:
    car = before(control="Dynamic")
    car.exchange("Dynamic", EVMaximumV2XEnergyRequest=r(5e3), EVMinimumV2XEnergyRequest=r(-5e3), MinimumSOC=20, TargetSOC=80)
    (want,) = car.wants(words.NeedsChanged)
    needs = want.needs
    assert want.first
    assert needs.departure == pytest.approx(EPOCH + car.now + 3 * 3600)
    assert (needs.energy_target, needs.energy_maximum, needs.energy_minimum) == (30e3, 40e3, -20e3)
    assert (needs.v2x_minimum, needs.v2x_maximum, needs.minimum_soc, needs.target_soc) == (-5e3, 5e3, 20, 80)
    assert (needs.charge_maximum, needs.discharge_maximum) == (50e3, 30e3)  # the outlet's, which are lower than the car's
    assert needs.bidirectional


@pytest.mark.parametrize(
    "changes", [{"EVMaximumV2XEnergyRequest": r(1)}, {"EVMinimumV2XEnergyRequest": r(1)}, {"MinimumSOC": 81, "TargetSOC": 80}]
)
def test_needs_that_contradict_themselves_are_refused(changes: dict[str, Any]) -> None:
    car = before(control="Dynamic")
    assert car.exchange("Dynamic", **changes).ResponseCode is Code.FAILED


def long_offer(steps: int, start: float) -> Offer:
    hours = Series.from_pairs([(start + 60 * i, 1000.0 + i) for i in range(steps)], start + 60 * steps)
    return Offer((Tuple(1, hours, None, hours, None),))


@pytest.mark.parametrize(("points", "steps"), [(12, 12), (12, 200), (60, 200), (1024, 200)])
def test_prices_stay_within_what_the_car_can_hold(points: int, steps: int) -> None:
    car = before()
    car.auto = False
    car.exchange(points=points)
    car.tell(words.ScheduleReady(long_offer(steps, float(int(EPOCH + car.now)))))
    answer = car.exchange(points=points)
    (offered,) = answer.Scheduled_SEResControlMode.ScheduleTuple
    assert len(offered.ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry) <= points
    assert len(offered.ChargingSchedule.AbsolutePriceSchedule.PriceRuleStacks.PriceRuleStack) <= min(points, STACKS)
    assert sum(e.Duration for e in offered.ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry) >= 3 * 3600


@pytest.mark.parametrize(("points", "steps"), [(12, 200), (60, 200), (1024, 1500)])
def test_what_a_backend_offers_beyond_what_the_car_can_hold_is_joined_and_never_more(points: int, steps: int) -> None:
    car = before()
    car.auto = False
    car.exchange(points=points)
    offered = long_offer(steps, float(int(EPOCH + car.now)))
    back = offered.tuples[0].charging
    assert back is not None
    both = replace(offered.tuples[0], discharging=back.map(lambda value: -value), export_prices=back)
    car.tell(words.ScheduleReady(replace(offered, tuples=(both,))))
    answer = car.exchange(points=points)
    (shown,) = answer.Scheduled_SEResControlMode.ScheduleTuple
    for schedule, sign in ((shown.ChargingSchedule, 1), (shown.DischargingSchedule, -1)):
        entries = schedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry
        assert len(entries) <= points
        assert sum(e.Duration for e in entries) >= steps * 60
        assert len(schedule.AbsolutePriceSchedule.PriceRuleStacks.PriceRuleStack) <= min(points, 64)
        assert sum(s.Duration for s in schedule.AbsolutePriceSchedule.PriceRuleStacks.PriceRuleStack) >= steps * 60
        at = schedule.PowerSchedule.TimeAnchor
        for entry in entries:
            meant = [v * sign for v in back.clip(at, at + entry.Duration).values]
            assert all(abs(number(entry.Power)) <= abs(v) for v in meant) or number(entry.Power) == 0
            at += entry.Duration


def test_durations_that_are_not_whole_add_up_to_the_same_end() -> None:
    car = before("DC")
    car.auto = False
    car.exchange()
    start = float(int(EPOCH + car.now))
    power = Series(start, tuple(Step(10.4, 1000.0 + i) for i in range(1000)))
    prices = Series(start, tuple(Step(260.4, float(i)) for i in range(40)))
    car.tell(words.ScheduleReady(Offer((Tuple(1, power, None, prices),))))
    (shown,) = car.exchange().Scheduled_SEResControlMode.ScheduleTuple
    entries = shown.ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry
    assert sum(e.Duration for e in entries[:1000]) == 10_400
    assert {e.Duration for e in entries[:1000]} == {10, 11}
    stacks = shown.ChargingSchedule.AbsolutePriceSchedule.PriceRuleStacks.PriceRuleStack
    assert sum(s.Duration for s in stacks[:39]) == round(39 * 260.4)
    chosen = car.session.context.service.exchange.offer
    assert chosen is not None
    assert chosen.tuples[0].charging is not None
    assert [s.duration for s in chosen.tuples[0].charging.steps] == [e.Duration for e in entries[:1000]]


@pytest.mark.parametrize("power", [11_000.7, 32_768.0, 49_999.9, 12_345.6])
def test_what_does_not_fit_a_number_of_the_wire_is_offered_rounded_towards_nothing(power: float) -> None:
    car = before()
    car.auto = False
    car.exchange()
    start = float(int(EPOCH + car.now))
    car.tell(words.ScheduleReady(Offer((Tuple(1, Series.constant(start, 3600.0, power), Series.constant(start, 3600.0, -power)),))))
    (shown,) = car.exchange().Scheduled_SEResControlMode.ScheduleTuple
    into, out_of = (s.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry[0] for s in (shown.ChargingSchedule, shown.DischargingSchedule))
    assert power * 0.999 < number(into.Power) <= power
    assert -power <= number(out_of.Power) < -power * 0.999


def test_points_outside_the_schema_end_the_session() -> None:
    car = before()
    car.octets(_frame(_with_most_points(car)))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert "1035" in str(car.session.ended.error)


def _with_most_points(car: Scripted) -> bytes:
    """A request for 1035 points, the most that the ten bits of the field can say; 1024 is the most they may. 12 is written as 0."""
    mode = Dynamic_SEReqControlModeType(
        DepartureTime=1, EVTargetEnergyRequest=r(1), EVMaximumEnergyRequest=r(1), EVMinimumEnergyRequest=r(1)
    )
    made = (ScheduleExchangeReq(Header=car.header(), MaximumSupportingPoints=n, Dynamic_SEReqControlMode=mode) for n in (12, 13))
    bits, other = ("".join(f"{octet:08b}" for octet in encode(request, schema_set("common"))) for request in made)
    (last,) = [place for place, pair in enumerate(zip(bits, other, strict=True)) if pair[0] != pair[1]]
    changed = bits[: last - 9] + "1" * 10 + bits[last + 1 :]
    return bytes(int(changed[i : i + 8], 2) for i in range(0, len(changed), 8))


def _frame(exi: bytes) -> bytes:
    from v2g.session.v2gtp import PayloadType, frame

    return frame(PayloadType.COMMON, exi)


def test_a_station_that_wants_a_pause_proposes_it() -> None:
    car = before()
    car.tell(words.PauseAsked())
    assert car.scheduled().GoToPause is True
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert car.stop("Pause").ResponseCode is Code.OK


def test_a_proposal_to_pause_is_made_once_and_holds_until_power_starts() -> None:
    car = before("AC")
    car.tell(words.PauseAsked())
    assert car.scheduled().GoToPause is True
    assert car.start().ResponseCode is Code.OK  # the car charges all the same
    car.loop("AC")
    assert car.deliver("ScheduleRenegotiation").ResponseCode is Code.OK
    assert car.scheduled().GoToPause is None
    assert car.session.context.service.may_pause is False


def test_a_station_that_stops_says_no_before_power() -> None:
    car = before()
    car.tell(words.StopAsked("the site is full"))
    assert car.exchange().ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert "the site is full" in str(car.session.ended.error)


# --- what a car offers to give back ---


def own_offer(car: Scripted, power: float, *prices: tuple[int, float], later: int = 0) -> Any:
    anchor = int(car.wall) + later
    entry = cm.EVPowerScheduleEntryType(Duration=10_800, Power=rational(power))
    stacks = tuple(
        cm.EVPriceRuleStackType(Duration=seconds, EVPriceRule=tuple(
            cm.EVPriceRuleType(EnergyFee=rational(fee), PowerRangeStart=rational(start)) for fee, start in ((price, 0), (price / 2, 1000))
        ))
        for seconds, price in prices
    )  # fmt: skip
    return cm.EVEnergyOfferType(
        EVPowerSchedule=cm.EVPowerScheduleType(
            TimeAnchor=anchor, EVPowerScheduleEntries=cm.EVPowerScheduleEntryListType(EVPowerScheduleEntry=(entry,))
        ),
        EVAbsolutePriceSchedule=cm.EVAbsolutePriceScheduleType(
            TimeAnchor=anchor,
            Currency="EUR",
            PriceAlgorithm="urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power",
            EVPriceRuleStacks=cm.EVPriceRuleStackListType(EVPriceRuleStack=stacks),
        ),
    )


def before_schedules(auto: bool = True) -> Scripted:
    car = Scripted()
    car.authorized("DC_BPT")
    car.select("DC_BPT")
    car.parameters("DC_BPT")
    car.auto = auto
    return car


@pytest.mark.parametrize("sign", [1, -1])
def test_an_energy_offer_reaches_the_planner_whatever_its_sign(sign: int) -> None:
    car = before_schedules()
    car.exchange(EVEnergyOffer=own_offer(car, sign * 9_000, (3600, 0.3), (7200, 0.5)))
    (wanted,) = car.wants(words.NeedsChanged)
    own = wanted.needs.energy_offer
    assert own.power.values == (9_000.0,)
    assert own.price.values == pytest.approx((0.3, 0.5))  # the dearest rule of each step
    assert own.price.edges() == pytest.approx([int(car.wall), int(car.wall) + 3600, int(car.wall) + 10_800])


def test_an_offer_that_moves_along_is_the_same_and_another_price_is_not() -> None:
    car = before_schedules(auto=False)
    for later in range(3):
        car.exchange(EVEnergyOffer=own_offer(car, 9_000, (3600, 0.3), later=later))
    assert len(car.wants(words.NeedsChanged)) == 1
    car.exchange(EVEnergyOffer=own_offer(car, 9_000, (3600, 0.4)))
    assert len(car.wants(words.NeedsChanged)) == 2


def test_the_longest_offer_is_joined_without_offering_more() -> None:
    car = before_schedules()
    car.exchange(EVEnergyOffer=own_offer(car, 9_000, *((10, 0.1 + 0.001 * (i % 7)) for i in range(1024))))
    own = car.wants(words.NeedsChanged)[0].needs.energy_offer
    assert len(own.price.steps) <= 96
    assert own.price.duration == 10_240
    assert own.price.values[:-1] == pytest.approx((0.106,) * (len(own.price.steps) - 1))  # the last is a single step


def test_an_offer_that_lasts_no_time_gives_nothing() -> None:
    car = before_schedules()
    car.exchange(EVEnergyOffer=own_offer(car, 9_000, (0, 0.3)))
    own = car.wants(words.NeedsChanged)[0].needs.energy_offer
    assert own.asked("EUR", [car.wall], [car.wall + 1]) == [(0.0, float("inf"))]


def test_a_car_whose_departure_has_passed_polls_for_one_schedule() -> None:
    """It has no time left and says so in every request: at a wall clock that runs fast its departure would be another each time."""
    car = Scripted()
    car.charging("DC")
    car.deliver("ScheduleRenegotiation")
    car.auto = False
    before = len(car.wants(words.NeedsChanged))
    for _ in range(5):
        assert car.exchange(DepartureTime=0).EVSEProcessing is processingType.Ongoing
        car.jump(900.0)
    asked = car.wants(words.NeedsChanged)[before:]
    assert len(asked) == 1
    car.tell(words.ScheduleReady(car.offer(asked[0].needs)))
    assert car.exchange(DepartureTime=0).EVSEProcessing is processingType.Finished
