"""The shell of HTTP: one request on one connection, over TLS or on the loopback, within a time for all of it."""

import asyncio
import ssl
from collections.abc import Generator
from typing import Final, TypeVar
from urllib.parse import urlsplit

from v2g.address import PORTS
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Reading, Request, Response, request_octets
from v2gkit.grid.shell.reason import reason

T = TypeVar("T")
AT_ONCE: Final = 65_536  # octets of one read


def tls_client(roots: str | None = None, cert: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """A TLS context that trusts the roots in a file (PEM), else the system's, and shows a certificate where there is one. OSError.

    TLS 1.2 and above, as OpenADR demands.
    """
    context = ssl.create_default_context(cafile=roots)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert is not None:
        context.load_cert_chain(cert, key)
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


async def carried(script: Generator[Request, Response, T], tls: ssl.SSLContext, timeout: float, answers: int) -> T:  # noqa: ASYNC109
    """What a script finds, its requests asked one after the other, each within `timeout` s and all within that of so many. GridFault."""
    try:
        async with asyncio.timeout(answers * timeout):
            request = next(script)
            while True:
                request = script.send(await asked(request, tls, timeout))
    except StopIteration as end:
        found: T = end.value
        return found
    except TimeoutError:
        raise GridFault(Trouble.SLOW, f"no end of a round within {answers * timeout:g} s") from None


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
