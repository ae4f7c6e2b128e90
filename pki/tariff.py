"""Signed prices: a provider signs them, a car verifies them before it decides by price.

    signature = sign_prices(response, tariff.key)                        # provider: for the header of ScheduleExchangeRes
    verdict = judge_prices(response, signers(contract.chain, held))      # car: GENUINE, UNSIGNED or WRONG, and whose

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
from v2g.messages import schema_set
from v2g.messages.common_messages import AbsolutePriceScheduleType, ScheduleExchangeRes
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


def sign_prices(response: ScheduleExchangeRes, key: PrivateKey) -> SignatureType:
    """The signature over all prices of a response. Raises SignatureError(REFERENCES) if one has no Id, or there is none."""
    return xmldsig.sign(tuple(price_schedules(response)), key, schema_set("common"))


def signers(contract: Sequence[x509.Certificate], held: Sequence[x509.Certificate] = ()) -> tuple[x509.Certificate, ...]:
    """The certificates by which prices for the holder of a contract may be signed: tariff signers, and sub-CAs above the contract."""
    return (*held, *(one for one in contract[1:] if "digital_signature" in (facts(one).usage or ())))


def judge_prices(
    response: ScheduleExchangeRes, known: Sequence[x509.Certificate], *, suites: Collection[str] = xmldsig.ISO20
) -> PriceVerdict:
    """The verdict on all prices of a response, by certificates that the caller has verified."""
    prices = tuple(price_schedules(response))
    if response.Header.Signature is None or not prices:
        return PriceVerdict(Standing.UNSIGNED)
    reason = "the car knows nobody who signs prices"
    for signer in known:
        try:
            key = cast(Any, facts(signer).public_key)
            xmldsig.verify(response.Header.Signature, prices, key, schema_set("common"), suites=suites)
        except (SignatureError, CertificateError) as error:
            reason = str(error)
        else:
            return PriceVerdict(Standing.GENUINE, signer)
    return PriceVerdict(Standing.WRONG, reason=reason)
