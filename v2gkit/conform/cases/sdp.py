"""Discovery: what a station answers on its link, and what it must not."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from v2g.iso20.timing import SECC_COMMUNICATION_SETUP_TIMEOUT
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.session import sdp
from v2g.session.errors import FramingError
from v2g.session.link import Unreachable
from v2g.session.sdp import Request, Response, Security, Transport
from v2g.session.transport.addresses import is_loopback
from v2g.session.v2gtp import PayloadType
from v2gkit.conform import asked
from v2gkit.conform.asker import Asker
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.running import Blocked, Unreached
from v2gkit.conform.spoilt import header
from v2gkit.conform.verdict import Outcome, failed, judged, passed

SOON = 1.25  # s within which a station answers
SILENT = "no answer within 1.25 s, and the next sound request is answered"
case = partial(
    Case, role="station", domain="CMN", condition=("sdp",), precondition="the data link is up", control="S-SDP-01", claim="connection"
)
TLS = sdp.encode(Request(Security.TLS))
BODY = TLS[8:]


async def asker(bench: AtStation) -> Asker:
    """A socket on the charging link. Raises Blocked where there is none."""
    if not bench.iface:
        raise Blocked("no charging link: give --iface NAME")
    try:
        return await Asker.opened(bench.iface, bench.pics.test.sdp_port)
    except (OSError, Unreachable) as error:
        raise Blocked(f"cannot ask on {bench.iface}: {error}") from None


def read(datagram: bytes) -> Response | str:
    """The answer in a datagram; why it is none, in words."""
    try:
        return sdp.decode(Response, datagram)
    except FramingError as error:
        return str(error)


def wrong(bench: AtStation, answer: Response) -> str:
    """Why a car must not use an answer, in words; empty where it may."""
    return sdp.unusable(answer, Request(Security.TLS), loopback=is_loopback(bench.iface)) or ""


async def first(bench: AtStation, link: Asker, datagram: bytes = TLS) -> Response | str:
    """The first answer to a datagram; why there is none, in words."""
    heard = await link.ask(datagram, SOON)
    return read(heard) if heard is not None else f"no answer within {SOON:g} s"


async def connects(answer: Response, iface: str) -> str:
    """Empty where something listens at the place of an answer; else why not."""
    host = str(answer.address) + (f"%{iface}" if answer.address.is_link_local else "")
    try:
        async with asyncio.timeout(5.0):
            _, writer = await asyncio.open_connection(host, answer.port)
    except (OSError, TimeoutError) as error:
        return f"nothing listens at [{host}]:{answer.port}: {error or 'no answer'}"
    writer.close()
    return ""


async def found(bench: AtStation) -> Outcome:
    """A sound request is answered with a place where somebody listens."""
    async with await asker(bench) as link:
        began = time.monotonic()
        answer = await first(bench, link)
        if isinstance(answer, str):
            return failed(answer)
        complaint = wrong(bench, answer) or await connects(answer, bench.iface)
        return judged(not complaint, complaint or f"[{answer.address}]:{answer.port} with TLS, after {time.monotonic() - began:.2f} s")


async def unprotected(bench: AtStation) -> Outcome:
    """A request without TLS leads to no -20 without TLS."""
    async with await asker(bench) as link:
        answer = await first(bench, link, sdp.encode(Request(Security.NONE)))
    if isinstance(answer, str) or answer.security is Security.TLS:
        return passed(answer if isinstance(answer, str) else "answered with TLS")
    bench.outlet = (str(answer.address) + (f"%{bench.iface}" if answer.address.is_link_local else ""), answer.port)
    wire = await bench.wire(None)
    request: supportedAppProtocolReq = asked.negotiation(bench.ways())
    await wire.tell(request)
    reply = await wire.reply(2.0)
    return judged(not reply.ok, f"answered without TLS; -20 there: {reply}")


async def often(bench: AtStation) -> Outcome:
    """Fifty requests, as a car makes them: the place in the first answer still stands."""
    async with await asker(bench) as link:
        answers: list[Response] = []
        for _ in range(50):
            heard = await link.ask(TLS, 0.25)
            answer = read(heard) if heard is not None else "silence"
            if isinstance(answer, Response):
                answers.append(answer)
        if not answers:
            return failed("no answer to fifty requests")
        complaint = await connects(answers[0], bench.iface)
    places = {(each.address, each.port) for each in answers}
    return judged(not complaint, complaint or f"{len(answers)} answers, {len(places)} places, the first still stands")


async def flood(bench: AtStation) -> Outcome:
    """Two thousand requests a second for ten seconds; then one that is answered."""
    links = [await asker(bench) for _ in range(20)]
    try:
        until, sent = time.monotonic() + 10.0, 0
        while time.monotonic() < until:
            for link in links:
                link.tell(TLS)
            sent += len(links)
            await asyncio.sleep(0.01)
    finally:
        for link in links:
            link.close()
    return await _served(bench, f"{sent} requests in 10 s")


async def _served(bench: AtStation, what: str) -> Outcome:
    """Pass where a sound request is answered again in time."""
    began = time.monotonic()
    answer: Response | str = ""
    while time.monotonic() - began < bench.pics.test.recovery:
        async with await asker(bench) as link:
            answer = await first(bench, link)
        if isinstance(answer, Response):
            return passed(f"{what}; then answered after {time.monotonic() - began:.1f} s")
    return failed(f"{what}; then {answer}")


LENGTHS = {"0": 0, "1": 1, "3": 3, "255": 255}
MALFORMED: Mapping[str, Mapping[str, Sequence[bytes]]] = {
    "S-SDP-05": {"": [header(PayloadType.SDP_REQUEST, 2, version=0xFF) + BODY]},
    "S-SDP-06": {"": [header(PayloadType.SDP_REQUEST, 2, inverse=0xFF) + BODY]},
    "S-SDP-07": {"": [header(0x7000, 2) + BODY]},
    "S-SDP-08": {name: [header(PayloadType.SDP_REQUEST, value) + BODY] for name, value in LENGTHS.items()},
    "S-SDP-09": {"": [header(PayloadType.SDP_REQUEST, 0xFFFFFFF8 + each) + BODY for each in range(8)]},
    "S-SDP-10": {"": [*(TLS[:each] for each in range(1, 10)), b"", os.urandom(1400)]},
    "S-SDP-11": {
        "reserved security": [TLS[:8] + bytes((each, 0x00)) for each in (0x01, 0x0F, 0x11, 0x7F, 0xFF)],
        "UDP": [TLS[:8] + bytes((Security.TLS, Transport.UDP))],
    },
}


async def malformed(bench: AtStation, id: str) -> Outcome:
    """Datagrams that are no request: silence, and the next sound request is answered."""
    async with await asker(bench) as link:
        for datagram in MALFORMED[id][bench.part]:
            heard = await link.ask(datagram, SOON if len(MALFORMED[id][bench.part]) == 1 else 0.3)
            if heard is not None:
                return failed(f"{datagram[:12].hex()} is answered by {heard.hex()}")
    return await _served(bench, f"{len(MALFORMED[id][bench.part])} datagrams, no answer")


async def gone(bench: AtStation) -> Outcome:
    """A car that matches on the link, asks, and never connects."""
    await bench.pull("link_down")
    async with await asker(bench) as link, bench.driven("link_up", "link_down"):
        before = await first(bench, link)
        if isinstance(before, str):
            raise Unreached(f"with the link up: {before}")
        await asyncio.sleep(SECC_COMMUNICATION_SETUP_TIMEOUT + bench.pics.test.slack)
        after = await first(bench, link)
    told = f"[{after.address}]:{after.port}" if isinstance(after, Response) else after
    return judged(isinstance(after, str), f"{SECC_COMMUNICATION_SETUP_TIMEOUT:g} s after the link stands and nobody came: {told}")


async def disturbed(bench: AtStation) -> Outcome:
    """Requests of another car while the loop goes."""
    async with await asker(bench) as link:
        visit = await bench.at("ChargeLoop")
        slowest = 0.0
        for _ in range(20):
            link.tell(TLS)
            reply = await visit.ask(asked.loop(visit.ways))
            if not reply.ok:
                return failed(str(reply))
            slowest = max(slowest, reply.seconds)
            await asyncio.sleep(0.15)
    return judged(slowest <= 0.5, f"twenty loops beside twenty requests, the slowest answer after {slowest:.2f} s")


def _row(id: str, purpose: str, stimulus: str, kind: Kind = Kind.ROBUSTNESS) -> Case:
    """A case of datagrams that must not be answered."""
    parts = tuple(MALFORMED[id])
    return case(
        id=id, kind=kind, requirement=(), purpose=purpose, stimulus=stimulus, expected=(SILENT,), script=partial(malformed, id=id),
        parts=parts, lasts=4.0,
    )  # fmt: skip


def _sound(**given: Any) -> Case:
    return case(**{"requirement": ("V2G20-1805",), **given})


CASES = (
    _sound(
        id="S-SDP-01", kind=Kind.POSITIVE, control="", purpose="A station is found on its link", stimulus="a request for TLS and TCP",
        expected=("an answer within 1.25 s: TLS, a link-local address, a port where somebody listens",), script=found,
    ),
    _sound(
        id="S-SDP-02", kind=Kind.NEGATIVE, purpose="Discovery leads to no -20 without TLS", stimulus="a request without TLS",
        expected=("no answer", "an answer with TLS", "an answer without TLS where -20 is not taken"), script=unprotected,
    ),
    case(
        id="S-SDP-03", kind=Kind.ROBUSTNESS, requirement=(), purpose="A place that was told stands", within=60.0, lasts=15.0,
        stimulus="fifty requests, one every 0.25 s, then a connection to the first place", expected=("somebody listens there",),
        script=often,
    ),
    case(
        id="S-SDP-04", kind=Kind.ROBUSTNESS, requirement=(), purpose="A flood ends no discovery",
        stimulus="2000 requests a second for 10 s",
        expected=("a sound request is answered within the time of recovery; a good car is served",), script=flood, within=60.0, lasts=14.0,
        claim="station",
    ),
    _row("S-SDP-05", "Another version is no request", "version 0xFF"),
    _row("S-SDP-06", "Another inverse version is no request", "inverse version 0xFF"),
    _row("S-SDP-07", "Another payload type is no request", "payload type 0x7000"),
    _row("S-SDP-08", "Another length is no request", "lengths 0, 1, 3 and 255 with two octets"),
    _row("S-SDP-09", "A length near the end of its range is no request", "lengths 0xFFFFFFF8 to 0xFFFFFFFF with two octets"),
    _row("S-SDP-10", "Octets that are no datagram of discovery harm nobody", "0 to 9 octets of a request, 1400 random octets"),
    _row("S-SDP-11", "What is reserved is not answered", "reserved values of security, UDP as transport", Kind.NEGATIVE),
    case(
        id="S-SDP-12", kind=Kind.TIMING, requirement=(), condition=("sdp", "hal"),
        purpose="A station whose car does not come stops answering",
        stimulus="no connection until the communication setup timeout, then a request", expected=("no answer",), script=gone,
        within=60.0, lasts=22.0, claim="outlet",
    ),
    case(
        id="S-SDP-13", kind=Kind.TIMING, requirement=(), purpose="Discovery disturbs no session", precondition="the charge loop goes",
        stimulus="twenty requests of another car beside the loop", expected=("every loop is answered within 0.5 s",), script=disturbed,
        claim="outlet", lasts=6.0,
    ),
)  # fmt: skip
