"""What a car does alike in ISO 15118-2 and DIN SPEC 70121: it charges, obeys, protects itself, and keeps its timers."""

from typing import Any

import pytest
from msgspec.structs import replace

from evcc.engine import EvccSession
from evcc.guard import REACTION
from evcc.opening import named
from tests.evcc.early.scripted_early import BOTH, Answer, Station, car, run
from tests.evcc.test_guard import told
from v2g.session.errors import PeerUnsafe, TimedOut

both = pytest.mark.parametrize("name", list(BOTH))
STOP = {"2": "SessionStop", "DIN": "SessionStopType"}  # the schema of DIN names the class of its element so


def after(loops: int, then: Answer) -> Answer:
    """A station that behaves for some loops and then answers something else."""
    return lambda q, s: then(q, s) if s.loops >= loops else s.on_CurrentDemandReq(q)


def gives(volts: float, amperes: float) -> Answer:
    def answer(q: Any, s: Station) -> Any:
        s.loops += 1
        return s.ok(q, EVSEPresentVoltage=s.says(volts, "V"), EVSEPresentCurrent=s.says(amperes, "A"))

    return answer


def status(**said: str) -> Answer:
    return lambda q, s: s.on_CurrentDemandReq(q, DC_EVSEStatus=s.status(**said))


@both
def test_a_session_in_its_order(name: str) -> None:
    station, visitor = Station(name), car()
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well, session.ended.error
    names = list(dict.fromkeys(station.names()))
    assert names[:2] == ["supportedAppProtocol", "SessionSetup"]
    assert names[-6:] == ["CableCheck", "PreCharge", "PowerDelivery", "CurrentDemand", "WeldingDetection", STOP[name]]
    assert (visitor.loops, visitor.authorization, visitor.outcome().service) == (6, "EIM", "DC")
    assert visitor.outcome().schedule == 3
    assert not visitor.closed
    assert visitor.pilot == "B"


@both
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (gives(400.0, -100.0), "in a service that only charges"),
        (gives(400.0, 1000.0), "1000 A flow through an inlet of 400 A"),
        (gives(900.0, 10.0), "900 V on an inlet of 500 V"),
        (gives(400.0, 140.0), "A flow, asked for were"),
        (status(code="EVSE_Malfunction"), "the station says EVSE_Malfunction"),
        (status(code="EVSE_EmergencyShutdown"), "the station says EVSE_EmergencyShutdown"),
        (status(isolation="Fault"), "the isolation is at Fault"),
    ],
)
def test_a_station_that_harms_the_car_is_left(name: str, answer: Answer, said: str) -> None:
    station = Station(name, {"CurrentDemandReq": after(3, answer)})
    session = run(car(loops=round(10 * REACTION / 0.1)), station)
    assert_left(session, said, ["PowerDelivery", STOP[name]])


def assert_left(session: EvccSession, said: str, asked: list[str]) -> None:
    """Contactors open before anything else is said, power is ended, then the session; and the reason stands at the end."""
    assert session.ended is not None
    assert isinstance(session.ended.error, PeerUnsafe), session.ended.error
    assert said in str(session.ended.error)
    done = told(session.events())
    end = ["contactors False", "control pilot B"] if "contactors True" in done else ["control pilot B"]
    assert done[-len(end) - len(asked) - 1 :] == [*end, *(each.removesuffix("Req") for each in asked), "control pilot B"]


@both
@pytest.mark.parametrize("level", ["Invalid", "Fault"])
def test_a_cable_that_is_not_sound_keeps_the_contactors_open(name: str, level: str) -> None:
    station = Station(name, {"CableCheckReq": lambda q, s: s.ok(q, DC_EVSEStatus=s.status(isolation=level))})
    session = run(car(), station)
    assert_left(session, level, [STOP[name]])
    assert "PreCharge" not in station.names()


@both
@pytest.mark.parametrize("word", [{"asks": "StopCharging"}, {"code": "EVSE_Shutdown"}, {"code": "EVSE_UtilityInterruptEvent"}])
def test_a_station_that_stops_is_obeyed(name: str, word: dict[str, str]) -> None:
    station, visitor = Station(name, {"CurrentDemandReq": after(3, status(**word))}), car(loops=100)
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    assert visitor.loops == 4


@both
@pytest.mark.parametrize(
    ("request_", "timer", "seconds"),
    [
        ("CableCheckReq", "V2G_EVCC_CableCheck_Timeout", 40.0),
        ("PreChargeReq", "V2G_EVCC_PreCharge_Timeout", 7.0),
        ("ChargeParameterDiscoveryReq", "V2G_EVCC_Ongoing_Timeout", 60.0),
    ],
)
def test_a_poll_that_does_not_end_is_given_up(name: str, request_: str, timer: str, seconds: float) -> None:
    def never(q: Any, s: Station) -> Any:
        if request_ == "PreChargeReq":
            return s.ok(q, EVSEPresentVoltage=s.says(0, "V"))
        return replace(getattr(s, f"on_{request_}", s.ok)(q), EVSEProcessing=s.types.EVSEProcessingType.Ongoing)

    session = run(car(), Station(name, {request_: never}))
    assert session.ended is not None
    assert isinstance(session.ended.error, TimedOut)
    assert (session.ended.error.timer, session.ended.error.limit) == (timer, seconds)


@both
def test_a_driver_who_leaves_before_power_is_obeyed(name: str) -> None:
    station, visitor = Station(name), car()
    visitor.stop_asked = "the driver wants to leave"
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    assert station.names()[-1] == STOP[name]
    assert "CableCheck" not in station.names()


@both
@pytest.mark.parametrize("word", [{"asks": "StopCharging"}, {"code": "EVSE_Shutdown"}, {"code": "EVSE_UtilityInterruptEvent"}])
@pytest.mark.parametrize(("request_", "next_"), [("CableCheckReq", "PreCharge"), ("PreChargeReq", "PowerDelivery")])
def test_a_station_that_asks_for_the_end_before_power_is_left_before_the_next_step(
    name: str, word: dict[str, str], request_: str, next_: str
) -> None:
    """Where the last answer of a step says it: there is no other poll in which the car could hear it."""

    def last(q: Any, s: Station) -> Any:
        return replace(getattr(s, f"on_{request_}", s.ok)(q), DC_EVSEStatus=s.status(**word))

    station, visitor = Station(name, {request_: last}), car()
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    assert station.names()[-2:] == [request_.removesuffix("Req"), STOP[name]]
    assert next_ not in station.names()
    assert (visitor.closed, visitor.pilot, visitor.loops) == (False, "B", 0)


@both
def test_a_car_tells_its_state_of_charge_and_leaves(name: str) -> None:
    station, visitor = Station(name), car()
    session = run(visitor, station, named([BOTH[name][0]], "read-soc"))
    assert session.ended is not None
    assert session.ended.well
    assert station.names()[-2:] == ["ChargeParameterDiscovery", STOP[name]]
    (asked,) = station.of("ChargeParameterDiscoveryReq")
    assert round(visitor.ev.soc) == asked.EVChargeParameter.DC_EVStatus.EVRESSSOC
    assert (visitor.closed, visitor.pilot) == (False, "B")


@both
@pytest.mark.parametrize(
    ("volts", "amperes", "code"),
    [(900.0, 10.0, "FAILED_ChargingVoltageOutOfRange"), (400.0, 1000.0, "FAILED_ChargingCurrentdifferential")],
)
def test_what_was_measured_beyond_its_limits_a_car_says_with_its_last_request_of_power(
    name: str, volts: float, amperes: float, code: str
) -> None:
    station = Station(name, {"CurrentDemandReq": after(3, gives(volts, amperes))})
    run(car(loops=100), station)
    assert station.of("PowerDeliveryReq")[-1].EVPowerDeliveryParameter.DC_EVStatus.EVErrorCode.value == code
