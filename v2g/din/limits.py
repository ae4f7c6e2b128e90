"""How large each message of DIN SPEC 70121 may be, and which elements none carries: the numbers for what `v2g.session.bounds` describes.

The schema bounds none of its lists; the standard bounds those that it uses, and LISTS has both (`tests/v2g/din/test_limits.py` works the
numbers out). An envelope says which message is in it after its header: octets are looked at within the largest message that may come, and
the message's own limit is held to once it is read.
"""

from functools import cache
from typing import Final

from v2g.din.sequence import REQUESTS, RESPONSES, State, requests_in, response_to
from v2g.exi.codec import Bounds
from v2g.exi.schema import Type
from v2g.messages.din import msg_data_types as types
from v2g.messages.din.msg_body import (
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ChargeParameterDiscoveryRes,
    PaymentDetailsReq,
    ServiceDetailRes,
)
from v2g.session import bounds
from v2g.session.bounds import CAR_PATIENCE, CAR_UNUSUAL, KIB, NEGOTIATION, PATIENCE, SIGNED, UNUSUAL, Limit

# Entries of each list. Where the standard uses none, the number is that of ISO 15118-2, whose messages these became.
LISTS: Final[dict[tuple[type[Type], str], int]] = {
    (types.ChargingProfileType, "ProfileEntry"): 24,  # [V2G-DC-307]
    (types.PMaxScheduleType, "PMaxScheduleEntry"): 12,  # [V2G-DC-329]
    (types.SAScheduleListType, "SAScheduleTuple"): 5,
    (types.SelectedServiceListType, "SelectedService"): 16,  # 1 [V2G-DC-635]: a second one is refused in words
    (types.PaymentOptionsType, "PaymentOption"): 2,  # [V2G-DC-634]
    (types.ServiceTagListType, "Service"): 8,
    (types.ParameterSetType, "Parameter"): 16,
    (types.ServiceParameterListType, "ParameterSet"): 5,
    (types.SubCertificatesType, "Certificate"): 4,
    (types.ListOfRootCertificateIDsType, "RootCertificateID"): 20,
    (types.SalesTariffType, "SalesTariffEntry"): 12,
    (types.SalesTariffEntryType, "ConsumptionCost"): 3,
    (types.ConsumptionCostType, "Cost"): 3,
}
# No other message has more than 700 octets (ServiceDiscoveryRes, with eight services), and none is signed. A car that fills its frames with
# zeros is within.
ANY_OTHER: Final[Limit] = bounds.ANY_OTHER
LIMITS: Final[dict[type[Type], Limit]] = dict.fromkeys((*REQUESTS, *RESPONSES), ANY_OTHER) | NEGOTIATION
LIMITS.update(
    {
        PaymentDetailsReq: Limit(8 * KIB, 32),  # five certificates of 1,200 octets
        CertificateInstallationReq: Limit(4 * KIB, 48),  # one of them, and the names of 20 roots
        CertificateUpdateReq: Limit(8 * KIB, 64),  # five, and the roots
        ServiceDetailRes: Limit(32 * KIB, 400),  # five sets of 16 parameters of 100 characters and as many in the name
        CertificateInstallationRes: Limit(8 * KIB, 48),  # five certificates
        CertificateUpdateRes: Limit(8 * KIB, 48),
        ChargeParameterDiscoveryRes: Limit(12 * KIB, 2_000),  # five tuples of 12 powers, each with a tariff, which the standard leaves out
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

    Once a session is set up, a message out of turn must fit as well, so that it can be answered FAILED_SequenceError [V2G-DC-666].
    """
    mistaken = 0 if state in (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP) else REQUEST.octets
    return max(mistaken, *(LIMITS[request].octets for request in requests_in(state)), 0)
