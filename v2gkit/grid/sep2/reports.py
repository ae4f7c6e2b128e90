"""What a DER says of itself: its capability, how it is set, what it is at this moment, what its site draws. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from v2g.energy.signal import Kind
from v2gkit.grid.sep2 import words
from v2gkit.grid.sep2.events import SWITCHES, Control, live, spans_of
from v2gkit.grid.sep2.rating import Rating

MODES: Final = f"{0b11 | 1 << 2 | 1 << 3 | 1 << 7 | 1 << 20 | 1 << 22:08X}"  # charge, discharge, connect, energize, fixed, limit, target W
LIMITS_OF_AUS: Final = "0F"  # export, import, generation, load
DEVICE: Final = "02000000"  # deviceCategory, bit 25: electric vehicle supply equipment
OFF, OPERATIONAL, DRM0 = 1, 2, 100  # operationalModeStatus; from 100 on the demand response modes of AS/NZS 4755
IDLE: Final = 0.01  # of the rating: what draws and gives less stands still
NOTHING: Final = 0.001  # of the rating: an order of less is one for nothing
CONNECTED, AVAILABLE, OPERATING = 1, 2, 4  # bits of genConnectStatus


@dataclass(frozen=True, slots=True)
class Place:
    """Where a power is read: its name, its RoleFlagsType, and the number that its mRIDs end with."""

    name: str
    flags: str
    number: int


SITE: Final = Place("site", "0003", 1)  # a mirror, of the premises' connection
CHARGERS: Final = Place("chargers", "0049", 3)  # a mirror, of a DER, by a meter below the premises'


def capability_of(rating: Rating) -> list[words.Part]:
    """The DERCapability of a site with this rating, in W."""
    given, taken = _watts(rating.given), _watts(rating.taken)
    return [
        ("modesSupported", MODES), ("rtgMaxChargeRateW", taken), ("rtgMaxDischargeRateW", given), ("rtgMaxW", given), ("type", 82),
        ("csipaus:doeModesSupported", LIMITS_OF_AUS),
    ]  # fmt: skip


def settings_of(rating: Rating, gradient: int, at: int) -> list[words.Part]:
    """The DERSettings at a second of the server's clock; `gradient` is in hundredths of a per cent of the rating in a second."""
    given, taken = _watts(rating.given), _watts(rating.taken)
    return [
        ("modesEnabled", MODES), ("setGradW", gradient), ("setMaxChargeRateW", taken), ("setMaxDischargeRateW", given), ("setMaxW", given),
        ("updatedTime", at), ("csipaus:doeModesEnabled", LIMITS_OF_AUS),
    ]  # fmt: skip


def status_of(connected: int, mode: int, drm: bool, at: int) -> list[words.Part]:
    """The DERStatus at a second of the server's clock; one that answers in demand response modes says that it has no alarm."""
    alarms: list[words.Part] = [("alarmStatus", "00")] if drm else []
    return [
        *alarms,
        ("genConnectStatus", [("dateTime", at), ("value", f"{connected:02X}")]),
        ("operationalModeStatus", [("dateTime", at), ("value", mode)]),
        ("readingTime", at),
    ]


def state_of(controls: Iterable[Control], rating: Rating, power: float | None, now: float) -> tuple[int, int]:
    """genConnectStatus and operationalModeStatus by the controls that hold, and by what the chargers draw (W; None: nobody knows)."""
    cut = {mode.split()[0] for mode, (_, cap) in _holding(controls, now).items() if mode.split()[0] in SWITCHES and cap == 0}
    if cut:
        return (0 if "opModConnect" in cut else CONNECTED | AVAILABLE), OFF
    if power is not None and abs(power) < IDLE * max(rating.taken, rating.given):
        return CONNECTED | AVAILABLE, OFF
    return CONNECTED | AVAILABLE | OPERATING, OPERATIONAL


def drm_of(controls: Iterable[Control], rating: Rating, now: float) -> int | None:
    """The demand response mode that the controls which hold amount to, as operationalModeStatus; None without any.

    Cut off is DRM 0. Taking is bounded in 1 (nothing), 2 (half), 3 (three quarters), and more of it asked for in 4; giving in 5 to 8.
    """
    holding = _holding(controls, now)
    if any(mode.split()[0] == "opModConnect" and cap == 0 for mode, (_, cap) in holding.items()):
        return DRM0
    asked = holding.get("opModFixedW")
    if asked is None:
        return None
    share = asked[1] / (rating.taken if asked[1] > 0 else rating.given or 1.0)  # + is taken
    step = next((number for number, most in enumerate((NOTHING, 0.5, 0.75)) if abs(share) <= most), 3)
    return DRM0 + (1 if share > 0 else 5) + step


def reading_of(lfdi: str, place: Place, power: int, at: int) -> list[words.Part]:
    """The active power of a place (W) at a second of the server's clock, as a MirrorMeterReading."""
    kind: list[words.Part] = [
        ("commodity", 1), ("dataQualifier", 0), ("flowDirection", 1), ("kind", 37), ("phase", 0), ("powerOfTenMultiplier", 0), ("uom", 38),
    ]  # fmt: skip
    return [
        ("mRID", f"{lfdi[:30]}{place.number + 1:02}"),
        ("description", f"{place.name} active power"),
        ("Reading", [("timePeriod", [("duration", 1), ("start", at)]), ("value", power)]),
        ("ReadingType", kind),
    ]


def point_of(lfdi: str, place: Place, reading: list[words.Part]) -> list[words.Part]:
    """The MirrorUsagePoint of a place, with its first reading."""
    return [
        ("mRID", mirror_of(lfdi, place)), ("description", place.name), ("roleFlags", place.flags),
        ("serviceCategoryKind", 0), ("status", 1), ("deviceLFDI", lfdi), ("MirrorMeterReading", reading),
    ]  # fmt: skip


def mirror_of(lfdi: str, place: Place) -> str:
    """The mRID of the MirrorUsagePoint of a place."""
    return f"{lfdi[:30]}{place.number:02}"


def _holding(controls: Iterable[Control], now: float) -> dict[str, tuple[Kind, float]]:
    """What holds in each mode by an event that no other one goes before."""
    events = live(controls)
    return {
        mode: value
        for each in events
        for mode, value in each.modes.items()
        if (span := spans_of(each, mode, events)) is not None and span[0] <= now < span[1]
    }


def _watts(power: float) -> list[words.Part]:
    """An ActivePower, whose value has 16 bits, rounded down."""
    return [("multiplier", 0), ("value", int(power))] if power <= 32_767 else [("multiplier", 3), ("value", int(power // 1_000))]
