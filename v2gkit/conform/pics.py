"""What a peer claims (PICS) and how it is to be tested (PIXIT): one strict TOML, which switches cases on and off (pure).

[claims]
dc = true
pause = false

[test]
outlets = ["[::1]:15119"]
recovery = 10.0
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from v2g.settings import strict, suggestion

WORDS: dict[str, str] = {
    "tls": "TLS 1.3 with both certificates",
    "sdp": "discovery on the link, and this machine is on it",
    "ac": "an AC service",
    "dc": "a DC service",
    "mcs": "a megawatt service",
    "bpt": "a bidirectional service",
    "scheduled": "control mode Scheduled",
    "dynamic": "control mode Dynamic",
    "eim": "authorization by external means",
    "pnc": "Plug & Charge",
    "certificate_installation": "installation of contract certificates",
    "pcid_known": "a provisioning service that knows which cars have contracts",
    "vas": "value-added services",
    "pause": "sessions that pause",
    "service_renegotiation": "services that are negotiated anew",
    "standby": "standby",
    "meter": "a meter whose readings are in the loop",
    "metering_confirmation": "confirmation of meter readings",
    "signed_prices": "signed price schedules for Plug & Charge",
    "ed448": "certificates with Ed448",
    "two_roots": "a certificate below each of two roots",
    "staples": "an OCSP response in the handshake",
    "chain_staples": "an OCSP response in the handshake for each certificate of the chain",
    "revocation": "knowledge of revoked certificates",
    "generation_2": "ISO 15118-2",
    "tls12": "TLS 1.2 for ISO 15118-2",
    "plain_tcp": "ISO 15118-2 without TLS",
    "static_ecdh": "the suite of TLS 1.2 with a fixed key",
    "trusted_ca_keys": "a chain by the roots that a car of ISO 15118-2 names",
    "three_phases": "AC on three phases",
    "internet": "access to the Internet as a service",
    "receipts": "receipts that a car of ISO 15118-2 signs",
    "din": "DIN SPEC 70121",
    "der": "an AC service with DER functions",
    "wpt": "wireless power transfer",
    "acdp": "an automatic connection device",
    "eim_waits": "an outlet whose external authorization is left open",
    "eim_refuses": "an outlet whose external authorization is refused",
    "ocpp": "OCPP 2.x, and a CSMS that this suite plays (--csms)",
    "hal": "control pilot, contactor and output that a tester drives and measures",
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What the peer is claimed to have. Each word stands in the table `WORDS`."""

    tls: bool = True
    sdp: bool = False
    ac: bool = False
    dc: bool = True
    mcs: bool = False
    bpt: bool = False
    scheduled: bool = True
    dynamic: bool = True
    eim: bool = True
    pnc: bool = True
    certificate_installation: bool = False
    pcid_known: bool = False
    vas: bool = False
    pause: bool = False
    service_renegotiation: bool = False
    standby: bool = False
    meter: bool = False
    metering_confirmation: bool = False
    signed_prices: bool = False
    ed448: bool = False
    two_roots: bool = False
    staples: bool = False
    chain_staples: bool = False
    revocation: bool = False
    generation_2: bool = False
    tls12: bool = True
    plain_tcp: bool = True
    static_ecdh: bool = False
    trusted_ca_keys: bool = False
    three_phases: bool = True
    internet: bool = False
    receipts: bool = False
    din: bool = False
    der: bool = False
    wpt: bool = False
    acdp: bool = False
    eim_waits: bool = False
    eim_refuses: bool = False
    ocpp: bool = False
    hal: bool = False


@dataclass(frozen=True, slots=True)
class Pixit:
    """How the peer is tested. Times are in s: `recovery` within which it must serve again after a fault, `slack` for the network."""

    outlets: tuple[str, ...] = ()  # host:port of further outlets, on which cases run at the same time
    connections: int = 2  # that the peer takes beside the sessions of its outlets; 0: each case has an outlet for itself
    recovery: float = 10.0
    slack: float = 1.0
    close: float = 5.0  # from a fatal answer to the end of the connection
    mutants: int = 100  # of each message, for what is spoilt at random
    sdp_port: int = 15118  # UDP port of discovery
    loops: int = 300  # of a car's charge whose pace is measured
    waiting: str = ""  # host:port of the outlet whose external authorization is left open
    refusing: str = ""  # of the one whose external authorization is refused
    evses: tuple[int, ...] = ()  # how the station numbers its outlets to a CSMS, in the order they are given; none: 1, 2, 3 and on
    # s within which the station connects to a CSMS that was away: by OCPP it waits longer each time, usually at most 2 * 2**5 + 2
    returns: float = 90.0
    sessions: int = 300  # with a station, for what is drawn at random
    paced: float = 60.0  # s of a charge loop with a station at the pace of the standard
    voltage: float = 400.0  # V of the battery that a bench plays
    power: float = 10_000.0  # W that it takes
    tolerance: bool = (
        False  # it accepts the power tolerance in every profile of -20: for a station that takes no other, which S-PWD-01 tells
    )
    command: str = ""  # of a car: makes it come again, run by a shell; {address}, {host}, {port} and {interface} are filled in
    # the same by what the car shall do: pause, pnc, eim, long, install, bpt, sdp; and what drives the hardware of either: pilot_b, pilot_c,
    # pilot_fault, contactor_held, contactor_free, stop, link_up, link_down
    triggers: dict[str, str] = field(default_factory=dict)
    crash: tuple[str, ...] = ("Segmentation fault", "panicked at")  # words by which its program says that it fell
    stop: str = ""  # how its driver stops a car: SIGTERM to its program; empty: it stops by itself
    arrival: float = 30.0  # s within which a car comes
    cars: int = 1  # that come at the same time, each to a port of its own

    def __post_init__(self) -> None:
        for name in ("recovery", "slack", "close", "arrival", "paced", "returns"):
            if not 0.0 < getattr(self, name) <= 600.0:
                raise ValueError(f"{name} is {getattr(self, name):g} s; give more than 0, at most 600")
        if self.stop not in ("", "SIGTERM"):
            raise ValueError(f"stop is {self.stop!r}; give SIGTERM, or leave it out for a car that stops by itself")
        for name, least, most in (
            ("connections", 0, 64),
            ("mutants", 1, 100_000),
            ("sdp_port", 1, 65_535),
            ("loops", 10, 100_000),
            ("cars", 1, 64),
            ("sessions", 2, 10_000),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; give {least} to {most}")


@dataclass(frozen=True, slots=True)
class Pics:
    """Claims and test parameters of one peer; `device` is what the cover page calls it."""

    device: str = ""
    claims: Claims = field(default_factory=Claims)
    test: Pixit = field(default_factory=Pixit)

    def speaking(self, generations: Collection[str]) -> "Pics":
        """This peer, claimed to speak these generations ("2", "DIN") beside what it claims."""
        claims = self.claims
        spoken = {"generation_2": claims.generation_2 or "2" in generations, "din": claims.din or "DIN" in generations}
        return replace(self, claims=replace(claims, **spoken))

    def lacking(self, condition: Sequence[str]) -> str:
        """Why a case of this condition does not apply, in words; empty where it does."""
        for name in condition:
            wanted = not name.startswith("not ")
            if getattr(self.claims, name.removeprefix("not ")) is not wanted:
                word = WORDS[name.removeprefix("not ")]
                return f"not claimed: {word}" if wanted else f"claimed: {word}"
        return ""


def checked(condition: Sequence[str]) -> tuple[str, ...]:
    """A condition all of whose names are claims. Raises ValueError for one that is none."""
    known = [each.name for each in fields(Claims)]
    for name in condition:
        if name.removeprefix("not ") not in known:
            raise ValueError(f"{name!r} is no claim; {suggestion.cure(name, known)}")
    return tuple(condition)


def read(text: str, path: Path | None = None) -> Pics:
    """The PICS in a TOML text that came from `path`. Raises ConfigError, which names key, value and cure."""
    return strict.read(Pics, text, path)
