"""The states of ISO 15118-2 as the station's watch over a session sees them."""

from typing import Final

from secc.neutral.phases import Phases
from v2g.iso2.sequence import State
from v2g.iso2.timing import EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT, SECC_SEQUENCE_TIMEOUT

PRE_CHARGE_LIMIT = EVCC_PRE_CHARGE_TIMEOUT + 5.0  # s; the car gives up by itself before, and has to ask for its power
AFTER_POWER = (State.DC_WELDING, State.SESSION_STOP, State.ENDED)
PHASES: Final = Phases(
    stays={
        State.AC_START: EVCC_ONGOING_TIMEOUT,
        State.DC_CABLE_CHECK: EVCC_ONGOING_TIMEOUT,
        State.DC_PRE_CHARGE: PRE_CHARGE_LIMIT,
        State.DC_START: PRE_CHARGE_LIMIT,
        State.DC_WELDING: EVCC_ONGOING_TIMEOUT,
    },
    exchanges=(State.PARAMETERS,),
    renegotiating=(State.PARAMETERS, State.AC_START),
    after_power=AFTER_POWER,
    loopless=SECC_SEQUENCE_TIMEOUT,
)
