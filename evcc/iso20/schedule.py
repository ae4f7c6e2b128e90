"""ScheduleExchange: state the car's needs, take the station's offer, choose."""

import math
from dataclasses import replace
from typing import Any

from evcc.choice import Choice
from evcc.iso20.conditions import conditions
from evcc.iso20.known import Car
from evcc.iso20.mode import Mode, departure, energies, v2x_energies
from evcc.iso20.offered import anchored_at, offered, unanchored
from evcc.iso20.profile import dynamic_choice, scheduled_choice
from evcc.iso20.requests import ONGOING, ask, poll
from evcc.iso20.tariff import judgement
from evcc.script import Part
from pki.certificate import facts
from pki.tariff import Standing
from v2g.energy.prices import DAY
from v2g.exi.schema import Type
from v2g.iso20.pricing import POWER_ALGORITHM
from v2g.iso20.rational import inward, rational
from v2g.messages.common_messages import (
    Dynamic_SEReqControlModeType,
    EVAbsolutePriceScheduleType,
    EVEnergyOfferType,
    EVPowerScheduleEntryListType,
    EVPowerScheduleEntryType,
    EVPowerScheduleType,
    EVPriceRuleStackListType,
    EVPriceRuleStackType,
    EVPriceRuleType,
    Scheduled_SEReqControlModeType,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
)
from v2g.session.errors import PeerMisbehaved
from v2g.session.profiles import ANCHOR_ZERO

SAME_DEPARTURE = 2.0  # s; whole seconds that count down are the same departure


def schedule(car: Car) -> Part[None]:
    """Repeat ScheduleExchange until the station has an offer, and keep it in `car.known.offers`."""
    response: Any = yield from poll(car, lambda _: request(car), ONGOING)  # the seconds until departure count down
    learn(car, response)


def learn(car: Car, response: Any) -> None:
    """Keep the offers in a response in place of former ones. Raises PeerMisbehaved where they are for the other control mode."""
    if response.GoToPause:
        car.note("station suggests a pause")
    scheduled, dynamic = response.Scheduled_SEResControlMode, response.Dynamic_SEResControlMode
    if (scheduled if car.known.service.control == "Scheduled" else dynamic) is None:
        raise PeerMisbehaved(f"ScheduleExchangeRes is not for {car.known.service.control} control", "V2G20-1600")
    if dynamic is not None:
        obey(car, dynamic)
    believed = credible(car, response)
    car.known.offers = tuple(offered(offer, believed) for offer in scheduled.ScheduleTuple) if scheduled else ()
    priced = dynamic.AbsolutePriceSchedule if dynamic is not None else None
    told = [offer.sold for offer in car.known.offers] if scheduled else [conditions(priced) if priced is not None and believed else None]
    car.known.sold = next((one for one in told if one is not None), None)
    if car.known.sold is not None and car.known.sold.why:
        car.note("tariff not understood", why=car.known.sold.why)
    if any(unanchored(offer) for offer in car.known.offers) and car.puts_up_with(ANCHOR_ZERO):
        car.known.offers = tuple(anchored_at(offer, math.floor(car.wall)) for offer in car.known.offers)


def obey(car: Car, said: Any) -> None:
    """Take departure and SOC from the station, where the car has left them to it; what it does not say stays as it was.

    `said` is a control mode of a response; a service without one leaves nothing to the station.

    The car is never filled beyond its own maximum. Raises PeerMisbehaved for a minimum above the target [V2G20-1640].
    """
    if car.known.service.mobility != "SECC":
        return
    goal, least, target = car.goal, said.MinimumSOC, said.TargetSOC
    if least is not None and target is not None and least > target:
        raise PeerMisbehaved(f"MinimumSOC {least} % is above TargetSOC {target} %", "V2G20-1640")
    target = goal.target_soc if target is None else min(float(target), goal.maximum_soc)
    least = min(goal.minimum_soc if least is None else float(least), target)
    departure = goal.departure if said.DepartureTime is None else car.wall + said.DepartureTime
    same = goal.departure is not None and departure is not None and abs(departure - goal.departure) < SAME_DEPARTURE
    car.goal = replace(goal, target_soc=target, minimum_soc=least, departure=goal.departure if same else departure)
    if car.goal != goal:
        car.note("the station sets the needs", departure=departure, minimum_soc=least, target_soc=target)


def credible(car: Car, response: ScheduleExchangeRes) -> bool:
    """Whether the prices of a response count: all do, unless their signature is wrong. The verdict is noted in the trace."""
    if response.Header.Signature is None or car.prices is None:
        return True
    verdict = judgement(car.prices, response, car.wall, car.contract.chain if car.contract else ())
    signer = {"signer": facts(verdict.signer).common_name} if verdict.signer else {}
    car.note("prices judged", standing=verdict.standing.value, reason=verdict.reason, **signer)
    return verdict.standing is not Standing.WRONG


def choice(car: Car, mode: Mode) -> Choice:
    """The plan that the car follows from now on; made only when power can flow, so that it does not count time spent on the cable check."""
    if car.known.service.control == "Dynamic":
        chosen = dynamic_choice(car.ev, car.goal, mode.plannable(), car.wall, car.known.service.bidirectional)
    else:
        chosen = scheduled_choice(car.known.offers, car.ev, car.goal, mode.plannable(), car.wall, car.wish.supporting_points, car.wish.wear)
    car.note("schedule chosen", tuple=chosen.tuple_id, cost=round(chosen.cost, 4), shortfall=round(chosen.shortfall))
    return chosen


def own_offer(car: Car) -> EVEnergyOfferType | None:
    """The EVEnergyOffer to discharge until departure, at the driver's price; None without a price. Discharging power is negative."""
    asked = car.wish.sell_above
    if asked is None or not car.known.service.bidirectional:
        return None
    anchor, stays = int(car.wall), max(1, departure(car.goal, car.wall) or int(DAY))
    power = EVPowerScheduleEntryType(Duration=stays, Power=inward(-car.ev.battery.discharge_power))
    rule = EVPriceRuleType(EnergyFee=rational(asked, "up"), PowerRangeStart=rational(0))
    stack = EVPriceRuleStackType(Duration=stays, EVPriceRule=(rule,))
    return EVEnergyOfferType(
        EVPowerSchedule=EVPowerScheduleType(
            TimeAnchor=anchor, EVPowerScheduleEntries=EVPowerScheduleEntryListType(EVPowerScheduleEntry=(power,))
        ),
        EVAbsolutePriceSchedule=EVAbsolutePriceScheduleType(
            TimeAnchor=anchor,
            Currency=car.wish.currency,
            PriceAlgorithm=POWER_ALGORITHM,
            EVPriceRuleStacks=EVPriceRuleStackListType(EVPriceRuleStack=(stack,)),
        ),
    )


def request(car: Car) -> Type:
    """ScheduleExchangeReq with the car's needs: energies still wanted (Wh in the battery), seconds until departure."""
    if car.known.service.control == "Scheduled":
        wanted: dict[str, Any] = {"DepartureTime": departure(car.goal, car.wall), **energies(car)}
        needs = Scheduled_SEReqControlModeType(**wanted, EVEnergyOffer=own_offer(car))
        return ask(ScheduleExchangeReq, MaximumSupportingPoints=car.wish.supporting_points, Scheduled_SEReqControlMode=needs)
    mode = Dynamic_SEReqControlModeType(
        DepartureTime=car.goal.remaining(car.wall),
        MinimumSOC=round(car.goal.minimum_soc),
        TargetSOC=round(car.goal.target_soc),
        **energies(car),
        **(v2x_energies(car) if car.known.service.bidirectional else {}),
    )
    return ask(ScheduleExchangeReq, MaximumSupportingPoints=car.wish.supporting_points, Dynamic_SEReqControlMode=mode)
