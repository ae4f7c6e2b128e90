"""AuthorizationSetup, Authorization and CertificateInstallation: who may charge, and on what grounds."""

from dataclasses import replace
from typing import cast

from pki.certificate import identity
from secc.context import CHALLENGE_LENGTH, Claim, Context, Reply
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
from v2g.messages import schema_set
from v2g.messages.common_messages import (
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
from v2g.session.endpoint import Relaxed
from v2g.session.errors import Refused, SequenceError
from v2g.session.sequence import State
from v2g.session.timing import SECC_ONGOING_TIMEOUT

PROVIDER = 5  # characters of an eMAID that name its provider: country and provider id


def offered(known: Context) -> tuple[Authorization, ...]:
    """The ways to authorize here; Plug & Charge only where somebody can verify it."""
    return tuple(way for way in known.outlet.authorizations if way == "EIM" or known.verifier is not None)


def authorization_setup(_: AuthorizationSetupReq, known: Context) -> Reply:
    """The ways to authorize; with Plug & Charge among them, a challenge for this session alone [V2G20-698] [V2G20-1219] [V2G20-2568]."""
    ways, outlet = offered(known), known.outlet
    challenge = known.entropy(CHALLENGE_LENGTH) if "PnC" in ways else b""
    providers = SupportedProvidersListType(ProviderID=outlet.providers) if outlet.providers else None
    response = AuthorizationSetupRes(
        Header=known.header,
        ResponseCode=Code.OK,
        AuthorizationServices=tuple(authorizationType(way) for way in ways),
        CertificateInstallationService=outlet.certificate_installation,
        EIM_ASResAuthorizationMode=None if challenge else EIM_ASResAuthorizationModeType(),  # [V2G20-1220] [V2G20-2567]
        PnC_ASResAuthorizationMode=PnC_ASResAuthorizationModeType(GenChallenge=challenge, SupportedProviders=providers)
        if challenge
        else None,
    )
    return Reply(response, State.AUTHORIZATION, replace(known, challenge=challenge))


def authorization(request: AuthorizationReq, known: Context) -> Reply:
    """The verdict on a claim: Ongoing while the backend thinks, a WARNING for a no, after which the car may try again [V2G20-2230]."""
    way = request.SelectedAuthorizationService.value
    mode = "EIM" if request.PnC_AReqAuthorizationMode is None else "PnC"
    if way not in offered(known) or way != mode:
        asked_for = way if way == mode else f"{way} with the content of {mode}"
        why = f"{asked_for} was asked for, offered is {', '.join(offered(known))}"
        return _decided(known, Objection(Code.WARNING_AuthorizationSelectionInvalid, why, "V2G20-2209"))  # [V2G20-2226]
    known = _claimed(request, known)
    claim, verdict = cast(Claim, known.claim), known.verdict
    if claim.warning is not None:
        return _decided(known, claim.warning)
    if isinstance(verdict, Authorized):
        return _granted(known, claim, verdict)
    if isinstance(verdict, AuthorizationRefused):
        code = verdict.code if way == "PnC" else Code.WARNING_EIMAuthorizationFailure  # [V2G20-2219]
        return _decided(known, Objection(code, verdict.reason, verdict.requirement))
    if known.asked is None:
        wanted = AuthorizationWanted(known.now, claim.authorization, known.agreement.evccid, claim.emaid, claim.chain)
        relaxed = tuple(Relaxed(known.now, deviation.name, deviation.requirement) for deviation in claim.relaxed)
        asked = replace(known, asked=known.now)
        return Reply(_answered(known, Code.OK, processingType.Ongoing), State.AUTHORIZATION, asked, (wanted, *relaxed))
    if known.now - known.asked >= known.outlet.authorization_limit:
        late = Code.WARNING_GeneralPnCAuthorizationError if way == "PnC" else Code.WARNING_EIMAuthorizationFailure
        return _decided(known, Objection(late, f"nobody decided within {known.outlet.authorization_limit:g} s", None))
    return Reply(_answered(known, Code.OK, processingType.Ongoing), State.AUTHORIZATION, known)


def _claimed(request: AuthorizationReq, known: Context) -> Context:
    """The context with this request's claim. A poll repeats the claim [V2G20-1582]; another claim needs another verdict."""
    way: Authorization = "EIM" if request.PnC_AReqAuthorizationMode is None else "PnC"
    presented = (request.PnC_AReqAuthorizationMode, request.Header.Signature) if way == "PnC" else None
    claim = known.claim
    if claim is not None and (claim.authorization, claim.presented) == (way, presented):
        return known
    early = known.verdict if claim is None and way == "EIM" else None  # a card may be shown before the car asks
    if way == "EIM":
        return replace(known, claim=Claim("EIM"), asked=None, verdict=early)
    assert known.verifier is not None
    judged = known.verifier.contract(request, known.challenge, known.wall)
    if judged.warning is None and known.outlet.providers and judged.emaid[:PROVIDER] not in known.outlet.providers:
        taken = ", ".join(known.outlet.providers)
        why = f"provider {judged.emaid[:PROVIDER]} is none of the SupportedProviders that the car was told: {taken}"
        judged = replace(judged, warning=Objection(Code.WARNING_eMSPUnknown, why, None))
    claimed = replace(judged, presented=presented)
    if claim is not None and claim.warning is None and judged.warning is None and _same_contract(claim, judged):
        return replace(known, claim=claimed)  # signed anew: ECDSA is random, and each copy has another form; it was verified, no more
    return replace(known, claim=claimed, asked=None, verdict=None)


def _same_contract(one: Claim, other: Claim) -> bool:
    """Whether two claims, both for this session's challenge, are by the same contract, whoever turned which signature in it."""
    chains = [tuple(identity(der) for der in claim.chain) for claim in (one, other)]
    return one.authorization == other.authorization == "PnC" and chains[0] == chains[1]


def _answered(known: Context, code: Code, processing: processingType) -> AuthorizationRes:
    return AuthorizationRes(Header=known.header, ResponseCode=code, EVSEProcessing=processing)


def _decided(known: Context, objection: Objection) -> Reply:
    """A no: the next attempt begins from nothing."""
    if not objection.code.value.startswith("WARNING"):
        raise Refused(objection.code, objection.reason, objection.requirement)
    response = _answered(known, objection.code, processingType.Finished)
    return Reply(response, State.AUTHORIZATION, replace(known, claim=None, asked=None, verdict=None), objection=objection)


def _granted(known: Context, claim: Claim, verdict: Authorized) -> Reply:
    soon = claim.expires_soon or verdict.expires_soon
    agreement = replace(
        known.agreement,
        authorization=claim.authorization,
        permitted=verdict.energy_transfer,
        contract=claim.chain[0] if claim.chain else b"",
        emaid=claim.emaid,
    )
    response = _answered(known, Code.OK_CertificateExpiresSoon if soon else Code.OK, processingType.Finished)
    return Reply(response, State.SERVICE_DISCOVERY, replace(known, agreement=agreement, challenge=b"", claim=None))


def certificate_installation(request: CertificateInstallationReq, known: Context) -> Reply:
    """Relay a request for a contract, and the backend's response when it is there; the car polls meanwhile."""
    if not known.outlet.certificate_installation:
        raise SequenceError("CertificateInstallationService was not offered", "V2G20-459")
    certificate = identity(request.OEMProvisioningCertificateChain.Certificate)
    if known.installation_request != certificate:
        warning = known.verifier.provisioning(request, known.wall) if known.verifier is not None else None
        if warning is not None:
            return _no_installation(known, warning)
        wanted = CertificateInstallationWanted(
            known.now,
            known.exi,
            request.MaximumContractCertificateChains,
            request.PrioritizedEMAIDs.EMAID if request.PrioritizedEMAIDs else (),
        )
        asked = replace(known, installation_request=certificate, installation_asked=known.now, installation=None)
        return _installation(asked, Code.OK, processingType.Ongoing, (wanted,))
    match known.installation:
        case CertificateReady(exi):
            return _installed(known, exi)
        case CertificateRefused(code, reason, requirement):
            return _no_installation(_installation_over(known), Objection(code, reason, requirement))
    if known.installation_asked is not None and known.now - known.installation_asked >= SECC_ONGOING_TIMEOUT:
        late = f"no contract came within {SECC_ONGOING_TIMEOUT:g} s"
        return _no_installation(_installation_over(known), Objection(Code.WARNING_NoCertificateAvailable, late, None))
    return _installation(known, Code.OK, processingType.Ongoing)


def _installation_over(known: Context) -> Context:
    return replace(known, installation_request=b"", installation_asked=None, installation=None)


def _installation(known: Context, code: Code, processing: processingType, wants: tuple[CertificateInstallationWanted, ...] = ()) -> Reply:
    response = least(CertificateInstallationRes, Header=known.header, ResponseCode=code, EVSEProcessing=processing)
    return Reply(response, State.AUTHORIZATION, known, wants)


def _no_installation(known: Context, objection: Objection) -> Reply:
    return replace(_installation(known, objection.code, processingType.Finished), objection=objection)


def _installed(known: Context, exi: bytes) -> Reply:
    """The backend's response under this session's header; its signature covers SignedInstallationData and stays with it."""
    try:
        ready = decode(exi, schema_set("common"))
    except DecodeError as error:
        raise Refused(Code.FAILED, f"the backend's response is no message: {error}", None) from error
    if not isinstance(ready, CertificateInstallationRes):
        raise Refused(Code.FAILED, f"the backend answered with a {type(ready).__name__}", None)
    if ready.ResponseCode.value.startswith("FAILED"):
        raise Refused(ready.ResponseCode, "the provisioning service refuses the request", None)
    response = CertificateInstallationRes(
        Header=type(known.header)(SessionID=known.session_id, TimeStamp=known.header.TimeStamp, Signature=ready.Header.Signature),
        ResponseCode=ready.ResponseCode,
        EVSEProcessing=processingType.Finished,
        CPSCertificateChain=ready.CPSCertificateChain,
        SignedInstallationData=ready.SignedInstallationData,
        RemainingContractCertificateChains=ready.RemainingContractCertificateChains,
    )
    return Reply(response, State.AUTHORIZATION, _installation_over(known))
