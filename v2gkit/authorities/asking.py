"""One HTTP request to a service, bounded in time and size, that follows no redirect to another origin."""

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import IO, Any

from v2g.address import demand_address, origin, public_url
from v2g.legible import legible

REASON = 200  # octets of an error's body that are told


class NotAnswered(OSError):
    """A service did not answer, or not with success; the text says why in one line that is safe to show."""


class _SameOrigin(urllib.request.HTTPRedirectHandler):
    """Follows a redirect within the origin; headers with credentials go nowhere else."""

    def redirect_request(self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request to go on with. Raises NotAnswered for another origin."""
        if origin(newurl) != origin(req.full_url):
            raise NotAnswered(f"HTTP {code} redirects to {public_url(newurl)}; redirects to another origin are not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def tls_client(roots: str | None = None) -> ssl.SSLContext:
    """A TLS context that trusts these roots (PEM), or the system's. It ignores the variable by which Python would log TLS secrets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if roots is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=roots)
    return context


def ask(
    url: str, body: bytes | None, headers: Mapping[str, str], *, timeout: float, limit: int, tls: ssl.SSLContext | None = None
) -> bytes:
    """GET a URL, or POST `body` to it; the octets of the answer, at most `limit`. `timeout` in s. Raises NotAnswered."""
    try:
        demand_address(url, "http", "https")
        opener = urllib.request.build_opener(_SameOrigin, urllib.request.HTTPSHandler(context=tls or tls_client()))
        asking = urllib.request.Request(url, body, dict(headers))  # noqa: S310 - the scheme was looked at
        with opener.open(asking, timeout=timeout) as answered:
            octets: bytes = answered.read(limit + 1)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(REASON).decode(errors="replace").strip()
        raise NotAnswered(f"{public_url(url)} answers {error.code} {legible(said)}".rstrip()) from None
    except urllib.error.URLError as error:
        raise NotAnswered(f"{public_url(url)} does not answer: {legible(error.reason)}") from None
    except NotAnswered as error:
        raise NotAnswered(f"{public_url(url)}: {error}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotAnswered(f"{public_url(url)} does not answer: {legible(error) or type(error).__name__}") from None
    if len(octets) > limit:
        raise NotAnswered(f"{public_url(url)} answers with more than {limit} octets")
    return octets
