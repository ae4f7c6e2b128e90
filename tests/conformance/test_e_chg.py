"""E-CHG-05: signed prices from the station's offer to the car's decision, over TLS on a real socket."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pki.profiles import Role
from pki.tariff import price_schedules, sign_prices
from secc.trust import price_signing
from tests.conformance.harness import Pki, changed, pki, run, station, without_contract


@pytest.fixture(scope="module", params=["secp521r1", "ed448"])
def own(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki(tmp_path_factory.mktemp("prices") / "certs", request.param)


def judged(own: Pki, prices: Any, store: Any = None, **wish: Any) -> tuple[dict[str, Any], Any]:
    """What the car noted about prices, None where it noted nothing, and the car."""

    async def story() -> Any:
        async with station(own, prices=prices, services=("DC_BPT",)) as at:
            result = await at.visit(store=store, services=("DC_BPT",), loops=3, **wish)
            assert result.ended.well, result.ended
            return [*at.notes.of("prices judged"), {}][0], result.car

    found: tuple[dict[str, Any], Any] = run(story)
    return found


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_genuine_prices_are_used(own: Pki, control: str) -> None:
    note, car = judged(own, price_signing(own.store), control=control)
    assert (note["standing"], note["signer"]) == ("genuine", "MO Sub-CA 2")  # who issued the contract
    if control == "Scheduled":
        assert car.known.offers[0].buy.at(car.wall) == pytest.approx(0.30)


def test_a_car_without_contract_holds_them_against_the_tariff_signer_it_knows(own: Pki, tmp_path: Path) -> None:
    note, car = judged(own, price_signing(own.store), authorizations=("EIM",))
    assert note["standing"] == "genuine"
    assert note["signer"].endswith("Tariff")
    bare = without_contract(own.store, tmp_path / "car")
    note, car = judged(own, price_signing(own.store), bare, authorizations=("EIM",))
    assert note["standing"] == "unsigned"  # it knows nobody who signs prices
    assert car.known.offers[0].buy is not None


def test_unsigned_prices_are_the_stations_word(own: Pki) -> None:
    note, car = judged(own, None)
    assert note == {}
    assert car.known.offers[0].buy.at(car.wall) == pytest.approx(0.30)


def tampered(own: Pki) -> Any:
    """Signed, and then dearer."""

    def sign(response: Any, contract: bytes) -> Any:
        (first, *_) = price_schedules(response)
        rule = "PriceRuleStacks.PriceRuleStack.0.PriceRule.0.EnergyFee.Value"
        dear = changed(first, rule, first.PriceRuleStacks.PriceRuleStack[0].PriceRule[0].EnergyFee.Value + 1)
        tuples = response.Scheduled_SEResControlMode.ScheduleTuple
        offered = changed(tuples[0], "ChargingSchedule.AbsolutePriceSchedule", dear)
        mode = msgspec.structs.replace(response.Scheduled_SEResControlMode, ScheduleTuple=(offered, *tuples[1:]))
        return sign_prices(msgspec.structs.replace(response, Scheduled_SEResControlMode=mode), own.key(Role.MO_SUB2))

    return sign


def by(own: Pki, role: Role) -> Any:
    """Signed by another key."""
    return lambda response, contract: sign_prices(response, own.key(role))


@pytest.mark.parametrize("fault", ["tampered", "by the station", "by the contract itself"])
def test_wrong_prices_are_not_used_and_the_car_charges_all_the_same(own: Pki, fault: str) -> None:
    signers = {"tampered": tampered(own), "by the station": by(own, Role.SECC), "by the contract itself": by(own, Role.CONTRACT)}
    note, car = judged(own, signers[fault])
    assert note["standing"] == "wrong"
    assert {(offer.buy, offer.sell) for offer in car.known.offers} == {(None, None)}
    assert car.ev.charged > 0
    assert judged(own, price_signing(own.store))[0]["standing"] == "genuine"
