"""How large each message of ISO 15118-20 may be, and which elements none carries: the numbers for what `v2g.session.bounds` describes.

The header of a frame is held to `state_limit`, its message to `LIMITS`, each element to `BOUNDS`.
The numbers are the schema's own maxima, rounded up, where it has any (`tests/v2g/session/test_limits.py` works them out). Strings without a
maximum, such as the names of roots and the URIs of a signature, are counted with 100 characters.
"""

from functools import cache
from typing import Final

from v2g.exi.codec import Bounds
from v2g.exi.schema import Type
from v2g.iso20.sequence import REQUESTS, RESPONSES, State, requests_in, response_to
from v2g.messages import wpt
from v2g.messages.common_messages import (
    AuthorizationReq,
    AuthorizationSetupRes,
    CertificateInstallationReq,
    CertificateInstallationRes,
    PowerDeliveryReq,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
    ServiceDetailRes,
)
from v2g.session import bounds
from v2g.session.bounds import CAR_PATIENCE, CAR_UNUSUAL, KIB, NEGOTIATION, PATIENCE, SIGNED, UNUSUAL, Limit

WIRELESS: Final = Limit(5 * KIB, 96)  # what a manufacturer may add to a message of WPT: 16 containers of 256 octets
# Without signature no other request has more than 400 octets (MeteringConfirmationReq, with a receipt), no other response more than 533 (a
# DC loop with one), none more than 48 elements; a signature adds about 450 octets and 20 elements. A car that fills its frames with zeros,
# as one does up to 630 octets, is within.
ANY_OTHER: Final[Limit] = bounds.ANY_OTHER
_WPT: Final = [message for message in (*REQUESTS, *RESPONSES) if message.__module__ == wpt.__name__]
LIMITS: Final[dict[type[Type], Limit]] = dict.fromkeys((*REQUESTS, *RESPONSES), ANY_OTHER) | dict.fromkeys(_WPT, WIRELESS)
LIMITS.update(NEGOTIATION)
LIMITS.update(
    {
        # four certificates of 1600 octets, and a signature
        AuthorizationReq: Limit(8 * KIB, 64),
        # the same, and the names of 20 roots with their serial numbers
        CertificateInstallationReq: Limit(12 * KIB, 96),
        # an energy offer of 1024 powers in three phases and 1024 stacks of 8 price rules: 115 KiB as densely as numbers go
        ScheduleExchangeReq: Limit(128 * KIB, 27_700),
        # a profile of 2048 powers in three phases
        PowerDeliveryReq: Limit(68 * KIB, 8_250),
        # 128 providers of 80 characters
        AuthorizationSetupRes: Limit(12 * KIB, 192),
        # eight certificates of 1600 octets and the encrypted key
        CertificateInstallationRes: Limit(17 * KIB, 96),
        # 32 sets of 32 parameters of 80 characters
        ServiceDetailRes: Limit(180 * KIB, 1_100),
        # the same, and the antennas of `MOST` with the order of 255 pulses
        wpt.WPT_FinePositioningSetupReq: Limit(12 * KIB, 800),
        wpt.WPT_FinePositioningSetupRes: Limit(12 * KIB, 800),
        # the same, and eight other stations
        wpt.WPT_PairingRes: Limit(7 * KIB, 96),
        # three tuples, each with two schedules of 1024 powers and two price schedules of 1024 stacks of 8 rules
        ScheduleExchangeRes: Limit(2 * KIB * KIB, 228_000),
    }
)

# What an amendment adds to the messages of AC: a car's inverter with three phases of everything, and curves of ten points for each phase.
AMENDED: Final[dict[tuple[str, str], Limit]] = {
    # one curve of ten points with their excitations, and every function beside it
    ("ac_der_iec", "AC_ChargeParameterDiscoveryRes"): Limit(KIB, 128),
    # ten curves of trips and three of support, each for three phases
    ("ac_der_sae", "AC_ChargeParameterDiscoveryRes"): Limit(5 * KIB, 1_400),
    ("ac_der_sae", "AC_ChargeLoopRes"): Limit(5 * KIB, 1_400),
}


def limit_of(message: type[Type], schema_set: str) -> Limit:
    """The limit of a message in a schema set."""
    return AMENDED.get((schema_set, message.__name__)) or LIMITS[message]


def answer_limit(request: type[Type]) -> int:
    """Octets of the largest response to a request, in whatever set it comes."""
    response = response_to(request)
    amended = [limit.octets for (_, name), limit in AMENDED.items() if name == response.__name__]
    return max(LIMITS[response].octets, *amended, 0)


MOST: Final[dict[tuple[type[Type], str], int]] = {
    **SIGNED,
    # antennas by which a vehicle is found: one has a handful; what comes with twice as many would be longer than what may come out of turn
    (wpt.WPT_LF_TransmitterDataType, "TxSpecData"): 128,
    (wpt.WPT_LF_ReceiverDataType, "RxSpecData"): 128,
}
BOUNDS: Final = Bounds(MOST, unusual=UNUSUAL, patience=PATIENCE)
CAR_BOUNDS: Final = Bounds(MOST, unusual=CAR_UNUSUAL, patience=CAR_PATIENCE)

OUT_OF_TURN: Final = LIMITS[CertificateInstallationReq].octets


@cache
def state_limit(state: State) -> int:
    """The octets of the largest message that a station reads in a state.

    Once a session is set up, a message out of turn must fit as well, so that it can be answered FAILED_SequenceError [V2G20-459]; only
    the few that may be longer than `OUT_OF_TURN` are cut off.
    """
    mistaken = 0 if state in (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP) else OUT_OF_TURN
    return max(mistaken, *(LIMITS[request].octets for request in requests_in(state)), 0)
