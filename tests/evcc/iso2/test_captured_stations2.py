"""Our car at stations that answer as real ones of ISO 15118-2 did: it charges wherever the captured car charged.

What a station measures follows our battery, not that of the captured car: the voltage of the inlet, what flows. All else is as it was said.
"""

from typing import Any

import msgspec
import pytest

from tests.evcc.iso2.scripted_station2 import Met, Station2, car2
from tests.v2g.iso2.captured import needs_captures, sessions
from v2g.iso2.generation import ISO2

AS_OURS = ("supportedAppProtocol", "SessionSetup")  # ids of this session
MEASURED = {"EVSEPresentVoltage": "EVTargetVoltage", "EVSEPresentCurrent": "EVTargetCurrent"}


def answers_of(captured: dict[str, Any]) -> dict[str, list[Any]]:
    """What the captured station answered, by the name of the request, in its order."""
    found: dict[str, list[Any]] = {}
    for each in captured["frames"]:
        if each["from"] == "station" and each["set"] == "iso2":
            message = ISO2.read(0x8001, bytes.fromhex(each["exi"]), by_car=True).reading.message
            found.setdefault(each["message"].removesuffix("Res"), []).append(message)
    return found


class Captured(Station2):
    """Answers each request with the next captured answer to its kind, the last one again and again."""

    def load(self, captured: dict[str, Any]) -> None:
        self.said = answers_of(captured)
        self.dc = "CableCheck" in self.said
        for name in self.said:
            if name not in AS_OURS:
                self.answers[name] = self.next

    def next(self, request: Any, station: Station2) -> Any:
        name = type(request).__name__.removesuffix("Req")
        held = self.said[name]
        answer = held.pop(0) if len(held) > 1 else held[0]
        measured = {
            field: value
            for field, asked in MEASURED.items()
            if getattr(answer, field, None) is not None and (value := getattr(request, asked, None)) is not None
        }
        return msgspec.structs.replace(answer, **measured)


def charged(captured: dict[str, Any]) -> bool:
    """Whether the captured car got power by external payment, to the end of its capture or beyond the start."""
    said = answers_of(captured)
    codes = [str(one.ResponseCode.value) for held in said.values() for one in held]
    loops = said.get("CurrentDemand", []) + said.get("ChargingStatus", [])
    return bool(loops) and "PaymentDetails" not in said and not any(code.startswith("FAILED") for code in codes)


@needs_captures
@pytest.mark.parametrize("captured", [each for each in sessions() if charged(each)], ids=lambda each: each["id"])
def test_a_captured_station_charges_our_car(captured: dict[str, Any]) -> None:
    there = Captured()
    there.load(captured)
    car = car2("DC" if there.dc else "AC", loops=3)
    met = Met(there, car)
    print(there.names())
    assert met.error is None, met.error
    assert there.names().count("CurrentDemand" if there.dc else "ChargingStatus") >= 1
    assert there.names()[-1] == "SessionStop"
