"""The measurands of OCPP 2.1 that a station can know, one row each, and the meterValue that is made of them (pure).

Powers and currents of OCPP are magnitudes for each direction; import is into the EV. Of a setpoint it is told what was delivered: cut to
the limits that the car heard. Truths are 0 and 1. What is not known is left out.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp
from secc.station import EVReported, Limits, MeterReading
from v2g.energy.needs import Needs

PHASES: Final = ("L1", "L2", "L3")
IMPORT, EXPORT = "Energy.Active.Import.Register", "Energy.Active.Export.Register"


@dataclass(frozen=True, slots=True)
class Sample:
    """The measurements, reports and offers at an outlet at one time, as far as they are known."""

    reading: MeterReading | None = None
    power: float | None = None  # W at the outlet, + into the EV
    voltage: float | None = None  # V
    report: EVReported | None = None
    setpoint: float | None = None  # W, + into the EV, as it was told to the car
    current: float | None = None  # A, + into the EV, direct current
    phases: tuple[float, ...] = ()  # W on each phase, where that is measured
    limits: Limits | None = None  # offered to the car now
    direct: bool = False  # they are those of direct current
    gives_back: bool = False  # the car may discharge by the service that it has
    needs: Needs | None = None
    setpoint_energy: float | None = None  # Wh, signed, that the setpoints have asked for since the transaction began

    @property
    def delivered(self) -> float | None:
        """The setpoint (W) within the limits that the car heard; None: it follows none."""
        if self.setpoint is None or self.limits is None:
            return self.setpoint
        return min(max(self.setpoint, 0.0 - self.limits.discharge_power), self.limits.charge_power)

    @property
    def counters(self) -> dict[str, float | None]:
        """What only ever counts on (Wh), by the measurand of an interval that is its difference."""
        reading = self.reading
        return {
            "Energy.Active.Import.Interval": None if reading is None else reading.imported,
            "Energy.Active.Export.Interval": None if reading is None else reading.exported,
            "Energy.Active.Setpoint.Interval": self.setpoint_energy,
        }


def _of(value: float | None, sign: int) -> float | None:
    return None if value is None else max(sign * value, 0.0)


def _residual(sample: Sample) -> float | None:
    """What flows beyond the setpoint, in its direction (W)."""
    wish, power = sample.delivered, sample.power
    if wish is None or power is None:
        return None
    return power - wish if wish >= 0 else wish - power


def _said(name: str) -> Callable[[Sample], float | None]:
    return lambda sample: getattr(sample.report, name) if sample.report is not None else None


def _shown(name: str, meant: str = "") -> Callable[[Sample], float | None]:
    """What the car displays, or by its needs means (`meant`)."""

    def value(sample: Sample) -> float | None:
        display = sample.report.display if sample.report is not None else None
        shown = getattr(display, name) if display is not None else None
        if shown is None and meant and sample.needs is not None:
            shown = getattr(sample.needs, meant)
        return None if shown is None else float(shown)

    return value


def _offered(name: str, *, direct: bool = False, back: bool = False) -> Callable[[Sample], float | None]:
    """A limit that the car was told; currents and voltages of direct current alone, discharging where it may."""
    return lambda s: None if s.limits is None or (direct and not s.direct) or (back and not s.gives_back) else getattr(s.limits, name)


def _register(name: str) -> Callable[[Sample], float | None]:
    return lambda sample: None if sample.reading is None else getattr(sample.reading, name)


def _on_phases(place: int) -> Callable[[Sample], tuple[float | None, ...]]:
    """The register of each phase: 0 those of import, 1 those of export."""
    return lambda sample: () if sample.reading is None else tuple(each[place] for each in sample.reading.phases)


def _no_phases(sample: Sample) -> tuple[float | None, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Measurand:
    """How a measurand is computed from a sample, for each phase too where that is known; its unit and location."""

    value: Callable[[Sample], float | None]
    unit: str = "W"
    location: str = "Outlet"
    phases: Callable[[Sample], tuple[float | None, ...]] = _no_phases


def _net(sample: Sample) -> float | None:
    return None if sample.reading is None else sample.reading.imported - sample.reading.exported


def _interval(sample: Sample) -> float | None:
    return None  # by `Marks`


TABLE: Final[Mapping[str, Measurand]] = {
    IMPORT: Measurand(_register("imported"), "Wh", phases=_on_phases(0)),
    EXPORT: Measurand(_register("exported"), "Wh", phases=_on_phases(1)),
    "Energy.Active.Net": Measurand(_net, "Wh"),
    "Energy.Active.Import.Interval": Measurand(_interval, "Wh"),
    "Energy.Active.Export.Interval": Measurand(_interval, "Wh"),
    "Energy.Active.Setpoint.Interval": Measurand(_interval, "Wh"),
    "Power.Active.Import": Measurand(lambda s: _of(s.power, 1), phases=lambda s: tuple(_of(each, 1) for each in s.phases)),
    "Power.Active.Export": Measurand(lambda s: _of(s.power, -1), phases=lambda s: tuple(_of(each, -1) for each in s.phases)),
    "Power.Active.Setpoint": Measurand(lambda s: s.delivered),
    "Power.Active.Residual": Measurand(_residual),
    "Power.Reactive.Import": Measurand(lambda s: _of(_said("reactive")(s), 1), "var", "EV"),
    "Power.Reactive.Export": Measurand(lambda s: _of(_said("reactive")(s), -1), "var", "EV"),
    "Power.Offered": Measurand(_offered("charge_power")),
    "Power.Import.Offered": Measurand(_offered("charge_power")),
    "Power.Import.Minimum": Measurand(_offered("charge_power_minimum")),
    "Power.Export.Offered": Measurand(_offered("discharge_power", back=True)),
    "Power.Export.Minimum": Measurand(_offered("discharge_power_minimum", back=True)),
    "Current.Import": Measurand(lambda s: _of(s.current, 1), "A"),
    "Current.Export": Measurand(lambda s: _of(s.current, -1), "A"),
    "Current.Offered": Measurand(_offered("charge_current", direct=True), "A"),
    "Current.Import.Offered": Measurand(_offered("charge_current", direct=True), "A"),
    "Current.Import.Minimum": Measurand(_offered("charge_current_minimum", direct=True), "A"),
    "Current.Export.Offered": Measurand(_offered("discharge_current", direct=True, back=True), "A"),
    "Current.Export.Minimum": Measurand(_offered("discharge_current_minimum", direct=True, back=True), "A"),
    "Voltage": Measurand(lambda s: s.voltage, "V"),
    "Voltage.Minimum": Measurand(_offered("voltage_minimum", direct=True), "V"),
    "Voltage.Maximum": Measurand(_offered("voltage", direct=True), "V"),
    "SoC": Measurand(_said("soc"), "Percent", "EV"),
    "EnergyRequest.Target": Measurand(_said("energy_target"), "Wh", "EV"),
    "EnergyRequest.Minimum": Measurand(_said("energy_minimum"), "Wh", "EV"),
    "EnergyRequest.Maximum": Measurand(_said("energy_maximum"), "Wh", "EV"),
    "EnergyRequest.Minimum.V2X": Measurand(_said("v2x_minimum"), "Wh", "EV"),
    "EnergyRequest.Maximum.V2X": Measurand(_said("v2x_maximum"), "Wh", "EV"),
    "Display.PresentSOC": Measurand(_said("soc"), "Percent", "EV"),
    "Display.MinimumSOC": Measurand(_shown("minimum_soc", "minimum_soc"), "Percent", "EV"),
    "Display.TargetSOC": Measurand(_shown("target_soc", "target_soc"), "Percent", "EV"),
    "Display.MaximumSOC": Measurand(_shown("maximum_soc"), "Percent", "EV"),
    "Display.RemainingTimeToMinimumSOC": Measurand(_shown("to_minimum"), "s", "EV"),
    "Display.RemainingTimeToTargetSOC": Measurand(_shown("to_target"), "s", "EV"),
    "Display.RemainingTimeToMaximumSOC": Measurand(_shown("to_maximum"), "s", "EV"),
    "Display.ChargingComplete": Measurand(_shown("complete"), "", "EV"),
    "Display.BatteryEnergyCapacity": Measurand(_shown("capacity", "capacity"), "Wh", "EV"),
    "Display.InletHot": Measurand(_shown("inlet_hot"), "", "EV"),
}
NAMES: Final = tuple(TABLE)
STANDARD: Final = (IMPORT, EXPORT, "Power.Active.Import", "Power.Active.Export", "SoC")  # what is told where nobody has said otherwise


@dataclass(slots=True)
class ByClock:
    """What the clock wants of a station, and the main meter of its site."""

    main: Sample | None = None  # what the main meter shows (power in W, + from the grid), as the embedder tells; None: there is none
    due: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(("Interval", "TxEndedInterval", "UpstreamInterval")))
    """By variable of AlignedDataCtrlr: when it next wants values, epoch s."""


@dataclass(slots=True)
class Marks:
    """What the counters showed when an interval was told last, of one kind of samples."""

    shown: dict[str, float] = field(default_factory=dict)

    def since(self, sample: Sample, names: Iterable[str]) -> dict[str, float]:
        """The energies (Wh) of these measurands since they were told last, from now on counted anew; none for the first time."""
        told: dict[str, float] = {}
        for name, value in sample.counters.items():
            if value is None or name not in names:
                continue
            if name in self.shown:
                told[name] = value - self.shown[name]
            self.shown[name] = value
        return told


def sampled(sample: Sample, names: Iterable[str], context: str, intervals: Mapping[str, float], *, per_phase: bool = True) -> list[Payload]:
    """The sampledValues of the named measurands, as far as they are known; `per_phase`: registers of each phase too."""
    values: list[Payload] = []
    for name in names:
        row = TABLE[name]
        total = intervals.get(name, row.value(sample))
        said: list[tuple[str, float | None]] = [("", total)]
        if per_phase or name not in (IMPORT, EXPORT):
            said += zip(PHASES, row.phases(sample), strict=False)
        for phase, value in said:
            if value is None or not math.isfinite(value):
                continue
            one: Payload = {"value": rounded(value), "measurand": name, "context": context, "location": row.location}
            one |= ({"phase": phase} if phase else {}) | ({"unitOfMeasure": {"unit": row.unit}} if row.unit else {})
            values.append(one)
    return values


def meter_value(values: list[Payload], wall: float) -> list[Payload]:
    """The meterValue of sampledValues at `wall` (epoch s); empty if there is none."""
    return [{"timestamp": timestamp(wall), "sampledValue": values}] if values else []


def rounded(value: float) -> float:
    """A quantity rounded to a thousandth for a message, finer than any meter; never -0.0, and a whole number is written as one."""
    made = round(value, 3) + 0.0
    return int(made) if made.is_integer() else made  # 80.0 is no integer to a validator of an older draft


@dataclass(slots=True)
class Tally:
    """Counts the energy that setpoints have asked for: a power holds until the next one is noted."""

    power: float = 0.0  # W, signed
    since: float | None = None  # epoch s
    counted: float = 0.0  # Wh, signed

    def note(self, power: float, wall: float) -> None:
        """Take a power (W) that is asked for from `wall` (epoch s) on."""
        self.counted, self.power, self.since = self.energy(wall), power, wall

    def energy(self, wall: float) -> float:
        """The energy (Wh, signed) until `wall` (epoch s)."""
        return self.counted + (0.0 if self.since is None else self.power * max(wall - self.since, 0.0) / 3600.0)


@dataclass(slots=True)
class Metering:
    """What is known of the samples of a transaction at an EVSE, and of the key of its meter."""

    marks: dict[str, Marks] = field(default_factory=dict)  # by kind of samples: what the counters showed when they were told last
    setpoints: Tally = field(default_factory=Tally)
    for_end: list[Payload] = field(default_factory=list)  # meterValues that wait for its end
    end_due: float | None = None  # epoch s by the clock of the CSMS, when the next of them is taken
    sampled_as: str = ""  # the operationMode by whose interval it is sampled
    key_told: bool = False  # the CSMS was told the public key
    meter_key: bytes = b""  # DER, by which the readings of the meter are proven
