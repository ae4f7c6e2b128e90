"""The words that a session speaks with its station: hardware, backend and scheduler.

A session decides nothing that takes time. It says what it wants (a `Want`), answers the car "Ongoing" while it waits, and is told what
became true (a `Fact`). Both are frozen values, so a whole session can be replayed from a list of them.

Units are SI: V, A, W, Wh, seconds; power and current are positive into the EV and negative out of it; times are epoch seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Literal, Protocol

from energy.needs import Needs
from energy.offer import Offer
from energy.series import Series
from v2g.messages.common_types import responseCodeType as responseCodeType  # a word of this vocabulary too
from v2g.session.endpoint import Ended, Event

Authorization = Literal["EIM", "PnC"]
Control = Literal["Scheduled", "Dynamic"]
Service = Literal["AC", "AC_BPT", "DC", "DC_BPT"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one EVSE can do now. Powers are magnitudes in W, currents in A, voltages in V."""

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
        """These limits where they lie inside `bounds`, else the bounds: the lower of two maxima, the higher of two minima."""
        kept = {name: max if name.endswith("_minimum") else min for name in _BOUNDED}
        return replace(self, **{name: choose(getattr(self, name), getattr(bounds, name)) for name, choose in kept.items()})


_BOUNDED = tuple(f.name for f in fields(Limits) if not f.name.startswith("nominal") and f.name != "phases")


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

    @property
    def charged(self) -> int:
        """Wh into the EV in this session, as the car is shown it."""
        return max(0, int(self.imported - self.imported_before))

    @property
    def discharged(self) -> int:
        """Wh out of the EV in this session, as the car is shown it."""
        return max(0, int(self.exported - self.exported_before))


# --- wants: what a session asks of its station ---


class Want(Event):
    """Something that the station must do or decide; every one carries `at`, the session's time."""


@dataclass(frozen=True, slots=True)
class SessionStarted(Want):
    """SessionSetup is done."""

    session_id: bytes
    evccid: str
    resumed: bool = False


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


@dataclass(frozen=True, slots=True)
class ServiceSelected(Want):
    """The car has chosen what to do."""

    service: Service
    control: Control
    mobility_needs: Literal["EVCC", "SECC"] = "EVCC"


@dataclass(frozen=True, slots=True)
class NeedsChanged(Want):
    """The car's needs: a schedule is wanted, answer with `ScheduleReady`. `first` is False when power flows already."""

    needs: Needs
    first: bool


@dataclass(frozen=True, slots=True)
class CheckIsolation(Want):
    """DC: measure isolation at this voltage (V); answer with `IsolationMeasured`."""

    voltage: float


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
    """AC: the power that the EV may or, in Dynamic control, shall take (W, negative discharges)."""

    power: float


@dataclass(frozen=True, slots=True)
class LockConnector(Want):
    """Lock the connector before the outlet becomes live; answer with `ConnectorLock`. It is unlocked when the session is over."""


@dataclass(frozen=True, slots=True)
class CloseContactor(Want):
    """Answer with `ContactorIs(True)`."""


@dataclass(frozen=True, slots=True)
class OpenContactor(Want):
    """Make the outlet safe, first of all; answer with `ContactorIs(False)`."""


@dataclass(frozen=True, slots=True)
class ScheduleChosen(Want):
    """The car will follow this profile (W); `tuple_id` names the offered tuple, None in Dynamic control."""

    profile: Series
    tuple_id: int | None = None
    tolerance_confirmed: bool | None = None


@dataclass(frozen=True, slots=True)
class PowerStarted(Want):
    """PowerDelivery(Start) was answered OK: energy flows from here."""


@dataclass(frozen=True, slots=True)
class PowerStopped(Want):
    """PowerDelivery(Stop) was answered, or the session ended under power."""


@dataclass(frozen=True, slots=True)
class EVReported(Want):
    """What the car told in the charge loop: present power at the EV (W), SOC (%), energies still requested (Wh), as in `Needs`."""

    power: float | None = None
    soc: float | None = None
    energy_target: float | None = None
    energy_maximum: float | None = None
    energy_minimum: float | None = None
    v2x_maximum: float | None = None
    v2x_minimum: float | None = None


@dataclass(frozen=True, slots=True)
class MeteringConfirmed(Want):
    """The car signed a meter reading; `exi` is the fragment that it signed."""

    exi: bytes
    valid: bool


@dataclass(frozen=True, slots=True)
class CertificateInstallationWanted(Want):
    """The car asks for its contract; `exi` is the request as it came. Answer with `CertificateReady` or `CertificateRefused`."""

    exi: bytes
    maximum_chains: int
    prioritized_emaids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a request is answered with a WARNING: `reason` in words, and the requirement that the car broke, where one is known."""

    code: responseCodeType
    reason: str
    requirement: str | None


@dataclass(frozen=True, slots=True)
class Objected(Want):
    """A request was answered with a WARNING: nothing is to be done, but whoever looks at the session is to know why."""

    request: str  # name of the message
    objection: Objection


# --- facts: what a station tells its session ---


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that became true."""


@dataclass(frozen=True, slots=True)
class Authorized(Fact):
    """The backend lets the car charge. `energy_transfer` limits the services to offer; empty means all that the EVSE has."""

    expires_soon: bool = False
    energy_transfer: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationRefused(Fact):
    """The backend refuses; `code` is the WARNING_* that the car is answered. The car may try again [V2G20-2230].

    `reason` says why in words, `requirement` which requirement the car broke, if any: for the trace, the log and the CSMS.
    """

    code: responseCodeType = responseCodeType.WARNING_GeneralPnCAuthorizationError
    reason: str = "the backend refuses and does not say why"
    requirement: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleReady(Fact):
    """The offer for the car. In Dynamic control only its prices and departure reach the car; the power comes by `SetpointChanged`.

    Told without `NeedsChanged`, while a Scheduled car follows another, it waits for the renegotiation that the car is then asked for. That
    exchange asks for no other, unless the car wishes something else by then.
    """

    offer: Offer


@dataclass(frozen=True, slots=True)
class SetpointChanged(Fact):
    """Dynamic control: the power that is wanted from now on (W); None leaves it to the car within the limits."""

    power: float | None


@dataclass(frozen=True, slots=True)
class LimitsChanged(Fact):
    """What the EVSE can do has changed."""

    limits: Limits


@dataclass(frozen=True, slots=True)
class IsolationMeasured(Fact):
    """The result of the isolation test."""

    sound: bool


@dataclass(frozen=True, slots=True)
class OutputMeasured(Fact):
    """Present output: V, A (negative discharges). `power` (W) where it is not their product, as on three phases."""

    voltage: float
    current: float
    power: float | None = None

    @property
    def watts(self) -> float:
        """Present power (W, negative discharges)."""
        return self.voltage * self.current if self.power is None else self.power


@dataclass(frozen=True, slots=True)
class ContactorIs(Fact):
    """The state of the contactor, not its change."""

    closed: bool


@dataclass(frozen=True, slots=True)
class ConnectorLock(Fact):
    """The state of the connector lock. An outlet that is live and not locked is switched off at once, and the session ends."""

    locked: bool


@dataclass(frozen=True, slots=True)
class EmergencyStop(Fact):
    """Someone hit the button, or the hardware's own supervision did: power off at once, the session ends, nothing is waited for."""

    reason: str


@dataclass(frozen=True, slots=True)
class OutOfService(Fact):
    """The outlet cannot serve, and why; an empty reason takes it back. A car that introduces itself meanwhile is refused."""

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
    """A fresh meter reading."""

    reading: MeterReading


@dataclass(frozen=True, slots=True)
class StopAsked(Fact):
    """End the session: by EVSENotification under power, at the next request elsewhere. It stands until the session is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class PauseAsked(Fact):
    """Ask the car to pause."""


@dataclass(frozen=True, slots=True)
class RenegotiationAsked(Fact):
    """Ask the car to renegotiate its schedule or its service."""

    what: Literal["Schedule", "Service"] = "Schedule"


@dataclass(frozen=True, slots=True)
class MeteringConfirmationAsked(Fact):
    """Ask the car to sign the meter reading [V2G20-1083]."""


@dataclass(frozen=True, slots=True)
class CertificateReady(Fact):
    """The backend's answer to CertificateInstallationReq: the whole response as EXI, and how many contracts remain."""

    exi: bytes
    remaining: int = 0


@dataclass(frozen=True, slots=True)
class CertificateRefused(Fact):
    """The backend has no contract for this car; `reason` says why in words."""

    code: responseCodeType = responseCodeType.WARNING_NoContractMatchingPCIDFound
    reason: str = "the backend has no contract for this car and does not say why"
    requirement: str | None = None


# --- who decides ---

Tell = Callable[[Fact], None]


class Backend(Protocol):
    """Who decides for one outlet: authorization, schedules, setpoints, stops. It hears everything and tells when it has decided.

    Nothing here waits: `heard` returns at once, an answer comes by `tell`, sooner or later, from the same event loop. The built-in one is
    `secc.backend.LocalBackend`; a bridge to a CSMS is another.
    """

    def began(self, tell: Tell) -> None:
        """A session has its first car; `tell` speaks to it until `ended`."""

    def heard(self, event: Event | Fact) -> None:
        """Every want of the session and every fact of the hardware, in order."""

    def ended(self, ended: Ended) -> None:
        """The session is over and the outlet safe."""
