"""The power profile that a car announces to follow (EVPowerProfile), checked against the schedule it was offered."""

from dataclasses import replace

from secc.neutral.context import Context
from secc.neutral.profile import demand_held
from v2g.energy.offer import Tuple
from v2g.energy.series import Series, Step
from v2g.iso20.rational import number
from v2g.messages.common_messages import EVPowerProfileType, Scheduled_EVPPTControlModeType, powerToleranceAcceptanceType
from v2g.reasons import Reason
from v2g.session.endpoint import Relaxed
from v2g.session.errors import Refused
from v2g.session.profiles import PROFILE_ANCHOR_ZERO, PROFILE_MISSING

Announced = tuple[Series, Tuple | None, bool | None, tuple[Relaxed, ...]]


def announced(sent: EVPowerProfileType | None, known: Context) -> Announced:
    """The car's profile (W, signed), the schedule that it follows, whether its tolerance is confirmed, and what was put up with.

    Where the schedule has no tolerance there is nothing to confirm: None.
    Raises Refused for what was not offered.
    """
    if sent is None:
        return _missing(known)
    entries = sent.EVPowerProfileEntries.EVPowerProfileEntry
    if any(entry.Duration == 0 for entry in entries):
        raise Refused(Reason.WRONG_PROFILE, "an entry of EVPowerProfile lasts 0 s", "V2G20-1864")
    powers = (sum(number(p) for p in (entry.Power, entry.Power_L2, entry.Power_L3) if p is not None) for entry in entries)
    profile = Series(sent.TimeAnchor, tuple(Step(entry.Duration, power) for entry, power in zip(entries, powers, strict=True)))
    relaxed: tuple[Relaxed, ...] = ()
    if sent.TimeAnchor == 0 and (relaxed := known.outlet.let_pass(PROFILE_ANCHOR_ZERO, known.now)):
        profile = replace(profile, start=float(int(known.wall)))
    mode, control = sent.Scheduled_EVPPTControlMode, known.agreement.selected.control
    if (mode is not None) != (control == "Scheduled"):
        raise Refused(Reason.WRONG_PROFILE, f"EVPowerProfile is not of {control} control", "V2G20-1600")
    if mode is None:
        return profile, None, None, relaxed
    offered = known.service.exchange.offer.chosen(mode.SelectedScheduleTupleID) if known.service.exchange.offer is not None else None
    if offered is None:
        raise Refused(Reason.WRONG_SCHEDULE, f"schedule tuple {mode.SelectedScheduleTupleID} was not offered", "V2G20-1058")
    demand_held(profile, offered, "EVPowerProfile", "V2G20-1864")
    return profile, offered, _tolerance(mode, offered, known), relaxed


def _missing(known: Context) -> Announced:
    """Where the outlet puts up with it, the schedule that was recommended is the profile of a car that sends none."""
    first = (
        known.service.exchange.offer.tuples[0] if known.service.exchange.offer is not None and known.service.exchange.offer.tuples else None
    )
    relaxed = known.outlet.let_pass(PROFILE_MISSING, known.now)
    if first is None or not relaxed:
        raise Refused(Reason.WRONG_PROFILE, "there is no EVPowerProfile", "V2G20-1864")
    chosen = first if known.agreement.selected.control == "Scheduled" else None
    return first.power, chosen, None, relaxed


def _tolerance(mode: Scheduled_EVPPTControlModeType, offered: Tuple, known: Context) -> bool | None:
    if offered.tolerance is None:
        return None
    if mode.PowerToleranceAcceptance is powerToleranceAcceptanceType.PowerToleranceConfirmed:
        return True
    if known.outlet.tolerance_required:
        raise Refused(Reason.NO_TOLERANCE, f"the power tolerance of {offered.tolerance:g} W is a condition here", None)
    return False
