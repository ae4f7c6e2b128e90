"""The station's file: strict, by name, with flags over it."""

import re
from pathlib import Path
from typing import Any

import pytest

from secc import config
from secc.config import limits_of, parsed
from secc.simulated import AC_LIMITS, DC_LIMITS
from secc.station import Limits
from v2g.settings import ConfigError

FILE = """
port = 0
tls = false
profile = "interop"
time_scale = 60

[offer]
services = ["AC", "AC_BPT"]
controls = ["Dynamic"]
authorizations = ["EIM"]

[hardware]
limits = { charge_power = 7400, phases = 1 }

[site]
import_limit = 5000
prices = "day.csv"

[eim]
rule = "wait"

[[outlet]]
evse_id = "DE*V2G*E7"

[[outlet]]
evse_id = "DE*V2G*E8"
port = 4711
offer = { services = ["DC"] }
hardware = { driver = "my.charger:Charger" }
"""


def test_a_file_says_what_it_says_and_nothing_else_changes() -> None:
    read = parsed(FILE)
    assert (read.port, read.tls, read.profile, read.time_scale, read.host) == (0, False, "interop", 60, "::1")
    assert (read.site.import_limit, read.site.prices, read.site.export_limit) == (5000, "day.csv", None)
    assert read.eim.rule == "wait"
    first, second = read.outlets()
    assert (first.evse_id, first.port) == ("DE*V2G*E7", 0)
    assert first.offer is not None
    assert (first.offer.services, first.offer.controls, first.offer.profile) == (("AC", "AC_BPT"), ("Dynamic",), "interop")
    assert limits_of(first) == Limits(charge_power=7400, phases=1)
    assert second.offer is not None
    assert second.hardware is not None
    assert (second.port, second.offer.services, second.hardware.driver) == (4711, ("DC",), "my.charger:Charger")
    assert second.offer.evse_id == "DE*V2G*E8"


def test_a_file_that_says_nothing_is_one_outlet() -> None:
    (outlet,) = parsed("tls = false").outlets()
    assert (outlet.evse_id, outlet.port, outlet.host) == ("DE*V2G*E1", 15118, "::1")
    assert limits_of(outlet) == DC_LIMITS
    assert limits_of(parsed("tls = false", offer={"services": ["AC"]}).outlets()[0]) == AC_LIMITS


def test_who_names_a_provisioning_service_offers_to_install() -> None:
    read = parsed("tls = false\n[cps]\nurl = 'http://[::1]:8889/installation'")
    (outlet,) = read.outlets()
    assert outlet.offer is not None
    assert outlet.offer.certificate_installation
    assert not parsed("tls = false").outlets()[0].offer.certificate_installation  # type: ignore[union-attr]


def test_flags_overrule_a_file() -> None:
    read = parsed(FILE, port=9, offer={"services": ["DC"]})
    assert (read.port, read.offer.services, read.offer.controls) == (9, ("DC",), ("Dynamic",))


WRONG: list[tuple[str, str]] = [
    ("prot = 1", "unknown key prot; did you mean port?"),
    ("tls = false\n[offer]\nsevices = []", "unknown key offer.sevices; did you mean offer.services?"),
    ("tls = false\n[hardware.limits]\npower = 1", "unknown key hardware.limits.power"),
    ("tls = false\n[[outlet]]\nid = 'x'", "unknown key outlet[1].id"),
    ("tls = false\nport = 'many'", "port is 'many'"),
    ("tls = false\n[offer]\nservices = ['WPT']", "offer.services"),
    ("tls = false\n[offer]\nservices = []", "[offer] services"),
    ("tls = false\n[offer]\nevse_id = ''", "evse_id has 0 characters"),
    ("tls = false\nprofile = 'lax'", "profile is 'lax'"),
    ("tls = false\ntime_scale = 0", "time_scale is 0"),
    ("tls = false\noffer = 1", "offer is 1; give a table [offer]"),
    ("port = 1", "tls needs certificates"),
    ("tls = false\n[offer]\nauthorizations = ['PnC']", "PnC needs trust anchors"),
    ("tls = false\nocpp = 'ws://x'\n[cps]\nurl = 'http://x'", "cps and ocpp are both given"),
    ("tls = false\n[metering]\nevery = 1", "unknown key metering.every"),
    ("tls = ", "not TOML"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_cannot_be_meant_is_said_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parsed(text)


def test_the_example_in_the_documentation_of_the_module_is_a_configuration(tmp_path: Path) -> None:
    text = (config.__doc__ or "").partition("\n\n")[2]
    read = parsed(text)
    (outlet,) = read.outlets()
    assert outlet.evse_id == "DE*ABC*E1"
    assert read.offer.authorizations == ("EIM", "PnC")
    flags: dict[str, Any] = {"tls": False}
    assert parsed(text, **flags).tls is False
