"""ChargeParameterDiscovery: the car's needs and limits, the station's schedules, the choice among them; and the ChargingProfile."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from evcc.choice import Choice, choose
from evcc.iso2.known import Car
from evcc.iso2.selection import ONGOING, finished
from evcc.iso2.tariff import credible
from evcc.offers import Offered
from evcc.script import Part, repeat
from evcc.transfer import Mode
from v2g.energy.series import Series, Step
from v2g.iso2.physical import W, number, physical
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryReq
from v2g.messages.iso2.msg_data_types import (
    ChargingProfileType,
    EVChargeParameterType,
    ProfileEntryType,
    SalesTariffType,
    SAScheduleTupleType,
    costKindType,
)
from v2g.session.errors import Misuse, PeerMisbehaved

DAY = 86_400.0  # s; for which the last entry holds that says no duration
MOST_ENTRIES = 24  # of a ChargingProfile
LEVELS = 100.0  # a relative price of 100 % is the price 1


def departure(car: Car) -> int:
    """DepartureTime: seconds until departure; a day where the goal has none, so that a station plans at all."""
    return car.goal.remaining(car.wall)


def discovery(car: Car, parameters: Callable[[], EVChargeParameterType]) -> Part[Any]:
    """Repeat ChargeParameterDiscovery until the station has planned; returns its EVSEChargeParameter, and keeps its schedules.

    `parameters` are made anew for each request: the seconds until departure count down.
    """
    if (mode := car.known.mode) is None:
        raise Misuse("the script asks for parameters before it has chosen a mode")
    points = min(max(car.wish.supporting_points, 1), 1024)

    def request(_: Any) -> ChargeParameterDiscoveryReq:
        return ChargeParameterDiscoveryReq(
            MaxEntriesSAScheduleTuple=points, RequestedEnergyTransferMode=mode.name, EVChargeParameter=parameters()
        )

    response: Any = yield from repeat(car, request, ONGOING, finished)
    if response.SASchedules is None:
        raise PeerMisbehaved("ChargeParameterDiscoveryRes says Finished and has no SASchedules", None)
    start, tuples = math.floor(car.wall), response.SASchedules.SAScheduleTuple
    believed = credible(car, response)
    car.known.offers = tuple(offered(each, start, prices(car, each, start) if believed else None) for each in tuples)
    return response.EVSEChargeParameter


def offered(said: SAScheduleTupleType, start: float, paid: Series | None = None) -> Offered:
    """A schedule tuple as series from `start` (epoch s), to which its times are relative. Raises PeerMisbehaved for times out of order."""
    entries = [(e.TimeInterval, max(number(e.PMax), 0.0)) for e in said.PMaxSchedule.PMaxScheduleEntry]
    return Offered(tuple_id=said.SAScheduleTupleID, charge=_series(start, entries), buy=paid)


def prices(car: Car, said: SAScheduleTupleType, start: float) -> Series | None:
    """What a kWh of a tuple costs beside those of others, from `start` (epoch s); None without a tariff that says it.

    A tariff that makes no sense counts as none, and is noted: what is unsafe is a power out of order, not a price.
    """
    if (tariff := said.SalesTariff) is None or not (entries := _priced(tariff)):
        return None
    try:
        return _series(start, [(e.TimeInterval, _price(e)) for e in entries])
    except PeerMisbehaved as error:
        car.note("tariff not understood", why=str(error), tuple=said.SAScheduleTupleID)
        return None


def _priced(tariff: SalesTariffType) -> tuple[Any, ...]:
    """The entries of a tariff; none where one of them has no price, for then they cannot be compared."""
    entries = tariff.SalesTariffEntry
    return entries if all(_costs(e) or e.EPriceLevel is not None for e in entries) else ()


def _costs(entry: Any) -> list[float]:
    """The relative prices of an entry, as shares."""
    relative = [cost for each in entry.ConsumptionCost for cost in each.Cost if cost.costKind is costKindType.relativePricePercentage]
    return [cost.amount * 10.0 ** (cost.amountMultiplier or 0) / LEVELS for cost in relative]


def _price(entry: Any) -> float:
    """What a kWh of an entry costs beside those of others: its dearest relative price, else its price level."""
    return max(_costs(entry), default=float(entry.EPriceLevel or 0))


def _series(start: float, entries: list[tuple[Any, float]]) -> Series:
    """Values from the beginning of each interval until that of the next; before the first there is nothing."""
    if not entries:
        return Series(start)
    begins = [float(interval.start) for interval, _ in entries]
    if any(later <= earlier for earlier, later in pairwise(begins)):
        raise PeerMisbehaved(f"the entries of a schedule begin after {', '.join(f'{each:g}' for each in begins)} s: not in order", None)
    ends = [*begins[1:], begins[-1] + float(entries[-1][0].duration or DAY)]
    steps = [Step(end - begin, value) for begin, end, (_, value) in zip(begins, ends, entries, strict=True)]
    return Series(start, (Step(begins[0], 0.0), *steps) if begins[0] else tuple(steps))


def choice(car: Car, mode: Mode) -> Choice:
    """The plan that the car follows from now on, in what a ChargingProfile holds."""
    points = min(car.wish.supporting_points, MOST_ENTRIES)
    chosen = choose(car.known.offers, car.ev, car.goal, mode.plannable(), car.wall, points, _stated, car.wish.wear)
    car.note("schedule chosen", tuple=chosen.tuple_id, cost=round(chosen.cost, 4), shortfall=round(chosen.shortfall))
    return chosen


def _stated(power: float) -> float:
    """A power as the wire can state it: what the car follows is what it has promised, not what it has rounded."""
    return number(physical(max(power, 0.0), W, "down"))


def profile(chosen: Choice, phases: int | None) -> ChargingProfileType:
    """The ChargingProfile of a choice; times count from its first step. `phases` of an AC car."""
    entries = tuple(
        ProfileEntryType(
            ChargingProfileEntryStart=round(start - chosen.powers.start),
            ChargingProfileEntryMaxPower=physical(power, W, "down"),
            ChargingProfileEntryMaxNumberOfPhasesInUse=phases,
        )
        for start, _, power in chosen.powers.spans()
    )
    return ChargingProfileType(ProfileEntry=entries[:MOST_ENTRIES])
