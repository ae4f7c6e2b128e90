"""E2-LOP and E2-MTR: the charge loop of a car of ISO 15118-2: limits, notifications, faults and receipts in it."""

from functools import partial
from typing import Any

import msgspec

from pki import signature as xmldsig
from pki.certificate import facts, read
from pki.errors import SignatureError
from v2g.iso2.physical import A, W, number, physical
from v2g.iso20.services import AC, DC
from v2g.messages import schema_set
from v2g.messages.iso2 import msg_data_types as types
from v2g.messages.iso2.msg_body import MeteringReceiptReq, PaymentDetailsReq
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car2_exchanges import AC2, CLAIM2, DC2, GOOD2, PNC2, play2
from v2gkit.conform.cases.car_loop import DELAY, FOLLOWING, NTH, first_of, left_early
from v2gkit.conform.cases.car_negotiation import ENDS
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Heard
from v2gkit.conform.scripted.good_iso2 import ac_status, dc_status, good, receipts
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Fault, Play
from v2gkit.conform.verdict import Outcome, failed, judged, passed

DEMAND, STATUS = "CurrentDemandReq", "ChargingStatusReq"
Notification, Status, Progress = types.EVSENotificationType, types.DC_EVSEStatusCodeType, types.chargeProgressType
STOP_IN_ORDER = ("PowerDelivery(Stop) within the delay, then the end of the session",)
car = partial(Case, role="car", domain="CMN", control=GOOD2, within=60.0)


def notifying(current: str, what: types.EVSENotificationType) -> Play:
    """A station that notifies in one loop of a current."""
    if current == DC.name:
        answer = faults.with_fields(DC_EVSEStatus=dc_status(notification=what, delay=DELAY))
        return play2(services=(DC.name,), fault=Fault(DEMAND, answer, nth=NTH))
    answer = faults.with_fields(AC_EVSEStatus=ac_status(what, delay=DELAY))
    return play2(services=(AC.name,), fault=Fault(STATUS, answer, nth=NTH))


async def stops(bench: CarBench) -> Outcome:
    """StopCharging in the loop."""
    trigger = "long" if bench.part == DC.name else "ac"
    seen = await bench.visit(notifying(bench.part, Notification.StopCharging), trigger=trigger, patience=DELAY + bench.close)
    since, off = reached(seen), first_of(seen, "PowerDelivery")
    if off is None or off.at - since > DELAY + bench.site.pics.test.slack:
        return failed(f"power was not stopped within {DELAY} s: {seen.story}")
    if off.request.ChargeProgress is not Progress.Stop or "SessionStop" not in [each.name for each in seen.after]:
        return failed(f"PowerDelivery({off.request.ChargeProgress.value}), and then: {seen.story}")
    return passed(f"PowerDelivery(Stop) after {off.at - since:.2f} s, then SessionStop")


async def renegotiates(bench: CarBench) -> Outcome:
    """ReNegotiation in the loop: parameters anew, in DC the cable check too."""
    trigger = "long" if bench.part == DC.name else "ac"
    seen = await bench.visit(notifying(bench.part, Notification.ReNegotiation), trigger=trigger, patience=DELAY + bench.close)
    since, off = reached(seen), first_of(seen, "PowerDelivery")
    if off is None or off.request.ChargeProgress is not Progress.Renegotiate:
        how = off.request.ChargeProgress.value if off else "none"
        return failed(f"no PowerDelivery(Renegotiate) came ({how}): {seen.story}")
    if off.at - since > DELAY + bench.site.pics.test.slack:
        return failed(f"PowerDelivery(Renegotiate) after {off.at - since:.2f} s: {seen.story}")
    names = [each.name for each in seen.after][[each.name for each in seen.after].index("PowerDelivery") + 1 :]
    steps = list(dict.fromkeys(names))
    wanted = ["ChargeParameterDiscovery", *(["CableCheck", "PreCharge"] if bench.part == DC.name else []), "PowerDelivery"]
    return judged(steps[: len(wanted)] == wanted, f"after PowerDelivery(Renegotiate): {' > '.join(steps) or 'nothing'}")


async def lowered(bench: CarBench) -> Outcome:
    """The station's limits fall by four fifths in mid-charge."""
    power, current = 12e3, 30.0
    over = dc_status(notification=Notification.StopCharging)

    def answer(request: Any, desk: Desk) -> Any:
        made = good(request, desk)
        limits = {"EVSEMaximumPowerLimit": physical(power, W), "EVSEMaximumCurrentLimit": physical(current, A)}
        status = over if desk.loops > NTH + 2 * FOLLOWING else made.DC_EVSEStatus
        return msgspec.structs.replace(made, DC_EVSEStatus=status, **limits)

    seen = await bench.visit(play2(services=(DC.name,), fault=Fault(DEMAND, answer, nth=NTH, always=True)), trigger="long", patience=20.0)
    reached(seen)
    asked = [each.request for each in seen.after if each.name == "CurrentDemand"]
    if gone := left_early(seen, len(asked)):
        return gone
    last = asked[FOLLOWING - 1]
    amperes, volts = number(last.EVTargetCurrent), number(last.EVTargetVoltage)
    told = f"{amperes:g} A at {volts:g} V after {FOLLOWING} loops, limits {current:g} A and {power:g} W"
    return judged(amperes <= current * 1.01 and amperes * volts <= power * 1.05, told)


UNSOUND: dict[str, Any] = {
    "EVSE_Shutdown": dc_status(Status.EVSE_Shutdown),
    "EVSE_EmergencyShutdown": dc_status(Status.EVSE_EmergencyShutdown),
    "isolation Fault": dc_status(isolation=types.isolationLevelType.Fault),
}


async def unsound(bench: CarBench) -> Outcome:
    """A status in the loop with which no car charges on."""
    fault = Fault(DEMAND, faults.with_fields(DC_EVSEStatus=UNSOUND[bench.part]), nth=NTH)
    return ended(await bench.visit(play2(services=(DC.name,), fault=fault), trigger="long"), bench.close)


async def residual_current(bench: CarBench) -> Outcome:
    """The residual current device of an AC station has tripped."""
    fault = Fault(STATUS, faults.with_fields(AC_EVSEStatus=ac_status(rcd=True)), nth=NTH)
    return ended(await bench.visit(play2(services=(AC.name,), fault=fault), trigger="ac"), bench.close)


# --- receipts ---


async def confirms(bench: CarBench) -> Outcome:
    """ReceiptRequired: a receipt, signed, with the reading that was sent."""
    play = play2(services=(DC.name,), ways=("PnC",), fault=Fault(DEMAND, receipts, nth=1))
    seen = await bench.visit(play, trigger="pnc", patience=10.0)
    reached(seen)
    heard, details = first_of(seen, "MeteringReceipt"), seen.of(PaymentDetailsReq)
    if not details:
        raise Unreached(f"the car did not pay by contract: {seen.story}")
    if heard is None:
        return failed(f"no MeteringReceiptReq came: {seen.story}")
    sent = [each.MeterInfo for each in seen.answers if getattr(each, "MeterInfo", None) is not None]
    return confirmed(heard, sent, details[0].ContractSignatureCertChain.Certificate)


def confirmed(heard: Heard, sent: list[types.MeterInfoType], contract: bytes) -> Outcome:
    """Whether a receipt is of its session, repeats a reading that was sent, and is signed by the contract."""
    request: MeteringReceiptReq = heard.request
    if request.SessionID != heard.session_id:
        return failed(f"its SessionID is {request.SessionID.hex()}, that of its envelope {(heard.session_id or b'').hex()}")
    if request.MeterInfo not in sent:
        return failed("its MeterInfo is none that was sent")
    key: Any = facts(read(contract)).public_key
    try:
        xmldsig.verify(heard.signature, [request], key, schema_set("iso2"), suites=xmldsig.ISO2)
    except SignatureError as error:
        return failed(f"its signature is not the contract's: {error}")
    return passed("signed by the contract, with the reading that was sent")


CASES = (
    car(
        id="E2-LOP-07",
        kind=Kind.TIMING,
        domain=DC.name,
        requirement=(),
        basis="EVSEStatus: EVSENotification, NotificationMaxDelay",
        purpose="A car stops where it is told to, in the time that it has",
        stimulus="StopCharging with NotificationMaxDelay 5 in CurrentDemandRes",
        expected=STOP_IN_ORDER,
        script=stops,
        condition=(*CLAIM2, *DC2),
        parts=(DC.name,),
        lasts=5.0,
    ),
    car(
        id="E2-LOP-08",
        kind=Kind.TIMING,
        domain=AC.name,
        requirement=(),
        basis="EVSEStatus: EVSENotification, NotificationMaxDelay",
        purpose="A car of AC stops where it is told to, in the time that it has",
        stimulus="StopCharging with NotificationMaxDelay 5 in ChargingStatusRes",
        expected=STOP_IN_ORDER,
        script=stops,
        condition=(*CLAIM2, *AC2),
        parts=(AC.name,),
        lasts=5.0,
    ),
    car(
        id="E2-LOP-09",
        kind=Kind.POSITIVE,
        domain=DC.name,
        requirement=("V2G2-841", "V2G2-813"),
        purpose="A car negotiates its schedule anew where it is told to",
        stimulus="ReNegotiation with NotificationMaxDelay 5 in CurrentDemandRes",
        expected=("PowerDelivery(Renegotiate) within the delay, then parameters, cable check, pre-charge and power again",),
        script=renegotiates,
        condition=(*CLAIM2, *DC2),
        parts=(DC.name,),
        lasts=12.0,
    ),
    car(
        id="E2-LOP-10",
        kind=Kind.POSITIVE,
        domain=AC.name,
        requirement=("V2G2-841",),
        purpose="A car of AC negotiates its schedule anew where it is told to",
        stimulus="ReNegotiation with NotificationMaxDelay 5 in ChargingStatusRes",
        expected=("PowerDelivery(Renegotiate) within the delay, then parameters and power again",),
        script=renegotiates,
        condition=(*CLAIM2, *AC2),
        parts=(AC.name,),
        lasts=12.0,
    ),
    car(
        id="E2-LOP-11",
        kind=Kind.POSITIVE,
        domain=DC.name,
        requirement=(),
        basis="CurrentDemandRes: EVSEMaximumPowerLimit, EVSEMaximumCurrentLimit",
        purpose="A car follows limits that fall",
        stimulus="limits in the loop, lower by four fifths",
        expected=("its target is within them after ten loops, and the session goes on",),
        script=lowered,
        condition=(*CLAIM2, *DC2),
        lasts=6.0,
    ),
    car(
        id="E2-LOP-12",
        kind=Kind.NEGATIVE,
        domain=DC.name,
        requirement=(),
        basis="DC_EVSEStatus: EVSEIsolationStatus, EVSEStatusCode",
        purpose="A car does not charge on at a station that shuts down",
        stimulus="EVSE_Shutdown, EVSE_EmergencyShutdown, a fault of the isolation in CurrentDemandRes",
        expected=ENDS,
        script=unsound,
        condition=(*CLAIM2, *DC2),
        parts=tuple(UNSOUND),
    ),
    car(
        id="E2-LOP-13",
        kind=Kind.NEGATIVE,
        domain=AC.name,
        requirement=(),
        basis="AC_EVSEStatus: RCD",
        purpose="A car does not charge on over a residual current device that tripped",
        stimulus="RCD true in ChargingStatusRes",
        expected=ENDS,
        script=residual_current,
        condition=(*CLAIM2, *AC2),
    ),
    car(
        id="E2-MTR-04",
        kind=Kind.POSITIVE,
        requirement=("V2G2-902", "V2G2-903", "V2G2-909"),
        purpose="A car confirms the reading that it was shown",
        stimulus="ReceiptRequired in the loop",
        expected=("MeteringReceiptReq of its session, signed by the contract, with the MeterInfo that was sent",),
        script=confirms,
        condition=(*CLAIM2, *DC2, *PNC2, "metering_confirmation"),
        lasts=4.0,
    ),
)
