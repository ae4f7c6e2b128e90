"""SupportedAppProtocol: which protocol is taken, and what is refused."""

from collections.abc import Mapping
from functools import partial

from v2g.iso20 import frames
from v2g.iso20.services import NAMESPACES, SERVICES
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import nothing
from v2gkit.conform.silence import silent
from v2gkit.conform.spoilt import again, document
from v2gkit.conform.verdict import Outcome, blocked, failed, judged
from v2gkit.conform.wire import Reply

TAKEN, DEVIATES = "OK_SuccessfulNegotiation", "OK_SuccessfulNegotiationWithMinorDeviation"
NONE = "Failed_NoNegotiation"
ISO2 = "urn:iso:15118:2:2013:MsgDef"
UNKNOWN = "urn:example:nobody:speaks:this"
case = partial(Case, role="station", domain="CMN", precondition="TLS is up")


def entry(namespace: str, schema_id: int, priority: int, major: int = 1, minor: int = 0) -> AppProtocolType:
    """One protocol that is offered."""
    return AppProtocolType(
        ProtocolNamespace=namespace, VersionNumberMajor=major, VersionNumberMinor=minor, SchemaID=schema_id, Priority=priority
    )


def served(bench: AtStation) -> str:
    """The namespace of the service that the station is claimed to have."""
    return NAMESPACES[SERVICES[bench.ways().service].schema_set]


async def offered(bench: AtStation, *entries: AppProtocolType) -> Reply:
    """The answer to an offer of these protocols."""
    wire = await bench.wire()
    await wire.tell(supportedAppProtocolReq(AppProtocol=entries))
    return await wire.reply(2.0 + bench.pics.test.slack)


def took(reply: Reply, schema_id: int, code: str = TAKEN) -> Outcome:
    """Pass where that entry is taken with that code."""
    chosen = getattr(reply.message, "SchemaID", None)
    return judged(reply.code == code and chosen == schema_id, f"{reply}, SchemaID {chosen}")


async def one(bench: AtStation) -> Outcome:
    """One protocol, which the station speaks."""
    return took(await offered(bench, entry(served(bench), 7, 1)), 7)


async def ranked(bench: AtStation) -> Outcome:
    """The priority decides, not the place in the list."""
    old, new = (2, 1) if bench.part == "-20 first" else (1, 2)
    entries = [entry(ISO2, 5, old, major=2), entry(served(bench), 6, new)]
    for order in (entries, entries[::-1]):
        wanted = 6 if new == 1 else 5
        outcome = took(await offered(bench, *order), wanted)
        if outcome.verdict != "pass":
            return outcome
    return outcome


async def unserved(bench: AtStation) -> Outcome:
    """A protocol of -20 for energy that the station has not."""
    claims = bench.pics.claims
    name = next((each for each in ("ac", "dc", "acdp", "wpt") if not getattr(claims, each)), None)
    if name is None:
        return blocked("the station claims every kind of energy")
    reply = await offered(bench, entry(NAMESPACES[name], 1, 1))
    return judged(reply.code == NONE or reply.kind == "closed", f"{name.upper()} alone: {reply}")


async def unknown_first(bench: AtStation) -> Outcome:
    """What nobody knows is passed over."""
    return took(await offered(bench, entry(UNKNOWN, 1, 1), entry(served(bench), 2, 2)), 2)


async def nothing_known(bench: AtStation) -> Outcome:
    """Nothing that the station knows."""
    if bench.part == "cut before the first entry":
        wire = await bench.wire()
        sound = bench_octets(bench)
        await wire.send(again(sound, document(sound)[:2]))
        return nothing(await wire.reply(2.0 + bench.pics.test.slack))
    count = 1 if bench.part == "one" else 20
    reply = await offered(bench, *(entry(f"{UNKNOWN}:{each}", each, each) for each in range(1, count + 1)))
    return judged(reply.code == NONE or reply.kind == "closed", str(reply))


def bench_octets(bench: AtStation) -> bytes:
    """The frame of a sound offer."""
    return frames.framed(supportedAppProtocolReq(AppProtocol=(entry(served(bench), 1, 1),)))


async def newer(bench: AtStation) -> Outcome:
    """A later minor version."""
    return took(await offered(bench, entry(served(bench), 3, 1, minor=9)), 3, DEVIATES)


async def unprotected(bench: AtStation) -> Outcome:
    """An offer of -20 without TLS."""
    wire = await bench.tcp()
    await wire.tell(supportedAppProtocolReq(AppProtocol=(entry(served(bench), 1, 1),)))
    reply = await wire.reply(2.0 + bench.pics.test.slack)
    return judged(not reply.ok, str(reply))


async def doubtful(bench: AtStation) -> Outcome:
    """Twice the same: the answer names what was offered, and the same each time."""
    name = served(bench)
    offers: Mapping[str, tuple[AppProtocolType, ...]] = {
        "priority twice": (entry(UNKNOWN, 1, 1), entry(name, 2, 1)),
        "SchemaID twice": (entry(UNKNOWN, 1, 1), entry(name, 1, 2)),
        "SchemaID 255": (entry(name, 255, 1),),
    }
    entries = offers[bench.part]
    first, second = await offered(bench, *entries), await offered(bench, *entries)
    chosen = [getattr(each.message, "SchemaID", None) for each in (first, second)]
    if (first.code, chosen[0]) != (second.code, chosen[1]):
        return failed(f"{first}, SchemaID {chosen[0]}; again: {second}, SchemaID {chosen[1]}")
    named = chosen[0] in [each.SchemaID for each in entries]
    return judged(named if first.ok else first.code == NONE or first.kind == "closed", f"{first}, SchemaID {chosen[0]}, twice")


async def again_after(bench: AtStation) -> Outcome:
    """The negotiation once more."""
    visit = await bench.at("SessionSetup")
    reply = await visit.ask(visit.usual("SupportedAppProtocol"))
    if reply.kind == "silence":
        return failed(str(reply))
    return nothing(reply)


async def mute(bench: AtStation) -> Outcome:
    """No word after TLS."""
    return await silent(bench, "SupportedAppProtocol", 15.0, 60.0)


CASES = (
    case(
        id="S-SAP-01", kind=Kind.POSITIVE, requirement=("V2G20-169",), purpose="What the station speaks is taken",
        stimulus="one entry, of a service of the station", expected=(f"{TAKEN}, the SchemaID of that entry",), script=one,
    ),
    case(
        id="S-SAP-02", kind=Kind.POSITIVE, requirement=("V2G20-167", "V2G20-169"), condition=("generation_2",),
        purpose="The car's priority decides", stimulus="-2 and -20 in either rank and either order", script=ranked,
        expected=(f"{TAKEN}, the SchemaID of the entry with priority 1",), parts=("-20 first", "-2 first"),
    ),
    case(
        id="S-SAP-03", kind=Kind.NEGATIVE, requirement=("V2G20-169",), purpose="Energy that the station has not is not taken",
        stimulus="one entry of -20 for another kind of energy", expected=(NONE, "the end of the connection"), script=unserved,
        control="S-SAP-01",
    ),
    case(
        id="S-SAP-04", kind=Kind.POSITIVE, requirement=("V2G20-169",), purpose="What nobody knows is passed over",
        stimulus="an unknown namespace with priority 1, -20 with priority 2", expected=(f"{TAKEN}, the SchemaID of -20",),
        script=unknown_first,
    ),
    case(
        id="S-SAP-05", kind=Kind.ROBUSTNESS, requirement=(), purpose="A list without anything known harms nobody",
        stimulus="one unknown namespace, twenty, a document that ends before its first entry",
        expected=(f"{NONE} or the end of the connection; a good car is served afterwards",), script=nothing_known,
        parts=("one", "twenty", "cut before the first entry"), control="S-SAP-01",
    ),
    case(
        id="S-SAP-06", kind=Kind.POSITIVE, requirement=(), purpose="A later minor version is spoken all the same",
        stimulus="-20 with VersionNumberMinor 9", expected=(DEVIATES,), script=newer,
    ),
    case(
        id="S-SAP-07", kind=Kind.NEGATIVE, requirement=("V2G20-2356", "V2G20-1805"), condition=("tls",), precondition="TCP alone is up",
        purpose="-20 is not spoken without TLS", stimulus="supportedAppProtocolReq for -20 over plain TCP",
        expected=(NONE, "the end of the connection", "silence"), script=unprotected, control="S-SAP-01",
    ),
    case(
        id="S-SAP-08", kind=Kind.ROBUSTNESS, requirement=(), purpose="An offer that leaves doubts is answered the same way each time",
        stimulus="one priority twice, one SchemaID twice, SchemaID 255", expected=("the SchemaID of an entry", NONE), script=doubtful,
        parts=("priority twice", "SchemaID twice", "SchemaID 255"), control="S-SAP-01",
    ),
    case(
        id="S-SAP-09", kind=Kind.NEGATIVE, requirement=(), purpose="The protocol is agreed upon once",
        precondition="the protocol is agreed upon",
        stimulus="supportedAppProtocolReq once more", expected=("FAILED", "the end of the connection"), script=again_after,
        control="S-SAP-01",
    ),
    case(
        id="S-SAP-10", kind=Kind.TIMING, requirement=(), purpose="A car that says nothing after TLS is left",
        stimulus="nothing",
        expected=("the connection ends after the time for communication setup (18 s), at the latest after the sequence timeout (60 s)",),
        script=mute, within=90.0, lasts=20.0, control="S-SAP-01",
    ),
)  # fmt: skip
