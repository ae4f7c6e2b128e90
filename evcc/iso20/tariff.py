"""Whether the prices of ScheduleExchangeRes are genuine, for a car that knows whose signature it believes."""

from datetime import UTC, datetime

from evcc.credentials import PriceTrust
from pki.tariff import PriceVerdict, Standing, judge_prices
from v2g.messages.common_messages import ScheduleExchangeRes


def judgement(trust: PriceTrust, response: ScheduleExchangeRes, wall: float, contract: tuple[bytes, ...] = ()) -> PriceVerdict:
    """Whether the prices of a response are genuine, unsigned or wrong at `wall` (epoch s), for the holder of a contract (chain, DER).

    A signature that none of the car's certificates can verify counts as none: unsigned.
    """
    known = trust.signers(contract, datetime.fromtimestamp(wall, UTC))
    if not known:
        return PriceVerdict(Standing.UNSIGNED, reason="signed, and the car knows nobody who signs prices")
    return judge_prices(response, known, suites=trust.suites)
