"""Every time limit of a car of ISO 15118-2, in virtual time: what ends a session, after how long, and that the car is safe then."""

from typing import Any

import pytest

from evcc.car import Car
from evcc.early.dc import WELDING_DETECTION
from evcc.engine import EvccSession
from evcc.generations import NAMED
from evcc.script import Part, Wait
from tests.evcc.iso2.scripted_station2 import STANDARD, Code, Met, Processing, Station2, car2, changed, code, ok, silence
from v2g.iso2 import timing as limits
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import V, physical
from v2g.messages.iso2 import msg_body as b
from v2g.session.endpoint import FrameSent
from v2g.session.errors import PeerFailed, TimedOut

DC = (
    "supportedAppProtocol", "SessionSetup", "ServiceDiscovery", "PaymentServiceSelection", "Authorization", "ChargeParameterDiscovery",
    "CableCheck", "PreCharge", "PowerDelivery", "CurrentDemand", "WeldingDetection", "SessionStop",
)  # fmt: skip
AC = ("ChargeParameterDiscovery", "PowerDelivery", "ChargingStatus", "SessionStop")
EACH = [("DC", name) for name in DC] + [("AC", name) for name in AC]
REQUESTS: dict[str, Any] = {kind.__name__.removesuffix("Req"): kind for kind in ISO2.responses}


def safe(car: Car[Any]) -> bool:
    """Whether the contactors are open and the pilot asks for nothing."""
    return not car.closed and car.pilot == "B"


def asked_at(met: Met, name: str) -> float:
    """When the last request of that name left the car."""
    return next(e.at for e in reversed(met.seen) if isinstance(e, FrameSent) and type(e.message).__name__ == f"{name}Req")


@pytest.mark.parametrize(("service", "name"), EACH)
def test_an_answer_that_does_not_come_ends_the_session_in_its_time(service: str, name: str) -> None:
    met = Met(Station2({name: silence}), car := car2(service))
    within = ISO2.timing(REQUESTS[name]).msg_timeout
    assert isinstance(met.error, TimedOut)
    assert (met.error.timer, met.error.limit) == ("V2G_EVCC_Msg_Timeout", within)
    assert met.now - asked_at(met, name) == pytest.approx(within)
    assert met.error.requirement is None  # none of another generation
    assert safe(car)


@pytest.mark.parametrize(("service", "name"), EACH[1:])
def test_a_refusal_ends_the_session_and_leaves_the_car_safe(service: str, name: str) -> None:
    met = Met(Station2({name: code(Code.FAILED)}), car := car2(service))
    assert isinstance(met.error, PeerFailed)  # [V2G2-539]
    assert name in str(met.error)
    assert safe(car)


def ongoing(name: str) -> Any:
    return changed(STANDARD[name], EVSEProcessing=Processing.Ongoing)


def at(name: str, volts: float) -> Any:
    return changed(STANDARD[name], EVSEPresentVoltage=physical(volts, V))


PHASES = {
    "Authorization": ("V2G_EVCC_Ongoing_Timeout", limits.EVCC_ONGOING_TIMEOUT, ongoing("Authorization")),
    "ChargeParameterDiscovery": ("V2G_EVCC_Ongoing_Timeout", limits.EVCC_ONGOING_TIMEOUT, ongoing("ChargeParameterDiscovery")),
    "CableCheck": ("V2G_EVCC_CableCheck_Timeout", limits.EVCC_CABLE_CHECK_TIMEOUT, ongoing("CableCheck")),
    "PreCharge": (
        "V2G_EVCC_PreCharge_Timeout",
        limits.EVCC_PRE_CHARGE_TIMEOUT,
        at("PreCharge", 30.0),
    ),
}


@pytest.mark.parametrize("name", list(PHASES))
def test_a_phase_that_does_not_finish_ends_the_session_in_its_time(name: str) -> None:
    timer, within, answer = PHASES[name]
    met = Met(there := Station2({name: answer}), car := car2("DC"))
    assert isinstance(met.error, TimedOut)
    assert (met.error.timer, met.error.limit) == (timer, within)
    first = next(e.at for e in met.seen if isinstance(e, FrameSent) and type(e.message).__name__ == f"{name}Req")
    assert met.now - first == pytest.approx(within, abs=0.01)
    assert len(there.of(REQUESTS[name])) > within / 0.2  # it was asked again and again until then
    assert safe(car)


def test_a_session_that_is_not_set_up_in_time_ends() -> None:
    def late(car: Car[Any]) -> Part[str]:
        yield Wait(60.0)
        return "Terminate"

    session = EvccSession(late, car2(), 0.0, NAMED["2"])
    assert session.deadline() == limits.EVCC_COMMUNICATION_SETUP_TIMEOUT
    session.tick(limits.EVCC_COMMUNICATION_SETUP_TIMEOUT)
    assert session.ended is not None
    assert isinstance(session.ended.error, TimedOut)
    assert session.ended.error.timer == "V2G_EVCC_CommunicationSetup_Timeout"


def test_a_voltage_that_does_not_fall_is_left_after_a_bound_of_our_own() -> None:
    met = Met(there := Station2({"WeldingDetection": at("WeldingDetection", 400.0)}), car2("DC"))
    assert there.names()[-1] == "SessionStop"
    asked = [e.at for e in met.seen if isinstance(e, FrameSent) and isinstance(e.message, b.WeldingDetectionReq)]
    assert 1.0 < asked[-1] - asked[0] <= WELDING_DETECTION


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_the_car_keeps_its_own_times(service: str) -> None:
    """Each request follows the response before within V2G_EVCC_Sequence_Performance_Time; in the loop at the wish's pace."""
    met = Met(Station2(), car2(service, loops=20))
    assert met.error is None
    waits = [e.since_previous for e in met.seen if isinstance(e, FrameSent) and e.since_previous is not None]
    assert max(waits) <= 0.25 < limits.EVCC_SEQUENCE_PERFORMANCE


def test_an_answer_of_another_session_is_not_taken() -> None:

    def foreign(request: Any, station: Station2) -> Any:
        station.session_id = b"\xff" * 8
        return ok(request, station)

    met = Met(Station2({"PaymentServiceSelection": foreign}), car2())
    assert met.error.requirement == "V2G2-460"
    assert "this one is" in str(met.error)
