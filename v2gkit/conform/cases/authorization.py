"""AuthorizationSetup and authorization by external means."""

import asyncio
import time
from functools import partial

import msgspec

from pki.profiles import Role
from v2g.iso20.timing import EVCC_ONGOING_TIMEOUT, SECC_PERFORMANCE
from v2g.messages.common_messages import AuthorizationReq, authorizationType
from v2g.messages.common_types import processingType
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import OUT_OF_TURN, not_authorized, out_of_turn, polled
from v2gkit.conform.randomness import suspicion
from v2gkit.conform.verdict import Outcome, failed, judged
from v2gkit.conform.visit import Visit

EIM, PNC = authorizationType.EIM, authorizationType.PnC
REFUSED = "WARNING_EIMAuthorizationFailure"
case = partial(Case, role="station", domain="CMN")


async def both(bench: AtStation) -> Outcome:
    """Contracts and external means are offered, with a challenge for contracts."""
    setup = await (await bench.at("AuthorizationSetup")).step()
    services = {each.value for each in setup.AuthorizationServices}
    mode = setup.PnC_ASResAuthorizationMode
    seen = f"services {sorted(services)}, {'a challenge of 16 octets' if mode is not None else 'no challenge'}"
    return judged(services == {"EIM", "PnC"} and mode is not None, seen)


async def external_alone(bench: AtStation) -> Outcome:
    """External means are offered, and nothing for contracts."""
    setup = await (await bench.at("AuthorizationSetup")).step()
    services = [each.value for each in setup.AuthorizationServices]
    element = setup.EIM_ASResAuthorizationMode is not None and setup.PnC_ASResAuthorizationMode is None
    return judged(services == ["EIM"] and element, f"services {services}, {'the EIM element' if element else 'not the EIM element alone'}")


async def challenges(bench: AtStation) -> Outcome:
    """Many sessions: what they give contracts to sign looks drawn at random."""
    drawn = []
    for _ in range(bench.pics.test.sessions):
        visit = await (await bench.at("AuthorizationSetup")).through("AuthorizationSetup")
        drawn.append(visit.challenge)
        await visit.ask(asked.stop())
        await visit.wire.close()
    wrong = suspicion(drawn)
    return judged(not wrong, wrong or f"{len(drawn)} challenges, none twice, their bits in balance")


async def too_early(bench: AtStation) -> Outcome:
    """Authorization is asked for before its setup."""
    return await out_of_turn(bench, await bench.at("AuthorizationSetup"), asked.external())


async def announced(bench: AtStation) -> Outcome:
    """Installation of contracts is announced as claimed."""
    setup = await (await bench.at("AuthorizationSetup")).step()
    claimed = bench.pics.claims.certificate_installation
    return judged(
        setup.CertificateInstallationService is claimed, f"CertificateInstallationService is {setup.CertificateInstallationService}"
    )


async def accepted(bench: AtStation) -> Outcome:
    """External means authorize, at once or after a while."""
    visit = await bench.at("Authorization", authorization="EIM")
    reply = await polled(visit, asked.external())
    return judged(reply.ok and reply.name == "AuthorizationRes", str(reply))


async def _poll(visit: Visit, seconds: float) -> tuple[str, int]:
    """Poll four times a second for so long; what went wrong, and how often it was asked."""
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        reply = await visit.ask(asked.external())
        count += 1
        if not reply.ok or reply.seconds > SECC_PERFORMANCE + visit.slack:
            return str(reply), count
        if visit.heard.of("AuthorizationRes").EVSEProcessing is processingType.Finished:
            return f"{reply}, Finished", count
        await asyncio.sleep(0.25)
    return "", count


async def left_open(bench: AtStation) -> Outcome:
    """Half a minute of polls while nobody decides."""
    async with bench.elsewhere(bench.pics.test.waiting):
        wrong, count = await _poll(await bench.at("Authorization", authorization="EIM"), 30.0)
    return judged(not wrong, wrong or f"{count} polls, each answered Ongoing in time")


async def said_no(bench: AtStation) -> Outcome:
    """A refused authorization can be asked for again."""
    async with bench.elsewhere(bench.pics.test.refusing):
        visit = await bench.at("Authorization", authorization="EIM")
        first = await polled(visit, asked.external())
        if first.code != REFUSED:
            return failed(str(first))
        again = await visit.ask(asked.external())
    well = again.kind == "answer" and not again.fatal
    return judged(well, f"{first}; asked again: {again}")


async def never(bench: AtStation) -> Outcome:
    """Nobody ever decides: the station says so before the car gives up."""
    async with bench.elsewhere(bench.pics.test.waiting):
        visit = await bench.at("Authorization", authorization="EIM")
        began, limit = time.monotonic(), EVCC_ONGOING_TIMEOUT + bench.pics.test.slack
        while time.monotonic() - began < limit:
            reply = await visit.ask(asked.external())
            answer = visit.heard.responses.get("AuthorizationRes")
            if reply.kind != "answer" or not reply.ok or answer is None or answer.EVSEProcessing is processingType.Finished:
                break
            await asyncio.sleep(0.25)
        else:
            return failed(f"still Ongoing after {limit:.0f} s")
        after = f"{reply}, {time.monotonic() - began:.1f} s after the first request"
        if reply.ok:
            return failed(f"authorized by nobody: {after}")
        wrong = await bench.ends(visit.wire, reply) if reply.fatal else ""
    return judged(not wrong, wrong or after)


async def contract_where_none(bench: AtStation) -> Outcome:
    """A contract at a station that takes none."""
    visit = await bench.at("Authorization", authorization="EIM")
    request = asked.plug_and_charge(bench.wallet.credential(Role.CONTRACT), bytes(16))
    return await not_authorized(bench, visit, request)


async def at_odds(bench: AtStation) -> Outcome:
    """What is selected and what is given do not belong together."""
    visit = await bench.at("Authorization", authorization="EIM")
    contract = bench.wallet.credential(Role.CONTRACT)
    mode = visit.heard.of("AuthorizationSetupRes").PnC_ASResAuthorizationMode
    by_contract: AuthorizationReq = asked.plug_and_charge(contract, mode.GenChallenge if mode else bytes(16))
    if bench.part == "EIM with a contract":
        return await not_authorized(bench, visit, msgspec.structs.replace(by_contract, SelectedAuthorizationService=EIM))
    return await not_authorized(bench, visit, msgspec.structs.replace(asked.external(), SelectedAuthorizationService=PNC))


CASES = (
    case(
        id="S-AUS-01", kind=Kind.POSITIVE, requirement=("V2G20-2566", "V2G20-2110", "V2G20-697", "V2G20-1219"),
        purpose="A station that takes contracts and external means says so", precondition="a session is set up",
        condition=("eim", "pnc"), stimulus="AuthorizationSetupReq",
        expected=("OK, both services, the element of Plug & Charge with a challenge of 16 octets",), script=both,
    ),
    case(
        id="S-AUS-02", kind=Kind.POSITIVE, requirement=("V2G20-1220", "V2G20-2567"),
        purpose="A station that takes no contracts offers nothing for them", precondition="a session is set up",
        condition=("eim", "not pnc"), stimulus="AuthorizationSetupReq", expected=("OK, EIM alone, its element, no challenge",),
        script=external_alone,
    ),
    case(
        id="S-AUS-03", kind=Kind.ROBUSTNESS, requirement=("V2G20-698", "V2G20-2608"),
        purpose="Challenges cannot be guessed", precondition="a session is set up", condition=("pnc",),
        stimulus="AuthorizationSetupReq in many sessions, as many as the PIXIT say",
        expected=("no challenge twice, bits in balance, every octet over its whole range",), script=challenges,
        within=600.0, lasts=60.0, control="S-PNC-01",
    ),
    case(
        id="S-AUS-04", kind=Kind.NEGATIVE, requirement=("V2G20-459",),
        purpose="Authorization comes after its setup", precondition="a session is set up",
        stimulus="AuthorizationReq where AuthorizationSetupReq is due", expected=(OUT_OF_TURN,), script=too_early, control="S-SSU-01",
    ),
    case(
        id="S-AUS-05", kind=Kind.POSITIVE, requirement=(),
        purpose="Installation of contracts is announced where it is offered, and nowhere else", precondition="a session is set up",
        stimulus="AuthorizationSetupReq", expected=("CertificateInstallationService as claimed",), script=announced,
    ),
    case(
        id="S-AUT-01", kind=Kind.POSITIVE, requirement=("V2G20-2230",), condition=("eim",),
        purpose="A car is authorized by external means", precondition="the setup of the authorization is done",
        stimulus="AuthorizationReq (EIM), again while the station is busy", expected=("OK, in the end Finished",), script=accepted,
        within=90.0,
    ),
    case(
        id="S-AUT-02", kind=Kind.TIMING, requirement=("V2G20-1577", "V2G20-1582"), condition=("eim", "eim_waits"),
        purpose="A car may poll while nobody has decided", precondition="the setup of the authorization is done",
        stimulus="AuthorizationReq (EIM) four times a second for half a minute", expected=("Ongoing each time, each within 1.5 s",),
        script=left_open, within=60.0, lasts=31.0, control="S-AUT-01",
    ),
    case(
        id="S-AUT-03", kind=Kind.NEGATIVE, requirement=("V2G20-2219", "V2G20-2230"), condition=("eim", "eim_refuses"),
        purpose="A refusal is no end: the car may ask again", precondition="the setup of the authorization is done",
        stimulus="AuthorizationReq (EIM) at an outlet where it is refused, then again",
        expected=(f"Finished with {REFUSED}, and an answer to the second that does not end the session",), script=said_no, within=90.0,
        control="S-AUT-01",
    ),
    case(
        id="S-AUT-04", kind=Kind.NEGATIVE, requirement=("V2G20-2209", "V2G20-2226"), condition=("eim", "not pnc"),
        purpose="A contract counts nothing where none are taken", precondition="the setup of the authorization is done",
        stimulus="AuthorizationReq (PnC), properly signed", expected=("a warning or a fatal code; no services afterwards",),
        script=contract_where_none, control="S-AUT-01",
    ),
    case(
        id="S-AUT-05", kind=Kind.NEGATIVE, requirement=(), condition=("eim", "eim_waits"),
        purpose="A car is not kept waiting for ever", precondition="the setup of the authorization is done",
        stimulus="AuthorizationReq (EIM) until the station gives up",
        expected=("a warning, or a fatal code and the end of the connection, within 60 s",), script=never, within=90.0, lasts=58.0,
        control="S-AUT-01",
    ),
    case(
        id="S-AUT-06", kind=Kind.NEGATIVE, requirement=(), condition=("eim", "pnc"),
        purpose="What is selected and what is given must belong together", precondition="the setup of the authorization is done",
        stimulus="AuthorizationReq that selects one service and has the element of the other",
        expected=("a warning or a fatal code; no services afterwards",), script=at_odds,
        parts=("EIM with a contract", "PnC without one"), control="S-AUT-01",
    ),
)  # fmt: skip
