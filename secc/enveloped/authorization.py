"""How long a car is put off while somebody decides whether it may charge, and what follows the verdict."""

from secc.claims import Claim
from secc.neutral.context import Attempt, Context
from secc.station import AuthorizationRefused, AuthorizationWanted, Authorized
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused


def decided(claim: Claim, known: Context) -> tuple[Context, bool, tuple[Event, ...]]:
    """The context after a car asked for its verdict, whether it may charge, and what the station is asked. Raises Refused for a no."""
    attempt = known.service.attempt
    known = known.with_attempt(claim=claim)
    match attempt.verdict:
        case Authorized() as verdict:
            return _granted(known, claim, verdict), True, ()
        case AuthorizationRefused(kind, reason, requirement):
            raise Refused(kind if claim.authorization == "PnC" else Reason.CARD_REFUSED, reason, requirement)
    if attempt.asked is None:
        known = known.with_session(claims=known.session.claims.another())
        number = known.session.claims.asked
        wanted = AuthorizationWanted(known.now, claim.authorization, known.agreement.evccid, claim.emaid, claim.chain, number)
        return known.with_attempt(asked=known.now, number=number), False, (wanted,)
    if known.now - attempt.asked >= known.outlet.authorization_limit:
        late = Reason.CONTRACT_REFUSED if claim.authorization == "PnC" else Reason.CARD_REFUSED
        raise Refused(late, f"nobody decided within {known.outlet.authorization_limit:g} s", None)
    return known, False, ()


def _granted(known: Context, claim: Claim, verdict: Authorized) -> Context:
    return known.with_service(challenge=b"", attempt=Attempt()).with_agreement(
        authorization=claim.authorization,
        permitted=verdict.energy_transfer,
        contract=claim.chain[0] if claim.chain else b"",
        emaid=claim.emaid,
    )
