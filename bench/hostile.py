"""What the largest frames of each kind cost a session for each octet, whole and cut short, with every engine."""

import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import suppress

from fuzz.siege.frames import KINDS, largest
from v2g.exi import engine
from v2g.exi.codec import DecodeError, encode
from v2g.exi.derive import least
from v2g.iso20 import frames
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    EVEnergyOfferType,
    EVPowerProfileEntryListType,
    EVPowerProfileType,
    PowerDeliveryReq,
    PowerScheduleEntryType,
    Scheduled_SEReqControlModeType,
    ScheduleExchangeReq,
)
from v2g.messages.common_types import RationalNumberType
from v2g.session.v2gtp import HEADER_LENGTH, PayloadType

ROUNDS = 5  # the best counts
TAIL = 40  # octets that a cut frame lacks
GOAL = 4.0  # a cut frame is at most so much dearer than the largest legal request whole, with the same engine


def _offer() -> bytes:
    """ScheduleExchangeReq with as many price rules as the schema admits."""
    number = RationalNumberType(Exponent=0, Value=-32768)
    offer = least(EVEnergyOfferType)
    rules = offer.EVAbsolutePriceSchedule.EVPriceRuleStacks
    stack = rules.EVPriceRuleStack[0]
    rule = stack.EVPriceRule[0]
    full = type(rule)(EnergyFee=number, PowerRangeStart=number)
    stacks = type(rules)(EVPriceRuleStack=(type(stack)(Duration=2**32 - 1, EVPriceRule=(full,) * 8),) * 1024)
    schedule = type(offer.EVAbsolutePriceSchedule)
    prices = {name: getattr(offer.EVAbsolutePriceSchedule, name) for name in schedule.__struct_fields__} | {"EVPriceRuleStacks": stacks}
    asked = least(Scheduled_SEReqControlModeType, EVEnergyOffer=least(EVEnergyOfferType, EVAbsolutePriceSchedule=schedule(**prices)))
    return encode(least(ScheduleExchangeReq, Scheduled_SEReqControlMode=asked), schema_set("common"))


def _profile() -> bytes:
    """PowerDeliveryReq with the longest profile."""
    number = RationalNumberType(Exponent=0, Value=-32768)
    entry = PowerScheduleEntryType(Duration=2**32 - 1, Power=number, Power_L2=number, Power_L3=number)
    listed = EVPowerProfileEntryListType(EVPowerProfileEntry=(entry,) * 2048)
    return encode(least(PowerDeliveryReq, EVPowerProfile=least(EVPowerProfileType, EVPowerProfileEntries=listed)), schema_set("common"))


def cases() -> Iterator[tuple[str, bytes]]:
    """(kind, octets): the largest legal requests, then the largest frames that no session takes."""
    yield "ScheduleExchangeReq, full", _offer()
    yield "PowerDeliveryReq, full", _profile()
    for kind in KINDS:
        yield kind, largest(kind)[HEADER_LENGTH:]


def _cost(octets: bytes, read: Callable[[bytes], object]) -> float:
    """Microseconds, the best of some rounds."""

    def once() -> None:
        with suppress(DecodeError):
            read(octets)

    once()
    return min(timeit.repeat(once, timer=time.thread_time, number=1, repeat=ROUNDS)) * 1e6


def run() -> None:
    """Print the table and the goal."""
    usual = engine.used()
    print(
        f"{'us per 1000 octets':28} {'octets':>8}"
        + "".join(f" {name + ', whole':>16} {'cut':>8} {'cut/whole':>10}" for name in engine.names())
    )
    most = dict.fromkeys(engine.names(), (0.0, 0.0))
    for kind, octets in cases():
        row = f"{kind:28} {len(octets):8}"
        for name in engine.names():
            engine.use(name)
            whole, cut = (_cost(each, lambda o: frames.read_bounded(PayloadType.COMMON, o)) for each in (octets, octets[:-TAIL]))
            row += f" {whole * 1e3 / len(octets):16.1f} {cut * 1e3 / len(octets):8.1f} {cut / whole:9.2f}x"
            most[name] = max(most[name][0], whole), max(most[name][1], cut)
        print(row)
    engine.use(usual)
    for name, (whole, cut) in most.items():
        told = f"dearest whole {whole / 1e3:.1f} ms, cut {cut / 1e3:.1f} ms, {cut / whole:.1f}x"
        print(f"{name}: {told}, goal {GOAL:g}x: {'held' if cut <= GOAL * whole else 'NOT HELD'}")
