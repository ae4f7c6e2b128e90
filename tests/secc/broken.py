"""What the tests of the station's machines break on purpose, in any generation: the answer to a request, the engine, an end's words."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from secc.engine import SeccSession
from secc.intent import Intent, Wish
from secc.neutral.context import Context, Reply
from secc.pending import Timer
from v2g.exi.schema import Type
from v2g.session.errors import SessionError

Patch = pytest.MonkeyPatch
Breaks = Callable[[Patch], None]


def answering(answers: dict[type[Type], Any], kind: type[Type], change: Callable[[Any, Reply], Any]) -> Breaks:
    """The answer to a request is another, in the table of a generation."""
    real = answers[kind]

    def answer(asked: Any, known: Context) -> Any:
        found = real(asked, known)
        return change(asked, found) if isinstance(found, Reply) else found

    return lambda patch: patch.setitem(answers, kind, answer)


def outputs(change: Callable[[words.SetOutput], words.SetOutput]) -> Callable[[Any, Reply], Reply]:
    """The hardware is told to give something else."""
    return lambda asked, reply: replace(
        reply, wants=tuple(change(want) if isinstance(want, words.SetOutput) else want for want in reply.wants)
    )


def also(want: Callable[[float], Any]) -> Callable[[Any, Reply], Reply]:
    """The hardware is told one thing more."""
    return lambda asked, reply: replace(reply, wants=(*reply.wants, want(reply.known.now)))


def instead(where: Any, name: str, value: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(where, name, value)


def never_opened(patch: Patch) -> None:
    real = SeccSession._end

    def end(self: SeccSession, how: str, error: SessionError | None, now: float) -> None:
        self.context = self.context.with_station(contactor_wanted=False)
        real(self, how, error, now)

    patch.setattr(SeccSession, "_end", end)


def raising(*_: Any) -> Any:
    raise KeyError("a bug")


def hour(self: SeccSession, name: str, limit: float, now: float, what: str) -> None:
    self._timer = Timer(name, 3600.0, now + 3600.0, what)


def timeless(patch: Patch) -> None:
    real = SeccSession._move

    def move(self: SeccSession, then: Any, how: str, request: type[Type], stream: str, now: float) -> None:
        real(self, then, how, request, stream, now)
        self._timer = None

    patch.setattr(SeccSession, "_move", move)


def wordless(patch: Patch) -> None:
    real = SessionError.__init__
    patch.setattr(SessionError, "__init__", lambda self, message, requirement=None: real(self, "", requirement))


def forgetful(self: Intent, *kinds: Any) -> Intent:
    return Intent(tuple(notice for notice in self.asked if notice.wish not in (*kinds, Wish.STOP)))
