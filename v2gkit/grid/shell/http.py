"""The shell of HTTP: one request on one connection, over TLS or on the loopback, within a time for all of it."""

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit

from v2g.address import PORTS
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Reading, Request, Response, request_octets
from v2gkit.grid.shell.reason import reason

AT_ONCE: Final = 65_536  # octets of one read


def tls_client(roots: str | None = None) -> ssl.SSLContext:
    """A TLS context that trusts the roots in a file (PEM), else the system's; TLS 1.2 and above, as OpenADR 3 demands. OSError."""
    context = ssl.create_default_context(cafile=roots)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def asked(request: Request, tls: ssl.SSLContext, timeout: float) -> Response:  # noqa: ASYNC109
    """The answer to a request, whole within `timeout` s. Raises GridFault for whatever is not one."""
    parts = urlsplit(request.url)
    place = f"{parts.scheme}://{parts.netloc}"
    try:
        async with asyncio.timeout(timeout):
            return await _asked(request, tls)
    except TimeoutError:
        raise GridFault(Trouble.SLOW, f"{place}: no whole answer within {timeout:g} s") from None
    except ssl.SSLError as error:
        raise GridFault(Trouble.DENIED, f"{place}: TLS: {error.reason or error}") from None
    except OSError as error:
        raise GridFault(Trouble.UNREACHABLE, f"{place}: {reason(error)}") from None
    except GridFault as fault:
        raise GridFault(fault.trouble, f"{place}: {fault}") from None


async def _asked(request: Request, tls: ssl.SSLContext) -> Response:
    parts = urlsplit(request.url)
    context = tls if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or PORTS[parts.scheme], ssl=context)
    try:
        writer.write(request_octets(request))
        await writer.drain()
        reading = Reading()
        while octets := await reader.read(AT_ONCE):
            if (response := reading.receive(octets)) is not None:
                return response
        return reading.end()
    finally:
        writer.transport.abort()
