"""Our car and our station in virtual time: the sessions agree with each other, as both agree with the scripted ones."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from evcc.car import Car, Wish
from evcc.credentials import Contract
from evcc.ev import Ev
from evcc.goal import Goal
from evcc.iso20.misbehaving import babbling, greedy, hasty, mute, one_way, stranger, unasked_service, unframed
from evcc.iso20.renegotiation import schedule_renegotiation, service_renegotiation
from pki.profiles import Role
from secc import station as words
from secc.claims import Trust
from secc.iso20.verifier import PkiVerifier
from secc.pause import PausedSessions
from secc.reserve import Reserve
from tests.evcc.virtual_pair import Pair, outlet
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2g.iso20.services import SERVICES
from v2g.messages import common_messages as cm
from v2g.messages import dc
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameSent, Noted
from v2g.session.errors import PeerMisbehaved
from v2g.session.link import Link
from v2g.session.tls import TlsFacts

EPOCH = NOW.timestamp() + 3600
VERIFIER = {"verifier": PkiVerifier(Trust(anchors()))}


def link(station: bytes = b"station", vehicle: bytes = b"vehicle") -> Link:
    """TLS 1.3 with both sides authenticated, as the car is told of it."""
    facts = TlsFacts(
        "conformance",
        "TLSv1.3",
        "TLS_AES_256_GCM_SHA384",
        "secp521r1",
        None,
        None,
        (vehicle,),
        (station,),
        object(),
        certificate_requested=True,
    )
    return Link(("::1", 1), ("::1", 2), facts, 0.0)


def contract(curve: str = "secp521r1") -> Contract:
    issued = hierarchy(curve)[Role.CONTRACT]
    return Contract(tuple(certificate.public_bytes(Encoding.DER) for certificate in issued.chain), issued.key)


def car(service: str = "DC_BPT", control: str = "Scheduled", way: str = "EIM", scale: float = 1.0, **wish: Any) -> Car:
    wishes = Wish(services=(service,), control=control, authorizations=(way,), **{"loops": 5, **wish})  # type: ignore[arg-type]
    return Car(Ev(energy=30_000), Goal(target_soc=50, minimum_soc=20), wishes, Clock(EPOCH, 0.0, scale), contract(), link=link())


def ended(pair: Pair) -> str:
    """How both ended, which is the same way and well."""
    assert pair.evcc.ended is not None
    assert pair.station.ended is not None
    assert pair.evcc.ended.well, pair.evcc.ended
    assert pair.station.ended.well, pair.station.ended
    assert pair.evcc.ended.how == pair.station.ended.how
    return pair.evcc.ended.how


COMBINATIONS = list(itertools.product(SERVICES, ("Scheduled", "Dynamic"), ("EIM", "PnC")))


@pytest.mark.parametrize(("service", "control", "way"), COMBINATIONS)
def test_every_combination(service: str, control: str, way: str) -> None:
    visitor = car(service, control, way)
    pair = Pair(visitor, given=VERIFIER)
    assert ended(pair) == "Terminate"
    chosen = visitor.known.service
    assert (chosen.service, chosen.control, visitor.authorization, visitor.loops) == (service, control, way, 5)
    (asked,) = pair.of(words.AuthorizationWanted)
    assert asked.authorization == way
    assert bool(asked.emaid) == (way == "PnC")  # the station verified what the car signed
    (began,) = pair.of(words.PowerStarted)
    assert pair.of(words.PowerStopped)[0].at > began.at
    assert pair.output == (0.0, 0.0)


@pytest.mark.parametrize(
    ("wanted", "offered", "taken"),
    [
        (("https", "http"), ("http", "https"), "https"),
        (("https", "http"), ("http",), "http"),
        (("ftp",), ("https",), ""),
        (("https",), (), ""),
        ((), ("https",), ""),
    ],
)
def test_a_car_takes_internet_by_its_own_order_or_leaves_it(wanted: Any, offered: Any, taken: str) -> None:
    visitor = car(internet=wanted)
    pair = Pair(visitor, outlet(internet=offered), given=VERIFIER)
    assert ended(pair) == "Terminate"
    assert visitor.known.internet == taken
    (want,) = pair.of(words.ServiceSelected)
    assert [(one.service, one.protocol) for one in want.added] == ([("Internet", taken)] if taken else [])


def test_a_night_up_and_down() -> None:
    """Three hours of charging and giving back in a tenth of a second; both ends count the same energy."""
    visitor = car(scale=600.0, loops=None)
    visitor.goal = replace(visitor.goal, departure=EPOCH + 3 * 3600)
    pair = Pair(visitor)
    assert ended(pair) == "Terminate"
    assert visitor.ev.discharged > 5_000
    assert visitor.ev.soc == pytest.approx(50.0, abs=1.0)
    assert visitor.ev.charged == pytest.approx(pair.imported, rel=0.02)
    assert visitor.ev.discharged == pytest.approx(pair.exported, rel=0.03)
    (chosen,) = pair.of(words.ScheduleChosen)
    assert chosen.tuple_id == 11
    assert min(chosen.profile.values) == -10_000.0


@pytest.mark.parametrize("service", ["DC_BPT", "AC_BPT", "MCS_BPT", "AC_DER_IEC"])
def test_a_car_that_came_above_its_maximum_may_be_discharged_all_the_more(service: str) -> None:
    """A station takes a negative EVMaximumV2XEnergyRequest for a car that lets nothing be taken."""
    visitor = car(service, "Dynamic")
    visitor.goal = replace(visitor.goal, maximum_soc=80.0)
    visitor.ev = Ev(energy=0.82 * visitor.ev.battery.capacity)
    pair = Pair(visitor, given=VERIFIER)
    assert ended(pair) == "Terminate"
    told = [each.v2x_maximum for each in pair.of(words.EVReported)] + [each.needs.v2x_maximum for each in pair.of(words.NeedsChanged)]
    assert {0.0} <= set(told) <= {0.0, None}
    assert not any(Reserve().heard(0.0, v2x_maximum=each).bars(0.0) for each in told)


@pytest.mark.parametrize("scale", [1.0, 60.0, 600.0])
@pytest.mark.parametrize(
    ("service", "hardware"), [("AC", 0.01), ("AC", 0.15), ("AC", 1.2), ("AC_BPT", 0.15), ("DC", 0.01), ("DC_BPT", 0.01)]
)
def test_station_and_car_count_the_same_energy_at_any_scale(service: str, hardware: float, scale: float) -> None:
    """However long a contactor takes to open: an AC car has stopped before it asks for the end, a DC outlet before it answers."""
    visitor = car(service, scale=scale, loops=40)
    visitor.goal = replace(visitor.goal, departure=EPOCH + 10 * 3600)
    pair = Pair(visitor, hardware=hardware)
    assert ended(pair) == "Terminate"
    assert pair.imported > 10 * scale
    assert visitor.ev.charged == pytest.approx(pair.imported, rel=0.005)
    assert visitor.ev.discharged == pair.exported == 0.0


class Severed(Pair):
    """The connection is gone a moment after the answer to the twentieth loop."""

    severed = False

    def _exchange(self) -> bool:
        moved = super()._exchange()
        if self.car.loops == 20 and not self.severed:
            self.severed = True
            self._count(self.now + 0.05)
            self.evcc.receive(b"", self.now)
        return moved


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_what_flowed_until_a_session_was_cut_off_is_counted(service: str) -> None:
    visitor = car(service, scale=600.0, loops=None)
    pair = Severed(visitor)
    assert pair.severed
    assert pair.evcc.ended is not None
    assert not pair.evcc.ended.well
    assert visitor.ev.charged == pytest.approx(pair.imported, rel=0.005)


def test_dynamic_control_follows_the_setpoint_down_to_the_reserve() -> None:
    visitor = car(control="Dynamic", scale=600.0, loops=None)
    visitor.goal = replace(visitor.goal, departure=EPOCH + 3 * 3600)
    pair = Pair(visitor, setpoint=-9_000.0)
    assert ended(pair) == "Terminate"
    assert visitor.ev.charged < 2_000  # before the first setpoint the limits are all there is
    assert visitor.ev.soc == pytest.approx(visitor.goal.minimum_soc, abs=0.5)


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_a_meter_reading_is_confirmed_beside_the_loop(control: str) -> None:
    visitor = car("DC", control, "PnC")
    pair = Pair(visitor, given=VERIFIER, facts={2: words.MeteringConfirmationAsked()})
    assert ended(pair) == "Terminate"
    (confirmed,) = pair.of(words.MeteringConfirmed)
    assert confirmed.valid
    sent = [event for event in pair.seen if isinstance(event, FrameSent)]
    (frame,) = [event for event in sent if isinstance(event.message, cm.MeteringConfirmationReq)]
    assert frame.payload_type == 0x8102
    gaps = [event.since_previous for event in sent if isinstance(event.message, dc.DC_ChargeLoopReq)]
    assert max(gap or 0.0 for gap in gaps) <= 0.25


# --- pause and resume ---


def test_a_paused_session_is_joined_with_parameters_first() -> None:
    paused = PausedSessions()
    visitor = car("DC_BPT", way="PnC", pause_after=2)
    first = Pair(visitor, given={**VERIFIER, "paused": paused})
    assert ended(first) == "Pause"
    again = visitor.anew(link())
    again.now = first.now + 600
    second = Pair(again, given={**VERIFIER, "paused": paused})
    assert ended(second) == "Terminate"
    asked = [type(event.message).__name__ for event in second.seen if isinstance(event, FrameSent)]
    assert asked[:3] == ["supportedAppProtocolReq", "SessionSetupReq", "DC_ChargeParameterDiscoveryReq"]  # E-SES-05 [V2G20-1032]
    assert again.session_id == visitor.session_id
    assert again.loops == 5
    assert again.authorization == "PnC"


def test_E_SES_06_a_station_that_forgot_is_started_with_anew() -> None:
    visitor = car("DC", pause_after=2)
    first = Pair(visitor)
    again = visitor.anew(link())
    again.now = first.now + 600
    second = Pair(again)  # knows nothing of it
    assert ended(second) == "Terminate"
    asked = [type(event.message).__name__ for event in second.seen if isinstance(event, FrameSent)]
    assert asked[2] == "AuthorizationSetupReq"
    assert again.session_id != visitor.session_id
    assert again.memory is None  # [V2G20-2615]


def test_E_SES_07_another_station_is_no_partner_for_it() -> None:
    visitor = car("DC", pause_after=2)
    Pair(visitor)
    again = visitor.anew(link(station=b"another"))
    second = Pair(again)
    assert second.evcc.ended is not None
    assert isinstance(second.evcc.ended.error, PeerMisbehaved)
    assert second.evcc.ended.requirement == "V2G20-2539"
    assert again.memory is None


# --- the station asks ---


@pytest.mark.parametrize("service", ["AC", "DC_BPT"])
@pytest.mark.parametrize(
    ("fact", "how"),
    [(words.StopAsked("a button"), "Terminate"), (words.PauseAsked(), "Pause"), (words.RenegotiationAsked("Schedule"), "Terminate")],
)
def test_the_station_asks_and_the_car_obeys(service: str, fact: words.Fact, how: str) -> None:
    visitor = car(service, loops=8)
    pair = Pair(visitor, facts={3: fact})
    assert ended(pair) == how
    schedules = len([e for e in pair.seen if isinstance(e, Noted) and e.topic == "schedule chosen"])
    assert schedules == (2 if isinstance(fact, words.RenegotiationAsked) else 1)
    assert (visitor.loops < 8) == (not isinstance(fact, words.RenegotiationAsked))


def test_the_station_asks_for_another_service() -> None:
    visitor = car("DC", loops=8)
    pair = Pair(visitor, facts={3: words.RenegotiationAsked("Service")})
    assert ended(pair) == "Terminate"
    assert len(pair.of(words.ServiceSelected)) == 2


def test_the_car_asks_for_another_service_and_another_schedule() -> None:
    pair = Pair(car("DC", loops=8), script=service_renegotiation(3, ("DC_BPT",)))
    assert ended(pair) == "Terminate"
    assert [selected.service for selected in pair.of(words.ServiceSelected)] == ["DC", "DC_BPT"]
    pair = Pair(car("AC_BPT", loops=8), script=schedule_renegotiation(3))
    assert ended(pair) == "Terminate"
    assert len(pair.of(words.ScheduleChosen)) == 2


def test_a_service_that_cannot_be_renegotiated_is_kept() -> None:
    pair = Pair(car("DC", loops=5), outlet(service_renegotiation=False), script=service_renegotiation(3, ("DC_BPT",)))
    assert ended(pair) == "Terminate"
    assert [selected.service for selected in pair.of(words.ServiceSelected)] == ["DC"]


# --- cars that misbehave, against the station ---


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (stranger, "FAILED_UnknownSession"),
        (hasty, "FAILED_SequenceError"),
        (unasked_service, "FAILED_ServiceSelectionInvalid"),
        (one_way, "FAILED_WrongChargeParameter"),
        (greedy, "FAILED_EVPowerProfileInvalid"),
    ],
)
def test_a_misbehaving_car_is_answered(script: Any, expected: str) -> None:
    pair = Pair(car("DC_BPT"), script=script)
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.how == expected
    assert pair.station.ended is not None
    assert not pair.station.ended.well
    assert pair.output == (0.0, 0.0)


@pytest.mark.parametrize("script", [babbling, unframed, mute])
def test_a_car_that_talks_nonsense_or_nothing_is_ended(script: Any) -> None:
    pair = Pair(car("DC_BPT"), script=script)
    assert pair.station.ended is not None
    assert not pair.station.ended.well
    assert pair.output == (0.0, 0.0)


def test_now_is_the_day_of_the_certificates() -> None:
    assert datetime.fromtimestamp(EPOCH, UTC) > NOW
