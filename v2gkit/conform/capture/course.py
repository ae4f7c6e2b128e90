"""The states in which a station may be, seen from outside: what a request may follow, by the table of its generation.

Nobody outside knows the state of a station. After each exchange there is a set of states in which it may be; a request is in order where
one of them accepts it. Where a recording begins in mid-session, or has a gap, every state is possible, and each exchange narrows them.
"""

from collections.abc import Iterable
from enum import Enum

from v2g.exi.schema import Type
from v2g.session.generation import MAIN, Generation


class Course:
    """The possible states of one session, by the table of one generation."""

    def __init__(self, generation: Generation, begun: bool = False):
        self.generation = generation
        first = generation.first
        led = {state for request in generation.accepted(first) for state in generation.rows[first, request].then}
        self.states = frozenset(led - {generation.over}) if begun else frozenset({first})

    def adrift(self) -> None:
        """What went before is not known: any state in which something is accepted."""
        self.states = frozenset(state for state, _ in self.generation.rows if state is not self.generation.first)

    def accepts(self, request: type[Type], stream: str) -> bool:
        """Whether one of the possible states accepts that request on that stream."""
        return any((row := self.generation.row(state, request)) is not None and row.stream == stream for state in self.states)

    def expected(self) -> tuple[str, ...]:
        """The names of the requests that would be in order, on whatever stream, in the order of the table."""
        return tuple(dict.fromkeys(each.__name__ for state in self._ordered() for each in self.generation.accepted(state)))

    def answered(self, request: Type, response: Type) -> None:
        """Take an exchange of the main stream into account. After a failure the session is over."""
        if self.generation.failure(response) is not None:
            self.states = frozenset({self.generation.over})
            return
        rows = [row for state in self.states if (row := self.generation.row(state, type(request))) is not None and row.stream == MAIN]
        rows = rows or [row for (_, kind), row in self.generation.rows.items() if kind is type(request) and row.stream == MAIN]
        if self.generation.stays(request, response):
            self.states = frozenset(row.state for row in rows)
        else:
            self.states = self._led(request, {state for row in rows for state in row.then})

    def _led(self, request: Type, states: Iterable[Enum]) -> frozenset[Enum]:
        led = frozenset(states)
        return frozenset(state for state in led if self.generation.leads(request, state)) or led

    def _ordered(self) -> list[Enum]:
        return [state for state in type(self.generation.first) if state in self.states]
