"""E2-SVD, E2-PSS, E2-AUT, E2-PNC: what a car of ISO 15118-2 chooses of what it is offered, how it pays, and how long it waits for it."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from pki import signature as xmldsig
from pki.chains import octets_of
from pki.errors import CertificateError, SignatureError
from pki.identifiers import normalised
from pki.profiles import ISO2 as RULES
from pki.profiles import Role
from pki.verify import verify
from v2g.messages import schema_set
from v2g.messages.iso2 import msg_data_types as types
from v2g.messages.iso2.msg_body import (
    AuthorizationReq,
    ChargeParameterDiscoveryReq,
    PaymentDetailsReq,
    PaymentServiceSelectionReq,
    ServiceDiscoveryRes,
)
from v2gkit.conform.case import Case, Kind, Script
from v2gkit.conform.cases.car2_exchanges import CLAIM2, GOOD2, PNC2, TABLE2, play2
from v2gkit.conform.cases.car_authorization import LENGTHS, MARKED, POLLED, stopped_polling
from v2gkit.conform.cases.car_negotiation import ENDS
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.good import ongoing
from v2gkit.conform.scripted.good_iso2 import WAYS, good
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Answers, Fault
from v2gkit.conform.scripted.raw import stretched
from v2gkit.conform.verdict import Outcome, failed, judged, passed

ONGOING = 60.0  # s, V2G_EVCC_Ongoing_Timeout
MOST_SERVICES = 8
ADDED = 60_000  # the first id of a value-added service of nobody
Processing, Transfer = types.EVSEProcessingType, types.EnergyTransferModeType
WAITING = (Processing.Ongoing.value, Processing.Ongoing_WaitingForCustomerInteraction.value)
car = partial(Case, role="car", domain="CMN", control=GOOD2, within=60.0, condition=CLAIM2)


# --- what is chosen ---


async def takes_an_offered_mode(bench: CarBench) -> Outcome:
    """Every mode is offered: the one that the car asks for is among them, and its message speaks of that current."""
    seen = await bench.visit(play2())
    asked, offers = seen.of(ChargeParameterDiscoveryReq), [each for each in seen.answers if isinstance(each, ServiceDiscoveryRes)]
    if not asked or not offers:
        raise Unreached(f"the car did not come to ChargeParameterDiscovery: {seen.story}")
    offered = offers[0].ChargeService.SupportedEnergyTransferMode.EnergyTransferMode
    mode, kind = asked[0].RequestedEnergyTransferMode, type(asked[0].EVChargeParameter).__name__
    told = f"{mode.value} with {kind}, of {', '.join(each.value for each in offered)}"
    return judged(mode in offered and kind.startswith(mode.value[:2]), told)


def only(*modes: types.EnergyTransferModeType) -> Answers:
    """ServiceDiscoveryRes with these modes alone."""

    def answer(request: Any, desk: Desk) -> Any:
        made = good(request, desk)
        listed = types.SupportedEnergyTransferModeType(EnergyTransferMode=modes)
        return msgspec.structs.replace(made, ChargeService=msgspec.structs.replace(made.ChargeService, SupportedEnergyTransferMode=listed))

    return answer


async def other_current_only(bench: CarBench) -> Outcome:
    """A car of one current alone, and a station of the other."""
    play = play2(fault=Fault("ServiceDiscoveryReq", only(Transfer.DC_extended, Transfer.DC_core)))
    seen = await bench.visit(play, trigger="ac")
    reached(seen)
    asked = [each for each in seen.after if each.name == "ChargeParameterDiscovery"]
    if asked:
        return failed(f"it asked for {asked[0].request.RequestedEnergyTransferMode.value}, which was not offered: {seen.story}")
    return passed(seen.story) if seen.closed else failed(f"it neither left nor closed: {seen.story}")


def most_services(request: Any, desk: Desk) -> Any:
    """As many value-added services as a message holds."""
    added = tuple(
        types.ServiceType(
            ServiceID=ADDED + number, ServiceName="x" * 32, ServiceCategory=types.serviceCategoryType.OtherCustom, FreeService=False
        )
        for number in range(MOST_SERVICES)
    )
    return msgspec.structs.replace(good(request, desk), ServiceList=types.ServiceListType(Service=added))


async def most_there_is(bench: CarBench) -> Outcome:
    """A full list: the car goes on or leaves, and lives."""
    seen = await bench.visit(play2(fault=Fault("ServiceDiscoveryReq", most_services)), patience=bench.close)
    reached(seen)
    if crash := bench.crashed(seen):
        return failed(crash)
    return passed(seen.story) if seen.after or seen.closed else failed(f"it hangs: {seen.story}")


async def selects_the_charging(bench: CarBench) -> Outcome:
    """The services that the car selects are among those that were offered, the charging one with them."""
    seen = await bench.visit(play2(answers={"ServiceDiscoveryReq": most_services}))
    requests = seen.of(PaymentServiceSelectionReq)
    offers = [each for each in seen.answers if isinstance(each, ServiceDiscoveryRes)]
    if not requests or not offers:
        raise Unreached(f"no PaymentServiceSelectionReq came: {seen.story}")
    charging = offers[0].ChargeService.ServiceID
    listed = offers[0].ServiceList
    offered = {charging, *(each.ServiceID for each in (listed.Service if listed else ()))}
    chosen = [each.ServiceID for each in requests[0].SelectedServiceList.SelectedService]
    return judged(charging in chosen and set(chosen) <= offered, f"services {chosen} of {sorted(offered)}")


# --- how it is paid ---


def paid(seen: Encounter) -> list[str]:
    """The ways to pay that the car selected, by the names of a play."""
    names = {option: way for way, option in WAYS.items()}
    return [names[each.SelectedPaymentOption] for each in seen.of(PaymentServiceSelectionReq)]


async def both_orders(bench: CarBench) -> Outcome:
    """Contract and external payment are offered, in the order of the part."""
    seen = await bench.visit(play2(ways=tuple(bench.part.split(", "))))
    if "ServiceDiscovery" not in seen.names:
        raise Unreached(f"the car did not come to ServiceDiscovery: {seen.story}")
    return judged(bool(paid(seen)) and seen.charged, f"it pays by {', '.join(paid(seen)) or 'nothing'}: {seen.story}")


async def way_it_has_not(bench: CarBench) -> Outcome:
    """Only a contract is taken, and the car has none."""
    seen = await bench.visit(play2(ways=("PnC",), fault=Fault("ServiceDiscoveryReq", good)), trigger="eim")
    reached(seen)
    if "PnC" in paid(seen):
        return failed(f"it selected a contract that it has not: {seen.story}")
    return ended(seen, bench.close)


# --- how long it waits ---


def waiting(processing: types.EVSEProcessingType) -> Answers:
    """AuthorizationRes that puts the car off."""
    return faults.with_fields(EVSEProcessing=processing)


async def polls_on(bench: CarBench) -> Outcome:
    """The station says that it waits, for half a minute; then Finished."""
    until: list[float] = []
    put_off = waiting(Processing(bench.part))

    def answer(request: Any, desk: Desk) -> Any:
        until[:] = until or [desk.wall() + POLLED]
        return put_off(request, desk) if desk.wall() < until[0] else good(request, desk)

    seen = await bench.visit(play2(answers={"AuthorizationReq": answer}), reach=POLLED + 30.0)
    requests = seen.of(AuthorizationReq)
    if not requests:
        raise Unreached(f"the car did not come to Authorization: {seen.story}")
    if not seen.charged:
        return failed(f"it did not wait {POLLED:g} s: {seen.story}")
    return passed(f"{len(requests)} requests in {POLLED:g} s, then it went on")


def polled(request: str, limit: float, answer: Answers = ongoing) -> Script:
    """A script in which one phase never ends: the car stops asking after `limit` s."""

    async def script(bench: CarBench) -> Outcome:
        play = play2(fault=Fault(f"{request}Req", answer, always=True))
        return stopped_polling(await bench.visit(play, patience=limit + bench.close), request, limit, bench.close)

    return script


# --- contracts ---


async def signs_well(bench: CarBench) -> Outcome:
    """The contract, and the signature over the station's challenge."""
    seen = await bench.visit(play2(ways=("PnC",), challenge=MARKED), trigger="pnc")
    details, signed = seen.of(PaymentDetailsReq), [each for each in seen.heard if each.name == "Authorization"]
    if not details or not signed:
        raise Unreached(f"the car did not pay by contract: {seen.story}")
    request: AuthorizationReq = signed[0].request
    if request.GenChallenge != MARKED:
        return failed(f"it echoed {request.GenChallenge.hex() if request.GenChallenge else 'nothing'} instead of {MARKED.hex()}")
    try:
        chain = octets_of(details[0].ContractSignatureCertChain)
        proof = verify(chain, Role.CONTRACT, bench.certificates.store.anchors, datetime.now(UTC), rules=RULES)
        key: Any = proof.chain[0].public_key()
        xmldsig.verify(signed[0].signature, [request], key, schema_set("iso2"), suites=xmldsig.ISO2)
    except (CertificateError, SignatureError) as error:
        return failed(f"what it signed is not valid: {error}")
    same = normalised(details[0].eMAID) == normalised(proof.common_name)
    return judged(same, f"eMAID {details[0].eMAID}, contract {proof.common_name}, signature valid")


async def shows_it_on_tls_alone(bench: CarBench) -> Outcome:
    """A contract is offered as the way to pay on a connection without TLS."""
    seen = await bench.visit(play2(ways=("PnC", "EIM")))
    if seen.facts is not None:
        raise Unreached("the car that comes by the usual command speaks TLS: nothing is seen of it without")
    if not paid(seen):
        raise Unreached(f"no PaymentServiceSelectionReq came: {seen.story}")
    return judged("PnC" not in paid(seen), f"it pays by {', '.join(paid(seen))} without TLS")


async def odd_challenge(bench: CarBench) -> Outcome:
    """A challenge of another length than 16 octets."""

    def answer(request: Any, desk: Desk) -> bytes:
        return stretched(desk.framed(desk.good(request)), MARKED, bytes(range(LENGTHS[bench.part])))

    play = play2(ways=("PnC",), challenge=MARKED, fault=Fault("PaymentDetailsReq", answer))
    return ended(await bench.visit(play, trigger="pnc"), bench.close)


CASES = (
    car(
        id="E2-SVD-04",
        kind=Kind.POSITIVE,
        requirement=("V2G2-476",),
        purpose="A car asks for a mode that it was offered",
        stimulus="several energy transfer modes",
        expected=("RequestedEnergyTransferMode is one of them, and the parameters are of its current",),
        script=takes_an_offered_mode,
    ),
    car(
        id="E2-SVD-05",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-476",),
        purpose="A car does not charge by a current that it has not",
        stimulus="modes of DC alone, to a car for AC",
        expected=("the session is ended, without parameters of either current",),
        script=other_current_only,
        condition=(*CLAIM2, "ac"),
    ),
    car(
        id="E2-SVD-06",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        basis="ServiceListType: 1 to 8 services",
        purpose="A car takes the longest offer that the schema allows",
        stimulus="8 value-added services with names of 32 characters",
        expected=("it goes on", "it stops in order"),
        script=most_there_is,
    ),
    car(
        id="E2-PSS-04",
        kind=Kind.POSITIVE,
        requirement=("V2G2-467", "V2G2-804"),
        purpose="A car selects the charging service, and nothing that was not offered",
        stimulus="the charging service and 8 others",
        expected=("SelectedServiceList has the charging service, and offered ones alone",),
        script=selects_the_charging,
    ),
    car(
        id="E2-PSS-05",
        kind=Kind.POSITIVE,
        requirement=("V2G2-465",),
        purpose="A car takes what it has of the ways to pay, in either order",
        stimulus="both ways are offered",
        expected=("one of them is selected, and the session goes on",),
        script=both_orders,
        parts=("PnC, EIM", "EIM, PnC"),
    ),
    car(
        id="E2-PSS-06",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-465",),
        purpose="A car leaves in order where it cannot pay",
        stimulus="Contract alone, to a car without one",
        expected=ENDS,
        script=way_it_has_not,
        condition=(*CLAIM2, "eim"),
    ),
    car(
        id="E2-AUT-04",
        kind=Kind.TIMING,
        requirement=("V2G2-854",),
        purpose="A car waits for its authorization",
        stimulus="Ongoing, or Ongoing_WaitingForCustomerInteraction, for 30 s, then Finished",
        expected=("it asks on, and goes on once it is authorized",),
        script=polls_on,
        condition=(*CLAIM2, "eim"),
        parts=WAITING,
        lasts=33.0,
        within=120.0,
    ),
    car(
        id="E2-AUT-05",
        kind=Kind.TIMING,
        requirement=(),
        basis=f"V2G_EVCC_Ongoing_Timeout, {TABLE2}",
        purpose="A car does not wait for ever for its authorization",
        stimulus="Ongoing for ever",
        expected=("it stops after 60 s",),
        script=polled("Authorization", ONGOING),
        condition=(*CLAIM2, "eim"),
        lasts=63.0,
        within=140.0,
    ),
    car(
        id="E2-PNC-04",
        kind=Kind.POSITIVE,
        requirement=("V2G2-697",),
        purpose="What a car signs is valid",
        stimulus="Contract alone is offered",
        expected=("challenge, signature, chain and eMAID are valid",),
        script=signs_well,
        condition=(*CLAIM2, *PNC2),
    ),
    car(
        id="E2-PNC-05",
        kind=Kind.ROBUSTNESS,
        requirement=("V2G2-697",),
        purpose="A challenge of another length is none",
        stimulus="GenChallenge of other lengths than 16 octets",
        expected=("the session is ended",),
        script=odd_challenge,
        condition=(*CLAIM2, *PNC2),
        parts=tuple(LENGTHS),
        lasts=5.0,
    ),
    car(
        id="E2-PNC-06",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-631",),
        purpose="A contract is shown on TLS alone",
        stimulus="both ways to pay, without TLS",
        expected=("the car pays by external means", "it leaves"),
        script=shows_it_on_tls_alone,
        condition=(*CLAIM2, "eim"),
    ),
)
