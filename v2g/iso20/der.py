"""What is told of a car's inverter as bits: functions that a grid may ask for, and alarms.

DERControlFunctions holds the functions of `v2g.energy.der` from bit 0; DERAlarmStatus the alarms of IEEE 2030.5, of which
GridEventCondition is read as the first eight.
"""

from collections.abc import Iterable

from v2g.energy.der import ALARMS, FUNCTIONS, Alarm

EIGHT = ALARMS[:8]  # that fit into GridEventCondition


def bits(alarms: tuple[Alarm, ...], known: tuple[Alarm, ...] = ALARMS) -> int:
    """Alarms as bits; those beyond `known` cannot be told."""
    return sum(1 << known.index(alarm) for alarm in alarms if alarm in known)


def alarms(said: int) -> tuple[Alarm, ...]:
    """The alarms of such bits; bits that have no name are left out."""
    return tuple(alarm for bit, alarm in enumerate(ALARMS) if said >> bit & 1)


def functions(names: Iterable[str]) -> int:
    """DERControlFunctions: what may be asked for, by the names of `GridControl`, as bits."""
    return sum(1 << FUNCTIONS.index(name) for name in set(names))


def named(bits: int) -> frozenset[str]:
    """The functions of such bits; a bit that has no name is named by its number."""
    return frozenset(FUNCTIONS[bit] if bit < len(FUNCTIONS) else f"bit {bit}" for bit in range(bits.bit_length()) if bits >> bit & 1)
