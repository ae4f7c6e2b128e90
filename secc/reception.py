"""supportedAppProtocol, which all generations of the standard have in common: it decides which of them a session speaks.

A request that comes before this negotiation is out of sequence; it is refused by a response of the newest generation that has it.
"""

from collections.abc import Sequence
from typing import Any

from secc.conduct import Conduct, Replied
from v2g.exi.schema import Type
from v2g.messages.app_protocol import responseCodeType, supportedAppProtocolReq, supportedAppProtocolRes
from v2g.session.sap import select

REQUEST: type[Type] = supportedAppProtocolReq
REFUSAL = supportedAppProtocolRes(ResponseCode=responseCodeType.Failed_NoNegotiation)


def choose_generation(request: Type, guests: Sequence[tuple[Conduct, Any]]) -> tuple[Conduct, Replied]:
    """The conduct of the generation whose protocol the car ranks first among those allowed here, and its answer [V2G20-167].

    `guests` are the generations, each with what its session knows; where none fits, the answer is the first one's refusal.
    """
    assert isinstance(request, supportedAppProtocolReq)
    spoken = [(protocol, conduct, known) for conduct, known in guests for protocol in conduct.protocols(known)]
    response, chosen = select(request, tuple(protocol for protocol, _, _ in spoken))
    for protocol, conduct, known in spoken:
        if protocol is chosen:
            return conduct, conduct.settle(known, request, response, protocol)
    conduct, known = guests[0]
    return conduct, conduct.settle(known, request, response, None)
