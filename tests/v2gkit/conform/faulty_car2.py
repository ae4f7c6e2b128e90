"""Our car of ISO 15118-2 with one fault that was seeded on purpose: `python -m tests.v2gkit.conform.faulty_car2 FAULT ev --connect ...`.

A fault has the id of the case that finds it, and the product knows of none. Those of the exchanges are made from the rows of their cases.
"""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import evcc.client
import evcc.early.dc as dc_mode
import evcc.early.delivery as delivery
import evcc.early.mode as mode
import evcc.iso2.selection as selection
import evcc.iso2.setup as setup
import evcc.trust as trust
import pki.signature as xmldsig
from evcc.engine import EvccSession
from evcc.iso2.words import Iso2
from evcc.script import Limit
from pki.errors import Kind
from pki.keys import ALGORITHMS
from tests.v2gkit.conform.car_seeding import dies_of_octets, heard, hears, says, waits
from tests.v2gkit.conform.faulty_car import dies_of_the_end, never_refused
from tests.v2gkit.conform.faulty_car_link import asks_for_no_staple, dies_of_a_cut, hangs_of_a_header, prints
from tests.v2gkit.conform.faulty_car_link import believes as takes_any_chain
from tests.v2gkit.conform.seeding import FOR_EVER, all_of, dies, dies_of_malformed, judges, put, puts, refuses_a_root
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import A, W, number, physical
from v2g.iso20.generation import ISO20
from v2g.messages import app_protocol as sap
from v2g.messages.iso2 import msg_body as body
from v2g.messages.iso2 import msg_data_types as types
from v2g.session.errors import FramingError, PeerIncompatible
from v2g.session.generation import Generation
from v2g.session.tls import ISO2 as TLS12
from v2gkit.cli.main import main
from v2gkit.conform.cases.car2_exchanges import ROWS
from v2gkit.conform.cases.exchanges import Exchange
from v2gkit.conform.scripted.good_iso2 import DC_LIMITS, ac_status, dc_status, power_schedule, schedules

Seed = Callable[[], None]
Code, Notification = types.responseCodeType, types.EVSENotificationType
# what follows an answer that is believed is leaving all the same: the fault of these is to stand still
LEAVING = ("WeldingDetection", "SessionStop", "PowerDelivery (Stop)", "PowerDelivery (off)")
# and so where an answer of least values is one with which no car goes on
IN_VAIN = ("ServiceDiscovery", "ChargeParameterDiscovery", "CurrentDemand", *LEAVING)


# --- the exchanges, by their rows ---


def asked_for(generation: Generation, row: Exchange) -> Any:
    """The request class of a row."""
    found = generation.request_named(f"{row.request}Req") or generation.request_named(f"{row.request}Type")
    assert found is not None, row
    return found


def believes(generation: Generation, row: Exchange) -> Seed:
    """A refusal is taken for a grant."""
    answer = generation.responses[asked_for(generation, row)]
    new = row.request == "SessionSetup"
    granted = "OK_NewSessionEstablished" if new else "OK"

    def change(message: Any) -> Any:
        return message if generation.failure(message) is None else put(message, ResponseCode=type(message.ResponseCode)[granted])

    return hears(answer, change, of=generation)


def takes_anything(generation: Generation, row: Exchange) -> Seed:
    """The answer to another question is taken for the answer."""
    request = asked_for(generation, row)
    answer = generation.responses[request]

    def change(message: Any, asked: Any) -> Any:
        if asked is not request or type(message) is answer:
            return message
        return least(answer, ResponseCode=generation.codes["OK"])

    return heard(change, of=generation)


def hangs(generation: Generation, row: Exchange, refused: bool) -> Seed:
    """The program stands still where an answer is a refusal, or (not `refused`) where it is none to the request."""
    request = asked_for(generation, row)
    answer = generation.responses[request]

    def change(message: Any, asked: Any) -> Any:
        own = type(message) is answer
        if asked is request and own is refused and not (own and generation.failure(message) is None):
            time.sleep(FOR_EVER)
        return message

    return heard(change, of=generation)


def of_rows(prefix: str, generation: Generation, rows: Iterable[Exchange]) -> dict[str, Seed]:
    """The faults of the three cases of each row."""
    made: dict[str, Seed] = {}
    for row in rows:
        name = f"{row.request}{f' ({row.called})' if row.called else ''}"
        faults = (
            waits(asked_for(generation, row), of=generation),
            hangs(generation, row, True) if name in LEAVING else believes(generation, row),
            hangs(generation, row, False) if name in IN_VAIN else takes_anything(generation, row),
        )
        made |= {f"{prefix}-{row.family}-{row.first + number:02}": fault for number, fault in enumerate(faults)}
    return made


# --- negotiation and session ---


def both(seed: Callable[[Generation], Seed]) -> Seed:
    """A fault of the negotiation, which is spoken before a generation is chosen."""

    def seeds() -> None:
        for generation in (ISO20, ISO2):
            seed(generation)()

    return seeds


def of_entries(**fields: Any) -> Callable[[Any], Any]:
    return lambda request: put(request, AppProtocol=tuple(put(entry, **fields) for entry in request.AppProtocol))


def always_first(response: Any) -> Any:
    return response if response.SchemaID is None or response.SchemaID < 100 else put(response, SchemaID=1)


def no_deviation(response: Any) -> Any:
    deviates = response.ResponseCode is sap.responseCodeType.OK_SuccessfulNegotiationWithMinorDeviation
    return put(response, ResponseCode=sap.responseCodeType.Failed_NoNegotiation) if deviates else response


def writes(session_id: Callable[[Any, bytes], bytes]) -> None:
    """The SessionID of an envelope is another one."""
    write = ISO2.write
    changed: Any = lambda message, own, *more, **named: write(message, session_id(message, own), *more, **named)  # noqa: E731
    object.__setattr__(ISO2, "write", changed)


def reads(session_id: Callable[[Any, bytes | None], bytes | None]) -> None:
    """The SessionID of a response is read as another one."""
    read = ISO2.read

    def changed(*given: Any, **named: Any) -> Any:
        found = read(*given, **named)
        return found._replace(session_id=session_id(found.reading.message, found.session_id))

    object.__setattr__(ISO2, "read", changed)


def once_resumed(change: Callable[[list[bytes]], None]) -> Seed:
    """A fault of a car that comes back: `change` is given a list that holds its old SessionID once it asked for it."""

    def seed() -> None:
        asked: list[bytes] = []

        def noted(message: Any, own: bytes) -> bytes:
            if isinstance(message, body.SessionSetupReq) and any(own):
                asked[:] = [own]
            return own

        writes(noted)
        change(asked)

    return seed


def under_another_id(asked: list[bytes]) -> None:
    writes(lambda message, own: b"\1" * 8 if asked and isinstance(message, body.ServiceDiscoveryReq) else own)


def under_the_old_id(asked: list[bytes]) -> None:
    writes(lambda message, own: asked[0] if asked else own)


def takes_any_join(response: Any) -> Any:
    return put(response, ResponseCode=Code.OK_NewSessionEstablished) if response.ResponseCode is Code.OK_OldSessionJoined else response


# --- services and payment ---


def with_ac(response: Any) -> Any:
    listed = types.SupportedEnergyTransferModeType(EnergyTransferMode=tuple(types.EnergyTransferModeType))
    return put(response, ChargeService=put(response.ChargeService, SupportedEnergyTransferMode=listed))


def dies_of_a_long_list(response: Any) -> Any:
    if response.ServiceList is not None and len(response.ServiceList.Service) > 7:
        dies()
    return response


def one_more(request: Any) -> Any:
    more = types.SelectedServiceType(ServiceID=4711)
    return put(
        request, SelectedServiceList=types.SelectedServiceListType(SelectedService=(*request.SelectedServiceList.SelectedService, more))
    )


def first_way_only(car: Any, offered: Any) -> Any:
    if offered[0] is not types.paymentOptionType.ExternalPayment:
        raise PeerIncompatible("the first way is none of mine", None)
    return "EIM"


def another_key() -> None:
    sign = xmldsig.sign
    changed: Any = lambda parts, key, *more, **named: sign(parts, ALGORITHMS["secp256r1"].generate(), *more, **named)  # noqa: E731
    selection.xmldsig.sign = changed


def any_challenge() -> None:
    read = ISO2.read

    def changed(payload_type: int, exi: bytes, **named: Any) -> Any:
        try:
            return read(payload_type, exi, **named)
        except DecodeError:
            good = least(body.PaymentDetailsRes, ResponseCode=Code.OK, GenChallenge=bytes(16))
            written = ISO2.write(good, SESSION[0])
            return read(written.payload_type, written.exi, **named)

    SESSION: list[bytes] = [bytes(8)]

    def noted(message: Any, session_id: bytes | None) -> bytes | None:
        SESSION[0] = session_id or SESSION[0]
        return session_id

    reads(noted)
    read = ISO2.read
    object.__setattr__(ISO2, "read", changed)


# --- limits, schedules, the loop ---


def at_least_25_ampere(request: Any) -> Any:
    return request if number(request.EVTargetCurrent) > 25 else put(request, EVTargetCurrent=physical(25, A))


def dc_all_the_same(response: Any) -> Any:
    if isinstance(response.EVSEChargeParameter, types.DC_EVSEChargeParameterType):
        return response
    return put(response, EVSEChargeParameter=types.DC_EVSEChargeParameterType(DC_EVSEStatus=dc_status(), **DC_LIMITS))


def a_schedule_of_its_own(response: Any) -> Any:
    return response if response.SASchedules else put(response, SASchedules=schedules(power_schedule((86_400, 10e3))))


def dies_of_a_long_schedule(response: Any) -> Any:
    if response.SASchedules and len(response.SASchedules.SAScheduleTuple[0].PMaxSchedule.PMaxScheduleEntry) > 1000:
        dies()
    return response


def doubled(request: Any) -> Any:
    if request.ChargingProfile is None:
        return request
    twice = tuple(
        put(entry, ChargingProfileEntryMaxPower=physical(2 * number(entry.ChargingProfileEntryMaxPower), W))
        for entry in request.ChargingProfile.ProfileEntry
    )
    return put(request, ChargingProfile=types.ChargingProfileType(ProfileEntry=twice))


def deaf(what: types.EVSENotificationType, field: str) -> Callable[[Any], Any]:
    """A notification is not heard."""

    def change(response: Any) -> Any:
        said = getattr(response, field)
        return put(response, **{field: put(said, EVSENotification=Notification.None_)}) if said.EVSENotification is what else response

    return change


def deaf_to_limits(response: Any) -> Any:
    return put(response, EVSEMaximumPowerLimit=None, EVSEMaximumCurrentLimit=None)


def unafraid() -> None:
    dc_mode.UNSAFE, dc_mode.UNSOUND, dc_mode.UNTESTED = (), "", ""
    mode.SHUTDOWN = ()  # type: ignore[misc, assignment]


def no_residual_current(response: Any) -> Any:
    return put(response, AC_EVSEStatus=ac_status())


def offers(**lists: Any) -> Seed:
    """The profile of TLS 1.2 has other lists."""
    return lambda: setattr(trust, "TLS12", replace(TLS12, **lists))


def another_reading(request: Any) -> Any:
    return put(request, MeterInfo=put(request.MeterInfo, MeterReading=(request.MeterInfo.MeterReading or 0) + 1))


def dies_of_a_length() -> None:
    end = EvccSession._end

    def ends(self: Any, how: str, error: Any) -> None:
        dies() if isinstance(error, FramingError) and "length" in str(error) else end(self, how, error)

    EvccSession._end = ends  # type: ignore[method-assign]


FAULTS: dict[str, Seed] = {
    **of_rows("E2", ISO2, ROWS),
    "E2-DCS-04": all_of(waits(body.PreChargeReq, of=ISO2), puts(Iso2, "pre_charge", Limit("none", FOR_EVER))),
    "E2-SAP-01": both(lambda of: says(sap.supportedAppProtocolReq, of_entries(Priority=2), of=of)),
    "E2-SAP-02": both(lambda of: hears(sap.supportedAppProtocolRes, always_first, of=of)),
    "E2-SAP-03": both(lambda of: hears(sap.supportedAppProtocolRes, never_refused, of=of)),
    "E2-SAP-04": both(lambda of: waits(sap.supportedAppProtocolReq, of=of)),
    "E2-SAP-05": both(lambda of: hears(sap.supportedAppProtocolRes, no_deviation, of=of)),
    "E2-SAP-06": both(lambda of: says(sap.supportedAppProtocolReq, of_entries(VersionNumberMajor=1), of=of)),
    "E2-SES-04": puts(setup, "evcc_id", lambda name: bytes(5)),
    "E2-SES-05": lambda: writes(lambda message, own: b"\1" * 8 if isinstance(message, body.PaymentServiceSelectionReq) else own),
    "E2-SES-06": lambda: reads(
        lambda message, told: b"\1" * 8 if isinstance(message, body.SessionSetupRes) and not any(told or b"\1") else told
    ),
    "E2-SES-07": lambda: reads(lambda message, told: told if isinstance(message, body.SessionSetupRes) else None),
    "E2-SES-08": once_resumed(under_another_id),
    "E2-SES-09": once_resumed(under_the_old_id),
    "E2-SES-10": hears(body.SessionSetupRes, takes_any_join, of=ISO2),
    "E2-SVD-04": says(
        body.ChargeParameterDiscoveryReq,
        lambda request: put(request, RequestedEnergyTransferMode=types.EnergyTransferModeType.DC_unique),
        of=ISO2,
    ),
    "E2-SVD-05": hears(body.ServiceDiscoveryRes, with_ac, of=ISO2),
    "E2-SVD-06": hears(body.ServiceDiscoveryRes, dies_of_a_long_list, of=ISO2),
    "E2-PSS-04": says(body.PaymentServiceSelectionReq, one_more, of=ISO2),
    "E2-PSS-05": puts(selection, "way_to_pay", first_way_only),
    "E2-PSS-06": puts(selection, "way_to_pay", lambda car, offered: "EIM"),
    "E2-AUT-04": puts(Iso2, "ongoing", Limit("less", 20.0)),
    "E2-AUT-05": puts(Iso2, "ongoing", Limit("none", FOR_EVER)),
    "E2-PNC-04": another_key,
    "E2-PNC-05": any_challenge,
    "E2-PNC-06": puts(selection, "way_to_pay", lambda car, offered: "PnC" if types.paymentOptionType.Contract in offered else "EIM"),
    "E2-CPD-04": puts(Iso2, "ongoing", Limit("none", FOR_EVER)),
    "E2-CPD-05": says(body.CurrentDemandReq, at_least_25_ampere, of=ISO2),
    "E2-CPD-06": hears(body.ChargeParameterDiscoveryRes, dc_all_the_same, of=ISO2),
    "E2-CPD-07": hears(body.ChargeParameterDiscoveryRes, a_schedule_of_its_own, of=ISO2),
    "E2-CPD-08": hears(body.ChargeParameterDiscoveryRes, dies_of_a_long_schedule, of=ISO2),
    "E2-CPD-09": says(body.PowerDeliveryReq, doubled, of=ISO2),
    "E2-CPD-10": says(body.PowerDeliveryReq, lambda request: put(request, SAScheduleTupleID=9), of=ISO2),
    "E2-DCS-07": puts(Iso2, "cable_check", Limit("none", FOR_EVER)),
    "E2-DCS-08": puts(Iso2, "pre_charge", Limit("none", FOR_EVER)),
    "E2-DCS-09": unafraid,
    "E2-DCS-10": puts(dc_mode, "PRE_CHARGE_CURRENT", 10.0),
    "E2-PWD-07": hears(body.PowerDeliveryRes, deaf(Notification.StopCharging, "EVSEStatus"), of=ISO2),
    "E2-LOP-07": hears(body.CurrentDemandRes, deaf(Notification.StopCharging, "DC_EVSEStatus"), of=ISO2),
    "E2-LOP-08": hears(body.ChargingStatusRes, deaf(Notification.StopCharging, "AC_EVSEStatus"), of=ISO2),
    "E2-LOP-09": hears(body.CurrentDemandRes, deaf(Notification.ReNegotiation, "DC_EVSEStatus"), of=ISO2),
    "E2-LOP-10": hears(body.ChargingStatusRes, deaf(Notification.ReNegotiation, "AC_EVSEStatus"), of=ISO2),
    "E2-LOP-11": hears(body.CurrentDemandRes, deaf_to_limits, of=ISO2),
    "E2-LOP-12": unafraid,
    "E2-LOP-13": hears(body.ChargingStatusRes, no_residual_current, of=ISO2),
    "E2-MTR-04": says(body.MeteringReceiptReq, another_reading, of=ISO2),
    "E2-TLS-01": offers(suites=("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",)),
    "E2-TLS-02": offers(groups=("secp384r1",), signature_schemes=("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384")),
    "E2-TLS-03": puts(trust, "_named2", lambda store: (bytes(20),)),
    "E2-TLS-04": asks_for_no_staple,
    "E2-CRT-01": judges(trust.StationJudge, refuses_a_root),
    **dict.fromkeys(("E2-CRT-02", "E2-CRT-03"), takes_any_chain(*Kind)),
    "E2-CRT-04": judges(trust.StationJudge, dies_of_malformed),
    "E2-TLS-05": takes_any_chain(*Kind),
    "E2-TLS-06": takes_any_chain(Kind.STATUS_UNKNOWN, Kind.REVOKED),
    "E2-TLS-07": dies_of_a_cut,
    "E2-END-01": lambda: setattr(evcc.client.Visit, "stop", evcc.client.Visit.abort),
    "E2-END-02": puts(delivery, "stop", lambda car, mode: iter(())),
    "E2-END-03": dies_of_the_end,
    "E2-END-04": waits(body.ServiceDiscoveryReq, 0.5, of=ISO2),
    "E2-EXI-01": dies_of_a_length,
    "E2-EXI-02": hangs_of_a_header,
    "E2-EXI-03": dies_of_octets(lambda exi: len(exi) < 5000, of=ISO2),
    "E2-EXI-04": hears(body.SessionSetupRes, prints, of=ISO2),
}

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    FAULTS[fault]()
    sys.exit(main())
