"""WPT before power: a vehicle finds its place over the ground device, is paired with it, and the alignment of the coils is checked.

    FinePositioningSetup (poll) > FinePositioning (poll) > Pairing (poll) > parameters, schedule > AlignmentCheck (poll) > power

Each step goes on while either side says Ongoing. Nothing is excited before the check of the alignment, and that only over a vehicle that is
paired and in its place.
"""

from collections.abc import Iterable
from enum import Enum

from secc.iso20.notices import header
from secc.neutral.context import Context, Reply
from secc.neutral.field import misplaced, obstructed
from secc.station import Alignment, CheckAlignment, PairVehicle
from v2g.iso20.rational import number, rational
from v2g.iso20.sequence import State
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.messages.wpt import (
    WPT_AlignmentCheckMethodListType,
    WPT_AlignmentCheckMethodType,
    WPT_AlignmentCheckReq,
    WPT_AlignmentCheckRes,
    WPT_EVResultType,
    WPT_FinePositioningMethodListType,
    WPT_FinePositioningMethodType,
    WPT_FinePositioningReq,
    WPT_FinePositioningRes,
    WPT_FinePositioningSetupReq,
    WPT_FinePositioningSetupRes,
    WPT_PairingMethodListType,
    WPT_PairingMethodType,
    WPT_PairingReq,
    WPT_PairingRes,
)
from v2g.reasons import Reason
from v2g.session.errors import Refused

STEP_LIMIT = 55.0  # s that the ground device may take for a step; below the 60 s for which a vehicle asks
Ongoing, Finished = processingType.Ongoing, processingType.Finished


def fine_positioning_setup(request: WPT_FinePositioningSetupReq, known: Context) -> Reply:
    """Tell the methods and the geometry of the ground device. Raises Refused where a step has no method in common."""
    ours = known.outlet.ground_device
    _demand_common("fine positioning", request.EVDeviceFinePositioningMethodList.WPT_FinePositioningMethod, ours.positioning)
    _demand_common("pairing", request.EVDevicePairingMethodList.WPT_PairingMethod, ours.pairing)
    _demand_common("the alignment check", request.EVDeviceAlignmentCheckMethodList.WPT_AlignmentCheckMethod, ours.alignment_check)
    response = WPT_FinePositioningSetupRes(
        Header=header(known),
        ResponseCode=Code.OK,
        PrimaryDeviceFinePositioningMethodList=WPT_FinePositioningMethodListType(
            WPT_FinePositioningMethod=tuple(map(WPT_FinePositioningMethodType, ours.positioning))
        ),
        PrimaryDevicePairingMethodList=WPT_PairingMethodListType(WPT_PairingMethod=tuple(map(WPT_PairingMethodType, ours.pairing))),
        PrimaryDeviceAlignmentCheckMethodList=WPT_AlignmentCheckMethodListType(
            WPT_AlignmentCheckMethod=tuple(map(WPT_AlignmentCheckMethodType, ours.alignment_check))
        ),
        NaturalOffset=ours.natural_offset,
    )
    return Reply(response, State.WPT_POSITIONING if request.EVProcessing is Finished else State.WPT_SETUP, known)


def _demand_common(step: str, theirs: Iterable[Enum], ours: Iterable[str]) -> None:
    said, has = [str(method.value) for method in theirs], list(ours)
    if not set(said) & set(has):
        why = f"no method of {step} in common: the vehicle has {', '.join(said)}, the ground device {', '.join(has)}"
        raise Refused(Reason.OTHER, why, None)


def fine_positioning(request: WPT_FinePositioningReq, known: Context) -> Reply:
    """Ongoing until the vehicle stands where the ground device reaches it."""
    _demand_no_failure(request.EVResultCode, "fine positioning", Reason.FIELD)
    place = known.station.position
    there = place is not None and place.reachable and not known.unparked
    response = WPT_FinePositioningRes(Header=header(known), ResponseCode=Code.OK, EVSEProcessing=Finished if there else Ongoing)
    done = there and request.EVProcessing is Finished
    return Reply(response, State.WPT_PAIRING if done else State.WPT_POSITIONING, known)


def pairing(request: WPT_PairingReq, known: Context) -> Reply:
    """Ongoing until the ground device has found out that this vehicle stands over it. Raises Refused, with its reason, where it has not."""
    _demand_no_failure(request.EVResultCode, "pairing", Reason.ASSOCIATION)
    _demand_placed(known, Reason.ASSOCIATION)
    observed, asked, found = request.ObservedIDCode, known.service.pairing_asked, known.station.pairing
    if asked is None or (asked[0] is None and observed is not None):  # a vehicle may observe the code later than it asks
        since = known.now if asked is None else asked[1]
        told = known.with_service(pairing_asked=(observed, since)).with_station(pairing=None)
        return Reply(_paired(Ongoing, None, known), State.WPT_PAIRING, told, (PairVehicle(known.now, observed),))
    if observed not in (None, asked[0]):
        raise Refused(Reason.ASSOCIATION, f"the vehicle observed the code {observed} after {asked[0]}", None)
    if found is None:
        if known.now - asked[1] >= STEP_LIMIT:
            raise Refused(Reason.ASSOCIATION, f"the ground device did not pair with the vehicle within {STEP_LIMIT:g} s", None)
        return Reply(_paired(Ongoing, None, known), State.WPT_PAIRING, known)
    if not found.paired:
        why = found.reason or "the outlet gives no reason"
        raise Refused(Reason.ASSOCIATION, f"the ground device is not paired with the vehicle: {why}", None)
    done = request.EVProcessing is Finished
    return Reply(_paired(Finished, found.code, known), State.WPT_PARAMETERS if done else State.WPT_PAIRING, known)


def _paired(processing: processingType, code: int | None, known: Context) -> WPT_PairingRes:
    return WPT_PairingRes(Header=header(known), ResponseCode=Code.OK, EVSEProcessing=processing, ObservedIDCode=code)


def alignment_check(request: WPT_AlignmentCheckReq, known: Context) -> Reply:
    """Have the coil excited weakly, and what arrives judged by both sides; Ongoing meanwhile. Raises Refused on a bad result."""
    _demand_no_failure(request.EVResultCode, "alignment check", Reason.FIELD)
    _demand_placed(known, Reason.FIELD)
    closing = known.station.contactor is True and known.station.contactor_wanted is False  # it opens: nothing is tested meanwhile
    if known.unparked or closing or (obstructed(known) and known.service.alignment_asked is None):
        return Reply(_checked(None, known), State.WPT_ALIGNMENT, known)
    if known.service.alignment_asked is None:
        # the check makes the coil live by itself: what was known of the contactor before says nothing now
        asked = known.with_service(alignment_asked=known.now).with_station(alignment=None, contactor=None, contactor_wanted=None)
        return Reply(_checked(None, known), State.WPT_ALIGNMENT, asked, (CheckAlignment(known.now, _current(request, known)),))
    found = known.station.alignment
    if found is None:
        if known.now - known.service.alignment_asked >= STEP_LIMIT:
            raise Refused(Reason.FIELD, f"the alignment was not checked within {STEP_LIMIT:g} s", None)
        return Reply(_checked(None, known), State.WPT_ALIGNMENT, known)
    if not found.aligned:
        raise Refused(Reason.FIELD, f"the coils are not aligned: {found.reason or 'the outlet gives no reason'}", None)
    done = request.EVProcessing is Finished
    if done and request.EVResultCode is not WPT_EVResultType.EVResultSuccess:
        raise Refused(Reason.FIELD, "the vehicle has finished the alignment check, and does not say that it has succeeded", None)
    return Reply(_checked(found, known), State.WPT_START if done else State.WPT_ALIGNMENT, known)


def _current(request: WPT_AlignmentCheckReq, known: Context) -> float:
    """The current (A) of the coil in the check: what the vehicle asks for, within what the ground device can, else the least of that."""
    ours = known.present_limits
    asked = ours.charge_current_minimum if request.TargetCoilCurrent is None else number(request.TargetCoilCurrent)
    return min(max(asked, ours.charge_current_minimum), ours.charge_current)


def _checked(found: Alignment | None, known: Context) -> WPT_AlignmentCheckRes:
    power, current = (None, None) if found is None else (found.power, found.current)
    return WPT_AlignmentCheckRes(
        Header=header(known),
        ResponseCode=Code.OK,
        EVSEProcessing=Ongoing if found is None else Finished,
        PowerTransmitted=None if power is None else rational(power),
        SupplyDeviceCurrent=None if current is None else rational(current),
    )


def _demand_no_failure(result: WPT_EVResultType, step: str, kind: Reason) -> None:
    if result is WPT_EVResultType.EVResultFailed:
        raise Refused(kind, f"the vehicle says that its {step} has failed", None)


def _demand_placed(known: Context, kind: Reason) -> None:
    """Raises Refused where the vehicle has left its place, or another stands there."""
    if why := misplaced(known):
        raise Refused(Reason.ASSOCIATION if known.station.unassociated else kind, why, None)
