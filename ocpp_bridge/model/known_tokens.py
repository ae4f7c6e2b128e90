"""Tokens that the station knows without asking: the authorization cache and the local authorization list (values and rules, no messages).

A token is known by type and text; upper and lower case are the same, as everywhere in OCPP.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch
from pki.identifiers import formed, normalised

CACHE_MAXIMUM: Final = 1000  # tokens, 2 kB each. Beyond it one that may not charge goes, else the one that was used longest ago
LIST_MAXIMUM: Final = 5000  # tokens: a company with its guests, 10 MB with the longest of messages. A longer list is refused
ITEMS_MAXIMUM: Final = 250  # tokens in one SendLocalList: 0.5 MB, half of a frame. More are refused
BYTES_MAXIMUM: Final = 1 << 20  # octets of that message: what the link takes (`wire.link`), else it closes the connection
KEPT: Final = ("idTokenInfo", "allowedEnergyTransfer", "tariff")  # of an AuthorizeResponse

PAID: Final = "directpayment"  # the reference of a payment that its provider has let through: nobody else can judge it [C18, C24, C25]
UNASKED: Final = ("central", "noauthorization", PAID)
EMAID: Final = "emaid"
BODY: Final = 14  # characters of an eMAID before its check digit


def name_of(token: Payload) -> str:
    """The text by which an idToken is known here: its type and its text in lower case; an eMAID without separators and check digit.

    Contracts, lists and CSMSs spell an eMAID with and without both, and mean the same account.
    """
    if token["type"].lower() == EMAID and formed(token["idToken"]):
        return f"{EMAID}:{normalised(token['idToken'])[:BODY]}".lower()
    return f"{token['type']}:{token['idToken']}".lower()


def group_of(info: Payload) -> str:
    """The name of the group that an idTokenInfo puts its token in; empty: none."""
    return name_of(info["groupIdToken"]) if "groupIdToken" in info else ""


def of_csms(token: Payload) -> bool:
    """Whether a token is one that its CSMS or a payment made, or none at all: it is not asked about, and not kept [C02, C03, C05, C18]."""
    return token["type"].lower() in UNASKED or not token["idToken"]


def paid(token: Payload) -> bool:
    """Whether a token is the reference of a payment, which the payment terminal or the CSMS has let through."""
    return str(token["type"]).lower() == PAID


def holds(info: Payload, wall: float) -> bool:
    """Whether what was said of a token still holds at `wall` (epoch s). A time that nobody can read holds for nobody."""
    try:
        return "cacheExpiryDateTime" not in info or wall < epoch(info["cacheExpiryDateTime"])
    except ValueError:
        return False


@dataclass(slots=True)
class AuthorizationCache:
    """What the CSMS last said of tokens, the one used last at the end.

    An entry has what is kept of AuthorizeResponse, when the CSMS said it (`told`) and when it was used last (`used`, both epoch s).
    """

    entries: dict[str, Payload] = field(default_factory=dict)

    def find(self, token: Payload, wall: float, lifetime: float) -> Payload | None:
        """What was said of a token, if that still holds: not past its own end, and said within `lifetime` (s; 0: for ever) [C10.FR.10]."""
        entry = self.entries.get(name_of(token))
        if entry is None or not holds(entry["idTokenInfo"], wall):
            return None
        return None if lifetime and wall - entry["told" if "told" in entry else "used"] >= lifetime else entry

    def use(self, token: Payload, wall: float) -> str:
        """Note that an entry was used at `wall` (epoch s), and return its name; empty where there is none."""
        name = name_of(token)
        if (entry := self.entries.pop(name, None)) is None:
            return ""
        self.entries[name] = entry | {"used": wall}
        return name

    def put(self, token: Payload, response: Payload, wall: float) -> list[str]:
        """Keep what was said of a token at `wall`, with what is known of it from before, and return the names that had to go for it."""
        name = name_of(token)
        said = {part: response[part] for part in KEPT if part in response}
        self.entries[name] = self.entries.pop(name, {}) | said | {"used": wall, "told": wall}
        gone = []
        while len(self.entries) > CACHE_MAXIMUM:
            useless = (name for name, entry in self.entries.items() if entry["idTokenInfo"]["status"] != "Accepted")
            gone.append(next(useless, next(iter(self.entries))))
            del self.entries[gone[-1]]
        return gone


@dataclass(slots=True)
class LocalList:
    """The list of tokens that the CSMS has sent, with its version; 0: there is none."""

    number: int = 0  # its versionNumber
    entries: dict[str, Payload] = field(default_factory=dict)  # AuthorizationData by the name of its token

    def find(self, token: Payload, wall: float) -> Payload | None:
        """The idTokenInfo of a token on the list, if it still holds at `wall` (epoch s)."""
        entry = self.entries.get(name_of(token))
        return entry["idTokenInfo"] if entry is not None and holds(entry["idTokenInfo"], wall) else None

    def objection(self, version: int, kind: str, items: Sequence[Payload]) -> tuple[str, str, str] | None:
        """Why an update of a `kind` (Full, Differential) is not taken: status, reasonCode and words. None: it can be."""
        names = [name_of(item["idToken"]) for item in items]
        if version <= 0:
            return "Failed", "InvalidValue", f"versionNumber is {version}; a list has one above 0"
        if kind == "Differential" and version <= self.number:
            return "VersionMismatch", "InvalidValue", f"versionNumber is {version}, the list here has {self.number}; send a higher one"
        if len(items) > ITEMS_MAXIMUM:
            return "Failed", "TooManyElements", f"{len(items)} tokens in one message; send {ITEMS_MAXIMUM} at most"
        if len(set(names)) < len(names):
            return "Failed", "InvalidValue", "a token stands in the message twice"
        if kind == "Full" and any("idTokenInfo" not in item for item in items):
            return "Failed", "MissingParam", "a token of a full list has no idTokenInfo"
        more = {name for name, item in zip(names, items, strict=True) if "idTokenInfo" in item}
        less = set(names) - more
        if (size := len((self.entries.keys() if kind == "Differential" else set()) - less | more)) > LIST_MAXIMUM:
            return "Failed", "OutOfStorage", f"the list would have {size} tokens; there is room for {LIST_MAXIMUM}"
        return None

    def update(self, version: int, kind: str, items: Sequence[Payload]) -> list[str]:
        """Take an update that nothing is to be said against, and return the names whose entries have changed."""
        old = self.entries.keys() if kind == "Full" else set()
        self.number = version
        if kind == "Full":
            self.entries = {}
        named = {name_of(item["idToken"]): item for item in items}
        for name, item in named.items():
            if "idTokenInfo" in item:
                self.entries[name] = item
            else:
                self.entries.pop(name, None)
        return sorted({*old, *named})
