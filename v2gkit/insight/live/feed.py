"""The observed process's end of the live viewer: starts the process that serves it, and feeds it without ever waiting for it."""

import contextlib
import ipaddress
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from v2g.session.endpoint import Event, FrameReceived, FrameSent, StateEntered
from v2g.session.link import address_text
from v2g.session.trace import Trace, line
from v2gkit.insight.live.door import LOCAL
from v2gkit.insight.recorder import Recorder

LEAVING: Final = 30.0  # s that the viewer's process may take to end once its pipe is closed: it has what no session wants of the processor
STEP: Final = 0.5  # s for which events are gathered: to wake a thread and a process for each costs more than all else
LONG: Final = 1 << 20  # octets that the pipe shall hold: what some thousand messages need
BESIDE: Final = 300  # octets of a record beside its document


_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Where:
    """The address at which the viewer is served; port 0: any free one."""

    port: int
    address: str = "127.0.0.1"


class Feed:
    """A viewer that is served. No method raises for a failure of it, and none waits for it but `flush` and `wait`."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]", say: Callable[[str], None]):
        assert process.stdin is not None
        self.url = url
        self._process, self._say, self._closing = process, say, False
        pipe = process.stdin.fileno()
        _lengthen(pipe)
        self._recorder = Recorder(
            f"viewer at {_bare(url)}", lambda octets: os.write(pipe, octets), say=self._failed, then=self._shut, gather=STEP, made=spelled
        )
        threading.Thread(target=self._mourn, name="end of the viewer", daemon=True).start()

    def text(self, line: str) -> None:
        """Show a line of a trace."""
        if not self._closing:
            self._recorder.octets(line.encode(errors="replace"))

    def event(self, trace: Trace, event: Event) -> None:
        """Show an event, of which `trace` makes the record. What comes with every message is written down later, in another thread."""
        if self._closing:
            return
        if isinstance(event, FrameReceived | FrameSent):
            self._recorder.put((trace, event), 2 * len(event.exi) + BESIDE)
        elif isinstance(event, StateEntered):
            self._recorder.put((trace, event), BESIDE)
        else:
            self._recorder.octets(_spelled(trace, event))

    def flush(self) -> None:
        """Wait until what was gathered is on its way, 2 s at most."""
        self._recorder.flush()

    def follow(self, path: Path) -> None:
        """Show the trace in a file, too, as it grows. It must be there."""
        self.text(json.dumps({"type": "follow", "path": str(path.resolve())}) + "\n")

    def over(self) -> None:
        """Say that nothing more will come."""
        self.text('{"type":"over"}\n')

    def wait(self) -> None:
        """Wait until the viewer has ended, or the user has seen enough and interrupts."""
        with contextlib.suppress(KeyboardInterrupt):
            self._process.wait()

    def close(self) -> None:
        """End the viewer: it gets what waits, and its time to leave."""
        self._closing = True
        self._recorder.close()
        try:
            self._process.wait(LEAVING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            self._say(f"viewer at {_bare(self.url)}: its process had not ended after {LEAVING:g} s; pages may lack what came last")

    # --- inside ---

    def _shut(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _failed(self, reason: str) -> None:
        """Say why nothing more is shown; that the reader has gone is said when it is known how it ended."""
        if not reason.partition(": ")[2].startswith("its reader has gone"):
            self._ended(reason.partition(";")[0])

    def _mourn(self) -> None:
        """Say once that the viewer's process ended, while the session goes on."""
        assert self._process.stderr is not None
        said = self._process.stderr.read()[-2000:].decode(errors="replace").strip().splitlines()
        code = self._process.wait()
        if not self._closing:
            why = f"by signal {-code}" if code < 0 else said[-1] if said else f"with exit code {code}"
            self._ended(f"viewer at {_bare(self.url)}: its process ended {why}")

    def _ended(self, what: str) -> None:
        if not self._closing:
            self._closing = True
            self._say(f"{what}; nothing more is shown there, all else goes on")


def _lengthen(pipe: int) -> None:
    """Let a pipe hold more, so that fewer of its readers' turns are waited for."""
    with contextlib.suppress(ImportError, AttributeError, OSError):  # another system, or too much is in use: it is as long as it is
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, LONG)


def spelled(waiting: Iterable[bytes | tuple[Trace, Event]]) -> bytes:
    """Lines for the viewer's process: those that were given, records, and of frames the brief form, a list (`v2g.session.trace.full`)."""
    return b"".join(each if isinstance(each, bytes) else _spelled(*each) for each in waiting)


def _spelled(trace: Trace, event: Event) -> bytes:
    said = trace.brief(event) if isinstance(event, FrameReceived | FrameSent) else trace.record(event)
    try:
        return _ENCODER.encode(said) + b"\n"
    except (TypeError, ValueError, OverflowError):  # half a surrogate, or a number of more than 64 bits: seldom, and the long way takes it
        return line(trace.record(event)).encode(errors="replace")


@contextlib.contextmanager
def viewed(where: Where, title: str, say: Callable[[str], None]) -> Iterator[Feed]:
    """Serve a viewer within the block. `say` gets one line where it fails later. Raises OSError where the address cannot be had."""
    try:
        listener = socket.create_server(
            (where.address, where.port), family=socket.AF_INET6 if ":" in where.address else socket.AF_INET, backlog=64
        )
    except OSError as error:
        if error.errno is None or isinstance(error, socket.gaierror):
            raise
        raise OSError(error.errno, os.strerror(error.errno), f"viewer on {address_text((where.address, where.port))}") from None
    with listener:
        feed = _started(listener, title, say)
    try:
        yield feed
    finally:
        feed.close()


def _started(listener: socket.socket, title: str, say: Callable[[str], None]) -> Feed:
    """The process that serves on this socket. The token goes through the pipe: an argument or the environment is for others to read."""
    host, port = listener.getsockname()[:2]
    local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    token = "" if local else secrets.token_urlsafe(32)
    names = sorted(LOCAL | {address_text((host, port)).rpartition(":")[0].lower()}) if local else []
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "v2gkit.insight.live"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[listener.fileno()],
        env=_environment(os.environ), start_new_session=True,
    )  # fmt: skip
    said = {"socket": listener.fileno(), "port": port, "token": token, "names": names, "title": title, "source": title}
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        os.write(process.stdin.fileno(), (json.dumps(said) + "\n").encode())
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - it is asked whether the user wanted that
    return Feed(f"http://{address_text((shown, port))}/{f'?token={token}' if token else ''}", process, say)


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the viewer's process: without our passwords, and with the place that this package was found in."""
    kept = {name: value for name, value in environment.items() if not name.startswith("V2G_") and name != "SSLKEYLOGFILE"}
    root = Path(__file__).parents[3]
    if root.name not in ("site-packages", "dist-packages"):
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), kept.get("PYTHONPATH"))))
    return kept


def _bare(url: str) -> str:
    """An address without its token, which is in no log."""
    return url.partition("?")[0]
