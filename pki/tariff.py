"""Signed prices: a provider signs them, a car verifies them before it decides by price.

    signature = sign_prices(response, tariff.key)                        # provider: for the header of ScheduleExchangeRes
    verdict = judge_prices(response, signers(contract.chain, held))      # car: GENUINE, UNSIGNED or WRONG, and whose
    verdict = judge_tariffs(response, signature, signers(contract.chain))  # car of -2: SalesTariffs, signature of the envelope

Every AbsolutePriceSchedule of a response is signed, one reference each, by its Id. KeyInfo is never sent, so a car tries the certificates
it has: the tariff signers it holds and the sub-CAs above its own contract, of which -2 lets the issuing one sign.
"""

import enum
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cryptography import x509

from pki import signature as xmldsig
from pki.certificate import facts
from pki.errors import CertificateError, SignatureError
from pki.keys import PrivateKey
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.messages.common_messages import AbsolutePriceScheduleType, ScheduleExchangeRes
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryRes
from v2g.messages.iso2.msg_data_types import SalesTariffType, SAScheduleListType
from v2g.messages.xmldsig import SignatureType


class Standing(enum.Enum):
    """Whether prices are genuine, unsigned or wrongly signed."""

    GENUINE = "genuine"
    UNSIGNED = "unsigned"  # no Signature in the header: the station's own word
    WRONG = "wrong"  # signed, and not by anybody the car knows, or not these prices: never to be used


@dataclass(frozen=True, slots=True)
class PriceVerdict:
    """The verdict on the prices of a response: their standing, who signed them, and the reason where they are wrong."""

    standing: Standing
    signer: x509.Certificate | None = None
    reason: str = ""


def price_schedules(response: ScheduleExchangeRes) -> Iterator[AbsolutePriceScheduleType]:
    """The price schedules of a response, whatever its control mode."""
    modes: list[Any] = [response.Dynamic_SEResControlMode]
    for offered in response.Scheduled_SEResControlMode.ScheduleTuple if response.Scheduled_SEResControlMode else ():
        modes += [offered.ChargingSchedule, offered.DischargingSchedule]
    for mode in modes:
        if mode is not None and mode.AbsolutePriceSchedule is not None:
            yield mode.AbsolutePriceSchedule


def sales_tariffs(response: Any) -> tuple[SalesTariffType, ...]:
    """The SalesTariffs of a ChargeParameterDiscoveryRes, in the order of its tuples; none in any other message."""
    listed = getattr(response, "SASchedules", None)
    tuples = listed.SAScheduleTuple if isinstance(listed, SAScheduleListType) else ()
    return tuple(each.SalesTariff for each in tuples if each.SalesTariff is not None)


def suites_of(response: Any) -> Collection[str]:
    """The algorithms by which the prices of a response may be signed."""
    return xmldsig.ISO2 if isinstance(response, ChargeParameterDiscoveryRes) else xmldsig.ISO20


def delegable(response: Any) -> bool:
    """Whether a tariff signer may sign the prices of a response; of -2 the sub-CA that issued the contract alone may."""
    return isinstance(response, ScheduleExchangeRes)


def sign_prices(response: ScheduleExchangeRes | ChargeParameterDiscoveryRes, key: PrivateKey) -> SignatureType:
    """The signature over all prices of a response. Raises SignatureError(REFERENCES) if one has no Id, or there is none."""
    if isinstance(response, ChargeParameterDiscoveryRes):
        return xmldsig.sign(sales_tariffs(response), key, schema_set("iso2"))
    return xmldsig.sign(tuple(price_schedules(response)), key, schema_set("common"))


def signers(contract: Sequence[x509.Certificate], held: Sequence[x509.Certificate] = ()) -> tuple[x509.Certificate, ...]:
    """The certificates by which prices for the holder of a contract may be signed: tariff signers, and sub-CAs above the contract."""
    return (*held, *(one for one in contract[1:] if "digital_signature" in (facts(one).usage or ())))


def judge_prices(
    response: ScheduleExchangeRes, known: Sequence[x509.Certificate], *, suites: Collection[str] = xmldsig.ISO20
) -> PriceVerdict:
    """The verdict on all prices of a response, by certificates that the caller has verified."""
    return _judged(tuple(price_schedules(response)), response.Header.Signature, known, "common", suites)


def judge_tariffs(
    response: ChargeParameterDiscoveryRes, signature: SignatureType | None, known: Sequence[x509.Certificate]
) -> PriceVerdict:
    """The verdict on all SalesTariffs of a response with the signature of its envelope, by certificates that the caller has verified."""
    return _judged(sales_tariffs(response), signature, known, "iso2", xmldsig.ISO2)


def _judged(
    prices: tuple[Type, ...],
    signature: SignatureType | None,
    known: Sequence[x509.Certificate],
    schemas: str,
    suites: Collection[str],
) -> PriceVerdict:
    if signature is None or not prices:
        return PriceVerdict(Standing.UNSIGNED)
    reason = "the car knows nobody who signs prices"
    for signer in known:
        try:
            key = cast(Any, facts(signer).public_key)
            xmldsig.verify(signature, prices, key, schema_set(schemas), suites=suites)
        except (SignatureError, CertificateError) as error:
            reason = str(error)
        else:
            return PriceVerdict(Standing.GENUINE, signer)
    return PriceVerdict(Standing.WRONG, reason=reason)
