"""What a car of a generation whose messages are in an envelope (ISO 15118-2, DIN SPEC 70121) may do in the station's machine, whatever
the generation is: what is due, anything else, what it looks like with a bit that has turned.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.secc.sessions import AnySessions, alive
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.session.v2gtp import frame


class OlderSessions(AnySessions):
    """One car after the other at one outlet. A generation says what is due in each state, which states loop, and what has rules."""

    due: ClassVar[Mapping[Any, Callable[[Any, str], Any]]]
    looping: ClassVar[tuple[Any, ...]]
    requests: ClassVar[tuple[type[Type], ...]]
    ruled: ClassVar[tuple[type[Type], ...]]  # by rules of their own
    requests_in: ClassVar[Callable[[Any], tuple[type[Type], ...]]]
    units: ClassVar[Any]  # the module of physical values: `physical`, and A, V, W
    preparing: ClassVar[tuple[Any, ...]]  # the states between the parameters of DC and power; the first is that of the cable check
    mode = "DC_extended"

    @precondition(lambda self: self.session.ended is None and self.session.context.state in self.due)
    @rule(times=st.sampled_from((1, 1, 2, 4, 36)))
    def means_well(self, times: int) -> None:
        """So many steps of a car that does what is due."""
        for _ in range(times):
            due = self.due.get(self.session.context.state)
            if due is None or self.session.ended is not None:
                return
            self.act(lambda: due(self.car, self.mode))  # noqa: B023 - it is called at once
            self.holds()
            self.car.wait(0.3)
            self.look()

    @alive
    @rule(kind=st.data(), stranger=st.sampled_from((None, None, b"stranger")), rarely=st.integers(0, 5))
    def sends_anything(self, kind: st.DataObject, stranger: bytes | None, rarely: int) -> None:
        if not rarely:  # most of these are the end of a session
            own, self.car.id = self.car.id, stranger or self.car.id
            self.say(least(kind.draw(st.sampled_from(self.requests))))
            self.car.id = own

    @alive
    @rule(state=st.data(), rarely=st.integers(0, 3), bit=st.sampled_from((None, None, None, 1, 9, 40, 97, 130)))
    def sends_what_is_due(self, state: st.DataObject, rarely: int, bit: int | None) -> None:
        """Any request that this state admits, with nothing in it; now and then with a bit that has turned."""
        if rarely and self.session.context.delivering:
            return
        kinds = [kind for kind in type(self).requests_in(self.session.context.state) if kind not in self.ruled]
        kind = state.draw(st.sampled_from(kinds)) if kinds else None
        if kind is None:
            return
        if bit is None:
            self.say(least(kind))
            return
        sent = self.car.generation.write(least(kind), self.car.id, "main", None)
        octets = bytearray(sent.exi)
        octets[bit // 8 % len(octets)] ^= 1 << bit % 8
        self.car.octets(frame(sent.payload_type, bytes(octets)))
        self.look()

    def turns(self, count: int, made: Callable[[], Type]) -> None:
        for _ in range(count):
            if self.session.context.state not in self.looping or self.session.ended is not None:
                return
            self.say(made())
            self.holds()
            self.car.wait(0.3)
            self.look()

    def wanted(self, current: float, voltage: float, power: float | None, most: float | None) -> dict[str, Any]:
        """The targets of a turn of the loop of DC (A, V), and what the car says that it can take (W, A; None: it says nothing)."""
        units = self.units
        said = {"EVMaximumPowerLimit": (power, units.W), "EVMaximumCurrentLimit": (most, units.A)}
        stated = {name: units.physical(value, unit) for name, (value, unit) in said.items() if value is not None}
        targets = {"EVTargetCurrent": units.physical(current, units.A), "EVTargetVoltage": units.physical(voltage, units.V)}
        return {**targets, **stated}

    @precondition(lambda self: self.session.context.state in self.preparing)
    @alive
    @rule(wanted=st.sampled_from((0.0, 150.0, 400.0, 900.0, 1e5, -400.0)))
    def prepares(self, wanted: float) -> None:
        self.act(self.car.cable_check if self.session.context.state is self.preparing[0] else lambda: self.car.pre_charge(wanted))
