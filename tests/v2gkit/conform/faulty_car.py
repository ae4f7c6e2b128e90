"""Our car with one fault that was seeded on purpose: `python -m tests.v2gkit.conform.faulty_car FAULT ev --connect ...`.

A fault has the id of the case that finds it. Each changes what the car says, what it hears, or one decision; the product knows of none.
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec

import evcc.client
import evcc.iso20.authorization as authorization
import evcc.iso20.charge as charge
import evcc.iso20.dc as dc_mode
import evcc.iso20.delivery as delivery
import evcc.iso20.installation as installation
import evcc.iso20.schedule as schedule
import evcc.iso20.setup as setup
import evcc.opening as opening
import evcc.trust as trust
import pki.provisioning as provisioning
import v2g.session.transport.discovery as discovery
from evcc.car import Car
from evcc.engine import EvccSession
from evcc.script import Limit, Wait
from pki.envelope import EnvelopeError
from pki.errors import CertificateError, Kind
from pki.keys import ALGORITHMS
from pki.profiles import Role
from tests.v2gkit.conform.seeding import all_of, dies_of_malformed, refuses_a_root
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.iso20.generation import ISO20
from v2g.iso20.rational import number, rational
from v2g.messages import ac, app_protocol, dc
from v2g.messages import common_messages as cm
from v2g.messages.common_types import responseCodeType
from v2g.session import sdp
from v2g.session.errors import ConnectionLost, FramingError, PeerIncompatible
from v2g.session.generation import Generation
from v2g.session.tls import PROFILES, TlsError
from v2g.session.transport.client import ClientTls
from v2gkit.cli.main import main

Change = Callable[[Any], Any]
FOR_EVER = 600.0  # s
put = msgspec.structs.replace


# --- what the car says, what it hears, how long it waits ---


def says(kind: type, change: Change, *, of: Generation = ISO20) -> Callable[[], None]:
    """A request of one kind is changed before it is written."""

    def seed() -> None:
        write = of.write
        changed: Any = lambda message, *more, **named: write(change(message) if type(message) is kind else message, *more, **named)  # noqa: E731
        object.__setattr__(of, "write", changed)

    return seed


def hears(kind: type, change: Change, *, of: Generation = ISO20) -> Callable[[], None]:
    """A response of one kind is changed after it was read."""
    return heard(lambda message, asked: change(message) if type(message) is kind else message, of=of)


def heard(change: Callable[[Any, Any], Any], *, of: Generation = ISO20) -> Callable[[], None]:
    """Responses are changed after they were read, by what was asked."""

    def seed() -> None:
        read = of.read

        def reads(payload_type: int, exi: bytes, **named: Any) -> Any:
            found = read(payload_type, exi, **named)
            message = change(found.reading.message, named.get("asked"))
            own = getattr(getattr(message, "Header", None), "SessionID", found.session_id)
            return found._replace(reading=put(found.reading, message=message), session_id=own)

        object.__setattr__(of, "read", reads)

    return seed


def waits(kind: type, seconds: float = FOR_EVER, *, of: Generation = ISO20) -> Callable[[], None]:
    """The answer to a request of one kind is waited for longer."""

    def seed() -> None:
        timing = of.timing
        changed: Any = lambda request: replace(timing(request), msg_timeout=seconds) if request is kind else timing(request)  # noqa: E731
        object.__setattr__(of, "timing", changed)

    return seed


def well(message: Any) -> Any:
    """The response, OK whatever it said."""
    return put(message, ResponseCode=responseCodeType.OK)


def puts(module: Any, name: str, value: Any) -> Callable[[], None]:
    """Something else stands under a name of a module or class."""
    return lambda: setattr(module, name, value)


def dies(*_: object, **__: object) -> None:
    """The program ends as by a fault of memory."""
    os.abort()


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


# --- octets ---


def dies_of_octets(fits: Callable[[bytes], bool], *, of: Generation = ISO20) -> Callable[[], None]:
    def seed() -> None:
        read = of.read

        def reads(payload_type: int, exi: bytes, **named: Any) -> Any:
            try:
                return read(payload_type, exi, **named)
            except DecodeError:
                if fits(exi):
                    dies()
                raise

        object.__setattr__(of, "read", reads)

    return seed


def hangs_of_a_header() -> None:
    end, deadline, hung = EvccSession._end, EvccSession.deadline, list[bool]()

    def ends(self: Any, how: str, error: Any) -> None:
        hung.append(True) if isinstance(error, FramingError) else end(self, how, error)

    EvccSession._end = ends  # type: ignore[method-assign]
    EvccSession.deadline = lambda self: None if hung else deadline(self)  # type: ignore[method-assign]


def prints(response: Any) -> Any:
    os.write(2, response.EVSEID.encode() + b"\n")
    return response


# --- TLS ---


def judges(wrong: Callable[[CertificateError | None, Any], None]) -> Callable[[], None]:
    """Something else is done once a station's chain is judged: `wrong(error, chain)`, None where it is in order."""

    def seed() -> None:
        judge = trust.StationJudge.__call__

        def called(self: Any, chain: Any, at: float) -> Any:
            try:
                found = judge(self, chain, at)
            except CertificateError as error:
                wrong(error, chain)
                raise
            wrong(None, chain)
            return found

        trust.StationJudge.__call__ = called  # type: ignore[method-assign]

    return seed


def believes(*kinds: Kind) -> Callable[[], None]:
    """Chains and staples that fail for these reasons are believed."""

    def seed() -> None:
        judge, staples = trust.StationJudge.__call__, trust.StationJudge.staples

        def called(self: Any, chain: Any, at: float) -> Any:
            try:
                return judge(self, chain, at)
            except CertificateError as error:
                if error.kind not in kinds:
                    raise
                return "believed"

        def stapled(self: Any, chain: Any, found: Any, at: float) -> None:
            try:
                staples(self, chain, found, at)
            except AttributeError:
                return
            except CertificateError as error:
                if error.kind not in kinds:
                    raise

        trust.StationJudge.__call__ = called  # type: ignore[method-assign]
        trust.StationJudge.staples = stapled  # type: ignore[method-assign]

    return seed


def one_group() -> None:
    PROFILES["conformance"] = replace(PROFILES["conformance"], groups=("secp521r1",))
    trust.PROFILES["conformance"] = PROFILES["conformance"]


def names_no_roots() -> None:
    sys.argv[:] = [each for each in sys.argv if each != "--name-roots"]


def asks_for_no_staple() -> None:
    begin = ClientTls.__init__
    changed: Any = lambda self, *more, **named: begin(self, *more, **{**named, "check_staples": None})  # noqa: E731
    ClientTls.__init__ = changed  # type: ignore[method-assign]


def shows_another_certificate() -> None:
    made = trust.vehicle_tls
    changed: Any = lambda store, *more, **named: made(store, *more, **{**named, "vehicle": store.credential(Role.PROVISIONING)})  # noqa: E731
    trust.vehicle_tls = changed
    import v2gkit.lab.visit as visit

    visit.vehicle_tls = changed


def dies_of_a_cut() -> None:
    run = evcc.client.run

    async def changed(*given: Any, **named: Any) -> Any:
        ended = await run(*given, **named)
        if isinstance(ended.error, TlsError | ConnectionLost) and getattr(ended.error, "by", "peer") == "peer":
            dies()
        return ended

    evcc.client.run = changed


def over_tls12() -> None:
    """TLS 1.2 is offered beside, any station believed in it, and -20 spoken over it."""
    import v2gkit.lab.visit as visit

    names_no_roots()  # the library that names them knows TLS 1.3 alone
    made, judge = trust.vehicle_tls, trust._judge
    anybody: Any = lambda chain, at: "believed"  # noqa: E731
    anybody.staples = lambda *given: None
    both: Any = lambda store, *more, **named: made(store, *more, **{**named, "versions": ("1.3", "1.2")})  # noqa: E731
    trust._judge = lambda store, rules, *more: anybody if rules is trust.RULES2["conformance"] else judge(store, rules, *more)
    trust.vehicle_tls = visit.vehicle_tls = both
    Car.secure = property(lambda self: True)  # type: ignore[method-assign, assignment]


# --- discovery ---


def patient_discovery() -> None:
    discovery.discover.__kwdefaults__["retry"] = 1.0


def any_header() -> None:
    decode = sdp.decode

    def changed(cls: Any, datagram: bytes) -> Any:
        try:
            return decode(cls, datagram)
        except FramingError:
            return decode(cls, sdp.encode(sdp.Response(sdp.IPv6Address(datagram[8:24]), int.from_bytes(datagram[24:26], "big"))))

    sdp.decode = changed


def believes_answers(*words: str) -> Callable[[], None]:
    def seed() -> None:
        unusable = sdp.unusable

        def changed(*given: Any, **named: Any) -> str | None:
            why = unusable(*given, **named)
            return None if why is not None and any(word in why for word in words) else why

        sdp.unusable = changed

    return seed


def without_tls() -> None:
    """Believes an answer that says no TLS, and speaks -20 there."""
    if "--iface" not in sys.argv:
        return
    believes_answers("no TLS")()
    sys.argv[:] = [*[each for each in sys.argv if each != "--name-roots"], "--no-tls"]
    asks = sdp.Request.__init__
    changed: Any = lambda self, security=sdp.Security.TLS, transport=sdp.Transport.TCP: asks(self, sdp.Security.TLS, transport)  # noqa: E731
    sdp.Request.__init__ = changed  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "E-SDP-01": patient_discovery,
    "E-SDP-02": any_header,
    "E-SDP-03": without_tls,
    "E-SDP-04": believes_answers("port 0", "link-local"),
    "E-SDP-05": lambda: believes(Kind.UNTRUSTED_ROOT)() if "--iface" in sys.argv else None,
    "E-TLS-01": one_group,
    "E-TLS-02": names_no_roots,
    "E-TLS-03": asks_for_no_staple,
    "E-TLS-04": shows_another_certificate,
    "E-TLS-05": believes(Kind.EXPIRED, Kind.NOT_YET_VALID),
    "E-TLS-06": believes(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN),
    "E-TLS-07": believes(Kind.WRONG_PROFILE),
    "E-TLS-08": lambda: sys.argv.extend(("--profile", "interop")),
    "E-TLS-09": believes(Kind.STATUS_UNKNOWN),
    "E-TLS-10": over_tls12,
    "E-TLS-12": dies_of_a_cut,
    "E-CRT-01": judges(refuses_a_root),
    "E-CRT-02": believes(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN),
    "E-CRT-03": believes(Kind.WRONG_PROFILE),
    "E-CRT-04": judges(dies_of_malformed),
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
    "E-EXI-01": dies_of_octets(lambda exi: len(exi) > 5000),
    "E-EXI-02": hangs_of_a_header,
    "E-EXI-03": dies_of_octets(lambda exi: 17 < len(exi) < 5000),
    "E-EXI-04": hears(cm.SessionSetupRes, prints),
}

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    FAULTS[fault]()
    assert opening is not None
    sys.exit(main())
