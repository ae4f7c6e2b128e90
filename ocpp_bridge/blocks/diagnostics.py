"""Logs for the CSMS (N01, A04): the station's own log and its security events, sent where the CSMS says, if that is a place for them.

Logs go to the hosts of `Charger.logs` alone, which is the CSMS's own where nobody says otherwise.
"""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks.security import alarm
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.log_upload import KINDS, Upload, status_of
from ocpp_bridge.model.transfer import objection
from ocpp_bridge.wire.schemas import Payload
from v2g.address import public_url


def get_log(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetLog: send a log. One that is being sent is given up for it."""
    if payload["logType"] not in KINDS:
        return no("UnsupportedParam", f"there is no {payload['logType']} here")
    if why := objection(payload["log"]["remoteLocation"], charger.logs.hosts, "logs are sent to"):
        return no("InvalidURL", why)
    upload, before = Upload.of(payload, now, charger.skew), charger.logs.wanted
    if before is not None:
        _tell(charger, before, "AcceptedCanceled")
    charger.logs.wanted = upload
    return {"status": "AcceptedCanceled" if before is not None else "Accepted", "filename": upload.filename}


def due_now(charger: Charger) -> list[Upload]:
    """Take the logs that are to be sent now; answer each by `take_status`."""
    uploads, charger.logs.due = charger.logs.due, []
    return uploads


def take_status(charger: Charger, upload: Upload, code: int, reason: str, now: float) -> None:
    """Take what became of an attempt: the status of HTTP (0: none came), and why. It is tried again where that may help."""
    if charger.logs.wanted is not upload:
        return  # given up meanwhile
    status = status_of(code)
    charger.note(f"log {upload.filename} to {public_url(upload.url)}: {status} {reason}".rstrip())
    if status == "UploadFailure" and upload.left > 0:
        upload.due = now + upload.wait
        return
    charger.logs.wanted = None
    _tell(charger, upload, status, reason)


def tell_present(charger: Charger) -> None:
    """Send LogStatusNotification with what is being sent at present, because the CSMS asked for it."""
    upload = charger.logs.wanted
    payload = {"status": "Idle"} if upload is None else {"status": "Uploading", "requestId": upload.request}
    charger.call("LogStatusNotification", payload, solicited=True)


def note_start(charger: Charger, now: float) -> None:
    """Tell the CSMS that has accepted the station that it has started, and note it in the security log, where it has."""
    if charger.boot.reason == "PowerUp":
        alarm(charger, "StartupOfTheDevice", "", now)


def _tell(charger: Charger, upload: Upload, status: str, reason: str = "") -> None:
    info = {"statusInfo": {"reasonCode": "InternalError", "additionalInfo": reason[:1024]}} if reason and status == "UploadFailure" else {}
    charger.call("LogStatusNotification", {"status": status, "requestId": upload.request} | info)


def _tick(charger: Charger, now: float) -> None:
    upload = charger.logs.wanted
    if upload is None or upload.due is None or now < upload.due:
        return
    upload.due, upload.left = None, upload.left - 1
    charger.logs.due.append(upload)
    if not upload.begun:
        upload.begun = True
        _tell(charger, upload, "Uploading")


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    charger.logs.security = [(event[0], event[1]) for event in kept.get("security/log", ())]


BLOCK: Final = Block(
    requests={"GetLog": get_log},
    due=lambda charger: charger.logs.wanted.due if charger.logs.wanted is not None else None,
    tick=_tick,
    keeps="security",
    restore=_restore,
)
