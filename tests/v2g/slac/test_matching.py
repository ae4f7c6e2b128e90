"""Matching in virtual time: both sides, simulated modems, losses, neighbours and strangers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.v2g.slac.street import Street
from v2g.slac import timing
from v2g.slac.frames import (
    BROADCAST,
    AttenCharInd,
    AttenProfileInd,
    LinkStatusCnf,
    MnbcSoundInd,
    SetKeyCnf,
    SlacMatchCnf,
    SlacMatchReq,
    SlacParmReq,
    StartAttenCharInd,
    frame,
    unframe,
)

STRANGER = b"\x02\x00\x00\x00\x09\x09"


def kind(octets: bytes) -> type:
    return type(unframe(octets)[2])


def linked(street: Street, *names: str) -> bool:
    return all(street.sides[name].state == "linked" for name in names)


def test_a_car_joins_the_station_that_its_cable_leads_to() -> None:
    street = Street(3, 1, {("c0", "s0"): 17, ("c0", "s1"): 4, ("c0", "s2"): 18})
    car = street.car("c0")
    street.run(5, lambda: linked(street, "c0", "s1"))
    assert linked(street, "c0", "s1")
    assert car.station == street.sides["s1"].mac
    assert street.station("s1").car == car.mac
    assert street.line.keys["c0"] == street.line.keys["s1"]
    assert street.line.keys["s0"] != street.line.keys["s1"] != street.line.keys["s2"]
    assert street.heard["c0"][-2].facts["attenuation"] == pytest.approx(4, abs=0.5)


def test_the_messages_come_in_their_order_and_number() -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    seen: list[str] = []
    street.lost = lambda host, octets: seen.append(f"{host} {kind(octets).__name__}") or False  # type: ignore[func-returns-value]
    street.car("c0")
    street.run(5, lambda: linked(street, "c0", "s0"))
    by_car = [word.removeprefix("c0 ") for word in seen if word.startswith("c0 ")]
    assert by_car[:14] == ["SlacParmReq", *["StartAttenCharInd"] * 3, *["MnbcSoundInd"] * 10]
    assert by_car[14:17] == ["AttenCharRsp", "SlacMatchReq", "SetKeyReq"]
    by_station = [word.removeprefix("s0 ") for word in seen if word.startswith("s0 ")]
    assert by_station[:3] == ["SlacParmCnf", "AttenCharInd", "SlacMatchCnf"]


def test_a_car_between_two_stations_asks_each_to_watch_its_pilot() -> None:
    """Both hear it at 12 dB: only the one whose pilot moved may have it."""
    street = Street(2, 1, {("c0", "s0"): 12, ("c0", "s1"): 13}, watches=True)
    toggled: list[int] = []

    def toggle(times: int, within: float) -> None:
        toggled.append(times)
        for _ in range(times):
            for state in ("C", "B"):
                street.station("s1").pilot(state, street.now)

    car = street.car("c0", toggle=toggle)
    street.settle()
    street.station("s1").pilot("B", street.now)
    # the pilot moves while the right one watches
    original = street.station("s1")._validated

    def late(source: bytes, message: object, now: float) -> None:
        original(source, message, now)  # type: ignore[arg-type]
        if getattr(message, "timer", 0):
            for _ in range(2):
                for state in ("C", "B"):
                    street.station("s1").pilot(state, now)

    street.station("s1")._validated = late  # type: ignore[method-assign]
    street.run(15, lambda: linked(street, "c0"))
    assert car.station == street.sides["s1"].mac
    assert toggled == [2, 2]  # for s0, which saw nothing, and for s1


def test_a_car_that_cannot_toggle_is_let_in_where_nobody_wants_to_see_it() -> None:
    street = Street(1, 1, {("c0", "s0"): 15})
    street.car("c0")
    street.run(5, lambda: linked(street, "c0", "s0"))
    assert linked(street, "c0", "s0")


def test_beyond_the_indirect_limit_there_is_no_match_and_the_reason_says_how_far() -> None:
    street = Street(1, 1, {("c0", "s0"): 24})
    car = street.car("c0")
    street.run(15)
    assert car.state == "failed"
    assert "24.0 dB" in street.heard["c0"][-1].what
    assert sum(step.what == "the car asks for stations" for step in street.heard["c0"]) > 3  # tried again within 10 s
    assert street.sides["s0"].state in ("unmatched", "matching")


def test_nobody_there() -> None:
    street = Street(0, 1)
    car = street.car("c0")
    street.run(15)
    assert car.state == "failed"
    assert street.now < 100 + 15.001
    assert "no station answered" in street.heard["c0"][-1].what
    assert car.deadline() is None


@pytest.mark.parametrize(
    "lost", ["SlacParmReq", "SlacParmCnf", "AttenCharInd", "AttenCharRsp", "SlacMatchReq", "SlacMatchCnf", "SetKeyCnf"]
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_message_that_is_lost_is_made_up_for(lost: str, times: int) -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    left = [times]

    def lose(host: str, octets: bytes) -> bool:
        if kind(octets).__name__ == lost and left[0]:
            left[0] -= 1
            return True
        return False

    street.lost = lose
    street.car("c0")
    street.run(20, lambda: linked(street, "c0", "s0"))
    assert linked(street, "c0", "s0")
    assert left[0] < times  # a match may come before it is asked for again


def test_some_sounds_are_enough() -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    count = [0]

    def lose(host: str, octets: bytes) -> bool:
        count[0] += host == "to s0" and kind(octets) is AttenProfileInd
        return host == "to s0" and kind(octets) is AttenProfileInd and count[0] % 3 != 0

    street.lost = lose
    street.car("c0")
    street.run(5, lambda: linked(street, "c0", "s0"))
    assert linked(street, "c0", "s0")


def test_a_matched_station_answers_nobody_else_and_confirms_again() -> None:
    street = Street(1, 2, {("c0", "s0"): 4, ("c1", "s0"): 3})
    street.car("c0")
    street.run(5, lambda: linked(street, "c0", "s0"))
    station = street.station("s0")
    second = street.car("c1")
    street.run(12)
    assert second.state == "failed"
    assert station.car == street.sides["c0"].mac
    again = SlacMatchReq(street.sides["c0"].mac, station.mac, b"another!")
    station.receive(frame(station.mac, street.sides["c0"].mac, again), street.now)
    assert not [f for f in station.frames_to_send(street.now) if kind(f) is SlacMatchCnf]  # of another run


def test_two_cars_at_two_stations_at_the_same_time() -> None:
    street = Street(2, 2, {("c0", "s0"): 3, ("c0", "s1"): 9, ("c1", "s1"): 4, ("c1", "s0"): 8})
    cars = [street.car("c0"), street.car("c1")]
    street.run(10, lambda: linked(street, "c0", "c1", "s0", "s1"))
    assert [car.station for car in cars] == [street.sides["s0"].mac, street.sides["s1"].mac]


def test_the_car_that_left_is_out_of_the_network() -> None:
    """[V2G3-M09-17] and the next car gets a key of its own."""
    street = Street(1, 2, {("c0", "s0"): 4, ("c1", "s0"): 4})
    street.car("c0")
    street.run(5, lambda: linked(street, "c0", "s0"))
    first = street.line.keys["s0"]
    street.station("s0").unplugged(street.now)
    street.run(1)
    assert street.line.keys["s0"] != first
    assert street.line.keys["c0"] == first
    street.car("c1")
    street.run(5, lambda: linked(street, "c1", "s0"))
    assert linked(street, "c1", "s0")


def test_a_link_that_is_lost_ends_the_match_on_both_sides_and_the_car_comes_back() -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    car = street.car("c0")
    street.run(5, lambda: linked(street, "c0", "s0"))
    street.line.keys["c0"] = b"reset by a spark"
    street.run(60, lambda: any(step.what == "the link was lost" for step in street.heard["c0"]))
    assert any(step.what == "the link was lost" for step in street.heard["c0"])
    street.run(30, lambda: linked(street, "c0", "s0"))
    assert linked(street, "c0", "s0"), (car.state, street.heard["s0"][-3:])


def test_a_match_without_a_link_ends() -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    street.lost = lambda host, octets: host == "c0" and kind(octets).__name__ == "SetKeyReq"
    street.car("c0")
    street.run(30)
    assert any("no link within 12 s" in step.what for step in street.heard["s0"])
    assert any("did not confirm CM_SET_KEY.REQ" in step.what for step in street.heard["c0"])


def test_a_modem_that_says_nothing_about_links_is_believed() -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    street.lost = lambda host, octets: kind(octets).__name__ == "LinkStatusReq"
    street.car("c0")
    street.run(20, lambda: linked(street, "c0", "s0"))
    assert linked(street, "c0", "s0")
    assert "says nothing" in street.heard["c0"][-1].what


def test_a_station_without_modem_says_so_and_finds_it_later() -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    street.line.silent = {"s0"}
    street.station("s0").unplugged(street.now)
    street.sides["s0"] = type(street.station("s0"))(street.sides["s0"].mac, street.now, entropy=lambda n: bytes(n))
    street.run(5)
    assert "did not confirm" in street.heard["s0"][-1].what
    street.car("c0")
    street.run(1)
    assert not any(step.what == "a car asks" for step in street.heard["s0"])  # it has no key to give
    street.line.silent = set()
    street.run(30, lambda: linked(street, "c0", "s0"))
    assert linked(street, "c0", "s0")


def test_a_cable_without_a_car_that_asks_is_told() -> None:
    street = Street(1, 0)
    street.station("s0").plugged(street.now)
    street.run(60)
    assert "no car asked within 50 s" in street.heard["s0"][-1].what


def test_a_stranger_on_the_line_cannot_be_the_modem() -> None:
    """Profiles from the line would make any station the loudest, answers about the link keep a dead one alive."""
    street = Street(1, 1, {("c0", "s0"): 24})
    car = street.car("c0")
    street.run(0.25)
    for _ in range(20):
        street.send("c0", frame(BROADCAST, STRANGER, AttenProfileInd(car.mac, bytes(58))))
    street.run(15)
    assert car.state == "failed"
    street = Street(1, 1, {("c0", "s0"): 4})
    street.lost = lambda host, octets: kind(octets).__name__ == "LinkStatusReq"
    street.car("c0")
    street.run(3)
    station = street.station("s0")
    station.receive(frame(station.mac, STRANGER, LinkStatusCnf(0, 1)), street.now)
    assert station.state == "matched"


def test_a_flood_of_strangers_is_bounded_and_a_car_comes_through() -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    station = street.station("s0")
    for number in range(2000):
        mac = b"\x02\x07\x00\x00" + number.to_bytes(2, "big")
        station.receive(frame(BROADCAST, mac, SlacParmReq(number.to_bytes(8, "big"))), street.now)
    assert len(station._runs) <= 16
    station.frames_to_send(street.now)
    street.car("c0")
    street.run(10, lambda: linked(street, "c0", "s0"))
    assert linked(street, "c0", "s0")


def test_no_key_is_shown() -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    street.car("c0")
    street.run(5, lambda: linked(street, "c0", "s0"))
    secret = street.line.keys["s0"]
    text = repr(street.heard) + repr(street.sides["s0"]._network)
    assert secret.hex() not in text
    assert repr(secret) not in text


messages = st.one_of(
    st.builds(SlacParmReq, st.binary(min_size=8, max_size=8)),
    st.builds(
        StartAttenCharInd,
        st.binary(min_size=8, max_size=8),
        st.binary(min_size=6, max_size=6),
        st.integers(0, 255),
        st.integers(0, 255),
    ),
    st.builds(MnbcSoundInd, st.just(bytes(8)), st.integers(0, 255), st.binary(min_size=16, max_size=16)),
    st.builds(AttenProfileInd, st.just(b"\x02\x00\x00\x00\x02\x00"), st.binary(max_size=255)),
    st.builds(
        AttenCharInd, st.just(b"\x02\x00\x00\x00\x02\x00"), st.binary(min_size=8, max_size=8), st.integers(0, 255), st.binary(max_size=255)
    ),
    st.builds(SetKeyCnf, st.integers(0, 255)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["s0", "c0"]), messages | st.binary(max_size=200), st.floats(0, 0.3)), max_size=40))
def test_whatever_comes_a_side_stays_alive(story: list[tuple[str, object, float]]) -> None:
    street = Street(1, 1, {("c0", "s0"): 4})
    street.car("c0")
    for host, message, pause in story:
        side = street.sides[host]
        octets = message if isinstance(message, bytes) else frame(side.mac, STRANGER, message)  # type: ignore[arg-type]
        side.receive(octets, street.now)
        street.run(pause)
    street.run(timing.TT_MATCHING_REPETITION + 20)
    assert street.sides["c0"].state in ("linked", "failed")
    assert street.sides["s0"].state in ("unmatched", "matching", "matched", "linked")
