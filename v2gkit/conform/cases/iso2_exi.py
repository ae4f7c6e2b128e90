"""ISO 15118-2, EXI documents that no encoder writes: another header, cut, too long in every way, changed bit by bit, of another schema."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from v2g.exi.codec import encode
from v2g.messages import schema_set
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2 import msg_data_types as mt
from v2g.messages.iso2.msg_def import V2G_Message
from v2g.messages.iso2.msg_header import MessageHeaderType
from v2g.session.v2gtp import PayloadType, frame
from v2gkit.conform import asked, asked2
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import NOTHING_GRANTED, nothing
from v2gkit.conform.speech import framed
from v2gkit.conform.spoilt import again, document, flipped, with_claimed
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit2 import Visit2
from v2gkit.conform.wire import Reply

ALIVE = f"{NOTHING_GRANTED}; a good car is served afterwards"
CUT = ("SupportedAppProtocol", "SessionSetup", "ServiceDiscovery", "PaymentServiceSelection", "ChargeParameterDiscovery")
MOST = 12  # places of one message at which it is cut
case = partial(
    Case, role="station", domain="CMN", kind=Kind.ROBUSTNESS, requirement=(), condition=("generation_2",), basis="7.9.1",
    precondition="the message is due", control="S2-SSU-01", within=120.0,
)  # fmt: skip


async def answered(visit: Visit2, octets: bytes) -> Reply:
    """What follows a frame in the place of the request that is due."""
    await visit.wire.send(octets)
    return await visit.reply(type(visit.due()))


HEADERS: Mapping[str, Callable[[bytes], bytes]] = {
    "a cookie": lambda exi: b"$EXI" + exi,
    "options": lambda exi: bytes((0xA0,)) + exi[1:],
    "another version": lambda exi: bytes((0x81,)) + exi[1:],
    "no distinguishing bits": lambda exi: bytes((0x00,)) + exi[1:],
    "as XML": lambda exi: b"<?xml version='1.0'?><V2G_Message/>",
}


async def other_header(bench: AtStation) -> Outcome:
    """A document with another header than the one of these schemas."""
    visit = await bench.at2("SessionSetup")
    octets = visit.octets(visit.due())
    return nothing(await answered(visit, again(octets, HEADERS[bench.part](document(octets)))))


async def cut(bench: AtStation) -> Outcome:
    """One message, cut at several places, each in a session of its own."""
    probe = await bench.at2(bench.part)
    whole = document(probe.octets(probe.due()))
    probe.wire.abandon()
    places = sorted({1 + number * (len(whole) - 2) // MOST for number in range(MOST)} | {max(len(whole) - 2, 1)})
    done = ""
    for place in places:
        visit = await bench.still(bench.at2(bench.part), done)
        octets = visit.octets(visit.due())
        reply = await answered(visit, again(octets, document(octets)[:place]))
        visit.wire.abandon()
        done = f"a message cut after {place} octets"
        if reply.ok or reply.kind == "garbage":
            return failed(f"cut after {place} of {len(whole)} octets: {reply}")
    return passed(f"cut at {len(places)} places of {len(whole)} octets, nothing granted")


async def bomb(bench: AtStation) -> Outcome:
    """A value that claims a length that nobody has memory for."""
    where, _, power = bench.part.partition(" 2^")
    visit = await bench.at2("ServiceDiscovery" if where == "SessionID" else "SessionSetup")
    value = visit.heard.session_id if where == "SessionID" else visit.evccid
    return nothing(await answered(visit, with_claimed(visit.octets(visit.due()), value, 2 ** int(power))))


async def continued(bench: AtStation) -> Outcome:
    """A number that never ends."""
    visit = await bench.at2("ServiceDiscovery")
    octets = with_claimed(visit.octets(visit.due()), visit.heard.session_id, 8 | 1 << 34, int(bench.part.split()[0]))
    return nothing(await answered(visit, octets))


async def turned(bench: AtStation) -> Outcome:
    """Messages of a beginning with one bit turned, as many as the PIXIT say."""
    drawn, done = random.Random(2 << 20), ""  # noqa: S311 - the same bits each time
    for number in range(bench.pics.test.mutants):
        visit = await bench.still(bench.at2(bench.part), done)
        octets = visit.octets(visit.due())
        bit = drawn.randrange(8 * len(document(octets)))
        await visit.wire.send(flipped(octets, bit))
        reply = await visit.wire.reply(visit.slack + 2.0)
        visit.wire.abandon()
        done = f"bit {bit} was turned (message {number + 1})"
        if reply.kind == "garbage":
            return failed(f"bit {bit} turned (message {number + 1}): {reply}")
    return passed(f"{bench.pics.test.mutants} messages with one bit turned, each answered, refused or ignored")


def _empty(visit: Visit2) -> bytes:
    whole = V2G_Message(Header=MessageHeaderType(SessionID=visit.heard.session_id), Body=mb.BodyType())
    return frame(PayloadType.EXI, encode(whole, schema_set("iso2")))


def _response(visit: Visit2) -> bytes:
    return visit.octets(mb.ServiceDetailRes(ResponseCode=mt.responseCodeType.OK, ServiceID=1))


def _notified(visit: Visit2) -> bytes:
    notice = mt.NotificationType(FaultCode=mt.faultCodeType.ParsingError, FaultMsg="F" * 64)
    header = MessageHeaderType(SessionID=visit.heard.session_id, Notification=notice)
    whole = V2G_Message(Header=header, Body=mb.BodyType(BodyElement=mb.ServiceDiscoveryReq()))
    return frame(PayloadType.EXI, encode(whole, schema_set("iso2")))


def _of20(visit: Visit2) -> bytes:
    exi = document(framed(asked_generation(), asked.setup("WMIV2GKIT0000000001")))
    return frame(PayloadType.EXI, exi)


def asked_generation() -> Any:
    """The tables of -20, whose message comes where none is due."""
    from v2g.iso20.generation import ISO20

    return ISO20


def _negotiated(visit: Visit2) -> bytes:
    return visit.octets(asked2.negotiation())


STRANGE: Mapping[str, Callable[[Visit2], bytes]] = {
    "an empty body": _empty,
    "a response": _response,
    "a message of -20": _of20,
    "the negotiation": _negotiated,
    "no octets of sense": lambda visit: frame(PayloadType.EXI, b"\x80" + b"\xa5" * 40),
    "one octet": lambda visit: frame(PayloadType.EXI, b"\x80"),
    "60000 zeros": lambda visit: frame(PayloadType.EXI, bytes(60_000)),
}


async def strange(bench: AtStation) -> Outcome:
    """What no request is."""
    visit = await bench.at2("ServiceDiscovery")
    return nothing(await answered(visit, STRANGE[bench.part](visit)))


async def noticed(bench: AtStation) -> Outcome:
    """A notification in the header."""
    visit = await bench.at2("ServiceDiscovery")
    reply = await answered(visit, _notified(visit))
    return judged(reply.kind in ("answer", "closed"), str(reply))


async def needlessly_signed(bench: AtStation) -> Outcome:
    """A signature in the header of a request that none is due for."""
    visit = await bench.at2("ServiceDiscovery", authorization="PnC")
    from pki.profiles import Role

    held = visit.wallet.credential(Role.CONTRACT)
    sealed = asked2.sealed(asked2.challenged(bytes(16)), held.key)
    reply = await visit.ask(sealed._replace(message=mb.ServiceDiscoveryReq()))
    return judged(reply.name == "ServiceDiscoveryRes" and (reply.ok or reply.fatal), str(reply))


CASES = (
    case(
        id="S2-EXI-01", purpose="A document with another header grants nothing", stimulus="a cookie, options, another version, XML",
        expected=(ALIVE,), script=other_header, parts=tuple(HEADERS),
    ),
    case(
        id="S2-EXI-02", purpose="A message that is cut grants nothing", stimulus="one message, cut at many places, each in its own session",
        expected=(ALIVE,), script=cut, parts=CUT, lasts=5.0,
    ),
    case(
        id="S2-EXI-03", purpose="A value that claims a length that nobody has memory for costs nothing",
        stimulus="SessionID or EVCCID that claims up to 2^63 octets",
        expected=(ALIVE,), script=bomb, parts=tuple(f"{where} 2^{power}" for where in ("SessionID", "EVCCID") for power in (16, 31, 63)),
    ),
    case(
        id="S2-EXI-04", purpose="A number that never ends costs nothing", stimulus="a length with 100, 10000 octets that add nothing",
        expected=(ALIVE,), script=continued, parts=("100 octets", "10000 octets"),
    ),
    case(
        id="S2-EXI-05", purpose="Turned bits harm nobody", stimulus="many requests with one bit turned", script=turned, lasts=10.0,
        expected=("answered, refused or ignored; a good car is served afterwards",), parts=("SessionSetup", "ServiceDiscovery"),
        within=600.0,
    ),
    case(
        id="S2-EXI-06", kind=Kind.NEGATIVE, purpose="What is no request grants nothing",
        stimulus="an empty body, a response, a message of -20, the negotiation, octets without sense", expected=(NOTHING_GRANTED,),
        script=strange, parts=tuple(STRANGE),
    ),
    case(
        id="S2-EXI-07", purpose="A notification harms nobody", stimulus="ServiceDiscoveryReq with a Notification in its header",
        basis="8.3.3, Notification", expected=("an answer or the end; a good car is served afterwards",), script=noticed,
    ),
    case(
        id="S2-EXI-08", purpose="A signature that is not due harms nobody", stimulus="ServiceDiscoveryReq with a signature in its header",
        basis="7.9.2.4", condition=("generation_2", "pnc", "tls12"), expected=("OK or FAILED; a good car is served afterwards",),
        script=needlessly_signed,
    ),
)  # fmt: skip
