"""How a car of ISO 15118-2 leaves: with its state of charge told and no power, when the station asks for the end, and after a fault."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from evcc.generations import NAMED, conducts_named
from evcc.opening import named
from tests.evcc.iso2.scripted_station2 import STANDARD, Answer, Met, Processing, Station2, after, car2
from tests.evcc.virtual_pair import Pair, outlet
from v2g.iso2.physical import A, V, physical
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.errors import PeerIncompatible, PeerUnsafe

Note, Status, Error = t.EVSENotificationType, t.DC_EVSEStatusCodeType, t.DC_EVErrorCodeType
READ_SOC = named(conducts_named(["2"]), "read-soc")


# --- the state of charge, and no power ---


def test_a_car_tells_its_state_of_charge_and_leaves_before_the_cable_is_checked() -> None:
    met = Met(there := Station2(), car := car2("DC"), READ_SOC)
    assert met.error is None
    assert there.names()[-2:] == ["ChargeParameterDiscovery", "SessionStop"]
    (asked,) = there.of(b.ChargeParameterDiscoveryReq)
    assert round(car.ev.soc) == asked.EVChargeParameter.DC_EVStatus.EVRESSSOC
    assert (car.closed, car.pilot, car.ev.charged) == (False, "B", 0.0)


def test_an_outlet_of_ac_cannot_be_told_in_this_generation() -> None:
    met = Met(there := Station2(modes=(t.EnergyTransferModeType.AC_three_phase_core,)), car2("AC"), READ_SOC)
    assert isinstance(met.error, PeerIncompatible)
    assert "state of charge" in str(met.error)
    assert there.names()[-1] == "SessionStop"


def test_a_car_with_both_tells_it_by_dc_where_the_station_has_that() -> None:
    car = car2("DC")
    car.wish = replace(car.wish, services=("AC", "DC"))
    met = Met(there := Station2(modes=(t.EnergyTransferModeType.AC_three_phase_core, t.EnergyTransferModeType.DC_extended)), car, READ_SOC)
    assert met.error is None
    assert there.of(b.ChargeParameterDiscoveryReq)[0].RequestedEnergyTransferMode is t.EnergyTransferModeType.DC_extended


def test_a_driver_who_leaves_meanwhile_is_obeyed() -> None:
    car = car2("DC")
    car.stop_asked = "the driver wants to leave"
    met = Met(there := Station2(), car, READ_SOC)
    assert met.error is None
    assert "ChargeParameterDiscovery" not in there.names()


def test_every_generation_can_be_asked_for_it() -> None:
    assert [name for name, conduct in NAMED.items() if "read-soc" not in conduct.scripts] == []


def test_our_station_reads_it_without_power() -> None:
    car = car2("DC")
    pair = Pair(car, outlet(services=("DC",)), READ_SOC)
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well
    assert pair.output == (0.0, 0.0)
    assert car.ev.charged == 0.0


# --- the station asks for the end ---


def stopping(name: str, **status: Any) -> Answer:
    """The usual answer, with a status that asks for the end."""

    def answer(request: Any, station: Station2) -> Any:
        station.status = status or {"EVSENotification": Note.StopCharging}
        if name == "ChargeParameterDiscovery" or "EVSEProcessing" not in STANDARD[name](request, station).__struct_fields__:
            return STANDARD[name](request, station)
        return msgspec.structs.replace(STANDARD[name](request, station), EVSEProcessing=Processing.Ongoing)

    return answer


@pytest.mark.parametrize("service", ["AC", "DC"])
@pytest.mark.parametrize("status", [{"EVSENotification": Note.StopCharging}, {"EVSEStatusCode": Status.EVSE_Shutdown}])
@pytest.mark.parametrize("name", ["ChargeParameterDiscovery", "CableCheck", "PreCharge"])
def test_a_station_that_asks_for_the_end_before_power_is_left_in_order(service: str, name: str, status: dict[str, Any]) -> None:
    if service == "AC" and (name != "ChargeParameterDiscovery" or "EVSEStatusCode" in status):
        return  # AC has no such step, and no such word
    met = Met(there := Station2({name: stopping(name, **status)}), car := car2(service))
    assert met.error is None
    assert met.session.ended is not None
    assert met.session.ended.how == "Terminate"
    assert there.names()[-2:] == [name, "SessionStop"]
    assert "PowerDelivery" not in there.names()
    assert (car.closed, car.pilot) == (False, "B")


@pytest.mark.parametrize("status", [{"EVSEStatusCode": Status.EVSE_Malfunction}, {"EVSEStatusCode": Status.EVSE_EmergencyShutdown}])
def test_a_station_with_a_fault_before_power_is_left_by_a_car_that_stays_open(status: dict[str, Any]) -> None:
    met = Met(there := Station2({"ChargeParameterDiscovery": stopping("ChargeParameterDiscovery", **status)}), car := car2("DC"))
    assert isinstance(met.error, PeerUnsafe)
    assert there.names()[-1] == "SessionStop"
    assert not car.closed


# --- the car says what is wrong ---


def beyond(**measured: Any) -> Answer:
    return lambda request, station: msgspec.structs.replace(STANDARD["CurrentDemand"](request, station), **measured)


@pytest.mark.parametrize(
    ("measured", "code"),
    [
        ({"EVSEPresentVoltage": physical(1200.0, V)}, Error.FAILED_ChargingVoltageOutOfRange),
        ({"EVSEPresentCurrent": physical(900.0, A)}, Error.FAILED_ChargingCurrentdifferential),
        ({"EVSEPresentCurrent": physical(-50.0, A)}, Error.FAILED_ChargingCurrentdifferential),
    ],
)
def test_what_was_measured_beyond_its_limits_is_said_by_its_code(measured: dict[str, Any], code: t.DC_EVErrorCodeType) -> None:
    there = Station2({"CurrentDemand": after(2, beyond(**measured), STANDARD["CurrentDemand"])})
    met = Met(there, car := car2("DC", loops=50))
    assert isinstance(met.error, PeerUnsafe)
    assert not car.closed
    last = there.of(b.PowerDeliveryReq)[-1]
    assert last.ChargeProgress is t.chargeProgressType.Stop
    status = last.EVPowerDeliveryParameter.DC_EVStatus
    assert (status.EVErrorCode, status.EVReady) == (code, False)
    assert there.names()[-1] == "SessionStop"


def test_what_the_station_says_of_itself_is_no_fault_of_the_car() -> None:
    emergency = stopping("CurrentDemand", EVSEStatusCode=Status.EVSE_EmergencyShutdown)
    met = Met(there := Station2({"CurrentDemand": after(2, emergency, STANDARD["CurrentDemand"])}), car2("DC", loops=50))
    assert isinstance(met.error, PeerUnsafe)
    assert there.of(b.PowerDeliveryReq)[-1].EVPowerDeliveryParameter.DC_EVStatus.EVErrorCode is Error.NO_ERROR
