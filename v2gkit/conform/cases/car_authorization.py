"""E-AUT: what a car makes of offers and verdicts of authorization, of challenges, and of contracts that come."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from pki.authorization import Accepted, judge
from v2g.iso20.timing import EVCC_ONGOING_TIMEOUT
from v2g.messages import common_messages as cm
from v2g.messages.common_types import processingType, responseCodeType
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car_negotiation import EARLY, ENDS
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults, installing
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter, leaving
from v2gkit.conform.scripted.faults import with_fields
from v2gkit.conform.scripted.good import good, ongoing
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Fault, Play
from v2gkit.conform.scripted.raw import stretched
from v2gkit.conform.verdict import Outcome, failed, judged, passed

GOOD = "E-END-01"
POLLED = 30.0  # s that a station says Ongoing
MARKED = bytes.fromhex("5ac3a5c35ac3a5c3a55a3cc35aa5c33c")  # a challenge that is found again in the octets of a message
CHALLENGES = {"zero": bytes(16), "ones": b"\xff" * 16}
LENGTHS = {"no octet": 0, "15 octets": 15, "17 octets": 17, "255 octets": 255}
FOR_EIM, FOR_PNC = "PnC to a car for EIM", "EIM to a car for PnC"
car = partial(Case, role="car", domain="CMN", control=GOOD, within=60.0)


def asked(seen: Encounter) -> list[str]:
    """The ways by which the car asked to be authorized, without repetition."""
    return list(dict.fromkeys(each.SelectedAuthorizationService.value for each in seen.of(cm.AuthorizationReq)))


async def both_orders(bench: CarBench) -> Outcome:
    """Plug & Charge and EIM are offered, in the order of the part."""
    ways = tuple(bench.part.split(", "))
    seen = await bench.visit(Play(ways=ways))
    if "AuthorizationSetup" not in seen.names:
        raise Unreached(f"the car did not come to AuthorizationSetup: {seen.story}")
    return judged(bool(asked(seen)) and seen.charged, f"it asked by {', '.join(asked(seen)) or 'nothing'}: {seen.story}")


async def way_it_has_not(bench: CarBench) -> Outcome:
    """Only the way is offered that the car is without."""
    way, trigger = ("PnC", "eim") if bench.part == FOR_EIM else ("EIM", "pnc")
    seen = await bench.visit(Play(ways=(way,), fault=Fault("AuthorizationSetupReq", good)), trigger=trigger)
    return ended(seen, bench.close)


async def polls_on(bench: CarBench) -> Outcome:
    """Ongoing for half a minute, then Finished."""
    until: list[float] = []

    def answer(request: Any, desk: Desk) -> Any:
        until[:] = until or [desk.wall() + POLLED]
        return ongoing(request, desk) if desk.wall() < until[0] else good(request, desk)

    seen = await bench.visit(Play(ways=("EIM",), answers={"AuthorizationReq": answer}), reach=POLLED + 30.0)
    requests = seen.of(cm.AuthorizationReq)
    if not requests:
        raise Unreached(f"the car did not come to Authorization: {seen.story}")
    if not seen.charged:
        return failed(f"it did not wait {POLLED:g} s: {seen.story}")
    same = {(each.SelectedAuthorizationService, each.EIM_AReqAuthorizationMode is None) for each in requests}
    return judged(len(same) == 1, f"{len(requests)} requests in {POLLED:g} s, then it went on")


async def polls_no_longer(bench: CarBench) -> Outcome:
    """The station says Ongoing for ever."""
    play = Play(ways=("EIM",), fault=Fault("AuthorizationReq", ongoing, always=True))
    limit = EVCC_ONGOING_TIMEOUT
    return stopped_polling(await bench.visit(play, patience=limit + bench.close), "Authorization", limit, bench.close)


def stopped_polling(seen: Encounter, name: str, limit: float, close: float) -> Outcome:
    """A pass where the car polled one phase for `limit` s at the most, then left in order or closed."""
    since = reached(seen)
    polls = [each for each in seen.after if each.name == name]
    stray = [each for each in seen.after if each.name != name and not leaving(each.request)]
    if stray:
        return failed(f"it went on with {stray[0].name}: {seen.story}")
    if seen.closed is None or seen.closed.at - since > limit + close:
        return failed(f"it still polled after {limit + close:g} s: {seen.story}")
    took = (polls[-1].at if polls else since) - since
    told = f"the last of {len(polls) + 1} requests after {took:.1f} s, closed after {seen.closed.at - since:.1f} s"
    if seen.closed.at - since < min(limit / 2, limit - EARLY):
        return failed(f"it gave up too early: {told}")
    return passed(told)


async def refused(bench: CarBench) -> Outcome:
    """Finished with a warning that nothing was authorized, for ever."""
    warned = with_fields(ResponseCode=responseCodeType.WARNING_EIMAuthorizationFailure, EVSEProcessing=processingType.Finished)
    seen = await bench.visit(Play(ways=("EIM",), fault=Fault("AuthorizationReq", warned, always=True)), patience=10.0)
    reached(seen)
    stray = [each.name for each in seen.after if each.name != "Authorization" and not leaving(each.request)]
    return judged(not stray, f"it went on with {stray[0]}" if stray else seen.story)


# --- Plug & Charge ---


async def challenged(bench: CarBench) -> Outcome:
    """A challenge that is odd in value, or has another length than 16 octets."""
    if bench.part in LENGTHS:
        return await _challenge_of(bench, LENGTHS[bench.part])
    challenges = [CHALLENGES.get(bench.part, MARKED)] * (2 if bench.part == "repeated" else 1)
    for challenge in challenges:
        seen = await bench.visit(Play(ways=("PnC",), challenge=challenge), trigger="pnc")
        echoed = {each.PnC_AReqAuthorizationMode.GenChallenge for each in seen.of(cm.AuthorizationReq) if each.PnC_AReqAuthorizationMode}
        if not echoed and "AuthorizationSetup" not in seen.names:
            raise Unreached(f"the car did not come to AuthorizationSetup: {seen.story}")
        if echoed and echoed != {challenge}:
            return failed(f"it echoed {', '.join(each.hex() for each in echoed)} instead of {challenge.hex()}")
    return passed(f"echoed: {seen.story}" if echoed else f"the session was ended: {seen.story}")


async def _challenge_of(bench: CarBench, length: int) -> Outcome:
    def answer(request: Any, desk: Desk) -> bytes:
        return stretched(faults.octets_of(request, desk), MARKED, bytes(range(length)))

    play = Play(ways=("PnC",), challenge=MARKED, fault=Fault("AuthorizationSetupReq", answer))
    return ended(await bench.visit(play, trigger="pnc"), bench.close)


async def signs_well(bench: CarBench) -> Outcome:
    """The car's signature, chain and account, judged by the roots of the folder."""
    seen = await bench.visit(Play(ways=("PnC",), challenge=MARKED), trigger="pnc")
    requests = [each for each in seen.of(cm.AuthorizationReq) if each.PnC_AReqAuthorizationMode is not None]
    if not requests:
        raise Unreached(f"the car did not ask by Plug & Charge: {seen.story}")
    mode: Any = requests[0].PnC_AReqAuthorizationMode
    signature: Any = requests[0].Header.Signature
    held = bench.certificates
    verdict = judge(mode, signature, MARKED, held.store.anchors, datetime.now(UTC), rules=held.rules, suites=held.suites)
    if not isinstance(verdict, Accepted):
        return failed(f"{verdict.kind}: {verdict.reason}")
    named = [each.URI for each in signature.SignedInfo.Reference]
    told = f"eMAID {verdict.emaid}, signed {', '.join(map(str, named))}, SignedInfo by {verdict.grammar}"
    return judged(named == [f"#{mode.Id}"], told + (f"; {verdict.doubt}" if verdict.doubt else ""))


# --- contracts ---


async def installs_not(bench: CarBench) -> Outcome:
    """A contract in answer to the car's request for one: in order, which the car uses, or wrong in one point."""
    held = bench.certificates
    answer = installing.delivered(bench.part, held)
    play = Play(ways=("PnC", "EIM"), installs=installing.service(held), fault=Fault("CertificateInstallationReq", answer))
    seen = await bench.visit(play, trigger="install", patience=8.0)
    reached(seen)
    if bench.part == installing.IN_ORDER:
        return used(seen)
    if "PnC" in asked(seen):
        return failed("the contract was installed and used")
    return passed(f"not used; then it asked by {', '.join(asked(seen)) or 'nothing'}")


def used(seen: Encounter) -> Outcome:
    """A pass where the car used the contract that is in order. Raises Unreached where not: then no refusal says anything."""
    if asked(seen) != ["PnC"]:
        raise Unreached(f"the car did not use the contract that is in order: {seen.story}")
    return passed("in order, and used")


CASES = (
    car(
        id="E-AUT-01",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2566",),
        purpose="A car takes what it has of the ways that are offered, in either order",
        stimulus="both ways are offered",
        expected=("authorization by one of them, and the session goes on",),
        script=both_orders,
        parts=("PnC, EIM", "EIM, PnC"),
    ),
    car(
        id="E-AUT-02",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2566",),
        purpose="A car leaves in order where it cannot be authorized",
        stimulus="only the way is offered that the car has not",
        expected=ENDS,
        script=way_it_has_not,
        condition=("eim", "pnc"),
        parts=(FOR_EIM, FOR_PNC),
    ),
    car(
        id="E-AUT-03",
        kind=Kind.TIMING,
        requirement=("V2G20-1577", "V2G20-1582"),
        purpose="A car waits for its authorization",
        stimulus="Ongoing for 30 s, then Finished",
        expected=("it asks on, and goes on once it is authorized",),
        script=polls_on,
        condition=("eim",),
        lasts=33.0,
        within=120.0,
    ),
    car(
        id="E-AUT-04",
        kind=Kind.TIMING,
        requirement=(),
        purpose="A car does not wait for ever",
        stimulus="Ongoing for ever",
        expected=("it stops after 60 s",),
        script=polls_no_longer,
        condition=("eim",),
        lasts=63.0,
        within=140.0,
    ),
    car(
        id="E-AUT-05",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2230",),
        purpose="A car that was refused does not charge",
        stimulus="Finished with WARNING_EIMAuthorizationFailure, as often as it asks",
        expected=("it asks again, or leaves in order; no service, no power",),
        script=refused,
        condition=("eim",),
        lasts=4.0,
    ),
    car(
        id="E-AUT-06",
        kind=Kind.ROBUSTNESS,
        requirement=("V2G20-2565",),
        purpose="A challenge is echoed as it came, or is none",
        stimulus="GenChallenge of zeros, of ones, one that comes twice, and ones of other lengths than 16 octets",
        expected=("it is echoed, octet by octet", "the session is ended"),
        script=challenged,
        condition=("pnc",),
        parts=(*CHALLENGES, "repeated", *LENGTHS),
        lasts=5.0,
        within=60.0,
    ),
    car(
        id="E-AUT-07",
        kind=Kind.POSITIVE,
        requirement=("V2G20-2565",),
        purpose="What a car signs is valid",
        stimulus="Plug & Charge alone is offered",
        expected=("signature, digest, chain, purpose and eMAID are valid, and the reference is to PnC_AReqAuthorizationMode",),
        script=signs_well,
        condition=("pnc", "tls"),
    ),
    car(
        id="E-AUT-08",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="A contract that is not proven is not installed",
        precondition="a car without contract that asks for one",
        stimulus="CertificateInstallationRes signed by another, unsigned, changed, or with a key that is not the contract's",
        expected=("the contract is not used",),
        script=installs_not,
        condition=("certificate_installation", "pnc", "tls"),
        parts=installing.UNPROVEN,
        lasts=8.0,
        within=90.0,
    ),
    car(
        id="E-AUT-09",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        purpose="A key that cannot be opened is no key",
        precondition="a car without contract that asks for one",
        stimulus="an encrypted key of another length, a point off its curve",
        expected=("the contract is not used, and the car lives",),
        script=installs_not,
        condition=("certificate_installation", "pnc", "tls"),
        parts=installing.UNOPENABLE,
        lasts=10.0,
        within=90.0,
    ),
)
