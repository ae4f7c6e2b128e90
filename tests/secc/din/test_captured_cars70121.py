"""Our station, driven with what cars of DIN SPEC 70121 sent, in their order: it refuses nothing that the station of the capture took."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from tests.secc.din.scripted70121 import Scripted, outlet
from tests.secc.scripted import LIMITS
from tests.v2g.iso2.captured import needs_captures, sessions
from v2g.din.generation import DIN
from v2g.exi.errors import DecodeError
from v2g.messages.din.msg_body import SessionSetupReq
from v2g.session.endpoint import Relaxed
from v2g.session.profiles import ZERO_UNSAID
from v2g.session.v2gtp import frame

WIDE = replace(LIMITS, charge_power=400_000.0, charge_current=500.0, voltage=1000.0, voltage_minimum=50.0)


class Driven(Scripted):
    """Sends each captured request under this session's id, and again as a car does while it is told Ongoing."""

    def replay(self, captured: dict[str, Any]) -> list[tuple[str, str]]:
        """Request and code of every answer that refuses what the captured station took."""
        wrong: list[tuple[str, str]] = []
        frames = captured["frames"]
        done: type = type(None)
        for number, each in enumerate(frames):
            if each["from"] != "car" or self.session.ended is not None:
                continue
            heard = DIN.read(0x8001, bytes.fromhex(each["exi"]))
            request: Any = heard.reading.message
            if type(request) is done:
                continue  # it polls on where its station was not ready yet, and ours is
            theirs, taken = self.answered(frames[number + 1 : number + 2])
            answer = self.polled(request, theirs, heard.reading.behind)
            done = type(request) if "Finished" in str(getattr(answer, "EVSEProcessing", "")) else type(None)
            if answer is None or ("FAILED" in str(answer.ResponseCode) and taken):
                why = "" if self.session.ended is None else str(self.session.ended.error)
                wrong.append((type(request).__name__, f"{getattr(answer, 'ResponseCode', 'no answer')}: {why}"))
            self.now += 0.02
        return wrong

    def answered(self, after: list[dict[str, Any]]) -> tuple[Any, bool]:
        """The station's answer in the capture, and whether it took the request. One with an abstract element can be read by no grammar."""
        if not after or after[0]["from"] != "station":
            return None, False
        try:
            theirs: Any = DIN.read(0x8001, bytes.fromhex(after[0]["exi"]), by_car=True).reading.message
        except DecodeError:
            return None, True
        return theirs, "FAILED" not in str(getattr(theirs, "ResponseCode", ""))

    def polled(self, request: Any, theirs: Any, behind: int) -> Any:
        """The answer, once it is not Ongoing any more where the captured one was not; as many zeros follow each request as the car sent."""
        for _ in range(5):
            sent = DIN.write(request, self.id, "main", None)
            found = self.octets(frame(sent.payload_type, sent.exi + bytes(behind)))
            answer = found[-1] if found else None
            if isinstance(request, SessionSetupReq) and answer is not None:
                self.id = self.heard.session_id
            ongoing = "Ongoing" in str(getattr(answer, "EVSEProcessing", ""))
            done = theirs is None or "Finished" in str(getattr(theirs, "EVSEProcessing", ""))
            if not (ongoing and done):
                return answer
        raise AssertionError(f"{type(request).__name__} is Ongoing for ever")


@needs_captures
@pytest.mark.parametrize("captured", sessions("DIN"), ids=lambda each: each["id"])
def test_a_captured_car_is_refused_nothing_that_its_station_granted(captured: dict[str, Any]) -> None:
    driven = Driven(outlet(generations=("DIN",), limits=WIDE))  # some cars would rather speak -2
    assert driven.replay(captured) == []
    zeros = any(isinstance(event, Relaxed) and event.relaxation == ZERO_UNSAID.name for event in driven.happened)
    assert zeros == (captured["id"] in ZERO_UNSAID.evidence)
    asked = {each["message"] for each in captured["frames"]}
    if "CurrentDemandRes" in asked:
        assert driven.wants(words.PowerStarted)
        assert max(want.current for want in driven.wants(words.SetOutput)) > 0


@needs_captures
def test_the_captured_cars_are_all_there() -> None:
    assert len(sessions("DIN")) == 42
