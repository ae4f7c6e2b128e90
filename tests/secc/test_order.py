"""Order, identity and time: everything the engine refuses by itself, generated from the sequence table."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import Scripted, outlet, polled, r
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.sequence import REQUESTS, SEQUENCE, State, response_to, row
from v2g.messages import ac, dc
from v2g.messages.app_protocol import responseCodeType as sapCodeType
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.common_messages import AuthorizationSetupReq, ServiceDetailReq, ServiceDiscoveryReq, SessionSetupReq
from v2g.messages.common_types import MessageHeaderType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import ConnectionLost, SequenceError, TimedOut, UnknownSession

S = State


def reach(state: State, now: float = 1000.0) -> Scripted:
    """A session that waits for what belongs to this state."""
    standby = "closed" if any(kind in state.value for kind in ("standby", "SessionStop", "Welding")) else "none"
    car = Scripted(outlet(standby=standby), now=now)
    for step in _PATHS[state]:
        step(car)
    assert car.session.context.state is state
    return car


Step = Callable[[Scripted], Any]
AC_PATH: tuple[tuple[State, Step], ...] = (
    (S.SUPPORTED_APP_PROTOCOL, lambda car: None),
    (S.AC_PARAMETERS, lambda car: (car.authorized("AC_BPT"), car.select("AC_BPT"))),
    (S.AC_SCHEDULE, lambda car: car.parameters("AC_BPT")),
    (S.AC_START, lambda car: car.scheduled()),
    (S.AC_LOOP, lambda car: car.start()),
    (S.AC_STANDBY, lambda car: car.deliver("Standby")),
    (S.SESSION_STOP, lambda car: car.deliver("Stop")),
)
DER_PATH: tuple[tuple[State, Step], ...] = (
    (S.AC_DER_PARAMETERS, lambda car: (car.authorized("AC_DER_IEC"), car.select("AC_DER_IEC"))),
    (S.AC_DER_SETTLING, lambda car: car.parameters("AC_DER_IEC")),
)
DC_PATH: tuple[tuple[State, Step], ...] = (
    (S.SESSION_SETUP, lambda car: car.sap("dc")),
    (S.AUTHORIZATION_SETUP, lambda car: car.ask(SessionSetupReq, EVCCID="WMIV1234567890ABCDEX")),
    (S.AUTHORIZATION, lambda car: car.ask(AuthorizationSetupReq)),
    (S.SERVICE_DISCOVERY, lambda car: (car.authorize(), car.authorize())),
    (S.SERVICE_DETAIL, lambda car: car.ask(ServiceDiscoveryReq)),
    (S.SERVICE_SELECTION, lambda car: car.ask(ServiceDetailReq, ServiceID=6)),
    (S.DC_PARAMETERS, lambda car: car.choose("DC_BPT")),
    (S.DC_SCHEDULE, lambda car: car.parameters("DC_BPT")),
    (S.DC_CABLE_CHECK, lambda car: car.scheduled()),
    (S.DC_PRE_CHARGE, lambda car: (car.cable_check(), car.cable_check())),
    (S.DC_START, lambda car: car.pre_charge("Finished")),
    (S.DC_LOOP, lambda car: car.start()),
    (S.DC_RENEGOTIATION, lambda car: car.deliver("ScheduleRenegotiation")),
    (S.DC_RESTART, lambda car: car.scheduled()),
    (S.DC_STANDBY, lambda car: car.deliver("Standby")),
    (S.DC_WELDING, lambda car: car.deliver("Stop")),
)
ACDP_PATH: tuple[tuple[State, Step], ...] = (
    (S.ACDP_POSITIONING, lambda car: (car.authorized("DC_ACDP"), car.select("DC_ACDP"))),
    (S.ACDP_CONNECT, lambda car: (car.tell(words.PositionIs(words.Position(reachable=True))), car.positioning())),
    (S.ACDP_DISCONNECT, lambda car: _undocking(car)),
)
WPT_PATH: tuple[tuple[State, Step], ...] = (
    (S.WPT_SETUP, lambda car: (car.authorized("WPT"), car.select("WPT"))),
    (S.WPT_POSITIONING, lambda car: car.wpt_setup()),
    (S.WPT_PAIRING, lambda car: (car.tell(words.PositionIs(words.Position(reachable=True))), polled(car.fine_positioning))),
    (S.WPT_PARAMETERS, lambda car: polled(car.pairing)),
    (S.WPT_SCHEDULE, lambda car: car.parameters("WPT")),
    (S.WPT_ALIGNMENT, lambda car: car.scheduled()),
    (S.WPT_START, lambda car: car.aligned()),
    (S.WPT_LOOP, lambda car: car.start()),
    (S.WPT_RENEGOTIATION, lambda car: car.deliver("ScheduleRenegotiation")),
    (S.WPT_RESTART, lambda car: car.scheduled()),
    (S.WPT_STANDBY, lambda car: car.deliver("Standby")),
)


def _undocking(car: Scripted) -> None:
    """Through a whole charge, to a vehicle that waits for the device to go home."""
    polled(car.connect)
    car.parameters()
    car.scheduled()
    car.isolated()
    car.pre_charge()
    car.pre_charge("Finished")
    car.start()
    car.deliver("Stop")
    car.disconnect()


def _paths() -> Iterator[tuple[State, list[Step]]]:
    for path in (AC_PATH, DER_PATH, DC_PATH, ACDP_PATH, WPT_PATH):
        steps: list[Step] = []
        for state, step in path:
            steps.append(step)
            yield state, list(steps)


_PATHS = dict(_paths())
WAITING = [state for state in State if state is not S.ENDED]


def request(car: Scripted, kind: type[Type], session_id: bytes | None = None) -> Type:
    """The least request of a kind, in this session or another."""
    if kind is supportedAppProtocolReq:
        return least(kind)
    header = MessageHeaderType(SessionID=car.id if session_id is None else session_id, TimeStamp=1)
    return least(kind, Header=header)


def test_the_paths_reach_every_state_that_the_table_names() -> None:
    assert set(_PATHS) == {line.state for line in SEQUENCE} == set(WAITING)


@pytest.mark.parametrize(
    ("state", "kind"),
    [(s, k) for s in WAITING for k in REQUESTS if row(s, k) is None],
    ids=lambda x: getattr(x, "value", getattr(x, "__name__", "")),
)
def test_what_has_no_row_is_refused_by_its_own_response_and_ends_the_session(state: State, kind: type[Type]) -> None:
    car = reach(state)
    car.send(request(car, kind))
    (answer,) = car.answers()
    assert type(answer) is response_to(kind)
    expected = sapCodeType.Failed_NoNegotiation if kind is supportedAppProtocolReq else Code.FAILED_SequenceError
    assert answer.ResponseCode is expected
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, SequenceError)
    car.send(request(car, kind))
    assert car.answers() == []


STRANGERS = {"foreign": b"stranger", "zero": bytes(8)}


@pytest.mark.parametrize("stranger", [*STRANGERS, "one bit"])
@pytest.mark.parametrize("kind", [k for k in REQUESTS if k not in (supportedAppProtocolReq, SessionSetupReq)], ids=lambda k: k.__name__)
def test_a_foreign_session_id_is_told_so_before_anything_else(kind: type[Type], stranger: str) -> None:
    loop = S.WPT_LOOP if "WPT" in kind.__name__ else S.DC_LOOP if "AC" not in kind.__name__ else S.AC_LOOP
    for state in (S.AUTHORIZATION, loop):
        car = reach(state)
        session_id = STRANGERS.get(stranger) or bytes([car.id[0] ^ 1]) + car.id[1:]
        car.send(request(car, kind, session_id))
        (answer,) = car.answers()
        assert type(answer) is response_to(kind)
        assert answer.ResponseCode is Code.FAILED_UnknownSession
        assert car.session.ended is not None
        assert isinstance(car.session.ended.error, UnknownSession)


def test_a_short_session_id_is_no_session() -> None:
    car = reach(S.DC_LOOP)
    whole = car.id
    octets = _encoded(request(car, ServiceDiscoveryReq))
    at = octets.find(b"\x08" + whole) if (b"\x08" + whole) in octets else None
    assert at is None, "the id is not on an octet boundary: the test shortens it bit by bit"
    car.octets(_with_short_id(octets, whole))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_UnknownSession


def _encoded(message: Type) -> bytes:
    from v2g.iso20.frames import exi

    return exi(message)


def _with_short_id(exi: bytes, session_id: bytes) -> bytes:
    """The same frame with a SessionID of seven octets: length and octets are searched for and cut at their bit position."""
    from v2g.session.v2gtp import PayloadType, frame

    bits = "".join(f"{octet:08b}" for octet in exi)
    wanted = "".join(f"{octet:08b}" for octet in b"\x08" + session_id)
    at = bits.index(wanted)
    cut = bits[:at] + f"{7:08b}" + wanted[8 : 8 + 56] + bits[at + len(wanted) :]
    cut += "0" * (-len(cut) % 8)
    return frame(PayloadType.COMMON, bytes(int(cut[i : i + 8], 2) for i in range(0, len(cut), 8)))


@pytest.mark.parametrize("state", [s for s in WAITING if s not in (S.SUPPORTED_APP_PROTOCOL, S.SESSION_SETUP)], ids=lambda s: s.value)
def test_silence_ends_the_session_when_the_sequence_timer_says_so(state: State) -> None:
    car = reach(state)
    limit = 60.0
    if state in (S.AC_LOOP, S.DC_LOOP, S.WPT_LOOP):
        car.loop({S.AC_LOOP: "AC_BPT", S.DC_LOOP: "DC_BPT", S.WPT_LOOP: "WPT"}[state])
        limit = 0.5
    car.wait(limit - 0.01)
    assert car.session.ended is None
    car.wait(0.02)
    assert car.session.ended is not None
    error = car.session.ended.error
    assert isinstance(error, TimedOut)
    assert (error.timer, error.limit) == ("V2G_SECC_Sequence_Timeout", limit)


@pytest.mark.parametrize(
    "state",
    [S.AC_LOOP, S.DC_LOOP, S.DC_PRE_CHARGE, S.DC_RENEGOTIATION, S.DC_WELDING, S.WPT_START, S.WPT_LOOP, S.WPT_RENEGOTIATION],
    ids=lambda s: s.value,
)
def test_an_outlet_that_may_be_live_is_opened_whenever_a_session_breaks(state: State) -> None:
    for end in (lambda car: car.octets(b""), lambda car: car.wait(61), lambda car: car.octets(b"GET / HTTP/1.1\r\n\r\n")):
        car = reach(state)
        before = len(car.wants(words.OpenContactor))
        end(car)
        assert car.session.ended is not None
        assert not car.session.ended.well
        assert len(car.wants(words.OpenContactor)) == before + 1
        assert (len(car.wants(words.PowerStopped)) == 1) == bool(car.wants(words.PowerStarted))


def test_before_the_first_request_only_the_setup_timer_runs() -> None:
    car = Scripted()
    car.wait(17.9)
    assert car.session.ended is None
    car.wait(0.2)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, TimedOut)
    assert car.session.ended.error.timer == "V2G_SECC_CommunicationSetup_Timeout"


def test_octets_that_trickle_do_not_stop_the_timer() -> None:
    car = reach(S.AUTHORIZATION)
    for octet in b"\x01\xfe\x80\x02\x00\x00\x00\x40" + bytes(3):
        car.octets(bytes([octet]))
        car.wait(6)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, TimedOut)


def test_frames_that_come_together_are_answered_in_their_order() -> None:
    from v2g.iso20.frames import framed

    car = reach(S.SERVICE_DISCOVERY)
    both = framed(request(car, ServiceDiscoveryReq)) + framed(ServiceDetailReq(Header=car.header(), ServiceID=2))
    car.octets(both)
    first, second = car.answers()
    assert (type(first).__name__, type(second).__name__) == ("ServiceDiscoveryRes", "ServiceDetailRes")


def test_a_frame_one_octet_at_a_time_is_a_frame() -> None:
    from v2g.iso20.frames import framed

    car = reach(S.SERVICE_DISCOVERY)
    for octet in framed(request(car, ServiceDiscoveryReq)):
        car.octets(bytes([octet]))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK


@pytest.mark.parametrize(
    ("state", "kind", "payload_type"),
    [
        (S.DC_LOOP, dc.DC_ChargeLoopReq, 0x8002),
        (S.AC_LOOP, ac.AC_ChargeLoopReq, 0x8004),
        (S.SERVICE_DISCOVERY, ServiceDiscoveryReq, 0x8004),
    ],
)
def test_a_request_that_is_no_message_of_its_payload_type_is_not_served(state: State, kind: type[Type], payload_type: int) -> None:
    car = reach(state)
    car.send(request(car, kind), payload_type)
    assert [a for a in car.answers() if a.ResponseCode is Code.OK] == []
    assert car.session.ended is not None
    assert not car.session.ended.well


@pytest.mark.parametrize("payload_type", [0x8101, 0x8102, 0x8104])
def test_a_request_under_the_wrong_payload_type_is_not_served(payload_type: int) -> None:
    """These octets decode: it is the payload type alone that is wrong."""
    car = reach(S.SERVICE_DISCOVERY)
    asked = request(car, ServiceDiscoveryReq)
    assert frames.message(payload_type, frames.exi(asked)) == asked
    car.send(asked, payload_type)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None
    assert f"0x{payload_type:04X}" in str(car.session.ended.error)


def test_garbage_in_a_known_request_is_answered_before_the_end() -> None:
    car = reach(S.DC_LOOP)
    octets = bytearray(_encoded(dc.DC_ChargeLoopReq(
        Header=car.header(), MeterInfoRequested=False, EVPresentVoltage=r(400),
        CLReqControlMode=dc.Scheduled_DC_CLReqControlModeType(EVTargetCurrent=r(1), EVTargetVoltage=r(1)),
    )))  # fmt: skip
    from v2g.session.v2gtp import PayloadType, frame

    car.octets(frame(PayloadType.DC, bytes(octets[:-6])))
    (answer,) = car.answers()
    assert type(answer) is dc.DC_ChargeLoopRes
    assert answer.ResponseCode is Code.FAILED
    assert car.session.ended is not None


def test_after_stop_the_car_closes_or_the_station_does() -> None:
    car = reach(S.SESSION_STOP)
    assert car.stop().ResponseCode is Code.OK
    car.wait(4.9)
    assert car.session.ended is None
    car.wait(0.2)
    assert car.session.ended is not None
    assert car.session.ended.well
    assert car.session.ended.how == "Terminate"


@pytest.mark.parametrize("state", [s for s in WAITING if s not in (S.SUPPORTED_APP_PROTOCOL, S.SESSION_SETUP)], ids=lambda s: s.value)
def test_a_car_may_stop_in_every_state(state: State) -> None:
    car = reach(state)
    live = state in (
        *(S.AC_LOOP, S.DC_LOOP, S.DC_PRE_CHARGE, S.DC_START, S.DC_RENEGOTIATION, S.DC_RESTART, S.DC_WELDING),
        *(S.WPT_START, S.WPT_LOOP, S.WPT_RENEGOTIATION, S.WPT_RESTART, S.WPT_STANDBY),  # the check of the alignment may have left it live
    )
    assert car.stop().ResponseCode is Code.OK
    assert bool(car.wants(words.OpenContactor)) == (live or state in (S.SESSION_STOP, S.ACDP_DISCONNECT, S.AC_STANDBY, S.DC_STANDBY))
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.well


def test_a_car_that_leaves_without_a_word_is_a_lost_connection() -> None:
    car = reach(S.AUTHORIZATION)
    car.octets(b"")
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, ConnectionLost)
