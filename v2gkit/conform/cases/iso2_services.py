"""ISO 15118-2: ServiceDiscovery, ServiceDetail, PaymentServiceSelection: what is offered, and what may be chosen of it."""

from functools import partial
from typing import Any

from v2g.iso2.services import CERTIFICATE, INTERNET, MODES
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2.msg_data_types import serviceCategoryType as Category
from v2gkit.conform import asked2
from v2gkit.conform.asked2 import OPTIONS, Payment
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import granted, told
from v2gkit.conform.verdict import Outcome, failed, judged
from v2gkit.conform.visit2 import Visit2

SELECTION, PAYMENT, NO_CHARGE = "FAILED_ServiceSelectionInvalid", "FAILED_PaymentSelectionInvalid", "FAILED_NoChargeServiceSelected"
NOBODYS = 60_999  # an id that only a manufacturer could give a service
case = partial(Case, role="station", domain="CMN", precondition="the session is set up", control="S2-SVD-01")
choose = partial(case, precondition="the services are told", control="S2-SEL-01")


def listed(found: Any) -> dict[int, Any]:
    """The value-added services of a response, by their ids."""
    return {each.ServiceID: each for each in (found.ServiceList.Service if found.ServiceList is not None else ())}


async def told_services(bench: AtStation, link: str = "as usual", **asked: Any) -> tuple[Visit2, Any]:
    """What a station tells of its services, on a link with TLS or without."""
    offer: Any = {"as usual": "usual", "TLS": bench.sound, "TCP": None}[link]
    visit = await (await bench.visit2(offer)).upto("ServiceDiscovery")
    return visit, await visit.granted(mb.ServiceDiscoveryReq(**asked))


async def charges(bench: AtStation) -> Outcome:
    """The charging service has the modes that are claimed."""
    _, found = await told_services(bench)
    service = found.ChargeService
    offered = service.SupportedEnergyTransferMode.EnergyTransferMode
    claims = {"dc": bench.pics.claims.dc, "ac": bench.pics.claims.ac}
    has = {plug: any(MODES[each].plug == plug for each in offered) for plug in claims}
    well = service.ServiceCategory is Category.EVCharging and has == claims and len(set(offered)) == len(offered)
    names = ", ".join(each.value for each in offered)
    return judged(well, f"service {service.ServiceID}, {service.ServiceCategory.value}, {names}; claimed are {claims}")


async def pays(bench: AtStation) -> Outcome:
    """The ways to pay are those that are claimed, contracts on TLS alone."""
    _, found = await told_services(bench, bench.part)
    claims = bench.pics.claims
    there: dict[Payment, bool] = {"EIM": claims.eim, "PnC": claims.pnc and bench.part == "TLS"}
    due = {OPTIONS[way] for way, claimed in there.items() if claimed}
    offered = found.PaymentOptionList.PaymentOption
    return judged(set(offered) == due and len(offered) == len(due), f"{', '.join(each.value for each in offered)} over {bench.part}")


async def adds(bench: AtStation) -> Outcome:
    """Contracts and the Internet are among the services where they are claimed, contracts on TLS alone."""
    _, found = await told_services(bench, bench.part)
    claims, services = bench.pics.claims, listed(found)
    due = {CERTIFICATE: claims.certificate_installation and bench.part == "TLS", INTERNET: claims.internet}
    wrong = [number for number, there in due.items() if (number in services) is not there]
    return judged(not wrong, f"services {sorted(services)} over {bench.part}" + (f"; {wrong} are not as claimed" if wrong else ""))


async def of_category(bench: AtStation) -> Outcome:
    """A category that the car asks for leaves out the others."""
    wanted = Category(bench.part)
    _, found = await told_services(bench, ServiceCategory=wanted)
    strange = [each.ServiceID for each in listed(found).values() if each.ServiceCategory is not wanted]
    return judged(not strange, f"services of other categories: {strange}" if strange else "no service of another category")


async def of_scope(bench: AtStation) -> Outcome:
    """A scope that nobody has."""
    visit = await bench.at2("ServiceDiscovery")
    return granted(await visit.ask(mb.ServiceDiscoveryReq(ServiceScope=bench.part)), "ServiceDiscoveryRes")


# --- ServiceDetail ---


async def detailed(bench: AtStation) -> Outcome:
    """The details of each service that is listed, then of charging: texts differ on whether that counts among them [V2G2-425]."""
    visit, found = await told_services(bench, "TLS" if bench.pics.claims.tls12 else "TCP")
    wrong, charging = list[str](), found.ChargeService.ServiceID
    for number in (*listed(found), charging):
        reply = await visit.ask(mb.ServiceDetailReq(ServiceID=number))
        has_none = number == charging and reply.code == "FAILED_ServiceIDInvalid"
        if not has_none and (not reply.ok or getattr(reply.message, "ServiceID", None) != number):
            wrong.append(f"{number}: {reply}")
    return judged(not wrong, "; ".join(wrong) or f"services {charging}, {sorted(listed(found))}")


STRANGE = {"zero": 0, "a manufacturer's": NOBODYS, "the last": 65_535}


async def no_detail(bench: AtStation) -> Outcome:
    """The details of a service that was not offered."""
    visit, _ = await told_services(bench)
    reply = await visit.ask(mb.ServiceDetailReq(ServiceID=STRANGE[bench.part]))
    return told(visit, reply, "FAILED_ServiceIDInvalid", of=mb.ServiceDetailReq)


async def often(bench: AtStation) -> Outcome:
    """The details of a service that is listed, or of charging, fifty times."""
    visit, found = await told_services(bench, "TLS" if bench.pics.claims.tls12 else "TCP")
    number = min((*listed(found), found.ChargeService.ServiceID), key=lambda each: each == found.ChargeService.ServiceID)
    for count in range(1, 51):
        reply = await visit.ask(mb.ServiceDetailReq(ServiceID=number))
        if count == 1 and number == found.ChargeService.ServiceID and reply.code == "FAILED_ServiceIDInvalid":
            return judged(True, f"no service has details: {reply}")
        if not reply.ok:
            return failed(f"the {count}th time: {reply}")
    return granted(await visit.ask(asked2.selection(visit.ways.authorization, found.ChargeService.ServiceID)))


async def certificate_sets(bench: AtStation) -> Outcome:
    """The parameter sets of the service for contracts say what they are for."""
    visit, _ = await told_services(bench, "TLS")
    response = await visit.granted(mb.ServiceDetailReq(ServiceID=CERTIFICATE))
    sets = response.ServiceParameterList.ParameterSet if response.ServiceParameterList is not None else ()
    said = {one.ParameterSetID: [each.stringValue for each in one.Parameter if each.Name == "Service"] for one in sets}
    return judged(said.get(1) == ["Installation"] and said.get(2, ["Update"]) == ["Update"], f"parameter sets {said}")


# --- PaymentServiceSelection ---


async def chosen(bench: AtStation, way: Payment) -> Outcome:
    """The charging service, by a way to pay that is offered."""
    visit = await bench.at2("PaymentServiceSelection", authorization=way)
    return granted(await visit.ask(visit.due()), "PaymentServiceSelectionRes", "OK")


async def contract_on_tcp(bench: AtStation) -> Outcome:
    """A contract without TLS."""
    visit, found = await told_services(bench, "TCP")
    reply = await visit.ask(asked2.selection("PnC", found.ChargeService.ServiceID))
    return told(visit, reply, PAYMENT, of=mb.PaymentServiceSelectionReq)


async def not_offered(bench: AtStation) -> Outcome:
    """The way to pay that is not offered."""
    visit, found = await told_services(bench)
    way: Payment = "PnC" if bench.part == "Contract" else "EIM"
    return told(visit, await visit.ask(asked2.selection(way, found.ChargeService.ServiceID)), PAYMENT, of=mb.PaymentServiceSelectionReq)


async def other_service(bench: AtStation) -> Outcome:
    """A service beside the charging service that was not offered."""
    visit, found = await told_services(bench)
    request = asked2.selection(visit.ways.authorization, found.ChargeService.ServiceID, STRANGE[bench.part])
    return told(visit, await visit.ask(request), SELECTION, of=mb.PaymentServiceSelectionReq)


async def no_charging(bench: AtStation) -> Outcome:
    """Services without the charging service."""
    visit, found = await told_services(bench, "TLS" if bench.pics.claims.tls12 else "TCP")
    added = tuple(listed(found))
    request = asked2.selection(visit.ways.authorization, *(added[:1] or (NOBODYS,)))
    codes = (NO_CHARGE,) if added else (NO_CHARGE, SELECTION)
    return told(visit, await visit.ask(request), *codes, of=mb.PaymentServiceSelectionReq)


async def no_such_set(bench: AtStation) -> Outcome:
    """A parameter set of the service for contracts that there is not."""
    visit, found = await told_services(bench, "TLS")
    request = asked2.selection(visit.ways.authorization, found.ChargeService.ServiceID, CERTIFICATE, parameter_set=77)
    return told(visit, await visit.ask(request), SELECTION, of=mb.PaymentServiceSelectionReq)


async def sixteen(bench: AtStation) -> Outcome:
    """The charging service sixteen times."""
    visit, found = await told_services(bench)
    reply = await visit.ask(asked2.selection(visit.ways.authorization, *(found.ChargeService.ServiceID,) * 16))
    return judged(reply.name == "PaymentServiceSelectionRes" and (reply.ok or reply.fatal), str(reply))


BASE, TLS = ("generation_2",), ("generation_2", "tls12")
CASES = (
    case(
        id="S2-SVD-01", kind=Kind.POSITIVE, requirement=(), basis="8.4.3.3.3, ChargeService", condition=BASE, control="",
        purpose="The charging service has the modes that the station claims", stimulus="ServiceDiscoveryReq", script=charges,
        expected=("OK, EVCharging, a mode of each claimed kind and none of another",),
    ),
    *(
        case(
            id=f"S2-SVD-{number:02}", kind=Kind.POSITIVE, requirement=("V2G2-631",), condition=condition, script=pays, parts=(link,),
            purpose=f"Over {link} the ways to pay are those that it is safe for", stimulus=f"ServiceDiscoveryReq over {link}",
            expected=("what is claimed; Contract over TLS alone",),
        )
        for number, link, condition in ((2, "TCP", ("generation_2", "eim", "plain_tcp")), (3, "TLS", TLS))
    ),
    *(
        case(
            id=f"S2-SVD-{number:02}", kind=Kind.POSITIVE, requirement=(), basis="table 105", condition=condition, script=adds,
            parts=(link,),
            purpose=f"Over {link} value-added services are told as claimed", stimulus=f"ServiceDiscoveryReq over {link}",
            expected=("services as claimed; that for contracts over TLS alone",),
        )
        for number, link, condition in ((4, "TCP", ("generation_2", "eim", "plain_tcp")), (5, "TLS", TLS))
    ),
    case(
        id="S2-SVD-06", kind=Kind.POSITIVE, requirement=(), basis="8.4.3.3.2, ServiceCategory", condition=BASE, script=of_category,
        purpose="A category leaves out the others", stimulus="ServiceDiscoveryReq with a ServiceCategory",
        expected=("no value-added service of another category",), parts=tuple(each.value for each in Category),
    ),
    case(
        id="S2-SVD-07", kind=Kind.ROBUSTNESS, requirement=(), basis="8.4.3.3.2, ServiceScope", condition=BASE, script=of_scope,
        purpose="A scope that nobody has harms nobody", stimulus="ServiceDiscoveryReq with a ServiceScope", expected=("OK",),
        parts=("nobody.example", "s" * 64),
    ),
    choose(
        id="S2-SVT-01", kind=Kind.POSITIVE, requirement=("V2G2-425",), condition=BASE, control="S2-SVD-01",
        purpose="Each service that is offered has details", stimulus="ServiceDetailReq of each that is listed, then of charging",
        expected=("OK, with the id that was asked for", "FAILED_ServiceIDInvalid for charging alone"), script=detailed,
    ),
    choose(
        id="S2-SVT-02", kind=Kind.NEGATIVE, requirement=("V2G2-464",), condition=BASE, control="S2-SVT-01",
        purpose="What was not offered has no details", stimulus="ServiceDetailReq of other ids", script=no_detail, parts=tuple(STRANGE),
        expected=("ServiceDetailRes with FAILED_ServiceIDInvalid",),
    ),
    choose(
        id="S2-SVT-03", kind=Kind.POSITIVE, requirement=("V2G2-425",), condition=BASE, control="S2-SVT-01", within=60.0,
        purpose="Details may be asked for again and again", stimulus="ServiceDetailReq fifty times, then the selection",
        expected=("OK each time",), script=often,
    ),
    choose(
        id="S2-SVT-04", kind=Kind.POSITIVE, requirement=(), basis="table 106", condition=(*TLS, "certificate_installation"),
        control="S2-SVT-01", purpose="The service for contracts says what its parameter sets are for",
        stimulus="ServiceDetailReq of service 2",
        expected=("set 1 is Installation, set 2, where there is one, Update",), script=certificate_sets,
    ),
    choose(
        id="S2-SEL-01", kind=Kind.POSITIVE, requirement=(), basis="8.4.3.4", condition=("generation_2", "eim"), control="",
        purpose="What is offered may be chosen, to be paid otherwise", stimulus="PaymentServiceSelectionReq (ExternalPayment)",
        expected=("OK",), script=lambda bench: chosen(bench, "EIM"),
    ),
    choose(
        id="S2-SEL-02", kind=Kind.POSITIVE, requirement=(), basis="8.4.3.4", condition=(*TLS, "pnc"), control="",
        purpose="What is offered may be chosen, to be paid by contract", stimulus="PaymentServiceSelectionReq (Contract) over TLS",
        expected=("OK",), script=lambda bench: chosen(bench, "PnC"),
    ),
    choose(
        id="S2-SEL-03", kind=Kind.NEGATIVE, requirement=("V2G2-465", "V2G2-631"), condition=("generation_2", "eim", "plain_tcp"),
        purpose="No contract is shown without TLS", stimulus="PaymentServiceSelectionReq (Contract) over plain TCP",
        expected=(f"PaymentServiceSelectionRes with {PAYMENT}",), script=contract_on_tcp,
    ),
    choose(
        id="S2-SEL-04", kind=Kind.NEGATIVE, requirement=("V2G2-465",), condition=("generation_2", "not pnc"),
        purpose="No contract where none are taken", stimulus="PaymentServiceSelectionReq (Contract)", parts=("Contract",),
        expected=(f"PaymentServiceSelectionRes with {PAYMENT}",), script=not_offered,
    ),
    choose(
        id="S2-SEL-05", kind=Kind.NEGATIVE, requirement=("V2G2-465",), condition=(*TLS, "not eim"),
        purpose="No other payment where contracts alone are taken", stimulus="PaymentServiceSelectionReq (ExternalPayment)",
        parts=("ExternalPayment",), expected=(f"PaymentServiceSelectionRes with {PAYMENT}",), script=not_offered, control="S2-SEL-02",
    ),
    choose(
        id="S2-SEL-06", kind=Kind.NEGATIVE, requirement=("V2G2-467",), condition=BASE, purpose="What was not offered is not chosen",
        stimulus="the charging service, and one that was not offered", expected=(f"PaymentServiceSelectionRes with {SELECTION}",),
        script=other_service, parts=tuple(STRANGE),
    ),
    choose(
        id="S2-SEL-07", kind=Kind.NEGATIVE, requirement=("V2G2-804",), condition=BASE,
        purpose="Nobody charges without the charging service",
        stimulus="a service that is offered, alone; where there is none, one that is not", script=no_charging,
        expected=(f"PaymentServiceSelectionRes with {NO_CHARGE}", f"{SELECTION} where nothing else is offered"),
    ),
    choose(
        id="S2-SEL-08", kind=Kind.NEGATIVE, requirement=("V2G2-467",), condition=(*TLS, "certificate_installation"),
        purpose="A parameter set must be there", stimulus="the service for contracts with parameter set 77", script=no_such_set,
        expected=(f"PaymentServiceSelectionRes with {SELECTION}",),
    ),
    choose(
        id="S2-SEL-09", kind=Kind.ROBUSTNESS, requirement=(), basis="8.5.2.25, SelectedServiceList", condition=BASE,
        purpose="The longest selection harms nobody", stimulus="the charging service sixteen times", script=sixteen,
        expected=("OK or FAILED; a good car is served afterwards",),
    ),
)  # fmt: skip
