"""What responses of ISO 15118-2 say besides their answer: by EVSEStatus what the station asks of the car, and how the outlet is."""

from functools import partial
from typing import Any, Final

from secc.enveloped.notices import asked
from secc.enveloped.notices import dc_status as enveloped_dc_status
from secc.iso2.words import WORDS
from secc.neutral.context import Context
from v2g.messages.iso2.msg_data_types import AC_EVSEStatusType, EVSEStatusType

NOBODY: Final = "ZZ00000"  # of an outlet without an id that this generation can carry
EVSE_ID: Final = range(7, 38)  # characters

dc_status = partial(enveloped_dc_status, WORDS)


def evse_id(known: Context) -> str:
    """The id of the outlet as a car of this generation is told it."""
    return known.outlet.evse_id if len(known.outlet.evse_id) in EVSE_ID else NOBODY


def ac_status(known: Context) -> AC_EVSEStatusType:
    """The AC_EVSEStatus of a response; no residual current is told, which the outlet itself acts upon."""
    notification, delay = asked(WORDS, known)
    return AC_EVSEStatusType(NotificationMaxDelay=delay, EVSENotification=notification, RCD=False)


def status(known: Context, ready: bool | None = None) -> EVSEStatusType:
    """The EVSEStatus of a response that AC and DC share."""
    selection = known.agreement.selection
    found: EVSEStatusType = dc_status(known, ready) if selection is not None and selection.dc else ac_status(known)
    return found


def statuses(known: Context, fields: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a refusal that say how the outlet is, by name."""
    made = {"AC_EVSEStatus": ac_status(known), "DC_EVSEStatus": dc_status(known, ready=False), "EVSEStatus": status(known, ready=False)}
    return {name: each for name, each in made.items() if name in fields}
