"""The files that sessions write for people: trace, TLS secrets, capture. One set of options for station, car and demo."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from v2g.generations import GENERATIONS
from v2g.session.endpoint import Event, Noted
from v2g.session.link import Disconnected, KeyLog, Observe, Observer
from v2g.session.trace import Trace, TraceWriter
from v2gkit.insight.cpu import Meter
from v2gkit.insight.pcapng import Capture
from v2gkit.insight.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Left:
    """The files that sessions shall write; None: not that file."""

    trace: Path | None = None
    capture: Path | None = None
    key_log: Path | None = None
    cpu: bool = False  # measured, and noted in the trace


class Tracer(Observer):
    """Writes the trace of a connection; with a meter also the CPU time that the process spent while it was open."""

    def __init__(self, writer: TraceWriter, meter: Meter | None):
        self._writer, self._meter = writer, meter
        self._before = meter.account() if meter is not None else {}

    def event(self, event: Event) -> None:
        """Write one event into the trace."""
        if self._meter is not None and isinstance(event, Disconnected):
            spent = {kind: round(value - self._before[kind], 6) for kind, value in self._meter.account().items()}
            spent["fraction"] = round(spent["cryptography"] / spent["total"], 4) if spent["total"] else 0.0
            self._writer.event(Noted(event.at, "cpu", spent))
        self._writer.event(event)


Watch = Callable[..., list[Observe]]
"""Observers for the connections of one outlet or car; what is said about it (`evse="DE*V2G*E1"`) stands at the head of each trace."""


def _revealed(left: Left, key_log: Path | None) -> str:
    """What of a session gets into files, in one line; empty: nothing does."""
    told = []
    if key_log is not None:
        told.append(f"TLS secrets to {key_log}" + ("" if left.key_log else " (SSLKEYLOGFILE is set)"))
    if left.capture:
        told.append(f"TLS secrets with all octets to {left.capture}")
    if left.trace:
        told.append(f"names, contracts and every message to {left.trace}")
    return f"this records {'; '.join(told)}; only you can read what is written, keep it so" if told else ""


@contextlib.contextmanager
def witnesses(left: Left, side: str, wall: Callable[[float], float], warn: Callable[[str], None]) -> Iterator[Watch]:
    """Within the block: a function that makes the observers which write the files of `left`.

    `side` is "secc" or "evcc", `wall` gives the wall time (epoch s) of the session; `warn` is called with a line about secrets in files.
    """
    key_log = left.key_log or (Path(os.environ["SSLKEYLOGFILE"]) if os.environ.get("SSLKEYLOGFILE") else None)
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(Recorder.into(left.trace)) if left.trace else None
        meter = stack.enter_context(Meter()) if left.trace and left.cpu else None
        packets = stack.enter_context(Recorder.into(left.capture)) if left.capture else None
        secrets = stack.enter_context(Recorder.into(key_log, append=True)) if key_log else None  # others may log there too
        if revealed := _revealed(left, key_log):
            warn(revealed)
        began = time.time() - time.monotonic()  # packets bear the time at which they were, not a simulated one

        def watch(**about: object) -> list[Observe]:
            observe: list[Observe] = []
            if lines is not None:
                observe.append(
                    lambda local, peer, number: Tracer(
                        TraceWriter(Trace(side, wall, GENERATIONS, connection=number), lines.text, about), meter
                    )
                )
            if packets is not None:
                server = side == "secc"
                observe.append(lambda local, peer, number: Capture(packets.octets, lambda now: began + now, local, peer, server=server))
            if secrets is not None:
                observe.append(lambda local, peer, number: KeyLog(secrets.text))
            return observe

        yield watch
