"""ServiceDiscovery and PaymentServiceSelection: the way of charging, and the way to pay; then the proof of it."""

from typing import Any

from evcc.car import Authorization
from evcc.credentials import Contract
from evcc.early.setup import charging
from evcc.early.words import finished
from evcc.iso2.added import added_services
from evcc.iso2.installation import installation
from evcc.iso2.known import Car
from evcc.iso2.wallet import contract_of, secured
from evcc.iso2.words import WORDS
from evcc.script import Part, Signed, repeat
from pki import signature as xmldsig
from v2g.iso2.services import MODES, Mode
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import (
    AuthorizationReq,
    PaymentDetailsReq,
    PaymentServiceSelectionReq,
    ServiceDiscoveryReq,
)
from v2g.messages.iso2.msg_data_types import (
    CertificateChainType,
    SelectedServiceListType,
    SelectedServiceType,
    SubCertificatesType,
)
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.messages.iso2.msg_data_types import paymentOptionType as Option
from v2g.services import SERVICES, Selection
from v2g.session.errors import PeerIncompatible

WAYS: dict[Authorization, Option] = {"PnC": Option.Contract, "EIM": Option.ExternalPayment}
# by plug, the best first: of DC what a combined inlet has
PREFERRED = {
    "ac": (Transfer.AC_three_phase_core, Transfer.AC_single_phase_core),
    "dc": (Transfer.DC_extended, Transfer.DC_combo_core, Transfer.DC_core, Transfer.DC_unique),
}


def selection(car: Car) -> Part[None]:
    """Choose how to charge and how to pay, among what the station offers, and get authorized. Raises PeerIncompatible."""
    found: Any = yield ServiceDiscoveryReq()
    offered = found.ChargeService.SupportedEnergyTransferMode.EnergyTransferMode
    car.known.selected, car.known.mode = fitting(car, offered)
    added = yield from added_services(car, found)
    way = way_to_pay(car, found.PaymentOptionList.PaymentOption)
    chosen = SelectedServiceListType(SelectedService=(SelectedServiceType(ServiceID=found.ChargeService.ServiceID), *added))
    yield PaymentServiceSelectionReq(SelectedPaymentOption=WAYS[way], SelectedServiceList=chosen)
    if way == "PnC":
        if car.known.asking is not None:
            yield from installation(car, car.known.asking)
        if (contract := contract_of(car)) is None:
            raise PeerIncompatible("the station brought no contract that can be trusted, and the car has no other", None)
        yield from proof(car, contract)
    else:
        yield from repeat(car, AuthorizationReq(), WORDS.ongoing, finished)
    car.authorization = way


def fitting(car: Car, offered: tuple[Transfer, ...]) -> tuple[Selection, Mode]:
    """The first wanted service that an offered mode charges by, with that mode. Raises PeerIncompatible where there is none."""
    for name in charging(car.wish.services):
        row = SERVICES[name]
        for transfer in PREFERRED[row.plug]:
            mode = MODES[transfer]
            if transfer in offered and mode.phases <= car.ev.inlet(row.plug).phases:
                return Selection(name, 0, "Scheduled", phases=mode.phases), mode
    names = ", ".join(mode.value for mode in offered)
    raise PeerIncompatible(f"no {' or '.join(car.wish.services)} among the offered energy transfer modes {names}", None)


def way_to_pay(car: Car, offered: tuple[Option, ...]) -> Authorization:
    """The first way to pay of the car that the station offers. Raises PeerIncompatible where there is none."""
    passed = list[str]()
    for way in car.wish.authorizations:
        if WAYS[way] not in offered:
            continue
        if way == "PnC" and contract_of(car) is None and car.known.asking is None:
            why = "no contract with a key of -2 (P-256)" if secured(car) else "no TLS"
            car.note("authorization passed over", way=way, why=why)
            passed.append(f"; {way} was passed over: {why}")
            continue
        return way
    raise PeerIncompatible(f"authorization is offered by {', '.join(option.value for option in offered)} only{''.join(passed)}", None)


def proof(car: Car, contract: Contract) -> Part[None]:
    """Show the contract, and sign the station's challenge with its key; repeated while the station says Ongoing."""
    subs = SubCertificatesType(Certificate=contract.chain[1:])
    chain = CertificateChainType(Certificate=contract.chain[0], SubCertificates=subs)
    details: Any = yield PaymentDetailsReq(eMAID=contract.emaid, ContractSignatureCertChain=chain)
    request = AuthorizationReq(Id="id1", GenChallenge=details.GenChallenge)
    signature = xmldsig.sign([request], contract.key, schema_set("iso2"), grammar=contract.grammar)
    yield from repeat(car, Signed(request, signature), WORDS.ongoing, finished)
    car.prefer(contract, *(other for other in car.contracts if other is not contract))
