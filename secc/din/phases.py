"""The states of DIN SPEC 70121 as the station's watch over a session sees them."""

from typing import Final

from secc.neutral.phases import Phases
from v2g.din.sequence import State
from v2g.din.timing import (
    EVCC_ONGOING_TIMEOUT,
    SECC_POWER_DELIVERY_TIMEOUT,
    SECC_SEQUENCE_TIMEOUT,
    SECC_WELDING_DETECTION_TIMEOUT,
)

AFTER_POWER = (State.DC_WELDING, State.ENDED)
PHASES: Final = Phases(
    stays={
        State.DC_CABLE_CHECK: EVCC_ONGOING_TIMEOUT,
        State.DC_PRE_CHARGE: SECC_POWER_DELIVERY_TIMEOUT,
        State.DC_START: SECC_POWER_DELIVERY_TIMEOUT,  # [V2G-DC-969]
        State.DC_WELDING: SECC_WELDING_DETECTION_TIMEOUT,  # [V2G-DC-926]
    },
    exchanges=(State.PARAMETERS,),
    after_power=AFTER_POWER,
    loopless=SECC_SEQUENCE_TIMEOUT,
)
