"""What a car of ISO 15118-2 says is wrong with itself: recorded, told on, and acted upon."""

from typing import Any

import pytest

from secc import station as words
from secc.backend import LocalBackend, Surroundings
from tests.secc.iso2.scripted2 import Scripted2
from v2g.energy.patience import ENDLESS
from v2g.iso2.physical import A, V, number, physical
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.messages.iso2.msg_data_types import DC_EVErrorCodeType as Error
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.session.errors import Refused

HOT = Error.FAILED_RESSTemperatureInhibit
SAID = f"the car says {HOT.value}"


class Ailing(Scripted2):
    """A car that states this error from now on."""

    error = Error.NO_ERROR

    def ev(self, soc: int = 40) -> t.DC_EVStatusType:
        return t.DC_EVStatusType(EVReady=self.error is Error.NO_ERROR, EVErrorCode=self.error, EVRESSSOC=soc)


def ailing(error: Error = HOT) -> Ailing:
    """A car that charges with 20 A, and then states an error."""
    car = Ailing()
    car.charging()
    car.loop(current=20.0)
    assert car.wants(words.SetOutput)[-1].current == pytest.approx(20.0)
    car.error = error
    return car


@pytest.mark.parametrize("error", [each for each in Error if each not in (Error.NO_ERROR, Error.NoData)], ids=lambda each: each.value)
def test_an_error_under_power_takes_the_current_away_at_once_and_asks_the_car_to_stop(error: Error) -> None:
    car = ailing(error)
    answer = car.loop(current=20.0)
    assert answer.ResponseCode is Code.OK
    assert car.wants(words.SetOutput)[-1].current == 0.0
    assert answer.DC_EVSEStatus.EVSENotification is t.EVSENotificationType.StopCharging
    assert answer.DC_EVSEStatus.EVSEStatusCode is t.DC_EVSEStatusCodeType.EVSE_Shutdown
    (told,) = car.wants(words.Objected)
    assert (told.request, told.objection.reason) == ("CurrentDemandReq", f"the car says {error.value}")


def test_a_car_that_recovers_gets_no_current_again_in_this_session() -> None:
    car = ailing()
    car.loop(current=20.0)
    car.error = Error.NO_ERROR
    assert number(car.loop(current=20.0).EVSEPresentCurrent) == 0.0
    assert car.wants(words.SetOutput)[-1].current == 0.0
    assert len(car.wants(words.Objected)) == 1


def test_a_car_that_stops_for_its_error_ends_well_and_the_reason_is_kept() -> None:
    car = ailing()
    stopping = t.DC_EVPowerDeliveryParameterType(DC_EVStatus=car.ev(), ChargingComplete=False)
    answer = car.ask(b.PowerDeliveryReq, ChargeProgress=t.chargeProgressType.Stop, SAScheduleTupleID=1, EVPowerDeliveryParameter=stopping)
    assert answer.ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert (car.session.ended.how, car.session.ended.asked) == ("Terminate", SAID)
    (told,) = car.wants(words.Objected)
    assert (told.request, told.objection.reason) == ("PowerDeliveryReq", SAID)


def test_a_car_that_goes_on_with_its_error_is_stopped() -> None:
    car = ailing()
    while car.session.ended is None and car.now < 1_030.0:
        car.wait(0.25)
        if car.session.ended is None:
            car.send(b.CurrentDemandReq(DC_EVStatus=car.ev(), ChargingComplete=False, EVTargetCurrent=physical(20, A),
                                        EVTargetVoltage=physical(400, V)))  # fmt: skip
    assert car.session.ended is not None
    assert car.session.ended.asked == SAID
    assert not car.session.ended.well
    assert car.wants(words.OpenContactor)


@pytest.mark.parametrize("step", ["cable_check", "pre_charge", "deliver"])
def test_no_power_begins_for_a_car_with_an_error(step: str) -> None:
    car = Ailing()
    car.authorized()
    car.scheduled()
    if step == "deliver":
        car.checked()
    elif step == "pre_charge":
        car.cable_check()
        car.cable_check()
    car.error = HOT
    says = {"EVPowerDeliveryParameter": t.DC_EVPowerDeliveryParameterType(DC_EVStatus=car.ev(), ChargingComplete=False)}
    start: dict[str, Any] = {"ChargeProgress": t.chargeProgressType.Start, "SAScheduleTupleID": 1, **says}
    answer = car.ask(b.PowerDeliveryReq, **start) if step == "deliver" else getattr(car, step)()
    assert answer.ResponseCode is (Code.FAILED_PowerDeliveryNotApplied if step == "deliver" else Code.FAILED)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, Refused)
    assert SAID in car.session.ended.reason
    assert not car.wants(words.PowerStarted)


def test_an_error_with_the_parameters_may_pass() -> None:
    car = Ailing()
    car.authorized()
    car.error = HOT
    car.scheduled()
    car.error = Error.NoData  # nothing is said
    car.checked()
    car.deliver()
    assert car.loop(current=20.0).ResponseCode is Code.OK
    assert car.wants(words.SetOutput)[-1].current == pytest.approx(20.0)
    (told,) = car.wants(words.Objected)
    assert told.request == "ChargeParameterDiscoveryReq"


def test_a_station_that_reads_the_state_of_charge_ends_the_session_before_the_outlet_is_live() -> None:
    car = Scripted2(auto=False)
    backend = LocalBackend(
        Surroundings(lambda: car.wall, lambda *_: lambda: None, *(2 * [lambda owner, job, done: done(job(ENDLESS))])), read_soc=True
    )
    backend.began(car.tell)
    car.setup()
    car.ask(b.ServiceDiscoveryReq)
    car.pay()
    car.tell(words.Authorized())
    assert car.ask(b.AuthorizationReq).EVSEProcessing is t.EVSEProcessingType.Finished
    car.parameters()
    backend.heard(car.wants(words.NeedsChanged)[-1])
    assert car.parameters().ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert "the state of charge was read, 40 %" in car.session.ended.reason
    assert not car.wants(words.CloseContactor)
    assert not car.wants(words.CheckIsolation)
