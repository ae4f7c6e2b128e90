"""Scenarios: read strictly, played against our station, and a verdict that fails where the station does something else."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evcc.car import Car, Wish
from evcc.ev import Ev
from evcc.iso20.play import Play, outcome_of
from evcc.iso20.requests import UNSTAMPED
from evcc.scenario import MESSAGES, parse
from secc import station as words
from secc.pause import PausedSessions
from tests.evcc.test_pair import link
from tests.evcc.virtual_pair import Pair, outlet
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.iso20.frames import SETS, payload_type_of
from v2g.messages import schema_set
from v2g.messages.dc import DC_ChargeLoopReq
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, FrameSent
from v2g.session.errors import Stopped
from v2g.settings.strict import ConfigError
from v2gkit.lab.scenarios import names, scenario


def played(play: Play, **given: Any) -> list[Pair]:
    """The scenario to its end, in virtual time: every session that it has, at one outlet."""
    wish = Wish(services=("DC",), authorizations=("EIM",), bench_plain=True, loops=900)
    car = Car(Ev(energy=0.3085 * 77_000), wish=replace(wish, services=given.pop("services", ("DC",))), clock=Clock(1_790_000_000.0))
    paused, pairs = PausedSessions(), list[Pair]()
    while True:
        car.link = link()
        pair = Pair(car, outlet(**given), play.script, given={"paused": paused})
        pairs.append(pair)
        assert pair.evcc.ended is not None
        rest = play.returning(pair.evcc.ended)
        if rest is None:
            return pairs
        now = pair.now + rest
        car = car.anew()
        car.now = now


@pytest.mark.parametrize("name", names())
def test_our_station_passes_every_scenario_that_is_shipped(name: str) -> None:
    play = Play(scenario(name))
    pairs = played(play)
    assert play.passed, play.as_dict()
    assert not any(pair.car.closed for pair in pairs)


WRONG = {  # a scenario that expects of our station what it does not do
    "garbage": "[[step]]\nwhen = 'after 2 loops'\ndo = 'garbage'\nexpect = 'silent'\n",
    "code": "[[step]]\nwhen = 'after 2 loops'\ndo = 'wrong-session'\nexpect_code = 'FAILED_SequenceError'\n",
    "end": "[[step]]\nwhen = 'after 2 loops'\ndo = 'stop'\nexpect = 'refused'\n",
    "resume": (
        "[[step]]\nwhen = 'after 2 loops'\ndo = 'unplug'\n[[step]]\ndo = 'resume'\nexpect_code = 'OK_OldSessionJoined'\n"
        "[[step]]\ndo = 'stop'\n"
    ),
    "never": "[[step]]\nwhen = 'after 9000 loops'\ndo = 'limits'\ncharge_power = 5000\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_station_that_does_otherwise_fails(name: str) -> None:
    play = Play(parse(WRONG[name]))
    played(play)
    said = play.as_dict()
    assert said["verdict"] == "fail"
    assert said["undone"] or any(not told["ok"] for told in said["told"])


def test_conditions_hold_when_they_say() -> None:
    text = """
    [[step]]
    when = "after 4 loops"
    do = "limits"
    charge_power = 3000
    [[step]]
    when = "wait 5 s"
    do = "target"
    soc = 85
    [[step]]
    when = "after 6 loops"
    do = "stop"
    """
    play = Play(parse(text))
    (pair,) = played(play)
    assert play.passed, play.as_dict()
    asked = [event for event in pair.seen if isinstance(event, FrameSent) and isinstance(event.message, DC_ChargeLoopReq)]
    targets: list[Any] = [event.message for event in asked]
    first = next(n for n, request in enumerate(targets) if request.DisplayParameters.TargetSOC == 85)
    assert asked[first].at - asked[4].at >= 5.0 - 1e-9 > asked[first - 1].at - asked[4].at
    assert len(asked) == first + 6


def test_a_state_of_charge_is_reached_from_the_side_it_is_on() -> None:
    text = "[[step]]\nwhen = 'at soc 30'\ndo = 'stop'\n"
    car = Car(Ev(energy=0.299 * 77_000), wish=Wish(services=("DC",), bench_plain=True), clock=Clock(1_790_000_000.0, 0.0, 60.0))
    play = Play(parse(text))
    pair = Pair(car, outlet(), play.script)
    assert pair.evcc.ended is not None
    assert play.returning(pair.evcc.ended) is None
    assert play.passed, play.as_dict()
    assert 30.0 <= car.ev.soc < 31.0


def test_a_limit_is_followed_by_what_the_car_asks_for() -> None:
    text = "[[step]]\nwhen = 'after 4 loops'\ndo = 'limits'\ncharge_power = 2000\n[[step]]\nwhen = 'after 9 loops'\ndo = 'stop'\n"
    (pair,) = played(Play(parse(text)))
    outputs = [want for want in pair.of(words.SetOutput) if want.voltage * want.current > 0]
    assert max(want.voltage * want.current for want in outputs[:3]) > 10_000
    assert outputs[-1].voltage * outputs[-1].current < 2_200


def test_a_refused_renegotiation_of_the_service_is_said() -> None:
    text = "[[step]]\nwhen = 'after 2 loops'\ndo = 'renegotiate-service'\nservices = ['DC_BPT']\n"
    text += "[[step]]\nwhen = 'after 2 loops'\ndo = 'stop'\n"
    well, ill = Play(parse(text)), Play(parse(text))
    played(well, service_renegotiation=True)
    played(ill, service_renegotiation=False)
    assert well.passed, well.as_dict()
    assert "V2G20-1477" in next(told.got for told in ill.told if not told.ok)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "0 steps"),
        ("[[step]]\ndo = 'dance'", "dance"),
        ("[[step]]\ndo = 'stop'\nwhen = 'at noon'", "at noon"),
        ("[[step]]\ndo = 'stop'\nwhen = 'before PowerDeliverReq'", "PowerDeliveryReq"),
        ("[[step]]\ndo = 'stop'\nwhen = 'at soc 101'", "up to 100"),
        ("[[step]]\ndo = 'stop'\n[[step]]\ndo = 'stop'", "resume"),
        ("[[step]]\ndo = 'resume'", "resume"),
        ("[[step]]\ndo = 'silence'", "what must a station do"),
        ("[[step]]\ndo = 'pause'\nwhen = 'before SessionSetupReq'", "charge loop"),
        ("[[step]]\ndo = 'garbage'\noctets = 'xyz'\nexpect = 'closed'", "hex"),
        ("[[step]]\ndo = 'limits'", "charge_power"),
        ("[[step]]\ndo = 'target'", "soc"),
        ("[[step]]\ndo = 'limits'\ncharge_power = -4", "charge_power is -4"),
        ("[[step]]\ndo = 'renegotiate-service'", "services"),
        ("[[step]]\ndo = 'stop'\nexpect_code = 'FAILED_Whatever'", "FAILED_Whatever"),
        ("[[step]]\ndo = 'target'\nsoc = 50\nexpect = 'closed'", "ends"),
        ("[[steps]]\ndo = 'stop'", "step"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse(text)


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_can_be_the_wrong_one(name: str) -> None:
    wrong = MESSAGES[name]
    message = least(wrong, **({"Header": UNSTAMPED} if "Header" in wrong.__struct_fields__ else {}))
    assert encode(message, schema_set(SETS[payload_type_of(wrong)]))


def test_the_example_of_the_document_is_played() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evcc.md").read_text()
    example = next(text for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "[[step]]" in text)
    play = Play(parse(example))
    assert len(played(play)) == 3
    assert play.passed, play.as_dict()


def test_a_driver_who_leaves_is_no_unplugged_car() -> None:
    assert outcome_of(Ended("Error", Stopped("the driver asked")))[0] == "failed"
