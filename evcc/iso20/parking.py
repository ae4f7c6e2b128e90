"""ParkingStatus: tell the station how the car comes to its place before power, and that it leaves after it, on the stream beside."""

from typing import Any

from evcc.iso20.known import Car
from evcc.iso20.requests import ask
from evcc.script import POLL_PACE, Aside, Limit, Part, Wait
from v2g.exi.schema import Type
from v2g.messages.common_messages import (
    VehicleCheckInReq,
    VehicleCheckOutReq,
    evCheckInStatusType,
    evCheckOutStatusType,
    evseCheckOutStatusType,
    parkingMethodType,
)

TURN = 0.01  # s between two looks for an answer on the stream
# A station that hears nothing on the main stream for 60 s ends the session, and this stream is not the main one.
PATIENCE = Limit("parking, which must end before V2G_SECC_Sequence_Timeout", 50.0, "V2G20-441")


def check_in(car: Car) -> Part[None]:
    """Drive to the place, as far away as the station says, and say Completed there; nothing where it was not selected."""
    if "VehicleCheckIn" not in car.known.parking:
        return
    with car.within(PATIENCE):
        answer = yield from _asked(_arrival(car, "CheckIn"))
        while not car.stop_asked:
            if not answer.TargetDistance:  # 0, or a station that does not say
                answer = yield from _asked(_arrival(car, "Completed"))
                if not answer.TargetDistance:
                    car.known.parked = tuple(dict.fromkeys((*car.known.parked, "VehicleCheckIn")))
                    car.note("checked in", space=answer.ParkingSpace, device=answer.DeviceLocation)
                    return
            car.ev.drive(answer.TargetDistance)
            yield Wait(POLL_PACE)
            answer = yield from _asked(_arrival(car, "Processing"))


def _arrival(car: Car, status: str) -> Type:
    wish = car.wish.parking
    return ask(
        VehicleCheckInReq,
        EVCheckInStatus=evCheckInStatusType(status),
        ParkingMethod=parkingMethodType(wish.method),
        VehicleFrame=wish.frame,
        DeviceOffset=wish.offset,
        VehicleTravel=min(max(car.ev.travelled, -32_768), 32_767),
    )


def check_out(car: Car) -> Part[None]:
    """Ask to leave until the station has let the car go, and say that it does; nothing where it was not selected."""
    if "VehicleCheckOut" not in car.known.parking:
        return
    time = int(car.wall + car.wish.parking.leaves_after)  # epoch s
    with car.within(PATIENCE):
        while True:
            answer = yield from _asked(ask(VehicleCheckOutReq, EVCheckOutStatus=evCheckOutStatusType.CheckOut, CheckOutTime=time))
            if answer.EVSECheckOutStatus is evseCheckOutStatusType.Completed:
                break
            yield Wait(POLL_PACE)
        yield from _asked(ask(VehicleCheckOutReq, EVCheckOutStatus=evCheckOutStatusType.Completed, CheckOutTime=time))
    car.known.parked = tuple(dict.fromkeys((*car.known.parked, "VehicleCheckOut")))
    car.note("checked out", time=time)


def _asked(request: Type) -> Part[Any]:
    """The answer to a request on its side stream."""
    heard: list[Any] = []
    yield Aside(request, heard.append)
    while not heard:
        yield Wait(TURN)
    return heard[0]
