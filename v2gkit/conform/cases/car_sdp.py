"""E-SDP: how a car looks for its station, and what it believes of who answers."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median

from v2g.messages import app_protocol as sap
from v2g.session.errors import SessionError
from v2g.session.sdp import ATTEMPTS, RETRY, Security
from v2g.session.transport.addresses import link_local, with_zone
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car_negotiation import ISO20
from v2gkit.conform.running import Blocked, Unreached
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.caller import called
from v2gkit.conform.scripted.discovery import Asked, Discovery, response
from v2gkit.conform.scripted.door import Door, Tls
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.play import Play
from v2gkit.conform.verdict import Outcome, failed, judged, passed

GOOD = "E-END-01"
PATIENT = 3  # requests that are answered wrongly before one is answered well
LOOK = 0.05  # s between two looks at what came
QUIET = 2.0  # s in which a car that has given up may not ask again
TOLERANCE = 0.1  # s by which a machine may be late
car = partial(Case, role="car", domain="CMN", condition=("sdp",), claim="link", within=120.0)
HEADERS: dict[str, Callable[[bytes], bytes]] = {
    "version": lambda good: b"\x02" + good[1:],
    "inverse version": lambda good: good[:1] + b"\xff" + good[2:],
    "payload type": lambda good: good[:2] + b"\x90\x00" + good[4:],
    "length": lambda good: good[:4] + (19).to_bytes(4, "big") + good[8:],
    "length of 4 GiB": lambda good: good[:4] + b"\xff\xff\xff\xfe" + good[8:],
    "cut short": lambda good: good[:-1],
}
GLOBAL, MULTICAST, NO_PORT, TWO = "a global address", "a multicast address", "port 0", "two answers"


@dataclass(frozen=True)
class Found:
    """What came of one search: the requests, and who was visited: the good station, and the one that should not be."""

    asked: list[Asked]
    good: list[Encounter]
    decoy: list[Encounter]


Plan = Callable[[str, int, int], Callable[[int], Sequence[bytes]]]
"""From the address of this host, the good station's port and the decoy's, what answers the request of a number."""


async def searched(bench: CarBench, plan: Plan, decoy: Tls, seconds: float, over: Callable[[Found], bool]) -> Found:
    """A car looks for its station on the link: what it did until `over`, for `seconds` at the most."""
    if not bench.site.interface:
        raise Blocked("which link do cars ask on? give --iface NAME")
    try:
        address = link_local(bench.site.interface)
    except SessionError as error:
        raise Blocked(str(error)) from None
    host = with_zone(address, bench.site.interface)
    good, bad = Door(host, 0, (Play(),), (bench.good_tls(),)), Door(host, 0, (Play(),), (decoy,))
    async with AsyncExitStack() as stack:
        for door in (good, bad):
            await stack.enter_async_context(door)
        ports = [int(door.address.rpartition(":")[2]) for door in (good, bad)]
        heard = await stack.enter_async_context(Discovery(bench.site.interface, bench.site.pics.test.sdp_port, plan(str(address), *ports)))
        found = Found(heard.asked, good.met, bad.met)
        await stack.enter_async_context(called(bench.command("sdp"), bench.site.words()))
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until and not over(found):  # noqa: ASYNC110 - of two doors and a socket
            await asyncio.sleep(LOOK)
        bench.met += [*good.met, *bad.met]
    if not found.asked:
        raise Unreached(f"no car asked on {bench.site.interface}, UDP port 15118, within {seconds:g} s")
    return found


def visited(found: Found) -> bool:
    """Whether the car spoke to the good station, or came to the other one."""
    return any(each.heard for each in found.good) or bool(found.decoy)


# --- the cases ---


async def unanswered(bench: CarBench) -> Outcome:
    """Nobody answers the requests of the car."""

    def over(found: Found) -> bool:
        return bool(found.asked) and asyncio.get_running_loop().time() - found.asked[-1].at > QUIET

    found = await searched(bench, lambda host, good, bad: lambda number: (), Tls(), ATTEMPTS * RETRY * 2 + 30.0, over)
    times = [each.at for each in found.asked]
    gaps = [after - before for before, after in pairwise(times)]
    told = f"{len(times)} requests, {median(gaps):.3f} s between two" if gaps else f"{len(times)} request"
    if any(each.request is None for each in found.asked):
        return failed(f"a request is none: {next(each.octets.hex() for each in found.asked if each.request is None)}")
    if not over(found):
        return failed(f"{told}, and still more")
    return judged(len(times) <= ATTEMPTS and bool(gaps) and abs(median(gaps) - RETRY) <= TOLERANCE, told)


async def odd_header(bench: CarBench) -> Outcome:
    """Answers that are none, which lead elsewhere; then a good one."""

    def plan(host: str, good: int, bad: int) -> Callable[[int], Sequence[bytes]]:
        return lambda number: (response(host, good) if number > PATIENT else HEADERS[bench.part](response(host, bad)),)

    found = await searched(bench, plan, bench.good_tls(), 20.0, visited)
    return asked_on(found)


def asked_on(found: Found) -> Outcome:
    """A pass where the car did not go where the wrong answers lead, and found the good station."""
    if found.decoy:
        return failed("it connected where the wrong answer led")
    told = f"{len(found.asked)} requests, then it found the station"
    return passed(told) if found.good and len(found.asked) > PATIENT else failed(f"{len(found.asked)} requests, and no connection")


async def downgraded(bench: CarBench) -> Outcome:
    """The answer says: no TLS."""

    def plan(host: str, good: int, bad: int) -> Callable[[int], Sequence[bytes]]:
        return lambda number: (response(host, bad, Security.NONE),)

    found = await searched(bench, plan, Tls(), 10.0, lambda found: bool(found.decoy) and bool(found.decoy[0].heard))
    requests = [each.request for each in found.asked if each.request is not None]
    if requests and requests[0].security is not Security.TLS:
        raise Unreached("the car asks without TLS from the beginning")
    offers = [
        entry.ProtocolNamespace for seen in found.decoy for each in seen.of(sap.supportedAppProtocolReq) for entry in each.AppProtocol
    ]
    spoken = sorted(set(offers) & set(ISO20))
    return judged(not spoken, f"-20 is offered without TLS: {', '.join(spoken)}" if spoken else f"{len(found.asked)} requests; not so")


async def odd_address(bench: CarBench) -> Outcome:
    """Answers that lead to no address of a station; then, or beside them, a good one."""

    def plan(host: str, good: int, bad: int) -> Callable[[int], Sequence[bytes]]:
        fine = response(host, good)
        odd = {
            GLOBAL: response("2001:db8::1", bad),
            MULTICAST: response("ff02::1", bad),
            NO_PORT: response(host, 0),
        }
        if bench.part == TWO:
            return lambda number: (fine, response(host, bad))
        return lambda number: (fine if number > PATIENT else odd[bench.part],)

    found = await searched(bench, plan, bench.good_tls(), 20.0, visited)
    if bench.part == TWO:
        count = bool(found.good) + bool(found.decoy)
        return judged(count == 1, f"{count} of two stations were visited")
    return asked_on(found)


def refused_or_heard(found: Found) -> bool:
    """Whether the car spoke to the good station, or the connection to the other one is over."""
    return any(each.heard for each in found.good) or any(each.closed for each in found.decoy)


async def spoofed(bench: CarBench) -> Outcome:
    """Somebody who is faster answers first, with a certificate of nobody."""
    held = bench.certificates
    decoy = held.tls(held.broken("unknown-root"))

    def plan(host: str, good: int, bad: int) -> Callable[[int], Sequence[bytes]]:
        return lambda number: (response(host, bad), response(host, good))

    found = await searched(bench, plan, decoy, 10.0, refused_or_heard)
    spoken = [each for seen in found.decoy for each in seen.heard]
    if spoken:
        return failed(f"it sent {spoken[0].name} to a station of an unknown root")
    return passed(f"refused with alert {found.decoy[0].alert}" if found.decoy else "the second answer was used")


CASES = (
    car(
        id="E-SDP-01",
        kind=Kind.TIMING,
        requirement=(),
        purpose="A car asks for a station four times a second, and gives up",
        stimulus="no answer",
        expected=("at most 50 requests, one every 250 ms, then none",),
        script=unanswered,
        lasts=18.0,
    ),
    car(
        id="E-SDP-02",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="An answer whose header is none is ignored",
        stimulus="answers with a wrong version, inverse, type, length",
        expected=("it asks on, and finds the station that answers well",),
        script=odd_header,
        control=GOOD,
        parts=tuple(HEADERS),
        lasts=4.0,
    ),
    car(
        id="E-SDP-03",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-1237",),
        purpose="A car that asked for TLS does without for no answer",
        stimulus="an answer without TLS",
        expected=("it asks on, or gives up", "an older protocol"),
        script=downgraded,
        control=GOOD,
        lasts=11.0,
    ),
    car(
        id="E-SDP-04",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="A car connects to addresses of its link alone",
        stimulus="answers with a global or multicast address, port 0; two answers at once",
        expected=("it asks on, and finds the station that answers well", "two: one of them is visited"),
        script=odd_address,
        control=GOOD,
        parts=(GLOBAL, MULTICAST, NO_PORT, TWO),
        lasts=4.0,
    ),
    car(
        id="E-SDP-05",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="Who a station is its certificate says, not its speed",
        stimulus="a first answer of a station of an unknown root, and the good one right behind",
        expected=("no message to the first",),
        script=spoofed,
        control=GOOD,
        lasts=4.0,
    ),
)
