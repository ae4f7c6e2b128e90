"""The configuration of a station from one strict TOML file: an unknown key is refused by its name, an absent key has its default.

Every key stands in docs/secc.md, in a file that the tests read.
"""

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from secc.backend import Stay
from secc.csms import Ocpp
from secc.evse import EVSE_ID
from secc.feed import Feed
from secc.outlet import Outlet
from secc.simulated import LIMITS, Physics
from secc.station import Authorization, Limits
from v2g.address import demand_address
from v2g.energy.der import GridControl
from v2g.energy.fleet.connection import ALL_PHASES
from v2g.energy.fleet.feeders import TOP, Feeder, tree
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.pack import Pack, demand_apart
from v2g.energy.fleet.shares import Contract, Tenant, demand_tenants
from v2g.energy.market.hours import OffPeak
from v2g.energy.site import Site
from v2g.energy.tariff import Tariff
from v2g.services import SERVICES
from v2g.session.profiles import Profile
from v2g.settings.strict import ConfigError, read

SIMULATED = "simulated"
PORT = 15118
WORKERS = 64  # processes of one station: each takes 50 MB before its first car


@dataclass(frozen=True, slots=True)
class Hardware:
    """The hardware behind an outlet. Without `limits` a simulated one has default limits that fit its first service."""

    driver: str = SIMULATED
    limits: Limits | None = None
    physics: Physics = field(default_factory=Physics)
    options: dict[str, Any] = field(default_factory=dict)  # for the class of an own driver

    def __post_init__(self) -> None:
        if self.options and self.driver == SIMULATED:
            raise ConfigError("[hardware.options] are for a driver of your own; the simulated one has limits and physics")


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """The connection of the site. Powers in W; the price file is read by `v2g.energy.prices`."""

    import_limit: float | None = None  # None: no limit of its own
    export_limit: float | None = None  # None: as much as the outlet gives back
    phase_import_limit: float | None = None  # of each of three
    phase_export_limit: float | None = None
    base_load: float = 0.0  # drawn beside the cars, negative where it is generated; on top of what `load` foresees
    load: str | None = None  # file of what is foreseen: start, power
    metered: bool = False  # the power at the connection is told by [feed]
    blind: float = 0.0  # for all cars together while the meter is silent
    peak_price: float = 0.0  # currency per kW of the highest mean of a quarter of an hour
    peak_before: float = 0.0  # which is paid for already
    carbon: str | None = None  # file of what the grid emits: start, carbon (g/kWh)
    carbon_price: float = 0.0  # currency per kg that a plan counts with, on no bill
    feeder: tuple[Feeder, ...] = ()
    battery: tuple[Pack, ...] = ()
    tenant: tuple[Tenant, ...] = ()
    contract: tuple[Contract, ...] = ()
    prices: str | None = None
    currency: str | None = None
    efficiency_charge: float = 0.95
    efficiency_discharge: float = 0.95
    wear_cost: float = 0.0  # currency per kWh out
    tariff: Tariff = field(default_factory=Tariff)  # taxes and fees besides the prices

    def __post_init__(self) -> None:
        Site(**self.numbers())  # says what is out of range
        try:
            demand_apart(self.battery, (TOP, *(each.name for each in self.feeder)), self.export_limit)
            demand_tenants(self.tenant, [each.tenant or "" for each in self.contract])
            Ground(tree(self, self.feeder), peak_price=self.peak_price, peak_before=self.peak_before, carbon_price=self.carbon_price)
        except ValueError as error:
            raise ConfigError(f"{error}") from None

    @property
    def shared(self) -> bool:
        """Whether anything is said that one outlet by itself could not keep: loads beside the cars, phases, feeders, a peak."""
        more = (
            "phase_import_limit",
            "phase_export_limit",
            "base_load",
            "load",
            "metered",
            "peak_price",
            "carbon",
            "feeder",
            "battery",
            "tenant",
            "contract",
        )
        return any(getattr(self, name) for name in more)

    def numbers(self) -> dict[str, Any]:
        """The arguments for `v2g.energy.site.Site` that are numbers, by name; prices are not among them."""
        said = {"import_limit": self.import_limit, "export_limit": self.export_limit}
        shares = {"efficiency_charge": self.efficiency_charge, "efficiency_discharge": self.efficiency_discharge}
        return {
            **{name: float("inf") if limit is None else limit for name, limit in said.items()},
            **shares,
            "wear_cost": self.wear_cost,
            "tariff": self.tariff,
        }


@dataclass(frozen=True, slots=True)
class Eim:
    """Whether cars may charge with EIM where neither the hardware nor a CSMS decides."""

    rule: typing.Literal["accept", "refuse", "wait"] = "accept"
    delay: float = 0.0  # s


@dataclass(frozen=True, slots=True)
class Metering:
    """How often a car is asked to sign the meter reading, where no CSMS decides."""

    confirm_every: float = 0.0  # s


@dataclass(frozen=True, slots=True)
class Cps:
    """The address of a certificate provisioning service, which takes a car's request (EXI) by POST and returns the response (EXI)."""

    url: str
    timeout: float = 5.0  # s


def _check_port(port: int | None) -> None:
    if port is not None and not 0 <= port <= 65_535:
        raise ConfigError(f"port is {port}; give 0 to 65535, 0 for any free one")


def _check_connector(kind: str | None) -> None:
    if kind is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,20}", kind):
        raise ConfigError(f"connector_type is {kind!r}; give OCPP's word of 1 to 20 letters, digits, - and _, such as cCCS2 or sType2")


@dataclass(frozen=True, slots=True)
class OutletConfig:
    """One outlet of several; a key that is absent here has the value of the same key or table at the top of the file."""

    evse_id: str = EVSE_ID
    host: str | None = None
    port: int | None = None
    iface: str | None = None
    slac: str | None = None  # interface of its power line modem
    connector_type: str | None = None  # OCPP's word for its plug, such as cCCS2
    feeder: str = TOP  # the connection of the site that feeds it
    phases: tuple[int, ...] = ALL_PHASES  # of that connection, from which it draws alike
    rank: int = 0  # of two outlets for which there is not power enough, the smaller is served first
    tenant: str = ""  # of the site, to whose share the outlet belongs
    offer: Outlet | None = None
    hardware: Hardware | None = None

    def __post_init__(self) -> None:
        _check_port(self.port)
        _check_connector(self.connector_type)
        if not self.phases or set(self.phases) - set(ALL_PHASES):
            raise ConfigError(f"phases are {list(self.phases)}; give some of {list(ALL_PHASES)}")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of a station: every key of its file."""

    host: str = "::1"
    port: int | None = None  # None: 15118, or with iface a random one
    iface: str | None = None
    listener: typing.Literal["own", "shared"] = "own"  # of each outlet, or of all that have interface, host and port in common
    slac: str | None = None  # interface of the power line modem, on which cars are matched; of one outlet
    connector_type: str | None = None  # OCPP's word for the plug of each outlet that does not say its own
    tls: bool = True
    pki: str | None = None
    responder: str | None = None  # None: whom the certificates name
    profile: Profile = "conformance"
    time_scale: float = 1.0
    workers: int = 1  # processes among which the outlets are shared out
    grace: float = 15.0  # s; the session itself insists after 10 s, what is left is for the car's way out
    state: str | None = None  # folder in which paused sessions outlive the station; None: they do not
    ocpp: Ocpp | None = None  # the CSMS that decides
    feed: Feed | None = None  # who tells what cars under it follow
    offer: Outlet = field(default_factory=Outlet)
    hardware: Hardware = field(default_factory=Hardware)
    site: SiteConfig = field(default_factory=SiteConfig)
    off_peak: OffPeak | None = None  # default hours, and random delays
    eim: Eim = field(default_factory=Eim)
    metering: Metering = field(default_factory=Metering)
    cps: Cps | None = None
    read_soc: bool = False  # cars say their state of charge, and are not charged
    stay: Stay = field(default_factory=Stay)  # of cars that leave departure and SOC to the station
    der: GridControl | None = None  # what the grid asks of cars that feed it (AC_DER)
    outlet: tuple[OutletConfig, ...] = ()

    def __post_init__(self) -> None:
        _check_port(self.port)
        _check_connector(self.connector_type)
        if not 0 <= self.grace < float("inf"):
            raise ConfigError(f"grace is {self.grace}; give the seconds that cars have to leave when the station is stopped, 0 for none")
        self._check_workers()
        if not self.time_scale > 0:
            raise ConfigError(f"time_scale is {self.time_scale}; give the wall seconds that one second stands for, above 0")
        if self.tls and self.pki is None:
            raise ConfigError("tls needs certificates: give pki, a directory made with v2g pki create, or tls = false on a bench")
        # a driver of one's own may name its outlet: then it is compared when it is made
        own = {each for each, outlet in enumerate(self.outlet) if (outlet.hardware or self.hardware).driver != SIMULATED}
        ids = [each.evse_id for number, each in enumerate(self.outlet) if each.evse_id != EVSE_ID or number not in own]
        modems = [each.slac or self.slac for each in self.outlet if each.slac or self.slac]
        if shared := next((one for one in modems if modems.count(one) > 1), None):
            raise ConfigError(
                f"{modems.count(shared)} outlets match on {shared!r}; a modem serves one cable: give each outlet its own slac"
            )
        if twice := next((one for one in ids if ids.count(one) > 1), None):
            raise ConfigError(
                f"{ids.count(twice)} outlets have evse_id {twice!r}; give each its own, by which cars and logs tell them apart"
            )
        if self.cps is not None and self.ocpp is not None:
            raise ConfigError("cps and ocpp are both given; a CSMS passes requests for contracts on by itself: leave out cps")
        if self.off_peak is not None and not self.shares:
            raise ConfigError("off_peak is given beside ocpp or read_soc; say default hours where cars are planned for: v2g csms --site")
        if self.feed is not None and self.ocpp is None and not self.shares:
            raise ConfigError("feed is given without ocpp, and with read_soc nothing follows it: give ocpp, or leave feed or read_soc out")
        self._check_batteries()
        try:
            demand_tenants(self.site.tenant, [each.tenant for each in self.outlet])
        except ValueError as error:
            raise ConfigError(f"an outlet: {error}") from None
        feeders = [TOP, *(each.name for each in self.site.feeder)]
        if (lost := next((each for each in self.outlet if each.feeder not in feeders), None)) is not None:
            raise ConfigError(f"the outlet {lost.evse_id} is at the feeder {lost.feeder!r}; there are {', '.join(feeders)}")
        for name, url, schemes in self._addresses():
            try:
                demand_address(url, *schemes)
            except ValueError as error:
                raise ConfigError(f"{name}: {error}") from None
        if self.read_soc and self.ocpp is not None:
            raise ConfigError("read_soc and ocpp are both given; a CSMS decides what is charged: leave out one of them")
        if not self.tls and self.iface is None and "PnC" in self.offer.authorizations and self.pki is None:
            raise ConfigError("PnC needs trust anchors: give pki, a directory made with v2g pki create")

    def _check_workers(self) -> None:
        there = len(self.outlet) or 1
        if not 1 <= self.workers <= WORKERS:
            raise ConfigError(f"workers is {self.workers}; give 1 to {WORKERS}, at most one for each core")
        if self.workers > there:
            raise ConfigError(
                f"workers is {self.workers}, and of outlets there are {there}; an outlet is served by one: give at most {there}"
            )
        if self.workers > 1 and self.listener == "shared":
            raise ConfigError('workers is above 1 and listener is "shared"; a port is in one process: give each outlet its own listener')

    def _check_batteries(self) -> None:
        packs, outlets = self.site.battery, {each.evse_id for each in self.outlet}
        if twice := next((pack.name for pack in packs if pack.name in outlets), None):
            raise ConfigError(f"an outlet and a battery are {twice!r}; a plan names each: give the battery another name")
        if packs and not self.shares:
            raise ConfigError(f"nobody here leads the battery {packs[0].name}: leave it out beside ocpp and read_soc")
        if self.feed is None and (dumb := next((pack.name for pack in packs if pack.driver == "feed"), None)) is not None:
            raise ConfigError(f'the battery {dumb} tells its state by [feed]; give that table, or driver = "simulated" on a bench')

    @property
    def shares(self) -> bool:
        """Whether the outlets are planned for together: where they have a limit in common, the site says more, or [feed] leads."""
        common = len(self.outlet) > 1 and (self.site.import_limit, self.site.export_limit) != (None, None)
        return (
            self.ocpp is None and not self.read_soc and (common or self.site.shared or self.feed is not None or self.off_peak is not None)
        )

    def _addresses(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        web = ("http", "https")
        given = (
            ("responder", self.responder, web),
            ("cps.url", self.cps.url if self.cps else None, web),
        )
        yield from ((name, url, schemes) for name, url, schemes in given if url is not None)

    def _offer(self, outlet: "OutletConfig") -> Outlet:
        offer = outlet.offer or self.offer
        installs = offer.certificate_installation or self.cps is not None
        return replace(offer, evse_id=outlet.evse_id, profile=self.profile, certificate_installation=installs)

    def _port(self, outlet: "OutletConfig") -> int:
        given = self.port if outlet.port is None else outlet.port
        return given if given is not None else 0 if outlet.iface or self.iface else PORT

    def outlets(self) -> tuple[OutletConfig, ...]:
        """Every outlet, with absent keys filled in from the top of the file; one outlet where the file lists none."""
        given = self.outlet or (OutletConfig(self.offer.evse_id),)
        return tuple(
            OutletConfig(
                evse_id=each.evse_id,
                host=each.host or self.host,
                port=self._port(each),
                iface=each.iface or each.slac or self.iface or self.slac,
                slac=each.slac or self.slac,
                connector_type=each.connector_type or self.connector_type,
                feeder=each.feeder,
                phases=each.phases,
                rank=each.rank,
                tenant=each.tenant,
                offer=self._offer(each),
                hardware=each.hardware or self.hardware,
            )
            for each in given
        )


def limits_of(outlet: OutletConfig) -> Limits:
    """The limits of an outlet of `Config.outlets`: those of the file, else the simulated hardware's defaults for its first service."""
    assert outlet.hardware is not None
    assert outlet.offer is not None
    if outlet.hardware.limits is not None:
        return outlet.hardware.limits
    return LIMITS[SERVICES[outlet.offer.services[0]].plug]


def taking_contracts(config: Config, said: dict[str, Any]) -> Config:
    """The configuration with PnC added for every outlet whose `authorizations` are not in the file; `said` is the file's table."""
    both: tuple[Authorization, ...] = ("EIM", "PnC")

    def completed(offer: Outlet, table: dict[str, Any]) -> Outlet:
        return offer if "authorizations" in table else replace(offer, authorizations=both)

    tables = said.get("outlet", [])
    outlets = tuple(
        replace(each, offer=completed(each.offer, table["offer"])) if each.offer is not None and "offer" in table else each
        for each, table in zip(config.outlet, tables, strict=True)
    )
    return replace(config, offer=completed(config.offer, said.get("offer", {})), outlet=outlets)


def parse(text: str, file: Path | None = None, /, **flags: Any) -> Config:
    """The configuration in a TOML text that came from `file`; `flags` (nested dictionaries) overrule it. Raises ConfigError."""
    return read(Config, text, file, **flags)
