"""Values in wants and facts: limits, meter readings, objections, and the literals for services and controls."""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Literal

from v2g.reasons import Reason

Authorization = Literal["EIM", "PnC"]
Control = Literal["Scheduled", "Dynamic"]
Device = Literal["Home", "Moving", "EndPosition"]  # of ACDP: what comes down to the vehicle, on a pantograph or an arm
Service = str  # the name of a row of `v2g.services.SERVICES`


@dataclass(frozen=True)
class Limits:
    """The limits of one EVSE, or of a car. Powers are magnitudes in W, currents in A, voltages in V."""

    charge_power: float = 11_000.0
    charge_power_minimum: float = 0.0
    discharge_power: float = 11_000.0
    discharge_power_minimum: float = 0.0
    charge_current: float = 32.0
    charge_current_minimum: float = 0.0
    discharge_current: float = 32.0
    discharge_current_minimum: float = 0.0
    voltage: float = 500.0
    voltage_minimum: float = 150.0
    nominal_voltage: float = 230.0  # AC, phase to neutral
    nominal_frequency: float = 50.0  # Hz, AC
    phases: int = 3  # AC

    def within(self, bounds: "Limits") -> "Limits":
        """The limits, cut to `bounds`: of two maxima the lower, of two minima the higher."""
        if self is bounds or self == bounds:  # those of an outlet that nobody has limited: asked a dozen times in each turn of a loop
            return self
        return _cut(self, bounds)


_BOUNDED = tuple(
    (f.name, max if f.name.endswith("_minimum") else min) for f in fields(Limits) if not f.name.startswith("nominal") and f.name != "phases"
)


@lru_cache(maxsize=1024)
def _cut(limits: Limits, bounds: Limits) -> Limits:
    return replace(limits, **{name: choose(getattr(limits, name), getattr(bounds, name)) for name, choose in _BOUNDED})


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What a car showed of itself before it spoke of energy: its certificates, the protocols that it offered, and the one agreed upon.

    `chain` is DER, leaf first; the root at which it was verified comes last. Without TLS it is empty. A protocol is spelt namespace, major,
    minor; the one that the car likes best comes first.
    """

    chain: tuple[bytes, ...] = ()
    offered: tuple[str, ...] = ()
    agreed: str = ""


@dataclass(frozen=True, slots=True)
class PhasePowers:
    """What a car that speaks of its phases one by one says of each: magnitudes in W, that of L1 first. Empty: it said the total alone."""

    charge: tuple[float, ...] = ()
    charge_minimum: tuple[float, ...] = ()
    discharge: tuple[float, ...] = ()
    discharge_minimum: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where a vehicle stands under an ACDP or over a ground device (WPT): how far from the middle, how far it may be, and whether the
    device can reach it.

    The four numbers are passed to the vehicle as they are, whole and signed, each within 16 bits.
    """

    x: int = 0
    y: int = 0
    window_x: int = 0
    window_y: int = 0
    reachable: bool = False

    def __post_init__(self) -> None:
        for name in ("x", "y", "window_x", "window_y"):
            if not -32_768 <= getattr(self, name) <= 32_767:
                raise ValueError(f"position {name} is {getattr(self, name)}; give -32768 to 32767")


@dataclass(frozen=True, slots=True)
class Paired:
    """WPT: whether the vehicle over the ground device is found to be the one of this session, and `reason` why not.

    `code` is what the device observed of the vehicle (ObservedIDCode), where its method has one.
    """

    paired: bool
    code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Alignment:
    """WPT: whether the coils are aligned so that power may flow, and `reason` why not; with what was measured in the check (W, A)."""

    aligned: bool
    power: float | None = None  # W that was transmitted
    current: float | None = None  # A of the supply device
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a vehicle says in VehicleCheckInReq; the three numbers as they came, whole and signed, in a unit that no public text has."""

    status: Literal["CheckIn", "Processing", "Completed"]
    method: str  # AutoParking, MVGuideManual or Manual
    frame: int | None = None
    offset: int | None = None
    travel: int | None = None


@dataclass(frozen=True, slots=True)
class ParkingPlace:
    """The place for a vehicle that checks in, and whether it is `occupied`: whether the vehicle is seen to stand there.

    The three numbers are passed to the vehicle as they are, whole and signed, each within 16 bits; None: not said. Our car drives on while
    `distance` is not 0.
    """

    space: int | None = None  # ParkingSpace
    device: int | None = None  # DeviceLocation
    distance: int | None = None  # TargetDistance
    occupied: bool = False

    def __post_init__(self) -> None:
        for name in ("space", "device", "distance"):
            if not -32_768 <= (getattr(self, name) or 0) <= 32_767:
                raise ValueError(f"parking place {name} is {getattr(self, name)}; give -32768 to 32767")


@dataclass(frozen=True, slots=True)
class Departure:
    """What a vehicle says in VehicleCheckOutReq: the state of its leaving, and when it leaves, in epoch seconds as our car says it."""

    status: Literal["CheckOut", "Processing", "Completed"]
    time: int


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A reading as its meter signed it, for whoever bills by it: the record, and the key (DER, SubjectPublicKeyInfo) that proves it.

    `encoding` and `method` are the words of OCPP (EncodingMethodEnumStringType, SigningMethodEnumStringType).
    """

    record: bytes
    public_key: bytes = b""  # empty: not known here
    encoding: str = "OCMF"
    method: str = ""  # empty: the record says it


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A reading of the meter at the outlet: its registers in Wh, and the meter's own signature over them if it signs.

    The car is shown the energy of its session [V2G20-902]: the registers less what they showed when the session began.
    """

    meter_id: str
    imported: float  # Wh into the EV, register
    exported: float  # Wh out of the EV, register
    at: float  # epoch s
    signature: bytes | None = None  # raw, at most 64 octets, over what the car is shown
    status: int | None = None
    imported_before: float = 0.0  # Wh, register when the session began
    exported_before: float = 0.0
    signed: SignedReading | None = None  # its record for billing, where the meter makes one
    phases: tuple[tuple[float, float], ...] = ()  # Wh into and out of the EV on each phase, where the meter counts them

    @property
    def charged(self) -> int:
        """Wh into the EV in this session, in whole Wh as the car is shown them."""
        return max(0, int(self.imported - self.imported_before))

    @property
    def discharged(self) -> int:
        """Wh out of the EV in this session, in whole Wh as the car is shown them."""
        return max(0, int(self.exported - self.exported_before))


@dataclass(frozen=True, slots=True)
class Display:
    """What a car shows its driver besides its SOC (DisplayParameters): SOC in %, times in s, capacity in Wh. None: it did not say."""

    minimum_soc: float | None = None
    target_soc: float | None = None
    maximum_soc: float | None = None
    to_minimum: float | None = None  # s until that SOC
    to_target: float | None = None
    to_maximum: float | None = None
    complete: bool | None = None
    capacity: float | None = None  # Wh
    inlet_hot: bool | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """A part of what a session has cost, before taxes: the amount, and the price of one unit of it."""

    amount: float
    unit: float


@dataclass(frozen=True, slots=True)
class CostParts:
    """What a session has cost, in parts; None is no part of it. With the taxes they are its total."""

    energy: Cost | None = None  # for each kWh
    time: Cost | None = None  # for each minute of charging
    idle: Cost | None = None  # for each minute without
    fees: Cost | None = None
    taxes: float = 0.0


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a request is refused while the session goes on: `kind` gives the code, `reason` the words, `requirement` what was broken."""

    kind: Reason
    reason: str
    requirement: str | None


@dataclass(frozen=True, slots=True)
class Added:
    """A value-added service that the car has taken: its name in the standard, or the one that its owner gave it.

    Of Internet the protocol and port it will use, of ParkingStatus what it will do by it: VehicleCheckIn or VehicleCheckOut; of a service
    of the owner's own the parameter set that was chosen, where one was.
    """

    service: str
    protocol: str = ""
    port: int | None = None
    intended: str = ""
    parameter_set: int | None = None
