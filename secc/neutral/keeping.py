"""Checks whether a car keeps within the powers it may take and give. In AC it controls the power itself, so its own word is not enough."""

from collections.abc import Iterator
from typing import NamedTuple

from secc.neutral.bounds import POWER, SHARE, feed_limit, schedule_limits
from secc.neutral.context import Context
from secc.station import Limits, Objection
from v2g.reasons import Reason
from v2g.session.errors import Refused

WARNED = 5.0  # s beyond a bound until the car is warned: ramps take time
ENDED = 60.0  # s until it is refused
ENDED_BY_OUTLET = 10.0  # s beyond what the hardware is built for; a breaker trips some time after
ENDED_BY_LIMIT = 180.0  # s, Scheduled: a limit that falls below the schedule is a matter of a renegotiation, which may take its 60 s twice


class _Bound(NamedTuple):
    """What may flow (W, magnitudes), whose bound it is, and how a car ends that stays beyond it."""

    whose: str
    charge: float
    discharge: float
    patience: float  # s
    kind: Reason = Reason.OTHER
    requirement: str | None = None

    def holds(self, most: float, least: float) -> bool:
        """Whether powers from `least` to `most` (W, signed) are within, but for metering and control error."""
        return most <= self.charge * (1 + SHARE) + POWER and least >= -self.discharge * (1 + SHARE) - POWER

    def passed(self, most: float, least: float) -> str:
        """How powers from `least` to `most` (W) exceed the bound, in words."""
        into = most - self.charge >= -least - self.discharge
        power, bound = (most, self.charge) if into else (least, -self.discharge)
        return f"{power:.0f} W flow where {self.whose} {bound:.0f} W"


def kept(stated: float, known: Context, each: tuple[float, ...] = ()) -> tuple[Context, Objection | None, bool]:
    """Check the power of the car against every bound: an excess has time to settle, then a warning, then Refused [V2G20-1864].

    Returns the context after the check, the warning (None: there is none), and whether this loop is the first with that warning. `stated`
    (W) is the car's own word, `each` what it says of its phases one by one; the greater of it and what the outlet measures counts, in
    either direction.
    """
    most, least = max(stated, known.station.output.watts), min(stated, known.station.output.watts)
    before = dict(known.service.violating)
    flows = [(bound, most, least) for bound in _bounds(known)]
    if phases := (*each, *known.station.output.phases):
        flows.append((_phase_bound(known), max(phases), min(phases)))
    beyond = [(bound, before.get(bound.whose, known.now), bound.passed(*flow)) for bound, *flow in flows if not bound.holds(*flow)]
    ended = [(bound, why) for bound, since, why in beyond if known.now - since >= bound.patience]
    if ended:  # whatever the patience was lost over: where the profile is left as well, its reason says more
        said, why = next(((bound, why) for bound, _, why in beyond if bound.kind is not Reason.OTHER), ended[0])
        raise Refused(said.kind, why, said.requirement)
    warned = [(bound, since, why) for bound, since, why in beyond if known.now - since >= WARNED]
    known = known.with_service(violating=tuple((bound.whose, since) for bound, since, _ in beyond))
    if not warned:
        return known, None, False
    why, requirement = "; ".join(why for _, _, why in warned), warned[0][0].requirement
    first = any(known.service.looped is None or known.service.looped - since < WARNED for _, since, _ in warned)
    return known, Objection(Reason.PROFILE_LEFT, why, requirement), first


def _phase_bound(known: Context) -> _Bound:
    """What one phase of the hardware is built for: a total within its limit may still be too much for the phase that it comes by."""
    ours = known.outlet.limits
    charge, discharge = _powers(ours, known.agreement.selected.bidirectional)
    return _Bound("a phase of the outlet can", charge / ours.phases, discharge / ours.phases, ENDED_BY_OUTLET)


def _bounds(known: Context) -> Iterator[_Bound]:
    """Hardware, limits of the moment, and in Scheduled control the profile within its schedule. A profile that has ended is 0 W."""
    selection = known.agreement.selected
    led = selection.control == "Dynamic"
    if known.standing:
        yield _Bound("the standby allows", 0.0, 0.0, ENDED)
        return
    yield _Bound("the outlet can", *_powers(known.outlet.limits, selection.bidirectional), ENDED_BY_OUTLET)
    yield _Bound("the limit is", *_powers(known.present_limits, selection.bidirectional), ENDED if led else ENDED_BY_LIMIT)
    if (allowed := feed_limit(known)) < known.present_limits.discharge_power:
        yield _Bound("the grid lets flow back", known.present_limits.charge_power, allowed, ENDED)
    if led:
        return
    planned = (known.service.profile.at(known.wall) if known.service.profile is not None else None) or 0.0
    charge, discharge = schedule_limits(known)
    tolerance = _tolerance(known)
    yield _Bound(
        "the profile says",
        min(max(planned, 0.0), charge + tolerance),
        min(max(-planned, 0.0), discharge + tolerance),
        ENDED,
        Reason.PROFILE_LEFT,
        "V2G20-1864",
    )


def _powers(limits: Limits, bidirectional: bool) -> tuple[float, float]:
    return limits.charge_power, limits.discharge_power if bidirectional else 0.0


def _tolerance(known: Context) -> float:
    """W that a profile may leave its schedule by, as it was offered."""
    tuple_id = known.agreement.tuple_id
    chosen = known.service.exchange.offer.chosen(tuple_id) if known.service.exchange.offer is not None and tuple_id is not None else None
    return (chosen.tolerance or 0.0) if chosen is not None else 0.0
