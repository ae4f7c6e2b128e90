"""What a station offers a car, whatever generation says it: power and prices over time, and the conditions that it sells under."""

from dataclasses import dataclass, field

from v2g.energy.series import Series
from v2g.energy.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Conditions:
    """Currency and tariff of an offer; `taxes` are the ids of the tariff's taxes, in their order."""

    currency: str
    tariff: Tariff = field(default_factory=Tariff)
    taxes: tuple[int, ...] = ()
    why: str = ""  # why the tariff makes no sense and counts as none


@dataclass(frozen=True, slots=True)
class Offered:
    """One offered schedule. Limits are magnitudes in W, prices in currency/kWh (or levels, where the station sent levels)."""

    tuple_id: int
    charge: Series
    discharge: Series | None = None
    buy: Series | None = None
    sell: Series | None = None
    tolerance: float | None = None  # W; what the station wants confirmed
    sold: Conditions | None = None  # None: prices are in no currency

    @property
    def paid(self) -> Series | None:
        """The import price with the taxes that are added to it, currency/kWh; None where there is none."""
        if self.buy is None or self.sold is None:
            return self.buy
        rate = self.sold.tariff.energy_tax
        return self.buy.map(lambda price: price * rate)
