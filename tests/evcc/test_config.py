"""The car's file: strict, complete, and as documented."""

import re
from pathlib import Path

import pytest

from evcc.config import Config, as_dict, parse
from v2g.session.clock import Clock
from v2g.session.sdp import WirelessRequest
from v2g.settings.strict import ConfigError

DOCUMENT = Path(__file__).parents[2] / "docs" / "evcc.md"


def test_an_empty_file_is_the_default_car() -> None:
    assert parse("") == Config()


def test_the_example_of_the_document_is_read() -> None:
    example = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert example is not None
    config = parse(example[1])
    assert config.soc == 35
    assert config.wish.services == ("DC_BPT", "DC")
    assert config.wish.supporting_points == 96
    assert as_dict(config)["battery"]["capacity"] == 77_000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sock = 3", "sock"),
        ("[wish]\nservice = ['DC']", "service"),
        ("[battery]\ncapacity = 'big'", "capacity"),
        ("battery = 3", "battery"),
        ("soc = 120", "soc"),
        ("[wish]\npace = 0.3", "pace"),
        ("[wish]\nsupporting_points = 4", "supporting_points"),
        ("[wish]\nservices = []", "services"),
        ("[wish]\ncontrol = 'Sometimes'", "control"),
        ("[goal]\ntarget_soc = 99", "target_soc"),
        ("time_scale = 0", "time_scale"),
        ("soc = ", "TOML"),
        ("iface = 'lo'\n[wireless]\ncoupling = 'CABLE'", "coupling"),
        ("iface = 'lo'\n[wireless]\npairing = ['PPD']", "pairing"),
        ("iface = 'lo'\n[wireless]\nev_id = 'B\u00dcS'", "ev_id .* printable ASCII"),
        ("iface = 'lo'\n[wireless]\nevse_id = '123456789 123456789 123456789 12345678'", "evse_id .* at most 37"),
        ("iface = 'lo'\nslac = 'eth0'\n[wireless]", "leave out slac"),
        ("connect = '[::1]:15118'\n[wireless]", "leave out connect"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse(text)


def test_what_a_car_asks_over_wlan_is_in_its_file() -> None:
    text = "iface = 'wlan0'\n[wireless]\nev_id = 'BUS7'\nevse_id = 'DE*ABC*E1'\n"
    wireless = parse(f"{text}coupling = 'WPT'\npairing = ['LF_ON_EV', 'CAMERA_ON_EV', 'LF_ON_EV']").wireless
    assert wireless is not None
    assert wireless.request == WirelessRequest(pairing=0x1800, coupling=0x10, ev_id="BUS7", evse_id="DE*ABC*E1")
    assert parse("").wireless is None


def test_departure_counts_from_the_arrival() -> None:
    car = parse("soc = 50\ndeparture_in = 3600\n[battery]\ncapacity = 60000").car(Clock(1_000.0, 10.0, 60.0), now=11.0)
    assert car.goal.departure == 1_060.0 + 3_600.0
    assert car.ev.energy == 30_000
