"""SAScheduleTuples of an offer, and the profile (ChargingProfile) by which a car follows one."""

import math
from dataclasses import replace
from itertools import pairwise

from secc.iso2.tariff import LATEST, LONGEST, holdable, sales_tariff
from secc.neutral.context import Context
from secc.neutral.entries import fitted_steps, priced_steps, whole
from secc.neutral.profile import CLOCK_SLACK, demand_held
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series, Step
from v2g.energy.stay import HORIZON
from v2g.iso2.physical import W, number, physical
from v2g.iso2.timing import SECC_ONGOING_TIMEOUT
from v2g.messages.iso2.msg_data_types import (
    ChargingProfileType,
    PMaxScheduleEntryType,
    PMaxScheduleType,
    RelativeTimeIntervalType,
    SAScheduleListType,
    SAScheduleTupleType,
)
from v2g.reasons import Reason
from v2g.session.errors import Refused, StationFailed

MOST = 3  # tuples in a list


def shown_offer(offer: Offer, known: Context) -> Offer:
    """The offer as it is sent, against which the car's profile is checked: whole seconds, and no more steps than the car can hold.

    Raises StationFailed for two schedules under one id: what the car chooses by it would not be what it is held to.
    """
    before, first = known.agreement.tuple_id, offer.tuples[0]
    if before is not None and not known.delivering and offer.chosen(before) is None:  # of a pause: its schedule keeps its number
        offer = replace(offer, tuples=(replace(first, id=before), *offer.tuples[1:]))
    ids = [each.id for each in offer.tuples]
    if len(set(ids)) < len(ids):
        raise StationFailed(f"the schedules of an offer have the ids {', '.join(map(str, ids))}; each needs one of its own", None)
    points = max(known.service.exchange.max_points, 1)
    return replace(offer, tuples=tuple(_shown(each, points, known) for each in offer.tuples[:MOST]))


def _shown(offered: Tuple, points: int, known: Context) -> Tuple:
    """A tuple that charges alone, as this generation has it, from now until the car departs."""
    charging = offered.charging or Series.constant(known.wall, 1.0, 0.0)
    fitted = fitted_steps(_covering(charging, known), points)
    prices, stated = priced_steps(offered.import_prices, fitted, points), holdable(offered.stated, points)
    return replace(offered, charging=fitted, discharging=None, import_prices=prices, export_prices=None, stated=stated, tolerance=None)


def _covering(power: Series, known: Context) -> Series:
    """The schedule until the car departs: what lies beyond the plan is offered without power, to be negotiated anew.

    A car that does not say when is offered a day [V2G2-304]: the last step of a plan of a day holds for as long as planning took.
    """
    needs = known.service.exchange.needs
    if needs is None or needs.departure is None:
        late = known.wall + HORIZON - power.until
        if not power.steps or not 0.0 < late <= SECC_ONGOING_TIMEOUT:
            return power
        last = power.steps[-1]
        return Series(power.start, (*power.steps[:-1], Step(last.duration + math.ceil(late), last.value)))
    rest = math.floor(needs.departure - power.until)
    return power if rest <= 0 else Series(power.start, (*power.steps, Step(float(rest), 0.0)))


def schedules(known: Context) -> SAScheduleListType:
    """The list of SAScheduleTuples for the offer of this exchange, with a SalesTariff where it has prices."""
    offer = known.service.exchange.offer
    assert offer is not None
    return SAScheduleListType(SAScheduleTuple=tuple(_tuple(each, known) for each in offer.tuples))


def _tuple(offered: Tuple, known: Context) -> SAScheduleTupleType:
    """Powers from now on: an entry begins where the one before ends, the last one says how long it lasts."""
    assert offered.charging is not None
    series, now = whole(offered.charging), int(known.wall)
    spans = [(max(0, round(start) - now), round(until) - now, power) for start, until, power in series.spans() if until > now]
    spans = [span for span in spans if span[0] <= LATEST] or [(0, 1, 0.0)]
    spans[0] = (0, *spans[0][1:])
    entries = [
        PMaxScheduleEntryType(
            TimeInterval=RelativeTimeIntervalType(start=start, duration=min(until - start, LONGEST) if last else None),
            PMax=physical(max(power, 0.0), W, "down"),
        )
        for (start, until, power), last in zip(spans, (*[False] * (len(spans) - 1), True), strict=True)
    ]
    powers = PMaxScheduleType(PMaxScheduleEntry=tuple(entries))
    return SAScheduleTupleType(
        SAScheduleTupleID=offered.id, PMaxSchedule=powers, SalesTariff=sales_tariff(offered, offered.charging.until, known)
    )


def announced(tuple_id: int, sent: ChargingProfileType | None, known: Context) -> tuple[Series, Tuple]:
    """The power (W) that the car will take, and the schedule that it follows; one that sends no profile takes what its schedule allows.

    Raises Refused for a schedule that was not offered, and for a profile that leaves it.
    """
    offer = known.service.exchange.offer
    offered = None if offer is None else offer.chosen(tuple_id)
    if offered is None or offered.charging is None:
        raise Refused(Reason.WRONG_SCHEDULE, f"schedule tuple {tuple_id} was not offered", "V2G2-479")
    if sent is None:
        return offered.charging, offered
    starts = [entry.ChargingProfileEntryStart for entry in sent.ProfileEntry]
    powers = [number(entry.ChargingProfileEntryMaxPower) for entry in sent.ProfileEntry]
    if starts[0] != 0 or any(later <= start for start, later in pairwise(starts)):
        raise Refused(Reason.WRONG_PROFILE, f"the entries of ChargingProfile begin at {', '.join(map(str, starts))} s", "V2G2-478")
    rest = max(offered.charging.until - known.wall - starts[-1], 1.0)
    ends = [*starts[1:], starts[-1] + rest]
    steps = tuple(Step(float(end - start), power) for start, end, power in zip(starts, ends, powers, strict=True))
    profile = Series(float(int(known.wall)), steps)
    # times are relative: some cars count them from the offer, not from this request; what flows is bounded by the schedule itself
    demand_held(profile, offered, "ChargingProfile", "V2G2-478", CLOCK_SLACK + max(known.wall - offered.charging.start, 0.0))
    return profile, offered
