"""What a station tells with the answers between two charge loops, to a receipt and to a renegotiation, is heard at once."""

from typing import Any

from tests.evcc.iso2.scripted_station2 import STANDARD, Met, Station2, car2, changed, ok
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.errors import PeerUnsafe

NOW = {"NotificationMaxDelay": 0}
AGAIN = t.AC_EVSEStatusType(**NOW, EVSENotification=t.EVSENotificationType.ReNegotiation, RCD=False)
STOP = t.AC_EVSEStatusType(**NOW, EVSENotification=t.EVSENotificationType.StopCharging, RCD=False)
TRIPPED = t.AC_EVSEStatusType(**NOW, EVSENotification=t.EVSENotificationType.None_, RCD=True)


def test_a_stop_that_comes_with_the_answer_to_a_receipt_is_obeyed_before_another_loop() -> None:
    wants = changed(STANDARD["ChargingStatus"], MeterInfo=t.MeterInfoType(MeterID="M", MeterReading=5), ReceiptRequired=True)
    station = Station2(answers={"ChargingStatus": wants, "MeteringReceipt": lambda asked, it: ok(asked, it, EVSEStatus=STOP)})
    met = Met(station, car2("AC", loops=9))
    assert met.error is None
    assert station.names()[-4:] == ["ChargingStatus", "MeteringReceipt", "PowerDelivery", "SessionStop"]
    assert station.loops == 1


def test_a_residual_current_that_is_told_while_a_schedule_is_renegotiated_ends_the_session() -> None:
    def delivered(asked: Any, it: Station2) -> Any:
        anew = asked.ChargeProgress is t.chargeProgressType.Renegotiate
        return ok(asked, it, EVSEStatus=TRIPPED) if anew else STANDARD["PowerDelivery"](asked, it)

    station = Station2(answers={"ChargingStatus": changed(STANDARD["ChargingStatus"], AC_EVSEStatus=AGAIN), "PowerDelivery": delivered})
    met = Met(station, car2("AC", loops=9))
    assert isinstance(met.error, PeerUnsafe)
    assert "RCD" in met.error.reason
    assert station.names()[-2:] == ["PowerDelivery", "SessionStop"]
    assert [each.ChargeProgress.value for each in station.of(b.PowerDeliveryReq)] == ["Start", "Renegotiate"]
