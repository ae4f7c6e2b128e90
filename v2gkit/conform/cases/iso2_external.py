"""ISO 15118-2, authorization by external means: at once, later, never, or refused."""

import asyncio
import time
from functools import partial

from v2g.iso2.timing import EVCC_ONGOING_TIMEOUT, SECC_PERFORMANCE
from v2g.messages.iso2 import msg_body as mb
from v2gkit.conform import asked2
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.guest import busy
from v2gkit.conform.judging import polled
from v2gkit.conform.verdict import Outcome, failed, judged

WAITS = "Ongoing_WaitingForCustomerInteraction"
case = partial(
    Case, role="station", domain="CMN", condition=("generation_2", "eim"), precondition="external payment is selected", control="S2-EIM-01"
)


async def accepted(bench: AtStation) -> Outcome:
    """External means authorize, at once or after a while."""
    visit = await bench.at2("Authorization", authorization="EIM")
    reply = await polled(visit, mb.AuthorizationReq())
    return judged(reply.ok and reply.name == "AuthorizationRes", str(reply))


async def left_open(bench: AtStation) -> Outcome:
    """Twenty seconds of polls while nobody decides."""
    async with bench.elsewhere(bench.pics.test.waiting):
        visit = await bench.at2("Authorization", authorization="EIM")
        began, count = time.monotonic(), 0
        while time.monotonic() - began < 20.0:
            reply = await visit.ask(mb.AuthorizationReq())
            count += 1
            said = getattr(reply.message, "EVSEProcessing", None)
            if not reply.ok or reply.seconds > SECC_PERFORMANCE + visit.slack or said is None or said.value != WAITS:
                return failed(f"the {count}th poll: {reply}, {said.value if said is not None else 'no EVSEProcessing'}")
            await asyncio.sleep(0.25)
    return judged(count > 0, f"{count} polls, each answered {WAITS} in time")


async def said_no(bench: AtStation) -> Outcome:
    """A refused authorization is no leave to charge."""
    async with bench.elsewhere(bench.pics.test.refusing):
        visit = await bench.at2("Authorization", authorization="EIM")
        until = time.monotonic() + EVCC_ONGOING_TIMEOUT
        reply = await visit.ask(mb.AuthorizationReq())
        while reply.ok and busy(reply.message) and time.monotonic() < until:
            await asyncio.sleep(0.25)
            reply = await visit.ask(mb.AuthorizationReq())
    granted = reply.ok and not busy(reply.message)
    return judged(not granted and reply.kind != "garbage", f"{reply}")


async def too_early(bench: AtStation) -> Outcome:
    """Parameters while nobody has decided."""
    async with bench.elsewhere(bench.pics.test.waiting):
        visit = await bench.at2("Authorization", authorization="EIM")
        await visit.granted(mb.AuthorizationReq())
        reply = await visit.ask(asked2.parameters(visit.ways))
    return judged(reply.code == "FAILED_SequenceError", str(reply))


async def with_a_challenge(bench: AtStation) -> Outcome:
    """A challenge where nobody gave one."""
    visit = await bench.at2("Authorization", authorization="EIM")
    reply = await visit.ask(asked2.challenged(bytes(16)))
    return judged(reply.name == "AuthorizationRes" and (reply.ok or reply.fatal), str(reply))


CASES = (
    case(
        id="S2-EIM-01", kind=Kind.POSITIVE, requirement=("V2G2-854",), purpose="A car is authorized by external means", control="",
        stimulus="AuthorizationReq, again while the station is busy", expected=("OK, in the end Finished",), script=accepted, within=90.0,
    ),
    case(
        id="S2-EIM-02", kind=Kind.TIMING, requirement=("V2G2-854",), condition=("generation_2", "eim", "eim_waits"),
        purpose="A car is told that a customer is waited for", stimulus="AuthorizationReq four times a second while nobody decides",
        expected=(f"{WAITS} each time, each within 1.5 s",), script=left_open, within=60.0, lasts=21.0,
    ),
    case(
        id="S2-EIM-03", kind=Kind.NEGATIVE, requirement=("V2G2-854",), condition=("generation_2", "eim", "eim_refuses"),
        purpose="Who is refused is not charged", stimulus="AuthorizationReq at an outlet where it is refused, for as long as a car would",
        expected=("FAILED", f"{WAITS} for ever", "the end of the connection"), script=said_no, within=90.0, lasts=5.0,
    ),
    case(
        id="S2-EIM-04", kind=Kind.NEGATIVE, requirement=("V2G2-538",), condition=("generation_2", "eim", "eim_waits"),
        purpose="Nothing is agreed upon before the car is authorized", stimulus="ChargeParameterDiscoveryReq while nobody has decided",
        expected=("ChargeParameterDiscoveryRes with FAILED_SequenceError",), script=too_early,
    ),
    case(
        id="S2-EIM-05", kind=Kind.ROBUSTNESS, requirement=(), basis="8.4.3.6, AuthorizationReq",
        purpose="A challenge that nobody gave harms nobody", stimulus="AuthorizationReq with a GenChallenge, unsigned",
        expected=("OK or FAILED; a good car is served afterwards",), script=with_a_challenge,
    ),
)  # fmt: skip
