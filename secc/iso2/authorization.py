"""PaymentDetails and Authorization: how a car gets leave to charge."""

from dataclasses import replace

from secc.claims import Claim, Signed
from secc.enveloped.authorization import decided
from secc.neutral.context import CHALLENGE_LENGTH, Attempt, Context, Reply
from secc.station import Objection
from v2g.iso2.sequence import State
from v2g.messages.iso2.msg_body import AuthorizationReq, AuthorizationRes, PaymentDetailsReq, PaymentDetailsRes
from v2g.messages.iso2.msg_data_types import EVSEProcessingType
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.errors import Refused
from v2g.session.generation import Incoming

PROVIDER = 5  # characters of an eMAID that name its provider: country and provider id


def payment_details(request: PaymentDetailsReq, known: Context) -> Reply:
    """Verify the contract that a car shows, and give it a challenge for this session alone [V2G2-697]. Raises Refused for a wrong one."""
    assert known.given.verifier is not None
    claim = known.given.verifier.contract(request, b"", known.wall)
    if claim.warning is not None:
        raise _refused(claim.warning)
    if known.outlet.providers and claim.emaid[:PROVIDER] not in known.outlet.providers:
        taken = ", ".join(known.outlet.providers)
        raise Refused(
            Reason.UNKNOWN_PROVIDER, f"provider {claim.emaid[:PROVIDER]} is none of {taken}, whose contracts are taken here", None
        )
    challenge = known.given.entropy(CHALLENGE_LENGTH)
    code = Code.OK_CertificateExpiresSoon if claim.expires_soon else Code.OK
    response = PaymentDetailsRes(ResponseCode=code, GenChallenge=challenge, EVSETimeStamp=int(known.wall))
    learnt = known.with_service(challenge=challenge, attempt=Attempt(claim=claim))
    relaxed = tuple(deviation.used(known.now) for deviation in claim.relaxed)
    return Reply(response, State.AUTHORIZATION, learnt, relaxed)


def foresee(heard: Incoming, known: Context, wall: float) -> None:
    """Judge the contract that a car shows, or what it signs with it, before the answer asks; `wall` is the present (epoch s)."""
    request, foreseen, claim = heard.reading.message, known.given.foreseen, known.service.attempt.claim
    if foreseen is None:
        return
    if isinstance(request, PaymentDetailsReq):
        foreseen.foresee("contract", request, b"", wall)
    elif isinstance(request, AuthorizationReq) and claim is not None and claim.chain and claim.presented is None:
        foreseen.foresee("metering", Signed(request, heard.signature), claim.chain[0], wall)


def _refused(objection: Objection) -> Refused:
    """In this generation whatever is wrong with a contract ends the session."""
    return Refused(objection.kind, objection.reason, objection.requirement)


def authorization(request: AuthorizationReq, known: Context) -> Reply:
    """Answer Ongoing while the backend decides. Raises Refused where it refuses, and for a challenge that is not signed by the contract."""
    claim = known.service.attempt.claim or Claim("EIM")
    if known.agreement.authorization == "PnC" and claim.presented is None:
        _demand_signed(request, claim, known)
        claim = replace(claim, presented=request.GenChallenge)
    known, may_charge, wants = decided(claim, known)
    if may_charge:
        finished = AuthorizationRes(ResponseCode=Code.OK, EVSEProcessing=EVSEProcessingType.Finished)
        return Reply(finished, State.PARAMETERS, known)
    return Reply(_ongoing(claim), State.AUTHORIZATION, known, wants)


def _demand_signed(request: AuthorizationReq, claim: Claim, known: Context) -> None:
    """Raises Refused unless the car signed this session's challenge with the key of the contract that it showed."""
    if request.GenChallenge != known.service.challenge:
        raise Refused(Reason.WRONG_CHALLENGE, "GenChallenge is not the one this session issued", "V2G2-475")
    assert known.given.verifier is not None
    known.given.verifier.metering(Signed(request, known.step.signature), claim.chain[0])


def _ongoing(claim: Claim) -> AuthorizationRes:
    """Of EIM it says that somebody has to do something: the car's timer then waits for a card."""
    waits = EVSEProcessingType.Ongoing_WaitingForCustomerInteraction if claim.authorization == "EIM" else EVSEProcessingType.Ongoing
    return AuthorizationRes(ResponseCode=Code.OK, EVSEProcessing=waits)
