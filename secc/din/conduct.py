"""The functions by which the station's engine speaks DIN SPEC 70121, gathered in one `Conduct`."""

from secc.din.answers import ANSWERS
from secc.din.notices import statuses
from secc.din.phases import PHASES
from secc.din.selection import carries, service
from secc.din.verifier import NothingSigned
from secc.din.words import WORDS
from secc.enveloped.conduct import Own, conduct_of

CONDUCT = conduct_of(
    WORDS,
    ANSWERS,
    PHASES,
    Own(
        carries=carries,
        offers=lambda known: service(known) is not None,
        statuses=statuses,
        resumption=lambda request, known: None,  # there is no pause
        verifier=NothingSigned,
        contract_chain=lambda request: (),
        signatures=lambda heard: (),
    ),
)
