"""The EVPowerProfile that a car announces, and its choice in Dynamic control."""

import math
from collections.abc import Sequence

from evcc.choice import Choice, choose
from evcc.ev import EV, Inlet
from evcc.goal import Goal
from evcc.offers import Offered
from v2g.energy.series import Series
from v2g.iso20.rational import inward, number
from v2g.messages.common_messages import (
    Dynamic_EVPPTControlModeType,
    EVPowerProfileEntryListType,
    EVPowerProfileType,
    PowerScheduleEntryType,
    Scheduled_EVPPTControlModeType,
    powerToleranceAcceptanceType,
)

MOST_ENTRIES = 2048  # of an EVPowerProfile


def scheduled_choice(offers: Sequence[Offered], ev: EV, goal: Goal, inlet: Inlet, wall: float, points: int, wear: float = 0.0) -> Choice:
    """The choice in Scheduled control, in at most `points` entries; see `evcc.choice.choose`."""
    return choose(offers, ev, goal, inlet, wall, min(points, MOST_ENTRIES), _stated, wear)


def _stated(power: float) -> float:
    """A power as the wire can state it: what the car follows is what it has promised, not what it has rounded."""
    return number(inward(round(power, 1) if abs(power) < 1.0 else power))


def dynamic_choice(ev: EV, goal: Goal, inlet: Inlet, wall: float, bidirectional: bool = False) -> Choice:
    """The choice in Dynamic control, where the station decides: a profile of the most that the car would take until it leaves."""
    emptiest = min(ev.energy, ev.at_soc(goal.minimum_soc)) if bidirectional else ev.energy  # emptier, a battery takes more
    power = min(inlet.charge_power, ev.battery.ceiling(emptiest))
    return Choice(Series.constant(math.floor(wall), max(1, goal.remaining(wall)), _stated(power)))


def power_profile(choice: Choice) -> EVPowerProfileType:
    """The EVPowerProfile of a choice, for PowerDeliveryReq. Powers are rounded towards zero."""
    scheduled = None
    if choice.tuple_id is not None:
        accepted = powerToleranceAcceptanceType.PowerToleranceConfirmed if choice.confirm else None
        scheduled = Scheduled_EVPPTControlModeType(SelectedScheduleTupleID=choice.tuple_id, PowerToleranceAcceptance=accepted)
    entries = tuple(PowerScheduleEntryType(Duration=round(step.duration), Power=inward(step.value)) for step in choice.powers.steps)
    return EVPowerProfileType(
        TimeAnchor=int(choice.powers.start),
        Dynamic_EVPPTControlMode=None if scheduled else Dynamic_EVPPTControlModeType(),
        Scheduled_EVPPTControlMode=scheduled,
        EVPowerProfileEntries=EVPowerProfileEntryListType(EVPowerProfileEntry=entries),
    )
