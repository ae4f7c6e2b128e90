"""The states of ISO 15118-20 as the station's watch over a session sees them."""

from enum import Enum
from typing import Final

from secc.neutral.phases import Phases
from v2g.iso20.sequence import STANDBY, State
from v2g.iso20.timing import EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT, SECC_SEQUENCE_TIMEOUT

LOOPLESS = SECC_SEQUENCE_TIMEOUT  # s under power without a charge loop: as long as a car may be silent, and it covers a renegotiation
PRE_CHARGE_LIMIT = EVCC_PRE_CHARGE_TIMEOUT + 2.0  # s; the car gives up by itself before
STAYS: dict[Enum, float] = {
    State.AC_DER_SETTLING: EVCC_ONGOING_TIMEOUT,
    State.AC_START: EVCC_ONGOING_TIMEOUT,
    State.DC_CABLE_CHECK: EVCC_ONGOING_TIMEOUT,
    State.DC_PRE_CHARGE: PRE_CHARGE_LIMIT,
    State.DC_START: EVCC_ONGOING_TIMEOUT,
    State.DC_WELDING: EVCC_ONGOING_TIMEOUT,
    State.ACDP_POSITIONING: EVCC_ONGOING_TIMEOUT,
    State.ACDP_CONNECT: EVCC_ONGOING_TIMEOUT,
    State.ACDP_DISCONNECT: EVCC_ONGOING_TIMEOUT,
    State.WPT_SETUP: EVCC_ONGOING_TIMEOUT,
    State.WPT_POSITIONING: EVCC_ONGOING_TIMEOUT,
    State.WPT_PAIRING: EVCC_ONGOING_TIMEOUT,
    State.WPT_ALIGNMENT: EVCC_ONGOING_TIMEOUT,
    State.WPT_START: EVCC_ONGOING_TIMEOUT,
}
AFTER_POWER = (State.DC_WELDING, State.ACDP_DISCONNECT, State.SESSION_STOP, State.ENDED)
PHASES: Final = Phases(
    stays=STAYS,
    settling=(State.AC_DER_SETTLING,),
    exchanges=(
        *(State.AC_SCHEDULE, State.AC_DER_SETTLING, State.DC_SCHEDULE, State.DC_RENEGOTIATION),
        *(State.WPT_SCHEDULE, State.WPT_RENEGOTIATION),
    ),
    standby=STANDBY,
    idle=(State.AC_STANDBY,),
    renegotiating=(
        *(State.AC_SCHEDULE, State.AC_START, State.DC_RENEGOTIATION, State.DC_RESTART),
        *(State.WPT_RENEGOTIATION, State.WPT_RESTART),
    ),
    after_power=AFTER_POWER,
    loopless=LOOPLESS,
    unheeded="V2G20-3308",
)
