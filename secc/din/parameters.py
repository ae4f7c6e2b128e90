"""ChargeParameterDiscovery: the limits of car and outlet, and the one schedule of a day.

No car can be brought to negotiate another schedule, so none is made to last: it says what the outlet can, and the power of the moment is
led by the station, by the limits of each CurrentDemandRes. That is Dynamic control in all but the name.
"""

from typing import Final

from secc.din.selection import service
from secc.din.words import WORDS
from secc.enveloped.parameters import dc_limits, dc_needs, dc_parameters, demand_common, exchanged, power_unsaid, tested_anew, zeros
from secc.neutral.context import Context, Reply
from secc.station import ServiceSelected
from v2g.din.physical import MOST_POWER
from v2g.din.sequence import State
from v2g.din.services import OFFERED, REQUESTED
from v2g.messages.din.msg_body import ChargeParameterDiscoveryReq, ChargeParameterDiscoveryRes
from v2g.messages.din.msg_data_types import (
    DC_EVChargeParameterType,
    EVSEProcessingType,
    PMaxScheduleEntryType,
    PMaxScheduleType,
    RelativeTimeIntervalType,
    SAScheduleListType,
    SAScheduleTupleType,
)
from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.services import Selection
from v2g.session.endpoint import Event
from v2g.session.errors import Refused

SCHEDULE: Final = 1  # the id of the schedule
DAY: Final = 86_400  # s that it lasts


def charge_parameter_discovery(request: ChargeParameterDiscoveryReq, known: Context) -> Reply:
    """Ongoing until the backend lets power flow, then the schedule. Raises Refused where car and outlet have no power in common."""
    known, chosen = _selected(request, known)
    said = request.EVChargeParameter
    assert isinstance(said, DC_EVChargeParameterType)
    car = dc_limits(said)
    demand_common(WORDS, car, known.outlet.limits, dc=True)
    known = known.with_service(power_unsaid=power_unsaid(said))
    known, offer, asking = exchanged(WORDS, dc_needs(said, car, known), car, known)
    response = ChargeParameterDiscoveryRes(
        ResponseCode=Code.OK,
        EVSEProcessing=EVSEProcessingType.Ongoing if offer is None else EVSEProcessingType.Finished,
        SASchedules=_schedules(known),  # while Ongoing too: the schema demands it, and cars ignore it [V2G-DC-493]
        EVSEChargeParameter=dc_parameters(WORDS, known),
    )
    if offer is None:
        return Reply(response, State.PARAMETERS, known, (*chosen, *zeros(said, known, asking), *asking))
    return Reply(response, State.DC_CABLE_CHECK, tested_anew(known), chosen)


def _selected(request: ChargeParameterDiscoveryReq, known: Context) -> tuple[Context, tuple[Event, ...]]:
    """The context with the service of the requested energy transfer, and the want that tells it, where it is new."""
    asked, name = request.EVRequestedEnergyTransferType, service(known)
    if asked not in REQUESTED or name is None:
        offers = OFFERED.value if name is not None else "nothing"
        raise Refused(Reason.WRONG_MODE, f"{asked.value} was asked for, offered is {offers}", "V2G-DC-397")
    if not isinstance(request.EVChargeParameter, DC_EVChargeParameterType):
        kind = type(request.EVChargeParameter).__name__
        raise Refused(Reason.WRONG_PARAMETERS, f"{kind} came with {asked.value}", WORDS.wrong_parameters)
    selection = Selection(name, 1, "Dynamic")
    if known.agreement.selection == selection:
        return known, ()
    return known.with_agreement(selection=selection), (ServiceSelected(known.now, name, "Dynamic"),)


def _schedules(known: Context) -> SAScheduleListType:
    """One tuple, without a tariff [V2G-DC-554]: what the outlet can, as far as a short says it, for a day from now."""
    most = min(int(known.outlet.limits.charge_power), MOST_POWER)
    entry = PMaxScheduleEntryType(TimeInterval=RelativeTimeIntervalType(start=0, duration=DAY), PMax=most)
    powers = PMaxScheduleType(PMaxScheduleID=SCHEDULE, PMaxScheduleEntry=(entry,))
    return SAScheduleListType(SAScheduleTuple=(SAScheduleTupleType(SAScheduleTupleID=SCHEDULE, PMaxSchedule=powers),))
