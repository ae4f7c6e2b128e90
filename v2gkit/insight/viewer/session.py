"""What a session turns out to be: service, control, authorization, the car, its contract, its bill."""

from collections.abc import Mapping, Sequence
from typing import Any

from v2g.iso20.services import BY_ID


class Session:
    """Facts for people, gathered from messages and records, and the chains of certificates that were shown."""

    def __init__(self) -> None:
        self.service = self.control = self.authorization = ""
        self.shown: dict[str, Sequence[bytes]] = {}  # whose -> the chain (DER, leaf first) that was shown last
        self.ended: Mapping[str, Any] = {}
        self._facts: dict[str, str] = {}

    @property
    def title(self) -> str:
        """Service, control and authorization in a line, as far as they are known."""
        return ", ".join(each for each in (self.service, self.control, self.authorization) if each)

    def message(self, message: Any) -> bool:
        """Take what a message says; whether the title is another one now."""
        before = self.title
        match type(message).__name__:
            case "AuthorizationReq" if hasattr(message, "SelectedAuthorizationService"):
                self.authorization = message.SelectedAuthorizationService.value
            case "ServiceSelectionReq":
                selected = message.SelectedEnergyTransferService.ServiceID
                self.service = BY_ID[selected].name if selected in BY_ID else f"service {selected}"
            case "ScheduleExchangeReq":
                self.control = "Scheduled" if message.Scheduled_SEReqControlMode is not None else "Dynamic"
            case "SessionSetupReq" if hasattr(message, "EVCCID"):
                self._facts["EVCCID"] = str(message.EVCCID)
        return self.title != before

    def record(self, record: Mapping[str, Any]) -> bool:
        """Take what a record says; whether there are facts that were not known."""
        before = dict(self._facts)
        facts = record.get("facts") or {}
        match record["type"], record.get("name") or record.get("topic"):
            case "tls", _:
                self._facts |= {
                    "TLS": f"{record.get('version', '')} {record.get('suite', '')}",
                    "Key exchange": str(record.get("group") or ""),
                }
            case "plain", _:
                self._facts["Transport"] = f"plain TCP [{record.get('requirement')}]"
            case "handshake-failed", _:
                self._facts["TLS"] = f"no connection: {record['reason']}"
            case "event", "SessionStarted":
                self._facts["EVCCID"] = str(facts.get("evccid", ""))
            case "event", "AuthorizationWanted":
                self._facts["eMAID"] = str(facts.get("emaid") or "")
            case "event", "Billed":
                self._facts["Bill"] = f"{facts['bill']['total'] / 1e6:.2f} {facts.get('currency', '')}"
            case "note", "ended":
                self.ended = facts
                self._metered(facts)
        return self._facts != before

    def _metered(self, ended: Mapping[str, Any]) -> None:
        if "charged" in ended:
            self._facts["By the meter"] = f"{ended['charged'] / 1000:.2f} kWh in, {ended.get('discharged', 0) / 1000:.2f} kWh out"

    def facts(self) -> list[tuple[str, str]]:
        """Everything known, as pairs."""
        own = (("Service", self.service), ("Control mode", self.control), ("Authorization", self.authorization))
        return [(key, value) for key, value in (*own, *self._facts.items()) if value]
