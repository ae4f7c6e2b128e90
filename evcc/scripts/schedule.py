"""ScheduleExchange: tell the needs, hear the offer, choose."""

import math
from typing import Any

from evcc.car import Car
from evcc.mode import Mode, departure, energies, v2x_energies
from evcc.offered import moved, offered, unanchored
from evcc.profile import Choice, choose, unplanned
from evcc.script import ONGOING, Part, ask, poll
from pki.certificate import facts
from pki.tariff import Standing
from v2g.exi.schema import Type
from v2g.messages.common_messages import (
    Dynamic_SEReqControlModeType,
    Scheduled_SEReqControlModeType,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
)
from v2g.session.errors import PeerMisbehaved
from v2g.session.profiles import ANCHOR_ZERO


def schedule(car: Car) -> Part[None]:
    """Exchange schedules until the station has one."""
    response: Any = yield from poll(car, lambda _: request(car), ONGOING)  # the seconds until departure count down
    if response.GoToPause:
        car.note("station suggests a pause")
    scheduled, dynamic = response.Scheduled_SEResControlMode, response.Dynamic_SEResControlMode
    if (scheduled if car.service.control == "Scheduled" else dynamic) is None:
        raise PeerMisbehaved(f"ScheduleExchangeRes is not for {car.service.control} control", "V2G20-1600")
    believed = credible(car, response)
    car.offers = tuple(offered(offer, believed) for offer in scheduled.ScheduleTuple) if scheduled else ()
    if any(unanchored(offer) for offer in car.offers) and car.puts_up_with(ANCHOR_ZERO):
        car.offers = tuple(moved(offer, math.floor(car.wall)) for offer in car.offers)


def credible(car: Car, response: ScheduleExchangeRes) -> bool:
    """Whether to decide by the prices. Unsigned ones are the station's word; signed ones that do not prove genuine are nobody's."""
    if response.Header.Signature is None or car.prices is None:
        return True
    verdict = car.prices(response, car.wall, car.contract.chain if car.contract else ())
    signer = {"signer": facts(verdict.signer).common_name} if verdict.signer else {}
    car.note("prices judged", standing=verdict.standing.value, reason=verdict.reason, **signer)
    return verdict.standing is not Standing.WRONG


def choice(car: Car, mode: Mode) -> Choice:
    """What the car will follow from now. Not chosen before power can flow: what the cable check took is planned for no more."""
    if car.service.control == "Dynamic":
        chosen = unplanned(car.ev, car.goal, mode.plannable(), car.wall, car.service.bidirectional)
    else:
        chosen = choose(car.offers, car.ev, car.goal, mode.plannable(), car.wall, car.wish.supporting_points, car.wish.wear)
    car.note("schedule chosen", tuple=chosen.tuple_id, cost=round(chosen.cost, 4), shortfall=round(chosen.shortfall))
    return chosen


def request(car: Car) -> Type:
    """The needs: energies still wanted (Wh in the battery), seconds until departure."""
    if car.service.control == "Scheduled":
        wanted: dict[str, Any] = {"DepartureTime": departure(car.goal, car.wall), **energies(car)}
        needs = Scheduled_SEReqControlModeType(**wanted)
        return ask(ScheduleExchangeReq, MaximumSupportingPoints=car.wish.supporting_points, Scheduled_SEReqControlMode=needs)
    mode = Dynamic_SEReqControlModeType(
        DepartureTime=car.goal.remaining(car.wall),
        MinimumSOC=round(car.goal.minimum_soc),
        TargetSOC=round(car.goal.target_soc),
        **energies(car),
        **(v2x_energies(car) if car.service.bidirectional else {}),
    )
    return ask(ScheduleExchangeReq, MaximumSupportingPoints=car.wish.supporting_points, Dynamic_SEReqControlMode=mode)
