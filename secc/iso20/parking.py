"""VehicleCheckIn and VehicleCheckOut, of the value-added service ParkingStatus: a vehicle comes to its place, and leaves it again.

    stream "parking status"   VehicleCheckIn (CheckIn, Processing ..., Completed)   after the selection, before power
                              VehicleCheckOut (CheckOut ..., Completed)             after power, before SessionStop

A vehicle that has selected VehicleCheckIn gets no power before it says Completed and the station sees it in its place (`Context.unparked`).
It is let go only once the outlet is dead and the device of an ACDP at home.
"""

from secc.iso20.notices import header
from secc.neutral.context import Context, Pending, Reply
from secc.station import Arrival, CheckInReported, CheckOutReported, Departure, OpenContactor
from v2g.iso20.added import METHODS
from v2g.iso20.sequence import requests_in
from v2g.messages.common_messages import (
    VehicleCheckInReq,
    VehicleCheckInRes,
    VehicleCheckOutReq,
    VehicleCheckOutRes,
    evseCheckOutStatusType,
)
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.errors import Refused, SequenceError
from v2g.session.service import Intended

PLACE_LIMIT = 1.4  # s that an answer waits for the station, so that it leaves within the performance time of 1.5 s


def check_in(request: VehicleCheckInReq, known: Context) -> Reply | Pending:
    """The place where the vehicle shall stand, once the station has heard what the vehicle says and has told it.

    No field says Ongoing: where the station takes longer than `PLACE_LIMIT`, the answer is what it told last.
    """
    _demand_selected("VehicleCheckIn", request, known)
    if known.stopping:
        raise Refused(Reason.OTHER, known.stopping, None)
    said, before = _arrival(request), known.service.arrival
    if before is None and said.status != "CheckIn":
        raise SequenceError(f"EVCheckInStatus is {said.status} before it was CheckIn", None)
    if before is not None and said.status == "CheckIn" != before.status:
        raise SequenceError(f"EVCheckInStatus goes back from {before.status} to CheckIn", None)
    if said.status != "Completed" and not known.unparked:
        raise SequenceError(f"EVCheckInStatus is {said.status} after the check-in has ended", None)
    if said.method not in METHODS[known.outlet.parking_type]:
        choices = " or ".join(METHODS[known.outlet.parking_type])
        raise Refused(Reason.OTHER, f"ParkingMethod is {said.method}, under {known.outlet.parking_type} it is {choices}", None)
    until = known.moment.received + PLACE_LIMIT
    if said != before:
        return Pending(known.with_service(arrival=said, place_heard=False), until, (CheckInReported(known.now, said),))
    place = known.station.place
    seen = known.service.place_heard and (said.status != "Completed" or not known.unparked)
    if not seen and known.now < until:
        return Pending(known, until)
    response = VehicleCheckInRes(
        Header=header(known),
        ResponseCode=Code.OK,
        ParkingSpace=None if place is None else place.space,
        DeviceLocation=None if place is None else place.device,
        TargetDistance=None if place is None else place.distance,
    )
    return Reply(response, known.state, known)


def _arrival(request: VehicleCheckInReq) -> Arrival:
    return Arrival(
        request.EVCheckInStatus.value,
        request.ParkingMethod.value,
        request.VehicleFrame,
        request.DeviceOffset,
        request.VehicleTravel,
    )


def check_out(request: VehicleCheckOutReq, known: Context) -> Reply:
    """Scheduled until the vehicle may drive off. An outlet that may be live is opened first; a vehicle that does not wait is refused."""
    _demand_selected("VehicleCheckOut", request, known)
    said, before = Departure(request.EVCheckOutStatus.value, request.CheckOutTime), known.service.departure
    if before is None and said.status != "CheckOut":
        raise SequenceError(f"EVCheckOutStatus is {said.status} before it was CheckOut", None)
    if before is not None and said.status == "CheckOut" != before.status:
        raise SequenceError(f"EVCheckOutStatus goes back from {before.status} to CheckOut", None)
    held = _held(known)
    if held and said.status != "CheckOut":
        raise Refused(Reason.OTHER, f"the vehicle drives off while {held}", None)
    after = known.with_service(departure=said)
    if known.energised and known.station.contactor is not False:
        wants = () if known.station.contactor_wanted is False else (OpenContactor(known.now),)
        return Reply(_leaving(known, False), known.state, after.with_station(contactor_wanted=False), wants)
    if not held and said != known.service.departure_told:
        told = after.with_service(departure_told=said)
        return Reply(_leaving(known, known.service.released), known.state, told, (CheckOutReported(known.now, said),))
    return Reply(_leaving(known, known.service.released and not held), known.state, after)


def _held(known: Context) -> str:
    """Why a vehicle must not drive off yet, as far as its safety goes; empty where it may."""
    if known.energised and known.station.contactor is not False:
        return "the outlet may be live"
    selection = known.agreement.selection
    if selection is not None and selection.row.docked and known.station.device != "Home":
        return f"the device is {known.station.device}, not Home"
    return ""


def _leaving(known: Context, done: bool) -> VehicleCheckOutRes:
    status = evseCheckOutStatusType.Completed if done else evseCheckOutStatusType.Scheduled
    return VehicleCheckOutRes(Header=header(known), ResponseCode=Code.OK, EVSECheckOutStatus=status)


def _demand_selected(intended: Intended, request: object, known: Context) -> None:
    """Raises SequenceError for a message whose service was not selected."""
    if intended not in known.agreement.parking:
        allowed = ", ".join(each.__name__ for each in requests_in(known.state) if not each.__name__.startswith("VehicleCheck"))
        why = f"{type(request).__name__} came, and ParkingStatus was not selected for it; expected is {allowed or 'nothing'}"
        raise SequenceError(why, "V2G20-459")
