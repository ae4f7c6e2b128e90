"""The standard's names (URNs) for the ways in which a price depends on the power."""

from typing import Final

POWER_ALGORITHM: Final = "urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power"  # each kWh at the price of the range in which its power lies
