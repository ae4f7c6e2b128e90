"""What the tests of the car's machines break on purpose, in any generation: the engine, what a car wants, the words of an end."""

from collections.abc import Callable
from typing import Any

import pytest

from evcc.car import Car
from evcc.engine import EvccSession
from evcc.transfer import Mode
from v2g.session.errors import SessionError
from v2g.session.v2gtp import PayloadType, frame

Patch = pytest.MonkeyPatch


def instead(where: Any, name: str, value: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(where, name, value)


def half_safe(self: Car[Any], say: bool = False) -> None:
    self.open()


def greedy(patch: Patch) -> None:
    meant = Mode.wanted
    patch.setattr(Mode, "wanted", lambda self: meant(self) * 1.01)


def timeless(patch: Patch) -> None:
    meant = EvccSession.deadline
    patch.setattr(EvccSession, "deadline", lambda self: None if self.car.loops == 3 else meant(self))


def talking_on(patch: Patch) -> None:
    meant = EvccSession._end

    def end(self: EvccSession, how: str, error: Any) -> None:
        meant(self, how, error)
        self._out += frame(PayloadType.COMMON, b"\x80")

    patch.setattr(EvccSession, "_end", end)
    patch.setattr(EvccSession, "octets_to_send", lambda self: bytes(self._out))


def wordless(patch: Patch) -> None:
    meant = SessionError.__init__
    patch.setattr(SessionError, "__init__", lambda self, message, requirement=None: meant(self, "", requirement))


def unheard(patch: Patch) -> None:
    meant = Mode.revise
    patch.setattr(Mode, "revise", lambda self, **station: None if self._announced else meant(self, **station))
