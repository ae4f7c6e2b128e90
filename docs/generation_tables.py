"""The tables of the reference that every generation has: order, times, codes, modes; each is printed for all of `v2g.generations`."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from v2g.exi.schema import Type
from v2g.generations import GENERATIONS
from v2g.reasons import Reason
from v2g.session.generation import MAIN, Generation, Row
from v2g.session.v2gtp import PAYLOADS

STOP = "SessionStopReq"  # in every generation


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n" for line in lines)


def code(text: str) -> str:
    """Text as code, nothing for nothing."""
    return f"`{text}`" if text else ""


def room(generation: Generation, name: str) -> ModuleType:
    """The module of that name in the room of a generation, such as its `timing`."""
    return import_module(f"{generation.timing.__module__.rpartition('.')[0]}.{name}")


def each(part: Callable[[Generation], str]) -> str:
    """A part of the page for each generation, under its name."""
    return "\n".join(f"### {generation.name}\n\n{part(generation)}" for generation in GENERATIONS)


# --- order ---


def sequence_table() -> str:
    """Which request the station accepts in which state, and where its answer may lead. What many states accept alike is one row."""
    heads = ("while the station waits for", "it accepts", "on the stream", "and then waits for")
    return each(lambda generation: table(heads, _order(generation)))


def _order(generation: Generation) -> Iterator[Sequence[str]]:
    rows = list(generation.rows.values())
    stops = [row for row in rows if row.request.__name__ == STOP]
    alike = len(stops) > 1 and len({row.then for row in stops}) == 1
    streams = {row.stream: f"0x{payload:04X}, {row.stream}" for payload, row in PAYLOADS.items()} | {MAIN: MAIN}
    for row in rows:
        if not (alike and row in stops):
            yield row.state.value, code(row.request.__name__), streams[row.stream], ", ".join(state.value for state in row.then)
    if alike:
        yield _everywhere(generation, rows, stops), code(STOP), MAIN, ", ".join(state.value for state in stops[0].then)


def _everywhere(generation: Generation, rows: list[Row], stops: list[Row]) -> str:
    """The states in which the session may be ended, in words: those that are left out are named."""
    begins = {state for row in rows if row.state is generation.first for state in row.then}
    left = [state for state in type(generation.first) if state not in {row.state for row in stops}]
    left = [state for state in left if state not in (generation.first, generation.over, *begins)]
    but = " but " + ", ".join(state.value for state in left) if left else ""
    return f"every state after SessionSetup{but}"


# --- times ---


def timing_table() -> str:
    """Each time of a generation, with what the code says of it."""
    return each(lambda generation: table(("time", "value", "what it is", "where it holds"), _times(room(generation, "timing"))))


def _times(module: ModuleType) -> Iterator[Sequence[str]]:
    heading = ""
    for line in inspect.getsource(module).splitlines():
        if title := re.fullmatch(r"# --- (.*) ---", line):
            heading = title[1]
        elif found := re.fullmatch(r"([A-Z_]+)\s*(?::.*)?= ([\d.]+)(?:\s+# (.*))?", line):
            unit = "" if found[1].endswith("ATTEMPTS") else " s"
            yield code(found[1]), f"{float(found[2]):g}{unit}", heading, found[3] or ""


def pair_table() -> str:
    """The four times of each request, those that differ from the rest by name."""
    heads = ("request", "car waits for the response", "station answers within", "station waits for the next request", "car sends it within")
    return each(lambda generation: table(heads, _pairs(generation, room(generation, "timing").EXCEPTIONS)))


def _pairs(generation: Generation, exceptions: dict[type[Type], Any]) -> Iterator[Sequence[str]]:
    named = {cls.__name__: times for cls, times in exceptions.items()}
    for name, times in [("every other request", generation.timing(Type)), *((code(name), named[name]) for name in sorted(named))]:
        seconds = (times.msg_timeout, times.secc_performance, times.sequence_timeout, times.evcc_performance)
        yield name, *(f"{one:g} s" for one in seconds)


# --- codes ---


def code_table() -> str:
    """Each reason for which a station refuses, and the code by which a car of each generation hears it."""
    heads = ["reason"]
    for generation in GENERATIONS:
        survives = hasattr(room(generation, "refusals"), "warning_of")
        heads += [generation.name, *([f"{generation.name}, the car may try again"] if survives else [])]
    return table(heads, (_codes(reason) for reason in Reason))


def _codes(reason: Reason) -> Sequence[str]:
    cells = [reason.value]
    for generation in GENERATIONS:
        refusals = room(generation, "refusals")
        cells.append(code(refusals.code_of(reason).value))
        if hasattr(refusals, "warning_of"):
            warning = refusals.warning_of(reason)
            cells.append("" if warning is None else code(warning.value))
    return cells


# --- modes ---


def mode_table() -> str:
    """The energy transfer modes of the generations that have such, with the plug and the phases that each takes."""
    heads = ("generation", "mode", "plug", "current", "phases", "offered by a station")
    lines = []
    for generation in GENERATIONS:
        services = room(generation, "services")
        for mode in getattr(services, "MODES", {}).values():
            offered = "yes" if mode in services.OFFERED else "no"
            current = "direct" if mode.dc else "alternating"
            lines.append((generation.name, code(mode.name.value), mode.plug, current, "" if mode.dc else str(mode.phases), offered))
    return table(heads, lines)
