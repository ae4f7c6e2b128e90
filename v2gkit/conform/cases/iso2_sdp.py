"""ISO 15118-2 and discovery: what a station answers to a car that asks for TLS, and to one that does not."""

from functools import partial

from v2g.session import sdp
from v2g.session.sdp import Request, Response, Security, Transport
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.sdp import asker, connects, first
from v2gkit.conform.verdict import Outcome, failed, judged

case = partial(
    Case, role="station", domain="CMN", precondition="the data link is up", claim="connection", control="S2-SDP-01"
)  # fmt: skip
PLAIN, TLS = sdp.encode(Request(Security.NONE)), sdp.encode(Request(Security.TLS))


async def answered(bench: AtStation, datagram: bytes) -> Response | str:
    """The answer to a request, and that somebody listens where it leads; else what is wrong, in words."""
    async with await asker(bench) as link:
        answer = await first(bench, link, datagram)
    if isinstance(answer, str):
        return answer
    return await connects(answer, bench.iface) or answer


async def protected(bench: AtStation) -> Outcome:
    """A car that asks for TLS."""
    answer = await answered(bench, TLS)
    return (
        failed(answer) if isinstance(answer, str) else judged(answer.security is Security.TLS, f"{answer.security.name}, {answer.address}")
    )


async def without(bench: AtStation) -> Outcome:
    """A car that asks for TLS, at a station that has none."""
    answer = await answered(bench, TLS)
    return (
        failed(answer) if isinstance(answer, str) else judged(answer.security is Security.NONE, f"{answer.security.name}, {answer.address}")
    )


async def unprotected(bench: AtStation) -> Outcome:
    """A car that asks for no TLS: it is told what there is, and -2 is spoken there."""
    answer = await answered(bench, PLAIN)
    if isinstance(answer, str):
        return failed(answer)
    if answer.security is Security.TLS:
        return judged(True, "answered with TLS, which is more than was asked for")
    bench.outlet = (str(answer.address) + (f"%{bench.iface}" if answer.address.is_link_local else ""), answer.port)
    visit = await bench.visit2(None)
    reply = await visit.ask(visit.due())
    return judged(reply.ok, f"answered without TLS; -2 there: {reply}")


async def echoed(bench: AtStation) -> Outcome:
    """The transport of the answer is that of the request: TCP is the only one."""
    answer = await answered(bench, PLAIN)
    return failed(answer) if isinstance(answer, str) else judged(answer.transport is Transport.TCP, f"{answer.transport.name}")


async def every(bench: AtStation) -> Outcome:
    """Ten requests in a row: each is answered."""
    count = 0
    async with await asker(bench) as link:
        for _ in range(10):
            count += not isinstance(await first(bench, link, PLAIN), str)
    return judged(count == 10, f"{count} of ten requests are answered")


SDP = ("generation_2", "sdp")
CASES = (
    case(
        id="S2-SDP-01", kind=Kind.POSITIVE, requirement=("V2G2-626",), condition=(*SDP, "tls12"), purpose="Who asks for TLS is told of TLS",
        stimulus="a request with TLS", expected=("an answer with TLS, and somebody listens there",), script=protected, control="",
    ),
    case(
        id="S2-SDP-02", kind=Kind.POSITIVE, requirement=("V2G2-627",), condition=(*SDP, "not tls12"), script=without, control="",
        purpose="A station without TLS says so", stimulus="a request with TLS",
        expected=("an answer without TLS, and somebody listens there",),
    ),
    case(
        id="S2-SDP-03", kind=Kind.POSITIVE, requirement=(), basis="7.10.1.5", condition=(*SDP, "plain_tcp"), script=unprotected,
        purpose="Who asks for no TLS is told where", stimulus="a request without TLS",
        expected=("an answer without TLS, and -2 is spoken there", "an answer with TLS"),
    ),
    case(
        id="S2-SDP-04", kind=Kind.POSITIVE, requirement=("V2G2-625",), condition=SDP, script=echoed,
        purpose="The transport is that of the request",
        stimulus="a request for TCP", expected=("an answer for TCP",),
    ),
    case(
        id="S2-SDP-05", kind=Kind.POSITIVE, requirement=("V2G2-144",), condition=SDP, script=every, purpose="Each request is answered",
        stimulus="ten requests, one after the other", expected=("ten answers",), lasts=3.0,
    ),
)  # fmt: skip
