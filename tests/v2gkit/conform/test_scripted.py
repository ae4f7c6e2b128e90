"""The scripted station without a network: its judgements, its octets, its good answers."""

from typing import Any

import pytest

from v2g.exi.codec import decode
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.iso20.sequence import REQUESTS, response_to
from v2g.messages import common_messages as cm
from v2g.messages import schema_set
from v2g.messages.common_types import MessageHeaderType
from v2g.session.v2gtp import FrameReader
from v2gkit.conform.cases.car_charge import profiled
from v2gkit.conform.cases.car_loop import FOLLOWING, gaps, left_early
from v2gkit.conform.cases.car_tls import order_of
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults, raw
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Closed, Encounter, Heard, leaving
from v2gkit.conform.scripted.good import good, power_schedule
from v2gkit.conform.scripted.judging import ended, refused_tls, went_on
from v2gkit.conform.scripted.play import Fault, Play
from v2gkit.conform.scripted.speeches import SPEECHES
from v2gkit.conform.verdict import Verdict

HEADER = MessageHeaderType(SessionID=bytes(8), TimeStamp=0)
COMMON = schema_set("common")
Progress = cm.chargeProgressType


def desk(play: Play | None = None) -> Desk:
    return Desk(play or Play(), bytes(range(8)), set(), lambda: 1000.0, SPEECHES[(play or Play()).generation])


def request(kind: type, **fields: Any) -> Any:
    return least(kind, **{"Header": HEADER, **fields})


def power(progress: cm.chargeProgressType) -> cm.PowerDeliveryReq:
    return cm.PowerDeliveryReq(Header=HEADER, EVProcessing=cm.processingType.Finished, ChargeProgress=progress)


STOP = request(cm.SessionStopReq)
ON = request(cm.ServiceDetailReq)


def seen(after: tuple[Any, ...] = (), closed: float | None = 11.0, stimulus: float | None = 10.0) -> Encounter:
    """A connection with one request, a fault at second 10, and what came after it, a tenth of a second apart."""
    heard = [Heard(9.9, ON, 0), *(Heard(10.1 + number / 10, each, 0) for number, each in enumerate(after))]
    end = Closed(closed, "car", True, "TLS closed") if closed is not None else None
    return Encounter(9.0, heard=heard, stimulus=stimulus, before=1, closed=end)


# --- judgements ---


def test_a_car_that_leaves_in_order_is_not_blamed_for_too_few_loops() -> None:
    assert left_early(seen((ON, ON)), FOLLOWING) is None
    broke = left_early(seen((ON, ON)), 2)
    assert broke is not None
    assert broke.verdict is Verdict.FAIL
    with pytest.raises(Unreached, match="left in order after 2 of 10 loops"):
        left_early(seen((ON, STOP)), 2)


@pytest.mark.parametrize(
    ("met", "verdict"),
    [
        (seen(), Verdict.PASS),
        (seen((power(Progress.Stop), STOP)), Verdict.PASS),
        (seen((ON,)), Verdict.FAIL),
        (seen((power(Progress.Start),)), Verdict.FAIL),
        (seen((), None), Verdict.FAIL),
        (seen((), 15.1), Verdict.FAIL),
        (seen((), 10.4), Verdict.FAIL),
    ],
)
def test_a_session_that_must_end_may_only_be_left(met: Encounter, verdict: Verdict) -> None:
    assert ended(met, 5.0, 0.5).verdict is verdict


def test_what_did_not_come_to_its_stimulus_is_no_verdict() -> None:
    for judgement in (lambda met: ended(met, 5.0), went_on):
        with pytest.raises(Unreached, match="ServiceDetail"):
            judgement(seen(stimulus=None))
    assert went_on(seen((ON,))).verdict is Verdict.PASS
    assert went_on(seen((STOP,))).verdict is Verdict.FAIL
    with pytest.raises(Unreached):
        refused_tls(Encounter(0.0))


def test_a_car_is_not_blamed_for_a_handshake_that_this_side_ended() -> None:
    hello: Any = object()
    told = "TLS handshake failed: no shared cipher (us sent alert handshake_failure)"
    with pytest.raises(Unreached, match="no shared cipher"):
        refused_tls(Encounter(0.0, hello, refused=told, closed=Closed(1.0, "us", False, "TLS alert handshake_failure")))
    assert refused_tls(Encounter(0.0, hello, refused="a reset", closed=Closed(1.0, "car", False, "reset"))).verdict is Verdict.PASS
    assert refused_tls(Encounter(0.0, hello, closed=Closed(20.0, "us", True, "TCP closed"))).verdict is Verdict.FAIL


def test_leaving_is_stop_and_nothing_else() -> None:
    assert leaving(STOP)
    assert leaving(power(Progress.Stop))
    assert not leaving(power(Progress.Start))
    assert not leaving(power(Progress.Standby))
    assert not leaving(ON)


def profile(*steps: tuple[int, float], number: int = 7, anchor: int = 1000) -> cm.EVPowerProfileType:
    entries = power_schedule(0, *steps).PowerScheduleEntries.PowerScheduleEntry
    mode = cm.Scheduled_EVPPTControlModeType(SelectedScheduleTupleID=number)
    listed = cm.EVPowerProfileEntryListType(EVPowerProfileEntry=entries)
    return cm.EVPowerProfileType(TimeAnchor=anchor, Scheduled_EVPPTControlMode=mode, EVPowerProfileEntries=listed)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (profile((600, 30e3), (600, 5e3)), Verdict.PASS),
        (profile((300, 10e3), (900, 5e3)), Verdict.PASS),
        (profile((1200, 0.0)), Verdict.PASS),
        (profile((600, 31e3)), Verdict.FAIL),
        (profile((700, 30e3)), Verdict.FAIL),  # a hundred seconds into the second step
        (profile((600, 30e3), anchor=1001), Verdict.FAIL),
        (profile((600, 30e3), (1200, 5e3)), Verdict.FAIL),  # beyond the end
        (profile((600, 30e3), number=8), Verdict.FAIL),
        (profile(*[(1, 1.0)] * 13), Verdict.FAIL),  # more than it said it supports
    ],
)
def test_a_profile_keeps_within_its_schedule(found: cm.EVPowerProfileType, verdict: Verdict) -> None:
    assert profiled(found, ((600, 30e3), (600, 5e3)), 1000, 12).verdict is verdict


def test_the_pace_is_from_each_response_to_the_request_that_follows() -> None:
    from v2g.messages import dc

    loop = request(dc.DC_ChargeLoopReq)
    met = Encounter(0.0, heard=[Heard(at, loop, 0) for at in (1.0, 1.3, 1.9)], said=[(1.1, "DC_ChargeLoopRes"), (1.4, "DC_ChargeLoopRes")])
    assert gaps(met) == pytest.approx([0.2, 0.5])


def test_an_offer_lacks_what_is_pinned_or_has_it_in_another_order() -> None:
    assert order_of(("a", "b"), ["x", "a", "y", "b"], "groups") == ""
    assert "lack b" in order_of(("a", "b"), ["a"], "groups")
    assert "order b, a" in order_of(("a", "b"), ["b", "a"], "groups")


# --- octets ---

ASKED = desk(Play(ways=("PnC",)))
FRAME = ASKED.framed(ASKED.good(request(cm.AuthorizationSetupReq)))


def document(frame: bytes) -> bytes:
    """The document of the one frame that these octets hold."""
    reader = FrameReader()
    reader.feed(frame)
    found = reader.next()
    assert found is not None
    assert reader.pending == 0
    return found.payload


def test_a_binary_value_is_replaced_by_one_of_another_length() -> None:
    old = Play().challenge
    same: Any = decode(document(raw.stretched(FRAME, old, old[::-1])), COMMON)
    assert same.PnC_ASResAuthorizationMode.GenChallenge == old[::-1]
    for length in (0, 15, 17, 300):
        with pytest.raises(DecodeError, match="GenChallenge"):
            decode(document(raw.stretched(FRAME, old, bytes(length))), COMMON)
    with pytest.raises(ValueError, match="must be once"):
        raw.stretched(FRAME, b"\x77" * 16, b"")


def test_spoiled_octets_are_repeatable_and_differ() -> None:
    for spoil in (raw.shortened, raw.flipped):
        made = [spoil(FRAME, seed) for seed in range(20)]
        assert made == [spoil(FRAME, seed) for seed in range(20)]
        assert FRAME not in made
        assert len(set(made)) > 5
        assert all(document(each) for each in made)
    assert document(raw.filled(FRAME, 0.5, 0xFF, 100)).endswith(b"\xff" * 100)


# --- answers ---


@pytest.mark.parametrize(
    "kind", [each for each in REQUESTS if f"{each.__name__.removesuffix('Req')}" in faults.SESSION], ids=lambda k: k.__name__
)
def test_the_wrong_type_is_never_the_right_one(kind: type) -> None:
    wrong = faults.wrong_type(request(kind), desk())
    assert type(wrong) is not response_to(kind)
    assert desk().framed(wrong)


def test_a_fault_is_played_once_or_from_then_on() -> None:
    asked = request(cm.ServiceDetailReq)
    for always, wanted in ((False, [False, True, False, False]), (True, [False, True, True, True])):
        own = desk(Play(fault=Fault("ServiceDetailReq", faults.silence, nth=2, always=always)))
        assert [own.chosen(asked)[1] for _ in wanted] == wanted
        assert not own.chosen(request(cm.AuthorizationSetupReq))[1]


def test_a_paused_session_is_joined_where_the_play_lets_it() -> None:
    old = b"paused!!"
    back = request(cm.SessionSetupReq, EVCCID="X", Header=MessageHeaderType(SessionID=old, TimeStamp=0))
    for joins, code in ((True, "OK_OldSessionJoined"), (False, "OK_NewSessionEstablished")):
        own = Desk(Play(joins=joins), bytes(range(8)), {old}, lambda: 1.0, SPEECHES["20"])
        answer = good(back, own)
        assert answer.ResponseCode.value == code
        assert (answer.Header.SessionID == old) == joins
