"""Security events (block A): what a CSMS must hear of, even if it was away when it happened, and what the security log has of it."""

from ocpp_bridge.charger import Charger
from ocpp_bridge.model.log_upload import EVENTS_MAXIMUM
from ocpp_bridge.wire.times import timestamp

TEXT_MAXIMUM = 255  # characters of techInfo


def alarm(charger: Charger, kind: str, text: str, now: float) -> None:
    """Report a critical security event: it is kept until the CSMS has it, and not queued twice; the security log has it in any case."""
    remember(charger, kind, text, now)
    if not any(call.payload.get("type") == kind for call in charger.outbox.kept):
        payload = {"type": kind, "timestamp": timestamp(charger.wall(now)), "techInfo": text[:TEXT_MAXIMUM]}
        charger.call("SecurityEventNotification", payload, kept=True)


def remember(charger: Charger, kind: str, text: str, now: float) -> None:
    """Note a security event in the security log."""
    charger.logs.security = [*charger.logs.security, (charger.clock.wall(now), f"{kind} {text}".rstrip())][-EVENTS_MAXIMUM:]
    charger.keep("security/log", [list(event) for event in charger.logs.security])
