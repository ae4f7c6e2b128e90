"""Keeps every payload that passes our own schemas in these tests, for a judge that is not ours: V2GKIT_FRAMES names a folder.

`python -m v2gkit.peers.judge .interop FOLDER` judges them.
"""

import json
import os
from pathlib import Path
from typing import Any

import ocpp_bridge.wire.rpc
import ocpp_bridge.wire.schemas

KINDS = {"Request": 2, "Response": 3, "": 6}
_kept: set[str] = set()
_check = ocpp_bridge.wire.schemas.check


def _recording(version: Any, action: str, direction: Any, payload: Any) -> None:
    """Check a payload; what is valid is kept as a frame, once."""
    _check(version, action, direction, payload)
    kind = KINDS[direction]
    frame = [3, "1", payload] if kind == 3 else [kind, "1", action, payload]
    try:
        line = json.dumps([version, [2, "1", action, {}] if kind == 3 else None, frame])
    except (TypeError, ValueError):  # what a test gives instead of a payload: it is that test's, and no frame
        return
    if line not in _kept:
        _kept.add(line)
        with (Path(os.environ["V2GKIT_FRAMES"]) / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(line + "\n")


if os.environ.get("V2GKIT_FRAMES"):
    Path(os.environ["V2GKIT_FRAMES"]).mkdir(parents=True, exist_ok=True)
    ocpp_bridge.wire.rpc.check = ocpp_bridge.wire.schemas.check = _recording
