"""ACDP: stand still under the device of the station, have it come down, and have it gone before driving off."""

from typing import Any

from evcc.iso20.known import Car
from evcc.iso20.requests import ask, finished, poll
from evcc.script import Aside, Part
from v2g.exi.schema import Type
from v2g.messages import acdp
from v2g.session.errors import PeerUnsafe

Mechanical = acdp.mechanicalChargingDeviceStatusType
STATUS_PERIOD = 1.0  # s between two questions on the stream of the system status; no public text sets one


def docking(car: Car) -> Part[None]:
    """Positioning and connection. PeerUnsafe for a device that is said to be finished and is not where power may flow."""
    standing = ask(acdp.ACDP_VehiclePositioningReq, EVMobilityStatus=False, EVPositioningSupport=False)
    placed: Any = yield from poll(car, standing)
    if not placed.EVInChargePosition:
        raise PeerUnsafe("the station has finished positioning, and the vehicle is not in its place", None)
    yield from _polled(car, acdp.ACDP_ConnectReq, Mechanical.EndPosition)


def undocking(car: Car) -> Part[None]:
    """Disconnection, once the contactors are open."""
    yield from _polled(car, acdp.ACDP_DisconnectReq, Mechanical.Home)


def _polled(car: Car, kind: type[Type], place: Mechanical) -> Part[None]:
    shown = acdp.electricalChargingDeviceStatusType(f"State_{car.pilot}")
    answer: Any = yield from poll(car, ask(kind, EVElectricalChargingDeviceStatus=shown), until=finished)
    if answer.EVSEMechanicalChargingDeviceStatus is not place:
        where = answer.EVSEMechanicalChargingDeviceStatus.value
        raise PeerUnsafe(f"the station has finished, and its device is {where}, not {place.value}", None)


class SystemStatus:
    """The stream of the system status while power flows: a station whose machinery is not well is left."""

    def __init__(self, car: Car):
        self._car = car
        self._asked = -STATUS_PERIOD  # s of the session's clock
        self._answer: Any = None

    def turn(self) -> Part[None]:
        """Ask once a second. PeerUnsafe where the last answer says that no power should flow."""
        car, answer = self._car, self._answer
        if answer is not None and (wrong := _wrong(answer)):
            raise PeerUnsafe(f"the station says {', '.join(wrong)}", None)
        if car.now - self._asked >= STATUS_PERIOD:
            self._asked = car.now
            yield Aside(ask(acdp.ACDP_SystemStatusReq, EVTechnicalStatus=self._own()), self._hear)

    def _own(self) -> acdp.EVTechnicalStatusType:
        car = self._car
        return acdp.EVTechnicalStatusType(
            EVReadyToCharge=True,
            EVImmobilizationRequest=True,
            EVImmobilized=True,
            EVCPStatus=acdp.cpStatusType(f"State{car.pilot}"),
            EVSOC=round(car.ev.soc),
            EVErrorCode=acdp.errorCodeType.OK_NoEVError,
        )

    def _hear(self, response: acdp.ACDP_SystemStatusRes) -> None:
        self._answer = response


def _wrong(answer: acdp.ACDP_SystemStatusRes) -> list[str]:
    """What in a station's status is no state to take power in."""
    found = [
        name for name in ("EVSEDisabled", "EVSEUtilityInterruptEvent", "EVSEEmergencyShutdown", "EVSEMalfunction") if getattr(answer, name)
    ]
    if answer.EVSEMechanicalChargingDeviceStatus is not Mechanical.EndPosition:
        found.append(f"that its device is {answer.EVSEMechanicalChargingDeviceStatus.value}")
    if answer.EVSEIsolationStatus is acdp.isolationStatusType.Fault:
        found.append("EVSEIsolationStatus Fault")
    return found
