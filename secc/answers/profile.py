"""The profile that a car announces to follow, against the schedule that it was offered."""

from dataclasses import replace

from energy.alignment import alignment
from energy.offer import Tuple
from energy.series import Series, Step
from energy.setpoint import held
from secc.context import Context
from v2g.messages.common_messages import EVPowerProfileType, Scheduled_EVPPTControlModeType, powerToleranceAcceptanceType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Relaxed
from v2g.session.errors import Refused
from v2g.session.profiles import PROFILE_ANCHOR_ZERO, PROFILE_MISSING
from v2g.session.rational import number

CLOCK_SLACK = 30.0  # s by which a profile may lag the schedule it follows, as a whole: clocks differ, and an answer takes its time
OUTSIDE = 2.0  # s in all that it may leave its schedule besides: durations are whole seconds
ROUNDING = 1.0  # W that four digits of a rational number may differ
Announced = tuple[Series, Tuple | None, Code, tuple[Relaxed, ...]]


def announced(sent: EVPowerProfileType | None, known: Context) -> Announced:
    """The car's profile (W, signed), the schedule that it follows, the response code, and what was put up with.

    Raises Refused for what was not offered.
    """
    if sent is None:
        return _missing(known)
    entries = sent.EVPowerProfileEntries.EVPowerProfileEntry
    if any(entry.Duration == 0 for entry in entries):
        raise Refused(Code.FAILED_EVPowerProfileInvalid, "an entry of EVPowerProfile lasts 0 s", "V2G20-1864")
    powers = (sum(number(p) for p in (entry.Power, entry.Power_L2, entry.Power_L3) if p is not None) for entry in entries)
    profile = Series(sent.TimeAnchor, tuple(Step(entry.Duration, power) for entry, power in zip(entries, powers, strict=True)))
    relaxed: tuple[Relaxed, ...] = ()
    if sent.TimeAnchor == 0 and known.outlet.puts_up_with(PROFILE_ANCHOR_ZERO):
        profile = replace(profile, start=float(int(known.wall)))
        relaxed = (Relaxed(known.now, PROFILE_ANCHOR_ZERO.name, PROFILE_ANCHOR_ZERO.requirement),)
    mode, control = sent.Scheduled_EVPPTControlMode, known.agreement.selected.control
    if (mode is not None) != (control == "Scheduled"):
        raise Refused(Code.FAILED_EVPowerProfileInvalid, f"EVPowerProfile is not of {control} control", "V2G20-1600")
    if mode is None:
        return profile, None, Code.OK, relaxed
    offered = known.offer.chosen(mode.SelectedScheduleTupleID) if known.offer is not None else None
    if offered is None:
        raise Refused(Code.FAILED_ScheduleSelectionInvalid, f"schedule tuple {mode.SelectedScheduleTupleID} was not offered", "V2G20-1058")
    _demand_held(profile, offered)
    return profile, offered, _tolerance(mode, offered, known), relaxed


def _missing(known: Context) -> Announced:
    """Where the outlet puts up with it, the schedule that was recommended is the profile of a car that sends none."""
    first = known.offer.tuples[0] if known.offer is not None and known.offer.tuples else None
    if first is None or not known.outlet.puts_up_with(PROFILE_MISSING):
        raise Refused(Code.FAILED_EVPowerProfileInvalid, "there is no EVPowerProfile", "V2G20-1864")
    chosen = first if known.agreement.selected.control == "Scheduled" else None
    return first.power, chosen, Code.OK, (Relaxed(known.now, PROFILE_MISSING.name, PROFILE_MISSING.requirement),)


def _demand_held(profile: Series, offered: Tuple) -> None:
    """Raises Refused unless one shift for the difference of two clocks puts the profile within its schedule [V2G20-1864]."""
    tolerance = max(offered.tolerance or 0.0, ROUNDING)
    shift, outside = alignment(profile, offered, tolerance, CLOCK_SLACK)
    if outside > OUTSIDE:
        worst = max(held(profile.shift(shift), offered, tolerance), key=lambda violation: violation.duration)
        raise Refused(Code.FAILED_EVPowerProfileInvalid, f"EVPowerProfile leaves its schedule for {outside:.0f} s: {worst}", "V2G20-1864")


def _tolerance(mode: Scheduled_EVPPTControlModeType, offered: Tuple, known: Context) -> Code:
    if offered.tolerance is None:
        return Code.OK
    if mode.PowerToleranceAcceptance is powerToleranceAcceptanceType.PowerToleranceConfirmed:
        return Code.OK_PowerToleranceConfirmed
    if known.outlet.tolerance_required:
        raise Refused(Code.FAILED_PowerToleranceNotConfirmed, f"the power tolerance of {offered.tolerance:g} W is a condition here", None)
    return Code.WARNING_PowerToleranceNotConfirmed
