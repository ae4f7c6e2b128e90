"""CertificateInstallation and CertificateUpdate: a request for a contract goes to the backend as it came, and its response to the car."""

from typing import Any

from secc.neutral.context import Context, Installation, Pending, Reply
from secc.station import CertificateInstallationWanted, CertificateReady, CertificateRefused
from v2g.exi.errors import DecodeError
from v2g.iso2 import frames
from v2g.iso2.refusals import reason_of
from v2g.iso2.sequence import State, response_to
from v2g.iso2.services import CERTIFICATE, PROTOCOL
from v2g.iso2.timing import timing
from v2g.messages.iso2.msg_body import CertificateInstallationReq, CertificateUpdateReq
from v2g.reasons import Reason
from v2g.session.errors import Refused, SequenceError
from v2g.session.v2gtp import PayloadType

MARGIN = 0.5  # s before the performance time is over, so that the car hears a no in time


def certificate_installation(request: CertificateInstallationReq | CertificateUpdateReq, known: Context) -> Reply | Pending:
    """Wait for the backend's response: this generation cannot say Ongoing. Raises Refused where there is none in time, or it refuses."""
    if CERTIFICATE not in known.service.offered:
        raise SequenceError("the service Certificate was not offered", "V2G2-538")
    until = known.moment.received + timing(type(request)).secc_performance - MARGIN
    installation = known.service.installation
    if installation.asked is None:
        known = known.with_session(installations=known.session.installations.another())
        update = isinstance(request, CertificateUpdateReq)
        number = known.session.installations.asked
        asked = known.with_service(installation=Installation(asked=known.now, number=number))
        wanted = CertificateInstallationWanted(known.now, known.moment.exi, PROTOCOL.namespace, None, (), number, update)
        return Pending(asked, until, (wanted,))
    match installation.outcome:
        case CertificateReady(exi):
            return _installed(request, known, exi)
        case CertificateRefused(kind, reason, requirement):
            raise Refused(kind, reason, requirement)
    if known.now >= until:
        raise Refused(Reason.NO_CERTIFICATE, f"no contract came within {until - known.moment.received:g} s", None)
    return Pending(known, until)


def _installed(request: Any, known: Context, exi: bytes) -> Reply:
    """The backend's response in this session's envelope; its signature covers four of its elements and stays with it."""
    try:
        ready = frames.read(PayloadType.EXI, exi, by_car=True)
    except DecodeError as error:
        raise Refused(Reason.OTHER, f"the backend's response is no message: {error}", None) from error
    body: Any = ready.reading.message
    if type(body) is not response_to(type(request)):
        raise Refused(Reason.OTHER, f"the backend answered with a {type(body).__name__}", None)
    code: Any = getattr(body, "ResponseCode", None)
    if code.value.startswith("FAILED"):
        raise Refused(reason_of(code), "the provisioning service refuses the request", None)
    over = known.with_service(installation=Installation())
    return Reply(body, State.PAYMENT_DETAILS, over, signature=ready.signature)
