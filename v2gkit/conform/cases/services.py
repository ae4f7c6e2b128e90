"""Services: what is offered, its parameter sets, and what may be selected."""

from functools import partial

from v2g.iso20.services import AC, CONTROL, DC, MOBILITY, SERVICES
from v2g.messages import common_messages as cm
from v2gkit.conform import asked
from v2gkit.conform.asked import UNSTAMPED
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import FOREIGN, OUT_OF_TURN, fatal, foreign, granted, out_of_turn
from v2gkit.conform.running import Blocked
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit import Visit
from v2gkit.conform.wire import Reply

INVALID, SELECTION = "FAILED_ServiceIDInvalid", "FAILED_ServiceSelectionInvalid"
NO_ENERGY = "FAILED_NoEnergyTransferServiceSelected"
ENDS = "and the connection ends"
case = partial(Case, role="station", domain="CMN", precondition="the car is authorized")


def energy(visit: Visit) -> list[int]:
    """The ids of the energy services that the station told."""
    return [each.ServiceID for each in visit.heard.of("ServiceDiscoveryRes").EnergyTransferServiceList.Service]


def added(visit: Visit) -> list[int]:
    """The ids of the value-added services that the station told."""
    listed = visit.heard.of("ServiceDiscoveryRes").VASList
    return [] if listed is None else [each.ServiceID for each in listed.Service]


def unoffered(visit: Visit) -> int:
    """An id that the station told of nothing."""
    return next(each for each in range(60_000, 65_000) if each not in (*energy(visit), *added(visit)))


# --- discovery ---


async def everything(bench: AtStation) -> Outcome:
    """All services, to a car that does not filter."""
    visit = await bench.at("ServiceDiscovery")
    reply = await visit.ask(asked.discovery())
    if not reply.ok or reply.name != "ServiceDiscoveryRes":
        return failed(str(reply))
    found = energy(visit)
    claims = bench.pics.claims
    wanted = [SERVICES[name].id for name in (AC.name, DC.name) if getattr(claims, name.lower()) and name == visit.ways.service]
    if claims.bpt and claims.ac + claims.dc + claims.mcs == 1:  # with two plugs the claim does not say of which it is
        wanted.append(SERVICES[asked.both_ways(visit.ways.service)].id)
    missing = [each for each in wanted if each not in found]
    return judged(bool(found) and not missing, f"energy services {found}" + (f", {missing} is claimed and missing" if missing else ""))


async def filtered(bench: AtStation) -> Outcome:
    """A car that names the services that it supports."""
    ids = {"one": (SERVICES[bench.ways().service].id,), "sixteen": tuple(range(1, 17)), "none that there is": (61_000,)}
    visit = await bench.at("ServiceDiscovery")
    request = cm.ServiceDiscoveryReq(Header=UNSTAMPED, SupportedServiceIDs=cm.ServiceIDListType(ServiceID=ids[bench.part]))
    reply = await visit.ask(request)
    if bench.part == "none that there is":
        return judged(reply.name == "ServiceDiscoveryRes" and (reply.ok or reply.fatal), str(reply))
    return granted(reply, "ServiceDiscoveryRes")


async def renegotiable(bench: AtStation) -> Outcome:
    """Whether services can be negotiated anew is told as claimed."""
    visit = await (await bench.at("ServiceDiscovery")).through("ServiceDiscovery")
    said = visit.heard.of("ServiceDiscoveryRes").ServiceRenegotiationSupported
    return judged(said is bench.pics.claims.service_renegotiation, f"ServiceRenegotiationSupported is {said}")


async def discovery_in_turn(bench: AtStation) -> Outcome:
    """Another request, or another session's."""
    visit = await bench.at("ServiceDiscovery")
    if bench.part == "another session":
        return await foreign(bench, visit)
    return await out_of_turn(bench, visit, visit.usual("Authorization"))


# --- detail ---


async def told(visit: Visit, service: int) -> cm.ServiceDetailRes | str:
    """The parameter sets of a service; what came instead, in words."""
    reply = await visit.ask(asked.detail(service))
    if not reply.ok or reply.name != "ServiceDetailRes":
        return f"service {service}: {reply}"
    response: cm.ServiceDetailRes = visit.heard.of("ServiceDetailRes")
    return response if response.ServiceID == service else f"asked for service {service}, told of {response.ServiceID}"


async def details(bench: AtStation) -> Outcome:
    """Every service that is offered has parameter sets with the parameters of its kind."""
    visit = await (await bench.at("ServiceDiscovery")).through("ServiceDiscovery")
    for service in (*energy(visit), *added(visit)):
        found = await told(visit, service)
        if isinstance(found, str):
            return failed(found)
        row = next((each for each in SERVICES.values() if each.id == service), None)
        for one in found.ServiceParameterList.ParameterSet:
            missing = [name for name in (row.parameters if row else ()) if name not in asked.parameters(one)]
            if missing:
                return failed(f"service {service}, parameter set {one.ParameterSetID} lacks {', '.join(missing)}")
    return passed(f"services {energy(visit)} and {added(visit)}, each with its parameters")


async def no_such(bench: AtStation) -> Outcome:
    """The detail of what is not offered."""
    visit = await (await bench.at("ServiceDiscovery")).through("ServiceDiscovery")
    service = {"not offered": unoffered(visit), "0": 0, "65535": 65_535}[bench.part]
    return await fatal(bench, visit, await visit.ask(asked.detail(service)), INVALID, of=cm.ServiceDetailReq)


async def controls(bench: AtStation) -> Outcome:
    """The service is offered in both control modes."""
    visit = await (await bench.at("ServiceDetail")).through("ServiceDetail")
    sets = visit.heard.of("ServiceDetailRes").ServiceParameterList.ParameterSet
    modes = sorted({asked.parameters(one).get("ControlMode") for one in sets}, key=str)
    return judged(modes == sorted(CONTROL.values()), f"control modes {modes}")


async def mobility(bench: AtStation) -> Outcome:
    """Needs are left to the station in Dynamic control alone."""
    visit = await (await bench.at("ServiceDetail")).through("ServiceDetail")
    sets = [asked.parameters(one) for one in visit.heard.of("ServiceDetailRes").ServiceParameterList.ParameterSet]
    wrong = [one for one in sets if one.get("MobilityNeedsMode") == MOBILITY["SECC"] and one.get("ControlMode") != CONTROL["Dynamic"]]
    return judged(not wrong, f"{len(sets)} parameter sets, {len(wrong)} with needs by the station outside of Dynamic control")


async def many(bench: AtStation) -> Outcome:
    """Details as often as a car likes, and a selection after them."""
    visit = await (await bench.at("ServiceDiscovery")).through("ServiceDiscovery")
    services = (*energy(visit), *added(visit))
    for number in range(32):
        found = await told(visit, services[number % len(services)])
        if isinstance(found, str):
            return failed(f"request {number + 1}: {found}")
    return granted(await _selected(visit), "ServiceSelectionRes")


async def _selected(visit: Visit) -> Reply:
    await visit.through("ServiceDetail")
    return await visit.ask(visit.due())


# --- selection ---


async def selected(bench: AtStation) -> Outcome:
    """An offered service with a parameter set that was told."""
    visit = await bench.at("ServiceSelection")
    return granted(await visit.ask(visit.due()), "ServiceSelectionRes")


async def never_given(bench: AtStation) -> Outcome:
    """A parameter set that nobody told."""
    visit = await bench.at("ServiceSelection")
    sets = [one.ParameterSetID for one in visit.heard.of("ServiceDetailRes").ServiceParameterList.ParameterSet]
    wrong = asked.selection(SERVICES[visit.ways.service].id, next(each for each in range(40_000, 60_000) if each not in sets))
    return await fatal(bench, visit, await visit.ask(wrong), SELECTION, of=cm.ServiceSelectionReq)


async def never_asked(bench: AtStation) -> Outcome:
    """A service whose parameter sets were not asked for."""
    visit = await bench.at("ServiceSelection")
    other = next((each for each in energy(visit) if each != SERVICES[visit.ways.service].id), None)
    if other is None:
        raise Blocked(f"the station tells of one energy service over this protocol, {SERVICES[visit.ways.service].id}")
    return await fatal(bench, visit, await visit.ask(asked.selection(other, 1)), SELECTION, of=cm.ServiceSelectionReq)


async def only_added(bench: AtStation) -> Outcome:
    """A value-added service in the place of the energy service."""
    visit = await bench.at("ServiceSelection")
    if not added(visit):
        return failed("value-added services are claimed, and none is told")
    found = await told(visit, added(visit)[0])
    if isinstance(found, str):
        return failed(found)
    wrong = asked.selection(added(visit)[0], found.ServiceParameterList.ParameterSet[0].ParameterSetID)
    return await fatal(bench, visit, await visit.ask(wrong), NO_ENERGY, of=cm.ServiceSelectionReq)


async def one_wrong_of_many(bench: AtStation) -> Outcome:
    """A list of value-added services with one that there is not."""
    visit = await bench.at("ServiceSelection")
    wrong = cm.SelectedServiceType(ServiceID=unoffered(visit), ParameterSetID=1)
    request = cm.ServiceSelectionReq(
        Header=UNSTAMPED,
        SelectedEnergyTransferService=visit.due().SelectedEnergyTransferService,
        SelectedVASList=cm.SelectedServiceListType(SelectedService=(wrong,) * 16),
    )
    return await fatal(bench, visit, await visit.ask(request), SELECTION, of=cm.ServiceSelectionReq)


CASES = (
    case(
        id="S-SVD-01", kind=Kind.POSITIVE, requirement=("V2G20-1248",), purpose="A car that does not filter is told of everything",
        stimulus="ServiceDiscoveryReq without SupportedServiceIDs", expected=("OK, and every claimed energy service of this protocol",),
        script=everything,
    ),
    case(
        id="S-SVD-02", kind=Kind.NEGATIVE, requirement=("V2G20-1249",), purpose="A filter leaves no list empty that must not be",
        stimulus="ServiceDiscoveryReq with one offered id, with sixteen, with one that there is not",
        expected=("OK with at least one energy service", "FAILED where nothing fits"), script=filtered,
        parts=("one", "sixteen", "none that there is"), control="S-SVD-01",
    ),
    case(
        id="S-SVD-03", kind=Kind.POSITIVE, requirement=("V2G20-1956",), purpose="Renegotiation of services is told as it is",
        stimulus="ServiceDiscoveryReq", expected=("ServiceRenegotiationSupported as claimed",), script=renegotiable,
    ),
    case(
        id="S-SVD-04", kind=Kind.NEGATIVE, requirement=("V2G20-459", "V2G20-460"), purpose="Services are asked for in their turn",
        stimulus="AuthorizationReq where ServiceDiscoveryReq is due; ServiceDiscoveryReq with a foreign SessionID",
        expected=(OUT_OF_TURN, FOREIGN), script=discovery_in_turn, parts=("another request", "another session"), control="S-SVD-01",
    ),
    case(
        id="S-SVT-01", kind=Kind.POSITIVE, requirement=(), purpose="Every service has its parameters", precondition="services are told",
        stimulus="ServiceDetailReq for every service that was told",
        expected=("OK, the same ServiceID, at least one parameter set with the parameters of that service",), script=details,
    ),
    case(
        id="S-SVT-02", kind=Kind.NEGATIVE, requirement=("V2G20-425", "V2G20-464"), purpose="What is not offered has no parameters",
        precondition="services are told", stimulus="ServiceDetailReq for an id that was not told, for 0, for 65535",
        expected=(f"{INVALID}, {ENDS}",), script=no_such, parts=("not offered", "0", "65535"), control="S-SVT-01",
    ),
    case(
        id="S-SVT-03", kind=Kind.POSITIVE, requirement=("V2G20-2656",), purpose="A station offers both control modes",
        precondition="services are told", condition=("scheduled", "dynamic"), stimulus="ServiceDetailReq for the energy service",
        expected=("parameter sets for Scheduled and for Dynamic",), script=controls,
    ),
    case(
        id="S-SVT-04", kind=Kind.POSITIVE, requirement=("V2G20-2663",), purpose="Needs are left to the station in Dynamic control alone",
        precondition="services are told", stimulus="ServiceDetailReq for the energy service",
        expected=("MobilityNeedsMode 2 only with ControlMode 2",), script=mobility,
    ),
    case(
        id="S-SVT-05", kind=Kind.POSITIVE, requirement=(), purpose="A car may ask for parameters as often as it likes",
        precondition="services are told", stimulus="32 ServiceDetailReq for services in turn, then ServiceSelectionReq",
        expected=("each is answered with its parameter sets, and the selection is granted",), script=many,
    ),
    case(
        id="S-SEL-01", kind=Kind.POSITIVE, requirement=(), purpose="What was told can be selected", precondition="parameter sets are told",
        stimulus="ServiceSelectionReq for a service and a parameter set that were told", expected=("OK",), script=selected,
    ),
    case(
        id="S-SEL-02", kind=Kind.NEGATIVE, requirement=("V2G20-433", "V2G20-467"), purpose="Only what was told can be selected",
        precondition="parameter sets are told", stimulus="ServiceSelectionReq with a parameter set that was not told",
        expected=(f"{SELECTION}, {ENDS}",), script=never_given, control="S-SEL-01",
    ),
    case(
        id="S-SEL-03", kind=Kind.NEGATIVE, requirement=("V2G20-433",), purpose="A service is looked at before it is selected",
        precondition="parameter sets are told", condition=("bpt",),
        stimulus="ServiceSelectionReq for an energy service whose parameter sets nobody asked for", expected=(f"{SELECTION}, {ENDS}",),
        script=never_asked, control="S-SEL-01",
    ),
    case(
        id="S-SEL-04", kind=Kind.NEGATIVE, requirement=("V2G20-1618",), purpose="Energy comes from an energy service",
        precondition="parameter sets are told", condition=("vas",), stimulus="ServiceSelectionReq with a value-added service alone",
        expected=(f"{NO_ENERGY}, {ENDS}",), script=only_added, control="S-SEL-01",
    ),
    case(
        id="S-SEL-05", kind=Kind.NEGATIVE, requirement=("V2G20-433",), purpose="A selection holds as a whole",
        precondition="parameter sets are told", condition=("vas",),
        stimulus="ServiceSelectionReq with a sound energy service and sixteen value-added ones that there are not",
        expected=(f"{SELECTION}, {ENDS}",), script=one_wrong_of_many, control="S-SEL-01",
    ),
)  # fmt: skip
