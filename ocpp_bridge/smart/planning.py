"""What the profiles say of an EVSE, and the schedule that the station makes within them where the CSMS sends none."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import inf
from typing import Final

from ocpp_bridge.charger import Charger, Evse, PlanWanted
from ocpp_bridge.model.mapping import HORIZON
from ocpp_bridge.smart.feeds import BALANCING, LIVE
from ocpp_bridge.smart.periods import Composite, Period, Present, RanOut
from v2g.energy.needs import Needs
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal

REACH: Final = 2 * HORIZON  # s; a composite looks no further, however late the departure
NOTHING: Final = Period(limit=0.0, discharge=0.0, setpoint=0.0)  # of a transaction whose token is not accepted
INSTANT: Final = 2.0  # s; more than the second for which a setpoint is made


def composite(
    charger: Charger, evse: Evse, now: float, until: float, alternative: int = 0, *, by_csms: bool = False, raw: bool = False
) -> Composite:
    """The composite of the profiles at an EVSE from `now` (monotonic s) to `until` (epoch s).

    `by_csms`: the CSMS leads the car, so nothing is discharged where its profiles do not say so. A station that plans for itself may.
    Nobody knows yet what a mode will be told that follows frequency, meter or energy management: nothing is promised to be discharged
    then, unless `raw`.
    """
    said = charger.profiles.composite
    sharing, away = _sharing(charger, evse), charger.offline(now)
    ran_out = _ran_out(evse, by_csms=by_csms)
    made = said(evse.outlet, charger.wall(now), until, alternative=alternative, offline=away, sharing=sharing, ran_out=ran_out)
    if not raw:
        told = tuple((begin, period.charging if period.mode in LIVE else period) for begin, period in made.periods)
        made = replace(made, periods=told)
    if evse.transaction is not None and evse.transaction.spent:
        made = replace(made, periods=tuple((begin, NOTHING) for begin, _ in made.periods))
    return made if evse.may_give else made.charging


def present(charger: Charger, evse: Evse, now: float) -> Present:
    """What the composite at an EVSE says to its session at `now` (monotonic s)."""
    assert evse.session is not None
    ran_out = _ran_out(evse, by_csms=evse.session.by_csms)
    said = charger.profiles.present(
        evse.outlet,
        charger.wall(now),
        alternative=evse.session.alternative,
        offline=charger.offline(now),
        sharing=_sharing(charger, evse),
        ran_out=ran_out,
        live=partial(_resolved, charger, evse, now),
    )
    if evse.transaction is not None and evse.transaction.spent:
        return replace(said, period=NOTHING)
    return said if evse.may_give else replace(said, period=said.period.charging)


def _resolved(charger: Charger, evse: Evse, now: float, period: Period) -> tuple[Period | None, float]:
    """A period with what frequency, meter or energy management say at `now` (monotonic s), and until when (epoch s) that stands."""
    if period.mode not in LIVE:
        return period, inf
    balancing = [each.id for each in charger.evses.values() if each.session and each.session.leads and each.session.leads.mode == BALANCING]
    made, until = charger.feeds.resolve(period, evse.id, now, charger.wall(now), balancing)
    return made, charger.wall(until) if until < inf else inf


def _sharing(charger: Charger, evse: Evse) -> int:
    """Among how many EVSEs a limit of the station is divided."""
    drawing = sum(1 for other in charger.evses.values() if other.transaction is not None)
    return max(drawing, 1) if evse.id else 1


def _ran_out(evse: Evse, *, by_csms: bool) -> RanOut | None:
    session = evse.session
    return session.ran_out if session is not None and (by_csms or session.ran_out.last is not None) else None


def signals_of(said: Composite, shift: float) -> tuple[Signal, ...]:
    """A composite as signals for the scheduler: caps, and setpoints where there are some; moved by `shift` (s) to the station's clock."""
    if said.silent:
        return ()
    said = Composite(said.start + shift, said.until + shift, tuple((begin + shift, period) for begin, period in said.periods))
    edges = [begin for begin, _ in said.periods] + [said.until]
    signals = [
        Signal("ocpp:limit", Kind.IMPORT_CAP, Series.from_pairs([(begin, p.limit) for begin, p in said.periods], said.until)),
        Signal("ocpp:dischargeLimit", Kind.EXPORT_CAP, Series.from_pairs([(begin, p.discharge) for begin, p in said.periods], said.until)),
    ]
    for (begin, end), (_, period) in zip(pairwise(edges), said.periods, strict=True):
        wish = period.clamped()
        if wish is not None:
            signals.append(Signal("ocpp:setpoint", Kind.SETPOINT, Series.constant(begin, end - begin, wish)))
    return tuple(signals)


def signals_now(said: Present, wall: float, shift: float) -> tuple[Signal, ...]:
    """The signals of this instant alone: what a setpoint needs, however long the profiles are."""
    return signals_of(Composite(wall, min(max(said.until, wall + INSTANT), wall + HORIZON), ((wall, said.period),)), shift)


def theirs(charger: Charger, needs: Needs) -> Needs:
    """The needs by the clock of the CSMS."""
    own, skew = needs.energy_offer, charger.skew
    sold = None if own is None else replace(own, power=_later(own.power, skew), price=_later(own.price, skew))
    return replace(needs, departure=None if needs.departure is None else needs.departure + skew, energy_offer=sold)


def _later(series: Series, seconds: float) -> Series:
    return replace(series, start=series.start + seconds)


def end_of(charger: Charger, needs: Needs, wall: float) -> float:
    """The end of what is offered to a car at `wall` (both epoch s of the CSMS): its departure, if that is not too far away."""
    departure = theirs(charger, needs).departure
    return min(max(wall + HORIZON if departure is None else departure, wall + 1.0), wall + REACH)


def locally(charger: Charger, evse: Evse, now: float) -> None:
    """Have the station make a schedule itself, within the present profiles."""
    session = evse.session
    assert session is not None
    assert session.needs is not None
    session.patience, session.planning = None, charger.number()
    wall = charger.wall(now)
    signals = signals_of(composite(charger, evse, now, end_of(charger, session.needs, wall)), -charger.skew)
    charger.plans.append(
        PlanWanted(evse.id, session.planning, session.needs, charger.site.at(wall - charger.skew), wall - charger.skew, signals)
    )
