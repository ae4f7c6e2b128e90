"""How large each message of ISO 15118-2 may be, and which elements none carries: the numbers for what `v2g.session.bounds` describes.

The numbers are the schema's own maxima, rounded up (`tests/v2g/iso2/test_limits.py` works them out), each with envelope and signature.
Strings without a maximum, such as the names of roots and the URIs of a signature, are counted with 100 characters. An envelope says which
message is in it after its header: octets are looked at within the largest message that may come, and the message's own limit is held to
once it is read.
"""

from functools import cache
from typing import Final

from v2g.exi.codec import Bounds
from v2g.exi.schema import Type
from v2g.iso2.sequence import REQUESTS, RESPONSES, State, requests_in, response_to
from v2g.messages.iso2.msg_body import (
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ChargeParameterDiscoveryRes,
    PaymentDetailsReq,
    ServiceDetailRes,
    ServiceDiscoveryRes,
)
from v2g.session import bounds
from v2g.session.bounds import CAR_PATIENCE, CAR_UNUSUAL, KIB, NEGOTIATION, PATIENCE, SIGNED, UNUSUAL, Limit

# Signed, no other request has more than 712 octets (PowerDeliveryReq, with a profile of 24 entries), no other response more than 622. A car
# that fills its frames with zeros, as one does up to 630 octets, is within.
ANY_OTHER: Final[Limit] = bounds.ANY_OTHER
LIMITS: Final[dict[type[Type], Limit]] = dict.fromkeys((*REQUESTS, *RESPONSES), ANY_OTHER) | NEGOTIATION
LIMITS.update(
    {
        PaymentDetailsReq: Limit(5 * KIB, 32),  # five certificates of 800 octets
        CertificateInstallationReq: Limit(4 * KIB, 48),  # one of them, and the names of 20 roots with their serial numbers
        CertificateUpdateReq: Limit(8 * KIB, 64),  # five, and the roots
        ServiceDiscoveryRes: Limit(2 * KIB, 48),  # eight services of 100 characters
        ServiceDetailRes: Limit(KIB * KIB, 4_500),  # 255 sets of 16 parameters of 100 characters and as many in the name
        CertificateInstallationRes: Limit(10 * KIB, 48),  # ten certificates
        CertificateUpdateRes: Limit(10 * KIB, 48),
        # three tuples of 1024 powers, each with a tariff of 1024 entries of nine costs
        ChargeParameterDiscoveryRes: Limit(384 * KIB, 64_000),
    }
)
BOUNDS: Final = Bounds(SIGNED, unusual=UNUSUAL, patience=PATIENCE)
CAR_BOUNDS: Final = Bounds(SIGNED, unusual=CAR_UNUSUAL, patience=CAR_PATIENCE)
REQUEST: Final = Limit(max(LIMITS[each].octets for each in REQUESTS), max(LIMITS[each].items for each in REQUESTS))
RESPONSE: Final = Limit(max(LIMITS[each].octets for each in RESPONSES), max(LIMITS[each].items for each in RESPONSES))


def answer_limit(request: type[Type]) -> int:
    """Octets of the largest response to a request."""
    return LIMITS[response_to(request)].octets


@cache
def state_limit(state: State) -> int:
    """The octets of the largest message that a station reads in a state.

    Once a session is set up, a message out of turn must fit as well, so that it can be answered FAILED_SequenceError [V2G2-538].
    """
    mistaken = 0 if state in (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP) else REQUEST.octets
    return max(mistaken, *(LIMITS[request].octets for request in requests_in(state)), 0)
