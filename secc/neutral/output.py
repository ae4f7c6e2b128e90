"""The one place where a DC output is limited: every command of pre-charge, charge loop and renegotiation is made here."""

from secc.neutral.bounds import Bounds
from secc.neutral.context import Context
from secc.station import Limits, SetOutput

SAME = 0.05  # V, A; an output that moves less is not said again to the hardware
SAME_POWER = 1.0  # W, the same
PRE_CHARGE_CURRENT = 2.0  # A, the most that IEC 61851-23 lets flow while voltages are matched
LEAST_VOLTAGE = 1.0  # V below which a power says nothing about a current


def voltage_within(wanted: float, known: Context) -> float:
    """The wanted voltage (V), cut to what both ends can have: the lower maximum, the higher minimum. 0 or less stays 0: off."""
    if wanted <= 0:
        return 0.0
    ours, car = known.present_limits, known.service.car or Limits()
    highest = min(ours.voltage, car.voltage)
    return min(max(wanted, ours.voltage_minimum, car.voltage_minimum), highest)


def pre_charge_output(voltage: float, known: Context) -> SetOutput:
    """The output command for pre-charge: a voltage (V) within both ranges, and a few amperes to fill capacitors."""
    ours, car, target = known.present_limits, known.service.car or Limits(), voltage_within(voltage, known)
    both = (max(limits.charge_current, limits.discharge_current) for limits in (ours, car))
    current = min(PRE_CHARGE_CURRENT, *both) if target > 0 else 0.0
    return SetOutput(known.now, target, current, target * current)


def output(voltage: float, current: float, allowed: Bounds, known: Context, present: float = 0.0) -> tuple[SetOutput, frozenset[str]]:
    """The output command within every limit of outlet, car and schedule, and which limits cut it: "voltage", "current", "power".

    `voltage` (V) and `current` (A, negative discharges) are what is wanted, `present` (V) is what is there: the power that is allowed
    becomes a current by it. As the voltage may be another by the time it flows, the command carries the power (W) too. Where the car
    wants less voltage than can be, no current flows: it would be driven by a voltage that the car has not asked for.
    """
    ours, car, reached = known.present_limits, known.service.car or Limits(), set()
    target = voltage_within(voltage, known)
    if abs(target - max(voltage, 0.0)) >= SAME:
        reached.add("voltage")
    both_ways = known.agreement.selected.bidirectional
    give = min(ours.discharge_current, car.discharge_current) if both_ways else 0.0
    by_current = min(max(current, -give), ours.charge_current, car.charge_current)
    if by_current != current:
        reached.add("current")
    charge = max(min(allowed.charge, car.charge_power), 0.0)
    discharge = max(min(allowed.discharge, car.discharge_power), 0.0) if both_ways else 0.0
    across = max(present, min(target, ours.voltage_minimum), LEAST_VOLTAGE)
    by_power = min(max(by_current, -discharge / across), charge / across)
    if by_power != by_current:
        reached.add("power")
    if target > voltage + SAME or target <= 0:
        by_power = 0.0
    power = charge if by_power > 0 else -discharge if by_power < 0 else 0.0
    return SetOutput(known.now, target, by_power, power), frozenset(reached)


def cut(before: SetOutput, known: Context, now: float) -> SetOutput:
    """The output command `before`, said anew at `now` (session time, s) within the outlet's limits of this moment."""
    ours = known.present_limits
    power = min(max(before.power, -ours.discharge_power), ours.charge_power)
    current = min(max(before.current, -ours.discharge_current), ours.charge_current)
    if power == before.power and current == before.current and before.voltage <= ours.voltage:
        return before
    if power != before.power:
        most = abs(power) / max(known.station.output.voltage, min(before.voltage, ours.voltage_minimum), LEAST_VOLTAGE)
        current = min(max(current, -most), most)
    return SetOutput(now, min(before.voltage, ours.voltage), current, power)


def differs(before: SetOutput | None, wanted: SetOutput) -> bool:
    """Whether an output command differs from the one before so much that the hardware must be told."""
    if before is None or before is wanted:
        return before is None
    apart = max(abs(before.voltage - wanted.voltage), abs(before.current - wanted.current))
    return apart >= SAME or abs(before.power - wanted.power) >= SAME_POWER
