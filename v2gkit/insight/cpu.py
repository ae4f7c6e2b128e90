"""Measures how a session's CPU time is spent while it runs: cryptography by kind, the codec, schedules, and the rest.

    with Meter() as meter:
        ...
    meter.account()      # {"total": s, "cryptography": s, "fraction": ..., "TLS handshake": s, ...}

The functions of `WORK` are wrapped wherever a module holds them; each is charged the CPU time of its own thread without that of the wrapped
functions it calls. A wrapper costs about a microsecond a call.
"""

import importlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, Final

WORK: Final[dict[str, tuple[str, ...]]] = {
    "TLS handshake": ("v2g.session.transport.channel:Channel._shake_hands",),
    "TLS records": tuple(
        f"v2g.session.transport.{library}:_Engine.{verb}"
        for library in ("openssl", "libssl")
        for verb in ("read", "write", "feed", "drain")
    ),
    "certificate chains": ("pki.verify:verify",),
    "signatures": ("pki.keys:sign", "pki.keys:verify"),
    "contract keys": ("pki.envelope:seal", "pki.envelope:unseal"),
    "revocation": ("pki.status:check", "pki.status:check_list"),
    "EXI": ("v2g.exi.codec:decode", "v2g.exi.codec:encode", "v2g.exi.codec:decode_fragment", "v2g.exi.codec:encode_fragment"),
    "schedules": ("secc.backend:offered", "evcc.choice:choose"),
}
CRYPTOGRAPHY: Final = ("TLS handshake", "TLS records", "certificate chains", "signatures", "contract keys", "revocation")


class Meter:
    """Measures the CPU time of the whole process from its beginning to its end, as a context manager; only one at a time."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._began = 0.0
        self._swapped: list[tuple[Any, Any]] = []  # (the function, its wrapper)
        self._methods: list[tuple[Any, str, Any]] = []
        self._local = threading.local()

    def __enter__(self) -> "Meter":
        for kind, places in WORK.items():
            for place in places:
                self._wrap(kind, *place.split(":"))
        self._began = time.process_time()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for function, wrapper in self._swapped:
            _replace(wrapper, function)
        for owner, name, function in self._methods:
            setattr(owner, name, function)

    def account(self) -> dict[str, float]:
        """CPU seconds so far, by kind; `fraction` is the share of cryptography."""
        total = time.process_time() - self._began
        cryptography = sum(self.spent[kind] for kind in CRYPTOGRAPHY)
        rest = total - sum(self.spent.values())
        seconds = {"total": total, "cryptography": cryptography, **{kind: self.spent[kind] for kind in WORK}, "rest": rest}
        return {kind: round(value, 6) for kind, value in seconds.items()} | {"fraction": round(cryptography / total, 4) if total else 0.0}

    # --- wrapping ---

    def _wrap(self, kind: str, module: str, name: str) -> None:
        owner: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        function = getattr(owner, last)
        wrapper = self._charged(kind, function)
        if path:
            self._methods.append((owner, last, function))
            setattr(owner, last, wrapper)
        else:
            self._swapped.append((function, wrapper))
            _replace(function, wrapper)

    def _charged(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        local, spent = self._local, self.spent

        @wraps(function)
        def charged(*args: Any, **kwargs: Any) -> Any:
            inner = getattr(local, "inner", 0.0)  # CPU of wrapped calls inside the caller, so far
            local.inner, began = 0.0, time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                taken = time.thread_time() - began
                spent[kind] += taken - local.inner
                local.inner = inner + taken

        return charged


def _replace(old: Any, new: Any) -> None:
    """Put `new` wherever a module holds `old` by a name of its own."""
    for module in list(sys.modules.values()):
        held = getattr(module, "__dict__", None)
        for name, value in list(held.items()) if isinstance(held, dict) else ():
            if value is old:
                setattr(module, name, new)
