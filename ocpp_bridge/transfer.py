"""The shell that carries files by HTTP, over TLS or without: puts a log where it is wanted, fetches a file of firmware.

The server is a stranger: what it says is bounded before it is held, it leads nowhere else (no redirects), and the caller limits its time.
"""

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urlsplit

HEAD_MAXIMUM: Final = 16 * 1024  # octets of a response's head; a longer one is no answer
IDLE: Final = 60.0  # s without a single octet, after which nobody sends any more
CHUNK: Final = 1 << 20  # octets that are hashed and written at once, in a thread

Tls = Callable[[], ssl.SSLContext]
"""Makes the context of a connection to https; it may read files."""

FAILURES: Final = (OSError, EOFError, ValueError, asyncio.LimitOverrunError)  # of `put` and `fetch`, besides TimeoutError


async def put(url: str, body: bytes, tls: Tls) -> int:
    """Send a body (gzip) by HTTP PUT, and return the status. Raises one of `FAILURES` where none comes."""
    async with _connection(url, tls) as (reader, writer):
        headers = {"Content-Type": "application/gzip", "Content-Length": str(len(body))}
        writer.write(_request("PUT", url, headers) + body)
        await writer.drain()
        return _status(await reader.readuntil(b"\r\n"))


async def fetch(url: str, file: Path, maximum: int, tls: Tls) -> str:
    """Fetch a file of at most `maximum` octets into `file` (0600), and return its SHA-256 in hex. Raises one of `FAILURES`,
    TimeoutError among them for a server that says nothing for `IDLE` s.

    The server must say how long it is: what ends before that is no file.
    """
    async with _connection(url, tls) as (reader, writer):
        writer.write(_request("GET", url, {"Accept": "application/octet-stream, */*", "Accept-Encoding": "identity"}))
        await writer.drain()
        async with asyncio.timeout(IDLE):
            length = _length(await reader.readuntil(b"\r\n\r\n"), maximum)
        out = await asyncio.to_thread(_open, file)
        try:
            return await _written(reader, length, out)
        finally:
            await asyncio.to_thread(out.close)


async def _written(reader: asyncio.StreamReader, length: int, out: BinaryIO) -> str:
    digest, left, gathered = hashlib.sha256(), length, bytearray()
    while left:
        async with asyncio.timeout(IDLE):
            octets = await reader.read(min(left, 1 << 16))
        if not octets:
            raise EOFError(f"it ended after {length - left} of {length} octets")
        left -= len(octets)
        gathered += octets
        if len(gathered) >= CHUNK or not left:
            await asyncio.to_thread(_take, bytes(gathered), digest.update, out)
            gathered.clear()
    await asyncio.to_thread(os.fsync, out.fileno())
    return digest.hexdigest()


def _take(octets: bytes, hashed: Callable[[bytes], None], out: BinaryIO) -> None:
    hashed(octets)
    out.write(octets)
    out.flush()


def _open(file: Path) -> BinaryIO:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # never through a link that somebody left there
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@asynccontextmanager
async def _connection(url: str, tls: Tls) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(url)
    context = await asyncio.to_thread(tls) if parts.scheme == "https" else None
    port = parts.port or (443 if context else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context, limit=HEAD_MAXIMUM)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def _request(method: str, url: str, headers: dict[str, str]) -> bytes:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


def _status(line: bytes) -> int:
    version, code, *_ = [*line.decode("latin-1").rstrip("\r\n").split(" ", 2), ""]
    if not version.startswith("HTTP/1.") or len(code) != 3 or not code.isascii() or not code.isdigit():
        raise ValueError("what answers there speaks no HTTP")
    return int(code)


def _length(head: bytes, maximum: int) -> int:
    """The length of the file behind the head of a response. ValueError for anything but a whole file of at most `maximum` octets."""
    first, *lines = head.split(b"\r\n")
    if (status := _status(first)) != 200:
        raise ValueError(f"the server answers HTTP {status}")
    fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    lengths = {value for name, value in fields if name == b"content-length"}
    if any(name in (b"transfer-encoding", b"content-encoding") and value.lower() != b"identity" for name, value in fields):
        raise ValueError("the server sends it in an encoding; a file as it is, with Content-Length, is needed")
    if len(lengths) != 1 or not (text := lengths.pop()).isdigit() or len(text) > 15:
        raise ValueError("the server does not say how long the file is (Content-Length)")
    if not 0 < int(text) <= maximum:
        raise ValueError(f"the file has {int(text)} octets where {maximum} are the most")
    return int(text)
