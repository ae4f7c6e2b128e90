"""Which contracts a car of ISO 15118-2 can show, and when it asks for another one."""

from collections.abc import Collection
from datetime import UTC, datetime

from evcc.credentials import Contract, Provisioning
from evcc.iso2.known import Car
from pki import signature as xmldsig
from pki.certificate import facts, read
from pki.errors import CertificateError
from pki.keys import key_name
from pki.profiles import EXPIRES_SOON, ISO2
from v2g.iso2.services import Installing
from v2g.messages.iso2.msg_data_types import paymentOptionType as Option


def secured(car: Car) -> bool:
    """Whether the link has TLS, without which no contract is shown or asked for."""
    return car.link is not None and car.link.tls is not None


def contract_of(car: Car) -> Contract | None:
    """The first contract whose key and certificates fit -2; None where the car has none, or no TLS to show it on."""
    if not secured(car):
        return None
    fits = (one for one in car.contracts if one.curve in xmldsig.ISO2 and all(len(der) <= ISO2.max_octets for der in one.chain))
    return next(fits, None)


def provisioning_of(car: Car) -> Provisioning | None:
    """What the car asks for contracts with: a provisioning certificate whose key is of -2; None where it has none."""
    return next((one for one in car.provisionings if key_name(one.key) in xmldsig.ISO2), None)


def asked_for(car: Car, ways: Collection[Option]) -> tuple[Installing, ...]:
    """What the car asks for where it may pay by contract: a first contract where it has none, a successor for one that is about to end.

    The second of two is for a station that has not the first: a contract that cannot be updated can be installed anew.
    """
    if not secured(car) or "PnC" not in car.wish.authorizations or Option.Contract not in ways:
        return ()
    if provisioning_of(car) is None:
        return ()  # it says whom the car believes, and where contracts are kept
    held = contract_of(car)
    if held is None or car.wish.install:
        return ("Installation",)
    left = remaining(held, car.wall)
    if left <= 0:
        return ("Installation",)  # a request for an update would be signed by what has ended
    return ("Update", "Installation") if left <= EXPIRES_SOON.total_seconds() else ()


def remaining(contract: Contract, wall: float) -> float:
    """Seconds at `wall` (epoch s) until a contract certificate ends; 0 or less: it has, or cannot be read."""
    try:
        return (facts(read(contract.chain[0])).not_after - datetime.fromtimestamp(wall, UTC)).total_seconds()
    except CertificateError:
        return 0.0
