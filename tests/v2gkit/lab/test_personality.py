"""The cars that are shipped: each can be read, each charges at our station, each quirk shows on the wire."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evcc.ev import Battery
from evcc.iso20.conduct import CONDUCT
from evcc.iso20.quirks import QUIRKS
from secc.station import Limits
from tests.evcc.virtual_pair import LIMITS, Pair, outlet
from v2g.iso20.sequence import CHARGE_LOOPS
from v2g.messages.common_messages import PowerDeliveryReq, ScheduleExchangeReq
from v2g.messages.dc import DC_ChargeParameterDiscoveryReq
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameSent, Noted
from v2g.session.errors import ConnectionLost, PeerFailed
from v2g.settings.strict import ConfigError
from v2gkit.cli.main import main
from v2gkit.lab.personality import configuration, names, personality

TOLERANT = {"profile": "interop"}
MEGAWATT = Limits(charge_power=1_000_000, charge_current=1_500, voltage=1_250, voltage_minimum=150)


def met(name: str) -> Pair:
    """The car of that name at our station, in virtual time, for ten loops."""
    config = personality(name)
    wish = replace(config.wish, bench_plain=True, authorizations=("EIM",), loops=10)
    car = replace(config, wish=wish).car(Clock(1_790_000_000.0, 0.0, 1.0), 0.0)
    limits = MEGAWATT if "MCS" in wish.services else LIMITS
    return Pair(car, outlet(limits=limits), script=CONDUCT.script)


@pytest.mark.parametrize("name", [name for name in names() if name not in ("tardy", "from-1970")])
def test_every_car_that_is_shipped_charges(name: str) -> None:
    pair = met(name)
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well, pair.evcc.ended
    assert pair.car.loops == 10


def sent(pair: Pair, *kinds: type) -> list[Any]:
    return [event.message for event in pair.seen if isinstance(event, FrameSent) and isinstance(event.message, kinds)]


def cut_in_the_loop(pair: Pair) -> bool:
    """Whether the station ended the session, waiting 0.5 s for the next request of the loop [V2G20-1500]."""
    ended = pair.evcc.ended
    return ended is not None and isinstance(ended.error, ConnectionLost) and pair.car.loops == 1


SHOWN = {  # quirk -> whether it shows in what a car sent
    "slow-loop": cut_in_the_loop,
    "profile-anchor-zero": lambda pair: sent(pair, PowerDeliveryReq)[0].EVPowerProfile.TimeAnchor == 0,
    "profile-missing": lambda pair: sent(pair, PowerDeliveryReq)[0].EVPowerProfile is None,
    "no-meter-info": lambda pair: not any(request.MeterInfoRequested for request in sent(pair, *CHARGE_LOOPS)),
    "no-display": lambda pair: all(request.DisplayParameters is None for request in sent(pair, *CHARGE_LOOPS)),
    "no-target-soc": lambda pair: (
        sent(pair, DC_ChargeParameterDiscoveryReq)[0].DC_CPDReqEnergyTransferMode.TargetSOC is None
        and all(request.DisplayParameters.TargetSOC is None for request in sent(pair, *CHARGE_LOOPS))
    ),
    "no-departure": lambda pair: sent(pair, ScheduleExchangeReq)[0].Scheduled_SEReqControlMode.DepartureTime is None,
}
REFUSED = ("profile-anchor-zero", "profile-missing")  # under the conformance profile


@pytest.mark.parametrize("quirk", QUIRKS)
def test_every_quirk_shows_on_the_wire_and_not_without_it(quirk: str) -> None:
    plain, bent = replaced(()), replaced((quirk,), **(TOLERANT if quirk in REFUSED else {}))
    assert SHOWN[quirk](bent)
    assert not SHOWN[quirk](plain)


def replaced(quirks: tuple[str, ...], **given: Any) -> Pair:
    """A car with a departure, so that each quirk has something to leave out."""
    config = replace(personality("fast-800v"), departure_in=20_000.0)
    wish = replace(config.wish, services=("DC",), bench_plain=True, authorizations=("EIM",), loops=3, quirks=quirks)
    return Pair(replace(config, wish=wish).car(Clock(1_790_000_000.0), 0.0), outlet(**given), script=CONDUCT.script)


@pytest.mark.parametrize("quirk", REFUSED)
def test_what_the_standard_forbids_is_refused_without_a_profile_for_it(quirk: str) -> None:
    ended = replaced((quirk,)).evcc.ended
    assert ended is not None
    assert isinstance(ended.error, PeerFailed)


def test_a_quirk_is_told_to_the_trace_once() -> None:
    pair = replaced(("no-display",))
    told = [event.facts["name"] for event in pair.seen if isinstance(event, Noted) and event.topic == "quirk"]
    assert told == ["no-display"]


def test_a_file_overrules_a_personality_and_the_rest_of_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("soc = 60\n[battery]\nresistance = 0.2\n")
    config = configuration("compact", file)
    assert (config.soc, config.battery.resistance, config.battery.capacity) == (60.0, 0.2, 45_000.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[wish]\nquirks = ['slow-lop']", "slow-loop"),
        ("[battery]\ncurve = [[0.5, 400], [0.4, 410]]", "curve"),
        ("[battery]\ncurve = [[0.5, 500]]", "voltages rise"),
        ("[battery]\ntaper = [[0.9, 0.2], [0.95, 0.4]]", "powers fall"),
        ("[battery]\nresistance = -1", "resistance"),
    ],
)
def test_a_car_that_cannot_be_is_refused_by_name(text: str, named: str, tmp_path: Path) -> None:
    (file := tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(ConfigError, match=named):
        configuration(None, file)


def test_curves_go_through_their_points() -> None:
    battery = Battery(
        capacity=100.0, charge_power=1_000.0, taper_from=0.5, taper=((0.7, 0.6),), taper_to=0.1,
        voltage_empty=300.0, curve=((0.2, 350.0),), voltage_full=400.0,
    )  # fmt: skip
    assert [battery.voltage(energy) for energy in (0, 10, 20, 60, 100)] == pytest.approx([300, 325, 350, 375, 400])
    assert [battery.ceiling(energy) for energy in (50, 60, 70, 85)] == pytest.approx([1_000, 800, 600, 350])


def test_the_cars_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", "--personalities", "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert tuple(about) == names()
    assert all(about.values())


def test_an_unknown_car_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", "--connect", "[::1]:1", "--no-tls", "--personality", "famly"]) == 2
    assert "family" in capsys.readouterr().err
