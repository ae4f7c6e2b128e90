"""A verdict that was made beforehand is the verdict that is asked for: of that message, once, and with the same error."""

from typing import Any

import pytest

from secc.claims import Claim, Signed, Trust
from secc.foreseen import Foreseen
from secc.iso20.verifier import PkiVerifier
from tests.pki.sample_pki import anchors
from tests.secc.aside import Aside, where  # noqa: F401
from tests.secc.iso2 import test_contract2 as two
from tests.secc.test_authorization import answer, challenge, pnc, signed
from v2g.iso2.sequence import State as State2
from v2g.messages.common_types import processingType
from v2g.reasons import Reason
from v2g.session.errors import Refused


class Counting:
    """Counts what it is asked, and says who asked."""

    def __init__(self, error: Exception | None = None):
        self.asked: list[tuple[str, Any]] = []
        self.error = error

    def contract(self, request: Any, challenge: bytes, wall: float) -> Claim:
        self.asked.append(("contract", request))
        if self.error is not None:
            raise self.error
        return Claim("PnC", emaid=f"{request}/{challenge.hex()}/{wall}")

    def provisioning(self, request: Any, wall: float) -> None:
        self.asked.append(("provisioning", request))

    def metering(self, request: Any, contract: bytes) -> None:
        self.asked.append(("metering", request))


def test_a_verdict_is_found_once_and_for_its_message_alone() -> None:
    inner = Counting()
    verifier, request = Foreseen(inner), "a request"
    verifier.foresee("contract", request, b"\x01", 5.0)
    assert verifier.contract(request, b"\x01", 6.0).emaid == "a request/01/5.0"
    assert len(inner.asked) == 1
    assert verifier.contract(request, b"\x01", 6.0).emaid == "a request/01/6.0"
    for other, octets in (("another request", b"\x01"), (request, b"\x02")):
        verifier.foresee("contract", request, b"\x01", 5.0)
        assert verifier.contract(other, octets, 6.0).emaid == f"{other}/{octets.hex()}/6.0"
    verifier.foresee("provisioning", request, None, 5.0)
    assert verifier.contract(request, b"\x01", 6.0).emaid == "a request/01/6.0"


def test_what_stands_in_an_envelope_is_known_by_its_message() -> None:
    inner, message = Counting(), object()
    verifier = Foreseen(inner)
    verifier.foresee("metering", Signed(message, "s"), b"certificate", 5.0)
    verifier.metering(Signed(message, "s"), b"certificate")
    assert len(inner.asked) == 1
    verifier.metering(Signed(message, "s"), b"another")
    assert len(inner.asked) == 2


def test_an_error_is_raised_where_the_session_asks_and_not_before() -> None:
    inner = Counting(Refused(Reason.SIGNATURE, "wrong", "V2G20-1"))
    verifier = Foreseen(inner)
    verifier.foresee("contract", "a request", b"", 5.0)
    with pytest.raises(Refused, match="wrong"):
        verifier.contract("a request", b"", 6.0)
    assert len(inner.asked) == 1


class Judge(PkiVerifier):
    """The real one, which counts."""

    asked = 0

    def contract(self, *given: Any) -> Claim:
        Judge.asked += 1
        return super().contract(*given)


def test_a_contract_is_judged_once_wherever_and_not_again_for_a_poll() -> None:
    Judge.asked, before = 0, Aside.read
    car = pnc(given={"verifier": Judge(Trust(anchors()))})
    car.auto = False
    request = signed(car, challenge(car))
    for _ in range(3):
        assert answer(car, request).EVSEProcessing is processingType.Ongoing
    assert Judge.asked == 1
    assert Aside.read - before in (0, 3)
    assert isinstance(car.session, Aside) == (Aside.read - before == 3)


def test_in_the_older_generation_both_the_chain_and_the_challenge_are_judged_beforehand() -> None:
    before = Aside.read
    car = two.contract_car()
    octets = two.details(car).GenChallenge
    two.authorize(car, octets)
    assert car.session.context.state in (State2.AUTHORIZATION, State2.PARAMETERS)
    assert Aside.read - before == (2 if isinstance(car.session, Aside) else 0)
