"""What fleet.toml says: tenants, their sites as trees of connections, assets at them, contracts and programs.

A key that is not known is refused by its name, and so is a name that leads nowhere, or to another tenant's things. A file holds about a
thousand assets.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from v2g.address import demand_address, host_and_port
from v2g.energy.fleet.feeders import TOP, Feeder, tree
from v2g.energy.fleet.guest import ALL_PHASES
from v2g.energy.market.tariff import EVERY_DAY, Band
from v2g.energy.settlement import Flexibility, Shares
from v2g.settings import strict

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}")  # of things: they are words of subjects and parts of paths
CURRENCY: Final = re.compile(r"[A-Z]{3}")
POWER: Final = 1e9  # W
Kind = Literal["ocpp", "modbus", "vendor", "iso15118"]
WAYS: Final = {"ocpp": "station", "modbus": "address", "vendor": "api", "iso15118": "feed"}  # kind -> the key that says where it is
KEEPERS: Final = ("modbus", "vendor", "iso15118")  # kinds that keep to what they were told last, when nobody tells them anything any more


@dataclass(frozen=True, slots=True)
class Feed:
    """Where a station without CSMS takes what it shall keep to: the table [feed] of its own file, seen from here."""

    socket: str = ""  # path of its Unix socket
    host: str = ""  # or its broker (MQTT)
    port: int = 1883
    prefix: str = "v2gkit"
    username: str | None = None
    password_file: str | None = None  # its first line
    ca: str | None = None  # PEM; with it TLS is used

    def __post_init__(self) -> None:
        if bool(self.socket) == bool(self.host):
            raise ValueError("feed: give socket, the path of a Unix socket, or host, that of a broker; one of them")
        if not 1 <= self.port <= 65_535:
            raise ValueError(f"feed: port is {self.port}; give 1 to 65535")
        if not self.prefix or set("+#") & set(self.prefix):
            raise ValueError(f"feed: prefix is {self.prefix[:40]!r}; give the beginning of a topic, without + and #")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose sites and contracts they are. Of two tenants the one of smaller rank is shed last."""

    id: str
    name: str = ""
    rank: int = 0
    currency: str = "EUR"

    def __post_init__(self) -> None:
        if not CURRENCY.fullmatch(self.currency):
            raise ValueError(f"currency is {self.currency[:20]!r}; give three capitals of ISO 4217")


@dataclass(frozen=True, slots=True)
class Contract:
    """What was agreed for those who charge: their place in shedding, and prices in currency/kWh."""

    id: str
    tenant: str
    rank: int = 0  # of two contracts of a tenant the one of smaller rank is shed last
    discharge: bool = False  # whether its cars may be asked to give
    import_price: float = 0.0
    export_price: float = 0.0


@dataclass(frozen=True, slots=True)
class Site:
    """A connection to the grid with feeders below. Limits in W, magnitudes."""

    id: str
    tenant: str
    name: str = ""
    import_limit: float | None = None
    export_limit: float | None = 0.0
    phase_import_limit: float | None = None
    phase_export_limit: float | None = None
    base_load: float = 0.0  # W, signed
    import_price: float = 0.0  # currency/kWh that the site pays
    export_price: float = 0.0
    feeder: tuple[Feeder, ...] = ()
    load: str | None = field(default=None, init=False)
    metered: bool = field(default=False, init=False)
    blind: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        tree(self, self.feeder)
        if self.import_limit is None:
            raise ValueError(f"the site {self.id!r} has no import_limit; give the W of its connection")


@dataclass(frozen=True, slots=True)
class Fee:
    """What a network takes for a kWh that is drawn at some hours, h after midnight by the clocks of the tariff's zone."""

    price: float  # currency/kWh
    start: float = 0.0
    until: float = 24.0
    weekdays: tuple[int, ...] = tuple(sorted(EVERY_DAY))  # 0 is Monday

    def __post_init__(self) -> None:
        _ = self.band

    @property
    def band(self) -> Band:
        """The fee as a band of prices. ValueError for hours that are no quarters of a day."""
        return Band(self.price, round(self.start * 3_600), round(self.until * 3_600), frozenset(self.weekdays))


@dataclass(frozen=True, slots=True)
class Tariff:
    """What energy costs at sites of a tenant over time, by a file as `v2g csms --prices` reads it. It is read anew when it has changed.

    A site that a tariff names has that one, all others of the tenant the one that names none. Fees and tax come on top of the file.
    """

    id: str
    tenant: str
    prices: str  # file
    sites: tuple[str, ...] = ()  # empty: all of the tenant
    zone: str = ""  # of times of day, as Europe/Berlin; that of the machine without it
    fee: float = 0.0  # currency/kWh, on what is drawn
    band: tuple[Fee, ...] = ()  # on top of it by time of use: of two that fit the first holds, and at other hours nothing
    tax: float = 0.0  # % of price and fees of what is drawn
    export_fee: float = 0.0  # currency/kWh, taken off what is given

    def __post_init__(self) -> None:
        if not (0 <= self.tax <= 1_000 and all(map(math.isfinite, (self.fee, self.export_fee)))):
            raise ValueError(
                f"{self.id}: fee {self.fee}, tax {self.tax} %, export_fee {self.export_fee}; give finite ones, a tax of 0 to 1000"
            )
        try:
            ZoneInfo(self.zone or "UTC")
        except (ValueError, OSError) as error:
            raise ValueError(f"{self.id}: the zone {self.zone[:60]!r} is not known here: {error}; give one as Europe/Berlin") from None


@dataclass(frozen=True, slots=True)
class Asset:
    """Something that draws power and can be told how much. `safe` is what it keeps to when nobody tells it anything any more (W).

    ocpp: the station of that name, whose EVSE 1 it is. modbus: holding registers at an address, the high word first: the W that it may
    draw (uint32), the W that it draws (int32), and, where it has one, the Wh that it has drawn (uint32). vendor: a file with one [[vendor]]
    of the role charger, as `v2g grid` reads it. iso15118: a station without CSMS, by its [feed]; `evse` is its outlet, and may be left out
    where it has one.
    """

    id: str
    site: str
    kind: Kind
    contract: str
    power: float  # W, the most
    give: float = 0.0  # W out of it, the most
    least: float = 0.0  # W, it draws this or nothing
    safe: float = 0.0  # W
    feeder: str = TOP
    phases: tuple[int, ...] = ALL_PHASES
    station: str = ""
    address: str = ""  # HOST:PORT
    unit: int = 1
    limit_register: int = 0
    power_register: int = 2
    energy_register: int | None = None  # of what it has drawn; without one nothing is billed
    exported_register: int | None = None  # of what it has given
    api: str = ""  # file
    feed: Feed | None = None
    evse: str = ""  # EVSE id
    viewer: str = ""  # URL of the live viewer of its station (`v2g secc --ui`), for the page

    def __post_init__(self) -> None:
        if not (0 < self.power < POWER and 0 <= self.give < POWER and 0 <= self.least <= self.power and 0 <= self.safe <= self.power):
            said = f"power {self.power}, give {self.give}, least {self.least}, safe {self.safe} W"
            raise ValueError(f"{self.id}: {said}; give 0 or more, and no safe or least above power")
        if [way for way in WAYS.values() if getattr(self, way)] != [WAYS[self.kind]] or (self.evse and self.kind != "iso15118"):
            raise ValueError(f"{self.id}: an asset of the kind {self.kind} wants {WAYS[self.kind]}, and of the ways to it that alone")
        if self.give and self.kind in ("modbus", "vendor"):
            raise ValueError(f"{self.id}: an asset of the kind {self.kind} cannot be told to give; leave give out")
        for name in ("energy_register", "exported_register"):
            if (at := getattr(self, name)) is not None and not (self.kind == "modbus" and 0 <= at < 0xFFFF):
                raise ValueError(f"{self.id}: {name} is {at}; give 0 to 65534, at an asset of the kind modbus")
        if self.exported_register is not None and self.energy_register is None:
            raise ValueError(f"{self.id}: exported_register without energy_register; a session is billed by both: give the other one too")
        if self.kind == "modbus":
            host_and_port(self.address)
        if self.viewer:
            demand_address(self.viewer, "http", "https")
        if not self.phases or set(self.phases) - set(ALL_PHASES):
            raise ValueError(f"{self.id} is on the phases {self.phases}; give some of {ALL_PHASES}")


@dataclass(frozen=True, slots=True)
class Program:
    """Flexibility that a tenant sells: whose signals, for which sites, how it is settled. Prices as in `settlement.Flexibility`."""

    id: str
    tenant: str
    grid: str  # file of the sources, as `v2g grid` reads it
    sites: tuple[str, ...] = ()  # empty: all of the tenant
    ramp: float = 900.0  # s after the begin of a call within which it need not be delivered yet
    rebound: float = 1_800.0  # s over which power comes back after a limit is over
    utilisation: float = 0.0
    availability: float = 0.0
    ready: float = 0.0
    penalty: float = 0.0
    compensation: float = 0.0
    rebound_price: float = 0.0
    share_driver: float = 0.0
    share_site: float = 0.0
    share_operator: float = 0.0

    def __post_init__(self) -> None:
        _ = self.terms
        if not (0 <= self.ramp <= 86_400 and 0 <= self.rebound <= 86_400):
            raise ValueError(f"ramp is {self.ramp} s, rebound {self.rebound} s; give 0 to 86400 s")

    @property
    def terms(self) -> Flexibility:
        """What it pays, as settlement reads it."""
        shares = Shares(self.share_driver, self.share_site, self.share_operator)
        prices = (self.utilisation, self.availability, self.ready, self.penalty, self.compensation, self.rebound_price)
        return Flexibility(*prices, shares=shares)


@dataclass(frozen=True)
class Fleet:
    """All that is declared. The order of a kind has no meaning."""

    tenant: tuple[Tenant, ...] = ()
    site: tuple[Site, ...] = ()
    contract: tuple[Contract, ...] = ()
    asset: tuple[Asset, ...] = ()
    program: tuple[Program, ...] = ()
    tariff: tuple[Tariff, ...] = ()

    def __post_init__(self) -> None:
        if not self.tenant:
            raise ValueError("no tenant; give a table [[tenant]] with an id")
        for kind in KINDS:
            _demand_names(kind, [each.id for each in getattr(self, kind)])
        for kind in ("site", "contract", "program", "tariff"):
            for each in getattr(self, kind):
                _demand_known(f"the {kind} {each.id!r}", "tenant", each.tenant, self.tenants)
        for asset in self.asset:
            _demand_known(f"the asset {asset.id!r}", "site", asset.site, self.sites)
            _demand_known(f"the asset {asset.id!r}", "contract", asset.contract, self.contracts)
            site, whose = self.sites[asset.site], self.contracts[asset.contract].tenant
            if whose != site.tenant:
                raise ValueError(f"the asset {asset.id!r} is at a site of {site.tenant!r}, and its contract is of {whose!r}")
            _demand_known(f"the asset {asset.id!r}", "feeder", asset.feeder, [TOP, *(each.name for each in site.feeder)])
        _demand_names("station", [asset.station for asset in self.asset if asset.kind == "ocpp"], named=False)
        for kind in ("program", "tariff"):
            for each in getattr(self, kind):
                for name in each.sites:
                    if name not in self.sites or self.sites[name].tenant != each.tenant:
                        raise ValueError(f"the {kind} {each.id!r} is of {each.tenant!r}, which has no site {name!r}")
        self._demand_one_tariff()
        self._demand_safe()

    def _demand_one_tariff(self) -> None:
        """A site is named by one tariff at most, and one of a tenant may name none."""
        named: dict[tuple[str, str], str] = {}
        for each in self.tariff:
            for site in each.sites or ("",):
                if (before := named.setdefault((each.tenant, site), each.id)) != each.id:
                    what = f"the site {site!r}" if site else f"all sites of {each.tenant!r}"
                    raise ValueError(f"the tariffs {before!r} and {each.id!r} are both for {what}; let one name other sites")

    def _demand_safe(self) -> None:
        """What assets keep to when nobody tells them anything has to fit every connection, together with its base load."""
        for site in self.site:
            here = self.at(site.id)
            for name, limit in [(TOP, site.import_limit), *((feeder.name, feeder.import_limit) for feeder in site.feeder)]:
                below = {name} | _below(site.feeder, name)
                loads = (site.base_load if name == TOP else 0.0) + sum(feeder.base_load for feeder in site.feeder if feeder.name in below)
                kept = sum(asset.safe for asset in here if asset.feeder in below) + max(loads, 0.0)
                if limit is not None and kept > limit + 1e-6:
                    raise ValueError(
                        f"the site {site.id!r}: at {name!r} the assets keep {kept:g} W when nobody tells them anything, "
                        f"and {limit:g} W are allowed; lower `safe` of some"
                    )

    @cached_property
    def tenants(self) -> dict[str, Tenant]:
        """All tenants, by their ids."""
        return {each.id: each for each in self.tenant}

    @cached_property
    def sites(self) -> dict[str, Site]:
        """All sites, by their ids."""
        return {each.id: each for each in self.site}

    @cached_property
    def contracts(self) -> dict[str, Contract]:
        """All contracts, by their ids."""
        return {each.id: each for each in self.contract}

    @cached_property
    def assets(self) -> dict[str, Asset]:
        """All assets, by their ids."""
        return {each.id: each for each in self.asset}

    @cached_property
    def stations(self) -> dict[str, Asset]:
        """The assets of OCPP, by the names of their stations."""
        return {each.station: each for each in self.asset if each.kind == "ocpp"}

    @cached_property
    def _at(self) -> dict[str, list[Asset]]:
        found: dict[str, list[Asset]] = {each.id: [] for each in self.site}
        for asset in self.asset:
            found[asset.site].append(asset)
        return found

    def at(self, site: str) -> Sequence[Asset]:
        """The assets at a site."""
        return self._at[site]

    def programs_of(self, site: Site) -> list[Program]:
        """The programs that steer a site."""
        return [each for each in self.program if each.tenant == site.tenant and (not each.sites or site.id in each.sites)]

    @cached_property
    def tariffs(self) -> dict[str, Tariff]:
        """The tariff of each site that has one."""
        whole = {each.tenant: each for each in self.tariff if not each.sites}
        named = {name: each for each in self.tariff for name in each.sites}
        found = {site.id: named.get(site.id, whole.get(site.tenant)) for site in self.site}
        return {site: each for site, each in found.items() if each is not None}

    def tenant_of(self, asset: Asset) -> str:
        """Whose asset it is."""
        return self.sites[asset.site].tenant

    def only(self, tenant: str) -> "Fleet":
        """What is one tenant's, and nothing else."""
        sites = tuple(each for each in self.site if each.tenant == tenant)
        mine = {each.id for each in sites}
        return Fleet(
            tuple(each for each in self.tenant if each.id == tenant),
            sites,
            tuple(each for each in self.contract if each.tenant == tenant),
            tuple(each for each in self.asset if each.site in mine),
            tuple(each for each in self.program if each.tenant == tenant),
            tuple(each for each in self.tariff if each.tenant == tenant),
        )


KINDS: Final = tuple(each.name for each in fields(Fleet))
CLASSES: Final[dict[str, Any]] = {
    "tenant": Tenant,
    "site": Site,
    "contract": Contract,
    "asset": Asset,
    "program": Program,
    "tariff": Tariff,
}


def read(path: Path) -> Fleet:
    """The settings of a file; files that it names are beside it. Raises ConfigError with file, line, key, value and cure; OSError."""
    return strict.read(Fleet, strict.text_of(path), path)


def _demand_names(kind: str, names: Sequence[str], named: bool = True) -> None:
    seen: set[str] = set()
    for name in names:
        if named and not NAME.fullmatch(name):
            raise ValueError(f"the {kind} {name[:60]!r}: an id is 1 to 48 letters, digits, - and _, and begins with none of the last two")
        if name in seen:
            raise ValueError(f"two times {kind} {name!r}; each is declared once")
        seen.add(name)


def _demand_known(who: str, kind: str, name: str, known: Iterable[str]) -> None:
    if name not in (names := list(known)):
        raise ValueError(f"{who} has the {kind} {name!r}; there are {', '.join(names[:20]) or 'none'}")


def _below(feeders: Sequence[Feeder], name: str) -> set[str]:
    found: set[str] = set()
    ahead = [name]
    while ahead:
        at = ahead.pop()
        more = {each.name for each in feeders if each.below == at} - found
        found |= more
        ahead += more
    return found
