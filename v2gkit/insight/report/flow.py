"""Which response answers which request of a trace, and what power flowed from one charge loop to the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from v2g.exi.schema import Type
from v2g.iso2 import physical
from v2g.iso20.rational import number
from v2g.iso20.sequence import response_to
from v2g.messages import ac, common_messages, dc, wpt
from v2g.messages.iso2 import msg_body
from v2gkit.insight.report.story import Sample

LOOPS = (dc.DC_ChargeLoopReq, ac.AC_ChargeLoopReq, wpt.WPT_ChargeLoopReq, msg_body.CurrentDemandReq, msg_body.ChargingStatusReq)
MEASURED = (dc.DC_ChargeLoopRes, msg_body.CurrentDemandRes)  # whose power is what the station has measured


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
        if kind.__name__.endswith("Req"):
            open_ones[response_to(kind)] = place
        elif (asked := open_ones.pop(kind, None)) is not None:
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
        display: Any = getattr(request.message, "DisplayParameters", None)
        status: Any = getattr(request.message, "DC_EVStatus", None)  # of -2
        soc = display.PresentSOC if display else status.EVRESSSOC if status else None
        power = _power(request.message, response.message)
        if isinstance(response.message, wpt.WPT_ChargeLoopRes):
            yield Sample(response.epoch, power, soc, after[1].epoch if after else None)
            continue
        if not isinstance(response.message, MEASURED):
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
        taken_over = isinstance(said, common_messages.PowerDeliveryReq) and said.ChargeProgress is common_messages.chargeProgressType.Start
        confirmed = common_messages.MeteringConfirmationReq | msg_body.MeteringReceiptReq
        beside = isinstance(said, confirmed | common_messages.ScheduleExchangeReq) or taken_over
        if not (looping and beside):
            kept.append(pair)
    return kept


def _power(request: Type, response: Type) -> float | None:
    if isinstance(response, dc.DC_ChargeLoopRes):
        return number(response.EVSEPresentCurrent) * number(response.EVSEPresentVoltage)
    if isinstance(response, msg_body.CurrentDemandRes):
        return physical.number(response.EVSEPresentCurrent) * physical.number(response.EVSEPresentVoltage)
    if isinstance(response, wpt.WPT_ChargeLoopRes):
        return number(response.EVPCPowerRequest)
    mode: Any = getattr(request, "CLReqControlMode", None)
    phases = [getattr(mode, name, None) for name in ("EVPresentActivePower", "EVPresentActivePower_L2", "EVPresentActivePower_L3")]
    present = [number(p) for p in phases if p is not None]
    return sum(present) if present else None
