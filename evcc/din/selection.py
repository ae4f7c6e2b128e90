"""ServiceDiscovery and ServicePaymentSelection: the one way of charging, and the one way to pay; then the wait for leave."""

from typing import Any, Final

from evcc.din.known import Car
from evcc.din.words import WORDS
from evcc.early.dc import Dc
from evcc.early.mode import Mode
from evcc.early.setup import charging
from evcc.early.words import finished
from evcc.script import Part, repeat
from v2g.messages.din.msg_body import ContractAuthenticationReq, ServiceDiscoveryReq, ServicePaymentSelectionReq
from v2g.messages.din.msg_data_types import EVRequestedEnergyTransferType as Asked
from v2g.messages.din.msg_data_types import EVSESupportedEnergyTransferType as Offered
from v2g.messages.din.msg_data_types import SelectedServiceListType, SelectedServiceType, serviceCategoryType
from v2g.messages.din.msg_data_types import paymentOptionType as Option
from v2g.services import Selection
from v2g.session.errors import PeerIncompatible

# what a car with a combined inlet asks for, by what is offered [V2G-DC-625]; of a type without direct current nothing
ASKED: Final = {
    Offered.DC_extended: Asked.DC_extended,
    Offered.DC_core: Asked.DC_core,
    Offered.DC_combo_core: Asked.DC_core,
    Offered.DC_dual: Asked.DC_extended,
    Offered.AC_core1p_DC_extended: Asked.DC_extended,
    Offered.AC_single_DC_core: Asked.DC_core,
    Offered.AC_single_phase_three_phase_core_DC_extended: Asked.DC_extended,
    Offered.AC_core3p_DC_extended: Asked.DC_extended,
}


def choosing(car: Car) -> Part[Mode]:
    """Choose the charging service and external payment, and get leave to charge. Raises PeerIncompatible where one is not offered."""
    found: Any = yield ServiceDiscoveryReq(ServiceCategory=serviceCategoryType.EVCharging)
    offered = found.ChargeService.EnergyTransferType
    if (transfer := ASKED.get(offered)) is None:
        raise PeerIncompatible(f"the station gives {offered.value}, which is no direct current", None)
    if Option.ExternalPayment not in found.PaymentOptions.PaymentOption:
        options = ", ".join(option.value for option in found.PaymentOptions.PaymentOption)
        raise PeerIncompatible(f"payment is offered by {options} only: the car has no contract of DIN SPEC 70121", None)
    car.known.transfer = transfer
    car.known.selected = Selection(charging(car.wish.services, ("dc",))[0], 0, "Scheduled")
    chosen = SelectedServiceType(ServiceID=found.ChargeService.ServiceTag.ServiceID)
    services = SelectedServiceListType(SelectedService=(chosen,))
    yield ServicePaymentSelectionReq(SelectedPaymentOption=Option.ExternalPayment, SelectedServiceList=services)
    yield from repeat(car, ContractAuthenticationReq(), WORDS.ongoing, finished)
    car.authorization = "EIM"
    return Dc(car, WORDS)
