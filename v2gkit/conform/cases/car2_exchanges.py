"""E2, the exchanges of a session of ISO 15118-2 one by one: no answer, a refusal, the answer to something else."""

from typing import Any

from v2g.iso20.services import AC, DC
from v2gkit.conform.cases.exchanges import Exchange, exchanged
from v2gkit.conform.scripted.good_iso2 import receipts
from v2gkit.conform.scripted.play import Play

GOOD2 = "E2-END-01"
CLAIM2 = ("generation_2",)
PNC2, AC2, DC2 = ("pnc", "tls"), ("ac",), ("dc",)
TABLE2 = "ISO 15118-2 table 109"
BOTH = (DC.name, AC.name)  # a car takes what it has


def play2(**given: Any) -> Play:
    """A station of ISO 15118-2 that offers both kinds of current, and what is given."""
    return Play(**{"generation": "2", "services": BOTH, **given})


ROWS = (
    Exchange("SES", 1, "SessionSetup"),
    Exchange("SVD", 1, "ServiceDiscovery"),
    Exchange("PSS", 1, "PaymentServiceSelection"),
    Exchange("PNC", 1, "PaymentDetails", PNC2, "pnc", ways=("PnC",)),
    Exchange("AUT", 1, "Authorization"),
    Exchange("CPD", 1, "ChargeParameterDiscovery"),
    Exchange("DCS", 1, "CableCheck", DC2),
    Exchange("DCS", 4, "PreCharge", DC2),
    Exchange("PWD", 1, "PowerDelivery", called="Start"),
    Exchange("PWD", 4, "PowerDelivery", DC2, nth=2, called="Stop"),
    Exchange("LOP", 1, "CurrentDemand", DC2, "long", nth=3),
    Exchange("LOP", 4, "ChargingStatus", AC2, "ac", nth=3, services=(AC.name,)),
    Exchange(
        "MTR",
        1,
        "MeteringReceipt",
        (*PNC2, "metering_confirmation"),
        "pnc",
        ways=("PnC",),
        answers={"CurrentDemandReq": receipts, "ChargingStatusReq": receipts},
    ),
    Exchange("STP", 1, "WeldingDetection", DC2),
    Exchange("STP", 4, "SessionStop"),
)
CASES = exchanged("E2", ROWS, GOOD2, CLAIM2, TABLE2)
