"""The chart of accounts: who pays whom for what. Each flow moves money from an account of one party to an account of another.

An account is `party:purpose`. Its balance is what the party received, less what it paid: all accounts of a currency add up to 0, and the
sum over a party's accounts is what that party earned. Energy is booked beside, in kWh, from the connection to the car and back.
"""

from enum import Enum
from typing import Final, NamedTuple

ENERGY: Final = "kWh"  # the unit of energy postings; every other unit is a currency
PARTIES: Final = ("driver", "site", "operator", "aggregator", "supplier", "grid", "state")
EARNERS: Final = PARTIES[:4]  # who shares in a session; the others sell, buy and tax


class Flow(Enum):
    """What money, or energy, moves for."""

    CHARGING = "charging"
    FEED_IN = "feed-in"
    FEES = "fees"
    TAX = "tax"
    SUPPLY = "supply"
    SURPLUS = "surplus"
    HOSTING = "hosting"
    GRID_FEE = "grid fee"
    AVAILABILITY = "availability"
    UTILISATION = "utilisation"
    PENALTY = "penalty"
    COMPENSATION = "supplier compensation"
    REBOUND = "rebound"
    SHARE_DRIVER = "share of the driver"
    SHARE_SITE = "share of the site"
    SHARE_OPERATOR = "share of the operator"
    IMPORTED = "energy imported"
    EXPORTED = "energy exported"
    SHIFTED = "energy not drawn on call"
    REBOUNDED = "energy drawn later"


class Way(NamedTuple):
    """From which account to which a flow goes, and what it is."""

    payer: str
    payee: str
    what: str
    energy: bool = False


WAYS: Final[dict[Flow, Way]] = {
    Flow.CHARGING: Way("driver:charging", "operator:charging", "energy charged, at the driver's price"),
    Flow.FEED_IN: Way("operator:feed-in", "driver:feed-in", "energy discharged, at the driver's price"),
    Flow.FEES: Way("driver:fees", "operator:fees", "parking, overstay, services, bounds of the tariff"),
    Flow.TAX: Way("driver:tax", "state:tax", "taxes that the tariff adds; the operator passes them on"),
    Flow.SUPPLY: Way("site:supply", "supplier:supply", "energy imported, at the site's price"),
    Flow.SURPLUS: Way("supplier:surplus", "site:surplus", "energy exported, at the site's price"),
    Flow.HOSTING: Way("operator:hosting", "site:hosting", "what the operator pays the site for the energy and the place"),
    Flow.GRID_FEE: Way("site:grid-fee", "grid:grid-fee", "use of the network, with the demand charge"),
    Flow.AVAILABILITY: Way("grid:availability", "aggregator:availability", "power held ready"),
    Flow.UTILISATION: Way("grid:utilisation", "aggregator:utilisation", "energy against the baseline, on call"),
    Flow.PENALTY: Way("aggregator:penalty", "grid:penalty", "what was called and not delivered"),
    Flow.COMPENSATION: Way("aggregator:compensation", "supplier:compensation", "energy that the supplier bought and could not sell"),
    Flow.REBOUND: Way("aggregator:rebound", "supplier:rebound", "energy drawn after a call beyond the baseline"),
    Flow.SHARE_DRIVER: Way("aggregator:share", "driver:share", "the driver's part of flexibility"),
    Flow.SHARE_SITE: Way("aggregator:share", "site:share", "the site's part of flexibility"),
    Flow.SHARE_OPERATOR: Way("aggregator:share", "operator:share", "the operator's part of flexibility"),
    Flow.IMPORTED: Way("site:import", "driver:import", "metered into the car", energy=True),
    Flow.EXPORTED: Way("driver:export", "site:export", "metered out of the car", energy=True),
    Flow.SHIFTED: Way("supplier:shifted", "aggregator:shifted", "baseline less meter, on call", energy=True),
    Flow.REBOUNDED: Way("aggregator:rebounded", "supplier:rebounded", "meter less baseline, after a call", energy=True),
}
ACCOUNTS: Final = tuple(sorted({account for way in WAYS.values() for account in way[:2]}))


def party(account: str) -> str:
    """The party that an account belongs to. ValueError for an account that is not in the chart."""
    if account not in ACCOUNTS:
        raise ValueError(f"there is no account {account!r}; the chart has {', '.join(ACCOUNTS)}")
    return account.partition(":")[0]
