"""What sessions leave for people: trace, TLS secrets, capture, and the live view. One set of options for station, car and demo."""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from v2g.generations import GENERATIONS
from v2g.session.endpoint import Event, FrameReceived, FrameSent, Noted
from v2g.session.link import Disconnected, KeyLog, Observe, Observer
from v2g.session.trace import Trace, TraceWriter, line
from v2gkit.insight.recorder import Recorder

if TYPE_CHECKING:  # the rest is for who asks for it
    from v2gkit.insight.cpu import Meter

IN_FRAMES = frozenset({"EVReported"})  # events of every charge loop that repeat its request: whoever watches live reads them there
STATION = 0  # number of the connection that stands for frames of no session in the live view; real ones begin at 1


@dataclass(frozen=True, slots=True)
class Left:
    """The files that sessions shall write; None: not that file."""

    trace: Path | None = None
    capture: Path | None = None
    key_log: Path | None = None
    cpu: bool = False  # measured, and noted in the trace


Line = Callable[[str], object]
"""Takes a line of a trace."""


class Live(Protocol):
    """Shows sessions while they run, and makes nobody wait."""

    def text(self, line: str) -> None:
        """Show a line of a trace."""

    def event(self, trace: Trace, event: Event) -> None:
        """Show an event, of which the trace makes the record."""


class LiveWriter(Observer):
    """Hands the events of one connection over to whoever shows them, to be written down elsewhere; before the first, the opening record."""

    def __init__(self, trace: Trace, live: Live, about: Mapping[str, object]):
        self._trace, self._live, self._about = trace, live, about
        self._opened = False

    def event(self, event: Event) -> None:
        """Hand one event over."""
        if not self._opened:
            self._opened = True
            self._live.text(line(self._trace.opening(event.at, self._about)))
        self._live.event(self._trace, event)


class Tracer(Observer):
    """Writes the trace of a connection, without events of the names `without`; with a meter also the CPU time spent while it was open."""

    def __init__(
        self,
        writer: Observer,
        meter: "Meter | None",
        evse: str = "",
        moved: Callable[["Tracer", bool], object] | None = None,
        without: Set[str] = frozenset(),
    ):
        self.evse = evse
        self._writer, self._meter, self._moved = writer, meter, moved or (lambda tracer, talks: None)
        self._before = meter.account() if meter is not None else {}
        self._talks, self._without = False, without

    def event(self, event: Event) -> None:
        """Write one event into the trace."""
        if self._meter is not None and isinstance(event, Disconnected):
            spent = {kind: round(value - self._before[kind], 6) for kind, value in self._meter.account().items()}
            spent["fraction"] = round(spent["cryptography"] / spent["total"], 4) if spent["total"] else 0.0
            self._writer.event(Noted(event.at, "cpu", spent))
        if type(event).__name__ not in self._without:
            self._writer.event(event)
        if self._talks:
            if isinstance(event, Disconnected):
                self._talks = False
                self._moved(self, False)
        elif isinstance(event, FrameReceived | FrameSent):  # before it, nobody knows whether it is a car
            self._talks = True
            self._moved(self, True)


class Watch:
    """Makes the observers of connections. Called for one outlet or car; what is said about it (`evse="DE*V2G*E1"`) heads each trace."""

    def __init__(self, side: str, wall: Callable[[float], float], live: Live | None):
        self.side, self._wall, self._live = side, wall, live
        self.files: list[Callable[[Mapping[str, object]], Observe]] = []  # makers of observers, by what is said about an outlet
        self._traces = False
        self._talking: list[Tracer] = []  # the open connections that are traced
        self._last: dict[str, Tracer] = {}  # outlet -> its latest connection in the live view
        self._numbers = itertools.count(1)
        self._station = LiveWriter(self._trace(STATION, False), live, {"evse": ""}) if live is not None else None

    def __call__(self, **about: object) -> list[Observe]:
        made = [make(about) for make in self.files]
        return [*made, self._shown_live(self._live, about)] if self._live is not None else made

    def traced(self, write: Line, meter: "Meter | None") -> None:
        """Let `write` have the traces of all connections."""
        self._traces = True
        self.files.append(
            lambda about: (
                lambda local, peer, number: self._tracer(TraceWriter(self._trace(number, True), write, about), meter, about, False)
            )
        )

    def _shown_live(self, live: Live, about: Mapping[str, object]) -> Observe:
        def observe(local: tuple[str, int], peer: tuple[str, int], number: int) -> Observer:
            """Cars of a fleet, and one car before and after a pause, all have the same number: here each has one of its own."""
            own = number if self.side == "secc" else next(self._numbers)
            return self._tracer(LiveWriter(self._trace(own, False), live, about), None, about, True)

        return observe

    def _trace(self, number: int, decoded: bool) -> Trace:
        return Trace(self.side, self._wall, GENERATIONS, connection=number, decoded=decoded)

    def _tracer(self, writer: Observer, meter: "Meter | None", about: Mapping[str, object], live: bool) -> Tracer:
        def moved(tracer: Tracer, talks: bool) -> None:
            if talks:
                self._talking.append(tracer)
                if live:
                    self._last[tracer.evse] = tracer
            else:
                self._talking.remove(tracer)

        return Tracer(writer, meter, str(about.get("evse", "")), moved, IN_FRAMES if live else frozenset())

    def frames(self, outlets: Mapping[int, str]) -> Callable[[str, str], None]:
        """A hearer of the OCPP frames ("in" or "out", text) of a station whose EVSEs have these ids by number: for its traces."""
        from v2gkit.insight.conversation import Conversation

        conversation = Conversation(outlets)

        def heard(direction: str, text: str) -> None:
            if not self._traces and self._live is None:
                return
            frame = conversation.frame(time.monotonic(), direction, text)
            if frame is None:
                return
            here = {tracer.evse for tracer in self._talking}
            evse = frame.evse or (next(iter(here)) if len(here) == 1 else None)
            concerned = [tracer for tracer in self._talking if tracer.evse == evse]
            for tracer in concerned:
                tracer.event(frame)
            if not concerned and self._station is not None:  # what a transaction ends with comes after its connection
                (self._last.get(frame.evse) or self._station).event(frame)

        return heard


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


def _meter() -> "Meter":
    from v2gkit.insight.cpu import Meter

    return Meter()


@contextlib.contextmanager
def witnesses(
    left: Left, side: str, wall: Callable[[float], float], warn: Callable[[str], None], live: Live | None = None
) -> Iterator[Watch]:
    """Within the block: what makes the observers which write the files of `left`, and the lines for whoever watches `live`.

    `side` is "secc" or "evcc", `wall` gives the wall time (epoch s) of the session; `warn` is called with a line about secrets in files.
    `live` takes events as they are: whoever watches decodes, the session does not wait for it.
    """
    key_log = left.key_log or (Path(os.environ["SSLKEYLOGFILE"]) if os.environ.get("SSLKEYLOGFILE") else None)
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(Recorder.into(left.trace)) if left.trace else None
        meter = stack.enter_context(_meter()) if left.trace and left.cpu else None
        packets = stack.enter_context(Recorder.into(left.capture)) if left.capture else None
        secrets = stack.enter_context(Recorder.into(key_log, append=True)) if key_log else None  # others may log there too
        if revealed := _revealed(left, key_log):
            warn(revealed)
        began = time.time() - time.monotonic()  # packets bear the time at which they were, not a simulated one

        watch = Watch(side, wall, live)
        if lines is not None:
            watch.traced(lines.text, meter)
        if packets is not None:
            from v2gkit.insight.pcapng import Capture

            wire, server = packets.octets, side == "secc"
            watch.files.append(lambda about: lambda local, peer, number: Capture(wire, lambda now: began + now, local, peer, server=server))
        if secrets is not None:
            log = secrets.text
            watch.files.append(lambda about: lambda local, peer, number: KeyLog(log))
        yield watch
