"""What a car of DIN SPEC 70121 does otherwise than one of ISO 15118-2."""

from typing import Any

import pytest
from msgspec.structs import replace

from evcc.din.charge import READY_TO_CHARGE, evse_id, speakable
from tests.evcc.early.scripted_early import Station, car, run
from tests.evcc.test_pair import link
from v2g.din.timing import EVCC_READY_TO_CHARGE_TIMEOUT
from v2g.messages.din.msg_data_types import EVSESupportedEnergyTransferType as Offered
from v2g.session.endpoint import Noted, Relaxed
from v2g.session.errors import PeerIncompatible, PeerMisbehaved, TimedOut


def started(station: Station) -> Any:
    """The PowerDeliveryReq that asked for power."""
    (start,) = [each for each in station.of("PowerDeliveryReq") if each.ReadyToChargeState]
    return start


@pytest.mark.parametrize("pmax", [32_767, -2_135])
def test_a_pmax_that_says_nothing_is_read_as_the_stations_limit(pmax: int) -> None:
    station = Station("DIN", pmax=((0, pmax),), limit=40e3)
    session = run(car(), station)
    assert session.ended is not None
    assert session.ended.well
    assert station.current * station.voltage == pytest.approx(40e3, rel=0.02)
    assert started(station).ChargingProfile is None  # a short cannot say it


@pytest.mark.parametrize(("profile", "watts"), [("conformance", 200.0), ("interop", 10e3)])
def test_a_small_pmax_is_obeyed_unless_the_profile_sets_it_aside(profile: str, watts: float) -> None:
    station = Station("DIN", pmax=((0, 200),), limit=10e3)
    session = run(car(profile=profile), station)
    assert session.ended is not None
    assert session.ended.well
    assert station.current * station.voltage == pytest.approx(watts, rel=0.05)
    relaxed = [event for event in session.events() if isinstance(event, Relaxed)]
    assert bool(relaxed) is (profile == "interop")
    assert (started(station).ChargingProfile is None) is (profile == "interop")


def test_the_profile_says_what_the_car_takes() -> None:
    station = Station("DIN", pmax=((0, 7_000), (1_800, 11_000)))
    run(car(), station)
    said = started(station).ChargingProfile
    assert said.SAScheduleTupleID == 3
    assert [(each.ChargingProfileEntryStart, each.ChargingProfileEntryMaxPower) for each in said.ProfileEntry] == [
        (0, 7_000),
        (1_800, 11_000),
    ]


def test_neither_pause_nor_another_schedule() -> None:
    station, visitor = Station("DIN"), car(pause_after=3, loops=10)
    session = run(visitor, station)
    assert session.ended is not None
    assert (session.ended.how, visitor.loops) == ("Terminate", 3)
    assert visitor.memory is None
    asking = Station("DIN", {"CurrentDemandReq": lambda q, s: s.on_CurrentDemandReq(q, DC_EVSEStatus=s.status(asks="ReNegotiation"))})
    session = run(other := car(loops=10), asking)
    assert session.ended is not None
    assert (session.ended.how, other.loops) == ("Terminate", 10)
    assert len([each for each in session.events() if isinstance(each, Noted) and each.topic == "no renegotiation"]) == 1


def test_a_schedule_that_is_over_ends_the_session() -> None:
    station = Station("DIN", pmax=((0, 20_000), (30, 0)))
    session = run(car(loops=None), station)
    assert session.ended is not None
    assert session.ended.well
    assert station.names()[-1] == "SessionStopType"


def test_ready_to_charge_bounds_all_that_comes_before_power() -> None:
    """Each poll is within its own time, and all of them together are not."""
    waited: dict[str, int] = {}

    def late(q: Any, s: Station) -> Any:
        name = type(q).__name__
        waited[name] = waited.get(name, 0) + 1
        word = "Ongoing" if waited[name] < 550 else "Finished"  # at ten a second, under a minute
        return replace(getattr(s, f"on_{name}", s.ok)(q), EVSEProcessing=s.types.EVSEProcessingType(word))

    slow = {"ContractAuthenticationReq": late, "ChargeParameterDiscoveryReq": late}
    session = run(car(), Station("DIN", {**slow, "CableCheckReq": late}))
    assert session.ended is not None
    assert isinstance(session.ended.error, TimedOut)
    assert session.ended.error.timer == READY_TO_CHARGE
    assert session.car.now == pytest.approx(EVCC_READY_TO_CHARGE_TIMEOUT, abs=0.1)


def test_a_station_without_direct_current_or_external_payment_is_left_in_order() -> None:
    def alternating(q: Any, s: Station) -> Any:
        found = s.on_ServiceDiscoveryReq(q)
        return replace(found, ChargeService=replace(found.ChargeService, EnergyTransferType=Offered.AC_three_phase_core))

    def by_contract(q: Any, s: Station) -> Any:
        found = s.on_ServiceDiscoveryReq(q)
        return replace(found, PaymentOptions=replace(found.PaymentOptions, PaymentOption=(s.types.paymentOptionType.Contract,)))

    for answer in (alternating, by_contract):
        station = Station("DIN", {"ServiceDiscoveryReq": answer})
        session = run(car(), station)
        assert session.ended is not None
        assert isinstance(session.ended.error, PeerIncompatible)
        assert station.names()[-1] == "SessionStopType"


def test_an_old_session_is_not_joined() -> None:
    joined = {"SessionSetupReq": lambda q, s: s.ok(q, ResponseCode=s.types.responseCodeType.OK_OldSessionJoined)}
    session = run(car(), Station("DIN", joined))
    assert session.ended is not None
    assert isinstance(session.ended.error, PeerMisbehaved)


def test_it_is_offered_on_plain_tcp_to_a_car_that_pays_outside() -> None:
    visitor = car()
    assert [protocol.namespace for protocol in speakable(visitor)] == ["urn:din:70121:2012:MsgDef"]
    visitor.link = link()
    assert speakable(visitor) == ()
    assert speakable(car(services=("AC",))) == ()


def test_the_evseid_is_shown_as_text_or_in_hex() -> None:
    assert evse_id(b"DE*PNX*E12345*1") == "DE*PNX*E12345*1"
    assert evse_id(b"ZZ000\0\0") == "ZZ000"
    assert evse_id(bytes.fromhex("49a80737a45678")) == "49a80737a45678"
    assert evse_id(b"\0") == "00"
