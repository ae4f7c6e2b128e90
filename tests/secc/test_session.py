"""Whole sessions, in virtual time."""

import pytest

from secc import station as words
from tests.secc.scripted import Scripted
from v2g.iso20.services import SERVICES
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Noted


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_session_from_end_to_end(service: str, control: str) -> None:
    car = Scripted()
    car.charging(service, control)
    for _ in range(5):
        car.wait(0.2)
        assert car.loop(service, control).ResponseCode is Code.OK
    assert car.deliver("Stop").ResponseCode is Code.OK
    if SERVICES[service].dc:
        car.welding()
    assert car.stop().ResponseCode is Code.OK
    assert car.session.ended is None
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.well


# --- setup, and who the car is ---


def test_the_setup_ends_with_session_setup_not_before() -> None:
    """A car that negotiates and then says nothing has no more time than one that says nothing at all."""
    from v2g.iso20.timing import SECC_COMMUNICATION_SETUP_TIMEOUT

    car = Scripted()
    car.wait(10.0)
    car.sap()
    car.wait(SECC_COMMUNICATION_SETUP_TIMEOUT - 10.5)
    assert car.session.ended is None
    car.wait(1.0)
    assert car.session.ended is not None
    assert "V2G_SECC_CommunicationSetup_Timeout" in car.session.ended.reason
    assert "SessionSetupReq" in car.session.ended.reason


def test_after_session_setup_the_sequence_has_its_own_time() -> None:
    car = Scripted()
    car.wait(15.0)
    car.setup()
    car.wait(59.0)
    assert car.session.ended is None


def test_what_a_certificate_proves_goes_before_what_a_car_says() -> None:
    """Who is billed by the EVCCID is billed by the vehicle certificate [V2G20-2598]."""
    car = Scripted(given={"identity": "WMIVPROVED"})
    car.authorized()
    assert car.wants(words.SessionStarted)[-1].evccid == "WMIVPROVED"
    assert car.wants(words.AuthorizationWanted)[-1].evccid == "WMIVPROVED"
    (note,) = [event for event in car.happened if isinstance(event, Noted) and event.topic.startswith("EVCCID")]
    assert note.facts == {"said": "WMIV1234567890ABCDEX", "certificate": "WMIVPROVED", "requirement": "V2G20-2598"}


def test_a_car_that_calls_itself_as_its_certificate_does_is_not_noted() -> None:
    car = Scripted(given={"identity": "WMIV1234567890ABCDEX"})
    car.authorized()
    assert not [event for event in car.happened if isinstance(event, Noted) and event.topic.startswith("EVCCID")]
