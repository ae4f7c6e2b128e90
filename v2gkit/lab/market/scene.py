"""The files of a market: two tenants, their sites and stations, what grid operators may ask of them, and who may ask the VTN."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from v2gkit.private import open_private

POWER: Final = 11_000  # W of a station
SAFE: Final = 3_000  # W that a station keeps to when nobody tells it anything
BOX, WALLBOX = 1, 2  # units on Modbus: the metro's dispatch box, a wallbox of the shop
NO_SETPOINT: Final = 0x8000_0000
PATIENCE: Final = 3_600.0  # wall s without the VTN after which it is lost
LEASE: Final = 14_400.0  # wall s
FALLBACK: Final = 0.5  # of the connection, while the VTN is lost
TENANTS: Final = ("metro", "shop")
STATION = Template("""\
host = "::1"
port = 0
pki = "$pki"
state = "$state"
ocpp = { url = "$ocpp", station_id = "$name" }

[offer]
services = ["DC_BPT"]
controls = ["Dynamic"]
authorizations = ["EIM"]
evse_id = "$evse"

[hardware]
limits = { charge_power = 11000, discharge_power = 11000, charge_current = 32, discharge_current = 32, voltage = 500 }
physics = { amperes_per_second = 4000 }

[site]
import_limit = 11000
export_limit = 11000
""")
GRID = Template("""\
tenant = "$tenant"

[[openadr]]
name = "vtn"
url = "$vtn"
client_id = "$tenant"
secret_file = "$tenant.secret"
ven = "$tenant"
program = "$tenant"
every = 0.3
patience = $patience
fallback_import = $fallback
""")
UTILITY = Template("""
[[sep2]]
name = "utility"
url = "$utility"
lfdi = "$lfdi"
import_limit = $limit
every = 0.3
patience = 7200
""")
DISPATCH = Template("""
[[modbus]]
name = "box"
address = "$device"
role = "signal"
unit = 1
every = 0.3
patience = 7200

[[modbus.register]]
reads = "setpoint"
at = 0
type = "int32"
absent = -2147483648
""")
HEAD = """\
[[tenant]]
id = "metro"
name = "Metro buses"
rank = 0

[[tenant]]
id = "shop"
name = "Shop"
rank = 1

[[contract]]
id = "buses"
tenant = "metro"
discharge = true
import_price = 0.30
export_price = 0.25

[[contract]]
id = "guests"
tenant = "shop"
import_price = 0.45
"""
SITE = Template("""
[[site]]
id = "$site"
tenant = "$tenant"
import_limit = $limit
export_limit = $limit
base_load = 1500
import_price = 0.22
export_price = 0.12

[[program]]
id = "$tenant-flex"
tenant = "$tenant"
grid = "$tenant-grid.toml"
ramp = 2700
rebound = 3600
utilisation = 0.60
penalty = 0.20
compensation = 0.10
rebound_price = 0.02
share_driver = 0.4
share_site = 0.2
share_operator = 0.1
""")
ASSET = Template("""
[[asset]]
id = "$name"
site = "$site"
kind = "ocpp"
station = "$name"
contract = "$contract"
power = 11000
give = $give
safe = 3000
""")
DEVICE = Template("""
[[asset]]
id = "wallbox"
site = "lot"
kind = "modbus"
address = "$device"
unit = 2
contract = "guests"
power = 7000
safe = 1000
""")


@dataclass(frozen=True, slots=True)
class Place:
    """A station of the scene, and whose."""

    name: str
    tenant: str
    site: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A market in a folder: its stations, and the limits of its two connections (W)."""

    folder: Path
    places: tuple[Place, ...]
    limits: dict[str, float]  # by tenant

    @classmethod
    def of(cls, folder: Path, stations: int) -> "Scene":
        """A scene of so many stations: six of ten are the metro's, and each connection feeds seven tenths of what they may draw."""
        buses = max(round(0.6 * stations), 1)
        places = [Place(f"BUS-{n + 1}", "metro", "depot") for n in range(buses)]
        places += [Place(f"GUEST-{n + 1}", "shop", "lot") for n in range(stations - buses)]
        counts = {tenant: sum(place.tenant == tenant for place in places) for tenant in TENANTS}
        limits = {tenant: 0.7 * POWER * count + 1_500.0 + (7_000.0 if tenant == "shop" else 0.0) for tenant, count in counts.items()}
        return cls(folder, tuple(places), limits)

    def write(self, vtn: str, device: str, utility: str, lfdi: str) -> None:
        """Write the files of fleet and programs: URLs of `vtn` and `utility`, HOST:PORT of `device`, `lfdi` of the shop at its utility."""
        own = {
            "metro": DISPATCH.substitute(device=device),
            "shop": UTILITY.substitute(utility=utility, lfdi=lfdi, limit=self.limits["shop"]),
        }
        for tenant, more in own.items():
            said = {"tenant": tenant, "vtn": vtn, "patience": PATIENCE, "fallback": FALLBACK * self.limits[tenant]}
            (self.folder / f"{tenant}-grid.toml").write_text(GRID.substitute(said) + more)
        sites = {"metro": "depot", "shop": "lot"}
        text = HEAD + "".join(SITE.substitute(site=sites[t], tenant=t, limit=self.limits[t]) for t in TENANTS)
        for place in self.places:
            contract, give = ("buses", POWER) if place.tenant == "metro" else ("guests", 0)
            text += ASSET.substitute(name=place.name, site=place.site, contract=contract, give=give)
        (self.folder / "fleet.toml").write_text(text + DEVICE.substitute(device=device))

    def clients(self) -> dict[str, str]:
        """Write who may ask the VTN, with secrets of their own; the secrets by client."""
        made = {name: secrets.token_urlsafe(24) for name in ("utility", *TENANTS)}
        rows = []
        for name, secret in made.items():
            with open(open_private(self.folder / f"{name}.secret"), "w", encoding="utf-8") as file:
                file.write(secret + "\n")
            rows.append(f'[[client]]\nid = "{name}"\nsecret_file = "{name}.secret"\nrole = "{"bl" if name == "utility" else "ven"}"\n')
        (self.folder / "vtn.toml").write_text("\n".join(rows))
        return made

    def station(self, place: Place, number: int, ocpp: str) -> Path:
        """Write the configuration of a station."""
        file = self.folder / f"{place.name}.toml"
        known = {"pki": self.folder / "certs", "ocpp": ocpp, "name": place.name, "evse": f"DE*MKT*E{number:04}"}
        (self.folder / place.name).mkdir(exist_ok=True)
        file.write_text(STATION.substitute(known, state=self.folder / place.name))
        return file
