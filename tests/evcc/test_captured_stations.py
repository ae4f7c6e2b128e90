"""Our car at stations that answer as captured ones did: it comes as far as the captured car, and leaves in order."""

from typing import Any

import pytest

from evcc.conduct import Conduct
from evcc.din.conduct import CONDUCT as DIN
from evcc.early.dc import UNSAFE
from evcc.iso2.conduct import CONDUCT as ISO2
from evcc.iso2.known import Memory
from evcc.opening import usual
from tests.evcc.captured_station import OWN, Captured, Station, met, visitor
from tests.v2g.iso2.captured import needs_captures, sessions
from v2g.session.errors import PeerFailed, PeerIncompatible, PeerMisbehaved, PeerUnsafe, SessionError, TimedOut

OPTIONAL = (
    "ServiceDetailReq",
    "CertificateUpdateReq",
    "MeteringReceiptReq",
    "WeldingDetectionReq",
)  # what ours need not ask
CONDUCTS = {"-2": ISO2, "DIN": DIN}  # by what the captures call them
CASES = [(conduct, each) for name, conduct in CONDUCTS.items() for each in sessions(name)]


@needs_captures
@pytest.mark.parametrize(("conduct", "session"), CASES, ids=[f"{each['generation']}-{each['id']}" for _, each in CASES])
def test_our_car_comes_as_far_as_the_captured_one(conduct: Conduct, session: dict[str, Any]) -> None:
    captured = Captured(session, conduct.generation)
    car = visitor(captured)
    if any("Joined" in str(each.ResponseCode) for each in captured.answers["SessionSetupReq"]):
        car.memory = Memory(OWN)
    ended, station = met(captured, usual([conduct]), car)
    assert ended.ended is not None
    missed = [name for name in captured.granted() if name not in station.heard and name not in OPTIONAL]
    error, last = ended.ended.error, station.heard[-1]
    beyond = isinstance(error, TimedOut) and not captured.answers[last]  # it asked what the captured car did not come to ask
    assert not missed or beyond, error
    assert ended.ended.well or beyond or excused(error, last, captured, station), error
    assert not car.closed
    assert car.pilot == "B"


def excused(error: SessionError | None, last: str, captured: Captured, station: Station) -> bool:
    """Whether the captured station leaves a car no better end. `last` is what was asked last."""
    match error:
        case PeerFailed():
            return captured.refused(last)
        case TimedOut():
            return not station.left.get(last)  # the capture ends before its answer
        case PeerIncompatible():
            return not captured.requests("PowerDeliveryReq")  # offered was a contract alone: the captured car left as well
        case PeerUnsafe():
            return any(status in UNSAFE for status in captured.states())
        case PeerMisbehaved():
            return last in captured.unread
    return False
