"""What grid.toml says: whose site it is, its connection, and every source of signals. A key that is not known is refused by its name."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from v2g.address import host_and_port
from v2g.settings import strict
from v2gkit.grid.link import Promise
from v2gkit.grid.modbus.registers import Kind, Words, width
from v2gkit.grid.oscp.declared import Oscp
from v2gkit.grid.s2.declared import S2
from v2gkit.grid.secrecy import demand_secret
from v2gkit.grid.sep2.declared import Sep2
from v2gkit.grid.serving import Serving
from v2gkit.grid.vendor.declared import Vendor

Role = Literal["connection", "chargers", "load", "source", "battery", "signal"]
SITE = "site"  # the source of what is reckoned from meters
SOURCES = 64  # of one site
RESTED = ("load", "source", "battery")  # roles whose sum is all that is no charger


@dataclass(frozen=True, slots=True)
class Site:
    """The connection that chargers share with everything else, and what they may do while its meters are not heard. Powers in W."""

    import_limit: float | None = None
    export_limit: float | None = None
    step: float = 100.0  # W; what is left is told in multiples of this, downward: a meter that trembles is no news
    patience: float = 10.0  # s
    fallback_import: float = 0.0
    fallback_export: float = 0.0

    def __post_init__(self) -> None:
        for name in ("import_limit", "export_limit", "fallback_import", "fallback_export"):
            if (value := getattr(self, name)) is not None and not 0 <= value < 1e9:
                raise ValueError(f"{name} is {value} W; give 0 to a gigawatt")
        if not 1 <= self.step <= 1e6:
            raise ValueError(f"step is {self.step} W; give 1 to 1000000")
        _ = self.promise

    @property
    def promise(self) -> Promise:
        """What holds while the meters are not heard."""
        return Promise(self.patience, self.fallback_import, self.fallback_export)


@dataclass(frozen=True, slots=True)
class Register:
    """A number in the registers of a device: W = (raw x scale), + into the site; a raw value of `absent` says that there is none."""

    reads: Literal["power", "import_cap", "export_cap", "setpoint"]
    at: int
    type: Kind = "int16"
    words: Words = "big"
    scale: float = 1.0
    invert: bool = False
    absent: float | None = None
    function: Literal["holding", "input"] = "holding"

    def __post_init__(self) -> None:
        if not 0 <= self.at <= 0x10000 - width(self.type):
            raise ValueError(f"at is {self.at}; registers are 0 to 65535, as on the wire: 40001 of a manual is holding register 0")
        if not 0 < self.scale < 1e9:
            raise ValueError(f"scale is {self.scale}; give the W of one count, above 0; `invert` turns the sign")


@dataclass(frozen=True, slots=True)
class Modbus:
    """A device on Modbus (TCP, TLS, RTU): the site's meter, inverter or battery by SunSpec or registers, or the grid operator's box."""

    name: str
    address: str  # HOST:PORT; of a serial line its device, as /dev/ttyUSB0
    role: Role
    unit: int = 1
    sunspec: bool = False
    invert: bool = False  # SunSpec: this meter counts import as negative
    pack: str = ""  # the [[site.battery]] of the station that this is: its orders go to the inverter
    register: tuple[Register, ...] = ()
    roots: str | None = None  # PEM: with it the connection is TLS, to whom these vouch for
    cert: str | None = None  # PEM: our chain, where the device wants one
    key: str | None = None  # PEM
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 19200  # of a serial line
    parity: Literal["none", "even", "odd"] = "even"
    stop: Literal[1, 2] = 2  # stop bits, without parity
    every: float = 1.0  # s between two readings
    timeout: float = 3.0  # s for one answer
    patience: float = 10.0  # s; of a signal box: silence after which its fallbacks hold
    fallback_import: float | None = None  # W
    fallback_export: float | None = None  # W

    def __post_init__(self) -> None:
        if not self.serial:
            host_and_port(self.address)
        if (self.cert is None) != (self.key is None) or (self.roots is None and self.cert is not None) or (self.serial and self.roots):
            raise ValueError(f"{self.name}: cert and key belong together, beside the roots of a TLS connection; a serial line has none")
        _ = self.promise
        if not 0 <= self.unit <= 255:
            raise ValueError(f"unit is {self.unit}; give 0 to 255")
        if self.sunspec == bool(self.register):
            raise ValueError(f"{self.name}: give sunspec = true, or a table [[modbus.register]] for each number")
        if not (0.05 <= self.every <= 3_600 and 0.05 <= self.timeout <= 60):
            raise ValueError(f"{self.name}: every {self.every} s, timeout {self.timeout} s; give 0.05 to 3600 s, and to 60 s")
        if self.pack and not (self.sunspec and self.role == "battery"):
            raise ValueError(f"{self.name}: pack is {self.pack!r}, of a {self.role}; SunSpec batteries alone take orders")
        reads = {register.reads for register in self.register}
        if len(reads) < len(self.register):
            raise ValueError(f"{self.name}: two registers read one thing; give each its own")
        wanted = reads - {"power"} if self.role == "signal" else reads & {"power"} or ({"power"} if self.sunspec else set())
        if not wanted or (self.role != "signal" and reads - {"power"}):
            raise ValueError(
                f"{self.name}: the role {self.role} reads {'import_cap, export_cap or setpoint' if self.role == 'signal' else 'power'}"
            )

    @property
    def serial(self) -> bool:
        """Whether it is on a serial line."""
        return self.address.startswith("/")

    @property
    def promise(self) -> Promise:
        """What holds while a box of the grid operator's is not heard."""
        return Promise(self.patience, self.fallback_import, self.fallback_export)


@dataclass(frozen=True, slots=True)
class OpenAdr:
    """A VTN of OpenADR 3.1, and who we are there. The secret stands in a file."""

    name: str
    url: str  # with the base path, as https://vtn.example/openadr3/3.1.0
    client_id: str
    secret_file: str
    ven: str  # name of this VEN
    program: str = ""  # name; empty: all that the VTN lets this client see
    token_url: str | None = None  # None: where the VTN says, if that is of its own origin
    targets: tuple[str, ...] = ()  # events for others alone are refused; empty: it is the VTN's business
    simple: tuple[float, ...] = ()  # W of import at each level of SIMPLE, from 0 on; empty: SIMPLE is not followed
    roots: str | None = None  # PEM; None: the system's
    every: float = 10.0  # s between two looks
    timeout: float = 10.0  # s for one answer
    patience: float = 300.0  # s
    fallback_import: float | None = None  # W
    fallback_export: float | None = None  # W

    def __post_init__(self) -> None:
        _ = self.promise
        for url in filter(None, (self.url, self.token_url)):
            demand_secret(url, "the secret")
        if not all(power >= 0 for power in self.simple):
            raise ValueError(f"simple is {self.simple}; give W, 0 or more, inf for no limit")
        if not (0.05 <= self.every <= 3_600 and 0.05 <= self.timeout <= 60):
            raise ValueError(f"{self.name}: every {self.every} s, timeout {self.timeout} s; give 0.05 to 3600 s, and to 60 s")
        if not (self.client_id and self.secret_file and self.ven and len(self.ven) <= 128):
            raise ValueError(f"{self.name}: give client_id, secret_file and ven, a name of up to 128 characters")

    @property
    def promise(self) -> Promise:
        """What holds while the VTN is not heard."""
        return Promise(self.patience, self.fallback_import, self.fallback_export)


@dataclass(frozen=True, slots=True)
class OpenAdr2:
    """A VTN of OpenADR 2.0b, and this VEN's name and certificate there."""

    name: str
    url: str  # of its services, as https://vtn.example/OpenADR2/Simple/2.0b
    ven: str  # name of this VEN
    cert: str | None = None  # PEM: its chain; VTNs outside a laboratory want one
    key: str | None = None  # PEM
    roots: str | None = None  # PEM; None: the system's
    simple: tuple[float, ...] = ()  # W of import at each level of SIMPLE, from 0 on; empty: SIMPLE is not followed
    every: float = 10.0  # s between two polls
    timeout: float = 10.0  # s for one answer
    patience: float = 300.0  # s
    fallback_import: float | None = None  # W
    fallback_export: float | None = None  # W

    def __post_init__(self) -> None:
        _ = self.promise
        demand_secret(self.url, "our messages")
        if (self.cert is None) != (self.key is None):
            raise ValueError(f"{self.name}: cert and key belong together; give both, or neither")
        if not all(power >= 0 for power in self.simple):
            raise ValueError(f"simple is {self.simple}; give W, 0 or more, inf for no limit")
        if not (0.05 <= self.every <= 3_600 and 0.05 <= self.timeout <= 60):
            raise ValueError(f"{self.name}: every {self.every} s, timeout {self.timeout} s; give 0.05 to 3600 s, and to 60 s")
        if not 1 <= len(self.ven) <= 128:
            raise ValueError(f"{self.name}: ven is {self.ven[:20]!r}; give a name of 1 to 128 characters")

    @property
    def promise(self) -> Promise:
        """What holds while the VTN is not heard."""
        return Promise(self.patience, self.fallback_import, self.fallback_export)


@dataclass(frozen=True, slots=True)
class Grid:
    """All that one site listens to."""

    tenant: str = "site"
    site: Site = Site()
    modbus: tuple[Modbus, ...] = ()
    openadr: tuple[OpenAdr, ...] = ()
    openadr2: tuple[OpenAdr2, ...] = ()
    oscp: tuple[Oscp, ...] = ()
    vendor: tuple[Vendor, ...] = ()
    s2: tuple[S2, ...] = ()
    sep2: tuple[Sep2, ...] = ()
    serving: Serving | None = None  # where others reach us: OSCP wants it, and notifications of IEEE 2030.5

    def __post_init__(self) -> None:
        names = [each.name for each in (*self.devices, *self.others)]
        if not 1 <= len(names) <= SOURCES:
            raise ValueError(
                f"{len(names)} sources of signals; give 1 to {SOURCES}, each a table, as [[modbus]], [[openadr]] or [[vendor]]"
            )
        for name in names:
            if not name or name == SITE or names.count(name) > 1 or ":" in name:
                raise ValueError(f"a source is named {name!r}; give each another name, without colon, and not {SITE!r}")
        if self.oscp and self.serving is None:
            raise ValueError("[[oscp]] is called by its capacity provider; give [serving], the address where we listen")
        if any(each.notified for each in self.sep2) and self.serving is None:
            raise ValueError("[[sep2]] notified: its server calls us; give [serving], the address where we listen")
        if (shares := sum(each.limit.share for each in self.vendor if each.limit is not None)) > 1 + 1e-9:
            raise ValueError(f"[vendor.limit] share: {shares:g} in all; give 1 or less together, what is left is the stations'")
        packs = self.packs
        if len(set(packs)) < len(packs):
            raise ValueError(f"pack is said of {len(packs)} devices, for {', '.join(sorted(set(packs)))}; give each battery one inverter")
        demand_sum(self.site, self.meters.values())

    @property
    def packs(self) -> list[str]:
        """The batteries of a station's site that its orders are carried to."""
        return [device.pack for device in self.modbus if device.pack]

    def demand_stations(self, count: int) -> None:
        """Raise ValueError unless so many stations can be steered: a battery belongs to one."""
        if self.packs and count != 1:
            raise ValueError(f"pack = {self.packs[0]!r} is a battery of one station; lead it by `v2g grid --station SOCKET`, given once")

    def demand_batteries(self, names: Collection[str]) -> None:
        """Raise ValueError unless each battery of a site, by its name, has an inverter here, and each inverter's `pack` is one of them."""
        if lost := next((name for name in names if name not in self.packs), None):
            raise ValueError(f"no inverter leads the battery {lost}; give pack = {lost!r} to the [[modbus]] device that it is behind")
        if strange := next((pack for pack in self.packs if pack not in names), None):
            raise ValueError(
                f"pack = {strange!r} is no battery of the site; there are {', '.join(names) or 'none: name it in [[battery]]'}"
            )

    @property
    def promises(self) -> dict[str, Promise]:
        """The sources of the book, and what was agreed with each."""
        metered = {SITE: self.site.promise} if self.meters else {}
        boxes = {device.name: device.promise for device in self.devices if device.role == "signal"}
        return metered | boxes | {other.name: other.promise for other in self.others}

    @property
    def devices(self) -> tuple[Modbus | Vendor, ...]:
        """All devices of the site, however they are reached."""
        return (*self.modbus, *self.vendor)

    @property
    def meters(self) -> dict[str, str]:
        """What each device that counts as a meter measures, by name. A station's battery counts where the connection has a limit here."""
        limited = self.site.import_limit is not None or self.site.export_limit is not None
        led = {device.name for device in self.modbus if device.pack and not limited}
        return {device.name: device.role for device in self.devices if device.role not in ("signal", "charger") and device.name not in led}

    @property
    def left(self) -> float:
        """The share of what holds that is the stations': what devices behind APIs leave."""
        return max(1.0 - sum(each.limit.share for each in self.vendor if each.limit is not None), 0.0)

    @property
    def others(self) -> tuple[OpenAdr | OpenAdr2 | Oscp | S2 | Sep2, ...]:
        """The sources that are no devices on Modbus."""
        return (*self.openadr, *self.openadr2, *self.oscp, *self.s2, *self.sep2)


def demand_sum(site: Site, roles: Iterable[str]) -> None:
    """Raise ValueError unless the meters say what is left for chargers: the connection less the chargers, or all that rests."""
    given = list(roles)
    whole, rest = {"connection", "chargers"} & set(given), [role for role in given if role in RESTED]
    if not given:
        return
    if site.import_limit is None and site.export_limit is None:
        raise ValueError("there are meters, and no limit of the connection; give [site] import_limit or export_limit")
    if (whole and rest) or (whole and whole != {"connection", "chargers"}):
        raise ValueError(
            f"meters of {', '.join(given)} do not say what is left for chargers; give those of connection and chargers, "
            f"or those of {', '.join(RESTED)} alone"
        )


def read(path: Path) -> Grid:
    """The settings of a file. Raises ConfigError, which names file, line, key, value and cure; OSError."""
    return strict.read(Grid, strict.text_of(path), path)
