"""What a session leaves behind for people: its trace, its TLS secrets, a capture. One set of options for station, car and demo."""

import argparse
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.cpu import Meter
from lab.output import complain
from lab.pcapng import Capture
from lab.recorder import Recorder
from v2g.legible import legible
from v2g.session.endpoint import Event, Noted
from v2g.session.link import Disconnected, KeyLog, Observe, Observer
from v2g.session.trace import Trace, TraceWriter


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what to leave and where."""
    left = parser.add_argument_group("what to leave")
    left.add_argument("--trace", type=Path, metavar="FILE", help="every message and event, as JSON Lines; `v2g report` makes a page of it")
    left.add_argument("--capture", type=Path, metavar="FILE", help="a pcapng with the TLS secrets inside: Wireshark decrypts it by itself")
    left.add_argument("--cpu", action="store_true", help="measure what the CPU goes into, and note it in the trace and its report")
    left.add_argument("--key-log", type=Path, metavar="FILE", help="the TLS secrets (default: where SSLKEYLOGFILE says, if it does)")


class Tracer(Observer):
    """Writes the trace of a connection; with a meter also what the process spent while it was open, before its end."""

    def __init__(self, writer: TraceWriter, meter: Meter | None):
        self._writer, self._meter = writer, meter
        self._before = meter.account() if meter is not None else {}

    def event(self, event: Event) -> None:
        """Write one event."""
        if self._meter is not None and isinstance(event, Disconnected):
            spent = {kind: round(value - self._before[kind], 6) for kind, value in self._meter.account().items()}
            spent["fraction"] = round(spent["cryptography"] / spent["total"], 4) if spent["total"] else 0.0
            self._writer.event(Noted(event.at, "cpu", spent))
        self._writer.event(event)


Watch = Callable[..., list[Observe]]
"""Observers for the connections of one outlet or car; what is said about it (`evse="DE*V2G*E1"`) stands at the head of each trace."""


def warned(line: str) -> None:
    """Say it to who started this."""
    complain(f"v2g: {legible(line)}")


def _revealed(options: argparse.Namespace, key_log: Path | None) -> str:
    """What of a session gets into files, in one line; empty: nothing does."""
    told = []
    if key_log is not None:
        told.append(f"TLS secrets to {key_log}" + ("" if options.key_log else " (SSLKEYLOGFILE is set)"))
    if options.capture:
        told.append(f"TLS secrets with all octets to {options.capture}")
    if options.trace:
        told.append(f"names, contracts and every message to {options.trace}")
    return f"this records {'; '.join(told)}; only you can read what is written, keep it so" if told else ""


@contextlib.contextmanager
def witnesses(
    options: argparse.Namespace, side: str, wall: Callable[[float], float], warn: Callable[[str], None] = warned
) -> Iterator[Watch]:
    """What makes observers for what the options ask; `side` is secc or evcc, `wall` gives the epoch seconds that the session sees.

    `warn` is told in one line what secrets go where.
    """
    key_log = options.key_log or (Path(os.environ["SSLKEYLOGFILE"]) if os.environ.get("SSLKEYLOGFILE") else None)
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(Recorder.into(options.trace)) if options.trace else None
        meter = stack.enter_context(Meter()) if options.trace and options.cpu else None
        packets = stack.enter_context(Recorder.into(options.capture)) if options.capture else None
        secrets = stack.enter_context(Recorder.into(key_log, append=True)) if key_log else None  # others may log there too
        if revealed := _revealed(options, key_log):
            warn(revealed)
        began = time.time() - time.monotonic()  # packets bear the time at which they were, not a simulated one

        def watch(**about: object) -> list[Observe]:
            observe: list[Observe] = []
            if lines is not None:
                observe.append(
                    lambda local, peer, number: Tracer(TraceWriter(Trace(side, wall, connection=number), lines.text, about), meter)
                )
            if packets is not None:
                server = side == "secc"
                observe.append(lambda local, peer, number: Capture(packets.octets, lambda now: began + now, local, peer, server=server))
            if secrets is not None:
                observe.append(lambda local, peer, number: KeyLog(secrets.text))
            return observe

        yield watch
