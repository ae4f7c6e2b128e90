"""Runs `v2g` with its event loop watched: which of its callbacks kept the loop longest, in processor time of its thread.

    python -m bench._held FILE secc --config station.toml

What other work on the machine takes does not count. When the program ends the callbacks of `LONG` s and more stand in FILE, as JSON: how
often each kind was as long, the longest, and how many there were in all.
"""

import atexit
import json
import sys
import time
from asyncio import events
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

LONG: Final = 0.005  # s
_kinds: "dict[str, list[float]]" = defaultdict(list)
_all = [0, 0.0]


def kind(callback: Any) -> str:
    """What a callback is, without whose it is."""
    owner = getattr(callback, "__self__", None)
    coroutine = getattr(owner, "get_coro", lambda: None)()
    if coroutine is not None:
        inner = coroutine
        while getattr(inner, "cr_await", None) is not None and hasattr(inner.cr_await, "cr_code"):
            inner = inner.cr_await
        return f"task {inner.__qualname__}"
    return str(
        getattr(callback, "__qualname__", None) or getattr(getattr(callback, "func", None), "__qualname__", None) or type(callback).__name__
    )


def watched(run: Any) -> Any:
    """A handle's `_run` that keeps an account."""

    def _run(self: Any) -> None:
        name = kind(self._callback)
        began = time.thread_time()
        run(self)
        took = time.thread_time() - began
        _all[0] += 1
        _all[1] += took
        if took >= LONG:
            _kinds[name].append(took)

    return _run


def written(file: Path) -> None:
    """Write the account down."""
    kinds = {name: {"times": len(each), "longest_ms": round(max(each) * 1e3, 1)} for name, each in _kinds.items()}
    file.write_text(json.dumps({"callbacks": _all[0], "seconds": round(_all[1], 3), "long": kinds}))


if __name__ == "__main__":
    from v2gkit.cli.main import main

    events.Handle._run = watched(events.Handle._run)  # type: ignore[method-assign]
    atexit.register(written, Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
