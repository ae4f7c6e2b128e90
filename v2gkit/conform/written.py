"""Writes what a run of the suite came to into a folder: a line of JSON for each result, and the trace of each case. A shell."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from v2g.generations import GENERATIONS
from v2g.legible import legible
from v2g.session.trace import Trace, line
from v2gkit.conform.case import Role
from v2gkit.conform.runner import Run
from v2gkit.conform.verdict import Outcome, Result

RESULTS = "results.jsonl"
EVIDENCE = "evidence"


class Folder:
    """A folder of results. Raises OSError where it cannot be written."""

    def __init__(self, path: Path, role: Role):
        self.path, self._side = path, "evcc" if role == "station" else "secc"
        (path / EVIDENCE).mkdir(parents=True, exist_ok=True)
        self._offset = time.time() - time.monotonic()

    def evidence(self, id_: str, runs: Iterable[tuple[Run, Outcome]]) -> str:
        """Write the trace of a case; its path below the folder, empty where nothing was seen."""
        name = f"{EVIDENCE}/{id_}.jsonl"
        if not any(outcome.evidence for _, outcome in runs):
            return ""
        with (self.path / name).open("w", encoding="utf-8") as file:
            number = 0
            for run, outcome in runs:
                number = self._traced(file, run, outcome, number)
        return name

    def _traced(self, file: TextIO, run: Run, outcome: Outcome, number: int) -> int:
        """Write the connections of one run, numbered on from `number`; the last number."""
        traces: dict[int, Trace] = {}
        for connection, event in outcome.evidence:
            if connection not in traces:
                number += 1
                traces[connection] = Trace(self._side, lambda now: now + self._offset, GENERATIONS, connection=number)
                file.write(line(traces[connection].opening(event.at, {"case": run.name, "verdict": outcome.verdict.value})))
            file.write(line(traces[connection].record(event)))
        return number

    def results(self, results: Iterable[Result]) -> None:
        """Write one line for each result."""
        text = "".join(f"{legible(json.dumps(row(each), ensure_ascii=False))}\n" for each in results)
        (self.path / RESULTS).write_text(text, encoding="utf-8")


def row(each: Result) -> dict[str, object]:
    """A result as the JSON object of a line."""
    return {**asdict(each), "verdict": each.verdict.value, "requirement": list(each.requirement), "seconds": round(each.seconds, 3)}
