"""What a session of DIN SPEC 70121 has learnt, and what a car keeps of it: nothing, for there is no pause."""

from dataclasses import dataclass

from evcc import car as any_car
from evcc.early import known
from v2g.messages.din.msg_data_types import EVRequestedEnergyTransferType


@dataclass(slots=True)
class Known(known.Known):
    """What the session has learnt from its station."""

    transfer: EVRequestedEnergyTransferType | None = None  # what the car asks for
    unsaid: bool = False  # the plan goes beyond what the station's PMax says, so that no ChargingProfile may say it


Car = any_car.Car[Known]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a car keeps of a session; none is ever made."""
