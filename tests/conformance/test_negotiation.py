"""What was negotiated is what is spoken: a station of two generations, and a car that offered more than one protocol.

The second generation is that of the engines' tests (`tests/v2g/test_generations.py`): none that was released has a table here yet.
"""

from typing import Any

import pytest

from evcc.car import Car, Wish
from evcc.ev import Ev
from evcc.opening import negotiation
from evcc.script import Part
from secc.engine import SeccSession
from secc.generations import CONDUCTS
from secc.outlet import Outlet
from tests.evcc.scripted_station import SESSION, Station, run
from tests.evcc.test_session import EIM, SAFE, error, sap
from tests.secc.test_services import DC, entry
from tests.v2g import test_generations as other
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.generations import GENERATIONS
from v2g.iso20.generation import ISO20
from v2g.iso20.services import PROTOCOLS
from v2g.messages import ac, app_protocol, schema_set
from v2g.messages import common_messages as cm
from v2g.messages.din import msg_body as din
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameSent
from v2g.session.errors import PeerIncompatible, PeerMisbehaved
from v2g.session.v2gtp import FrameReader, frame

OTHER = other.PROTOCOL.namespace


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("listed_first", ["other", "iso20"])
@pytest.mark.parametrize("ranked_first", ["other", "iso20"])
def test_s_sap_02_the_priority_decides_between_generations_and_not_the_place(
    ranked_first: str, listed_first: str, newest_first: bool
) -> None:
    conducts = (*CONDUCTS, other.CONDUCT) if newest_first else (other.CONDUCT, *CONDUCTS)
    station = SeccSession(Outlet(), Clock(1.7e9, 0.0), 1.0, entropy=bytes, insecure=True, conducts=conducts)
    entries = [entry(OTHER, 7, 1 if ranked_first == "other" else 2, major=2), entry(DC, 8, 1 if ranked_first == "iso20" else 2)]
    request = app_protocol.supportedAppProtocolReq(AppProtocol=tuple(entries if listed_first == "other" else reversed(entries)))
    station.receive(frame(0x8001, encode(request, schema_set("app"))), 1.0)
    (answer,) = [event.message for event in station.events() if isinstance(event, FrameSent)]
    assert isinstance(answer, app_protocol.supportedAppProtocolRes)
    assert answer.SchemaID == (7 if ranked_first == "other" else 8)
    assert station.generation is (other.TOY if ranked_first == "other" else GENERATIONS[0])


def test_e_sap_05_messages_of_another_generation_than_was_agreed_are_none() -> None:
    """The station takes the older protocol, and answers with what it would say under -20, which the car had offered as well."""

    def script(car: Car) -> Part[str]:
        yield from negotiation(car, (PROTOCOLS["dc"], other.PROTOCOL))
        response: Any = yield din.SessionSetupReq(EVCCID=b"\x01\x02")
        return f"took {type(response).__name__} for an answer"

    pair = other.Pair(script, conducts=(other.CONDUCT,))
    reader = FrameReader()
    reader.feed(pair.evcc.octets_to_send())
    assert reader.next() is not None
    taken = app_protocol.supportedAppProtocolRes(ResponseCode=app_protocol.responseCodeType.OK_SuccessfulNegotiation, SchemaID=2)
    pair.evcc.receive(frame(0x8001, encode(taken, schema_set("app"))), pair.now)
    assert pair.car.protocol is other.PROTOCOL
    assert pair.evcc.octets_to_send()
    said = ISO20.write(least(cm.SessionSetupRes), SESSION)
    pair.evcc.receive(frame(said.payload_type, said.exi), pair.now)
    assert pair.evcc.ended is not None
    assert isinstance(pair.evcc.ended.error, PeerMisbehaved), pair.evcc.ended


def test_e_sap_05_a_car_that_was_answered_dc_charges_by_no_service_of_ac() -> None:
    """Both were offered; the station takes DC, and has services of AC alone: they are not what was agreed."""
    station = Station(answers={"supportedAppProtocolReq": sap(2), **SAFE}, services=("AC", "AC_BPT"))
    visitor = Car(Ev(), wish=Wish(services=("AC", "DC"), **{**EIM, "loops": 1}), clock=Clock(1_700_000_000))
    assert isinstance(error(run(visitor, station)), PeerIncompatible)
    assert "ServiceSelection" not in station.names()


def test_e_sap_05_a_car_that_was_answered_dc_takes_no_message_of_ac() -> None:
    station = Station(
        answers={
            "supportedAppProtocolReq": sap(2),
            "DC_ChargeParameterDiscoveryReq": lambda q, s: least(ac.AC_ChargeParameterDiscoveryRes),
            **SAFE,
        }
    )
    visitor = Car(Ev(), wish=Wish(services=("AC", "DC"), **{**EIM, "loops": 1}), clock=Clock(1_700_000_000))
    assert isinstance(error(run(visitor, station)), PeerMisbehaved)
    assert station.names()[-1] == "DC_ChargeParameterDiscovery"
