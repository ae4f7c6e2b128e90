"""Whole sessions, in virtual time."""

import pytest

from tests.secc.scripted import Scripted
from v2g.messages.common_types import responseCodeType as Code


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", ["AC", "AC_BPT", "DC", "DC_BPT"])
def test_a_session_from_end_to_end(service: str, control: str) -> None:
    car = Scripted()
    car.charging(service, control)
    for _ in range(5):
        car.wait(0.2)
        assert car.loop(service, control).ResponseCode is Code.OK
    assert car.deliver("Stop").ResponseCode is Code.OK
    if service.startswith("DC"):
        car.welding()
    assert car.stop().ResponseCode is Code.OK
    assert car.session.ended is None
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.well
