"""The functions by which the station's engine speaks ISO 15118-2, gathered in one `Conduct`."""

from typing import Any

from pki.tariff import sales_tariffs
from secc.enveloped.conduct import Own, conduct_of
from secc.iso2.answers import ANSWERS
from secc.iso2.authorization import foresee
from secc.iso2.notices import statuses
from secc.iso2.phases import PHASES
from secc.iso2.selection import modes
from secc.iso2.setup import proof
from secc.iso2.verifier import PkiVerifier, contract_chain
from secc.iso2.words import WORDS
from secc.neutral.context import NO_SESSION, Context
from v2g.exi.schema import Type
from v2g.iso2.sequence import State
from v2g.messages.iso2.msg_body import SessionSetupReq
from v2g.session.generation import Incoming


def resumption(request: Type, known: Context) -> tuple[bytes, bytes] | None:
    """The SessionID that a car wants to come back to, and what ties it to that car; None for a request that does not."""
    if not isinstance(request, SessionSetupReq) or known.step.told == NO_SESSION:
        return None
    return known.step.told, proof(request.EVCCID.hex().upper())


def signatures(heard: Incoming) -> tuple[Any, ...]:
    """The signature under the tariffs of a response, None where there was no key; empty where they were not to be signed."""
    wanted = any(each.Id is not None for each in sales_tariffs(heard.reading.message))
    return (heard.signature,) if wanted else ()


CONDUCT = conduct_of(
    WORDS,
    ANSWERS,
    PHASES,
    Own(
        carries=lambda around: True,  # any connection
        offers=lambda known: bool(modes(known)),
        statuses=statuses,
        resumption=resumption,
        verifier=PkiVerifier,
        contract_chain=contract_chain,
        signatures=signatures,
        signing=frozenset({State.CONTRACT, State.PAYMENT_DETAILS, State.AUTHORIZATION}),
        foresee=foresee,
    ),
)
