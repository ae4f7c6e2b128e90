"""What a car shows on the wire that no other test has for its subject: the payload type of each request, and its wish for the meter."""

import pytest

from tests.evcc.scripted_station import Station, finished, run
from tests.evcc.test_session import SAFE, car
from v2g.iso20.frames import payload_type_of
from v2g.messages import ac, dc
from v2g.session.v2gtp import PayloadType


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_each_request_of_a_car_has_the_payload_type_of_its_set(service: str) -> None:
    """Defect 54: what is common goes on 0x8002, also CertificateInstallation; the type of the older generations is for the negotiation."""
    station = Station(answers=SAFE | {"AuthorizationReq": finished})
    run(car(service), station)
    assert station.payload_types == [payload_type_of(type(request)) for request in station.requests]
    energy = PayloadType.AC if service == "AC" else PayloadType.DC
    assert set(station.payload_types[1:]) == {PayloadType.COMMON, energy}
    assert station.payload_types.count(PayloadType.EXI) == 1


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_car_asks_for_the_meter_as_its_driver_wants(service: str, wanted: bool) -> None:
    station = Station(answers=SAFE | {"AuthorizationReq": finished})
    run(car(service, meter_info=wanted), station)
    asked = [request.MeterInfoRequested for request in station.of({"AC": ac.AC_ChargeLoopReq, "DC": dc.DC_ChargeLoopReq}[service])]
    assert asked == [wanted] * 10
