"""What is owed for a session, at the prices of the schedule that binds: the account that a bill is made of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from secc.neutral.context import Context
from v2g.energy.offer import Offer, Tuple
from v2g.energy.price_schedule import PriceSchedule
from v2g.energy.series import Series
from v2g.energy.tab import Tab
from v2g.energy.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Terms:
    """In which currency and under which conditions a schedule sells energy."""

    currency: str
    tariff: Tariff


def terms_of(offered: Tuple, offer: Offer) -> Terms:
    """The terms of a schedule: its own where it has some, else those of the offer."""
    stated = offered.stated
    currency = stated.currency if isinstance(stated, PriceSchedule) else offer.currency
    return Terms(currency, offer.tariff if offered.tariff is None else offered.tariff)


def account_of(known: Context, tuple_id: int | None, shown: Callable[[Tariff], Tariff] = lambda tariff: tariff) -> Tab | None:
    """The account as the schedule `tuple_id` (None, in Dynamic control: the first) begins now; None where no prices were offered.

    `shown` makes a tariff what the car is shown of it. None also for prices by which nobody can bill here, such as those of several power
    ranges: a wrong receipt is worse than none.
    """
    offer, tab = known.service.exchange.offer, known.agreement.tab
    if offer is None or known.outlet.pricing != "absolute":
        return tab
    chosen = offer.tuples[0] if tuple_id is None else offer.chosen(tuple_id)
    if chosen is None or chosen.import_prices is None:
        return tab
    if isinstance(chosen.stated, PriceSchedule) and not chosen.stated.billable:
        return None
    terms = terms_of(chosen, offer)
    if tab is None or tab.currency != terms.currency:  # what is owed in two currencies has no sum
        tab = Tab(known.wall, terms.currency, last=None if tab is None else tab.last)
    sells = chosen.export_prices if known.agreement.selected.bidirectional else None
    return replace(tab, tariff=shown(terms.tariff)).priced(chosen.import_prices, sells, max(known.wall, tab.since))


def bound_prices(tab: Tab | None, wall: float) -> tuple[Series | None, Series | None, str]:
    """The import and export prices of an account from `wall` (epoch s) on, and their currency; nothing where there is no account."""
    if tab is None:
        return None, None, ""
    imports, exports = (None if prices is None else prices.clip(wall, inf) for prices in (tab.imports, tab.exports))
    return imports, exports, tab.currency
