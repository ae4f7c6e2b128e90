"""A car from one strict TOML file: what is not known is refused by name, what is not said has its default.

soc = 35                  # % on arrival
departure_in = 28800      # s after arrival; absent: the car leaves when it is full enough
time_scale = 1            # wall seconds per second, for simulations
connect = "[::1]:15118"   # or: iface = "eth0", to ask by SDP
tls = true
pki = "certs"
revocation = "known"      # of the station: or "leaf", "strict", which demand OCSP responses
name_roots = false        # in the ClientHello, with the TLS library of the system
resume_within = 60        # s that the car tries to come back to a station that paused
grace = 10                # s for leaving in order when a signal asks for it, then the connection is cut

[wish]                    # fields of evcc.car.Wish
services = ["DC_BPT", "DC"]
control = "Scheduled"
[goal]                    # fields of evcc.goal.Goal
target_soc = 80
[battery]                 # fields of evcc.ev.Battery
capacity = 77000
[dc]                      # fields of evcc.ev.Inlet, also [ac]
charge_power = 150000
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evcc.car import Car, Wish
from evcc.contract import Contract
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.goal import Goal
from evcc.services import IDS
from pki.status_book import Revocation
from v2g import suggestion
from v2g.session.clock import Clock
from v2g.settings import ConfigError, read


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a file can say."""

    soc: float = 20.0  # %
    departure_in: float | None = None  # s
    time_scale: float = 1.0
    connect: str | None = None
    iface: str | None = None
    tls: bool = True
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

    def __post_init__(self) -> None:
        for service in self.wish.services:
            if service not in IDS:
                given = f"wish.services is {list(self.wish.services)}: {service!r} is none of the choices"
                raise ConfigError(f"{given}; {suggestion.cure(service, IDS)}", ("wish", "services"))
        if not 0 <= self.soc <= 100:
            raise ConfigError(f"soc is {self.soc}; give 0 to 100 (%)")
        if not self.time_scale > 0:
            raise ConfigError(f"time_scale is {self.time_scale}; give the wall seconds that one second stands for, above 0")

        for name in ("resume_within", "grace"):
            if not 0 <= getattr(self, name) <= 86_400:
                raise ConfigError(f"{name} is {getattr(self, name)}; give 0 to 86400 (s)")

    def car(self, clock: Clock, now: float, contract: Contract | None = None) -> Car:
        """The car as it arrives at `now` (monotonic s)."""
        goal = self.goal
        if self.departure_in is not None:
            goal = replace(goal, departure=clock.wall(now) + self.departure_in)
        ev = Ev(self.battery, self.dc, self.ac, energy=self.soc / 100.0 * self.battery.capacity)
        return Car(ev, goal, self.wish, clock, contract, now=now)


def parsed(text: str, file: Path | None = None) -> Config:
    """The configuration in a TOML text, which stands in `file`. Raises ConfigError."""
    return read(Config, text, file)


def described(config: Config) -> dict[str, Any]:
    """The whole configuration, defaults included, as plain values."""
    return asdict(config)
