"""The resource manager of a site, sans-I/O: shakes hands, says what its chargers can, hears what the CEM wants, and tells its fate.

    manager.opened(now)                 on a new connection
    manager.receive(text, now)          raises GridFault for what is no S2, or nothing that can be done; the CEM is told by itself
    manager.tick(now)
    for text in manager.texts(): ...    to be sent
    manager.told(now)                   signals, once `ready`

Envelopes (PEBC) are caps, operation modes (OMBC) setpoints. A later instruction goes before an earlier one from its execution time on. What
a CEM said stands over a lost connection until it says something else.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.received import YEAR, Told
from v2gkit.grid.s2 import words
from v2gkit.grid.s2.declared import S2
from v2gkit.grid.spans import series_of
from v2gkit.grid.times import instant, written

KEPT: Final = 64  # instructions that have not ended; one more, and the CEM is refused
REMEMBERED: Final = 256  # ids of instructions, none of which may come twice
CONSTRAINTS: Final = str(uuid5(NAMESPACE_URL, "v2gkit:constraints"))  # the standard has ids of other forms, libraries have UUIDs alone
DELAY: Final = 1_000  # ms until an instruction is carried out
OFF, CHARGE, DISCHARGE = (str(uuid5(NAMESPACE_URL, f"v2gkit:{mode}")) for mode in ("off", "charge", "discharge"))
ROUNDED: Final = 1e-6  # W


@dataclass(frozen=True, slots=True)
class Kept:
    """An instruction that was accepted: its spans (epoch s, W) of import and export limits, or of setpoints."""

    id: str
    start: float
    end: float
    upper: tuple[tuple[float, float, float], ...] = ()
    lower: tuple[tuple[float, float, float], ...] = ()
    setpoint: float | None = None
    started: bool = False


class Manager:
    """The resource manager that one CEM sees. `entropy` gives octets for ids."""

    def __init__(self, source: S2, entropy: Callable[[int], bytes]) -> None:
        self._source, self._entropy = source, entropy
        self.control: str | None = None
        self.ready = False  # whether the CEM has said what it wants
        self.ending = False  # whether it wants the connection to end
        self._out: list[dict[str, Any]] = []
        self._kept: list[Kept] = []
        self._ids: dict[str, None] = {}
        self._last: dict[str, Told] = {}

    # --- the session ---

    def opened(self, now: float) -> None:
        """Begin on a new connection."""
        self._out, self.control, self.ending = [], None, False
        self._say("Handshake", role="RM", supported_protocol_versions=[self._source.version])

    def texts(self) -> list[str]:
        """What has to be sent, and is forgotten by that."""
        out, self._out = self._out, []
        return [json.dumps(each) for each in out]

    def receive(self, text: str | bytes, now: float) -> None:
        """Take one message. Raises GridFault; the answer to the CEM says the same."""
        try:
            message = words.read(text)
        except GridFault as fault:
            id_ = words.id_of(text)
            self._status(id_ or words.NOBODY, "INVALID_MESSAGE" if id_ else "INVALID_DATA", str(fault))
            raise
        if isinstance(message, words.ReceptionStatus):
            if message.status != "OK":
                raise GridFault(
                    Trouble.DENIED, f"a message of ours is answered {quoted(message.status)} {quoted(message.diagnostic_label)}"
                )
            return
        try:
            self._taken(message, now)
        except GridFault as fault:
            self._status(message.message_id, "INVALID_CONTENT", str(fault))
            raise

    def _taken(self, message: words.Heard, now: float) -> None:
        if isinstance(message, words.Handshake):
            if message.role != "CEM":
                raise GridFault(Trouble.MALFORMED, f"its role is {quoted(message.role)}; a resource manager speaks with a CEM")
            self._status(message.message_id)
        elif isinstance(message, words.HandshakeResponse):
            if message.selected_protocol_version != self._source.version:
                raise GridFault(
                    Trouble.MALFORMED, f"it selects {quoted(message.selected_protocol_version)}; {self._source.version} is spoken here"
                )
            self._status(message.message_id)
            self._details()
        elif isinstance(message, words.SelectControlType):
            self._select(message, now)
        elif isinstance(message, words.EnvelopeInstruction | words.ModeInstruction):
            self._status(message.message_id)
            self._instructed(message, now)
        elif isinstance(message, words.RevokeObject):
            self._revoked(message, now)
        elif isinstance(message, words.SessionRequest):
            self._status(message.message_id)
            self.ending = True

    def _select(self, message: words.SelectControlType, now: float) -> None:
        if message.control_type not in (words.ENVELOPE, words.MODES, *words.NONE):
            raise GridFault(
                Trouble.MALFORMED, f"control type {quoted(message.control_type)}; {words.ENVELOPE} and {words.MODES} are offered"
            )
        self._status(message.message_id)
        self.control = message.control_type
        wanted = {words.ENVELOPE: lambda kept: kept.setpoint is None, words.MODES: lambda kept: kept.setpoint is not None}
        keeps = wanted.get(self.control)
        if keeps is None:
            self._kept, self.ready = [], True
            return
        self._kept = [each for each in self._kept if keeps(each)]
        if self.control == words.ENVELOPE:
            self._constraints(now)
        else:
            self._modes(now)

    # --- instructions ---

    def _instructed(self, message: words.EnvelopeInstruction | words.ModeInstruction, now: float) -> None:
        """Accept an instruction, or refuse it and say why to our side as well."""
        try:
            kept = self._demand(message, now)
        except GridFault:
            self._update(message.id, "REJECTED", now)
            raise
        self._ids[message.id] = None
        while len(self._ids) > REMEMBERED:
            self._ids.pop(next(iter(self._ids)))
        self._update(message.id, "ACCEPTED", now)
        for each in self._kept:
            if each.start >= kept.start:
                self._update(each.id, "ABORTED", now)
        self._kept = [replace(each, end=min(each.end, kept.start)) for each in self._kept if each.start < kept.start] + [kept]
        self.ready = True
        self.tick(now)

    def _demand(self, message: words.EnvelopeInstruction | words.ModeInstruction, now: float) -> Kept:
        named = f"instruction {quoted(message.id)}"
        try:
            start = instant(message.execution_time)
        except (ValueError, OverflowError) as error:
            raise GridFault(Trouble.MALFORMED, f"{named}: {error}") from None
        if start is None or start > now + YEAR:
            raise GridFault(Trouble.MALFORMED, f"{named} is for {message.execution_time}; a year from now is the furthest")
        if message.id in self._ids:
            raise GridFault(Trouble.REPLAYED, f"{named} came before")
        if len(self._kept) >= KEPT:
            raise GridFault(Trouble.HUGE, f"{named}: {KEPT} instructions are waiting already")
        if self.control != (words.ENVELOPE if isinstance(message, words.EnvelopeInstruction) else words.MODES):
            raise GridFault(Trouble.MALFORMED, f"{named} does not fit the control type {self.control}")
        kept = self._envelope(message, start) if isinstance(message, words.EnvelopeInstruction) else self._mode(message, start)
        if kept.end <= now:
            raise GridFault(Trouble.EXPIRED, f"{named} was over {now - kept.end:.0f} s before it came; is a clock wrong?")
        return kept

    def _envelope(self, message: words.EnvelopeInstruction, start: float) -> Kept:
        named = f"instruction {quoted(message.id)}"
        if message.power_constraints_id != CONSTRAINTS:
            raise GridFault(Trouble.FOREIGN, f"{named} is for the constraints {quoted(message.power_constraints_id)}, which are not ours")
        if len(message.power_envelopes) != 1 or message.power_envelopes[0].commodity_quantity != self._source.quantity:
            raise GridFault(Trouble.MALFORMED, f"{named}: one envelope of {self._source.quantity} is taken")
        at, upper, lower = start, [], []
        for each in message.power_envelopes[0].power_envelope_elements:
            if not (
                0 <= each.upper_limit <= self._source.import_limit + ROUNDED
                and -self._source.export_limit - ROUNDED <= each.lower_limit <= 0
            ):
                raise GridFault(
                    Trouble.MALFORMED,
                    f"{named}: limits of {each.lower_limit:g} to {each.upper_limit:g} W; allowed are those from "
                    f"{-self._source.export_limit:g} to 0 and from 0 to {self._source.import_limit:g} W",
                )
            end = at + each.duration / 1_000
            upper.append((at, end, each.upper_limit))
            lower.append((at, end, -each.lower_limit))
            at = end
        if at - start > YEAR:
            raise GridFault(Trouble.HUGE, f"{named} lasts {at - start:.0f} s; a year is the longest")
        return Kept(message.id, start, at, tuple(upper), tuple(lower))

    def _mode(self, message: words.ModeInstruction, start: float) -> Kept:
        powers = self._powers()
        if message.operation_mode_id not in powers:
            raise GridFault(Trouble.FOREIGN, f"instruction {quoted(message.id)}: no mode {quoted(message.operation_mode_id)} is ours")
        low, high = powers[message.operation_mode_id]
        power = low + (high - low) * message.operation_mode_factor
        return Kept(message.id, start, inf, setpoint=power)

    def _revoked(self, message: words.RevokeObject, now: float) -> None:
        self._status(message.message_id)
        found = [each for each in self._kept if each.id == message.object_id]
        for each in found:
            self._kept.remove(each)
            self._update(each.id, "REVOKED", now)

    def tick(self, now: float) -> None:
        """Let time pass: the CEM is told what has begun and what is over."""
        for number, each in enumerate(self._kept):
            if not each.started and each.start <= now:
                self._kept[number] = replace(each, started=True)
                self._update(each.id, "STARTED", now)
        for each in [each for each in self._kept if each.end <= now]:
            self._kept.remove(each)
            self._update(each.id, "SUCCEEDED", now)

    def deadline(self) -> float:
        """When something begins or ends (epoch s)."""
        return min((each.end if each.started else each.start for each in self._kept), default=inf)

    # --- signals ---

    def told(self, now: float) -> tuple[Told, ...]:
        """The signals that follow from all instructions."""
        found = []
        for name, kind, spans in self._spans():
            for number, power in enumerate(series_of(spans, kind)):
                if power.until > now:
                    found.append(self._versioned(f"{self._source.name}:{name}" + (f":{number}" if number else ""), kind, power))
        return tuple(found)

    def _spans(self) -> Iterator[tuple[str, Kind, list[tuple[float, float, float]]]]:
        for name, kind in (("import", Kind.IMPORT_CAP), ("export", Kind.EXPORT_CAP)):
            spans = [
                (start, min(end, each.end), power)
                for each in self._kept
                for start, end, power in (each.upper if kind is Kind.IMPORT_CAP else each.lower)
                if start < each.end
            ]
            if spans:
                yield name, kind, spans
        points = [(each.start, min(each.end, each.start + YEAR), each.setpoint) for each in self._kept if each.setpoint is not None]
        if points:
            yield "setpoint", Kind.SETPOINT, points

    def _versioned(self, id_: str, kind: Kind, power: Series) -> Told:
        last = self._last.get(id_)
        rank = Rank.COMMITMENT if kind is Kind.SETPOINT else Rank.GRID
        signal = Signal(id_, kind, power, rank)
        if last is None or last.signal != signal:
            self._last[id_] = Told(signal, 1.0 + (last.version if last else 0.0), reference=",".join(each.id for each in self._kept)[:256])
        return self._last[id_]

    # --- what is said ---

    def measure(self, power: float, now: float) -> None:
        """Say what the chargers take (W, + from the grid)."""
        value = {"commodity_quantity": self._source.quantity, "value": power}
        self._say("PowerMeasurement", measurement_timestamp=written(now), values=[value])

    def _details(self) -> None:
        storage = ["ENERGY_CONSUMER"] + (["ENERGY_STORAGE"] if self._source.export_limit else [])
        self._say(
            "ResourceManagerDetails",
            resource_id=self._source.resource,
            name=self._source.name,
            roles=[{"role": role, "commodity": "ELECTRICITY"} for role in storage],
            instruction_processing_delay=DELAY,
            available_control_types=[words.ENVELOPE, words.MODES],
            provides_forecast=False,
            provides_power_measurement_types=[self._source.quantity],
        )

    def _constraints(self, now: float) -> None:
        ranges = (("UPPER_LIMIT", 0.0, self._source.import_limit), ("LOWER_LIMIT", -self._source.export_limit, 0.0))
        self._say(
            "PEBC.PowerConstraints",
            id=CONSTRAINTS,
            valid_from=written(now),
            consequence_type="DEFER",
            allowed_limit_ranges=[
                {
                    "commodity_quantity": self._source.quantity,
                    "limit_type": kind,
                    "range_boundary": {"start_of_range": low, "end_of_range": high},
                    "abnormal_condition_only": False,
                }
                for kind, low, high in ranges
            ],
        )

    def _modes(self, now: float) -> None:
        powers = self._powers()
        modes = [
            {
                "id": id_,
                "power_ranges": [{"start_of_range": low, "end_of_range": high, "commodity_quantity": self._source.quantity}],
                "abnormal_condition_only": False,
            }
            for id_, (low, high) in powers.items()
        ]
        ways = [
            {
                "id": str(uuid5(UUID(one), other)),
                "from": one,
                "to": other,
                "start_timers": [],
                "blocking_timers": [],
                "abnormal_condition_only": False,
            }
            for one in powers
            for other in powers
            if one != other
        ]
        self._say("OMBC.SystemDescription", valid_from=written(now), operation_modes=modes, transitions=ways, timers=[])

    def _powers(self) -> dict[str, tuple[float, float]]:
        """The modes and their powers (W) at the factors 0 and 1; the range of a discharge begins with its most."""
        both = {OFF: (0.0, 0.0), CHARGE: (0.0, self._source.import_limit)}
        return both | ({DISCHARGE: (-self._source.export_limit, 0.0)} if self._source.export_limit else {})

    def _update(self, id_: str, status: str, now: float) -> None:
        self._say("InstructionStatusUpdate", instruction_id=id_, status_type=status, timestamp=written(now))

    def _status(self, id_: str, status: str = "OK", text: str | None = None) -> None:
        more = {} if text is None else {"diagnostic_label": text[:200]}
        self._out.append({"message_type": "ReceptionStatus", "subject_message_id": id_, "status": status, **more})

    def _say(self, kind: str, **facts: Any) -> None:
        self._out.append({"message_type": kind, "message_id": str(UUID(bytes=self._entropy(16), version=4)), **facts})
