"""CertificateInstallation and CertificateUpdate: how a car gets a contract over the station, and charges with it in the same session."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from evcc.credentials import Contract, Provisioning
from evcc.iso2.known import Car
from evcc.iso2.wallet import contract_of, provisioning_of
from evcc.script import Part, Signed
from pki import provisioning2
from pki.certificate import read
from pki.chains import der
from pki.errors import CertificateError, EnvelopeError, SignatureError, StoreError
from pki.keys import PrivateKey
from pki.provisioning import Held, Installed
from v2g.iso2.services import Installing

MOST_ROOTS = 20  # that a request can name


@dataclass(frozen=True, slots=True)
class _Asker:
    """Who asks for a contract: the holder of a provisioning certificate, or that of the contract which is about to end."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey


def installation(car: Car, kind: Installing) -> Part[None]:
    """Ask for a contract, and put what is proven before those that the car has; what is not leaves it with those it had.

    The station cannot say Ongoing here: its answer comes within V2G_EVCC_Msg_Timeout, and its refusal ends the session [V2G2-539].
    """
    held, old = provisioning_of(car), contract_of(car)
    assert held is not None, "asked_for wants a contract only where the car has a provisioning certificate"
    roots = held.anchors.v2g[:MOST_ROOTS]
    asker: Held = held
    request: Any
    if kind == "Update" and old is not None:
        asker = _Asker(tuple(map(read, old.chain)), old.key)
        request, signature = provisioning2.ask_update(asker, old.emaid, roots)
    else:
        request, signature = provisioning2.ask_installation(held, roots)
    response: Any = yield Signed(request, signature)
    if (installed := proven(car, response, asker, held)) is not None:
        car.receive((Contract(der(installed.chain), installed.key, installed.emaid),))


def proven(car: Car, response: Any, asker: Held, held: Provisioning) -> Installed | None:
    """The contract of a response, verified and kept; None, with a note in the trace, where it fails verification."""
    now = datetime.fromtimestamp(car.wall, UTC)
    try:
        installed = provisioning2.accept(response, car.envelope, asker, held.anchors, now, rules=held.rules, status=held.status)
    except (CertificateError, SignatureError, EnvelopeError) as error:
        car.note("contract refused", why=str(error), requirement=getattr(error, "requirement", None))
        return None
    said = {"emaid": installed.emaid, "by": installed.service.common_name}
    try:
        held.keep(installed)
    except StoreError as error:
        car.note("contract not kept", why=str(error), **said)  # good for this session all the same
    else:
        car.note("contract installed", **said)
    return installed
