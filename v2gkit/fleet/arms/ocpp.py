"""Orders by OCPP, through a CSMS in this process: a maximum for the station that it keeps to when we are gone, a setpoint for its car.

The maximum is one profile of two periods: what is ordered, and from `lasts` s on what is safe. A station that hears nothing any more has
the second by itself.
"""

import asyncio
import math
from typing import Any, Final

from ocpp_bridge.wire.link import CallFailed
from ocpp_bridge.wire.schemas import Payload, PayloadFault
from ocpp_bridge.wire.times import timestamp
from v2gkit.csms.bounds import Bounds
from v2gkit.csms.heeding import PROFILE
from v2gkit.csms.server import Csms
from v2gkit.fleet.arms.verbs import ArmFault, Order
from v2gkit.fleet.declared import Asset

PATIENCE: Final = 10.0  # s for a station to answer: one that takes longer is told again


class OcppArm:
    """Carries orders to the stations of a CSMS."""

    def __init__(self, csms: Csms) -> None:
        self._csms = csms
        self._turns: dict[str, asyncio.Lock] = {}

    async def carry(self, asset: Asset, order: Order) -> None:
        """Have a station take an order. Raises ArmFault where it is not there, or declines."""
        name = asset.station
        if name not in self._csms.stations:
            raise ArmFault(f"{name} has never been connected")
        async with self._turns.setdefault(name, asyncio.Lock()):
            self._csms.bounds[name] = Bounds(max(order.power, 0.0), max(-order.power, 0.0), order.power)
            try:
                answer = await self._csms.call(name, "SetChargingProfile", maximum(order, self._csms.wall()), PATIENCE)
                if answer["status"] != "Accepted":
                    raise ArmFault(f"{name} declines: {answer['status']} {answer.get('statusInfo', {}).get('reasonCode', '')}".rstrip())
                await self._csms.steer_again(name)
            except (CallFailed, PayloadFault) as error:
                raise ArmFault(f"{name}: {error}") from None


def maximum(order: Order, wall: float) -> Payload:
    """The SetChargingProfile that bounds a station by an order, and by what is safe once that is old. `wall` in epoch s."""
    now: dict[str, Any] = {"startPeriod": 0, "limit": float(math.floor(max(order.power, 0.0)))}
    later: dict[str, Any] = {"startPeriod": max(math.ceil(order.lasts), 1), "limit": float(math.floor(order.safe))}
    schedule = {"id": 1, "startSchedule": timestamp(wall), "chargingRateUnit": "W", "chargingSchedulePeriod": [now, later]}
    profile = {
        "id": PROFILE,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargingStationMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    }
    return {"evseId": 0, "chargingProfile": profile}
