"""What may stand in the place of a request, frame by frame, in any generation: scripts that the cases of each share. A shell."""

import asyncio
import time

from v2g.session.v2gtp import HEADER_LENGTH
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.judging import NOTHING_GRANTED, granted, nothing
from v2gkit.conform.spoilt import document, header
from v2gkit.conform.verdict import Outcome, failed, judged

QUIET = 2.0  # s without an answer that count as silence
ALIVE = f"{NOTHING_GRANTED}; a good car is served afterwards"
FIRST = "SessionSetup"  # the request in whose place most of it comes
HUGE = 64 * 1024 * 1024  # octets, more than any message has


def type_of(framed: bytes) -> int:
    """The payload type of a frame."""
    return int.from_bytes(framed[2:4], "big")


async def instead(bench: AtStation, octets: bytes, step: str = FIRST) -> Outcome:
    """Octets in the place of a request: nothing may be granted."""
    visit = await bench.guest(step)
    await visit.wire.send(octets)
    return nothing(await visit.wire.reply(QUIET))


async def other_version(bench: AtStation, version: int, inverse: int) -> Outcome:
    """What is due under another version of V2GTP."""
    visit = await bench.guest(FIRST)
    framed = visit.octets(visit.due())
    exi = document(framed)
    await visit.wire.send(header(type_of(framed), len(exi), version, inverse) + exi)
    return nothing(await visit.wire.reply(QUIET))


async def trickled(bench: AtStation) -> Outcome:
    """64 MiB are announced, and come slowly: the header says enough."""
    visit = await bench.guest(FIRST)
    await visit.wire.raw(header(type_of(visit.octets(visit.due())), HUGE))
    began = time.monotonic()
    while time.monotonic() - began < bench.pics.test.close + bench.pics.test.slack:
        await visit.wire.raw(b"\x80")
        reply = await visit.wire.reply(0.2)
        if reply.kind != "silence":
            return nothing(reply)
    return failed(f"the connection still stands after {time.monotonic() - began:.1f} s")


async def octet_by_octet(bench: AtStation) -> Outcome:
    """One octet to a segment."""
    visit = await bench.guest(FIRST)
    for octet in visit.octets(visit.due()):
        await visit.wire.raw(bytes((octet,)))
        await asyncio.sleep(0.002)
    return granted(await visit.wire.reply(QUIET + bench.pics.test.slack), "SessionSetupRes")


async def in_two_pieces(bench: AtStation, at: int = HEADER_LENGTH) -> Outcome:
    """A frame that is cut at one place, with 0.4 s between."""
    visit = await bench.guest(FIRST)
    octets = visit.octets(visit.due())
    await visit.wire.raw(octets[:at])
    await asyncio.sleep(0.4)
    await visit.wire.raw(octets[at:])
    return granted(await visit.wire.reply(QUIET + bench.pics.test.slack), "SessionSetupRes")


async def glued(bench: AtStation, step: str) -> Outcome:
    """Two requests in one segment: the first is answered, the second is not lost."""
    visit = await bench.guest(step)
    octets = visit.octets(visit.due())
    await visit.wire.send(octets + octets)
    first = await visit.wire.reply(QUIET + bench.pics.test.slack)
    second = await visit.wire.reply(QUIET + bench.pics.test.slack)
    return judged(first.ok and second.kind != "silence", f"first: {first}; second: {second}")
