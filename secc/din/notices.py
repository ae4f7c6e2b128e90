"""What responses of DIN SPEC 70121 say besides their answer: how the outlet is, and its id in octets."""

import re
from functools import partial
from typing import Any, Final

from secc.din.words import WORDS
from secc.enveloped.notices import dc_status as enveloped_dc_status
from secc.neutral.context import Context

EVSE_ID_OCTETS: Final = 32
NOBODY: Final = b"\x00"  # of an outlet without an id that this generation can carry, as stations in the field say it
NUMBERED: Final = re.compile(r"\+?[0-9*]+")  # of DIN SPEC 91286, as +49*123*456*789

dc_status = partial(enveloped_dc_status, WORDS)


def evse_id(known: Context) -> bytes:
    """The id of the outlet as a car of this generation is told it: in half octets, A for the asterisk, where it is one of DIN SPEC 91286.

    Any other, as DE*ABC*E1, goes as the octets of its characters, which is what stations in the field do.
    """
    said = known.outlet.evse_id
    if NUMBERED.fullmatch(said):
        digits = said.removeprefix("+").replace("*", "A")
        found = bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)
    else:
        found = said.encode("ascii", "ignore")
    return found if 0 < len(found) <= EVSE_ID_OCTETS else NOBODY


def statuses(known: Context, fields: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a refusal that say how the outlet is, by name."""
    return {name: dc_status(known, ready=False) for name in ("DC_EVSEStatus", "EVSEStatus") if name in fields}
