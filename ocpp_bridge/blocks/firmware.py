"""Firmware updates (L01, L02): fetched, proved, and installed by whoever knows how (`Charger.firmware.installer`), while nobody charges.

    accepted -> DownloadScheduled -> Downloading <-> DownloadPaused -> Downloaded -> SignatureVerified -> InstallScheduled
             -> Installing -> InstallRebooting -> Installed

Each status is told once, in order, also to a CSMS that was away. How far it is outlives the process: a download begins anew, what waited
waits, and a restart in the midst of an installation is asked about (`Installer.confirm`).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks.availability import tell_status
from ocpp_bridge.blocks.security import alarm
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.firmware import CUTS_MAXIMUM, UNTOUCHABLE, Update, Work, signature_of, signed, signer
from ocpp_bridge.model.transfer import objection
from ocpp_bridge.model.variables import BOOLEAN, FLAG, Row
from ocpp_bridge.wire.schemas import Payload
from pki.errors import CertificateError
from v2g.address import public_url

KEPT: Final = "firmware/update"
NEW_SESSIONS: Final = "ChargingStation.AllowNewSessionsPendingFirmwareUpdate"
LAST_WORDS: Final = 10.0  # s that the CSMS has to hear that the station restarts
RESTART: Final = 600.0  # s in which the station must have restarted once it was told to
WHY: Final = "the station is about to get another firmware"


def update(charger: Charger, payload: Payload, now: float) -> Payload:
    """UpdateFirmware: refused with the reason, or begun at its time. One under way is given up for it, unless it is being installed."""
    firmware, wanted, before = charger.firmware, payload["firmware"], charger.firmware.running
    if firmware.installer is None or firmware.folder is None:
        why = "this station does not install firmware by OCPP; its software is a package of its operating system"
        return no("UnsupportedRequest", why)
    if before is not None and before.status in UNTOUCHABLE:
        return no("FwUpdateInProgress", f"the firmware of request {before.request} is being installed")
    if why := objection(wanted["location"], firmware.hosts, "firmware is fetched from"):
        return no("InvalidURL", why)
    given = [name for name in ("signingCertificate", "signature") if wanted.get(name)]
    if len(given) == 1 or not (given or firmware.unsigned):
        return no("MissingParam", "only signed firmware is taken: give signingCertificate and signature")
    if given:
        try:
            signature_of(wanted["signature"])
            _signer(charger, wanted["signingCertificate"], now)
        except CertificateError as error:
            alarm(charger, "InvalidFirmwareSigningCertificate", str(error), now)
            return no("InvalidCertificate", str(error), "InvalidCertificate")
        except ValueError as error:
            return no("InvalidValue", str(error))
    firmware.update = Update.of(payload)
    firmware.work.clear()
    _reopen(charger, now)
    _keep(charger)
    return {"status": "Accepted" if before is None else "AcceptedCanceled"}


def _signer(charger: Charger, text: str, now: float) -> Any:
    return signer(text, charger.safe.roots("ManufacturerRootCertificate"), datetime.fromtimestamp(charger.wall(now), UTC))


def work(charger: Charger) -> list[tuple[Work, Update]]:
    """Take what is to be done now, for the shell; each is answered by `take_file`, `take_installation` or `take_confirmation`."""
    wanted, charger.firmware.work = charger.firmware.work, []
    return wanted


def take_file(charger: Charger, update: Update, digest: str, why: str, now: float, longer: str = "") -> None:
    """Take what became of a download: SHA-256 and SHA-384 (`longer`) of the file in hex, or why there is none.

    It is tried again while attempts are left.
    """
    if not _answered(charger, update):
        return
    if why:
        charger.note(f"firmware from {public_url(update.url)}: {why}")
        update.due = now + update.wait
        _tell(charger, "DownloadPaused" if update.left > 0 else "DownloadFailed", now, why)
        return
    update.digest = digest
    _tell(charger, "Downloaded", now)
    if update.signature:
        _prove(charger, update, longer, now)


def _prove(charger: Charger, update: Update, longer: str, now: float) -> None:
    """Go on with a file only if its manufacturer has signed it, with a certificate that is still good."""
    try:
        proved = signed(_signer(charger, update.certificate, now), signature_of(update.signature), update.digest, longer)
        why = "" if proved else "the signature is not one over this file"
    except CertificateError as error:
        why = str(error)
    if why:
        alarm(charger, "InvalidFirmwareSignature", f"request {update.request}: {why}", now)
    _tell(charger, "InvalidSignature" if why else "SignatureVerified", now, why)


def take_installation(charger: Charger, update: Update, status: str, why: str, now: float) -> None:
    """Take what became of an installation: Installed, InstallRebooting, or the failure with its reason."""
    if not _answered(charger, update):
        return
    update.due = now + LAST_WORDS
    _tell(charger, status, now, why)


def take_activation(charger: Charger, update: Update, why: str, now: float) -> None:
    """Take that the station is told to restart, or why it cannot be."""
    if not _answered(charger, update):
        return
    if why:
        _tell(charger, "InstallationFailed", now, why)
    else:
        update.busy, update.due = True, now + RESTART  # nothing is left to be done by this process


def _answered(charger: Charger, update: Update) -> bool:
    """Whether an answer is still waited for: another update may have taken its place."""
    update.busy = False
    return charger.firmware.running is update


def _tell(charger: Charger, status: str, now: float, why: str = "") -> None:
    """Tell the next status of the update, which is kept with it."""
    update = charger.firmware.update
    assert update is not None
    update.status, update.restarted = status, False
    info = {"statusInfo": {"reasonCode": "InternalError", "additionalInfo": why[:1024]}} if why else {}
    charger.note(f"firmware of request {update.request}: {status} {why}".rstrip())
    charger.call("FirmwareStatusNotification", {"status": status, "requestId": update.request} | info, kept=True)
    if status == "Installed":
        alarm(charger, "FirmwareUpdated", f"request {update.request}, SHA-256 {update.digest}", now)
    if update.over:
        _reopen(charger, now)
    _keep(charger)


def _keep(charger: Charger) -> None:
    update = charger.firmware.update
    charger.keep(KEPT, None if update is None else update.kept())


# --- what it waits for ---


def _occupied(charger: Charger) -> bool:
    """Whether a car is there that an installation would cut off."""
    return any(evse.transaction or evse.session or evse.interrupted for evse in charger.evses.values())


def _next(charger: Charger) -> tuple[float | None, Callable[[Charger, Update, float], None]] | None:
    """When (monotonic s; None: once nobody charges) what is done next with the update; None: nothing, somebody is at work."""
    update = charger.firmware.running
    if update is None:
        return None
    if update.busy:
        return (update.due, _not_restarted) if update.status == "InstallRebooting" and update.due else None
    if update.restarted and update.status in UNTOUCHABLE:
        return 0.0, _confirm
    if update.status in ("", "DownloadScheduled", "Downloading", "DownloadPaused"):
        return max(charger.moment(update.retrieve), update.due), _download
    if update.status == "InstallRebooting":
        told = not any(call.action == "FirmwareStatusNotification" for call in charger.outbox.kept)
        return (0.0 if told else update.due), _activate
    begins = charger.moment(update.install) if update.install > 0 else 0.0
    closed = charger.variables.yes(NEW_SESSIONS) or any(evse.closed for evse in charger.evses.values())
    waits = _occupied(charger) and closed and update.status == "InstallScheduled"
    return (None if waits else begins), _install


def due(charger: Charger) -> float | None:
    """The moment (monotonic s) at which the update goes on."""
    update, then = charger.firmware.running, _next(charger)
    if update is not None and not update.busy and update.status in ("", "Downloaded", "SignatureVerified"):
        return 0.0  # at least that it waits is to be told
    return None if then is None else then[0]


def tick(charger: Charger, now: float) -> None:
    """Go on with the update, where its time has come; tell that it waits for it where that is not told yet."""
    update, then = charger.firmware.running, _next(charger)
    if update is None or then is None:
        return
    at, act = then
    if charger.firmware.installer is None or charger.firmware.folder is None:
        _tell(charger, "InstallationFailed" if update.digest else "DownloadFailed", now, "no firmware is installed here any more")
    elif at is not None and now >= at:
        act(charger, update, now)
    elif at is not None and not update.status:
        _tell(charger, "DownloadScheduled", now)
    elif at is not None and update.status in ("Downloaded", "SignatureVerified"):
        _tell(charger, "InstallScheduled", now)


def _begin(charger: Charger, kind: Work, update: Update) -> None:
    update.busy = True
    charger.firmware.work.append((kind, update))


def _download(charger: Charger, update: Update, now: float) -> None:
    again, update.restarted = update.restarted and update.status == "Downloading", False
    if again:
        update.cuts += 1
        if update.cuts > CUTS_MAXIMUM:
            _tell(charger, "DownloadFailed", now, f"the station ended {update.cuts} times in the midst of it")
            return
    else:
        update.left -= 1
        _tell(charger, "Downloading", now)
    _keep(charger)
    _begin(charger, "download", update)


def _install(charger: Charger, update: Update, now: float) -> None:
    if not _occupied(charger):
        _tell(charger, "Installing", now)
        _close(charger, now)
        _begin(charger, "install", update)
        return
    if update.status != "InstallScheduled":
        _tell(charger, "InstallScheduled", now)
    if not charger.variables.yes(NEW_SESSIONS):
        _close(charger, now)


def _activate(charger: Charger, update: Update, now: float) -> None:
    update.due = 0.0
    _begin(charger, "activate", update)


def _not_restarted(charger: Charger, update: Update, now: float) -> None:
    update.busy = False
    _tell(charger, "InstallationFailed", now, f"the station was told to restart, and has not within {RESTART:g} s")


def _confirm(charger: Charger, update: Update, now: float) -> None:
    _close(charger, now)
    _begin(charger, "confirm", update)


# --- who is served meanwhile ---


def _close(charger: Charger, now: float) -> None:
    """Serve no new car; an EVSE without one is Unavailable at once, the others when theirs has gone."""
    for evse in charger.evses.values():
        if not evse.closed:
            evse.closed = WHY
            _show(charger, evse, now)


def _reopen(charger: Charger, now: float) -> None:
    for evse in charger.evses.values():
        if evse.closed:
            evse.closed, evse.unwelcome = "", evse.plugged
            _show(charger, evse, now)


def _show(charger: Charger, evse: Evse, now: float) -> None:
    if evse.transaction is None and evse.session is None:
        tell_status(charger, evse, evse.resting, now)


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    if KEPT in kept:
        update = charger.firmware.update = Update.restored(kept[KEPT])
        if update.status in UNTOUCHABLE:
            charger.boot.reason = "FirmwareUpdate"
            _close(charger, 0.0)


def _asked(charger: Charger, chosen: list[Evse], now: float) -> Payload:
    """TriggerMessage: how the last update stands; Idle once it is installed, or where there was none."""
    update = charger.firmware.update
    idle = update is None or update.status in ("", "Installed")
    payload = {"status": "Idle"} if idle or update is None else {"status": update.status, "requestId": update.request}
    charger.call("FirmwareStatusNotification", payload, solicited=True)
    return {"status": "Accepted"}


BLOCK: Final = Block(
    requests={"UpdateFirmware": update},
    triggers={"FirmwareStatusNotification": _asked},
    due=due,
    tick=tick,
    keeps=KEPT.partition("/")[0],
    restore=_restore,
    variables=(Row("ChargingStation", "AllowNewSessionsPendingFirmwareUpdate", "false", FLAG, BOOLEAN),),
)
