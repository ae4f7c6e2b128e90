"""What a car of ISO 15118-2 or DIN SPEC 70121 says is wrong with itself (EVErrorCode) reaches the CSMS, and the lines of `--json`."""

from typing import Any

import pytest

from secc.station import Objected
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_turned_away import told
from tests.secc.din.scripted70121 import Scripted
from tests.secc.iso2.test_ev_error2 import ailing
from v2g.session.endpoint import Ended
from v2g.session.link import Disconnected
from v2gkit.station.teller import Teller

SAID = "the car says FAILED_RESSTemperatureInhibit"


def of_minus2() -> Any:
    car = ailing()
    car.loop(current=20.0)
    return car


def of_din() -> Any:
    car = Scripted()
    car.charging()
    car.demand(20.0, error="FAILED_RESSTemperatureInhibit")
    return car


@pytest.mark.parametrize("made", [of_minus2, of_din])
def test_an_error_of_a_car_is_told_the_csms_and_the_lines_of_the_station(made: Any) -> None:
    car = made()
    p = Played().boot()
    p.arrive()
    lines: list[dict[str, Any]] = []
    teller = Teller(lambda event, **facts: lines.append({"event": event, **facts}), "DE*V2G*E1", 1)
    for event in [*car.happened, Disconnected(9.0, "peer", True, ended=Ended("Terminate", asked=SAID))]:
        teller.event(event)
        if isinstance(event, Objected):
            p.want(event)
    (problem,) = [event for event in told(p) if "FAILED_RESS" in event["techInfo"]]
    assert problem["techInfo"] == f"CurrentDemandReq: {SAID}"
    assert problem["transactionId"] == p.tx
    (objected,) = [line for line in lines if line["event"] == "objected"]
    assert (objected["request"], objected["reason"]) == ("CurrentDemandReq", SAID)
    (ended,) = [line for line in lines if line["event"] == "ended"]
    assert ended["asked"] == SAID
    assert [one["reason"] for one in ended["objected"]] == [SAID]
