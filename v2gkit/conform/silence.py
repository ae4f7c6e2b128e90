"""A car that falls silent, and how long a station waits for it. A shell."""

from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.guest import Guest
from v2gkit.conform.verdict import Outcome, failed, judged


async def silent(bench: AtStation, step: str, least: float, most: float, *, first: bool = False) -> Outcome:
    """Be silent where a step is due: pass where the connection ends after `least` s, at the latest after `most` s and the slack.

    With `first` one request of the charge loop is answered before the silence.
    """
    visit = await bench.at(step)
    if first:
        await visit.granted(asked.loop(visit.ways))
    return await deserted(bench, visit, least, most)


async def deserted(bench: AtStation, visit: Guest, least: float, most: float) -> Outcome:
    """Say nothing any more: pass where the connection ends after `least` s, at the latest after `most` s and the slack."""
    ended = await visit.wire.closed(most + bench.pics.test.slack)
    if ended.kind != "closed":
        return failed(f"the connection still stands after {ended.seconds:.1f} s of silence")
    return judged(ended.seconds >= least, f"the connection ended after {ended.seconds:.2f} s of silence")
