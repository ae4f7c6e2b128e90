"""The network connection profiles of a station (B09, B10, A05): where it connects, in which order, and what it never falls back to.

Slot 1 is what the station's owner configured, until a CSMS puts it out of the order. A slot that the order names is tried
NetworkProfileConnectionAttempts times, then the next; behind them all stands the slot that worked last, so that a new profile which
fails costs nothing but time. Once a security profile has worked, those below it leave the order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from v2g.address import demand_address

SLOTS: Final = range(1, 6)  # a station has one network and few CSMSs; a sixth would be InvalidNetworkConf
OWN: Final = 1  # the slot of the station's configuration
INTERFACES: Final = ("Wired0", "Any")  # the operating system routes; it has no modem that a CSMS could dial with
VERSIONS: Final = ("OCPP20", "OCPP201", "OCPP21")
Refused = tuple[str, str]  # reasonCode, words


@dataclass(slots=True)
class Networks:
    """The profiles by slot, as OCPP's connectionData, and which is used. `own` is the security profile of the configuration."""

    own: int = 0
    url: str = ""  # of the configuration
    slots: dict[int, dict[str, Any]] = field(default_factory=dict)  # that a CSMS has set
    order: tuple[int, ...] = (OWN,)
    worked: int = OWN  # the slot of the last connection
    reached: int = 0  # the security profile of it
    at: int = 0  # place in `_tried`
    failures: int = 0  # in a row, at the present slot
    downgrade: bool = False  # AllowSecurityProfileDowngrade: from 3 to 2, never to 1

    @property
    def _tried(self) -> tuple[int, ...]:
        return self.order if self.worked in self.order else (*self.order, self.worked)

    @property
    def present(self) -> int:
        """The slot to connect by."""
        return self._tried[self.at % len(self._tried)]

    @property
    def data(self) -> Mapping[str, Any]:
        """The connectionData of the present slot; empty for the configured one."""
        return self.slots.get(self.present, {})

    def profile(self, slot: int) -> int:
        """The security profile of a slot."""
        return int(self.slots[slot]["securityProfile"]) if slot in self.slots else self.own

    def failed(self, attempts: int) -> int | None:
        """Note a failed attempt to connect; after `attempts` of them the next slot has its turn, and is returned."""
        self.failures += 1
        if self.failures < attempts or len(self._tried) < 2:
            return None
        self.at, self.failures = (self.at + 1) % len(self._tried), 0
        return self.present

    def succeeded(self, profile: int) -> bool:
        """Note that the present slot works, by a security profile; True where the order has lost slots below it [A05]."""
        self.worked, self.reached, self.failures = self.present, profile, 0
        least = 2 if self.downgrade and profile == 3 else profile
        left = tuple(slot for slot in self._tried if slot == self.worked or self.profile(slot) >= least)
        lost = set(self._tried) - set(left)
        here, self.order = self.worked, left
        self.at = self.order.index(here)
        return bool(lost)

    def begin(self, order: tuple[int, ...]) -> None:
        """Start over with the first slot of an order, after a reset."""
        self.order, self.at, self.failures = order or (OWN,), 0, 0

    # --- what a CSMS wants ---

    def objection(self, slot: int, data: Mapping[str, Any], held: "Held") -> Refused | None:
        """Why a profile is not taken for a slot; None where it is."""
        if slot not in SLOTS:
            return "InvalidNetworkConf", f"configurationSlot is {slot}; there are {SLOTS[0]} to {SLOTS[-1]}"
        if slot in self._tried:
            return "PriorityNetworkConf", f"slot {slot} is in use by NetworkConfigurationPriority; set another, and give that the priority"
        for name, wrong, cure in _amiss(data):
            if wrong:
                return "InvalidNetworkConf", f"{name}: {cure}"
        try:
            demand_address(data["ocppCsmsUrl"], "ws" if data["securityProfile"] == 1 else "wss")
        except ValueError as error:
            return "InvalidNetworkConf", f"ocppCsmsUrl: {error}"
        password = data.get("basicAuthPassword")
        if password is not None and not (16 <= len(password) <= 64 and password.isprintable()):
            return "InvalidNetworkConf", "basicAuthPassword: give 16 to 64 printable characters"
        return self.unfit(data["securityProfile"], held, password is not None)

    def unfit(self, profile: int, held: "Held", password: bool = False) -> Refused | None:
        """Why the station does not go over to a security profile: it is lower, or what it needs is not there."""
        least = 2 if self.downgrade and self.reached == 3 else self.reached
        if profile < least:
            return "NoSecurityDowngrade", f"security profile {profile} is below {self.reached}, by which the station has connected"
        if profile < 3 and not (password or held.password):
            return "InvalidNetworkConf", f"security profile {profile} needs a password: set BasicAuthPassword first"
        if profile > 1 and not held.roots:
            return "InvalidNetworkConf", f"security profile {profile} needs a CSMS root: install one first"
        if profile == 3 and not held.certificate:
            return "InvalidNetworkConf", "security profile 3 needs a certificate: have a ChargingStationCertificate signed first"
        return None

    def disorder(self, order: tuple[int, ...], held: "Held") -> Refused | None:
        """Why an order of slots is not taken: one is empty, stands twice, or does not fit."""
        if not order or len(set(order)) < len(order):
            return "InvalidValue", "give each slot once"
        for slot in order:
            if slot != OWN and slot not in self.slots:
                return "InvalidNetworkConf", f"slot {slot} holds no profile: SetNetworkProfile first"
            configured = slot == OWN and OWN not in self.slots
            if configured and self.own >= self.reached:
                continue
            if (refused := self.unfit(self.profile(slot), held, "basicAuthPassword" in self.slots.get(slot, {}))) is not None:
                return refused
        return None


@dataclass(frozen=True, slots=True)
class Held:
    """What a station has to prove itself with, and the CSMS by."""

    password: bool
    roots: bool
    certificate: bool


def _amiss(data: Mapping[str, Any]) -> tuple[tuple[str, bool, str], ...]:
    return (
        ("ocppTransport", data["ocppTransport"] != "JSON", "only JSON is spoken"),
        ("ocppVersion", data.get("ocppVersion", VERSIONS[0]) not in VERSIONS, f"of {', '.join(VERSIONS)}; the link agrees on one anyhow"),
        ("ocppInterface", data["ocppInterface"] not in INTERFACES, f"of {', '.join(INTERFACES)}; the operating system routes"),
        ("apn", "apn" in data, "the station has no modem of its own"),
        ("vpn", "vpn" in data, "a VPN is the operating system's"),
        ("securityProfile", data["securityProfile"] not in (1, 2, 3), "give 1, 2 or 3"),
        ("messageTimeout", not 1 <= data["messageTimeout"] <= 3600, "give 1 to 3600 s"),
    )
