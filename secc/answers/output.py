"""The one place where a DC output is bounded: pre-charge, charge loop and renegotiation command nothing that has not been through here."""

from secc.answers.bounds import Bounds
from secc.context import Context
from secc.station import Limits, SetOutput

SAME = 0.05  # V, A; an output that moves less is not said again to the hardware
SAME_POWER = 1.0  # W, the same
PRE_CHARGE_CURRENT = 2.0  # A, the most that IEC 61851-23 lets flow while voltages are matched
LEAST_VOLTAGE = 1.0  # V below which a power says nothing about a current


def voltage_within(wanted: float, known: Context) -> float:
    """A voltage (V) that both ends can have: not above the lower maximum, not below the higher minimum. 0 or less: off."""
    if wanted <= 0:
        return 0.0
    ours, car = known.present_limits, known.car or Limits()
    highest = min(ours.voltage, car.voltage)
    return min(max(wanted, ours.voltage_minimum, car.voltage_minimum), highest)


def matching(voltage: float, known: Context) -> SetOutput:
    """The output while voltages are matched: a few amperes that fill the capacitors on the way, whichever direction power will take."""
    ours, car, target = known.present_limits, known.car or Limits(), voltage_within(voltage, known)
    both = (max(limits.charge_current, limits.discharge_current) for limits in (ours, car))
    current = min(PRE_CHARGE_CURRENT, *both) if target > 0 else 0.0
    return SetOutput(known.now, target, current, target * current)


def output(voltage: float, current: float, allowed: Bounds, known: Context, present: float = 0.0) -> tuple[SetOutput, frozenset[str]]:
    """The output within every limit of outlet, car and schedule, and what it was kept from: "voltage", "current", "power".

    `voltage` (V) and `current` (A, negative discharges) are what is wanted, `present` (V) is what is there: the power that is allowed
    becomes a current by it. As the voltage may be another by the time it flows, the command carries the power (W) too. Where the car
    wants less voltage than can be, no current flows: it would be driven by a voltage that the car has not asked for.
    """
    ours, car, reached = known.present_limits, known.car or Limits(), set()
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
    if target > voltage + SAME:
        by_power = 0.0
    power = charge if by_power > 0 else -discharge if by_power < 0 else 0.0
    return SetOutput(known.now, target, by_power, power), frozenset(reached)


def moved(before: SetOutput | None, wanted: SetOutput) -> bool:
    """Whether the hardware must be told."""
    if before is None:
        return True
    apart = max(abs(before.voltage - wanted.voltage), abs(before.current - wanted.current))
    return apart >= SAME or abs(before.power - wanted.power) >= SAME_POWER
