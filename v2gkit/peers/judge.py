"""A second judge of recorded OCPP frames: the npm package `typed-ocpp`, with schemas and code that are not ours.

python -m v2gkit.peers.judge .interop build/frames

A record is a line of JSON: [version, the call that a result answers or null, frame].
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from v2gkit.peers import npm_setup


def judged(home: Path, files: Sequence[Path]) -> dict[str, Any]:
    """How many frames of the files were `judged`, of how many kinds (`actions`), and which were `refused`, each with its `errors`.

    Raises NpmMissing where the judge is not installed, subprocess.CalledProcessError where it falls.
    """
    if reason := npm_setup.missing(home):
        raise npm_setup.NpmMissing(reason)
    command = ["node", str(npm_setup.JUDGE), str(npm_setup.folder(home)), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def main(home: Path, recorded: Path) -> int:
    """Judge all files of a folder; 1 where a frame was refused, or where there was none to judge."""
    try:
        said = judged(home, sorted(recorded.glob("*.jsonl")))
    except npm_setup.NpmMissing as error:
        print(f"nobody judged the recorded frames: {error}", file=sys.stderr)
        return 0
    theirs = f"typed-ocpp {npm_setup.PACKAGES['typed-ocpp']}"
    print(f"{said['judged']} frames of {said['actions']} kinds judged by {theirs}, {len(said['refused'])} refused")
    for one in said["refused"][:20]:
        print(json.dumps(one)[:2000])
    return 1 if said["refused"] or not said["judged"] else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
