"""A certificate provisioning service for a laboratory: takes a car's request for a contract (EXI), returns the response (EXI).

This is what a station's backend does with `exiRequest` of OCPP's Get15118EVCertificate; here it is one POST.
"""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime

from pki import signature as xmldsig
from pki.profiles import ISO20, Rules
from pki.provisioners import Provisioners, demand, provisioners
from pki.store import Store
from v2g.exi.errors import DecodeError
from v2gkit.authorities.asking import ask
from v2gkit.authorities.office import Office
from v2gkit.authorities.route import Answer, Asked, Route

EXI = "application/exi"
MAX_RESPONSE = 65_536  # octets; a response with two chains of the longest certificates has about 14000


def service(store: Store, pcids: Collection[str] = (), rules: Rules = ISO20, suites: Collection[str] = xmldsig.ISO20) -> Provisioners:
    """The provisioning services of a store: they give its contracts to the cars `pcids`, or to every car whose certificate it trusts.

    Raises StoreError where it has none for any generation.
    """
    found = provisioners(
        store,
        secrets.token_bytes,
        admitted=lambda pcid: not pcids or pcid in pcids,
        status=Office(store).status,
        rules=rules,
        suites=suites,
    )
    return demand(found, store)


def routes(serving: Provisioners) -> list[Route]:
    """The service as a route of a server: POST /installation."""

    def installation(asked: Asked) -> Answer:
        try:
            return Answer(serving.answer_exi(asked.body, datetime.now(UTC)), EXI)
        except DecodeError as error:
            return Answer(f"{error}\n".encode(), "text/plain", 400)

    return [("POST", "/installation", installation)]


def relay(url: str, exi: bytes, *, timeout: float = 5.0) -> bytes:
    """Send a car's request (EXI) to the service at `url`; its response (EXI). `timeout` in s. Raises OSError where nobody answers."""
    return ask(url, exi, {"Content-Type": EXI}, timeout=timeout, limit=MAX_RESPONSE)
