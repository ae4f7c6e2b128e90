"""WPT at the car: it stands, is paired, checks the coils, takes what is given, and leaves a station that gives what it did not ask for."""

from typing import Any

import pytest

from evcc.car import Car
from evcc.ev import WPT_INLET, Ev, Inlet
from evcc.field_guard import POWER, REACTION, FieldGuard
from evcc.iso20.charge import charge
from secc import station as words
from secc.station import ServiceSelected, SetPower
from tests.evcc.scripted_station import Station, field_loop, finished, methods, ok, ongoing, parameters_wpt, run, times
from tests.evcc.test_pair import VERIFIER, ended
from tests.evcc.test_pair import car as own
from tests.evcc.test_session import car, error
from tests.evcc.virtual_pair import Pair, outlet
from v2g.iso20.rational import number, rational
from v2g.messages import wpt
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Noted
from v2g.session.errors import PeerFailed, PeerIncompatible, PeerUnsafe, TimedOut
from v2g.session.wireless import VehicleDevice

Diagnostics = wpt.WPT_SPCChargeDiagnosticsType
PASSING = [Diagnostics.SPCFODDetected, Diagnostics.SPCLOPDetected, Diagnostics.SPCTempOverheatDetected]
BAD = [Diagnostics.SPCPowerTransferAnomalyDetected, Diagnostics.SPCAnomalyDetected]
CONTROLS = pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])


def visit(control: str = "Scheduled", loops: int = 60, **answers: Any) -> tuple[Car[Any], Station, Any]:
    """A car, the station that it met, and the session."""
    visitor, station = car("WPT", control, loops=loops), Station(answers={f"WPT_{name}Req": answer for name, answer in answers.items()})
    station.setpoint = 50e3
    return visitor, station, run(visitor, station)


def left(visitor: Car[Any], station: Station, session: Any) -> str:
    """Why the car has left, with its contactors open first and an orderly end."""
    assert not visitor.closed
    assert station.names()[-1] == "SessionStop"
    return str(error(session))


# --- before power ---


def test_it_waits_for_every_step_as_long_as_it_may() -> None:
    steps = {name: times(20, ongoing, finished) for name in ("FinePositioning", "Pairing", "AlignmentCheck")}
    visitor, station, session = visit(loops=3, **steps)
    assert session.ended.well
    assert [station.names().count(f"WPT_{name}") for name in steps] == [21, 21, 22]
    assert visitor.loops == 3


@pytest.mark.parametrize("name", ["FinePositioning", "Pairing", "AlignmentCheck"])
def test_and_no_longer(name: str) -> None:
    visitor, _, session = visit(**{name: ongoing})
    assert isinstance(error(session), TimedOut)
    assert 60.0 <= visitor.now <= 62.0
    assert not visitor.closed


def test_it_says_what_it_knows_and_no_more() -> None:
    _, station, _ = visit(loops=1)
    said = {kind: [(r.EVProcessing.value, r.EVResultCode.value) for r in station.of(kind)] for kind in KINDS}
    assert said == {
        wpt.WPT_FinePositioningReq: [("Finished", "EVResultSuccess")],
        wpt.WPT_PairingReq: [("Finished", "EVResultUnknown")],
        wpt.WPT_AlignmentCheckReq: [("Ongoing", "EVResultUnknown"), ("Finished", "EVResultSuccess")],
    }


KINDS = (wpt.WPT_FinePositioningReq, wpt.WPT_PairingReq, wpt.WPT_AlignmentCheckReq)


@pytest.mark.parametrize("list_", ["FinePositioning", "Pairing", "AlignmentCheck"])
def test_a_station_without_a_method_in_common_is_left(list_: str) -> None:
    other = {"FinePositioning": "LF_TxEV", "Pairing": "LPE", "AlignmentCheck": "Proprietary"}[list_]
    method, listed = getattr(wpt, f"WPT_{list_}MethodType")[other], getattr(wpt, f"WPT_{list_}MethodListType")

    def answer(request: Any, station: Station) -> Any:
        from msgspec.structs import replace

        return replace(methods(request, station), **{f"PrimaryDevice{list_}MethodList": listed(**{f"WPT_{list_}Method": (method,)})})

    visitor, station, session = visit(FinePositioningSetup=answer)
    assert isinstance(error(session), PeerIncompatible)
    assert f"the station {method.value}" in left(visitor, station, session)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"SDMaxGroundClearanceSupport": 90, "SDMinGroundClearanceSupport": 50}, "ground clearance: the car has 100 to 250"),
        ({"SDMaxOutputPower": rational(400), "SDMinOutputPower": rational(0)}, "charge power: the car takes 500"),
        ({"SDMinOutputPower": rational(30e3), "SDMaxOutputPower": rational(50e3)}, "charge power: the car takes 500 to 11000 W"),
    ],
)
def test_a_station_whose_parameters_do_not_fit_is_left(said: Any, why: str) -> None:
    visitor, station, session = visit(ChargeParameterDiscovery=lambda q, s: parameters_wpt(q, s, **said))
    assert isinstance(error(session), PeerIncompatible)
    assert why in left(visitor, station, session)
    assert "PowerDelivery" not in station.names()


def test_a_station_that_takes_the_alignment_back_is_left_with_the_contactors_open() -> None:
    visitor, station, session = visit(AlignmentCheck=times(1, finished, ongoing))
    assert isinstance(error(session), PeerUnsafe)
    assert "had finished the alignment check" in left(visitor, station, session)
    assert "PowerDelivery" not in station.names()
    assert not [e for e in session.events() if isinstance(e, Noted) and e.topic == "contactors" and e.facts["closed"]]


def test_a_pairing_that_the_station_refuses_ends_the_session() -> None:
    visitor, _, session = visit(Pairing=lambda q, s: ok(q, s, ResponseCode=Code.FAILED_AssociationError))
    assert isinstance(error(session), PeerFailed)
    assert not visitor.closed


# --- under power ---


@CONTROLS
def test_it_asks_for_no_more_than_it_takes_and_counts_what_is_given(control: str) -> None:
    visitor, station, session = visit(control, loops=20)
    assert session.ended.well
    asked = [number(r.EVPCPowerRequest) for r in station.of(wpt.WPT_ChargeLoopReq)]
    assert 0 < max(asked) <= WPT_INLET.charge_power
    told = [number(r.EVPCPowerOutput) for r in station.of(wpt.WPT_ChargeLoopReq)]
    assert told == [0.0, *asked[:-1]]  # all that was asked for was given
    assert visitor.ev.charged > 0
    assert visitor.ev.discharged == 0


def test_a_limit_that_the_station_lowers_is_followed() -> None:
    def lowered(request: Any, station: Station) -> Any:
        most = 11e3 if station.loops < 5 else 2e3
        given = min(number(request.EVPCPowerRequest), most)
        return field_loop(request, station, SPCMaxOutputPowerLimit=rational(most), EVPCPowerRequest=rational(given))

    _, station, _ = visit("Dynamic", loops=20, ChargeLoop=lowered)
    asked = [number(r.EVPCPowerRequest) for r in station.of(wpt.WPT_ChargeLoopReq)]
    assert asked[3] == WPT_INLET.charge_power
    assert set(asked[7:]) == {2e3}


@CONTROLS
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"EVPCPowerRequest": rational(-2000)}, "-2000 W flow out of the car"),
        ({"SDPowerInput": rational(-2000)}, "-2000 W flow out of the car"),
        ({"EVPCPowerRequest": rational(13e3)}, "13000 W to a device of 11000 W"),
        ({"SDPowerInput": rational(20e3)}, "puts in 20000 W"),
        *(({"SPCChargeDiagnostics": each, "EVPCPowerRequest": rational(0)}, each.value) for each in BAD),
        *(({"SPCChargeDiagnostics": each, "EVPCPowerRequest": rational(100)}, each.value) for each in PASSING),
    ],
)
def test_a_station_that_gives_what_no_car_bears_is_left_at_once(control: str, said: Any, why: str) -> None:
    def answer(request: Any, station: Station) -> Any:
        return field_loop(request, station, **(said if station.loops >= 4 else {}))

    visitor, station, session = visit(control, ChargeLoop=answer)
    assert isinstance(error(session), PeerUnsafe)
    assert why in left(visitor, station, session)
    assert visitor.loops <= 5
    assert station.names()[-2:] == ["PowerDelivery", "SessionStop"]


@CONTROLS
def test_a_station_that_does_not_follow_is_left_after_the_time_of_a_ramp(control: str) -> None:
    """It lowers its limit, so the car asks for less; and gives on."""

    def answer(request: Any, station: Station) -> Any:
        lowered = {"SPCMaxOutputPowerLimit": rational(2e3)} if station.loops >= 9 else {}
        return field_loop(request, station, EVPCPowerRequest=rational(11e3), **lowered)

    visitor, station, session = visit(control, loops=100, ChargeLoop=answer)
    assert isinstance(error(session), PeerUnsafe)
    assert "the station gives 11000 W, asked for were 2000 W, for 2." in left(visitor, station, session)
    assert 10 + REACTION / 0.25 <= visitor.loops <= 10 + REACTION / 0.1


def test_nothing_flows_over_what_lies_there_and_goes_on_when_it_is_gone() -> None:
    def answer(request: Any, station: Station) -> Any:
        if 5 <= station.loops < 10:
            blocked = {
                "ResponseCode": Code.WARNING_WPT,
                "SPCChargeDiagnostics": Diagnostics.SPCFODDetected,
                "EVPCPowerRequest": rational(0),
            }
            return field_loop(request, station, **blocked)
        return field_loop(request, station)

    visitor, station, session = visit("Dynamic", loops=20, ChargeLoop=answer)
    assert session.ended.well
    told = [number(r.EVPCPowerOutput) for r in station.of(wpt.WPT_ChargeLoopReq)]
    assert set(told[6:11]) == {0.0}
    assert told[12] > 0
    noted = [e.facts["condition"] for e in visitor.noted or session.events() if isinstance(e, Noted) and e.topic == "ground device"]
    assert noted == ["SPCFODDetected", "SPCNoIssue"]


def test_the_guard_lets_an_instrument_err_and_a_ramp_pass() -> None:
    guard = FieldGuard(Inlet(charge_power=10e3))
    guard.given(5e3, 5e3, 7e3, 0.0)
    guard.given(5e3, 5e3 * 1.05 + POWER, 5e3 / 0.6 + POWER, 1.0)
    guard.given(0.0, 5e3, None, 2.0)
    guard.given(0.0, 5e3, None, 2.0 + REACTION - 0.1)
    guard.given(0.0, 0.0, None, 4.5)
    guard.given(0.0, 0.0, 5e3, 5.0)
    with pytest.raises(PeerUnsafe, match="puts in 5000 W"):
        guard.given(0.0, 0.0, 5e3, 5.0 + REACTION)
    guard.given(0.0, -POWER, -POWER, 9.0)


# --- both ends ---


@CONTROLS
def test_both_ends_count_the_same_energy_and_pause_and_come_back(control: str) -> None:
    from secc.pause import PausedSessions

    store = PausedSessions()
    visitor = own("WPT", control, pause_after=20, loops=60)
    first = Pair(visitor, outlet=outlet(services=("WPT",)), given={**VERIFIER, "paused": store}, setpoint=6_000.0)
    assert ended(first) == "Pause"
    assert max(each.power for each in first.of(SetPower)) <= WPT_INLET.charge_power
    assert visitor.ev.charged == pytest.approx(first.imported, rel=0.02, abs=0.05)
    again = visitor.anew(visitor.link)
    second = Pair(again, outlet=outlet(services=("WPT",)), given={**VERIFIER, "paused": store}, setpoint=6_000.0, script=charge)
    assert ended(second) == "Terminate"
    asked = [type(e).__name__ for e in second.happened if isinstance(e, words.PairVehicle | words.CheckAlignment | ServiceSelected)]
    assert asked == [
        "ServiceSelected",
        "CheckAlignment",
    ]  # as it was, told to the backend; neither positioning nor pairing, but another check


def test_an_alignment_that_is_lost_takes_the_power_away_and_the_car_hears_of_it() -> None:
    visitor = own("WPT", "Dynamic", loops=100)
    lost = words.AlignmentIs(words.Alignment(False, reason="a wheel was turned"))
    pair = Pair(visitor, outlet=outlet(services=("WPT",)), given=VERIFIER, facts={10: lost})
    assert pair.evcc.ended is not None
    assert isinstance(pair.evcc.ended.error, PeerFailed)
    assert pair.station.ended is not None
    assert "a wheel was turned" in str(pair.station.ended.reason)
    assert pair.output == (0.0, 0.0)
    assert not visitor.closed


def test_devices_without_a_method_in_common_part_in_peace() -> None:
    visitor = own("WPT", "Dynamic")
    visitor.ev = Ev(vehicle_device=VehicleDevice(pairing=("Optical",)))
    pair = Pair(visitor, outlet=outlet(services=("WPT",)), given=VERIFIER)
    assert pair.station.ended is not None
    assert "no method of pairing in common: the vehicle has Optical" in str(pair.station.ended.reason)
