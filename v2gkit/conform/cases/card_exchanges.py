"""ED, the exchanges of a session of DIN SPEC 70121 one by one: no answer, a refusal, the answer to something else."""

from typing import Any

from v2gkit.conform.cases.exchanges import Exchange, exchanged
from v2gkit.conform.scripted.play import Play

GOOD = "ED-END-01"
CLAIM = ("din",)
TABLE = "DIN SPEC 70121 table 75"


def play(**given: Any) -> Play:
    """A station of DIN SPEC 70121, and what is given."""
    return Play(**{"generation": "DIN", **given})


ROWS = (
    Exchange("SES", 1, "SessionSetup"),
    Exchange("SVD", 1, "ServiceDiscovery"),
    Exchange("SPS", 1, "ServicePaymentSelection"),
    Exchange("AUT", 1, "ContractAuthentication"),
    Exchange("CPD", 1, "ChargeParameterDiscovery"),
    Exchange("DCS", 1, "CableCheck"),
    Exchange("DCS", 4, "PreCharge"),
    Exchange("PWD", 1, "PowerDelivery", called="on"),
    Exchange("PWD", 4, "PowerDelivery", nth=2, called="off"),
    Exchange("LOP", 1, "CurrentDemand", trigger="long", nth=3),
    Exchange("STP", 1, "WeldingDetection"),
    Exchange("STP", 4, "SessionStop"),
)
CASES = exchanged("ED", ROWS, GOOD, CLAIM, TABLE)
