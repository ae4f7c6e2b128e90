"""E-SVC: what a car selects of what it is offered, and what it makes of offers and details that are none."""

from functools import partial
from typing import Any

import msgspec

from v2g.iso20.services import AC, BY_ID, DC, DC_BPT, MCS, SERVICES
from v2g.messages import common_messages as cm
from v2g.messages.common_types import responseCodeType
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car_negotiation import ENDS, by_part
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.good import good, ok, parameter_set, parameters
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Fault, Play
from v2gkit.conform.verdict import Outcome, failed, judged, passed

GOOD = "E-END-01"
MOST_SERVICES, MOST_ADDED, MOST_SETS, MOST_PARAMETERS = 8, 8, 32, 32
ADDED = 60_000  # the first id of a value-added service of nobody
car = partial(Case, role="car", domain="CMN", control=GOOD, within=60.0)


def selected(seen: Encounter) -> cm.SelectedServiceType:
    """What the car selected. Raises Unreached where it did not come so far."""
    requests = seen.of(cm.ServiceSelectionReq)
    if not requests:
        raise Unreached(f"no ServiceSelectionReq came: {seen.story}")
    return requests[0].SelectedEnergyTransferService


async def selects_what_is_offered(bench: CarBench) -> Outcome:
    """Several services, each with several sets."""
    seen = await bench.visit(Play(services=(DC.name, DC_BPT.name, MCS.name), controls=(1, 2)))
    chosen = selected(seen)
    sets = {
        (each.ServiceID, one.ParameterSetID)
        for each in seen.answers
        if isinstance(each, cm.ServiceDetailRes)
        for one in each.ServiceParameterList.ParameterSet
    }
    told = f"service {chosen.ServiceID}, set {chosen.ParameterSetID}, of {sorted(sets)}"
    return judged((chosen.ServiceID, chosen.ParameterSetID) in sets, told)


def other_energy(request: Any, desk: Desk) -> Any:
    """Services of the other kind of current alone, than the negotiated protocol carries."""
    other = AC if SERVICES[desk.play.services[0]].dc else DC
    listed = (cm.ServiceType(ServiceID=other.id, FreeService=True),)
    return msgspec.structs.replace(good(request, desk), EnergyTransferServiceList=cm.ServiceListType(Service=listed))


async def other_energy_only(bench: CarBench) -> Outcome:
    """Nothing that the negotiated protocol can carry."""
    seen = await bench.visit(Play(fault=Fault("ServiceDiscoveryReq", other_energy)))
    reached(seen)
    mismatched = [each.name for each in seen.after if each.name.startswith(("AC_", "DC_"))]
    if mismatched and mismatched != ["DC_WeldingDetection"]:
        return failed(f"it went on with {mismatched[0]}: {seen.story}")
    if seen.closed is None:
        return failed(f"it neither stopped nor closed: {seen.story}")
    return passed(seen.story)


# --- the most that the schema allows ---


def most_services(request: Any, desk: Desk) -> Any:
    """As many services as a message holds, the good one last."""
    own = SERVICES[desk.play.services[0]].id
    others = [number for number in range(20, 100) if number not in BY_ID][: MOST_SERVICES - 1]
    listed = tuple(cm.ServiceType(ServiceID=number, FreeService=False) for number in (*others, own))
    added = tuple(cm.ServiceType(ServiceID=ADDED + number, FreeService=False) for number in range(MOST_ADDED))
    lists = {"EnergyTransferServiceList": cm.ServiceListType(Service=listed), "VASList": cm.ServiceListType(Service=added)}
    return msgspec.structs.replace(good(request, desk), **lists)


def most_sets(request: Any, desk: Desk) -> Any:
    """As many parameter sets as a message holds, each with as many parameters, the good one last."""
    known = parameters(desk.play.services[0], desk.play.controls[0])
    odd = {f"Unknown{number}": number for number in range(MOST_PARAMETERS - len(known))}
    sets = [parameter_set(100 + number, **{**odd, **known, "ControlMode": 9}) for number in range(MOST_SETS - 1)]
    filled = (*sets, parameter_set(5, **known, **odd))
    return ok(request, desk, ServiceID=request.ServiceID, ServiceParameterList=cm.ServiceParameterListType(ParameterSet=filled))


async def most_there_is(bench: CarBench) -> Outcome:
    """Full lists: the car goes on or stops, and lives."""
    play = Play(answers={"ServiceDetailReq": most_sets}, fault=Fault("ServiceDiscoveryReq", most_services))
    seen = await bench.visit(play, patience=bench.close + 5.0)
    reached(seen)
    if crash := bench.crashed(seen):
        return failed(crash)
    if seen.closed is None and not seen.charged:
        return failed(f"it hangs: {seen.story}")
    return passed(seen.story)


# --- details that are none ---


def of_another(request: Any, desk: Desk) -> Any:
    """The details of another service."""
    other = next(number for number in BY_ID if number != request.ServiceID)
    return msgspec.structs.replace(good(request, desk), ServiceID=other)


def unknown_service(request: Any, desk: Desk) -> Any:
    """ServiceDetailRes with the code FAILED_ServiceIDInvalid."""
    return ok(request, desk, ResponseCode=responseCodeType.FAILED_ServiceIDInvalid, ServiceID=request.ServiceID)


def unusable(request: Any, desk: Desk) -> Any:
    """One set, of a control mode that there is none of."""
    sets = (parameter_set(3, **{**parameters(desk.play.services[0], 1), "ControlMode": 9}),)
    return ok(request, desk, ServiceID=request.ServiceID, ServiceParameterList=cm.ServiceParameterListType(ParameterSet=sets))


async def unoffered_set(bench: CarBench) -> Outcome:
    """FAILED_ServiceSelectionInvalid to whatever was selected."""
    answer = lambda request, desk: ok(request, desk, ResponseCode=responseCodeType.FAILED_ServiceSelectionInvalid)  # noqa: E731
    return ended(await bench.visit(Play(fault=Fault("ServiceSelectionReq", answer))), bench.close)


_DETAILS = by_part(
    {
        "of another service": ("ServiceDetail", of_another),
        "FAILED_ServiceIDInvalid": ("ServiceDetail", unknown_service),
        "no set of use": ("ServiceDetail", unusable),
    }
)


async def no_details(bench: CarBench) -> Outcome:
    """Details that leave nothing to select, or a selection that is refused."""
    return await (unoffered_set(bench) if bench.part == "selection refused" else _DETAILS(bench))


CASES = (
    car(
        id="E-SVC-01",
        kind=Kind.POSITIVE,
        requirement=("V2G20-1216",),
        purpose="A car selects what it was offered",
        stimulus="several services, each with several parameter sets",
        expected=("a pair of ServiceID and ParameterSetID that was in a ServiceDetailRes",),
        script=selects_what_is_offered,
    ),
    car(
        id="E-SVC-02",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="A car does not charge by what the protocol cannot carry",
        stimulus="services of the other kind of current alone",
        expected=("the session is ended, without a message of either current",),
        script=other_energy_only,
    ),
    car(
        id="E-SVC-03",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        purpose="A car takes the longest offer that the schema allows",
        stimulus="8 services, 8 value-added ones, 32 sets of 32 parameters",
        expected=("it goes on", "it stops in order"),
        script=most_there_is,
        lasts=6.0,
        within=60.0,
    ),
    car(
        id="E-SVC-04",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-425",),
        purpose="Details that are none are no offer",
        stimulus="ServiceDetailRes of another service, FAILED, or with a set that nobody has; a selection that is refused",
        expected=ENDS,
        script=no_details,
        parts=("of another service", "FAILED_ServiceIDInvalid", "no set of use", "selection refused"),
    ),
)
