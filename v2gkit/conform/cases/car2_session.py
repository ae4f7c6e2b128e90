"""E2-SAP and E2-SES: what a car of ISO 15118-2 offers, and how it begins, resumes and drops a session."""

from functools import partial
from typing import Any

import msgspec

from v2g.iso2.services import PROTOCOL
from v2g.messages import app_protocol as sap
from v2g.messages.iso2.msg_body import SessionSetupReq
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car2_exchanges import CLAIM2, DC2, GOOD2, TABLE2, play2
from v2gkit.conform.cases.car_negotiation import (
    ENDS,
    came_back,
    faulty,
    never_offered,
    none_fits,
    offer,
    paused_and_back,
    withheld,
)
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.good_iso2 import ISO2, good
from v2gkit.conform.scripted.judging import ended, went_on
from v2gkit.conform.scripted.play import Fault
from v2gkit.conform.verdict import Outcome, failed, judged, passed

EVCCID = 6  # octets: a MAC address
car = partial(Case, role="car", domain="CMN", control=GOOD2, within=60.0, condition=CLAIM2)


async def offers(bench: CarBench) -> Outcome:
    """The offer of a car, entry by entry."""
    return await offer(bench, play2())


async def names_the_version(bench: CarBench) -> Outcome:
    """The entry of ISO 15118-2 in the offer."""
    seen = await bench.visit(play2())
    entries = [entry for each in seen.of(sap.supportedAppProtocolReq) for entry in each.AppProtocol]
    if not entries:
        raise Unreached(f"no supportedAppProtocolReq came: {seen.story}")
    told = ", ".join(f"{each.ProtocolNamespace} {each.VersionNumberMajor}.{each.VersionNumberMinor}" for each in entries)
    return judged(any(each.ProtocolNamespace == PROTOCOL.namespace and each.VersionNumberMajor == PROTOCOL.major for each in entries), told)


def minor_deviation(request: sap.supportedAppProtocolReq, desk: Desk) -> Any:
    """The entry is selected, and the station's own minor version is another."""
    code = sap.responseCodeType.OK_SuccessfulNegotiationWithMinorDeviation
    return msgspec.structs.replace(good(request, desk), ResponseCode=code)


async def takes_the_deviation(bench: CarBench) -> Outcome:
    """A selection with a minor deviation is a selection."""
    seen = await bench.visit(play2(fault=Fault("supportedAppProtocolReq", minor_deviation)), patience=4.0)
    return went_on(seen)


def first_setup(seen: Encounter) -> Any:
    """The first SessionSetupReq, as it was heard. Raises Unreached where there was none."""
    found = next((each for each in seen.heard if each.name == "SessionSetup"), None)
    if found is None:
        raise Unreached(f"no SessionSetupReq came: {seen.story}")
    return found


async def begins_anew(bench: CarBench) -> Outcome:
    """The first SessionSetupReq of a car that comes anew."""
    heard = first_setup(await bench.visit(play2()))
    told = f"SessionID {heard.session_id.hex()}, EVCCID {heard.request.EVCCID.hex()}"
    return judged(not any(heard.session_id) and len(heard.request.EVCCID) == EVCCID, told)


async def keeps_its_id(bench: CarBench) -> Outcome:
    """The SessionID of every request after SessionSetup."""
    seen = await bench.visit(play2())
    first_setup(seen)
    after = seen.heard[seen.names.index("SessionSetup") + 1 :]
    other = [each for each in after if each.session_id != seen.session_id]
    if not after:
        raise Unreached(f"nothing came after SessionSetup: {seen.story}")
    return judged(not other, f"{other[0].name} has another SessionID" if other else f"{len(after)} requests, one SessionID")


def zero_session(request: SessionSetupReq, desk: Desk) -> Any:
    """A new session without a SessionID."""
    desk.session_id = bytes(8)
    return good(request, desk)


async def other_session(bench: CarBench) -> Outcome:
    """A response of one state comes in the envelope of another session."""
    nth = 2 if bench.part == "PowerDelivery (Stop)" else 1
    name = bench.part.partition(" ")[0]
    play = play2(fault=Fault(f"{name}Req", faults.foreign_session, nth=nth))
    return ended(await bench.visit(play), bench.close)


# --- pause ---


async def replays(bench: CarBench) -> Outcome:
    """OK_OldSessionJoined: the whole sequence comes again, under the old id."""
    first, second = await paused_and_back(bench, play2())
    came_back(first, second)
    after = second.names[second.names.index("SessionSetup") + 1 :]
    if not after:
        return failed(f"nothing came after OK_OldSessionJoined: {second.story}")
    ids = {each.session_id for each in second.heard if each.session_id is not None}
    return judged(
        after[0] == "ServiceDiscovery" and ids == {first.session_id}, f"after OK_OldSessionJoined came {after[0]}: {second.story}"
    )


async def forgotten(bench: CarBench) -> Outcome:
    """OK_NewSessionEstablished to a car that names its old session: it goes on under the new id."""
    first, second = await paused_and_back(bench, play2(joins=False))
    came_back(first, second)
    after = second.heard[second.names.index("SessionSetup") + 1 :]
    if not after:
        return passed(f"it left: {second.story}") if second.closed else failed(f"nothing came after SessionSetup: {second.story}")
    ids = {each.session_id for each in after}
    return judged(
        after[0].name == "ServiceDiscovery" and ids == {second.session_id}, f"{after[0].name}, under {len(ids)} SessionIDs: {second.story}"
    )


async def joined_unasked(bench: CarBench) -> Outcome:
    """OK_OldSessionJoined to a car that asked for a new session."""
    code = faults.with_code("OK_OldSessionJoined")
    return ended(await bench.visit(play2(fault=Fault("SessionSetupReq", code))), bench.close)


CASES = (
    car(
        id="E2-SAP-01",
        kind=Kind.POSITIVE,
        requirement=("V2G2-169",),
        purpose="The offer of protocols is in order",
        stimulus="none: the offer is read",
        expected=("1 to 20 entries, each SchemaID once, priorities 1 to n each once, -20 only over TLS 1.3",),
        script=offers,
    ),
    car(
        id="E2-SAP-02",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-169",),
        purpose="A SchemaID that was never offered is no agreement",
        stimulus="OK_SuccessfulNegotiation with a SchemaID of no entry",
        expected=ENDS,
        script=faulty("supportedAppProtocol", never_offered, "2"),
    ),
    car(
        id="E2-SAP-03",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-172",),
        purpose="Without a protocol in common there is no session",
        stimulus="Failed_NoNegotiation",
        expected=("TCP is closed",),
        script=faulty("supportedAppProtocol", none_fits, "2"),
    ),
    car(
        id="E2-SAP-04",
        kind=Kind.TIMING,
        requirement=(),
        basis=f"V2G_EVCC_Msg_Timeout, {TABLE2}",
        purpose="A station that does not answer the offer is left",
        stimulus="no supportedAppProtocolRes",
        expected=("TCP is closed after 2 s",),
        script=withheld("supportedAppProtocol", "2"),
        lasts=5.0,
    ),
    car(
        id="E2-SAP-05",
        kind=Kind.POSITIVE,
        requirement=(),
        basis="supportedAppProtocolRes: ResponseCode",
        purpose="A station of another minor version is spoken to",
        stimulus="OK_SuccessfulNegotiationWithMinorDeviation",
        expected=("the session goes on",),
        script=takes_the_deviation,
    ),
    car(
        id="E2-SAP-06",
        kind=Kind.POSITIVE,
        requirement=(),
        basis="ISO 15118-2, the namespace of its schema",
        purpose="A car that speaks ISO 15118-2 says so",
        stimulus="none: the offer is read",
        expected=("an entry with the namespace of ISO 15118-2 and its major version",),
        script=names_the_version,
    ),
    car(
        id="E2-SES-04",
        kind=Kind.POSITIVE,
        requirement=(),
        basis="ISO 15118-2, SessionSetupReq",
        purpose="A car that comes anew begins a new session",
        stimulus="none: SessionSetupReq is read",
        expected=("SessionID 0, an EVCCID of 6 octets",),
        script=begins_anew,
    ),
    car(
        id="E2-SES-05",
        kind=Kind.POSITIVE,
        requirement=("V2G2-460",),
        purpose="A session has one id",
        stimulus="none: the requests are read",
        expected=("every request after SessionSetup has the SessionID of SessionSetupRes",),
        script=keeps_its_id,
    ),
    car(
        id="E2-SES-06",
        kind=Kind.NEGATIVE,
        requirement=(),
        basis="ISO 15118-2, SessionSetupRes: the SessionID of a new session is not 0",
        purpose="A session without id is none",
        stimulus="OK_NewSessionEstablished under SessionID 0",
        expected=ENDS,
        script=faulty("SessionSetup", zero_session, "2"),
    ),
    car(
        id="E2-SES-07",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-460",),
        purpose="A response of another session is none of this one",
        stimulus="a response in the envelope of another SessionID, in every state",
        expected=ENDS,
        script=other_session,
        condition=(*CLAIM2, *DC2),
        parts=(*ISO2.session[1:], "PowerDelivery (Stop)"),
    ),
    car(
        id="E2-SES-08",
        kind=Kind.POSITIVE,
        requirement=("V2G2-740",),
        purpose="A session that was joined again is gone through again",
        precondition="a paused session",
        stimulus="OK_OldSessionJoined",
        expected=("ServiceDiscoveryReq is next, under the old SessionID",),
        script=replays,
        condition=(*CLAIM2, "pause"),
        lasts=6.0,
    ),
    car(
        id="E2-SES-09",
        kind=Kind.NEGATIVE,
        requirement=(),
        basis="ISO 15118-2, SessionSetupRes: OK_NewSessionEstablished",
        purpose="A session that the station forgot is begun anew",
        precondition="a paused session",
        stimulus="OK_NewSessionEstablished to a car that names its old session",
        expected=("ServiceDiscoveryReq is next, under the new SessionID", "the session is ended"),
        script=forgotten,
        condition=(*CLAIM2, "pause"),
        control="E2-SES-08",
        lasts=6.0,
    ),
    car(
        id="E2-SES-10",
        kind=Kind.NEGATIVE,
        requirement=(),
        basis="ISO 15118-2, SessionSetupRes: OK_OldSessionJoined",
        purpose="A session that nobody asked for is not joined",
        stimulus="OK_OldSessionJoined to a car that comes anew",
        expected=ENDS,
        script=joined_unasked,
    ),
)
