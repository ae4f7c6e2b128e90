"""The reading of ISO 15118-20."""

from typing import Any, ClassVar, Final

from v2g.iso20.generation import ISO20
from v2g.iso20.rational import number
from v2g.iso20.services import BY_ID
from v2g.messages import common_messages as cm
from v2g.messages.common_types import processingType
from v2gkit.insight.readings.reading import Choices, Flow, Profile, Reading, Said
from v2gkit.insight.report.schedules import currency_of, offer_of, profile_of
from v2gkit.insight.report.story import Tuple

_PRESENT: Final = ("EVPresentActivePower", "EVPresentActivePower_L2", "EVPresentActivePower_L3")


class Iso20(Reading):
    """What messages of ISO 15118-20 say."""

    generation = ISO20
    beside: ClassVar[tuple[str, ...]] = ("MeteringConfirmationReq", "ScheduleExchangeReq")

    def flow(self, request: Any, response: Any) -> Flow:
        """What a station of DC measured or one of WPT gives; else what a car says that it takes, of all phases together."""
        if hasattr(response, "EVSEPresentCurrent"):
            return Flow(float(number(response.EVSEPresentCurrent) * number(response.EVSEPresentVoltage)), "measured")
        if hasattr(response, "EVPCPowerRequest"):
            return Flow(float(number(response.EVPCPowerRequest)), "given")
        mode = getattr(request, "CLReqControlMode", None)
        phases = [getattr(mode, name, None) for name in _PRESENT]
        present = [number(each) for each in phases if each is not None]
        return Flow(sum(present) if present else None, "stated")

    def soc(self, request: Any) -> float | None:
        """PresentSOC of the DisplayParameters."""
        display = getattr(request, "DisplayParameters", None)
        return None if display is None else display.PresentSOC

    def offers(self, response: Said) -> tuple[Tuple, ...]:
        """Schedules of a ScheduleExchangeRes, with their prices; in Dynamic control one without number that has prices alone."""
        said = response.message
        finished = isinstance(said, cm.ScheduleExchangeRes) and said.EVSEProcessing is processingType.Finished
        return tuple(offer_of(said)) if finished else ()

    def currency(self, response: Any) -> str:
        """The currency of an AbsolutePriceSchedule."""
        return currency_of(response) if isinstance(response, cm.ScheduleExchangeRes) else ""

    def profile(self, request: Said) -> Profile | None:
        """The EVPowerProfile of a PowerDeliveryReq."""
        said = request.message
        if not isinstance(said, cm.PowerDeliveryReq) or (given := said.EVPowerProfile) is None:
            return None
        mode = given.Scheduled_EVPPTControlMode
        return Profile(profile_of(given), mode.SelectedScheduleTupleID if mode is not None else None)

    def begins(self, request: Any) -> bool:
        """Whether ChargeProgress is Start."""
        return isinstance(request, cm.PowerDeliveryReq) and request.ChargeProgress is cm.chargeProgressType.Start

    def choices(self, request: Any) -> Choices:
        """The selected authorization, energy service or control mode."""
        match request:
            case cm.AuthorizationReq():
                return Choices(authorization=request.SelectedAuthorizationService.value)
            case cm.ServiceSelectionReq():
                selected = request.SelectedEnergyTransferService.ServiceID
                return Choices(service=BY_ID[selected].name if selected in BY_ID else f"service {selected}")
            case cm.ScheduleExchangeReq():
                return Choices(control="Scheduled" if request.Scheduled_SEReqControlMode is not None else "Dynamic")
        return Choices()

    def peer(self, message: Any) -> str:
        """EVCCID or EVSEID of a SessionSetup."""
        match message:
            case cm.SessionSetupReq():
                return message.EVCCID
            case cm.SessionSetupRes():
                return message.EVSEID
        return ""
