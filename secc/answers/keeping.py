"""Whether a car keeps to what it may take and give. In AC it moves the power itself, so its own word is not enough."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from secc.answers.bounds import scheduled
from secc.context import Context
from secc.station import Limits, Objection
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused

WARNED = 5.0  # s beyond a bound until the car is warned: ramps take time
ENDED = 60.0  # s until it is refused
ENDED_BY_OUTLET = 10.0  # s beyond what the hardware is built for; a breaker trips some time after
ENDED_BY_LIMIT = 180.0  # s, Scheduled: a limit that falls below the schedule is a matter of a renegotiation, which may take its 60 s twice
SHARE, POWER = 0.05, 500.0  # of the bound, and W: below this it is metering and control error


@dataclass(frozen=True, slots=True)
class _Bound:
    """What may flow (W, magnitudes), whose bound it is, and how a car ends that stays beyond it."""

    whose: str
    charge: float
    discharge: float
    patience: float  # s
    code: Code = Code.FAILED
    requirement: str | None = None

    def holds(self, most: float, least: float) -> bool:
        """Whether powers from `least` to `most` (W, signed) are within, but for metering and control error."""
        return most <= self.charge * (1 + SHARE) + POWER and least >= -self.discharge * (1 + SHARE) - POWER

    def passed(self, most: float, least: float) -> str:
        """In words."""
        into = most - self.charge >= -least - self.discharge
        power, bound = (most, self.charge) if into else (least, -self.discharge)
        return f"{power:.0f} W flow where {self.whose} {bound:.0f} W"


def kept(stated: float, known: Context) -> tuple[Context, Objection | None, bool]:
    """Whether car and meter stay within every bound: first time to settle, then a warning, then Refused [V2G20-1864].

    The warning comes with what it is about, and with whether this is the first loop that warns of it.

    `stated` (W) is the car's word. What counts is the greater of it and what the outlet measures, in either direction.
    """
    most, least = max(stated, known.output.watts), min(stated, known.output.watts)
    before = dict(known.violating)
    beyond = [(bound, before.get(bound.whose, known.now)) for bound in _bounds(known) if not bound.holds(most, least)]
    ended = [bound for bound, since in beyond if known.now - since >= bound.patience]
    if ended:  # whatever the patience was lost over: where the profile is left as well, its code says more than FAILED
        said = next((bound for bound, _ in beyond if bound.code is not Code.FAILED), ended[0])
        raise Refused(said.code, said.passed(most, least), said.requirement)
    warned = [(bound, since) for bound, since in beyond if known.now - since >= WARNED]
    known = replace(known, violating=tuple((bound.whose, since) for bound, since in beyond))
    if not warned:
        return known, None, False
    why, requirement = "; ".join(bound.passed(most, least) for bound, _ in warned), warned[0][0].requirement
    first = any(known.looped is None or known.looped - since < WARNED for _, since in warned)
    return known, Objection(Code.WARNING_EVPowerProfileViolation, why, requirement), first


def _bounds(known: Context) -> Iterator[_Bound]:
    """Hardware, limits of the moment, and in Scheduled control the profile within its schedule. A profile that has ended is 0 W."""
    selection = known.agreement.selected
    led = selection.control == "Dynamic"
    yield _Bound("the outlet can", *_powers(known.outlet.limits, selection.bidirectional), ENDED_BY_OUTLET)
    yield _Bound("the limit is", *_powers(known.present_limits, selection.bidirectional), ENDED if led else ENDED_BY_LIMIT)
    if led:
        return
    planned = (known.profile.at(known.wall) if known.profile is not None else None) or 0.0
    charge, discharge = scheduled(known)
    tolerance = _tolerance(known)
    yield _Bound(
        "the profile says",
        min(max(planned, 0.0), charge + tolerance),
        min(max(-planned, 0.0), discharge + tolerance),
        ENDED,
        Code.FAILED_EVPowerProfileViolation,
        "V2G20-1864",
    )


def _powers(limits: Limits, bidirectional: bool) -> tuple[float, float]:
    return limits.charge_power, limits.discharge_power if bidirectional else 0.0


def _tolerance(known: Context) -> float:
    """W that a profile may leave its schedule by, as it was offered."""
    tuple_id = known.agreement.tuple_id
    chosen = known.offer.chosen(tuple_id) if known.offer is not None and tuple_id is not None else None
    return (chosen.tolerance or 0.0) if chosen is not None else 0.0
