"""Our car with one fault that was seeded on purpose: `python -m tests.v2gkit.conform.faulty_car FAULT ev --connect ...`.

A fault has the id of the case that finds it. Each changes what the car says, what it hears, or one decision; the product knows of none.
"""

import signal
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import evcc.client
import evcc.iso20.authorization as authorization
import evcc.iso20.charge as charge
import evcc.iso20.dc as dc_mode
import evcc.iso20.delivery as delivery
import evcc.iso20.installation as installation
import evcc.iso20.schedule as schedule
import evcc.iso20.setup as setup
import evcc.opening as opening
import pki.provisioning as provisioning
from evcc.engine import EvccSession
from evcc.script import Limit, Wait
from pki.envelope import EnvelopeError
from pki.keys import ALGORITHMS
from tests.v2gkit.conform.car_seeding import heard, hears, says, waits, well
from tests.v2gkit.conform.faulty_car_link import LINK
from tests.v2gkit.conform.seeding import FOR_EVER, Seed, all_of, dies, put, puts
from v2g.exi.derive import least
from v2g.iso20.rational import number, rational
from v2g.messages import ac, app_protocol, dc
from v2g.messages import common_messages as cm
from v2g.messages.common_types import responseCodeType
from v2g.session.errors import PeerIncompatible
from v2gkit.cli.main import main

# --- negotiation and session ---


def one_priority(request: Any) -> Any:
    return put(request, AppProtocol=tuple(put(entry, Priority=1) for entry in request.AppProtocol))


def always_first(response: Any) -> Any:
    if response.SchemaID is None or response.SchemaID < 100:
        return response
    return put(response, SchemaID=1)


def never_refused(response: Any) -> Any:
    code = app_protocol.responseCodeType
    refused = response.ResponseCode is code.Failed_NoNegotiation
    return put(response, ResponseCode=code.OK_SuccessfulNegotiation, SchemaID=1) if refused else response


OLDER = app_protocol.AppProtocolType(
    ProtocolNamespace="urn:iso:15118:2:2013:MsgDef", VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=77, Priority=20
)


def offers_older(request: Any) -> Any:
    return put(request, AppProtocol=(*request.AppProtocol, put(OLDER, Priority=len(request.AppProtocol) + 1)))


def speaks_the_same(response: Any) -> Any:
    """An older generation that is selected is taken for the first of the offer."""
    return put(response, SchemaID=1) if response.SchemaID == OLDER.SchemaID else response


def any_new_session(response: Any) -> Any:
    if response.ResponseCode is not responseCodeType.FAILED:
        return response
    return put(response, ResponseCode=responseCodeType.OK_NewSessionEstablished)


@cache
def session_of() -> list[bytes]:
    return []


def any_session(message: Any, asked: Any) -> Any:
    """The SessionID of a response is never looked at, outside of the loop."""
    if type(message) is cm.SessionSetupRes:
        session_of()[:] = [message.Header.SessionID]
    if not session_of() or not hasattr(message, "Header") or "Loop" in type(message).__name__:
        return message
    return put(message, Header=put(message.Header, SessionID=session_of()[0]))


def not_joined() -> None:
    joined = setup._joined
    setup._joined = lambda car, code, wanted: joined(car, code, wanted) and False


def always_joined() -> None:
    joined = setup._joined

    def changed(car: Any, code: Any, wanted: bytes) -> bool:
        if car.memory is None:
            return joined(car, code, wanted)
        car.session_id = wanted if code is responseCodeType.OK_OldSessionJoined else car.session_id
        kept = car.memory
        car.authorization, car.known.selected, car.known.renegotiable = kept.authorization, kept.selection, kept.renegotiable
        return True

    setup._joined = changed


# --- authorization ---


def first_way_only(car: Any, offered: Any) -> Any:
    listed = [each.value for each in offered.AuthorizationServices]
    return (way for way in listed[:1] if way in car.wish.authorizations)


def whatever_it_wants(car: Any, offered: Any) -> Any:
    return iter(("EIM",)) if "PnC" not in car.wish.authorizations else WAYS(car, offered)


WAYS = authorization.ways


def impatient() -> None:
    tried = authorization.authorized

    def changed(car: Any, *more: Any) -> Any:
        since = car.now
        done = yield from tried(car, *more)
        return done and car.now - since < 20.0

    authorization.authorized = changed


def ones_for_zeros() -> None:
    sign = authorization.signed_authorization
    changed: Any = lambda contract, challenge: sign(contract, challenge if any(challenge) else b"\1" * 16)  # noqa: E731
    authorization.signed_authorization = changed


def another_key() -> None:
    sign = authorization.signed_authorization
    changed: Any = lambda contract, challenge: sign(replace(contract, key=ALGORITHMS["secp521r1"].generate()), challenge)  # noqa: E731
    authorization.signed_authorization = changed


def dies_of_an_envelope() -> None:
    accept = installation.verified

    def changed(*given: Any) -> Any:
        try:
            return accept(*given)
        except EnvelopeError:
            dies()

    installation.verified = changed


# --- services, parameters, schedules ---


def only_dc(response: Any) -> Any:
    listed = (cm.ServiceType(ServiceID=2, FreeService=True),)
    return put(response, EnergyTransferServiceList=cm.ServiceListType(Service=listed))


def dies_of_a_long_list(response: Any) -> Any:
    if len(response.EnergyTransferServiceList.Service) > 7:
        dies()
    return response


def any_details(message: Any, asked: Any) -> Any:
    return put(message, ServiceID=2) if type(message) is cm.ServiceDetailRes else message


def at_least_25_ampere(request: Any) -> Any:
    mode = request.CLReqControlMode
    if not hasattr(mode, "EVTargetCurrent") or number(mode.EVTargetCurrent) > 25:
        return request
    return put(request, CLReqControlMode=put(mode, EVTargetCurrent=rational(25)))


def dies_of_a_long_schedule(response: Any) -> Any:
    offered = response.Scheduled_SEResControlMode
    if offered and len(offered.ScheduleTuple[0].ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry) > 1000:
        dies()
    return response


def doubled(request: Any) -> Any:
    if request.EVPowerProfile is None:
        return request
    entries = request.EVPowerProfile.EVPowerProfileEntries.EVPowerProfileEntry
    twice = tuple(put(entry, Power=rational(2 * number(entry.Power))) for entry in entries)
    listed = cm.EVPowerProfileEntryListType(EVPowerProfileEntry=twice)
    return put(request, EVPowerProfile=put(request.EVPowerProfile, EVPowerProfileEntries=listed))


# --- the loop and the end ---


def deaf_to_limits(response: Any) -> Any:
    mode = response.CLResControlMode
    if "EVSEMaximumChargeCurrent" not in type(mode).__struct_fields__ or "Dynamic" in type(mode).__name__:
        return response
    return put(response, CLResControlMode=put(mode, EVSEMaximumChargePower=None, EVSEMaximumChargeCurrent=None))


def no_second_selection() -> None:
    chosen = charge.selection

    def changed(car: Any) -> Any:
        if car.loops:
            raise PeerIncompatible("no second selection", None)
        return (yield from chosen(car))

    charge.selection = changed


def another_reading(request: Any) -> Any:
    data = request.SignedMeteringData
    info = put(data.MeterInfo, ChargedEnergyReadingWh=data.MeterInfo.ChargedEnergyReadingWh + 1)
    return put(request, SignedMeteringData=put(data, MeterInfo=info))


def thrice(request: Any) -> Any:
    mode = request.CLReqControlMode
    return put(request, CLReqControlMode=put(mode, EVPresentActivePower=rational(3 * number(mode.EVPresentActivePower))))


def dies_of_the_end() -> None:
    receive = EvccSession.receive
    changed: Any = lambda self, octets, now: receive(self, octets, now) if octets else dies()  # noqa: E731
    EvccSession.receive = changed  # type: ignore[method-assign]


def takes_anything(message: Any, asked: Any) -> Any:
    if asked is not cm.ServiceDiscoveryReq or type(message) is cm.ServiceDiscoveryRes:
        return message
    listed = cm.ServiceListType(Service=(cm.ServiceType(ServiceID=2, FreeService=True),))
    return least(cm.ServiceDiscoveryRes, Header=message.Header, ResponseCode=responseCodeType.OK, EnergyTransferServiceList=listed)


FAULTS: dict[str, Seed] = {
    **LINK,
    "E-SAP-01": says(app_protocol.supportedAppProtocolReq, one_priority),
    "E-SAP-02": hears(app_protocol.supportedAppProtocolRes, always_first),
    "E-SAP-03": hears(app_protocol.supportedAppProtocolRes, never_refused),
    "E-SAP-04": waits(app_protocol.supportedAppProtocolReq),
    "E-SAP-05": all_of(
        says(app_protocol.supportedAppProtocolReq, offers_older), hears(app_protocol.supportedAppProtocolRes, speaks_the_same)
    ),
    "E-SES-01": puts(setup, "NEW_SESSION", b"\1" * 8),
    "E-SES-02": waits(cm.SessionSetupReq),
    "E-SES-03": hears(cm.SessionSetupRes, any_new_session),
    "E-SES-04": heard(any_session),
    "E-SES-05": not_joined,
    "E-SES-06": always_joined,
    "E-SES-07": puts(setup, "_same_station", lambda car: True),
    "E-AUT-01": puts(authorization, "ways", first_way_only),
    "E-AUT-02": puts(authorization, "ways", whatever_it_wants),
    "E-AUT-03": impatient,
    "E-AUT-04": puts(authorization, "AUTHORIZATION", Limit("none", FOR_EVER)),
    "E-AUT-05": hears(cm.AuthorizationRes, well),
    "E-AUT-06": ones_for_zeros,
    "E-AUT-07": another_key,
    "E-AUT-08": puts(provisioning.xmldsig, "verify", lambda *given, **named: None),
    "E-AUT-09": dies_of_an_envelope,
    "E-SVC-01": says(
        cm.ServiceSelectionReq,
        lambda request: put(
            request,
            SelectedEnergyTransferService=put(
                request.SelectedEnergyTransferService, ParameterSetID=request.SelectedEnergyTransferService.ParameterSetID + 1
            ),
        ),
    ),
    "E-SVC-02": hears(cm.ServiceDiscoveryRes, only_dc),
    "E-SVC-03": hears(cm.ServiceDiscoveryRes, dies_of_a_long_list),
    "E-SVC-04": heard(any_details),
    "E-CHG-01": says(dc.DC_ChargeLoopReq, at_least_25_ampere),
    "E-CHG-02": puts(dc_mode, "answered_in_kind", lambda said, expected: None),
    "E-CHG-03": puts(schedule, "ONGOING", Limit("none", FOR_EVER)),
    "E-CHG-04": hears(cm.ScheduleExchangeRes, dies_of_a_long_schedule),
    "E-CHG-05": puts(schedule, "credible", lambda car, response: True),
    "E-CHG-06": says(cm.PowerDeliveryReq, doubled),
    "E-CHG-07": puts(dc_mode, "CABLE_CHECK", Limit("none", FOR_EVER)),
    "E-CHG-08": puts(dc_mode, "PRE_CHARGE", Limit("none", FOR_EVER)),
    "E-LOP-01": puts(delivery, "Wait", lambda seconds: Wait(0.7)),
    "E-LOP-02": waits(dc.DC_ChargeLoopReq),
    "E-LOP-03": hears(dc.DC_ChargeLoopRes, well),
    "E-LOP-04": hears(dc.DC_ChargeLoopRes, deaf_to_limits),
    "E-LOP-05": lambda: dict.pop(delivery.NOTIFICATIONS, delivery.Notification.Pause),
    "E-LOP-06": no_second_selection,
    "E-LOP-07": says(cm.MeteringConfirmationReq, another_reading),
    "E-LOP-08": lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),  # type: ignore[dict-item, return-value]
    "E-LOP-09": says(ac.AC_ChargeLoopReq, thrice),
    "E-END-01": lambda: setattr(evcc.client.Visit, "stop", evcc.client.Visit.abort),
    "E-END-02": waits(cm.SessionStopReq),
    "E-END-03": dies_of_the_end,
    "E-END-04": waits(cm.ServiceDiscoveryReq),
    "E-END-05": heard(takes_anything),
}

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    FAULTS[fault]()
    assert opening is not None
    sys.exit(main())
