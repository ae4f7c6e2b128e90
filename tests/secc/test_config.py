"""The station's file: strict, by name, with flags over it."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from secc import config
from secc.backend import Stay
from secc.config import limits_of, parse
from secc.outlet import Outlet
from secc.simulated import AC_LIMITS, DC_LIMITS, Physics
from secc.station import Limits
from v2g.energy.der import GridControl
from v2g.energy.fleet.feeders import Feeder
from v2g.energy.fleet.pack import Pack
from v2g.energy.fleet.shares import Contract, Tenant
from v2g.energy.market.hours import OffPeak, Peak
from v2g.energy.tariff import Tariff
from v2g.session.wireless import GroundDevice
from v2g.settings.strict import ConfigError

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
    read = parse(FILE)
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
    (outlet,) = parse("tls = false").outlets()
    assert (outlet.evse_id, outlet.port, outlet.host) == ("DE*V2G*E1", 15118, "::1")
    assert limits_of(outlet) == DC_LIMITS
    assert limits_of(parse("tls = false", offer={"services": ["AC"]}).outlets()[0]) == AC_LIMITS


def test_who_names_a_provisioning_service_offers_to_install() -> None:
    read = parse("tls = false\n[cps]\nurl = 'http://[::1]:8889/installation'")
    (outlet,) = read.outlets()
    assert outlet.offer is not None
    assert outlet.offer.certificate_installation
    assert not parse("tls = false").outlets()[0].offer.certificate_installation  # type: ignore[union-attr]


def test_flags_overrule_a_file() -> None:
    read = parse(FILE, port=9, offer={"services": ["DC"]})
    assert (read.port, read.offer.services, read.offer.controls) == (9, ("DC",), ("Dynamic",))


WRONG: list[tuple[str, str]] = [
    ("prot = 1", "unknown key prot; did you mean port?"),
    ("tls = false\n[offer]\nsevices = []", "unknown key offer.sevices; did you mean offer.services?"),
    ("tls = false\n[hardware.limits]\npower = 1", "unknown key hardware.limits.power"),
    ("tls = false\n[[outlet]]\nid = 'x'", "unknown key outlet[1].id"),
    ("tls = false\nport = 'many'", "port is 'many'"),
    ("tls = false\n[offer]\nservices = ['FIELD']", "offer.services"),
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


def test_the_plug_of_an_outlet_is_its_own_or_that_of_all() -> None:
    read = parse(
        "tls = false\nconnector_type = 'cCCS2'\n[[outlet]]\nevse_id = 'E1'\n[[outlet]]\nevse_id = 'E2'\nconnector_type = 'sType2'\n"
    )
    assert [each.connector_type for each in read.outlets()] == ["cCCS2", "sType2"]
    with pytest.raises(ConfigError, match="letters"):
        parse("tls = false\nconnector_type = 'CCS 2'\n")


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_cannot_be_meant_is_said_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse(text)


DOCUMENT = (Path(__file__).parents[2] / "docs" / "secc.md").read_text().partition("## The file of a station")[2]
EXAMPLE = DOCUMENT.partition("```toml\n")[2].partition("```")[0]
DECLARED = {
    "": config.Config,
    "offer": Outlet,
    "hardware": config.Hardware,
    "hardware.physics": Physics,
    "offer.ground_device": GroundDevice,
    "site": config.SiteConfig,
    "site.tariff": Tariff,
    "site.feeder": Feeder,
    "site.battery": Pack,
    "off_peak": OffPeak,
    "off_peak.peak": Peak,
    "site.tenant": Tenant,
    "site.contract": Contract,
    "eim": config.Eim,
    "metering": config.Metering,
    "cps": config.Cps,
    "stay": Stay,
    "der": GridControl,
    "outlet": config.OutletConfig,
}
ELSEWHERE = {"offer": {"limits", "profile"}}  # said by [hardware] and at the top


def test_the_file_in_the_documentation_is_a_configuration() -> None:
    read = parse(EXAMPLE)
    (outlet,) = read.outlets()
    assert outlet.evse_id == "DE*ABC*E1"
    assert read.offer.authorizations == ("EIM", "PnC")
    flags: dict[str, Any] = {"tls": False}
    assert parse(EXAMPLE, **flags).tls is False


@pytest.mark.parametrize("table", DECLARED)
def test_the_documentation_names_every_key_and_no_other(table: str) -> None:
    """What excludes something else stands there as a comment."""
    here, said = "", set()
    for line in EXAMPLE.splitlines():
        if header := re.match(r"\[+([\w.]+)\]", line):
            here = header[1]
        elif (key := re.match(r"#?(\w+) = ", line)) and here == table:
            said.add(key[1])
    tables = {name.rpartition(".")[2] for name in DECLARED if name and name.rpartition(".")[0] == table}
    assert said | tables == {f.name for f in fields(DECLARED[table])} - ELSEWHERE.get(table, set())  # type: ignore[arg-type]


def test_what_is_commented_out_is_known_as_well() -> None:
    for line in re.findall(r"^#(\w+ = .*)$", EXAMPLE, re.MULTILINE):
        assert tomllib.loads(line)
    commented = (
        'tls = false\nport = 0\n[[outlet]]\niface = "eth1"\noffer = { services = ["AC"] }\nhardware = { driver = "mycharger:Charger" }\n'
    )
    assert parse(commented).outlets()[0].hardware == config.Hardware("mycharger:Charger")


OCPP, SECC = ((Path(__file__).parents[2] / "docs" / name).read_text() for name in ("ocpp.md", "secc.md"))


def test_the_table_of_what_is_told_beside_the_cars_in_the_documentation_names_every_key_and_no_other() -> None:
    text = SECC.partition("```toml\n[feed]\n")[2].partition("```")[0]
    assert set(re.findall(r"^#?(\w+) = ", text, re.MULTILINE)) == {f.name for f in fields(config.Feed)}
    read = parse("tls = false\nocpp = 'ws://x/'\n[feed]\n" + text).feed
    assert read == config.Feed(socket="/run/v2gkit/site.sock")


def test_the_table_of_the_csms_in_the_documentation_names_every_key_and_no_other() -> None:
    text = "[ocpp]\n" + OCPP.partition("```toml\n[ocpp]\n")[2].partition("```")[0]
    assert set(re.findall(r"^#?(\w+) = ", text, re.MULTILINE)) == {f.name for f in fields(config.Ocpp)} - {"firmware"}  # a table
    read = parse("tls = false\n" + text).ocpp
    assert read is not None
    assert (read.station_id, read.security_profile, read.trust) == ("CS-1", 3, "csms-root.pem")
    assert parse("tls = false\nocpp = 'ws://x/'", ocpp={"station_id": "CS-2"}).ocpp == config.Ocpp("ws://x/", "CS-2")


OCPP_WRONG = [
    ("security_profile = 3", ":3: [ocpp] security_profile 3 needs the station's certificate; give certificate and key"),
    ("certificate = 'c.pem'", ":3: [ocpp] certificate is given without key"),
    ("station_id = 'a:b'", ":3: [ocpp] station_id is 'a:b'"),
    ("security_profile = 1", ":3: [ocpp] security_profile is 1 and url is wss://"),
    ("versions = []", ":3: [ocpp] versions is empty"),
    ("trusted = 'x'", ":3: unknown key ocpp.trusted; did you mean ocpp.trust"),
]


@pytest.mark.parametrize(("text", "said"), OCPP_WRONG)
def test_what_is_wrong_with_the_csms_is_said_with_file_and_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(f"tls = false\n[ocpp]\n{text}\nurl = 'wss://x/'\n", Path("station.toml"))
    assert str(refused.value).startswith(f"station.toml{said}")
