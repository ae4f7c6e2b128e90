"""A station from one strict TOML file: what is not known is refused by name, what is not said has its default.

Every key stands in docs/secc.md, in a file that the tests read.
"""

import typing
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from energy.site import Site
from secc.outlet import EVSE_ID, Outlet
from secc.simulated import AC_LIMITS, DC_LIMITS, Physics
from secc.station import Limits
from v2g.address import demand_address
from v2g.session.profiles import Profile
from v2g.settings import ConfigError, read

SIMULATED = "simulated"
PORT = 15118


@dataclass(frozen=True, slots=True)
class Hardware:
    """What stands behind an outlet. Without `limits` a simulated one has those of its first service."""

    driver: str = SIMULATED
    limits: Limits | None = None
    physics: Physics = field(default_factory=Physics)
    options: dict[str, Any] = field(default_factory=dict)  # for the class of an own driver

    def __post_init__(self) -> None:
        if self.options and self.driver == SIMULATED:
            raise ConfigError("[hardware.options] are for a driver of your own; the simulated one has limits and physics")


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """The connection of the site. Powers in W; the price file is read by `energy.prices`."""

    import_limit: float | None = None  # None: no limit of its own
    export_limit: float | None = None  # None: as much as the outlet gives back
    prices: str | None = None
    currency: str | None = None
    efficiency_charge: float = 0.95
    efficiency_discharge: float = 0.95
    wear_cost: float = 0.0  # currency per kWh out

    def __post_init__(self) -> None:
        Site(**self.numbers())  # says what is out of range

    def numbers(self) -> dict[str, Any]:
        """What it says for `energy.site.Site`, without the prices."""
        said = {"import_limit": self.import_limit, "export_limit": self.export_limit}
        shares = {"efficiency_charge": self.efficiency_charge, "efficiency_discharge": self.efficiency_discharge}
        return {**{name: float("inf") if limit is None else limit for name, limit in said.items()}, **shares, "wear_cost": self.wear_cost}


@dataclass(frozen=True, slots=True)
class Eim:
    """Who may charge with EIM where the hardware has nobody to ask."""

    rule: typing.Literal["accept", "refuse", "wait"] = "accept"
    delay: float = 0.0  # s


@dataclass(frozen=True, slots=True)
class Metering:
    """What a car is asked to sign of its meter readings, where no CSMS decides."""

    confirm_every: float = 0.0  # s


@dataclass(frozen=True, slots=True)
class Cps:
    """A certificate provisioning service: takes the EXI of a car's request by POST, gives that of the response."""

    url: str
    timeout: float = 5.0  # s


def _check_port(port: int | None) -> None:
    if port is not None and not 0 <= port <= 65_535:
        raise ConfigError(f"port is {port}; give 0 to 65535, 0 for any free one")


@dataclass(frozen=True, slots=True)
class OutletConfig:
    """One outlet; what it does not say is said by the file's own tables."""

    evse_id: str = EVSE_ID
    host: str | None = None
    port: int | None = None
    iface: str | None = None
    offer: Outlet | None = None
    hardware: Hardware | None = None

    def __post_init__(self) -> None:
        _check_port(self.port)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a file can say."""

    host: str = "::1"
    port: int | None = None  # None: 15118, or with iface a random one
    iface: str | None = None
    tls: bool = True
    pki: str | None = None
    responder: str | None = None  # None: whom the certificates name
    profile: Profile = "conformance"
    time_scale: float = 1.0
    grace: float = 15.0  # s; the session itself insists after 10 s, what is left is for the car's way out
    ocpp: str | None = None
    ocpp_password_file: str | None = None  # None: V2G_OCPP_PASSWORD of the environment, if it is set
    offer: Outlet = field(default_factory=Outlet)
    hardware: Hardware = field(default_factory=Hardware)
    site: SiteConfig = field(default_factory=SiteConfig)
    eim: Eim = field(default_factory=Eim)
    metering: Metering = field(default_factory=Metering)
    cps: Cps | None = None
    outlet: tuple[OutletConfig, ...] = ()

    def __post_init__(self) -> None:
        _check_port(self.port)
        if not 0 <= self.grace < float("inf"):
            raise ConfigError(f"grace is {self.grace}; give the seconds that cars have to leave when the station is stopped, 0 for none")
        if not self.time_scale > 0:
            raise ConfigError(f"time_scale is {self.time_scale}; give the wall seconds that one second stands for, above 0")
        if self.tls and self.pki is None:
            raise ConfigError("tls needs certificates: give pki, a directory made with v2g pki create, or tls = false on a bench")
        # a driver of one's own may name its outlet: then it is compared when it is made
        own = {each for each, outlet in enumerate(self.outlet) if (outlet.hardware or self.hardware).driver != SIMULATED}
        ids = [each.evse_id for number, each in enumerate(self.outlet) if each.evse_id != EVSE_ID or number not in own]
        if twice := next((one for one in ids if ids.count(one) > 1), None):
            raise ConfigError(
                f"{ids.count(twice)} outlets have evse_id {twice!r}; give each its own, by which cars and logs tell them apart"
            )
        if self.cps is not None and self.ocpp is not None:
            raise ConfigError("cps and ocpp are both given; a CSMS passes requests for contracts on by itself: leave out cps")
        if self.ocpp_password_file is not None and self.ocpp is None:
            raise ConfigError("ocpp_password_file is given without ocpp, the address of the CSMS that asks for the password")
        for name, url, schemes in self._addresses():
            try:
                demand_address(url, *schemes)
            except ValueError as error:
                raise ConfigError(f"{name}: {error}") from None
        if not self.tls and self.iface is None and "PnC" in self.offer.authorizations and self.pki is None:
            raise ConfigError("PnC needs trust anchors: give pki, a directory made with v2g pki create")

    def _addresses(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        web = ("http", "https")
        given = (
            ("ocpp", self.ocpp, ("ws", "wss")),
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
        """Every outlet, complete."""
        given = self.outlet or (OutletConfig(self.offer.evse_id),)
        return tuple(
            OutletConfig(
                evse_id=each.evse_id,
                host=each.host or self.host,
                port=self._port(each),
                iface=each.iface or self.iface,
                offer=self._offer(each),
                hardware=each.hardware or self.hardware,
            )
            for each in given
        )


def limits_of(outlet: OutletConfig) -> Limits:
    """What the hardware of a complete outlet can do, where the file says it or it is simulated."""
    assert outlet.hardware is not None
    assert outlet.offer is not None
    if outlet.hardware.limits is not None:
        return outlet.hardware.limits
    return AC_LIMITS if outlet.offer.services[0].startswith("AC") else DC_LIMITS


def parsed(text: str, file: Path | None = None, /, **flags: Any) -> Config:
    """The configuration in a TOML text, which stands in `file`, overruled by flags: nested dictionaries. Raises ConfigError."""
    return read(Config, text, file, **flags)
