"""Security events (block A): what a CSMS must hear of, even if it was away when it happened."""

from ocpp_bridge.charger import Charger
from ocpp_bridge.wire.times import timestamp

TEXT_MAXIMUM = 255  # characters of techInfo


def alarm(charger: Charger, kind: str, text: str, now: float) -> None:
    """Report a critical security event: it is kept until the CSMS has it, and not queued twice."""
    if not any(call.payload.get("type") == kind for call in charger.outbox.kept):
        payload = {"type": kind, "timestamp": timestamp(charger.wall(now)), "techInfo": text[:TEXT_MAXIMUM]}
        charger.call("SecurityEventNotification", payload, kept=True)
