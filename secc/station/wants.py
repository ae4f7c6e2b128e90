"""Wants: what a session asks of its station. Every one carries `at`, the session's time."""

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal

from secc.station.values import (
    Added,
    Arrival,
    Authorization,
    Control,
    Departure,
    Display,
    Limits,
    Objection,
    PhasePowers,
    Service,
    Vehicle,
)
from v2g.energy.der import Alarm, InverterRating
from v2g.energy.needs import Needs
from v2g.energy.series import Series
from v2g.energy.tariff import Bill
from v2g.session.endpoint import Event


class Want(Event):
    """Base: something that the station must do, decide or know. `at` is the session time (s)."""


@dataclass(frozen=True, slots=True)
class SessionStarted(Want):
    """A car has introduced itself: SessionSetup is done."""

    session_id: bytes
    evccid: str
    resumed: bool = False
    vehicle: Vehicle = field(default_factory=Vehicle)


@dataclass(frozen=True, slots=True)
class AuthorizationWanted(Want):
    """May this car charge? Answer with `Authorized` or `AuthorizationRefused`.

    With PnC the session has verified signature, challenge and, as far as its trust anchors reach, the contract chain; `emaid` and `chain`
    (DER, leaf first, without root) are what a backend needs to decide. With EIM both are empty and the backend knows whom it waits for.
    """

    authorization: Authorization
    evccid: str
    emaid: str = ""
    chain: tuple[bytes, ...] = ()
    number: int | None = None  # of the question: the verdict returns it as `about`


@dataclass(frozen=True, slots=True)
class ServiceSelected(Want):
    """The car has selected an energy service with its control mode, and value-added services; or has come back to the one of its pause."""

    service: Service
    control: Control
    mobility_needs: Literal["EVCC", "SECC"] = "EVCC"
    added: tuple[Added, ...] = ()


@dataclass(frozen=True, slots=True)
class NeedsChanged(Want):
    """The car stated its needs: a schedule is wanted, answer with `ScheduleReady`. `first` is False when power flows already.

    `car` is what the car can take by its own word, of which the powers within `needs` are those that the outlet can give; `phases` says it
    phase by phase, `inverter` of one that feeds the grid under its codes.
    """

    needs: Needs
    first: bool
    car: Limits | None = None
    phases: PhasePowers = field(default_factory=PhasePowers)
    inverter: InverterRating | None = None


@dataclass(frozen=True, slots=True)
class CheckIsolation(Want):
    """DC: measure isolation at this voltage (V); answer with `IsolationMeasured`."""

    voltage: float


@dataclass(frozen=True, slots=True)
class ConnectDevice(Want):
    """ACDP: bring the device down to the vehicle; answer with `DeviceIs`. The outlet is dead."""


@dataclass(frozen=True, slots=True)
class DisconnectDevice(Want):
    """ACDP: bring the device home; answer with `DeviceIs`. The contactor is open."""


@dataclass(frozen=True, slots=True)
class PairVehicle(Want):
    """WPT: find out whether the vehicle over the ground device is this session's; answer with `PairingIs`, `about` this code.

    `observed` is the code that the vehicle has observed, where it has one. Wanted again if the vehicle observes one later.
    """

    observed: int | None = None


@dataclass(frozen=True, slots=True)
class CheckAlignment(Want):
    """WPT: excite the coil with this current (A), as weakly as the check needs, and switch it off again; answer with `AlignmentIs`."""

    current: float


@dataclass(frozen=True, slots=True)
class CheckInReported(Want):
    """ParkingStatus: what a vehicle that comes to its place says, where it is new; answer with `PlaceIs`, as often as that changes."""

    arrival: Arrival


@dataclass(frozen=True, slots=True)
class CheckOutReported(Want):
    """ParkingStatus: the vehicle wants to leave; answer with `CheckedOut` once it may. The outlet is dead, an ACDP's device at home."""

    departure: Departure


@dataclass(frozen=True, slots=True)
class SetOutput(Want):
    """DC: bring the output to this voltage (V) and current (A, negative discharges); report `OutputMeasured` as it changes.

    `power` (W, signed like the current) is what voltage times current must not pass, whatever the voltage turns out to be.
    """

    voltage: float
    current: float
    power: float = 0.0


@dataclass(frozen=True, slots=True)
class SetPower(Want):
    """AC: the power that the EV may or, in Dynamic control, shall take (W, negative discharges). WPT: what the ground device gives."""

    power: float


@dataclass(frozen=True, slots=True)
class LockConnector(Want):
    """Lock the connector before the outlet becomes live; answer with `ConnectorLock`. It is unlocked when the session is over."""


@dataclass(frozen=True, slots=True)
class CloseContactor(Want):
    """Close the contactor, and answer with `ContactorIs(True)`."""


@dataclass(frozen=True, slots=True)
class OpenContactor(Want):
    """Make the outlet safe before anything else; answer with `ContactorIs(False)`."""


@dataclass(frozen=True, slots=True)
class ScheduleChosen(Want):
    """The car will follow this profile (W); `tuple_id` names the offered tuple, None in Dynamic control.

    The prices (per kWh, in `currency`, ISO 4217) are those by which the session is billed from now on: what the car was shown. None: there
    is no account here.
    """

    profile: Series
    tuple_id: int | None = None
    tolerance_confirmed: bool | None = None
    import_prices: Series | None = None
    export_prices: Series | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class PowerStarted(Want):
    """PowerDelivery(Start) was answered OK: energy flows from here."""


@dataclass(frozen=True, slots=True)
class StoodBy(Want):
    """The car stands by: it takes nothing until `PowerStarted`, or until the session ends. `ExitStandbyAsked` asks it back."""


@dataclass(frozen=True, slots=True)
class PowerStopped(Want):
    """PowerDelivery(Stop) was answered, or the session ended under power."""


@dataclass(frozen=True, slots=True)
class EVReported(Want):
    """What the car stated in the charge loop: present power at the EV (W), SOC (%), energies still requested (Wh), as in `Needs`."""

    power: float | None = None
    soc: float | None = None
    energy_target: float | None = None
    energy_maximum: float | None = None
    energy_minimum: float | None = None
    v2x_maximum: float | None = None
    v2x_minimum: float | None = None
    reactive: float | None = None  # var, AC; plus absorbs
    display: Display | None = None  # what it shows its driver, where it says any of it

    @property
    def needs(self) -> dict[str, float]:
        """What it tells of the car's needs, by the fields of `Needs`; what it leaves out is not in it."""
        return {name: value for name, value in zip(_TOLD, _read(self), strict=True) if value is not None}


_TOLD = ("energy_target", "energy_maximum", "energy_minimum", "v2x_maximum", "v2x_minimum", "soc")
_read = attrgetter(*_TOLD)


@dataclass(frozen=True, slots=True)
class GridReported(Want):
    """What the inverter of a car that feeds the grid told, where it is not what it told before: the alarms that stand, what it measures.

    An alarm that is in no report any more has ended.
    """

    alarms: tuple[Alarm, ...]
    connected: bool = True  # False: it has disconnected from the grid by itself
    voltage: float | None = None  # V, phase to neutral, as the car measures
    frequency: float | None = None  # Hz


@dataclass(frozen=True, slots=True)
class MeteringConfirmed(Want):
    """The car signed a meter reading; `exi` is the fragment that it signed."""

    exi: bytes
    valid: bool


@dataclass(frozen=True, slots=True)
class Billed(Want):
    """The session is over: the bill, at the prices that the car was shown. Money in millionths of the currency, energies in Wh.

    After a pause the bill goes on: each one is from the beginning of the charge.
    """

    bill: Bill
    currency: str
    imported: float
    exported: float


@dataclass(frozen=True, slots=True)
class CertificateInstallationWanted(Want):
    """The car asks for its contract; `exi` is the request as it came. Answer with `CertificateReady` or `CertificateRefused`."""

    exi: bytes
    namespace: str  # of the schema that the request is a message of
    maximum_chains: int | None  # None: the request asks for one, and cannot ask for more
    prioritized_emaids: tuple[str, ...] = ()
    number: int | None = None  # of the question: the answer returns it as `about`
    update: bool = False  # of a contract that the car has, and signs with


@dataclass(frozen=True, slots=True)
class Objected(Want):
    """A request was refused while the session goes on. Nothing is to be done; it is for traces, logs and the CSMS."""

    request: str  # name of the message
    code: str  # what the car was answered, a response code of its generation
    objection: Objection


@dataclass(frozen=True, slots=True)
class TurnedAway(Want):
    """A car was refused before it had the outlet. The backend has no session of it; it is for logs and the CSMS.

    `how` is "handshake failed", "no room" (for its connection), "not discovered" (its SDP request had no answer), "no outlet" (at a shared
    listener), or how its session ended.
    """

    how: str
    reason: str
    requirement: str | None = None
