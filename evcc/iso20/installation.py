"""CertificateInstallation: how a car gets contracts over the station, where it has none or wants others."""

from typing import Any

from evcc.iso20.known import Car
from evcc.iso20.provisioning import contract, installation_request, verified
from evcc.iso20.requests import ONGOING, poll
from evcc.script import Part
from pki.errors import CertificateError, EnvelopeError, SignatureError, StoreError
from pki.provisioning import Installed
from v2g.messages.common_messages import AuthorizationSetupRes, CertificateInstallationRes


def possible(car: Car, setup: AuthorizationSetupRes) -> bool:
    """Whether the station offers certificate installation and Plug & Charge, and the car wants Plug & Charge and can ask for contracts."""
    offered = setup.CertificateInstallationService and setup.PnC_ASResAuthorizationMode is not None
    return bool(offered and car.provisioning is not None and "PnC" in car.wish.authorizations)


def installation(car: Car) -> Part[bool]:
    """Ask for contracts until none remain; True when there is a new one. One that cannot be verified is dropped, and ends the asking."""
    assert car.provisioning is not None
    request, taken = installation_request(car.provisioning, car.wish.contracts, car.wish.emaids), list[Installed]()
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
    """The contract of a response, verified and kept; None, with a note in the trace, where there is none or it fails verification."""
    assert car.provisioning is not None
    code = response.ResponseCode.value
    if not code.startswith("OK"):
        car.note("no contract", code=code)  # the station still waits for an authorization
        return None
    try:
        installed = verified(car.provisioning, response, car.wall)
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
