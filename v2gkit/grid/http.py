"""HTTP/1.1 as a client reads it, sans-I/O: one request, one answer, of which everything is bounded before it is kept. No redirects.

octets = request_octets(request)
reading = Reading()
response = reading.receive(octets_from_the_network)    # None: not whole yet
response = reading.end()                               # when the peer has closed
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from v2gkit.grid.faults import GridFault, Trouble, quoted

HEAD: Final = 16_384  # octets of status line and headers
BODY: Final = 4_194_304  # octets of an answer: fifty events of a thousand intervals each
CHUNK_LINE: Final = 128  # octets of the line before a chunk
STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?")
FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a URL; `headers` without those that every request has. The secrets in it are not in its text."""

    method: str
    url: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """The status and the body of an answer; `retry_after` are the s that it says to wait before another request."""

    status: int
    body: bytes = b""
    retry_after: float | None = None


def request_octets(request: Request) -> bytes:
    """The octets of a request, which closes the connection behind it. ValueError for a header that is more than a line."""
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc, "Connection": "close", "Accept-Encoding": "identity"} | dict(request.headers)
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise ValueError(f"a header of the request to {parts.netloc} is no line of ASCII; is the URL or the token right?")
    return "\r\n".join((*lines, "", "")).encode() + (request.body or b"")


class Reading:
    """The answer to one request, as its octets come. After a GridFault it is of no use any more."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._status = 0
        self._retry_after: float | None = None
        self._left: int | None = None  # octets of the body that are still to come; None: until the end, or chunks
        self._chunked = False
        self._body = bytearray()

    def receive(self, octets: bytes) -> Response | None:
        """The answer once it is whole, None until then. Raises GridFault for what is no HTTP, and for what is too long."""
        self._octets += octets
        while not self._status and self._head():
            pass
        if not self._status:
            return None
        if self._chunked:
            return self._of_chunks()
        take = bytes(self._octets) if self._left is None else bytes(self._octets[: self._left])
        del self._octets[: len(take)]
        self._keep(take)
        if self._left is not None:
            self._left -= len(take)
            if self._left == 0:
                return self._response()
        return None

    def end(self) -> Response:
        """The answer, when the peer has closed. Raises GridFault where it is not whole."""
        if self._status and self._left is None and not self._chunked:
            return self._response()
        raise GridFault(Trouble.UNREACHABLE, f"it hangs up after {len(self._body)} octets of its answer")

    def _response(self) -> Response:
        return Response(self._status, bytes(self._body), self._retry_after)

    def _head(self) -> bool:
        """Read one head where it is whole; whether there may be another: 100 Continue comes before the answer."""
        end = self._octets.find(b"\r\n\r\n")
        if end < 0 or end > HEAD:
            if len(self._octets) > HEAD:
                raise GridFault(Trouble.HUGE, f"a head of more than {HEAD} octets")
            return False
        lines = bytes(self._octets[:end]).split(b"\r\n")
        del self._octets[: end + 4]
        status = STATUS.fullmatch(lines[0])
        if status is None:
            raise GridFault(Trouble.MALFORMED, f"{quoted(lines[0].decode('latin-1'))} is no answer of HTTP")
        if int(status[1]) < 200:
            return True
        self._framed(lines[1:])
        self._status = int(status[1])
        return False

    def _framed(self, lines: list[bytes]) -> None:
        lengths, codings = set(), []
        for line in lines:
            found = FIELD.fullmatch(line)
            if found is None:
                raise GridFault(Trouble.MALFORMED, f"{quoted(line.decode('latin-1'))} is no header")
            name, value = found[1].lower(), found[2]
            if name == b"content-length":
                lengths.add(value)
            elif name == b"retry-after" and re.fullmatch(rb"\d{1,6}", value):  # a date is passed over
                self._retry_after = float(value)
            elif name == b"transfer-encoding":
                codings.append(value.lower())
        if codings:
            if codings != [b"chunked"] or lengths:
                raise GridFault(Trouble.MALFORMED, "its length is said in two ways, or in a coding that is not chunked")
            self._chunked = True
        elif lengths:
            said = lengths.pop()
            if lengths or not re.fullmatch(rb"\d{1,10}", said):
                raise GridFault(Trouble.MALFORMED, f"a Content-Length of {quoted(said.decode('latin-1'))}")
            self._left = int(said)
            if self._left > BODY:
                raise GridFault(Trouble.HUGE, f"an answer of {self._left} octets; at most {BODY} are taken")

    def _of_chunks(self) -> Response | None:
        while True:
            if self._left:  # within a chunk: its octets, and the end of its line
                if len(self._octets) < self._left:
                    return None
                chunk = bytes(self._octets[: self._left])
                if chunk[-2:] != b"\r\n":
                    raise GridFault(Trouble.MALFORMED, "a chunk is longer than it says")
                self._keep(chunk[:-2])
                del self._octets[: self._left]
                self._left = None
            end = self._octets.find(b"\r\n")
            if end < 0 or end > CHUNK_LINE:
                if len(self._octets) > CHUNK_LINE:
                    raise GridFault(Trouble.MALFORMED, "the length of a chunk is no line")
                return None
            size = re.match(rb"[0-9A-Fa-f]{1,8}(?=[ \t;]|$)", bytes(self._octets[:end]))
            if size is None:
                raise GridFault(Trouble.MALFORMED, "the length of a chunk is no number")
            if int(size[0], 16) + len(self._body) > BODY:
                raise GridFault(Trouble.HUGE, f"an answer of more than {BODY} octets")
            del self._octets[: end + 2]
            if int(size[0], 16) == 0:
                return self._response()  # what trails behind it goes with the connection
            self._left = int(size[0], 16) + 2

    def _keep(self, octets: bytes) -> None:
        if len(self._body) + len(octets) > BODY:
            raise GridFault(Trouble.HUGE, f"an answer of more than {BODY} octets")
        self._body += octets
