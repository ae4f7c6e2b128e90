"""Our station, driven with what real cars of ISO 15118-2 sent, in their order: it refuses nothing that the station of the capture took."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from secc import station as words
from tests.secc.iso2.scripted2 import Scripted2, outlet, tls12
from tests.secc.scripted import LIMITS
from tests.v2g.iso2.captured import needs_captures, sessions
from v2g.iso2.generation import ISO2
from v2g.messages.iso2.msg_body import (
    CertificateUpdateReq,
    PaymentDetailsReq,
    PaymentServiceSelectionReq,
    ServiceDetailReq,
    SessionSetupReq,
)
from v2g.messages.iso2.msg_data_types import SelectedServiceListType
from v2g.session.endpoint import Relaxed
from v2g.session.profiles import ZERO_UNSAID
from v2g.session.v2gtp import frame

WIDE = replace(LIMITS, charge_power=400_000.0, charge_current=500.0, voltage=1000.0, voltage_minimum=50.0, phases=3, nominal_voltage=230.0)
CONTRACT = (PaymentDetailsReq, CertificateUpdateReq)  # of another PKI, whose roots and clock we have not


def offered_tuple(frames: list[dict[str, Any]]) -> int:
    """The id of the schedule that the captured station offered: its car chooses by it."""
    for each in frames:
        if each["message"] == "ChargeParameterDiscoveryRes":
            found: Any = ISO2.read(0x8001, bytes.fromhex(each["exi"]), by_car=True).reading.message
            if found.SASchedules is not None:
                return int(found.SASchedules.SAScheduleTuple[0].SAScheduleTupleID)
    return 1


class Driven(Scripted2):
    """Sends each captured request under this session's id, and again as a car does while it is told Ongoing."""

    def replay(self, captured: dict[str, Any]) -> list[tuple[str, str]]:
        """Request and code of every answer that refuses what the captured station took."""
        wrong: list[tuple[str, str]] = []
        frames = captured["frames"]
        self.tuple_id = offered_tuple(frames)
        done: type = type(None)
        for number, each in enumerate(frames):
            if each["from"] != "car":
                continue
            heard = ISO2.read(0x8001, bytes.fromhex(each["exi"]))
            request: Any = heard.reading.message
            answered = [f for f in frames[number + 1 : number + 2] if f["from"] == "station"]
            theirs: Any = ISO2.read(0x8001, bytes.fromhex(answered[0]["exi"]), by_car=True).reading.message if answered else None
            refused = theirs is None or "FAILED" in str(getattr(theirs, "ResponseCode", ""))
            if isinstance(request, CONTRACT) or self.session.ended is not None:
                break
            if (request := self.offered_here(request)) is None:
                continue
            if type(request) is done:
                continue  # it polls on where its station was not ready yet, and ours is
            answer = self.polled(request, theirs, heard.reading.behind)
            done = type(request) if "Finished" in str(getattr(answer, "EVSEProcessing", "")) else type(None)
            if answer is None or ("FAILED" in str(answer.ResponseCode) and not refused):
                why = "" if self.session.ended is None else str(self.session.ended.error)
                wrong.append((type(request).__name__, f"{getattr(answer, 'ResponseCode', 'no answer')}: {why}"))
            self.now += 0.02
        return wrong

    def offered_here(self, request: Any) -> Any:
        """The request, without the value-added services that its station had and ours has not; None where it asks for nothing else."""
        ours = self.session.context.service.offered
        if isinstance(request, ServiceDetailReq):
            return request if request.ServiceID in ours else None
        if not isinstance(request, PaymentServiceSelectionReq):
            return request
        chosen = tuple(each for each in request.SelectedServiceList.SelectedService if each.ServiceID in ours)
        return msgspec.structs.replace(request, SelectedServiceList=SelectedServiceListType(SelectedService=chosen))

    def polled(self, request: Any, theirs: Any, behind: int) -> Any:
        """The answer, once it is not Ongoing any more where the captured one was not; as many zeros follow each request as the car sent."""
        for _ in range(5):
            sent = ISO2.write(request, self.id, "main", None)
            found = self.octets(frame(sent.payload_type, sent.exi + bytes(behind)))
            answer = found[-1] if found else None
            if isinstance(request, SessionSetupReq) and answer is not None:
                self.id = self.heard.session_id
            ongoing = "Ongoing" in str(getattr(answer, "EVSEProcessing", ""))
            done = "Finished" in str(getattr(theirs, "EVSEProcessing", ""))
            if not (ongoing and done):
                return answer
        raise AssertionError(f"{type(request).__name__} is Ongoing for ever")


@needs_captures
@pytest.mark.parametrize("captured", sessions(), ids=lambda each: each["id"])
def test_a_captured_car_is_refused_nothing_that_its_station_granted(captured: dict[str, Any]) -> None:
    def pays_by_contract() -> bool:
        read = (ISO2.read(0x8001, bytes.fromhex(each["exi"]), by_car=each["from"] == "station") for each in captured["frames"])
        return any(isinstance(heard.reading.message, PaymentDetailsReq) for heard in read)

    ways = ("PnC", "EIM") if pays_by_contract() else ("EIM",)
    given = {"tls": tls12(), "verifier": object()} if pays_by_contract() else {}
    place = outlet(generations=("2",), limits=WIDE, authorizations=ways, certificate_installation=pays_by_contract(), internet=("http",))
    driven = Driven(place, given=given)
    wrong = driven.replay(captured)
    assert wrong == []
    if captured["id"] in ZERO_UNSAID.evidence:
        assert any(isinstance(event, Relaxed) and event.relaxation == ZERO_UNSAID.name for event in driven.happened)
    if driven.session.context.delivering and not pays_by_contract():
        assert driven.wants(words.PowerStarted)
