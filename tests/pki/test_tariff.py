"""Signed prices: genuine, unsigned, tampered, by the wrong key, by nobody known (E-CHG-05)."""

from typing import Any

import msgspec
import pytest

from pki.errors import SignatureError
from pki.keys import ALGORITHMS
from pki.profiles import Role
from pki.tariff import Standing, judge_prices, price_schedules, sign_prices, signers
from tests.pki.sample_pki import hierarchy
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    AbsolutePriceScheduleType,
    ChargingScheduleType,
    Dynamic_SEResControlModeType,
    Scheduled_SEResControlModeType,
    ScheduleExchangeRes,
    ScheduleTupleType,
)
from v2g.messages.common_types import MessageHeaderType

replace = msgspec.structs.replace
TARIFF, CONTRACT = hierarchy()[Role.TARIFF], hierarchy()[Role.CONTRACT]
KNOWN = signers(CONTRACT.chain, (TARIFF.certificate,))


def prices(number: int, **given: Any) -> AbsolutePriceScheduleType:
    return least(AbsolutePriceScheduleType, Id=f"price{number}", PriceScheduleID=number, **given)


def response(dynamic: bool, **given: Any) -> ScheduleExchangeRes:
    if dynamic:
        mode: dict[str, Any] = {"Dynamic_SEResControlMode": Dynamic_SEResControlModeType(AbsolutePriceSchedule=prices(1, **given))}
    else:
        both = [least(ChargingScheduleType, AbsolutePriceSchedule=prices(number, **given)) for number in (1, 2)]
        offered = ScheduleTupleType(ScheduleTupleID=1, ChargingSchedule=both[0], DischargingSchedule=both[1])
        mode = {"Scheduled_SEResControlMode": Scheduled_SEResControlModeType(ScheduleTuple=(offered,))}
    bare = least(ScheduleExchangeRes, Dynamic_SEResControlMode=Dynamic_SEResControlModeType())
    return replace(bare, **({"Dynamic_SEResControlMode": None} | mode))


def signed(found: ScheduleExchangeRes, key: Any = TARIFF.key) -> ScheduleExchangeRes:
    header = MessageHeaderType(SessionID=bytes(8), TimeStamp=1, Signature=sign_prices(found, key))
    return replace(found, Header=header)


@pytest.mark.parametrize("dynamic", [True, False])
def test_genuine_prices_survive_the_wire(dynamic: bool) -> None:
    received: Any = decode(encode(signed(response(dynamic)), schema_set("common")), schema_set("common"))
    assert len(list(price_schedules(received))) == (1 if dynamic else 2)
    verdict = judge_prices(received, KNOWN)
    assert (verdict.standing, verdict.signer) == (Standing.GENUINE, TARIFF.certificate)


def test_the_issuer_of_the_contract_may_sign_and_no_other_sub_ca() -> None:
    issuer = hierarchy()[Role.MO_SUB2]
    assert judge_prices(signed(response(True), issuer.key), signers(CONTRACT.chain)).signer == issuer.certificate
    above = hierarchy()[Role.MO_SUB1]
    assert judge_prices(signed(response(True), above.key), signers(CONTRACT.chain)).standing is Standing.WRONG


def test_unsigned_prices_are_the_stations_word() -> None:
    assert judge_prices(response(False), KNOWN).standing is Standing.UNSIGNED


def test_tampered_prices_are_wrong() -> None:
    genuine = signed(response(False))
    cheaper = replace(response(False, Currency="XXX"), Header=genuine.Header)
    assert judge_prices(cheaper, KNOWN).standing is Standing.WRONG
    fewer = replace(response(True), Header=genuine.Header)
    assert judge_prices(fewer, KNOWN).standing is Standing.WRONG


def test_prices_by_a_stranger_are_wrong() -> None:
    for key in (ALGORITHMS["secp521r1"].generate(), hierarchy()[Role.SECC].key, CONTRACT.key):
        verdict = judge_prices(signed(response(True), key), KNOWN)
        assert (verdict.standing, verdict.signer) == (Standing.WRONG, None)
        assert verdict.reason
    assert judge_prices(signed(response(True)), ()).reason == "the car knows nobody who signs prices"


def test_prices_without_id_cannot_be_signed() -> None:
    bare = replace(
        response(True), Dynamic_SEResControlMode=Dynamic_SEResControlModeType(AbsolutePriceSchedule=least(AbsolutePriceScheduleType))
    )
    with pytest.raises(SignatureError):
        sign_prices(bare, TARIFF.key)
