"""What fleet.toml may say, and how what it may not is told."""

from pathlib import Path

import pytest

from tests.v2gkit.fleet.depot import FLEET, assets, written
from v2g.settings.strict import ConfigError, read
from v2gkit.fleet import declared
from v2gkit.fleet.declared import Fleet


def test_a_fleet_is_read(tmp_path: Path) -> None:
    fleet = declared.read(written(tmp_path))
    assert [each.id for each in fleet.at("depot")] == ["bus0", "bus1", "bus2", "bus3", "staff0", "staff1"]
    assert fleet.tenant_of(fleet.assets["guest1"]) == "shop"
    assert [each.id for each in fleet.programs_of(fleet.sites["lot"])] == ["peak-shop"]
    assert fleet.program[0].terms.shares.driver == 0.4


def test_what_is_one_tenants_is_nobody_elses(tmp_path: Path) -> None:
    fleet = declared.read(written(tmp_path))
    for tenant in fleet.tenants:
        own = fleet.only(tenant)
        assert {each.tenant for each in (*own.site, *own.contract, *own.program)} == {tenant}
        assert {fleet.tenant_of(asset) for asset in own.asset} == {tenant}
    assert sum(len(fleet.only(tenant).asset) for tenant in fleet.tenants) == len(fleet.asset)


WRONG = {
    'tenant = "shop"\nimport_limit = 40000': ('tenant = "nobody"\nimport_limit = 40000', "tenant 'nobody'; there are metro, shop"),
    'contract = "guests"': ('contract = "buses"', "at a site of 'shop', and its contract is of 'metro'"),
    'feeder = "hall"': ('feeder = "attic"', "feeder 'attic'; there are grid, hall"),
    'station = "CS-bus0"': ('station = "CS-bus1"', "two times station 'CS-bus1'"),
    'id = "bus0"': ('id = "bus 0"', "an id is 1 to 48 letters"),
    'id = "bus1"': ('id = "bus0"', "two times asset 'bus0'"),
    "import_limit = 30000": ("import_limit = 15000", "at 'hall' the assets keep 16000 W"),
    "import_limit = 60000": ("import_limit = 25000", "at 'grid' the assets keep 26000 W"),
    "import_limit = 60000\n": ("", "no import_limit"),
    'grid = "shop-grid.toml"': ('grid = "shop-grid.toml"\nsites = ["depot"]', "of 'shop', which has no site 'depot'"),
    "safe = 4000": ("safe = 12000", "safe 12000"),
    'kind = "ocpp"': ('kind = "modbus"', "wants address"),
    "rank = 5": ("ranke = 5", "unknown key contract[2].ranke"),
    "share_driver = 0.4": ("share_driver = 0.9", "add up to 1"),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_is_named(said: str) -> None:
    text = FLEET + assets()
    assert said in text
    wrong, words = WRONG[said]
    with pytest.raises(ConfigError) as caught:
        read(Fleet, text.replace(said, wrong, 1))
    assert words in str(caught.value)
