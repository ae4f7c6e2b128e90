"""DIN SPEC 70121, what a station says from the negotiation to the end of power."""

from functools import partial
from typing import Any

from v2g.din.physical import A, V, W, number, physical
from v2g.din.services import PROTOCOL
from v2g.iso2.services import PROTOCOL as PROTOCOL2
from v2g.iso20.services import DC
from v2g.messages.din import msg_body as mb
from v2g.messages.din import msg_data_types as mt
from v2g.messages.din.msg_data_types import EVRequestedEnergyTransferType as Transfer
from v2g.session.sap import Protocol, offer
from v2gkit.conform import asked_din as asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.din_order import CLAIM, GOOD
from v2gkit.conform.judging import SEQUENCE, fatal, granted
from v2gkit.conform.running import Broken, Unreached
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit_din import STEPS, TOLERANCE, VisitDin

DAY = 86_400  # s that a schedule must hold
SESSIONS = 5  # whose ids are compared
LOOPS = 10
BEYOND = 10_000.0  # A that no station gives
STRANGE = Protocol("urn:example:70121", 2, 0, "din", secure=False)
Selected = "OK_SuccessfulNegotiation"
case = partial(Case, role="station", domain="CMN", condition=CLAIM, control=GOOD)


# --- negotiation and session ---


def offered(*protocols: Protocol) -> Any:
    """A script that offers these protocols, the best first: DIN SPEC 70121 is selected where it is among them, by its SchemaID."""

    async def script(bench: AtStation) -> Outcome:
        visit = await bench.visit_din()
        reply = await visit.ask(offer(protocols))
        wanted = next((place for place, each in enumerate(protocols, 1) if each is PROTOCOL), None)
        told: Any = reply.message
        if wanted is None:
            return judged(reply.code == "Failed_NoNegotiation", str(reply))
        return judged(reply.code == Selected and told.SchemaID == wanted, f"{reply}, SchemaID {getattr(told, 'SchemaID', None)}")

    return script


async def never_over_tls(bench: AtStation) -> Outcome:
    """DIN SPEC 70121 alone is offered over TLS."""
    visit = await bench.visit_din(bench.sound)
    reply = await visit.ask(asked.negotiation())
    return judged(not reply.ok, str(reply))


async def new_session(bench: AtStation) -> Outcome:
    """The SessionIDs of several sessions, the last of which is asked for by a car that names another."""
    ids = list[bytes]()
    for count in range(1, SESSIONS + 1):
        visit = await bench.at_din("SessionSetup")
        former = bytes(range(1, 9)) if bench.part == "a former session" and count == SESSIONS else None
        reply = await visit.ask(visit.due(), session_id=former)
        if reply.code != "OK_NewSessionEstablished":
            return failed(str(reply))
        ids.append(visit.told)
        visit.wire.abandon()
        if visit.told == former:
            return failed(f"a session that nobody knows was joined: {reply}")
    well = all(any(each) and len(each) == 8 for each in ids) and len(set(ids)) == len(ids)
    return judged(well, f"SessionIDs {', '.join(each.hex() for each in ids)}")


# --- services ---


async def owed(visit: VisitDin) -> Any:
    """What the step that is due comes to, which is what a case is about: Broken where it comes to nothing."""
    try:
        return await visit.step()
    except Unreached as error:
        raise Broken(str(error)) from None


async def offers(bench: AtStation) -> Outcome:
    """What ServiceDiscoveryRes offers, and how it is paid."""
    visit = await bench.at_din("ServiceDiscovery")
    category = mt.serviceCategoryType.Internet if bench.part == "of another category" else None
    reply = await visit.ask(mb.ServiceDiscoveryReq(ServiceCategory=category))
    if not reply.ok:
        return failed(str(reply))
    said: Any = reply.message
    tag, ways = said.ChargeService.ServiceTag, [each.value for each in said.PaymentOptions.PaymentOption]
    told = f"service {tag.ServiceID} ({said.ChargeService.EnergyTransferType.value}), paid by {', '.join(ways)}"
    if tag.ServiceName is not None or tag.ServiceScope is not None:
        return failed(f"{told}; it has a name or a scope")
    return judged(ways == ["ExternalPayment"] and said.ChargeService.EnergyTransferType.value.startswith(DC.name), told)


async def selects(bench: AtStation) -> Outcome:
    """A selection that was not offered."""
    visit = await bench.at_din("ServicePaymentSelection")
    if bench.part == "Contract":
        message = asked.selection(visit.charging, option=mt.paymentOptionType.Contract)
        return await fatal(bench, visit, await visit.ask(message), "FAILED_PaymentSelectionInvalid", of=type(message))
    services = (visit.charging, visit.charging + 1) if bench.part == "two services" else (visit.charging + 4711,)
    message = asked.selection(*services)
    return await fatal(bench, visit, await visit.ask(message), "FAILED_ServiceSelectionInvalid", of=type(message))


def well(step: str) -> Any:
    """A script in which one step is asked for as usual, and must be granted."""

    async def script(bench: AtStation) -> Outcome:
        visit = await bench.at_din(step)
        return granted(await visit.ask(visit.due()))

    return script


async def authorizes(bench: AtStation) -> Outcome:
    """ContractAuthentication until it is finished."""
    visit = await bench.at_din("ContractAuthentication")
    response = await owed(visit)
    return judged(response.EVSEProcessing is mt.EVSEProcessingType.Finished, "Finished")


# --- parameters ---


async def plans(bench: AtStation) -> Outcome:
    """The schedule and the limits of ChargeParameterDiscoveryRes."""
    visit = await bench.at_din("ChargeParameterDiscovery")
    said = await owed(visit)
    tuples, limits = said.SASchedules.SAScheduleTuple, said.EVSEChargeParameter
    if any(each.SalesTariff is not None for each in tuples):
        return failed("a schedule has a SalesTariff")
    spans = [sum_of(each.PMaxSchedule) for each in tuples]
    least, most = (number(getattr(limits, f"EVSE{word}VoltageLimit")) for word in ("Minimum", "Maximum"))
    told = f"{len(tuples)} schedules of {', '.join(map(str, spans))} s, {least:g} to {most:g} V"
    return judged(all(1 <= each.SAScheduleTupleID <= 255 for each in tuples) and min(spans) >= DAY and least < most, told)


def sum_of(schedule: mt.PMaxScheduleType) -> int:
    """Seconds from the offer to the end of a schedule."""
    last: Any = schedule.PMaxScheduleEntry[-1].TimeInterval
    return int(last.start) + int(last.duration or DAY)


def refused(*codes: str, **given: Any) -> Any:
    """A script in which parameters are refused, with one of these codes; none: with any that is FAILED."""

    async def script(bench: AtStation) -> Outcome:
        visit = await bench.at_din("ChargeParameterDiscovery")
        message = asked.parameters(visit.ways, **{name: make(visit) for name, make in given.items()})
        return await fatal(bench, visit, await visit.ask(message), *codes, of=type(message))

    return script


def of_ac(visit: VisitDin) -> mt.EVChargeParameterType:
    """The parameters of a car of AC."""
    one = physical(10, A)
    return mt.AC_EVChargeParameterType(
        DepartureTime=0, EAmount=physical(1, mt.unitSymbolType.Wh), EVMaxVoltage=physical(400, V), EVMaxCurrent=one, EVMinCurrent=one
    )


def too_low(visit: VisitDin) -> mt.EVChargeParameterType:
    """The parameters of a car whose battery is far below any outlet's voltage."""
    return asked.limits(visit.ways, EVMaximumVoltageLimit=physical(5, V), EVMaximumPowerLimit=physical(10, W))


async def with_core(bench: AtStation) -> Outcome:
    """A car that charges by the core contacts."""
    visit = await bench.at_din("ChargeParameterDiscovery")
    return granted(await visit.ask(asked.parameters(visit.ways, transfer=Transfer.DC_core)))


# --- power ---


async def checks(bench: AtStation) -> Outcome:
    """CableCheck until it is finished, with isolation that is no fault."""
    visit = await bench.at_din("CableCheck")
    said = await owed(visit)
    status = said.DC_EVSEStatus
    level = status.EVSEIsolationStatus.value if status.EVSEIsolationStatus else "none"
    return judged(level in ("Valid", "Warning") and status.EVSEStatusCode.value == "EVSE_Ready", f"{level}, {status.EVSEStatusCode.value}")


async def pre_charges(bench: AtStation) -> Outcome:
    """PreCharge until the outlet has the battery's voltage."""
    visit = await bench.at_din("PreCharge")
    said = await owed(visit)
    present = number(said.EVSEPresentVoltage)
    return judged(abs(present - visit.ways.voltage) <= TOLERANCE, f"{present:g} V, asked was {visit.ways.voltage:g} V")


async def power_first(bench: AtStation) -> Outcome:
    """PowerDelivery before any PreCharge."""
    visit = await bench.at_din("PreCharge")
    message = asked.delivery(True)
    return await fatal(bench, visit, await visit.ask(message), SEQUENCE, of=type(message))


PROFILES: dict[str, tuple[int, int, str]] = {  # the schedule that is named, when its second entry begins, the code
    "another schedule": (200, 3600, "FAILED_TariffSelectionInvalid"),
    "beyond its day": (0, DAY + 1, "FAILED_ChargingProfileInvalid"),
}


def profiled(part: str) -> Any:
    """A script in which power is asked for by a profile that does not fit."""

    async def script(bench: AtStation) -> Outcome:
        other, begin, code = PROFILES[part]
        visit = await bench.at_din("PowerDelivery")
        own = visit.heard.of("ChargeParameterDiscoveryRes").SASchedules.SAScheduleTuple[0].SAScheduleTupleID
        message = asked.delivery(True, asked.profile(other or own, (0, visit.ways.power), (begin, visit.ways.power)))
        return await fatal(bench, visit, await visit.ask(message), code, of=type(message))

    return script


async def charges(bench: AtStation) -> Outcome:
    """Loops at the car's demand, or at one that is beyond the outlet."""
    visit = await bench.at_din("CurrentDemand")
    limits = visit.heard.of("ChargeParameterDiscoveryRes").EVSEChargeParameter
    most = number(limits.EVSEMaximumCurrentLimit)
    found = list[float]()
    for _ in range(LOOPS):
        reply = await visit.ask(asked.loop(visit.ways, BEYOND if bench.part == "beyond its limits" else None))
        if not reply.ok:
            return failed(str(reply))
        said: Any = reply.message
        if said.DC_EVSEStatus.EVSENotification is not mt.EVSENotificationType.None_:
            return failed(f"EVSENotification {said.DC_EVSEStatus.EVSENotification.value}, which DC has none of")
        found.append(number(said.EVSEPresentCurrent))
    return judged(max(found) <= most * 1.05, f"{LOOPS} loops, up to {max(found):g} A, at most {most:g} A")


async def ends_power(bench: AtStation) -> Outcome:
    """Power off, then welding detection: the voltage falls."""
    visit = await bench.at_din("PowerDeliveryStop")
    reply = await visit.ask(visit.due())
    if not reply.ok:
        return failed(str(reply))
    after = await visit.ask(asked.welding())
    said: Any = after.message
    return judged(after.ok, f"{after}, {number(said.EVSEPresentVoltage):g} V" if after.ok else str(after))


async def leaves(bench: AtStation) -> Outcome:
    """SessionStop where the part says: granted, and the connection ends."""
    visit = await bench.at_din(bench.part)
    reply = await visit.ask(asked.stop())
    if not reply.ok:
        return failed(str(reply))
    ended = await visit.wire.closed(bench.pics.test.close + bench.pics.test.slack)
    return judged(ended.kind == "closed", f"{reply}; then {ended}")


async def whole(bench: AtStation) -> Outcome:
    """A whole session, from the negotiation to SessionStop."""
    visit = await bench.visit_din()
    try:
        await visit.through("SessionStop")
    except Unreached as error:
        return failed(str(error))
    ended = await visit.wire.closed(bench.pics.test.close + bench.pics.test.slack)
    return passed("SessionStopRes, then the end of the connection") if ended.kind == "closed" else failed(f"after SessionStopRes: {ended}")


N, P = Kind.NEGATIVE, Kind.POSITIVE
DC_STATUS = "DC_EVSEStatus, CableCheckRes"


def _case(number: str, kind: Kind, requirement: str, purpose: str, stimulus: str, expected: str, script: Any, **more: Any) -> Case:
    """A row of the table below; without a requirement its basis is given."""
    ids = tuple(requirement.split()) if requirement.startswith("V2G") else ()
    basis = "" if ids else requirement
    return case(
        id=f"SD-{number}",
        kind=kind,
        requirement=ids,
        basis=basis,
        purpose=purpose,
        stimulus=stimulus,
        expected=(expected,),
        script=script,
        **more,
    )


CASES = (
    _case("SAP-01", P, "V2G-DC-436", "DIN SPEC 70121 is selected", "DIN alone is offered", "its SchemaID", offered(PROTOCOL)),
    _case("SAP-02", N, "V2G-DC-436", "No protocol of nobody is selected", "another namespace alone", "Failed_NoNegotiation",
          offered(STRANGE)),
    _case(
        "SAP-03", P, "V2G-DC-436", "What the car ranks first is selected", "DIN first, ISO 15118-2 second", "the SchemaID of DIN",
        offered(PROTOCOL, PROTOCOL2), condition=(*CLAIM, "generation_2"),
    ),
    _case(
        "SAP-04", P, "V2G-DC-436", "A protocol of nobody is passed over", "another namespace first, DIN second", "the SchemaID of DIN",
        offered(STRANGE, PROTOCOL),
    ),
    _case(
        "SAP-05", N, "V2G-DC-618 V2G-DC-869", "DIN SPEC 70121 is not spoken over TLS", "DIN alone, over TLS", "it is not selected",
        never_over_tls, condition=(*CLAIM, "tls12"),
    ),
    _case(
        "SSU-01", P, "V2G-DC-872", "Each session has an id of its own", "several sessions", "ids of eight octets that are not 0, each once",
        new_session,
    ),
    _case(
        "SSU-02", N, "V2G-DC-393 V2G-DC-872", "A session that nobody knows is not joined", "SessionSetupReq that names a former session",
        "OK_NewSessionEstablished, under a new id", new_session, parts=("a former session",),
    ),
    _case(
        "SVD-01", P, "V2G-DC-628 V2G-DC-629", "One service is offered, which is paid outside", "ServiceDiscoveryReq",
        "a charging service of DC without name and scope, ExternalPayment alone", offers,
    ),
    _case(
        "SVD-02", P, "ServiceDiscoveryRes: ChargeService is mandatory", "The charging service is offered whatever is looked for",
        "ServiceDiscoveryReq for the category Internet", "the same offer", offers, parts=("of another category",),
    ),
    _case("SPS-01", P, "V2G-DC-388", "What was offered may be selected", "the offered service, ExternalPayment", "OK",
          well("ServicePaymentSelection")),
    _case(
        "SPS-02", N, "V2G-DC-395", "A contract is no way to pay", "SelectedPaymentOption Contract",
        "FAILED_PaymentSelectionInvalid, the end", selects, parts=("Contract",),
    ),
    _case(
        "SPS-03", N, "V2G-DC-635", "A service that was not offered is refused", "another ServiceID; two services",
        "FAILED_ServiceSelectionInvalid, the end", selects, parts=("another service", "two services"),
    ),
    _case("AUT-01", P, "V2G-DC-388", "A car gets leave to charge", "ContractAuthenticationReq until it is finished",
          "OK, Finished", authorizes),
    _case(
        "CPD-01", P, "V2G-DC-554 V2G-DC-556", "A schedule holds a day, and has no tariff", "the parameters of a car of DC",
        "tuples of 24 h, without SalesTariff, limits in order", plans,
    ),
    _case(
        "CPD-02", N, "V2G-DC-397", "No alternating current is charged by", "AC_three_phase_core with parameters of AC",
        "FAILED_WrongEnergyTransferType, the end",
        refused("FAILED_WrongEnergyTransferType", said=of_ac, transfer=lambda visit: Transfer.AC_three_phase_core),
    ),
    _case(
        "CPD-03", N, "ChargeParameterDiscoveryReq: EVChargeParameter of the requested type", "Parameters of another current are none",
        "DC_extended with parameters of AC", "FAILED_WrongChargeParameter or another FAILED, the end", refused(said=of_ac),
    ),
    _case(
        "CPD-04", N, "ChargeParameterDiscoveryRes: FAILED_WrongChargeParameter", "A car that the outlet cannot charge is told so",
        "a highest voltage of 5 V", "FAILED_WrongChargeParameter or another FAILED, the end", refused(said=too_low),
    ),
    _case("CPD-05", P, "V2G-DC-625", "Both contacts of a combined inlet are served", "DC_core", "OK", with_core),
    _case("DCS-01", P, DC_STATUS, "The isolation is measured before there is power", "CableCheckReq until it is finished",
          "isolation Valid or Warning, EVSE_Ready", checks),
    _case("DCS-02", P, "PreChargeRes: EVSEPresentVoltage", "The outlet comes to the battery's voltage", "PreChargeReq again and again",
          "within 20 V of it in 10 s", pre_charges),
    _case("DCS-03", N, "V2G-DC-455", "No power without pre-charge", "PowerDeliveryReq where PreChargeReq is due",
          "FAILED_SequenceError, the end", power_first),
    _case("PWD-01", P, "V2G-DC-388", "Power begins", "PowerDeliveryReq with ReadyToChargeState", "OK", well("PowerDelivery")),
    _case("PWD-02", N, "V2G-DC-400", "A schedule that was not offered is refused", "a ChargingProfile that names another",
          "FAILED_TariffSelectionInvalid, the end", profiled("another schedule")),
    _case("PWD-03", N, "V2G-DC-399", "A profile that leaves its schedule is refused", "an entry beyond the schedule's day",
          "FAILED_ChargingProfileInvalid, the end", profiled("beyond its day")),
    _case("PWD-04", P, "PowerDeliveryReq, WeldingDetectionReq", "Power ends",
          "PowerDeliveryReq without ReadyToChargeState, then WeldingDetectionReq", "OK, and OK", ends_power),
    _case("LOP-01", P, "V2G-DC-500", "Power flows as the car asks", "ten loops", "OK, within the limits, EVSENotification None", charges),
    _case("LOP-02", N, "CurrentDemandRes: EVSEMaximumCurrentLimit", "No more flows than the outlet can", "a demand of 10,000 A",
          "OK, and a current within the limits", charges, parts=("beyond its limits",)),
    _case("STP-01", P, "V2G-DC-451", "A session goes from its beginning to its end", "a car that does everything right",
          "SessionStopRes, and the connection ends", whole, control=""),
    _case("STP-02", P, "V2G-DC-441 V2G-DC-451", "A car may leave before power", "SessionStopReq where the part says",
          "OK, and the connection ends within 5 s", leaves,
          parts=STEPS[STEPS.index("ServiceDiscovery") : STEPS.index("PowerDelivery")]),
    _case("STP-03", P, "V2G-DC-451", "A car may leave after power", "SessionStopReq instead of WeldingDetectionReq",
          "OK, and the connection ends within 5 s", leaves, parts=("WeldingDetection",)),
)  # fmt: skip
