"""SessionSetup: new sessions, their ids, and who uses another's."""

import os
from functools import partial

from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import FOREIGN, OUT_OF_TURN, foreign, granted, nothing, out_of_turn
from v2gkit.conform.randomness import suspicion
from v2gkit.conform.silence import silent
from v2gkit.conform.spoilt import with_length
from v2gkit.conform.verdict import Outcome, failed, judged, passed

NEW = "OK_NewSessionEstablished"
case = partial(Case, role="station", domain="CMN", precondition="the protocol is agreed upon")


async def new(bench: AtStation) -> Outcome:
    """A session without an id gets one."""
    visit = await bench.at("SessionSetup")
    reply = await visit.ask(visit.due())
    if not (reply.name == "SessionSetupRes" and reply.code == NEW and reply.message is not None):
        return failed(str(reply))
    response = visit.heard.of("SessionSetupRes")
    if response.Header.SessionID == bytes(8) or not response.EVSEID:
        return failed(f"SessionID {response.Header.SessionID.hex()}, EVSEID {response.EVSEID!r}")
    return passed(f"{reply}, SessionID {response.Header.SessionID.hex()}, EVSEID {response.EVSEID}")


async def drawn(bench: AtStation) -> Outcome:
    """Many sessions: their ids look drawn at random."""
    ids = []
    for _ in range(bench.pics.test.sessions):
        visit = await bench.at("AuthorizationSetup")
        ids.append(visit.heard.session_id)
        await visit.ask(asked.stop())
        await visit.wire.close()
    wrong = suspicion(ids)
    return judged(not wrong, wrong or f"{len(ids)} SessionIDs, none twice, their bits in balance")


async def other_first(bench: AtStation) -> Outcome:
    """Another request in place of the first."""
    return await out_of_turn(bench, await bench.at("SessionSetup"), asked.discovery())


async def unknown(bench: AtStation) -> Outcome:
    """An id that no session has is a new session."""
    visit, wanted = await bench.at("SessionSetup"), os.urandom(8)
    reply = await visit.ask(visit.due(), session_id=wanted)
    outcome = granted(reply, "SessionSetupRes", NEW)
    given = visit.heard.responses.get("SessionSetupRes")
    if given is not None and given.Header.SessionID in (wanted, bytes(8)):
        return failed(f"{reply} with SessionID {given.Header.SessionID.hex()}, asked was {wanted.hex()}")
    return outcome


async def stranger(bench: AtStation) -> Outcome:
    """A request under an id that is not this session's."""
    visit = await bench.at("AuthorizationSetup")
    own = visit.heard.session_id
    ids = {"another": bytes(octet ^ 0xA5 for octet in own), "zero": bytes(8), "one bit": bytes((own[0] ^ 1, *own[1:]))}
    return await foreign(bench, visit, ids[bench.part])


async def odd_length(bench: AtStation) -> Outcome:
    """A SessionID that has not eight octets."""
    visit, seen = await bench.at("AuthorizationSetup"), ""
    await visit.wire.send(with_length(visit.octets(visit.due()), visit.heard.session_id, int(bench.part.split()[0])))
    reply = await visit.reply(type(visit.due()))
    return nothing(reply) if not seen else failed(seen)


NAMES = {"empty": "", "one character": "W", "255 characters": "W" * 255, "control characters": "WMI\x01\x1b[31m\x7f\u202e"}


async def named(bench: AtStation) -> Outcome:
    """A car with an odd name."""
    visit = await bench.at("SessionSetup")
    reply = await visit.ask(asked.setup(NAMES[bench.part]))
    return judged(reply.ok or reply.refused, str(reply))


CASES = (
    case(
        id="S-SSU-01",
        kind=Kind.POSITIVE,
        requirement=("V2G20-2106", "V2G20-2621"),
        purpose="A car without a session gets a new one",
        stimulus="SessionSetupReq with SessionID zero",
        expected=(f"{NEW}, a SessionID that is not zero, an EVSEID",),
        script=new,
    ),
    case(
        id="S-SSU-02",
        kind=Kind.ROBUSTNESS,
        requirement=("V2G20-2621", "V2G20-835", "V2G20-2608"),
        purpose="Ids of sessions cannot be guessed",
        stimulus="many sessions, as many as the PIXIT say, one after the other",
        expected=("no id twice, bits in balance, every octet over its whole range, no text of digits",),
        script=drawn,
        within=600.0,
        lasts=60.0,
        control="S-SSU-01",
    ),
    case(
        id="S-SSU-03",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-459",),
        purpose="A session begins with SessionSetup and nothing else",
        stimulus="ServiceDiscoveryReq where SessionSetupReq is due",
        expected=(OUT_OF_TURN,),
        script=other_first,
        control="S-SSU-01",
    ),
    case(
        id="S-SSU-04",
        kind=Kind.TIMING,
        requirement=(),
        purpose="A station does not wait for ever for a car that fell silent after the negotiation",
        stimulus="nothing, after supportedAppProtocolRes",
        expected=("the connection ends after the time for communication setup (18 s), at the latest after the sequence timeout (60 s)",),
        script=partial(silent, step="SessionSetup", least=15.0, most=60.0),
        within=80.0,
        lasts=60.0,
        control="S-SSU-01",
    ),
    case(
        id="S-SSU-05",
        kind=Kind.POSITIVE,
        requirement=(),
        purpose="A session that nobody knows is a new one",
        stimulus="SessionSetupReq with a random SessionID",
        expected=(f"{NEW} with another SessionID",),
        script=unknown,
        control="S-SSU-01",
    ),
    case(
        id="S-SSU-06",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-460",),
        purpose="A request counts only under the SessionID of its session",
        precondition="a session is set up",
        stimulus="AuthorizationSetupReq with another id, with zero, with one bit of the own id turned",
        expected=(FOREIGN,),
        script=stranger,
        parts=("another", "zero", "one bit"),
        control="S-AUS-05",
    ),
    case(
        id="S-SSU-07",
        kind=Kind.ROBUSTNESS,
        requirement=("V2G20-460",),
        purpose="A SessionID has eight octets",
        precondition="a session is set up",
        stimulus="AuthorizationSetupReq whose SessionID is cut, or longer",
        expected=("nothing is granted: silence, a fatal code or the end of the connection; a good car is served afterwards",),
        script=odd_length,
        parts=("0 octets", "1 octet", "7 octets", "9 octets", "16 octets"),
        control="S-AUS-05",
    ),
    case(
        id="S-SSU-08",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        purpose="The name of a car harms nobody",
        stimulus="SessionSetupReq with an EVCCID that is empty, short, as long as can be, or has control characters",
        expected=("OK, or a FAILED code; a good car is served afterwards",),
        script=named,
        parts=tuple(NAMES),
        control="S-SSU-01",
    ),
)
