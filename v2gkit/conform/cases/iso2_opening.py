"""ISO 15118-2: SupportedAppProtocol and SessionSetup, where a session begins."""

from collections.abc import Mapping
from functools import partial

from v2g.iso2.services import PROTOCOL
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2gkit.conform import asked2
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.guest import NEW_SESSION
from v2gkit.conform.judging import OUT_OF_TURN, nothing, out_of_turn
from v2gkit.conform.randomness import suspicion
from v2gkit.conform.silence import deserted
from v2gkit.conform.verdict import Outcome, failed, judged
from v2gkit.conform.wire import Reply

TAKEN, DEVIATES, NONE = "OK_SuccessfulNegotiation", "OK_SuccessfulNegotiationWithMinorDeviation", "Failed_NoNegotiation"
NEW = "OK_NewSessionEstablished"
UNKNOWN = "urn:v2gkit:nobody:speaks:this"
DIN = "urn:din:70121:2012:MsgDef"
case = partial(Case, role="station", domain="CMN", condition=("generation_2",))
setup = partial(case, precondition="the protocol is agreed upon")


def entry(namespace: str, schema_id: int, priority: int, major: int = 2, minor: int = 0) -> AppProtocolType:
    """One line of an offer."""
    return AppProtocolType(
        ProtocolNamespace=namespace, VersionNumberMajor=major, VersionNumberMinor=minor, SchemaID=schema_id, Priority=priority
    )


OWN = PROTOCOL.namespace


async def offered(bench: AtStation, *entries: AppProtocolType) -> Reply:
    """What a station says to an offer, on a connection of its own."""
    visit = await bench.visit2()
    return await visit.ask(supportedAppProtocolReq(AppProtocol=entries))


def taken(reply: Reply, schema_id: int, *codes: str) -> Outcome:
    """Pass where the entry of that SchemaID is selected with one of the codes."""
    chosen = getattr(reply.message, "SchemaID", None)
    return judged(reply.code in (codes or (TAKEN,)) and chosen == schema_id, f"{reply}, SchemaID {chosen}, due is {schema_id}")


async def alone(bench: AtStation) -> Outcome:
    """The protocol of -2 is offered alone."""
    return taken(await offered(bench, entry(OWN, 7, 1)), 7)


RANKS: Mapping[str, tuple[AppProtocolType, ...]] = {
    "-2 first, named last": (entry(DIN, 3, 2, 2, 0), entry(UNKNOWN, 5, 3), entry(OWN, 9, 1)),
    "-2 first, named first": (entry(OWN, 9, 1), entry(DIN, 3, 2, 2, 0)),
    "unknown first": (entry(UNKNOWN, 1, 1), entry(OWN, 9, 2)),
}


async def ranked(bench: AtStation) -> Outcome:
    """Ranks of an offer against the order of its entries."""
    return taken(await offered(bench, *RANKS[bench.part]), 9)


async def minor(bench: AtStation) -> Outcome:
    """A later minor version is spoken all the same."""
    return taken(await offered(bench, entry(OWN, 4, 1, minor=int(bench.part))), 4, DEVIATES)


async def major(bench: AtStation) -> Outcome:
    """Another major version is another protocol."""
    reply = await offered(bench, entry(OWN, 4, 1, major=int(bench.part)))
    return judged(reply.code == NONE or reply.kind == "closed", str(reply))


STRANGE: Mapping[str, tuple[AppProtocolType, ...]] = {
    "one": (entry(UNKNOWN, 1, 1),),
    "twenty": tuple(entry(f"{UNKNOWN}:{each}", each, each) for each in range(1, 21)),
    "longest name": (entry("u" * 100, 1, 1),),
}


async def unknown(bench: AtStation) -> Outcome:
    """Nothing that anybody speaks."""
    reply = await offered(bench, *STRANGE[bench.part])
    return judged(reply.code == NONE or reply.kind == "closed", str(reply))


DOUBTS: Mapping[str, tuple[AppProtocolType, ...]] = {
    "priority twice": (entry(OWN, 1, 1), entry(UNKNOWN, 2, 1)),
    "SchemaID twice": (entry(UNKNOWN, 6, 1), entry(OWN, 6, 2)),
    "SchemaID 255": (entry(OWN, 255, 1),),
    "SchemaID 0": (entry(OWN, 0, 1),),
}


async def doubtful(bench: AtStation) -> Outcome:
    """An offer that leaves doubts is answered the same way twice."""
    first, second = await offered(bench, *DOUBTS[bench.part]), await offered(bench, *DOUBTS[bench.part])
    chosen = [getattr(each.message, "SchemaID", None) for each in (first, second)]
    if (first.code, chosen[0]) != (second.code, chosen[1]):
        return failed(f"{first}, SchemaID {chosen[0]}; again: {second}, SchemaID {chosen[1]}")
    named = chosen[0] in [each.SchemaID for each in DOUBTS[bench.part]]
    return judged(named if first.ok else first.code == NONE or first.kind == "closed", f"{first}, SchemaID {chosen[0]}, twice")


async def twice(bench: AtStation) -> Outcome:
    """The negotiation once more."""
    visit = await bench.at2("SessionSetup")
    reply = await visit.ask(asked2.negotiation())
    return failed(str(reply)) if reply.kind == "silence" else nothing(reply)


async def mute(bench: AtStation) -> Outcome:
    """No word on a connection, or none after the protocol is agreed upon."""
    visit = await (bench.visit2() if bench.part == "no offer" else bench.at2("SessionSetup"))
    return await deserted(bench, visit, 15.0, 60.0)


# --- SessionSetup ---


async def begun(bench: AtStation) -> Outcome:
    """A session of its own id."""
    visit = await bench.at2("SessionSetup")
    reply = await visit.ask(visit.due(), session_id=NEW_SESSION)
    drawn = reply.session_id or b""
    well = reply.code == NEW and len(drawn) == 8 and any(drawn)
    return judged(well, f"{reply}, SessionID {drawn.hex()}")


async def drawn(bench: AtStation) -> Outcome:
    """Many sessions: their ids look drawn at random."""
    ids = list[bytes]()
    for _ in range(bench.pics.test.sessions):
        visit = await (await bench.at2("SessionSetup")).through("SessionSetup")
        ids.append(visit.heard.session_id)
        await visit.ask(asked2.stop())
        await visit.wire.close()
    wrong = suspicion(ids)
    return judged(not wrong, wrong or f"{len(ids)} ids, none twice, their bits in balance")


TOLD = {"eight octets": bytes(range(1, 9)), "one octet": b"\x01", "none": b"", "four zeros": bytes(4), "all bits": b"\xff" * 8}


async def nobody(bench: AtStation) -> Outcome:
    """A SessionID that no paused session has: the session is a new one, with another id."""
    visit = await bench.at2("SessionSetup")
    told = TOLD[bench.part]
    reply = await visit.ask(visit.due(), session_id=told)
    found = reply.session_id or b""
    return judged(reply.code == NEW and any(found) and found != told, f"{reply}, SessionID {found.hex()}, told was {told.hex()}")


async def again(bench: AtStation) -> Outcome:
    """SessionSetup in a session."""
    visit = await bench.at2("ServiceDiscovery")
    return await out_of_turn(bench, visit, asked2.setup(visit.evccid))


async def stable(bench: AtStation) -> Outcome:
    """Every response has the id of its session."""
    visit = await bench.at2("SessionSetup")
    ids = set[bytes]()
    while visit.at < len(visit.steps):
        await visit.step()
        ids.add(visit.told)
    return judged(len(ids) == 1, f"SessionIDs {', '.join(sorted(each.hex() for each in ids))} in the responses of one session")


EVCCIDS = {"six octets of zero": bytes(6), "six octets of ones": b"\xff" * 6, "one octet": b"\x0a", "no octets": b""}


async def odd_car(bench: AtStation) -> Outcome:
    """The id of a car that is no address of one."""
    visit = await bench.at2("SessionSetup")
    reply = await visit.ask(asked2.setup(EVCCIDS[bench.part]))
    return judged(reply.name == "SessionSetupRes" and (reply.ok or reply.fatal), str(reply))


NO_PROTOCOL = (NONE, "the end of the connection")
CASES = (
    case(
        id="S2-SAP-01", kind=Kind.POSITIVE, requirement=("V2G2-169",), purpose="ISO 15118-2 is taken where it is offered alone",
        stimulus="one entry, of -2", expected=(f"{TAKEN}, the SchemaID of that entry",), script=alone,
    ),
    case(
        id="S2-SAP-02", kind=Kind.POSITIVE, requirement=("V2G2-169",), purpose="The car's rank decides, not the order of entries",
        stimulus="-2 with the best rank that the station speaks, in several orders", expected=(f"{TAKEN}, the SchemaID of -2",),
        script=ranked, parts=tuple(RANKS), control="S2-SAP-01",
    ),
    case(
        id="S2-SAP-03", kind=Kind.POSITIVE, requirement=("V2G2-170",), purpose="A later minor version is spoken all the same",
        stimulus="-2 with VersionNumberMinor 1, 9", expected=(f"{DEVIATES}, the SchemaID of the entry",), script=minor, parts=("1", "9"),
        control="S2-SAP-01",
    ),
    case(
        id="S2-SAP-04", kind=Kind.NEGATIVE, requirement=("V2G2-172",), purpose="Another major version is another protocol",
        stimulus="the namespace of -2 with VersionNumberMajor 1, 3", expected=NO_PROTOCOL, script=major, parts=("1", "3"),
        control="S2-SAP-01",
    ),
    case(
        id="S2-SAP-05", kind=Kind.ROBUSTNESS, requirement=("V2G2-172",), purpose="A list without anything known harms nobody",
        stimulus="one unknown namespace, twenty, one of 100 characters", expected=(*NO_PROTOCOL, "a good car is served afterwards"),
        script=unknown, parts=tuple(STRANGE), control="S2-SAP-01",
    ),
    case(
        id="S2-SAP-06", kind=Kind.ROBUSTNESS, requirement=(), basis="8.2.3, SupportedAppProtocol",
        purpose="An offer that leaves doubts is answered the same way each time",
        stimulus="one priority twice, one SchemaID twice, SchemaID 0 and 255", expected=("the SchemaID of an entry", NONE),
        script=doubtful, parts=tuple(DOUBTS), control="S2-SAP-01",
    ),
    setup(
        id="S2-SAP-07", kind=Kind.NEGATIVE, requirement=("V2G2-538",), purpose="The protocol is agreed upon once",
        stimulus="supportedAppProtocolReq once more", expected=("Failed_NoNegotiation", "the end of the connection"), script=twice,
        control="S2-SAP-01",
    ),
    case(
        id="S2-SAP-08", kind=Kind.TIMING, requirement=("V2G2-714",), purpose="A car that says nothing at its beginning is left",
        stimulus="nothing on the connection; nothing after the protocol is agreed upon",
        expected=("the connection ends after the time for communication setup (18 s), at the latest after the sequence timeout (60 s)",),
        script=mute, parts=("no offer", "no setup"), within=90.0, lasts=20.0, control="S2-SAP-01",
    ),
    setup(
        id="S2-SSU-01", kind=Kind.POSITIVE, requirement=("V2G2-462", "V2G2-750"), purpose="A session begins, with an id of its own",
        stimulus="SessionSetupReq with SessionID 0", expected=(f"{NEW}, and a SessionID of eight octets that is not 0",), script=begun,
    ),
    setup(
        id="S2-SSU-02", kind=Kind.ROBUSTNESS, requirement=(), basis="8.4.2, SessionID", purpose="Session ids cannot be guessed",
        stimulus="SessionSetupReq in many sessions, as many as the PIXIT say",
        expected=("no id twice, bits in balance, every octet over its whole range",), script=drawn, within=600.0, lasts=30.0,
        control="S2-SSU-01",
    ),
    setup(
        id="S2-SSU-03", kind=Kind.NEGATIVE, requirement=("V2G2-462", "V2G2-750"), purpose="Nobody joins a session that is not there",
        stimulus="SessionSetupReq with SessionIDs of eight octets, one, none, zeros and ones", script=nobody, parts=tuple(TOLD),
        expected=(f"{NEW}, and another SessionID than was told",), control="S2-SSU-01",
    ),
    setup(
        id="S2-SSU-04", kind=Kind.NEGATIVE, requirement=("V2G2-538", "V2G2-459"), purpose="A session begins once",
        precondition="the session is set up", stimulus="SessionSetupReq once more", expected=(OUT_OF_TURN,), script=again,
        control="S2-SSU-01",
    ),
    setup(
        id="S2-SSU-05", kind=Kind.POSITIVE, requirement=("V2G2-460",), purpose="One id goes through a whole session",
        stimulus="a whole session", expected=("the SessionID of SessionSetupRes in the envelope of every response",), script=stable,
        within=90.0, lasts=3.0,
    ),
    setup(
        id="S2-SSU-06", kind=Kind.ROBUSTNESS, requirement=(), basis="8.4.3.2.2, EVCCID", purpose="A car with an odd id harms nobody",
        stimulus="EVCCIDs of zeros, ones, one octet, none", expected=("OK or FAILED; a good car is served afterwards",), script=odd_car,
        parts=tuple(EVCCIDS), control="S2-SSU-01",
    ),
)  # fmt: skip
