"""The WARNING code of ISO 15118-20 for a refusal after which the session goes on."""

from secc.station import Objection
from v2g.iso20.refusals import warning_of
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused


def warning(objection: Objection) -> Code:
    """The WARNING code for an objection. Raises Refused for a reason that must end the session."""
    code = warning_of(objection.kind)
    if code is None:
        raise Refused(objection.kind, objection.reason, objection.requirement)
    return code
