"""AuthorizationSetup, Authorization and CertificateInstallation: how a car gets leave to charge, and its contract."""

from dataclasses import replace
from typing import cast

from pki.certificate import identity
from secc.claims import Claim
from secc.iso20.notices import header
from secc.iso20.objections import warning
from secc.neutral.context import CHALLENGE_LENGTH, Attempt, Context, Installation, Reply
from secc.station import (
    Authorization,
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    CertificateInstallationWanted,
    CertificateReady,
    CertificateRefused,
    Objection,
)
from v2g.exi.codec import decode
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.iso20.refusals import reason_of
from v2g.iso20.sequence import State
from v2g.iso20.timing import SECC_ONGOING_TIMEOUT
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    NAMESPACE,
    AuthorizationReq,
    AuthorizationRes,
    AuthorizationSetupReq,
    AuthorizationSetupRes,
    CertificateInstallationReq,
    CertificateInstallationRes,
    EIM_ASResAuthorizationModeType,
    PnC_ASResAuthorizationModeType,
    SupportedProvidersListType,
    authorizationType,
)
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.errors import Refused, SequenceError
from v2g.session.generation import Incoming

PROVIDER = 5  # characters of an eMAID that name its provider: country and provider id


def offered(known: Context) -> tuple[Authorization, ...]:
    """The ways to authorize that are offered; Plug & Charge only where there is a verifier."""
    return tuple(way for way in known.outlet.authorizations if way == "EIM" or known.given.verifier is not None)


def authorization_setup(_: AuthorizationSetupReq, known: Context) -> Reply:
    """Offer the ways to authorize; for Plug & Charge with a challenge for this session alone [V2G20-698] [V2G20-1219] [V2G20-2568]."""
    ways, outlet = offered(known), known.outlet
    challenge = known.given.entropy(CHALLENGE_LENGTH) if "PnC" in ways else b""
    providers = SupportedProvidersListType(ProviderID=outlet.providers) if outlet.providers else None
    response = AuthorizationSetupRes(
        Header=header(known),
        ResponseCode=Code.OK,
        AuthorizationServices=tuple(authorizationType(way) for way in ways),
        CertificateInstallationService=outlet.certificate_installation,
        EIM_ASResAuthorizationMode=None if challenge else EIM_ASResAuthorizationModeType(),  # [V2G20-1220] [V2G20-2567]
        PnC_ASResAuthorizationMode=PnC_ASResAuthorizationModeType(GenChallenge=challenge, SupportedProviders=providers)
        if challenge
        else None,
    )
    return Reply(response, State.AUTHORIZATION, known.with_service(challenge=challenge))


def authorization(request: AuthorizationReq, known: Context) -> Reply:
    """Answer the car's claim: Ongoing while the backend decides, a WARNING if it refuses; the car may then try again [V2G20-2230]."""
    way = request.SelectedAuthorizationService.value
    mode = "EIM" if request.PnC_AReqAuthorizationMode is None else "PnC"
    if way not in offered(known) or way != mode:
        asked_for = way if way == mode else f"{way} with the content of {mode}"
        why = f"{asked_for} was asked for, offered is {', '.join(offered(known))}"
        return _decided(known, Objection(Reason.WRONG_AUTHORIZATION, why, "V2G20-2209"))  # [V2G20-2226]
    known = _claimed(request, known)
    claim, verdict = cast(Claim, known.service.attempt.claim), known.service.attempt.verdict
    if claim.warning is not None:
        return _decided(known, claim.warning)
    if isinstance(verdict, Authorized):
        return _granted(known, claim, verdict)
    if isinstance(verdict, AuthorizationRefused):
        kind = verdict.kind if way == "PnC" else Reason.CARD_REFUSED  # [V2G20-2219]
        return _decided(known, Objection(kind, verdict.reason, verdict.requirement))
    if known.service.attempt.asked is None:
        known = known.with_session(claims=known.session.claims.another())
        number = known.session.claims.asked
        wanted = AuthorizationWanted(known.now, claim.authorization, known.agreement.evccid, claim.emaid, claim.chain, number)
        relaxed = tuple(deviation.used(known.now) for deviation in claim.relaxed)
        asked = known.with_attempt(asked=known.now, number=number)
        return Reply(_answered(known, Code.OK, processingType.Ongoing), State.AUTHORIZATION, asked, (wanted, *relaxed))
    if known.now - known.service.attempt.asked >= known.outlet.authorization_limit:
        late = Reason.CONTRACT_REFUSED if way == "PnC" else Reason.CARD_REFUSED
        return _decided(known, Objection(late, f"nobody decided within {known.outlet.authorization_limit:g} s", None))
    return Reply(_answered(known, Code.OK, processingType.Ongoing), State.AUTHORIZATION, known)


def foresee(heard: Incoming, known: Context, wall: float) -> None:
    """Judge the chain and signature of a request before its answer asks; `wall` is the present (epoch s). A poll was judged before."""
    request, foreseen = heard.reading.message, known.given.foreseen
    if foreseen is None:
        return
    if isinstance(request, AuthorizationReq) and request.PnC_AReqAuthorizationMode is not None and not _repeated(request, known):
        foreseen.foresee("contract", request, known.service.challenge, wall)
    elif isinstance(request, CertificateInstallationReq) and known.outlet.certificate_installation and not _asked(request, known):
        foreseen.foresee("provisioning", request, None, wall)


def _presented(request: AuthorizationReq) -> tuple[Authorization, object]:
    """The way to authorize, and what was signed for it."""
    if request.PnC_AReqAuthorizationMode is None:
        return "EIM", None
    return "PnC", (request.PnC_AReqAuthorizationMode, request.Header.Signature)


def _repeated(request: AuthorizationReq, known: Context) -> bool:
    """Whether a request repeats the claim that is being judged."""
    claim = known.service.attempt.claim
    return claim is not None and (claim.authorization, claim.presented) == _presented(request)


def _claimed(request: AuthorizationReq, known: Context) -> Context:
    """The context with this request's claim. A poll repeats the claim [V2G20-1582]; another claim needs another verdict."""
    if _repeated(request, known):
        return known
    (way, presented), claim = _presented(request), known.service.attempt.claim
    early = known.service.attempt.verdict if claim is None and way == "EIM" else None  # a card may be shown before the car asks
    if way == "EIM":
        return known.with_service(attempt=Attempt(claim=Claim("EIM"), verdict=early))
    assert known.given.verifier is not None
    judged = known.given.verifier.contract(request, known.service.challenge, known.wall)
    if judged.warning is None and known.outlet.providers and judged.emaid[:PROVIDER] not in known.outlet.providers:
        taken = ", ".join(known.outlet.providers)
        why = f"provider {judged.emaid[:PROVIDER]} is none of the SupportedProviders that the car was told: {taken}"
        judged = replace(judged, warning=Objection(Reason.UNKNOWN_PROVIDER, why, None))
    claimed = replace(judged, presented=presented)
    if claim is not None and claim.warning is None and judged.warning is None and _same_contract(claim, judged):
        return known.with_attempt(claim=claimed)  # signed anew: ECDSA is random, and each copy has another form; it was verified, no more
    return known.with_service(attempt=Attempt(claim=claimed))


def _same_contract(one: Claim, other: Claim) -> bool:
    """Whether two claims, both for this session's challenge, are by the same contract, whoever turned which signature in it."""
    chains = [tuple(identity(der) for der in claim.chain) for claim in (one, other)]
    return one.authorization == other.authorization == "PnC" and chains[0] == chains[1]


def _answered(known: Context, code: Code, processing: processingType) -> AuthorizationRes:
    return AuthorizationRes(Header=header(known), ResponseCode=code, EVSEProcessing=processing)


def _decided(known: Context, objection: Objection) -> Reply:
    """A no: the next attempt begins from nothing."""
    response = _answered(known, warning(objection), processingType.Finished)
    return Reply(response, State.AUTHORIZATION, known.with_service(attempt=Attempt()), objection=objection)


def _granted(known: Context, claim: Claim, verdict: Authorized) -> Reply:
    soon = claim.expires_soon or verdict.expires_soon
    granted = known.with_service(challenge=b"", attempt=Attempt()).with_agreement(
        authorization=claim.authorization,
        permitted=verdict.energy_transfer,
        contract=claim.chain[0] if claim.chain else b"",
        emaid=claim.emaid,
    )
    response = _answered(known, Code.OK_CertificateExpiresSoon if soon else Code.OK, processingType.Finished)
    return Reply(response, State.SERVICE_DISCOVERY, granted)


def _asked(request: CertificateInstallationReq, known: Context) -> bool:
    """Whether the backend was asked for this contract already: the car polls."""
    return known.service.installation.request == identity(request.OEMProvisioningCertificateChain.Certificate)


def certificate_installation(request: CertificateInstallationReq, known: Context) -> Reply:
    """Pass a request for a contract to the backend, and its response to the car, which polls meanwhile."""
    if not known.outlet.certificate_installation:
        raise SequenceError("CertificateInstallationService was not offered", "V2G20-459")
    certificate = identity(request.OEMProvisioningCertificateChain.Certificate)
    if not _asked(request, known):
        warning = known.given.verifier.provisioning(request, known.wall) if known.given.verifier is not None else None
        if warning is not None:
            return _no_installation(known, warning)
        known = known.with_session(installations=known.session.installations.another())
        number = known.session.installations.asked
        wanted = CertificateInstallationWanted(
            known.now,
            known.moment.exi,
            NAMESPACE,
            request.MaximumContractCertificateChains,
            request.PrioritizedEMAIDs.EMAID if request.PrioritizedEMAIDs else (),
            number,
        )
        asked = known.with_service(installation=Installation(request=certificate, asked=known.now, number=number))
        return _installation(asked, Code.OK, processingType.Ongoing, (wanted,))
    match known.service.installation.outcome:
        case CertificateReady(exi):
            return _installed(known, exi)
        case CertificateRefused(kind, reason, requirement):
            return _no_installation(_installation_over(known), Objection(kind, reason, requirement))
    if known.service.installation.asked is not None and known.now - known.service.installation.asked >= SECC_ONGOING_TIMEOUT:
        late = f"no contract came within {SECC_ONGOING_TIMEOUT:g} s"
        return _no_installation(_installation_over(known), Objection(Reason.NO_CERTIFICATE, late, None))
    return _installation(known, Code.OK, processingType.Ongoing)


def _installation_over(known: Context) -> Context:
    return known.with_service(installation=Installation())


def _installation(known: Context, code: Code, processing: processingType, wants: tuple[CertificateInstallationWanted, ...] = ()) -> Reply:
    response = least(CertificateInstallationRes, Header=header(known), ResponseCode=code, EVSEProcessing=processing)
    return Reply(response, State.AUTHORIZATION, known, wants)


def _no_installation(known: Context, objection: Objection) -> Reply:
    return replace(_installation(known, warning(objection), processingType.Finished), objection=objection)


def _installed(known: Context, exi: bytes) -> Reply:
    """The backend's response under this session's header; its signature covers SignedInstallationData and stays with it."""
    try:
        ready = decode(exi, schema_set("common"))
    except DecodeError as error:
        raise Refused(Reason.OTHER, f"the backend's response is no message: {error}", None) from error
    if not isinstance(ready, CertificateInstallationRes):
        raise Refused(Reason.OTHER, f"the backend answered with a {type(ready).__name__}", None)
    if ready.ResponseCode.value.startswith("FAILED"):
        raise Refused(reason_of(ready.ResponseCode), "the provisioning service refuses the request", None)
    response = CertificateInstallationRes(
        Header=type(header(known))(SessionID=known.session.id, TimeStamp=header(known).TimeStamp, Signature=ready.Header.Signature),
        ResponseCode=ready.ResponseCode,
        EVSEProcessing=processingType.Finished,
        CPSCertificateChain=ready.CPSCertificateChain,
        SignedInstallationData=ready.SignedInstallationData,
        RemainingContractCertificateChains=ready.RemainingContractCertificateChains,
    )
    said = ready.ResponseCode.value
    objection = Objection(reason_of(ready.ResponseCode), f"the provisioning service answers {said}", None)
    over = _installation_over(known)
    return Reply(response, State.AUTHORIZATION, over, objection=objection if said.startswith("WARNING") else None)
