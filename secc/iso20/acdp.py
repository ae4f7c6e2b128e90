"""ACDP: a device that comes down to a vehicle that has parked under it, before power, and goes home after it.

    VehiclePositioning (poll) > Connect (poll) > as DC, to WeldingDetection > Disconnect (poll) > SessionStop

The outlet is never live but with the device in its end position, and the device never moves while the outlet may be live.
"""

from secc.iso20.notices import header
from secc.neutral.context import Context, Reply
from secc.station import ConnectDevice, Device, DisconnectDevice, OpenContactor, Position
from v2g.iso20.sequence import State, requests_in
from v2g.messages.acdp import (
    ACDP_ConnectReq,
    ACDP_ConnectRes,
    ACDP_DisconnectReq,
    ACDP_DisconnectRes,
    ACDP_SystemStatusReq,
    ACDP_SystemStatusRes,
    ACDP_VehiclePositioningReq,
    ACDP_VehiclePositioningRes,
    electricalChargingDeviceStatusType,
    errorCodeType,
    isolationStatusType,
    mechanicalChargingDeviceStatusType,
)
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.errors import Refused, SequenceError, StationFailed

DEVICE_LIMIT = 55.0  # s that the device may take one way; below the 60 s for which a vehicle asks
ISOLATION = {None: isolationStatusType.Invalid, True: isolationStatusType.Safe, False: isolationStatusType.Fault}


def vehicle_positioning(request: ACDP_VehiclePositioningReq, known: Context) -> Reply:
    """Ongoing until the vehicle stands where the device can reach it, and says that it does not move."""
    _demand_docking(request, known)
    place = known.station.position or Position()
    ready = place.reachable and not request.EVMobilityStatus and not known.unparked
    response = ACDP_VehiclePositioningRes(
        Header=header(known),
        ResponseCode=Code.OK,
        EVSEProcessing=processingType.Finished if ready else processingType.Ongoing,
        EVSEPositioningSupport=known.station.position is not None,
        EVRelativeXDeviation=place.x,
        EVRelativeYDeviation=place.y,
        ContactWindowXc=place.window_x,
        ContactWindowYc=place.window_y,
        EVInChargePosition=place.reachable,
    )
    return Reply(response, State.ACDP_CONNECT if ready else State.ACDP_POSITIONING, known)


def connect(request: ACDP_ConnectReq, known: Context) -> Reply:
    """Ongoing while the device comes down. It is told to once, and only to a vehicle within its reach."""
    _demand_docking(request, known)
    if known.station.position is not None and not known.station.position.reachable:
        raise Refused(Reason.OTHER, "the vehicle has left the place where the device can reach it", None)
    if known.unparked:
        raise Refused(Reason.OTHER, known.unparked, None)
    return _moved(known, "EndPosition", request, State.DC_PARAMETERS)


def disconnect(request: ACDP_DisconnectReq, known: Context) -> Reply:
    """Ongoing while the contactor opens and, after that, while the device goes home."""
    _demand_docking(request, known)
    if known.energised and known.station.contactor is not False:
        wants = () if known.station.contactor_wanted is False else (OpenContactor(known.now),)
        opening = known.with_station(contactor_wanted=False)  # energised, until the contactor is reported open
        return Reply(_device(ACDP_DisconnectRes, request, known, False), State.ACDP_DISCONNECT, opening, wants)
    return _moved(known, "Home", request, State.SESSION_STOP)


def _moved(known: Context, place: Device, request: ACDP_ConnectReq | ACDP_DisconnectReq, then: State) -> Reply:
    there, down = known.station.device == place, place == "EndPosition"
    response = _device(ACDP_ConnectRes if down else ACDP_DisconnectRes, request, known, there)
    if there:
        return Reply(response, then, known.with_service(device_asked=None))
    if known.service.device_asked is not None and known.service.device_asked[0] == place:
        if known.now - known.service.device_asked[1] >= DEVICE_LIMIT:
            raise StationFailed(f"the device did not reach {place} within {DEVICE_LIMIT:g} s, it is at {known.station.device}", None)
        return Reply(response, State.ACDP_CONNECT if down else State.ACDP_DISCONNECT, known)
    want = (ConnectDevice if down else DisconnectDevice)(known.now)
    asked = known.with_service(device_asked=(place, known.now))
    return Reply(response, State.ACDP_CONNECT if down else State.ACDP_DISCONNECT, asked, (want,))


def _device(
    kind: type[ACDP_ConnectRes | ACDP_DisconnectRes], request: ACDP_ConnectReq | ACDP_DisconnectReq, known: Context, there: bool
) -> ACDP_ConnectRes | ACDP_DisconnectRes:
    pilot = known.station.pilot
    seen = electricalChargingDeviceStatusType(f"State_{pilot}") if pilot in ("A", "B", "C", "D") else None
    return kind(
        Header=header(known),
        ResponseCode=Code.OK,
        EVSEProcessing=processingType.Finished if there else processingType.Ongoing,
        EVSEElectricalChargingDeviceStatus=seen or request.EVElectricalChargingDeviceStatus,  # where no pilot is observed: as the car says
        EVSEMechanicalChargingDeviceStatus=mechanicalChargingDeviceStatusType(known.station.device),
    )


def system_status(request: ACDP_SystemStatusReq, known: Context) -> Reply:
    """What both sides know of their machinery, on its own stream beside the session. An error of the vehicle takes the power away."""
    _demand_docking(request, known)
    vehicle, station = request.EVTechnicalStatus, known.station
    why = ""
    if vehicle.EVErrorCode not in (None, errorCodeType.OK_NoEVError):
        why = f"the vehicle reports {vehicle.EVErrorCode.value}"
    elif vehicle.EVImmobilized is False:
        why = "the vehicle says that it is not immobilized"
    response = ACDP_SystemStatusRes(
        Header=header(known),
        ResponseCode=Code.OK,
        EVSEMechanicalChargingDeviceStatus=mechanicalChargingDeviceStatusType(station.device),
        EVSEReadyToCharge=not (known.stopping or station.emergency or station.unserviceable or known.session.fault),
        EVSEIsolationStatus=ISOLATION[known.service.isolation],
        EVSEDisabled=bool(station.unserviceable),
        EVSEUtilityInterruptEvent=False,
        EVSEEmergencyShutdown=bool(station.emergency),
        EVSEMalfunction=station.welded or known.session.fault is not None,
        EVInChargePosition=station.position is not None and station.position.reachable,
        EVAssociationStatus=True,
    )
    return Reply(response, known.state, known.with_service(vehicle_fault=why))


def _demand_docking(request: object, known: Context) -> None:
    """Raises SequenceError for a message of ACDP under another service."""
    selection = known.agreement.selection
    if selection is None or not selection.row.docked:
        allowed = ", ".join(each.__name__ for each in requests_in(known.state) if not each.__name__.startswith("ACDP_"))
        raise SequenceError(f"{type(request).__name__} came without a service of ACDP, expected is {allowed or 'nothing'}", "V2G20-459")
