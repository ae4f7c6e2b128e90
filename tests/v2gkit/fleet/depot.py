"""A fleet of two tenants on paper, for the tests."""

from pathlib import Path

FLEET = """\
[[tenant]]
id = "metro"
rank = 0

[[tenant]]
id = "shop"
rank = 1

[[site]]
id = "depot"
tenant = "metro"
import_limit = 60000
export_limit = 40000
base_load = 2000
import_price = 0.20
export_price = 0.10

[[site.feeder]]
name = "hall"
import_limit = 30000

[[site]]
id = "lot"
tenant = "shop"
import_limit = 40000

[[contract]]
id = "buses"
tenant = "metro"
rank = 0
discharge = true
import_price = 0.30
export_price = 0.20

[[contract]]
id = "staff"
tenant = "metro"
rank = 5
import_price = 0.40

[[contract]]
id = "guests"
tenant = "shop"
import_price = 0.50

[[program]]
id = "peak"
tenant = "metro"
grid = "metro-grid.toml"
utilisation = 0.50
share_driver = 0.4
share_site = 0.2

[[program]]
id = "peak-shop"
tenant = "shop"
grid = "shop-grid.toml"
"""
ASSET = """
[[asset]]
id = "{id}"
site = "{site}"
kind = "ocpp"
station = "{station}"
contract = "{contract}"
power = 11000
give = {give}
safe = 4000
feeder = "{feeder}"
"""


def assets() -> str:
    """Four buses and two of the staff at the depot, two guests at the lot."""
    rows = [(f"bus{n}", "depot", "buses", 11000, "hall" if n < 2 else "grid") for n in range(4)]
    rows += [(f"staff{n}", "depot", "staff", 0, "hall") for n in range(2)]
    rows += [(f"guest{n}", "lot", "guests", 0, "grid") for n in range(2)]
    return "".join(
        ASSET.format(id=name, site=site, station=f"CS-{name}", contract=contract, give=give, feeder=feeder)
        for name, site, contract, give, feeder in rows
    )


def written(folder: Path) -> Path:
    """The fleet as a file."""
    file = folder / "fleet.toml"
    file.write_text(FLEET + assets())
    return file
