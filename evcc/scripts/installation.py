"""CertificateInstallation: contracts for a car that has none, or wants others."""

from typing import Any

from evcc.car import Car
from evcc.provisioning import contract
from evcc.script import ONGOING, Part, poll
from pki.errors import CertificateError, EnvelopeError, SignatureError, StoreError
from pki.provisioning import Installed
from v2g.messages.common_messages import AuthorizationSetupRes, CertificateInstallationRes


def possible(car: Car, setup: AuthorizationSetupRes) -> bool:
    """Whether this station passes requests on, and Plug & Charge is what the car wants and can be served with here."""
    offered = setup.CertificateInstallationService and setup.PnC_ASResAuthorizationMode is not None
    return bool(offered and car.provisioning is not None and "PnC" in car.wish.authorizations)


def installation(car: Car) -> Part[bool]:
    """Ask until nothing remains; True when there is a new contract. What is not proven is not taken, and ends the asking."""
    assert car.provisioning is not None
    request, taken = car.provisioning.request(car.wish.contracts, car.wish.emaids), list[Installed]()
    while len(taken) < car.wish.contracts:
        response: Any = yield from poll(car, request, ONGOING)
        installed = proven(car, response)
        if installed is None:
            break
        taken.append(installed)
        if not installed.remaining:
            break
    car.receive(tuple(map(contract, taken)))
    return bool(taken)


def proven(car: Car, response: CertificateInstallationRes) -> Installed | None:
    """The contract of a response, kept; None, and the trace is told, where there is none or it cannot be believed."""
    assert car.provisioning is not None
    code = response.ResponseCode.value
    if not code.startswith("OK"):
        car.note("no contract", code=code)  # the station still waits for an authorization
        return None
    try:
        installed = car.provisioning.taken(response, car.wall)
    except (CertificateError, SignatureError, EnvelopeError) as error:
        car.note("contract refused", why=str(error), requirement=getattr(error, "requirement", None))
        return None
    said = {"emaid": installed.emaid, "remaining": installed.remaining, "by": installed.service.common_name}
    try:
        car.provisioning.keep(installed)
    except StoreError as error:
        car.note("contract not kept", why=str(error), **said)  # good for this session all the same
    else:
        car.note("contract installed", **said)
    return installed
