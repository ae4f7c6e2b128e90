"""A verifier that may be asked before it is: what a car signs is judged where its frame is read, beside the loop of all sessions (pure).

A contract's chain and signature are milliseconds of arithmetic. The session asks when it answers, and then has the verdict already.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from secc.claims import Claim, Signed, Verifier
from secc.station import Objection
from v2g.session.errors import bare

T = TypeVar("T")
SIGNED: Final = 200  # octets: what a car signs has more, a poll for a card some 20


class Foreseen:
    """A `Verifier` for one session. `foresee` may be called on any thread while nobody asks; it keeps one verdict, of the last message."""

    def __init__(self, verifier: Verifier):
        self._verifier = verifier
        self._key: tuple[Any, ...] = ()
        self._verdict: Any = None
        self._error: Exception | None = None

    def foresee(self, what: str, request: Any, given: Any, wall: float) -> None:
        """Judge now what will be asked: a verdict by its name, the message, and the challenge or certificate that is given with it."""
        self._error = None
        arguments = (request, wall) if what == "provisioning" else (request, given) if what == "metering" else (request, given, wall)
        try:
            self._verdict = getattr(self._verifier, what)(*arguments)
        except Exception as error:  # whoever asks hears of it
            self._error = bare(error)
        self._key = (what, _message(request), given)

    def contract(self, request: Any, challenge: bytes, wall: float) -> Claim:
        return self._found("contract", request, challenge, lambda: self._verifier.contract(request, challenge, wall))

    def provisioning(self, request: Any, wall: float) -> Objection | None:
        return self._found("provisioning", request, None, lambda: self._verifier.provisioning(request, wall))

    def metering(self, request: Any, contract: bytes) -> None:
        return self._found("metering", request, contract, lambda: self._verifier.metering(request, contract))

    def _found(self, what: str, request: Any, given: Any, judge: Callable[[], T]) -> T:
        key, self._key = self._key, ()
        if not key or key[0] != what or key[1] is not _message(request) or key[2] != given:
            return judge()
        verdict, error = self._verdict, self._error
        self._verdict = self._error = None
        if error is not None:
            raise error
        return verdict  # type: ignore[no-any-return]


def _message(request: Any) -> Any:
    return request.message if isinstance(request, Signed) else request
