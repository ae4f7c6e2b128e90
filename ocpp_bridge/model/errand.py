"""Work that blocks, for the shell to do off its loop: a block that wants something written or made leaves it in `Charger.errands`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ocpp_bridge.wire.schemas import Payload


@dataclass(frozen=True, slots=True)
class Errand:
    """One piece of work. The shell calls `do` in a thread, then `done` with what it returned, or `failed` with the words of its error.

    With `answers` the CSMS waits for it: the answer in whose making it was asked leaves once it is done; if it fails, what `failed`
    returns is answered in its place.
    """

    do: Callable[[], Any]  # may raise OSError, StoreError, CertificateError, ValueError
    done: Callable[[Any, float], None]  # (what `do` returned, monotonic s)
    failed: Callable[[str, float], Payload]  # (why, monotonic s) -> what is answered instead
    answers: bool = False
