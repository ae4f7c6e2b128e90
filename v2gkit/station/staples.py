"""Keeps a station's OCSP responses fresh: asks about every certificate of its chains, and keeps the answers in the store.

A responder is asked over HTTP, or the CSMS, for a station that reaches nothing else (OCPP M06).

A response is fetched anew when it has lived half its time; until a new one comes, the old one is used to its end. A response that says
revoked is kept, never stapled, and reported.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import facts
from pki.errors import CertificateError, Kind
from pki.profiles import Role
from pki.status import check
from pki.status_book import StatusBook
from pki.store import Store

Wall = Callable[[], float]
"""Gives the wall time (epoch s) of the sessions, by which the age of responses is judged."""
LOOK = 60.0  # s between two looks at what grows old; also how soon a responder that did not answer is asked again


def certificates(store: Store) -> Iterator[tuple[x509.Certificate, x509.Certificate]]:
    """Every certificate of the station's chains, each with its issuer [V2G20-2388]; the root is the issuer of the last."""
    roots, seen = (*store.anchors.v2g, *store.anchors.private), set[x509.Certificate]()
    for credential in store.credentials(Role.SECC):
        for depth, certificate in enumerate(credential.chain):
            above = (*credential.chain[depth + 1 : depth + 2], *roots)
            issuer = next((one for one in above if one.subject == certificate.issuer), None)
            if issuer is not None and certificate not in seen:
                seen.add(certificate)
                yield certificate, issuer


def refresh(store: Store, url: str | None = None, *, timeout: float = 5.0, wall: Wall = time.time) -> dict[str, str]:
    """Fetch responses that are missing or old, from `url` or the responders that certificates name; failures by certificate name.

    Blocks for at most `timeout` s per certificate. A certificate that names no responder is left alone where there is no `url`.
    """
    wrong: dict[str, str] = {}
    for certificate, issuer in certificates(store):
        if not (url or facts(certificate).ocsp_urls) or not _old(store, certificate, issuer, wall):
            continue
        from v2gkit.authorities.ocsp import ask  # a station whose certificates name nobody asks nobody

        response = b""
        try:
            response = ask(certificate, issuer, url, timeout=timeout)
            check(response, certificate, issuer, datetime.now(UTC))
        except CertificateError as error:
            wrong[facts(certificate).common_name] = str(error)
            if error.kind is not Kind.REVOKED:
                continue
        store.save_response(certificate, issuer, response)
    return wrong


def _old(store: Store, certificate: x509.Certificate, issuer: x509.Certificate, wall: Wall) -> bool:
    book, response = StatusBook(), store.response(certificate, issuer)
    if response is not None:
        book.learn(certificate, issuer, response)
    return book.stale(certificate, issuer, datetime.fromtimestamp(wall(), UTC))


class Asker(Protocol):
    """Asks a CSMS for OCSP responses (M06), as `ocpp_bridge.bridge.Bridge` does."""

    def check_status(self, certificate: bytes, issuer: bytes) -> bool:
        """Ask for the OCSP response of a certificate (both DER); `staple` has it later. False: there is nobody to ask."""

    def staple(self, certificate: bytes) -> bytes | None:
        """The OCSP response (DER) to staple for a certificate, None: there is none."""


def collect(store: Store, asker: Asker, wall: Wall = time.time) -> None:
    """Write the responses that a CSMS has given to the store; one that proves nothing is dropped."""
    for certificate, issuer in certificates(store):
        response = asker.staple(certificate.public_bytes(Encoding.DER))
        with suppress(CertificateError):
            if response is not None and response != store.response(certificate, issuer):
                check(response, certificate, issuer, datetime.fromtimestamp(wall(), UTC))
                store.save_response(certificate, issuer, response)


def inquire(store: Store, asker: Asker, wall: Wall = time.time) -> tuple[bool, ...]:
    """Ask a CSMS for responses that are missing or old, where a certificate names a responder; for each, whether it could be asked."""
    return tuple(
        asker.check_status(certificate.public_bytes(Encoding.DER), issuer.public_bytes(Encoding.DER))
        for certificate, issuer in certificates(store)
        if facts(certificate).ocsp_urls and _old(store, certificate, issuer, wall)
    )


async def kept_by_csms(
    store: Store, asker: Asker, wake: Callable[[], None], look: float = LOOK, soon: float = 1.0, wall: Wall = time.time
) -> None:
    """Keep the responses fresh by the CSMS: look every `look` s, or every `soon` s while it cannot be asked. Never returns."""
    while True:
        asked = inquire(store, asker, wall)
        wake()
        await asyncio.sleep(soon)
        collect(store, asker, wall)
        await asyncio.sleep(look if all(asked) else 0.0)


async def kept_fresh(
    store: Store, url: str | None, say: Callable[[dict[str, str]], None], look: float = LOOK, wall: Wall = time.time
) -> None:
    """Keep the responses fresh by responders: look every `look` s; `say` is called whenever the failures change. Never returns."""
    before: dict[str, str] = {}
    while True:
        wrong = await asyncio.to_thread(refresh, store, url, wall=wall)
        if wrong != before:
            say(wrong)
        before = wrong
        await asyncio.sleep(look)
