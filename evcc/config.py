"""The configuration of a car from one strict TOML file: an unknown key is refused by its name, an absent key has its default.

soc = 35                  # % on arrival
departure_in = 28800      # s after arrival; absent: the car leaves when it is full enough
time_scale = 1            # wall seconds per second, for simulations
connect = "[::1]:15118"   # or: iface = "eth0", to ask by SDP
tls = true
tls_versions = ["1.3", "1.2"]  # absent: 1.3 for generation 20, 1.2 for generation 2
pki = "certs"
revocation = "known"      # of the station: or "leaf", "strict", which demand OCSP responses
name_roots = false        # in the ClientHello, with the TLS library of the system
resume_within = 60        # s that the car tries to come back to a station that paused
grace = 10                # s for leaving in order when a signal asks for it, then the connection is cut

[wireless]                # over WLAN, for a device or a coil: with iface
coupling = "CROSS_RAIL"   # names of v2g.session.sdp.Coupling and Pairing
pairing = ["PPD_ON_EV"]
[wish]                    # fields of evcc.car.Wish
services = ["DC_BPT", "DC"]
control = "Scheduled"
[goal]                    # fields of evcc.goal.Goal
target_soc = 80
[battery]                 # fields of evcc.ev.Battery
capacity = 77000
[dc]                      # fields of evcc.ev.Inlet, also [ac], [mcs], [acdp] and [wpt]
charge_power = 150000
[vehicle_device]          # fields of v2g.session.wireless.VehicleDevice, for WPT
clearance = 250
[inverter]                # fields of evcc.inverter.Rating, for AC_DER
power = 11000             # VA
[grid]                    # what it measures
frequency = 50
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evcc.car import Car, Wish
from evcc.credentials import Contract
from evcc.ev import AC_INLET, ACDP_INLET, MCS_INLET, WPT_INLET, Battery, Ev, Inlet
from evcc.generations import CONDUCTS, NAMED, Name
from evcc.goal import Goal
from evcc.inverter import Rating
from evcc.trust import TlsVersion
from pki.status_book import Revocation
from v2g.energy.der import Grid
from v2g.session.clock import Clock
from v2g.session.sdp import UNKNOWN, Coupling, Pairing, WirelessRequest, encode
from v2g.session.wireless import VehicleDevice
from v2g.settings import suggestion
from v2g.settings.strict import ConfigError, read


@dataclass(frozen=True, slots=True)
class Wireless:
    """How a car asks for its station over WLAN. `ev_id` is heard by everybody around; `evse_id` is where it knows itself to stand."""

    coupling: str = Coupling.CROSS_RAIL.name
    pairing: tuple[str, ...] = ()
    ev_id: str = UNKNOWN
    evse_id: str = ""

    def __post_init__(self) -> None:
        suggestion.demand("coupling", (self.coupling,), Coupling.__members__)
        suggestion.demand("pairing", self.pairing, Pairing.__members__)
        try:
            encode(self.request)
        except ValueError as error:
            raise ConfigError(f"[wireless]: {error}") from None

    @property
    def request(self) -> WirelessRequest:
        """What the car asks by SDP."""
        pairing = sum(Pairing[name] for name in set(self.pairing))
        return WirelessRequest(pairing=pairing, coupling=Coupling[self.coupling], ev_id=self.ev_id, evse_id=self.evse_id)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of a car: every key of its file."""

    about: str = ""  # a line for people
    soc: float = 20.0  # %
    departure_in: float | None = None  # s
    time_scale: float = 1.0
    generations: tuple[Name, ...] = ("20",)  # that are offered, the best first
    connect: str | None = None
    iface: str | None = None
    slac: str | None = None  # interface of the power line modem, to match on first
    wireless: Wireless | None = None  # None: it comes by cable
    tls: bool = True
    tls_versions: tuple[TlsVersion, ...] = ()  # that are offered; none named: what the generations are spoken on
    pki: str | None = None
    revocation: Revocation = "known"
    name_roots: bool = False
    resume_within: float = 60.0  # s
    grace: float = 10.0  # s
    wish: Wish = field(default_factory=Wish)
    goal: Goal = field(default_factory=Goal)
    battery: Battery = field(default_factory=Battery)
    dc: Inlet = field(default_factory=Inlet)
    ac: Inlet = AC_INLET
    mcs: Inlet = MCS_INLET
    acdp: Inlet = ACDP_INLET
    wpt: Inlet = WPT_INLET
    vehicle_device: VehicleDevice = field(default_factory=VehicleDevice)
    inverter: Rating = field(default_factory=Rating)
    grid: Grid = field(default_factory=Grid)

    def __post_init__(self) -> None:
        if not 0 <= self.soc <= 100:
            raise ConfigError(f"soc is {self.soc}; give 0 to 100 (%)")
        if not self.time_scale > 0:
            raise ConfigError(f"time_scale is {self.time_scale}; give the wall seconds that one second stands for, above 0")
        if not self.generations:
            raise ConfigError(f"generations is empty; name at least one of {', '.join(NAMED)}")
        suggestion.demand("quirks", self.wish.quirks, [quirk for conduct in CONDUCTS for quirk in conduct.quirks])
        if self.wireless is not None and self.slac is not None:
            raise ConfigError("[wireless] and slac are both given; a car over WLAN has no power line to match on: leave out slac")
        if self.wireless is not None and self.connect is not None:
            raise ConfigError("[wireless] and connect are both given; the station is asked for on iface: leave out connect")
        for name in ("resume_within", "grace"):
            if not 0 <= getattr(self, name) <= 86_400:
                raise ConfigError(f"{name} is {getattr(self, name)}; give 0 to 86400 (s)")

    def car(self, clock: Clock, now: float, contract: Contract | None = None) -> Car[Any]:
        """The car as it arrives at `now` (monotonic s), with a contract if it has one."""
        goal = self.goal
        if self.departure_in is not None:
            goal = replace(goal, departure=clock.wall(now) + self.departure_in)
        named = ("battery", "dc", "ac", "mcs", "acdp", "wpt", "vehicle_device", "inverter", "grid")
        ev = Ev(**{name: getattr(self, name) for name in named}, energy=self.soc / 100.0 * self.battery.capacity)
        return Car(ev, goal, self.wish, clock, contract, now=now)


def parse(text: str, file: Path | None = None) -> Config:
    """The configuration in a TOML text that came from `file`. Raises ConfigError."""
    return read(Config, text, file)


def as_dict(config: Config) -> dict[str, Any]:
    """The whole configuration, defaults included, as dictionaries and plain values."""
    return asdict(config)
