"""Payments at a terminal or by a web page (C18 to C25 of OCPP 2.1): what was settled, for which company, what is under way (pure)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Self

from ocpp_bridge.wire.schemas import Payload, PayloadFault, check
from ocpp_bridge.wire.times import timestamp

HELD_MAXIMUM: Final = 3600  # s that an EVSE is held for who pays by a web page: nobody types for longer, and a CSMS may say so again
Status = Literal["Settled", "Canceled", "Rejected", "Failed"]
Receipt = Callable[[str, Payload], None]  # (pspRef, NotifySettlementResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Who a receipt is made out to (AddressType): 50 characters of a name, 100 of a line, 20 of a postal code."""

    name: str
    address1: str
    city: str
    country: str
    address2: str = ""
    postal_code: str = ""

    @classmethod
    def of(cls, payload: Payload) -> Self:
        """The company of an AddressType."""
        return cls(**{ours: payload[name] for ours, name in FIELDS.items() if name in payload})

    @property
    def payload(self) -> Payload:
        """The company as an AddressType."""
        return {name: getattr(self, ours) for ours, name in FIELDS.items() if getattr(self, ours)}


FIELDS: Final = {
    "name": "name",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "postal_code": "postalCode",
    "country": "country",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a payment: `reference` is the pspRef that was the token, `amount` in the currency of the tariff, `at` epoch s."""

    reference: str
    status: Status
    amount: float
    at: float  # by the station's own clock
    transaction: str = ""  # empty: it was given up before one began
    info: str = ""  # words of the terminal
    receipt_id: str = ""
    receipt_url: str = ""
    vat_number: str = ""
    company: Company | None = None

    def payload(self, skew: float) -> Payload:
        """The NotifySettlement of it; the CSMS's clock is `skew` s ahead. ValueError for what that message cannot carry."""
        words = {
            "transactionId": self.transaction,
            "statusInfo": self.info[:500],
            "receiptId": self.receipt_id,
            "receiptUrl": self.receipt_url,
            "vatNumber": self.vat_number,
        }
        made: Payload = {"pspRef": self.reference, "status": self.status, "settlementAmount": self.amount}
        made |= {"settlementTime": timestamp(self.at + skew)} | {name: text for name, text in words.items() if text}
        made |= {"vatCompany": self.company.payload} if self.company is not None else {}
        _demand("NotifySettlement", made)
        return made


@dataclass(frozen=True, slots=True)
class VatVerdict:
    """What the CSMS says of a VAT number: whether it takes it, whose it is, and why it does not."""

    accepted: bool
    company: Company | None = None
    reason: str = ""

    @classmethod
    def of(cls, response: Payload) -> Self:
        """The verdict in a VatNumberValidationResponse."""
        info = response.get("statusInfo", {})
        why = " ".join(info[name] for name in ("reasonCode", "additionalInfo") if name in info)
        return cls(response["status"] == "Accepted", Company.of(response["company"]) if "company" in response else None, why)


Judged = Callable[[VatVerdict | None], None]  # None: the CSMS says nothing


def vat_question(number: str, evse: int | None) -> Payload:
    """The VatNumberValidation about a number, at an EVSE where one is meant. ValueError for what is no number of 1 to 20 characters."""
    if not number.strip():
        raise ValueError("an empty VAT number: nobody has that")
    asked: Payload = {"vatNumber": number} | ({} if evse is None else {"evseId": evse})
    _demand("VatNumberValidation", asked)
    return asked


def _demand(action: str, payload: Payload) -> None:
    try:
        check("ocpp2.1", action, "Request", payload)
    except PayloadFault as fault:
        raise ValueError(str(fault)) from None


@dataclass(slots=True)
class Payments:
    """What a station knows of payments that are under way, and what the owner of its payment terminal hears."""

    held: dict[int, float] = field(default_factory=dict)  # EVSE -> until when (monotonic s) somebody may be paying for it on a web page
    taken: dict[int, tuple[str, float | None]] = field(default_factory=dict)  # EVSE -> pspRef that the terminal let through, most it covers
    receipt: Receipt | None = None  # what the CSMS says of a settlement
    given_up: Callable[[str], None] | None = None  # a payment (pspRef) for which no car came: the terminal must let the money go [C19]
