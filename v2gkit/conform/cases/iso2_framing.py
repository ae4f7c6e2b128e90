"""ISO 15118-2, V2GTP over TCP: frames that are cut, glued, slow, too long, or wrong in their header."""

from collections.abc import Mapping
from functools import partial

from v2g.session.v2gtp import PayloadType, frame
from v2gkit.conform import framed
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.framed import ALIVE, QUIET
from v2gkit.conform.guest import kind_of
from v2gkit.conform.judging import nothing
from v2gkit.conform.running import Unreached
from v2gkit.conform.spoilt import document, header
from v2gkit.conform.verdict import Outcome, judged
from v2gkit.conform.visit2 import Visit2

case = partial(
    Case,
    role="station",
    domain="CMN",
    condition=("generation_2",),
    precondition="the protocol is agreed upon",
    control="S2-TP-01",
    within=60.0,
)


async def sound(bench: AtStation) -> Outcome:
    """Every answer of a good session has the one payload type; what it says is no matter."""
    visit = await bench.at2("SessionSetup")
    types = set[int]()
    for _ in range(3):
        reply = await visit.ask(visit.due())
        if reply.frame is not None:
            types.add(reply.frame.payload_type)
        if not types <= {PayloadType.EXI}:
            break
        if not reply.ok:
            raise Unreached(f"{kind_of(visit.due()).__name__} was answered by {reply}")
        visit.learn(visit.steps[visit.at], reply.message)
        visit.at += 1
    return judged(types == {PayloadType.EXI}, f"payload types {', '.join(f'0x{each:04X}' for each in sorted(types))}")


async def empty(bench: AtStation) -> Outcome:
    """A frame without a payload."""
    return await framed.instead(bench, header(PayloadType.EXI, 0))


TYPES = {
    "0x7001": 0x7001,
    "that of -20": PayloadType.COMMON,
    "that of discovery": PayloadType.SDP_REQUEST,
    "a manufacturer's": 0xA001,
    "0xFFFF": 0xFFFF,
}


def _due(visit: Visit2) -> bytes:
    return document(visit.octets(visit.due()))


async def other_type(bench: AtStation) -> Outcome:
    """A sound message under a payload type that is not that of -2."""
    visit = await bench.at2("ServiceDiscovery")
    await visit.wire.send(frame(TYPES[bench.part], _due(visit)))
    return nothing(await visit.wire.reply(QUIET))


VERSIONS = {"version": (0xFF, 0xFE), "inverse": (0x01, 0xFF), "version 2": (0x02, 0xFD)}


async def other_version(bench: AtStation) -> Outcome:
    """Another version of V2GTP."""
    return await framed.other_version(bench, *VERSIONS[bench.part])


LENGTHS: Mapping[str, int] = {"0xFFFFFFFF": 0xFFFFFFFF, "0xFFFFFFF8": 0xFFFFFFF8, "0x80000000": 0x80000000}


async def endless(bench: AtStation) -> Outcome:
    """A length near the end of its range, and 4 KiB: before the protocol is agreed upon, or after."""
    length, _, when = bench.part.partition(" ")
    octets = header(PayloadType.EXI, LENGTHS[length]) + bytes(4096)
    return await framed.instead(bench, octets, "SupportedAppProtocol" if when == "before" else "SessionSetup")


async def cut_off(bench: AtStation) -> Outcome:
    """A frame that is cut, and the end of the connection."""
    visit = await bench.at2("ServiceDiscovery")
    await visit.wire.raw(visit.octets(visit.due())[: int(bench.part)])
    visit.wire.abandon()
    wrong = await bench.recovered()
    return judged(not wrong, wrong or "the next car is served")


async def filled(bench: AtStation) -> Outcome:
    """A message with zeros behind it within its frame, as cars on the road send it."""
    visit = await bench.at2("SessionSetup")
    await visit.wire.send(frame(PayloadType.EXI, _due(visit) + bytes(int(bench.part))))
    reply = await visit.wire.reply(QUIET + bench.pics.test.slack)
    return judged(reply.ok or reply.refused or reply.kind == "silence", str(reply))


CASES = (
    case(
        id="S2-TP-01", kind=Kind.POSITIVE, requirement=(), basis="7.8.3, table 10",
        purpose="Every message has the one payload type", control="",
        stimulus="a good beginning", expected=(f"answers in payload type 0x{PayloadType.EXI:04X}",), script=sound,
    ),
    case(
        id="S2-TP-02", kind=Kind.ROBUSTNESS, requirement=("V2G2-800",), purpose="A frame without a payload grants nothing",
        stimulus="payload length 0", expected=(ALIVE,), script=empty,
    ),
    case(
        id="S2-TP-03", kind=Kind.ROBUSTNESS, requirement=("V2G2-800",), purpose="Another payload type grants nothing",
        precondition="the session is set up", stimulus="a sound request under other payload types", expected=(ALIVE,), script=other_type,
        parts=tuple(TYPES),
    ),
    case(
        id="S2-TP-04", kind=Kind.ROBUSTNESS, requirement=("V2G2-800",), purpose="Another version of V2GTP grants nothing",
        stimulus="version, inverse version, version 2", expected=(ALIVE,), script=other_version, parts=tuple(VERSIONS),
    ),
    case(
        id="S2-TP-05", kind=Kind.ROBUSTNESS, requirement=("V2G2-800",), purpose="A length that nobody has memory for costs nothing",
        stimulus="lengths near the end of their range, 4 KiB behind them", expected=(ALIVE,), script=endless,
        parts=tuple(f"{each} {when}" for each in LENGTHS for when in ("before", "after")),
        lasts=5.0,
    ),
    case(
        id="S2-TP-06", kind=Kind.ROBUSTNESS, requirement=(), basis="7.8.3, payload length", purpose="64 MiB are not waited for",
        stimulus="a length of 64 MiB, octet by octet", expected=("the connection ends within 5 s",), script=framed.trickled, lasts=5.0,
    ),
    case(
        id="S2-TP-07", kind=Kind.POSITIVE, requirement=(), basis="7.8.3", purpose="A message may come octet by octet",
        stimulus="SessionSetupReq, one octet to a segment", expected=("OK",), script=framed.octet_by_octet,
    ),
    case(
        id="S2-TP-08", kind=Kind.POSITIVE, requirement=(), basis="7.8.3", purpose="A message may come in two pieces",
        stimulus="SessionSetupReq, cut within its header, behind it and within its payload", expected=("OK",),
        script=lambda bench: framed.in_two_pieces(bench, int(bench.part)),
        parts=("3", "8", "12"),
    ),
    case(
        id="S2-TP-09", kind=Kind.POSITIVE, requirement=(), basis="7.8.3", purpose="Two messages in one segment are two",
        precondition="the session is set up", stimulus="ServiceDiscoveryReq twice in one segment",
        expected=("OK to the first; an answer to the second, or the end of the connection",),
        script=partial(framed.glued, step="ServiceDiscovery"),
    ),
    case(
        id="S2-TP-10", kind=Kind.ROBUSTNESS, requirement=(), basis="7.8.3", purpose="A frame that is cut off harms nobody",
        precondition="the session is set up", stimulus="part of a frame, then the end of the connection",
        expected=("a good car is served afterwards",), script=cut_off, parts=("1", "7", "8", "10"),
    ),
    case(
        id="S2-TP-11", kind=Kind.ROBUSTNESS, requirement=(), basis="7.9.1", purpose="Zeros behind a message harm nobody",
        stimulus="SessionSetupReq with 1, 500 and 60000 zeros behind it",
        expected=("an answer, silence, or the end; a good car is served",),
        script=filled, parts=("1", "500", "60000"),
    ),
)  # fmt: skip
