"""Logs that the CSMS wants (pure): when it is tried again, and what is in them."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from ocpp_bridge.model.transfer import ATTEMPTS_MAXIMUM, pause
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch, timestamp

Line = tuple[float, str]  # epoch s by the station's clock, text

LINES_MAXIMUM: Final = 5000  # of the log that are remembered, 1.5 MB: some days of a station
LINE_MAXIMUM: Final = 300  # characters of each
EVENTS_MAXIMUM: Final = 200  # security events that are remembered, also over a restart: 80 kB
KINDS: Final = {"DiagnosticsLog": "diagnostics", "SecurityLog": "security"}
DENIED, UNSUPPORTED = "PermissionDenied", "NotSupportedOperation"
STATUSES: Final = {400: "BadMessage", 401: DENIED, 403: DENIED, 405: UNSUPPORTED, 501: UNSUPPORTED}  # of HTTP, after which nothing is tried


@dataclass(slots=True)
class Upload:
    """A log that is to be sent by HTTP PUT."""

    request: int
    url: str
    kind: Literal["DiagnosticsLog", "SecurityLog"]
    oldest: float  # epoch s by the station's clock
    latest: float
    left: int  # attempts
    wait: float  # s
    due: float | None  # monotonic s of the next attempt; None: one is under way
    begun: bool = False  # the CSMS was told that it is being sent

    @property
    def filename(self) -> str:
        """The name of the file at its end."""
        return f"{KINDS[self.kind]}-{self.request}.log.gz"

    @classmethod
    def of(cls, payload: Payload, now: float, skew: float) -> "Upload":
        """The upload that GetLog asks for, whose times are ahead of ours by `skew` (s). ValueError for times that cannot be read."""
        log = payload["log"]
        oldest = epoch(log["oldestTimestamp"]) - skew if "oldestTimestamp" in log else float("-inf")
        latest = epoch(log["latestTimestamp"]) - skew if "latestTimestamp" in log else float("inf")
        left = min(1 + payload.get("retries", 0), ATTEMPTS_MAXIMUM)
        wait = pause(payload.get("retryInterval", 0))
        return cls(payload["requestId"], log["remoteLocation"], payload["logType"], oldest, latest, left, wait, now)


@dataclass(slots=True)
class Logs:
    """The logs that the CSMS may have, and the one that it wants."""

    hosts: tuple[str, ...] = ()  # to which logs may be sent; empty: the CSMS's own
    security: list[Line] = field(default_factory=list)  # security events
    wanted: Upload | None = None
    due: list[Upload] = field(default_factory=list)  # to be tried now


def status_of(code: int) -> str:
    """The status of LogStatusNotification for a status of HTTP; 0: there was none."""
    return "Uploaded" if 200 <= code < 300 else STATUSES.get(code, "UploadFailure")


def archive(lines: Iterable[Line], upload: Upload) -> bytes:
    """The lines within the time that was asked for, one below the other, compressed (gzip)."""
    chosen = [f"{timestamp(at)} {text[:LINE_MAXIMUM]}\n" for at, text in lines if upload.oldest <= at <= upload.latest]
    return gzip.compress("".join(chosen).encode(), mtime=0)
