"""A simulated outlet with believable physics: a contactor that takes its time, an isolation test, an output that ramps, a meter that signs.

State is a function of time: it moves on whenever it is looked at, by the wall clock it is given, which may run faster than the protocol.
Contactor, isolation test and the ramp of the voltage take real seconds, because the standard's timers do; the ramp of the current and the
energy are counted in wall seconds, or a schedule that runs a thousand times as fast would only ever see ramps.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from secc.evse import EVSE
from secc.ocmf import signed
from secc.station import (
    Alignment,
    Arrival,
    EVReported,
    Limits,
    MeterReading,
    OutputMeasured,
    Paired,
    ParkingPlace,
    Position,
    ServiceSelected,
)
from v2g.services import SERVICES
from v2g.session.endpoint import Ended
from v2g.session.service import Plug

DC_LIMITS = Limits(
    charge_power=60_000,
    discharge_power=60_000,
    charge_current=150,
    discharge_current=150,
    voltage=920,
    voltage_minimum=150,
)
AC_LIMITS = Limits(charge_power=22_080, discharge_power=22_080, charge_current=96, discharge_current=96, phases=3)
ACDP_LIMITS = Limits(
    charge_power=600_000,
    discharge_power=300_000,
    charge_current=750,
    discharge_current=400,
    voltage=1_000,
    voltage_minimum=150,
)
MCS_LIMITS = Limits(
    charge_power=3_750_000,
    discharge_power=3_750_000,
    charge_current=3_000,
    discharge_current=3_000,
    voltage=1_250,
    voltage_minimum=150,
)
WPT_LIMITS = Limits(  # currents are those of the coil on the ground
    charge_power=11_000,
    charge_power_minimum=500,
    discharge_power=0,
    charge_current=75,
    charge_current_minimum=2,
    discharge_current=0,
    phases=1,
)
LIMITS: dict[Plug, Limits] = {"ac": AC_LIMITS, "dc": DC_LIMITS, "mcs": MCS_LIMITS, "acdp": ACDP_LIMITS, "wpt": WPT_LIMITS}
SECONDS_PER_HOUR = 3600.0
LEAST_COUPLING = 0.5  # of two coils that are aligned
QUICKEST = 0.01  # s between two readings of the output: a night of ten seconds has minutes in each of them
COIL_RESISTANCE = 1.0  # Ohm that a coil in the check looks like


@dataclass(frozen=True, slots=True)
class Physics:
    """How the simulated hardware behaves, in real seconds; the ramp of the current in wall seconds."""

    contactor: float = 0.15  # s to close or open
    parking: float = 0.3  # s until a vehicle that has selected ACDP or WPT stands in the place of the device
    lane: int = 300  # what a vehicle travels to its place, as it counts that itself (VehicleTravel)
    space: int = 1  # the number of that place (ParkingSpace)
    device: float = 0.5  # s for that to come down, or to go home
    isolation: float = 0.5  # s to measure
    pairing: float = 0.3  # s to find out whether the vehicle is the one of the session (WPT)
    alignment: float = 0.5  # s to check the coils
    coupling: float = 0.9  # of them: the share of a power that arrives; below 0.5 they are not aligned
    paired: bool = True  # the vehicle over the ground device is the one of the session
    volts_per_second: float = 2_000.0
    amperes_per_second: float = 400.0
    sound: bool = True  # isolation
    stuck: bool = False  # the contactor does not move


@dataclass
class Meter:
    """Counts import and export, and signs what it shows: ECDSA over P-256 and SHA-256, r and s of 32 octets each.

    The signature is over the ASCII octets of `text`: id, Wh into the car, Wh out of it (of this session, whole), epoch seconds.
    """

    meter_id: str = "V2GKIT-SIM-1"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)
    imported: float = 0.0  # Wh, registers
    exported: float = 0.0
    imported_before: float = 0.0  # at the start of the session
    exported_before: float = 0.0
    records: int = 0  # that it has signed for billing

    def count(self, power: float, seconds: float) -> None:
        """Count a power (W, signed) that flowed for `seconds` (wall time, s)."""
        energy = power * seconds / SECONDS_PER_HOUR
        if energy > 0:
            self.imported += energy
        else:
            self.exported -= energy

    def begin(self) -> None:
        """Begin a session: its energies count from the present registers."""
        self.imported_before, self.exported_before = self.imported, self.exported

    def read(self, wall: float) -> MeterReading:
        """A reading of the present registers at `wall` (epoch s), signed by the meter."""
        plain = MeterReading(
            self.meter_id,
            self.imported,
            self.exported,
            wall,
            imported_before=self.imported_before,
            exported_before=self.exported_before,
        )
        self.records += 1
        return replace(plain, signature=self._signed(plain), signed=signed(plain, self.key, self.records))

    def _signed(self, reading: MeterReading) -> bytes:
        r, s = decode_dss_signature(self.key.sign(text(reading), ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    @property
    def public_key(self) -> bytes:
        """The meter's public key (PEM), by which readings can be verified."""
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def text(reading: MeterReading) -> bytes:
    """The octets that the simulated meter signs."""
    return f"{reading.meter_id}|{reading.charged}|{reading.discharged}|{int(reading.at)}".encode()


class SimulatedEVSE(EVSE):
    """A simulated outlet. `now` gives monotonic seconds, `wall` epoch seconds (`scale` times as fast), `sleep` waits real seconds."""

    def __init__(
        self,
        now: Callable[[], float],
        wall: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        *,
        evse_id: str = "DE*V2G*E1",
        limits: Limits = DC_LIMITS,
        physics: Physics | None = None,
        meter: Meter | None = None,
        scale: float = 1.0,
    ):
        super().__init__()
        self.output_period = max(EVSE.output_period / max(scale, 1.0), QUICKEST)
        self.evse_id = evse_id
        self.meter = meter or Meter()
        self.closed = False
        self.device_down = False  # ACDP
        self._parked: float | None = None  # real s at which the vehicle stands under the device; None: it has not chosen to
        self._wireless = False
        self.authorized: bool | None = None
        self._now, self._wall, self._sleep = now, wall, sleep
        self._limits, self._physics = limits, physics or Physics()
        self._wanted = (0.0, 0.0)  # V, A
        self._bound: float | None = None  # W that voltage times current does not pass, a magnitude
        self._present = (0.0, 0.0)
        self._power: float | None = None  # W, AC: what the car is told and, as far as an outlet knows, takes
        self._loaded = False  # a car takes what is there: with its own contactors open no current flows
        self._looked = (now(), wall())

    async def limits(self) -> Limits:
        return self._limits

    async def authorize(self, evccid: str) -> bool | None:
        return self.authorized

    async def check_isolation(self, voltage: float) -> bool:
        await self._switch(True)
        await self.set_output(voltage, 0.0)
        await self._sleep(self._physics.isolation)
        await self.set_output(0.0, 0.0)
        await self._sleep(self._present[0] / self._physics.volts_per_second)  # else a car takes a falling voltage for its pre-charge
        return self._physics.sound and self.closed

    async def set_output(self, voltage: float, current: float, power: float | None = None) -> None:
        self._move()
        self._wanted, self._bound = (min(max(voltage, 0.0), self._limits.voltage), current), None if power is None else abs(power)
        self._loaded = self._loaded and voltage > 0

    async def set_power(self, power: float) -> None:
        self._move()
        self._power = power

    async def service_selected(self, selected: ServiceSelected) -> None:
        self._wireless = SERVICES[selected.service].wireless  # then the power is the ground device's, whatever the vehicle says of it
        self._parked = self._now() + self._physics.parking

    async def read_position(self) -> Position:
        if self._parked is None:
            return Position()
        left = max(self._parked - self._now(), 0.0) / (self._physics.parking or 1.0)
        return Position(round(50 * left), round(10 * left), 10, 10, reachable=left == 0)

    async def read_place(self, arrival: Arrival) -> ParkingPlace:
        """A vehicle that does not count its way is believed; one that does stands there when it has come all of it."""
        left = 0 if arrival.travel is None else self._physics.lane - arrival.travel
        return ParkingPlace(self._physics.space, None, max(min(left, 32_767), -32_768), left == 0 and arrival.status == "Completed")

    async def connect_device(self) -> bool:
        await self._sleep(self._physics.device)
        self.device_down = True
        return True

    async def disconnect_device(self) -> bool:
        if self.device_down:
            await self._sleep(self._physics.device)
        self.device_down = False
        return True

    async def pair(self, observed: int | None) -> Paired:
        await self._sleep(self._physics.pairing)
        return Paired(True) if self._physics.paired else Paired(False, reason="another vehicle stands here")

    async def check_alignment(self, current: float) -> Alignment:
        """A weak field, of which more or less arrives."""
        await self._switch(True)
        await self._sleep(self._physics.alignment)
        await self._switch(False)
        if self.closed:
            return Alignment(False, reason="the field does not go off after the check")
        power, coupling = COIL_RESISTANCE * current**2, self._physics.coupling
        why = "" if coupling >= LEAST_COUPLING else f"{coupling:.0%} of the power arrive, of {LEAST_COUPLING:.0%} that must"
        return Alignment(not why, round(power * coupling, 3), current, why)

    async def car_reported(self, report: EVReported) -> None:
        if self._power is not None and report.power is not None and not self._wireless:
            self._move()
            self._power = report.power  # a real meter sees what the car really takes

    async def close_contactor(self) -> bool:
        await self._switch(True)
        self._move()
        self._loaded = True  # the car closes its own contactors once power is on
        return self.closed

    async def open_contactor(self) -> bool:
        self._move()
        self._wanted, self._power, self._loaded = (0.0, 0.0), None, False
        await self._switch(False)
        return not self.closed

    async def _switch(self, closed: bool) -> None:
        if self.closed is not closed and not self._physics.stuck:
            await self._sleep(self._physics.contactor)
            self._move()
            self.closed = closed

    async def read_output(self) -> OutputMeasured:
        self._move()
        voltage, current = self._present
        if self._power is not None:
            return OutputMeasured(self._limits.nominal_voltage, 0.0, self._power if self.closed else 0.0)
        return OutputMeasured(voltage, current if self.closed and self._loaded else 0.0)

    async def read_meter(self) -> MeterReading:
        self._move()
        return self.meter.read(self._wall())

    async def session_began(self, evccid: str) -> None:
        self._move()
        self.meter.begin()

    async def session_ended(self, ended: Ended) -> None:
        self._wanted, self._power, self._loaded = (0.0, 0.0), None, False

    def _move(self) -> None:
        """Let what time has passed pass."""
        now, wall = self._now(), self._wall()
        before, self._looked = self._looked, (now, wall)
        real, counted = max(0.0, now - before[0]), max(0.0, wall - before[1])
        was = self._flowing()
        voltage = _towards(self._present[0], self._wanted[0], self._physics.volts_per_second * real)
        current = _towards(self._present[1], self._wanted[1], self._physics.amperes_per_second * counted)
        if self._bound is not None and voltage > 0:
            current = min(max(current, -self._bound / voltage), self._bound / voltage)
        self._present = (voltage, current)
        self.meter.count((was + self._flowing()) / 2, counted)  # the ramp is a straight line

    def _flowing(self) -> float:
        """Power through the meter (W)."""
        if not (self.closed and self._loaded):
            return 0.0
        return self._power if self._power is not None else self._present[0] * self._present[1]


def _towards(value: float, target: float, step: float) -> float:
    return min(value + step, target) if value < target else max(value - step, target)
