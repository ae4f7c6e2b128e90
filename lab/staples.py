"""Keeps a station's OCSP responses fresh: asks the responder about every certificate of its chains, and keeps the answers in the store.

A response is fetched anew when it has lived half its time; until a new one comes the old one serves to its end. A certificate of which the
responder says that it is revoked loses its response at once, and is said aloud.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from cryptography import x509

from lab.pki.ocsp import fetch
from pki.certificate import facts
from pki.errors import CertificateError, Kind
from pki.profiles import Role
from pki.status_book import StatusBook
from pki.store import Store

LOOK = 60.0  # s between two looks at what grows old; also how soon a responder that did not answer is asked again


def certificates(store: Store) -> Iterator[tuple[x509.Certificate, x509.Certificate]]:
    """Every certificate of the station's chains with its issuer [V2G20-2388]; the root closes a chain."""
    roots, seen = (*store.anchors.v2g, *store.anchors.private), set[x509.Certificate]()
    for credential in store.credentials(Role.SECC):
        for depth, certificate in enumerate(credential.chain):
            above = (*credential.chain[depth + 1 : depth + 2], *roots)
            issuer = next((one for one in above if one.subject == certificate.issuer), None)
            if issuer is not None and certificate not in seen:
                seen.add(certificate)
                yield certificate, issuer


def refresh(store: Store, url: str | None = None, *, timeout: float = 5.0) -> dict[str, str]:
    """Fetch what is missing or grows old, from `url` or from whom the certificates name; what is wrong, by the name of the certificate.

    Blocks for at most `timeout` s per certificate. A certificate that names no responder is left alone where there is no `url`.
    """
    wrong: dict[str, str] = {}
    for certificate, issuer in certificates(store):
        if not (url or facts(certificate).ocsp_urls) or not _old(store, certificate, issuer):
            continue
        try:
            response, _ = fetch(certificate, issuer, url, timeout=timeout)
        except CertificateError as error:
            wrong[facts(certificate).common_name] = str(error)
            if error.kind is Kind.REVOKED:
                store.drop_response(certificate)
        else:
            store.save_response(certificate, response)
    return wrong


def _old(store: Store, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    book, response = StatusBook(), store.response(certificate)
    if response is not None:
        book.learn(certificate, response)
    return book.stale(certificate, issuer, datetime.now(UTC))


async def kept_fresh(store: Store, url: str | None, say: Callable[[dict[str, str]], None], look: float = LOOK) -> None:
    """Refresh for ever; `say` hears what is wrong whenever that changes."""
    before: dict[str, str] = {}
    while True:
        wrong = await asyncio.to_thread(refresh, store, url)
        if wrong != before:
            say(wrong)
        before = wrong
        await asyncio.sleep(look)
