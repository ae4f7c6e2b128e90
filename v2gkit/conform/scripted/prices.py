"""Prices that a scripted station offers, signed by who may sign them, by who may not, changed after signing, or not at all."""

from typing import Any

import msgspec

from pki.keys import ALGORITHMS
from pki.profiles import Role
from pki.tariff import sign_prices
from v2g.messages import common_messages as cm
from v2gkit.conform.running import Blocked
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.good import HOURS, POWER, good, power_schedule, prices, schedule_tuple
from v2gkit.conform.scripted.play import Answers
from v2gkit.conform.scripted.trust import Certificates

CHEAP, DEAR = 0.05, 0.95  # EUR per kWh


def _offered(request: Any, desk: Desk, cheap: int) -> Any:
    """Two tuples that differ in price alone; number `cheap` is the cheap one."""
    tuples = tuple(
        schedule_tuple(
            each,
            power_schedule(desk.now(), (HOURS, POWER)),
            prices(desk.now(), fee=CHEAP if each == cheap else DEAR, identifier=f"p{each}"),
        )
        for each in (1, 2)
    )
    return msgspec.structs.replace(good(request, desk), Scheduled_SEResControlMode=cm.Scheduled_SEResControlModeType(ScheduleTuple=tuples))


def _signed(response: Any, key: Any) -> Any:
    return msgspec.structs.replace(response, Header=msgspec.structs.replace(response.Header, Signature=sign_prices(response, key)))


def signed_as(part: str, held: Certificates, cheap: int) -> Answers:
    """The answer to ScheduleExchangeReq with two tuples: genuine, tampered, by another key, or unsigned.

    Raises Blocked where the folder has no key of the contract's issuer.
    """
    issuers = held.store.credentials(Role.MO_SUB2)
    if not issuers:
        raise Blocked("the folder of certificates has no key of the contract's issuer (mo-sub2)")
    key = issuers[0].key
    other = ALGORITHMS[issuers[0].curve].generate()

    def answer(request: Any, desk: Desk) -> Any:
        offered = _offered(request, desk, cheap)
        match part:
            case "genuine":
                return _signed(offered, key)
            case "by another key":
                return _signed(offered, other)
            case "tampered":  # signed the other way round
                signature = _signed(_offered(request, desk, 3 - cheap), key).Header.Signature
                return msgspec.structs.replace(offered, Header=msgspec.structs.replace(offered.Header, Signature=signature))
        return offered

    return answer
