"""Faults of a station in services, parameters, schedules, and what it does before power."""

from collections.abc import Callable
from typing import Any

from tests.v2gkit.conform import faulty_session as session
from tests.v2gkit.conform.seeding import (
    Change,
    Code,
    Seed,
    answers,
    dies_of,
    dies_of_error,
    failing,
    grants_where,
    in_kind,
    put,
    responds,
    says,
    sequence,
    stays_where,
    wrong_code,
)
from v2g.iso20.rational import number, rational
from v2g.iso20.services import DC_BPT, SERVICES
from v2g.messages import ac, dc
from v2g.messages import common_messages as cm

Detail = cm.ServiceDetailRes
ENERGY = [each.id for each in SERVICES.values()]


def one_service(response: Any) -> Any:
    listed = response.EnergyTransferServiceList
    return put(response, EnergyTransferServiceList=put(listed, Service=listed.Service[:1]))


def one_mode(response: Any) -> Any:
    listed = response.ServiceParameterList
    return put(response, ServiceParameterList=put(listed, ParameterSet=listed.ParameterSet[:1]))


def filtered(request: Any, known: Any, response: Any) -> Any:
    return response if request.SupportedServiceIDs is None else failing(response)


def without_a_parameter(response: Any) -> Any:
    """The sets of the bidirectional service lack one parameter."""
    if response.ServiceID != DC_BPT.id:
        return response
    listed = response.ServiceParameterList
    sets = tuple(put(each, Parameter=tuple(one for one in each.Parameter if one.Name != "GeneratorMode")) for each in listed.ParameterSet)
    return put(response, ServiceParameterList=put(listed, ParameterSet=sets))


def needs_by_the_station(response: Any) -> Any:
    listed = response.ServiceParameterList
    first = listed.ParameterSet[0]
    left = tuple(put(one, intValue=2) if one.Name == "MobilityNeedsMode" else one for one in first.Parameter)
    sets = (*listed.ParameterSet, put(first, ParameterSetID=9, Parameter=left))
    return put(response, ServiceParameterList=put(listed, ParameterSet=sets))


def selects(fits: Callable[[Any], bool]) -> Callable[[Any, Any], bool]:
    """Fits requests whose selection fits and is refused as such: fits(request)."""
    return lambda request, response: response.ResponseCode not in (Code.FAILED_SequenceError, Code.FAILED_UnknownSession) and fits(request)


def not_told(request: Any) -> bool:
    return request.SelectedEnergyTransferService.ParameterSetID >= 40_000 and request.SelectedVASList is None


def least_beyond_most(response: Any) -> Any:
    mode = response.DC_CPDResEnergyTransferMode
    return put(response, DC_CPDResEnergyTransferMode=put(mode, EVSEMinimumVoltage=rational(2 * number(mode.EVSEMaximumVoltage))))


def in_kilowatts(response: Any) -> Any:
    mode = response.DC_CPDResEnergyTransferMode
    return put(response, DC_CPDResEnergyTransferMode=put(mode, EVSEMaximumChargePower=rational(3000)))


def no_discharge(request: Any) -> bool:
    most = getattr(request.DC_CPDReqEnergyTransferMode, "EVMaximumDischargePower", None)
    return most is not None and number(most) == 0


def with_tuples(change: Change, points: int = 1024) -> Seed:
    """The schedule tuples of a response are changed, where it has any, and the car holds at most so many steps."""

    def changed(request: Any, response: Any, session: Any) -> Any:
        mode = response.Scheduled_SEResControlMode
        if mode is None or request.MaximumSupportingPoints > points:
            return response
        return put(response, Scheduled_SEResControlMode=put(mode, ScheduleTuple=change(mode.ScheduleTuple)))

    return responds(cm.ScheduleExchangeReq, changed)


def many_steps(tuples: Any) -> Any:
    one = tuples[0]
    power = one.ChargingSchedule.PowerSchedule
    entries = put(power.PowerScheduleEntries, PowerScheduleEntry=power.PowerScheduleEntries.PowerScheduleEntry[:1] * 20)
    return (put(one, ChargingSchedule=put(one.ChargingSchedule, PowerSchedule=put(power, PowerScheduleEntries=entries))),)


def dynamic_fails(request: Any, known: Any, response: Any) -> Any:
    return failing(response) if request.Dynamic_SEReqControlMode is not None else response


def without_signature(response: Any) -> Any:
    return put(response, Header=put(response.Header, Signature=None))


def half_a_voltage(response: Any) -> Any:
    return put(response, EVSEPresentVoltage=rational(number(response.EVSEPresentVoltage) / 2))


def whatever_is_asked(request: Any, known: Any, response: Any) -> Any:
    return put(response, EVSEPresentVoltage=request.EVTargetVoltage) if number(request.EVTargetVoltage) > 2000 else response


SERVICE: dict[str, Seed] = {
    "S-SVD-01": says(cm.ServiceDiscoveryRes, one_service),
    "S-SVD-02": answers(cm.ServiceDiscoveryReq, filtered),
    "S-SVD-03": says(
        cm.ServiceDiscoveryRes, lambda response: put(response, ServiceRenegotiationSupported=not response.ServiceRenegotiationSupported)
    ),
    "S-SVD-04": wrong_code(cm.ServiceDiscoveryRes, Code.FAILED_UnknownSession),
    "S-SVT-01": says(Detail, without_a_parameter),
    "S-SVT-02": wrong_code(Detail, Code.FAILED_ServiceIDInvalid),
    "S-SVT-03": says(Detail, one_mode),
    "S-SVT-05": session.often(cm.ServiceDetailReq, failing, 20),
    "S-SEL-01": says(cm.ServiceSelectionRes, failing),
    "S-SEL-02": stays_where(cm.ServiceSelectionReq, lambda request, _: not_told(request)),
    "S-SEL-03": grants_where(cm.ServiceSelectionReq, selects(lambda request: request.SelectedVASList is None and not not_told(request))),
    "S-CPD-02": says(dc.DC_ChargeParameterDiscoveryRes, least_beyond_most),
    "S-CPD-03": wrong_code(dc.DC_ChargeParameterDiscoveryRes, Code.FAILED_WrongChargeParameter, Code.OK),
    "S-CPD-04": dies_of(
        dc.DC_ChargeParameterDiscoveryReq, lambda request: request.DC_CPDReqEnergyTransferMode.EVMaximumChargePower.Exponent == 127
    ),
    "S-SCH-01": with_tuples(lambda tuples: tuples[:1] * 2),
    "S-SCH-02": answers(cm.ScheduleExchangeReq, dynamic_fails),
    "S-SCH-03": grants_where(cm.ScheduleExchangeReq, in_kind),
    "S-SCH-04": with_tuples(many_steps, 12),
    "S-SCH-05": dies_of_error("above the maximum 1024"),
    "S-SCH-06": dies_of(cm.ScheduleExchangeReq, lambda request: getattr(request.Scheduled_SEReqControlMode, "EVEnergyOffer", None)),
    "S-SCH-07": dies_of(cm.ScheduleExchangeReq, lambda request: getattr(request.Dynamic_SEReqControlMode, "MinimumSOC", None) == 90),
    "S-SCH-08": wrong_code(cm.ScheduleExchangeRes, Code.OK, Code.WARNING_StandbyNotAllowed),
    "S-DCS-01": wrong_code(dc.DC_CableCheckRes, Code.OK),
    "S-DCS-04": says(dc.DC_PreChargeRes, half_a_voltage),
    "S-DCS-05": answers(dc.DC_PreChargeReq, whatever_is_asked),
    "S-DCS-06": sequence(dc.DC_CableCheckReq, 5.0),
    "S-CPD-05": dies_of(dc.DC_ChargeParameterDiscoveryReq, no_discharge),
    "S-SVT-04": says(Detail, needs_by_the_station),
    "S-CPD-07": wrong_code(dc.DC_ChargeParameterDiscoveryRes, Code.FAILED_UnknownSession),
    "S-DCS-03": wrong_code(dc.DC_CableCheckRes, Code.FAILED_UnknownSession),
    "S-CPD-01": wrong_code(ac.AC_ChargeParameterDiscoveryRes, Code.OK),
    "S-CPD-06": says(dc.DC_ChargeParameterDiscoveryRes, in_kilowatts),
    "S-SCH-09": says(cm.ScheduleExchangeRes, without_signature),
    "S-SEL-04": grants_where(
        cm.ServiceSelectionReq, selects(lambda request: request.SelectedEnergyTransferService.ServiceID not in ENERGY)
    ),
    "S-SEL-05": grants_where(cm.ServiceSelectionReq, selects(lambda request: request.SelectedVASList is not None)),
    "S-DCS-02": grants_where(dc.DC_CableCheckReq, in_kind),
}
