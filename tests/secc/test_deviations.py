"""What the station puts up with under the interop profile, refuses under conformance, and does for everybody."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import Scripted, outlet
from v2g.messages.common_messages import SessionSetupReq
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Relaxed
from v2g.session.profiles import EVCCID_UNSEEN, PRE_CHARGE_UNFINISHED, PROFILE_ANCHOR_ZERO, PROFILE_MISSING, PROFILES


def told(car: Scripted) -> list[str]:
    return [event.relaxation for event in car.wants(Relaxed)]


def pre_charging(profile: str, **changes: Any) -> Scripted:
    """A car in the middle of its pre-charge, which it has not called finished."""
    car = Scripted(outlet(profile=profile, **changes))
    car.authorized("DC")
    car.select("DC")
    car.parameters("DC")
    car.scheduled()
    car.isolated()
    car.pre_charge()
    car.pre_charge()
    return car


def test_a_pre_charge_without_an_end_is_out_of_sequence() -> None:
    car = pre_charging("conformance")
    assert car.start().ResponseCode is Code.FAILED_SequenceError
    assert told(car) == []


def test_under_interop_it_may_lack_its_end_once_the_voltages_match() -> None:
    car = pre_charging("interop")
    assert car.start().ResponseCode is Code.OK
    assert told(car) == [PRE_CHARGE_UNFINISHED.name]
    assert car.loop().ResponseCode is Code.OK


def test_even_under_interop_no_contactor_closes_on_unmatched_voltages() -> None:
    car = pre_charging("interop")
    car.tell(words.OutputMeasured(300.0, 0.0))
    assert car.start().ResponseCode is Code.FAILED_SequenceError
    assert told(car) == []


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", ["AC", "DC_BPT"])
def test_a_profile_anchored_at_zero_begins_now_under_interop_alone(service: str, control: str) -> None:
    for profile in ("interop", "conformance"):
        car = Scripted(outlet(profile=profile))
        car.ready(service, control)
        answer = car.deliver("Start", EVPowerProfile=car.profile(control, TimeAnchor=0))
        if profile == "interop":
            assert answer.ResponseCode is Code.OK
            assert told(car)[-1] == PROFILE_ANCHOR_ZERO.name
            (chosen,) = car.wants(words.ScheduleChosen)
            assert chosen.profile.start == int(car.wall)
            assert chosen.profile.at(car.wall) == 5_000
        else:
            assert told(car) == []
            assert answer.ResponseCode is (Code.FAILED_EVPowerProfileInvalid if control == "Scheduled" else Code.OK)


def test_a_profile_anchored_at_zero_is_held_against_the_schedule_all_the_same() -> None:
    car = Scripted(outlet(profile="interop"))
    car.ready("AC")
    answer = car.deliver("Start", EVPowerProfile=car.profile(power=12_000, TimeAnchor=0))
    assert answer.ResponseCode is Code.FAILED_EVPowerProfileInvalid


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", ["AC", "DC_BPT"])
def test_a_missing_profile_is_the_first_schedule_under_interop_alone(service: str, control: str) -> None:
    for profile in ("interop", "conformance"):
        car = Scripted(outlet(profile=profile))
        car.ready(service, control)
        answer = car.deliver("Start")
        if profile == "interop":
            assert answer.ResponseCode is Code.OK
            assert told(car)[-1] == PROFILE_MISSING.name
            (chosen,) = car.wants(words.ScheduleChosen)
            assert chosen.tuple_id == (1 if control == "Scheduled" else None)
            assert chosen.profile.at(car.wall) == 11_000
            assert car.loop(service, control).ResponseCode is Code.OK
        else:
            assert answer.ResponseCode is Code.FAILED_EVPowerProfileInvalid
            assert told(car) == []
            assert car.session.ended is not None
            assert car.session.ended.requirement == "V2G20-1864"


@pytest.mark.parametrize("stage", ["placeholder", "schedule"])
def test_a_schedule_always_carries_a_price(stage: str) -> None:
    """[V2G20-2176]; where none is known, a single level, which says nothing and satisfies whoever insists."""
    car = Scripted()
    priced = car.offer

    def unpriced(needs: Any) -> Any:
        made = priced(needs)
        return replace(made, tuples=tuple(replace(one, import_prices=None, export_prices=None) for one in made.tuples))

    car.offer = unpriced  # type: ignore[method-assign]
    car.authorized("DC_BPT")
    car.select("DC_BPT")
    car.parameters("DC_BPT")
    car.auto = stage != "placeholder"
    answer = car.exchange() if stage == "placeholder" else car.scheduled()
    assert (answer.EVSEProcessing is processingType.Ongoing) == (stage == "placeholder")
    (offered,) = answer.Scheduled_SEResControlMode.ScheduleTuple
    for schedule in filter(None, (offered.ChargingSchedule, offered.DischargingSchedule)):
        assert schedule.AbsolutePriceSchedule is None
        assert schedule.PriceLevelSchedule is not None
    if stage == "schedule":
        level = offered.ChargingSchedule.PriceLevelSchedule
        assert level.NumberOfPriceLevels == 1
        assert [entry.PriceLevel for entry in level.PriceLevelScheduleEntries.PriceLevelScheduleEntry] == [1]
        assert level.TimeAnchor == offered.ChargingSchedule.PowerSchedule.TimeAnchor


def test_conformance_knows_no_deviation_and_every_other_is_argued() -> None:
    assert PROFILES["conformance"] == ()
    rows = PROFILES["interop"]
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert row.peer
        assert row.evidence
        assert row.requirement


UNSEEN = ["a\nended: ok True", "\x1b[31m", "\x9b", "\u202e", "\u200b", "\x7f", "\u2028"]


@pytest.mark.parametrize("evccid", UNSEEN, ids=ascii)
def test_an_evccid_that_acts_on_its_reader_passes_under_interop_alone(evccid: str) -> None:
    for profile in ("conformance", "interop"):
        car = Scripted(outlet(profile=profile))
        car.sap()
        code = car.ask(SessionSetupReq, EVCCID=f"WMI{evccid}").ResponseCode
        assert code is (Code.OK_NewSessionEstablished if profile == "interop" else Code.FAILED)
        assert told(car) == ([EVCCID_UNSEEN.name] if profile == "interop" else [])
        assert len(car.wants(words.SessionStarted)) == (profile == "interop")


@pytest.mark.parametrize("evccid", ["WMIV1234567890ABCDEX", "Wagen Ä, №1 <b>"])
def test_an_evccid_that_can_be_read_is_taken(evccid: str) -> None:
    car = Scripted(outlet())
    car.sap()
    assert car.ask(SessionSetupReq, EVCCID=evccid).ResponseCode is Code.OK_NewSessionEstablished
