"""`v2g replay`: a station's sessions played again from their trace, to see that they answer, want and end as they did."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from v2g.legible import legible
from v2gkit.output import complain, put

SAME, DIFFERENT, USAGE = 0, 1, 2
SHOWN = 400  # characters of a difference: a record may hold a whole message
EPILOG = """example:
  v2g replay demo-output/trace.jsonl
  v2g replay trace.jsonl --json

Every session is played by the engine of this version, fed the frames, facts
and times that were recorded. What a verifier thought, what was drawn and what
a backend decided comes from the trace.

exit codes: 0 every session does as it did, 1 one does not, 2 the trace cannot
be read or is not that of a station
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g replay`."""
    parser.add_argument("trace", type=Path, help="the trace of a station, JSON Lines")
    parser.add_argument("--json", action="store_true", help="one JSON object per session on standard output")


def run(options: argparse.Namespace) -> int:
    """Play every session of the trace again; the exit code, 1 where something differs."""
    from secc.replay import replay

    try:
        played = list(replay(records(options.trace)))
    except OSError:
        raise
    except Exception as error:  # whatever a foreign file makes a player stumble over
        why = legible(f"{type(error).__name__}: {error}")[:SHOWN]
        complain(f"v2g replay: {options.trace} is no trace of a station that this version can play: {why}")
        return USAGE
    if not played:
        complain(f"v2g replay: {options.trace} holds no session of a station; a car's trace is not played, nor one of an older version")
        return USAGE
    for each in played:
        said = {"connection": each.connection, "records": len(each.recorded), "same": not each.differences}
        if options.json:
            put(json.dumps({**said, "differences": list(each.differences)}))
        else:
            apart = "".join(f"; {legible(one)[:SHOWN]}" for one in each.differences)
            put(f"connection {each.connection}: {len(each.recorded)} records, {'differs' + apart if apart else 'the same'}")
    return DIFFERENT if any(each.differences for each in played) else SAME


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a trace file, without a last line that was cut off. Raises ValueError, with the line, for one that is no record."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line, parse_constant=str)  # earlier traces have Infinity bare
            except json.JSONDecodeError as error:
                if number > 1 and not line.endswith("\n"):
                    return  # where the disk was full, or the station lost its power
                raise ValueError(f"line {number} is no JSON ({error})") from None
            if not isinstance(record, dict) or "connection" not in record:
                raise ValueError(f"line {number} is no record of a trace")
            yield record
