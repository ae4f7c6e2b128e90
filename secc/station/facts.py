"""Facts: what a station tells its session."""

from dataclasses import dataclass
from typing import Literal

from secc.station.values import Alignment, CostParts, Device, Limits, MeterReading, Paired, ParkingPlace, Position, Service
from v2g.energy.der import NO_SHARES, GridControl, Shares
from v2g.energy.offer import Offer
from v2g.reasons import Reason
from v2g.session.wireless import Condition


@dataclass(frozen=True, slots=True)
class Fact:
    """Base: something that became true at the station, told to the session."""


@dataclass(frozen=True, slots=True)
class Authorized(Fact):
    """The backend lets the car charge. `energy_transfer` limits the services to offer; empty means all that the EVSE has.

    `about` is the number of the question (`AuthorizationWanted.number`), so that a late verdict counts for no other claim. Without it the
    verdict answers the oldest open question; where there is none, it is a card that was shown before the car asked (EIM).
    """

    expires_soon: bool = False
    energy_transfer: tuple[Service, ...] = ()
    about: int | None = None


@dataclass(frozen=True, slots=True)
class ServicesAllowed(Fact):
    """The backend has changed its mind on what the car may choose: these services from the next ServiceDiscovery on, empty for all.

    It asks the car for nothing: a session under power goes on until `RenegotiationAsked("Service")` brings it back to the services.
    """

    energy_transfer: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationRefused(Fact):
    """The backend refuses the car, which is answered by `kind` and may try again [V2G20-2230]. Without contract every kind is CARD_REFUSED.

    `reason` says why in words, `requirement` which requirement the car broke, if any: for the trace, the log and the CSMS.
    """

    kind: Reason = Reason.CONTRACT_REFUSED
    reason: str = "the backend refuses and does not say why"
    requirement: str | None = None
    about: int | None = None  # as in `Authorized`


@dataclass(frozen=True, slots=True)
class ScheduleReady(Fact):
    """The offer of schedules. In Dynamic control only its prices and departure reach the car; the power comes by `SetpointChanged`.

    Told without `NeedsChanged`, while a Scheduled car follows another offer, it waits: the car is asked to renegotiate, and is then offered
    this, unless its needs have changed by then.
    """

    offer: Offer


@dataclass(frozen=True, slots=True)
class SetpointChanged(Fact):
    """Dynamic control: the power (W, negative discharges) that is wanted from now on; None leaves it to the car within the limits.

    `reactive` is what an AC car shall take besides (var, + inductive); None: nothing is said of it.
    """

    power: float | None
    reactive: float | None = None


@dataclass(frozen=True, slots=True)
class MobilityNeedsSet(Fact):
    """When the car is to leave (epoch s) and how full (%), for cars that leave it to the station (MobilityNeedsMode 2).

    None leaves it to the car. Such a car hears it with its schedule, and with every charge loop after it changed.
    """

    departure: float | None = None
    minimum_soc: float | None = None
    target_soc: float | None = None

    def __post_init__(self) -> None:
        low, high = self.minimum_soc, self.target_soc
        if not 0 <= (low or 0.0) <= (100.0 if high is None else high) <= 100:
            raise ValueError(f"minimum_soc is {low}, target_soc is {high}; give 0 to 100 %, the minimum not above the target")


@dataclass(frozen=True, slots=True)
class GridControlChanged(Fact):
    """What the grid asks of a car that feeds it (AC_DER): curves, conditions and set-points, all of them at a time.

    Told before the parameters are exchanged the car hears all of it then. Under power set-points reach it with the next loop; other
    settings do so too where its amendment can say them there, else the car is asked for another service negotiation. `shares` are of the
    most that the car can give back, by its own word in this session.
    """

    control: GridControl
    shares: Shares = NO_SHARES


@dataclass(frozen=True, slots=True)
class LimitsChanged(Fact):
    """The limits of the outlet have changed."""

    limits: Limits


@dataclass(frozen=True, slots=True)
class IsolationMeasured(Fact):
    """The result of the isolation test."""

    sound: bool


@dataclass(frozen=True, slots=True)
class OutputMeasured(Fact):
    """The present output: V, A (negative discharges). `power` (W) where it is not their product, as on three phases.

    `phases` (W) is what flows on each, where that is measured: a car that loads one beyond its share is warned, then refused.
    """

    voltage: float
    current: float
    power: float | None = None
    phases: tuple[float, ...] = ()

    @property
    def watts(self) -> float:
        """The present power (W, negative discharges)."""
        return self.voltage * self.current if self.power is None else self.power


@dataclass(frozen=True, slots=True)
class ContactorIs(Fact):
    """The present state of the contactor, whether it has changed or not."""

    closed: bool


@dataclass(frozen=True, slots=True)
class PositionIs(Fact):
    """ACDP, WPT: where the vehicle stands. If a ground device cannot reach it any more while the outlet is live, the contactor opens."""

    position: Position


@dataclass(frozen=True, slots=True)
class PairingIs(Fact):
    """WPT: the answer to `PairVehicle`, whose code was `about`; one for another code counts no more."""

    found: Paired
    about: int | None = None


@dataclass(frozen=True, slots=True)
class AssociationLost(Fact):
    """WPT: the vehicle over the ground device is no longer the one of this session. While the outlet is live, the contactor opens."""

    reason: str


@dataclass(frozen=True, slots=True)
class AlignmentIs(Fact):
    """WPT: the answer to `CheckAlignment`, and whenever it changes. If the coils are not aligned while the outlet is live, it opens."""

    found: Alignment


@dataclass(frozen=True, slots=True)
class GroundDeviceIs(Fact):
    """WPT: the condition of the ground device. While it is not NoIssue no power is commanded; an anomaly opens the contactor, and so does a
    foreign object, a living one or a heat that stays for a minute, or over which power flows on."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class DeviceIs(Fact):
    """ACDP: where the device is. If it leaves its end position while the outlet is live, the contactor opens."""

    device: Device


@dataclass(frozen=True, slots=True)
class PlaceIs(Fact):
    """ParkingStatus: the place of a vehicle that checks in. It gets no power before it is seen there, and none once it is seen to leave."""

    place: ParkingPlace


@dataclass(frozen=True, slots=True)
class CheckedOut(Fact):
    """ParkingStatus: nothing of the station holds the vehicle any more, it may drive off."""


@dataclass(frozen=True, slots=True)
class ConnectorLock(Fact):
    """The state of the connector lock. An outlet that is live and not locked is switched off at once, and the session ends."""

    locked: bool


@dataclass(frozen=True, slots=True)
class EmergencyStop(Fact):
    """Someone hit the emergency button, or the hardware's own supervision acted: power goes off at once, the session ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class OutOfService(Fact):
    """The reason why the outlet serves nobody, empty: it serves again. A car that introduces itself meanwhile is refused."""

    reason: str


@dataclass(frozen=True, slots=True)
class OutletTaken(Fact):
    """Whether another session has the outlet; while it does, this one is refused when it introduces itself."""

    by_another: bool


@dataclass(frozen=True, slots=True)
class PilotIs(Fact):
    """The state of the control pilot (IEC 61851-1): A no car, B connected, C and D ready for energy, E and F fault."""

    state: Literal["A", "B", "C", "D", "E", "F"]


@dataclass(frozen=True, slots=True)
class MeterRead(Fact):
    """The meter was read: its present registers."""

    reading: MeterReading


@dataclass(frozen=True, slots=True)
class CostTold(Fact):
    """The backend says what the session has cost so far: `total` in its currency, taxes included, counted from `since` (epoch s).

    The receipt of the car says this instead of what its prices make of its energy.
    """

    total: float
    since: float
    parts: CostParts | None = None  # None: nobody has said them


@dataclass(frozen=True, slots=True)
class ChangeDelayed(Fact):
    """What default hours or prices change at `at` (epoch s) comes `seconds` later, by a draw of its own: start, increase, decrease."""

    at: float
    seconds: int
    why: str


@dataclass(frozen=True, slots=True)
class DefaultsOverridden(Fact):
    """Somebody lets this car charge in peak hours, and without random delays; or no more."""

    overridden: bool


@dataclass(frozen=True, slots=True)
class StopAsked(Fact):
    """The session shall end: the car is asked by EVSENotification under power, elsewhere refused at its next request. Never taken back."""

    reason: str


@dataclass(frozen=True, slots=True)
class PauseAsked(Fact):
    """The car shall be asked to pause."""


@dataclass(frozen=True, slots=True)
class ExitStandbyAsked(Fact):
    """Ask a car that stands by to take power again. One that has not done so after 70 s is switched off, and its session ends."""


@dataclass(frozen=True, slots=True)
class RenegotiationAsked(Fact):
    """The car shall be asked to renegotiate its schedule or its service."""

    what: Literal["Schedule", "Service"] = "Schedule"


@dataclass(frozen=True, slots=True)
class MeteringConfirmationAsked(Fact):
    """The car shall be asked to sign the meter reading [V2G20-1083]."""


@dataclass(frozen=True, slots=True)
class CertificateReady(Fact):
    """The backend's answer to CertificateInstallationReq: the whole response as EXI, and how many contracts remain."""

    exi: bytes
    remaining: int = 0
    about: int | None = None  # number of the question; None: the oldest that is open


@dataclass(frozen=True, slots=True)
class CertificateRefused(Fact):
    """The backend has no contract for this car, which is answered by `kind`; `reason` says why in words."""

    kind: Reason = Reason.NO_CONTRACT
    reason: str = "the backend has no contract for this car and does not say why"
    requirement: str | None = None
    about: int | None = None  # number of the question; None: the oldest that is open
