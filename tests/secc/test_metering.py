"""MeteringConfirmation: asked for, signed by the contract, over what was shown."""

from typing import Any

import msgspec
import pytest

from pki import signature as xmldsig
from pki.profiles import Role
from secc import station as words
from tests.pki.sample_pki import hierarchy
from tests.secc.scripted import EPOCH, Scripted
from tests.secc.test_authorization import answer, challenge, contract, pnc, signed
from v2g.messages import schema_set
from v2g.messages.common_messages import MeteringConfirmationReq, Scheduled_SMDTControlModeType, SignedMeteringDataType
from v2g.messages.common_types import evseNotificationType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.v2gtp import PayloadType

COMMON = schema_set("common")


def charging(service: str = "DC") -> Scripted:
    """A car with a contract in the charge loop, and a meter."""
    car = pnc(service)
    request = signed(car, challenge(car))
    answer(car, request)
    answer(car, request)
    car.select(service)
    car.parameters(service)
    car.scheduled()
    if service == "DC":
        car.cable_check()
        car.cable_check()
        car.pre_charge("Finished")
    car.start()
    car.tell(words.MeterRead(words.MeterReading("M-1", 1234.0, 0.0, EPOCH, b"x" * 64)))
    return car


def asked(car: Scripted) -> Any:
    """The MeterInfo that the car is asked to sign."""
    car.tell(words.MeteringConfirmationAsked())
    response = car.loop("DC")
    assert response.EVSEStatus.EVSENotification is evseNotificationType.MeteringConfirmation
    return response.MeterInfo


def confirmation(car: Scripted, shown: Any, key: Any = None, **changes: Any) -> MeteringConfirmationReq:
    data = SignedMeteringDataType(
        Id="id1", SessionID=car.id, MeterInfo=shown, Scheduled_SMDTControlMode=Scheduled_SMDTControlModeType(SelectedScheduleTupleID=1)
    )
    signature = xmldsig.sign([data], key or contract().key, COMMON)
    return MeteringConfirmationReq(Header=car.header(signature), SignedMeteringData=msgspec.structs.replace(data, **changes))


def test_what_was_shown_and_signed_is_confirmed_on_its_own_stream() -> None:
    car = charging()
    car.loop("DC")
    shown = asked(car)
    assert shown is not None
    assert shown.ChargedEnergyReadingWh == 1234
    assert answer(car, confirmation(car, shown)).ResponseCode is Code.OK
    (confirmed,) = car.wants(words.MeteringConfirmed)
    assert confirmed.valid
    assert confirmed.exi
    assert car.loop("DC").EVSEStatus is None


def read(car: Scripted, imported: float) -> None:
    car.tell(words.MeterRead(words.MeterReading("M-1", imported, 0.0, EPOCH + imported, b"x" * 64)))


def test_a_signature_beside_the_loop_holds_over_any_reading_shown_since_it_was_asked_for() -> None:
    for signed_over in (0, 1, 2):
        car = charging()
        shown = [asked(car)]
        for imported in (1235.0, 1236.0):
            read(car, imported)
            shown.append(car.loop("DC").MeterInfo)
        assert len({reading.ChargedEnergyReadingWh for reading in shown}) == 3
        assert answer(car, confirmation(car, shown[signed_over])).ResponseCode is Code.OK
        assert car.loop("DC").EVSEStatus is None


def test_what_was_shown_before_a_confirmation_was_asked_for_or_after_it_came_is_none() -> None:
    for once_before in (True, False):
        car = charging()
        early = car.loop("DC", meter=True).MeterInfo
        read(car, 1240.0)
        shown = asked(car)
        if once_before:
            assert answer(car, confirmation(car, early)).ResponseCode is Code.FAILED_MeteringSignatureNotValid
        else:
            assert answer(car, confirmation(car, shown)).ResponseCode is Code.OK
            assert answer(car, confirmation(car, shown)).ResponseCode is Code.FAILED_SequenceError


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_confirmation_that_crosses_the_stop_is_taken(service: str) -> None:
    car = charging(service)
    car.tell(words.MeteringConfirmationAsked())
    shown = car.loop(service).MeterInfo
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert answer(car, confirmation(car, shown)).ResponseCode is Code.OK
    assert len(car.wants(words.MeteringConfirmed)) == 1
    if service == "DC":
        assert car.welding().ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK


def test_after_the_stop_too_nothing_comes_that_was_not_asked_for() -> None:
    car = charging()
    shown = car.loop("DC").MeterInfo
    car.deliver("Stop")
    assert answer(car, confirmation(car, shown)).ResponseCode is Code.FAILED_SequenceError


def test_the_side_stream_leaves_the_timer_of_the_loop_alone() -> None:
    car = charging()
    request = confirmation(car, asked(car))
    car.wait(0.4)
    assert answer(car, request).ResponseCode is Code.OK
    car.wait(0.2)
    assert car.session.ended is not None


def _by_another(car: Scripted, shown: Any) -> MeteringConfirmationReq:
    return confirmation(car, shown, hierarchy()[Role.VEHICLE].key)


def _other_reading(car: Scripted, shown: Any) -> MeteringConfirmationReq:
    return confirmation(car, msgspec.structs.replace(shown, ChargedEnergyReadingWh=1))


def _changed(car: Scripted, shown: Any) -> MeteringConfirmationReq:
    return confirmation(car, shown, Scheduled_SMDTControlMode=Scheduled_SMDTControlModeType(SelectedScheduleTupleID=2))


def _other_session(car: Scripted, shown: Any) -> MeteringConfirmationReq:
    genuine, car.id = car.id, b"another1"
    request = confirmation(car, shown)
    car.id = genuine
    return msgspec.structs.replace(request, Header=car.header(request.Header.Signature))


def _unsigned(car: Scripted, shown: Any) -> MeteringConfirmationReq:
    return msgspec.structs.replace(confirmation(car, shown), Header=car.header())


@pytest.mark.parametrize("forge", [_by_another, _other_reading, _changed, _other_session, _unsigned])
def test_anything_else_is_no_confirmation_and_ends_the_session(forge: Any) -> None:
    car = charging()
    assert answer(car, forge(car, asked(car))).ResponseCode is Code.FAILED_MeteringSignatureNotValid
    assert car.session.ended is not None
    assert len(car.wants(words.OpenContactor)) == 1


def test_what_nobody_asked_for_is_out_of_sequence() -> None:
    car = charging()
    shown = car.loop("DC").MeterInfo
    assert answer(car, confirmation(car, shown)).ResponseCode is Code.FAILED_SequenceError


def test_on_the_main_stream_it_is_not_served() -> None:
    car = charging()
    car.send(confirmation(car, asked(car)), PayloadType.COMMON)
    (response,) = car.answers()
    assert response.ResponseCode is Code.FAILED_SequenceError


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_confirmation_that_crosses_a_renegotiation_of_the_schedule_is_taken_at_each_step_of_it(service: str) -> None:
    for steps in range(3):
        car = charging(service)
        car.tell(words.MeteringConfirmationAsked())
        shown = car.loop(service).MeterInfo
        car.deliver("ScheduleRenegotiation")
        if steps > 0:
            car.exchange()  # Ongoing
        if steps > 1:
            car.scheduled()
        assert answer(car, confirmation(car, shown)).ResponseCode is Code.OK
        car.scheduled() if steps < 2 else None
        assert car.start().ResponseCode is Code.OK
        assert car.loop(service).EVSEStatus is None


def test_a_confirmation_is_taken_while_the_answer_of_the_main_stream_waits() -> None:
    car = charging("AC")
    car.tell(words.MeteringConfirmationAsked())
    shown = car.loop("AC").MeterInfo
    car.auto = False
    car.send(car.power("Stop"))
    assert car.answers() == []  # for the contactor
    assert answer(car, confirmation(car, shown)).ResponseCode is Code.OK
    car.tell(words.ContactorIs(False))
    (stopped,) = car.answers()
    assert stopped.ResponseCode is Code.OK
