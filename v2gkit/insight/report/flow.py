"""Which response answers which request of a trace, and what power flowed from one charge loop to the next."""

from collections.abc import Iterator
from dataclasses import dataclass

from v2g.exi.schema import Type
from v2gkit.insight.readings.table import REQUESTS as LOOPS
from v2gkit.insight.readings.table import reading_of, request_of
from v2gkit.insight.report.story import Sample


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the trace, decoded; `at` is seconds since the session began, `epoch` the wall time of schedules and batteries."""

    at: float
    epoch: float
    octets: int
    message: Type


def pairs_of(decoded: list[Frame]) -> list[tuple[Frame, Frame]]:
    """Each request with its response, in the order of the requests; one on a side stream may be open beside that of the loop."""
    open_ones: dict[type[Type], int] = {}
    found: dict[int, tuple[Frame, Frame]] = {}
    for place, frame in enumerate(decoded):
        kind = type(frame.message)
        if (request := request_of(kind)) is None:
            open_ones[kind] = place
        elif (asked := open_ones.pop(request, None)) is not None:
            found[asked] = decoded[asked], frame
    return [found[place] for place in sorted(found)]


def samples_of(pairs: list[tuple[Frame, Frame]]) -> Iterator[Sample]:
    """As both ends count: what an AC car states holds from then on, what a DC station has measured has flowed since its answer before.

    What a station of WPT says that it gives holds from its answer on.
    """
    pairs = _powered(pairs)
    around = zip([None, *pairs], pairs, [*pairs[1:], None], strict=False)
    for before, (request, response), after in around:
        if not isinstance(request.message, LOOPS):
            continue
        reading = reading_of(request.message)
        power, since = reading.flow(request.message, response.message)
        soc = reading.soc(request.message)
        if since == "given":
            yield Sample(response.epoch, power, soc, after[1].epoch if after else None)
            continue
        if since == "stated":
            yield Sample(request.epoch, power, soc, after[0].epoch if after else None)
            continue
        until = response if after is None or isinstance(after[0].message, LOOPS) else after[1]  # until the output is off
        yield Sample((before[1] if before else response).epoch, power, soc, until.epoch)


def energies(samples: tuple[Sample, ...]) -> tuple[float, float]:
    """Wh in and out, each sample holding until its like comes next: the last until PowerDelivery(Stop), which at a time scale is much."""
    each = [sample.energy for sample in samples]
    return sum(max(energy, 0.0) for energy in each), sum(max(-energy, 0.0) for energy in each)


def _powered(pairs: list[tuple[Frame, Frame]]) -> list[tuple[Frame, Frame]]:
    """Without what stands between two loops and leaves the power as it is: a signed reading, and a schedule negotiated beside the loop."""
    kept: list[tuple[Frame, Frame]] = []
    for pair in pairs:
        said = pair[0].message
        looping = bool(kept) and isinstance(kept[-1][0].message, LOOPS)
        reading = reading_of(said)
        beside = type(said).__name__ in reading.beside or reading.begins(said)
        if not (looping and beside):
            kept.append(pair)
    return kept
