"""Which CSMS a station calls next, and as whom: the network profile, the password and the certificate that have their turn.

A failed attempt gives the turn to the next: of certificates where the CSMS refuses the one that was shown, of passwords where it answers
HTTP 401 or 403, of network profiles after NetworkProfileConnectionAttempts.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ocpp_bridge.blocks import networks
from ocpp_bridge.charger import Charger
from ocpp_bridge.wire.endpoint import Endpoint, refuses_certificate
from ocpp_bridge.wire.passwords import Passwords
from v2g.legible import logger

LOG: Final = logger("v2g.ocpp")
TIMEOUT: Final = "OCPPCommCtrlr.MessageTimeout[Default]"


class Dialing:
    """The choice of endpoint for a station whose owner configured `given`."""

    def __init__(self, given: Endpoint, charger: Charger, passwords: Passwords) -> None:
        self.given, self._charger, self._passwords = given, charger, passwords
        self._certificate = 0  # which of those known has its turn, the newest first
        self.endpoint = given
        safe = charger.safe
        safe.certified, safe.system_roots = given.certificate is not None, given.secure and given.trust is None
        safe.station_id = safe.station_id or given.station_id
        charger.safe.networks.own, charger.safe.networks.url = given.profile, given.url
        self._known: tuple[tuple[tuple[Path, Path], ...], tuple[bytes, ...]] = (
            (),
            (),
        )  # certificates that were signed, roots that were installed
        self._choose()

    def choose(self) -> Endpoint:
        """The endpoint to call next. Blocks: it looks at the files of certificates, and at the roots that were installed."""
        cabinet = self._charger.safe.cabinet
        known = cabinet.credentials() if cabinet is not None and self._wants_tls else ()
        roots = cabinet.roots() if cabinet is not None and self._wants_tls else ()
        self._known = known, roots
        return self._choose()

    def for_files(self) -> Endpoint:
        """The endpoint by whose roots and certificate other servers of the CSMS are known, for files. Blocks, as `choose` does."""
        cabinet = self._charger.safe.cabinet
        return replace(self.endpoint, roots=cabinet.roots() if cabinet is not None else ())

    @property
    def _wants_tls(self) -> bool:
        return str(self._charger.safe.networks.data.get("ocppCsmsUrl", self.given.url)).startswith("wss://")

    def _choose(self) -> Endpoint:
        """The endpoint of the present slot, with the certificate and the password that have their turn."""
        signed, roots = self._known
        data = self._charger.safe.networks.data
        own = (self.given.certificate, self.given.key) if self.given.certificate is not None else None
        pairs = [*signed, *([own] if own is not None else [])]
        by_certificate = data["securityProfile"] == 3 if data else own is not None
        certificate, key = pairs[self._certificate % len(pairs)] if by_certificate and pairs else (None, None)
        self._pairs = len(pairs) if by_certificate else 0
        told: dict[str, Any] = {"url": data["ocppCsmsUrl"], "station_id": data.get("identity", self.given.station_id)} if data else {}
        told |= {"trust": self.given.trust if self._wants_tls else None, "certificate": certificate, "key": key, "roots": roots}
        self.endpoint = replace(self.given, password=data.get("basicAuthPassword", self._passwords.present), **told)
        self._charger.safe.password = self._passwords.present is not None
        return self.endpoint

    def password_set(self) -> None:
        """Note that the CSMS has set a password: it takes the place of the one in the network profile."""
        data = self._charger.safe.networks.slots.get(self._charger.safe.networks.present)
        if data is not None and data.pop("basicAuthPassword", None) is not None:
            self._charger.keep(f"network/{self._charger.safe.networks.present}", data)
        self._choose()

    def renew(self) -> None:
        """Begin with the newest certificate again."""
        self._certificate = 0

    def failed(self, error: BaseException, status: int | None) -> None:
        """Note that an attempt failed, with an HTTP status where it came so far: who has the turn next."""
        if self._pairs > 1 and refuses_certificate(error, status):
            self._certificate = (self._certificate + 1) % self._pairs
            LOG.warning("the CSMS refuses the certificate of the station; another is shown")
        elif status is not None and self.endpoint.profile < 3:
            self._passwords.refused(status)
        attempts = int(self._charger.variables.number("OCPPCommCtrlr.NetworkProfileConnectionAttempts"))
        if (slot := self._charger.safe.networks.failed(attempts)) is not None:
            self._certificate = 0
            LOG.warning("no connection after %d attempts; network profile %d is tried", attempts, slot)

    def worked(self) -> bool:
        """Note that the CSMS took the endpoint; True where the certificate before is not needed any more."""
        networks.connected(self._charger, self.endpoint.profile)
        self._passwords.by_certificate = self.endpoint.profile == 3
        if (timeout := self._charger.safe.networks.data.get("messageTimeout")) is not None:
            self._charger.variables[TIMEOUT] = str(timeout)
        return self.endpoint.profile == 3 and self._certificate == 0 and self._pairs > 1
