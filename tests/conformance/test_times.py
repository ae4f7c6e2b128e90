"""Every time of the standard, at the side that owns it: it ends what it must at its limit, and not before. All of it in virtual time."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from secc import station as words
from tests.conformance.test_cases import functions_of
from tests.evcc.scripted_station import STANDARD, Answer, Station, finished, ok, ongoing, run, silence
from tests.evcc.test_session import KINDS, car, error
from tests.secc.scripted import Scripted
from tests.secc.test_authorization import answer, installation, pnc
from v2g.iso20 import timing as times
from v2g.iso20.rational import rational
from v2g.iso20.sequence import REQUESTS
from v2g.messages.common_messages import AuthorizationSetupReq
from v2g.messages.common_types import processingType
from v2g.session.endpoint import FrameSent
from v2g.session.errors import TimedOut

ORDER, CAR = "secc/test_order.py::test_", "evcc/test_session.py::test_"
TRACE = "v2g/session/test_trace.py::test_a_gap_stands_beside_what_the_standard_gives_for_it"
HERE = "conformance/test_times.py::test_"
TIMES: dict[str, tuple[float, tuple[str, ...]]] = {  # constant: seconds, and who would see another value
    "SECC_SEQUENCE_TIMEOUT": (60.0, (ORDER + "silence_ends_the_session_when_the_sequence_timer_says_so",)),
    "SECC_SEQUENCE_TIMEOUT_LOOP": (0.5, (ORDER + "silence_ends_the_session_when_the_sequence_timer_says_so",)),
    "EVCC_MSG_TIMEOUT": (2.0, (CAR + "E_END_04_the_message_timeout_in_every_state", CAR + "E_END_04_just_in_time_and_too_late")),
    "SAP_TIMEOUT": (2.0, (CAR + "E_END_04_the_message_timeout_in_every_state",)),
    "EVCC_ONGOING_TIMEOUT": (60.0, (HERE + "a_car_polls_until_its_limit_and_no_longer",)),
    "SECC_ONGOING_TIMEOUT": (55.0, (HERE + "a_station_is_ongoing_until_its_limit_and_no_longer",)),
    "EVCC_CABLE_CHECK_TIMEOUT": (40.0, (HERE + "a_car_polls_until_its_limit_and_no_longer",)),
    "EVCC_PRE_CHARGE_TIMEOUT": (10.0, (HERE + "a_car_polls_until_its_limit_and_no_longer",)),
    "SECC_COMMUNICATION_SETUP_TIMEOUT": (18.0, (ORDER + "before_the_first_request_only_the_setup_timer_runs",)),
    "EVCC_COMMUNICATION_SETUP_TIMEOUT": (20.0, (CAR + "the_communication_setup_timer",)),
    "SECC_TCP_CLOSE": (5.0, (ORDER + "after_stop_the_car_closes_or_the_station_does",)),
    "SECC_PERFORMANCE": (1.5, (TRACE,)),
    "SECC_PERFORMANCE_LOOP": (0.25, (TRACE,)),
    "EVCC_SEQUENCE_PERFORMANCE": (40.0, (HERE + "each_pair_has_the_times_of_its_kind",)),
    "EVCC_SEQUENCE_PERFORMANCE_LOOP": (0.25, (CAR + "E_LOP_01_two_thousand_loops_in_step", TRACE)),
    "PAUSE_NOTIFICATION_MAX_DELAY": (60, ("secc/test_loops.py::test_a_pause_counts_down",)),
}  # fmt: skip


def test_every_time_has_its_value_and_its_test() -> None:
    assert {name: value for name, value in vars(times).items() if name.isupper() and isinstance(value, int | float)} == {
        name: value for name, (value, _) in TIMES.items()
    }
    for test in (test for _, tests in TIMES.values() for test in tests):
        file, _, name = test.partition("::")
        assert name in functions_of(file), test


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda kind: kind.__name__)
def test_each_pair_has_the_times_of_its_kind(request_: Any) -> None:
    """Loops are fast, two answers need another program and are slow, and all else is alike."""
    name, pair = request_.__name__, times.timing(request_)
    if name.endswith("ChargeLoopReq"):
        assert pair == times.Timing(msg_timeout=0.5, secc_performance=0.25, sequence_timeout=0.5, evcc_performance=0.25)
    else:
        slow = name in {"ServiceDetailReq", "CertificateInstallationReq"}
        assert pair == times.Timing(5.0 if slow else 2.0, secc_performance=1.5, sequence_timeout=60.0, evcc_performance=40.0)


def unfinished(request: Any, station: Station) -> Any:
    return msgspec.structs.replace(STANDARD["ScheduleExchangeReq"](request, station), EVSEProcessing=processingType.Ongoing)


@pytest.mark.parametrize(
    ("name", "said", "limit"),
    [
        ("AuthorizationReq", ongoing, 60.0),
        ("ScheduleExchangeReq", unfinished, 60.0),
        ("DC_CableCheckReq", ongoing, 40.0),
        ("DC_PreChargeReq", partial(ok, EVSEPresentVoltage=rational(12)), 10.0),
    ],
)
def test_a_car_polls_until_its_limit_and_no_longer(name: str, said: Answer, limit: float) -> None:
    visitor = car()
    session = run(visitor, Station(answers={"AuthorizationReq": finished, name: said}))
    assert isinstance(error(session), TimedOut)
    polls = [event.at for event in session.events() if isinstance(event, FrameSent) and isinstance(event.message, KINDS[name])]
    assert visitor.now - polls[0] == pytest.approx(limit)
    assert limit - 1 < polls[-1] - polls[0] < limit


def test_a_car_waits_half_a_second_in_the_loop_of_ac_too() -> None:
    visitor = car("AC")
    session = run(visitor, Station(answers={"AC_ChargeLoopReq": silence}))
    ended = error(session)
    assert isinstance(ended, TimedOut)
    assert (ended.timer, ended.limit) == ("V2G_EVCC_Msg_Timeout", 0.5)
    sent = [event.at for event in session.events() if isinstance(event, FrameSent)]
    assert visitor.now - sent[-1] == pytest.approx(0.5)


def undecided() -> tuple[Scripted, Callable[[], Any]]:
    waiting = Scripted(auto=False)
    waiting.setup()
    waiting.ask(AuthorizationSetupReq)
    return waiting, waiting.authorize


def unplanned() -> tuple[Scripted, Callable[[], Any]]:
    waiting = Scripted()
    waiting.authorized("AC")
    waiting.select("AC")
    waiting.parameters("AC")
    waiting.auto = False
    return waiting, waiting.exchange


def uninstalled() -> tuple[Scripted, Callable[[], Any]]:
    waiting = pnc(certificate_installation=True)
    waiting.ask(AuthorizationSetupReq)
    request = installation(waiting)
    return waiting, lambda: answer(waiting, request)


@pytest.mark.parametrize("phase", [undecided, unplanned, uninstalled])
def test_a_station_is_ongoing_until_its_limit_and_no_longer(phase: Callable[[], tuple[Scripted, Callable[[], Any]]]) -> None:
    """Authorization, schedule and contract alike: no Ongoing 55 s after the first request, and an end of it instead."""
    waiting, ask = phase()
    began = waiting.now
    while waiting.now - began < 55.0:
        said = ask()
        assert (said.EVSEProcessing, said.ResponseCode.value[:2]) == (processingType.Ongoing, "OK"), f"after {waiting.now - began} s"
        waiting.wait(0.25)
    said = ask()
    assert said.ResponseCode.value.startswith(("FAILED", "WARNING"))
    assert not waiting.wants(words.PowerStarted)
