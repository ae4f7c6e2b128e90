"""A small web server for the lab's services: bounded, loopback unless told otherwise, one thread per request."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

MAX_BODY = 65_536  # octets of a request; the largest legal one, a CertificateInstallationReq, has about 7000
PATIENCE = 10.0  # s a client may take to say what it wants


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as a service sees it."""

    path: str  # behind the route
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    kind: str = "application/octet-stream"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Route = tuple[str, str, Callable[[Asked], Answer]]
"""Method, beginning of the path, and who answers."""


class Site:
    """A server with its routes. As a context manager it serves in the background; `url` says where."""

    def __init__(self, routes: list[Route], host: str = "::1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server((host, port), routes)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._scheme = "https" if tls is not None else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"{self._scheme}://{name}:{port}"

    def __enter__(self) -> "Site":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self) -> None:
        """Serve in the foreground until interrupted."""
        try:
            self._server.serve_forever()
        except KeyboardInterrupt:
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], routes: list[Route]) -> None:
        self.routes = routes
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off, or fails its handshake, concerns nobody else."""


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(Answer(b"", status=411 if not length.isdecimal() else 413))
            return
        self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        for method, prefix, service in self.server.routes:
            if method == self.command and (self.path == prefix or self.path.startswith(f"{prefix.rstrip('/')}/")):
                asked = Asked(self.path[len(prefix) :].lstrip("/"), body, dict(self.headers.items()))
                try:
                    self._send(service(asked))
                except Exception as error:  # one request's trouble is not the server's
                    self._send(Answer(f"{type(error).__name__}: {error}\n".encode(), "text/plain", 500))
                return
        self._send(Answer(b"", status=404))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Quiet: what matters is in the answers."""
