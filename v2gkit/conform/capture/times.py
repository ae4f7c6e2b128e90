"""How long the sides of a recorded session took, beside what their generation's table gives them."""

from collections.abc import Iterator
from typing import Any, Final

from v2g.din import timing as din
from v2g.exi.schema import Type
from v2g.iso2 import timing as iso2
from v2g.iso20.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT
from v2g.messages.dc import DC_CableCheckReq, DC_PreChargeReq
from v2g.messages.din import msg_body as din_body
from v2g.messages.iso2.msg_body import CableCheckReq, PreChargeReq
from v2g.session.generation import Generation
from v2gkit.conform.capture.reading import Said

Look = tuple[str, float, float]  # rule, limit (s), what was taken (s)
PHASES: Final[dict[type[Type], float]] = {  # that the car bounds in another way than others
    DC_CableCheckReq: EVCC_CABLE_CHECK_TIMEOUT,
    DC_PreChargeReq: EVCC_PRE_CHARGE_TIMEOUT,
    CableCheckReq: iso2.EVCC_CABLE_CHECK_TIMEOUT,
    PreChargeReq: iso2.EVCC_PRE_CHARGE_TIMEOUT,
    din_body.CableCheckReq: din.EVCC_CABLE_CHECK_TIMEOUT,
    din_body.PreChargeReq: din.EVCC_PRE_CHARGE_TIMEOUT,
}
_PERSON: Final = "Ongoing_WaitingForCustomerInteraction"  # a person takes as long as a person takes


class Times:
    """The moments of one session that others are measured from: the last response, and the beginning of a phase that is polled."""

    def __init__(self) -> None:
        self._answer: Said | None = None
        self._asked: Said | None = None
        self._phase: tuple[type[Type], float] | None = None

    def adrift(self) -> None:
        """Something is missing: nothing is measured over it."""
        self._answer = self._phase = None

    def asked(self, generation: Generation, request: Said) -> Iterator[Look]:
        """What the car took for a request, counted from the response before it."""
        before, asked = self._answer, self._asked
        if before is None or asked is None or type(asked.body) not in generation.responses:
            return
        timing = generation.timing(type(asked.body))
        took = request.at - before.at
        yield "C-TIME-03", timing.sequence_timeout, took
        if took <= timing.sequence_timeout:
            yield "C-TIME-04", timing.evcc_performance, took

    def answered(self, generation: Generation, request: Said, response: Said, whole: bool) -> Iterator[Look]:
        """What the station took for a response, and for how long it has put the car off."""
        kind = type(request.body)
        if kind in generation.responses:
            timing, took = generation.timing(kind), response.at - request.at
            yield "C-TIME-01", timing.msg_timeout, took
            if took <= timing.msg_timeout:
                yield "C-TIME-02", timing.secc_performance, took
            if whole and kind is generation.begins:
                yield "C-TIME-05", generation.car_setup, response.at
            yield from self._polled(generation, request, response)
        self._asked, self._answer = request, response

    def _polled(self, generation: Generation, request: Said, response: Said) -> Iterator[Look]:
        kind, answer = type(request.body), response.body
        if generation.responses.get(kind) is not type(answer) or generation.failure(answer) is not None:
            self._phase = None
            return
        processing: Any = getattr(answer, "EVSEProcessing", None)
        if not generation.stays(request.body, answer) or getattr(processing, "value", "") == _PERSON:
            self._phase = None
            return
        if self._phase is None or self._phase[0] is not kind:
            self._phase = (kind, request.at)
        yield "C-TIME-06", PHASES.get(kind, EVCC_ONGOING_TIMEOUT), response.at - self._phase[1]
