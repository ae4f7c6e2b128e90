"""Times of frames are those at which octets come and leave, not those at which a session was called."""

from v2g.exi.derive import least
from v2g.messages.common_messages import SessionSetupReq, SessionSetupRes
from v2g.session.endpoint import Event, FrameReceived, FrameSent, StateEntered
from v2g.session.transport.stamp import Stamp


def sent(at: float, since: float | None) -> FrameSent:
    return FrameSent(at, 0x8002, "common", b"", least(SessionSetupRes), since)


def came(at: float, since: float | None) -> FrameReceived:
    return FrameReceived(at, 0x8002, "common", b"", least(SessionSetupReq), since)


def gaps(events: list[Event]) -> list[tuple[float, float | None]]:
    return [(e.at, e.since_previous) for e in events if isinstance(e, FrameSent | FrameReceived)]


def test_the_work_of_a_session_counts_as_time_to_answer() -> None:
    stamp = Stamp()
    entered = StateEntered(1.0, "x")
    events = stamp.stamped([came(1.0, None), sent(1.0, 0.0), entered], [1.25])
    assert gaps(events) == [(1.0, None), (1.25, 0.25)]
    assert events[2] is entered
    assert gaps(stamp.stamped([came(2.0, 1.0)], [])) == [(2.0, 0.75)]  # the peer had it only from 1.25 on


def test_an_answer_that_was_parked_keeps_the_time_it_waited() -> None:
    assert gaps(Stamp().stamped([sent(1.5, 0.5)], [1.75])) == [(1.75, 0.75)]


def test_frames_of_one_call_have_each_their_own_time() -> None:
    assert gaps(Stamp().stamped([came(1.0, None), sent(1.0, 0.0), came(1.0, 0.0), sent(1.0, 0.0)], [1.25, 1.5])) == [
        (1.0, None), (1.25, 0.25), (1.0, 0.0), (1.5, 0.5),
    ]  # fmt: skip


def test_a_frame_that_opens_a_conversation_follows_nothing() -> None:
    assert gaps(Stamp().stamped([sent(1.0, None)], [1.25])) == [(1.25, None)]
