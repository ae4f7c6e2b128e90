"""The device model of a station: the present values of its variables, and how a CSMS reads, sets and reports them.

What variables there are is declared by rows (`ocpp_bridge.model.variables`). A row with `each` stands for one variable at every EVSE.
Numbers, booleans and lists are strings, as on the wire.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ocpp_bridge.model.variables import STATION, Key, Row
from ocpp_bridge.wire.schemas import Payload

CONNECTOR = 1  # the id of the one connector of an EVSE


@dataclass(slots=True)
class DeviceModel:
    """The variables of a station with these EVSEs."""

    evses: tuple[int, ...]
    rows: dict[Key, Row] = field(default_factory=dict)
    values: dict[Key, str] = field(default_factory=dict)
    others: dict[tuple[Key, str], str] = field(default_factory=dict)  # of the attributes Target, MinSet and MaxSet
    pending: dict[Key, str] = field(default_factory=dict)  # set, but in use only after the next reset
    changes: int = 0  # that any value has seen so far
    written: list[Key] = field(default_factory=list)  # what the CSMS has set since somebody looked
    guards: dict[Key, Callable[[str], tuple[str, str] | None]] = field(default_factory=dict)
    """By variable: takes a value that the rule lets pass, or returns the reason code and the words by which it is refused."""
    _names: dict[Key, Key] = field(default_factory=dict)  # keys as they are compared: without regard to case

    def __post_init__(self) -> None:
        self.declare(STATION)

    def declare(self, rows: Iterable[Row]) -> None:
        """Add variables. One that is there keeps its value; AssertionError where it was declared otherwise."""
        for row in rows:
            for evse in self.evses if row.each else (0,):
                key = row.at(evse)
                assert self.rows.get(key, row) == row, f"{key} is declared twice, and not alike"
                if key not in self.rows:
                    self.rows[key] = row
                    self.values[key] = row.value
                    self._names[_folded(key)] = key

    def __getitem__(self, key: str | Key) -> str:
        """The value in use of a variable, by `Component.Variable`, `Component.Variable[Instance]` or its key. Raises KeyError."""
        return self.values[self.key(key) if isinstance(key, str) else key]

    def __setitem__(self, key: str | Key, value: str) -> None:
        """Set a variable from within the station, without checking its `rule`."""
        place = self.key(key) if isinstance(key, str) else key
        if place not in self.rows:
            raise KeyError(place)
        self._change(place, value)

    def _change(self, key: Key, value: str) -> None:
        if self.values[key] != value:
            self.values[key] = value
            self.changes += 1

    def attribute(self, key: Key, kind: str, value: str) -> None:
        """Set another attribute (Target, MinSet, MaxSet) of a variable from within the station. KeyError where it has none."""
        if kind == "Actual" or kind not in self.rows[key].attributes:
            raise KeyError((key, kind))
        if self.others.get((key, kind)) != value:
            self.others[key, kind] = value
            self.changes += 1

    @staticmethod
    def key(text: str, evse: int = 0) -> Key:
        """The key of a variable from the text `Component.Variable[Instance]`."""
        component, _, rest = text.partition(".")
        variable, _, instance = rest.rstrip("]").partition("[")
        return component, variable, instance, evse

    def yes(self, text: str, evse: int = 0) -> bool:
        """Whether a boolean variable is true."""
        return self[self.key(text, evse)] == "true"

    def number(self, text: str, evse: int = 0) -> float:
        """The value of a numeric variable as a float."""
        return float(self[self.key(text, evse)])

    def words(self, text: str) -> tuple[str, ...]:
        """The members of a variable that is a comma-separated list."""
        return tuple(filter(None, self[text].split(",")))

    def empty(self, component: str, evse: int) -> None:
        """Forget what a component at an EVSE says: its flags are false, everything else is empty."""
        for key, row in self.rows.items():
            if key[0] == component and key[3] == evse:
                self._change(key, "false" if row.type == "boolean" else "")
        self.others = {place: value for place, value in self.others.items() if (place[0][0], place[0][3]) != (component, evse)}

    # --- over restarts ---

    def kept(self, key: Key) -> tuple[str, str]:
        """The name under which a variable that was set is kept, and its value."""
        component, variable, instance, evse = key
        name = f"variable/{evse}/{component}.{variable}" + (f"[{instance}]" if instance else "")
        return name, self.pending.get(key, self.values[key])

    def recall(self, kept: Mapping[str, str]) -> list[str]:
        """Take kept values back into use. Returns a line for each that cannot be: the variable is gone, or takes no such value any more."""
        complaints = []
        for name, value in kept.items():
            _, evse, text = name.split("/", 2)
            key = self.key(text, int(evse))
            why = self.rows[key].objection(value) if key in self.rows else "there is no such variable any more"
            if why:
                complaints.append(f"{text} was set to {value!r}, which is not taken back: {why}")
            else:
                self.values[key] = value
                self.written.append(key)
        return complaints

    def restart(self) -> list[Key]:
        """Take what was set for the time after a reset into use. Returns the variables that this concerns."""
        for key, value in self.pending.items():
            self._change(key, value)
        keys = list(self.pending)
        self.pending.clear()
        return keys

    # --- the CSMS reads and sets ---

    def find(self, asked: Payload) -> tuple[str, Key | None]:
        """The variable that {component, variable} names, without regard to case: Accepted and its key, or why there is none."""
        component, variable = asked["component"], asked["variable"]
        place = component.get("evse", {})
        named = _folded((component["name"], variable["name"], variable.get("instance", ""), place.get("id", 0)))
        key = self._names.get(named)
        connector = CONNECTOR if key is not None and self.rows[key].connector else None
        if key is not None and "instance" not in component and place.get("connectorId") == connector:
            return "Accepted", key
        same = [other for other in self.rows if other[0].casefold() == named[0] and other[3] == named[3]]
        known = any(place.get("connectorId") == (CONNECTOR if self.rows[other].connector else None) for other in same)
        return ("UnknownVariable" if known and "instance" not in component else "UnknownComponent"), None

    def read(self, asked: Payload) -> Payload:
        """The getVariableResult to one getVariableData."""
        status, key = self.find(asked)
        kind = asked.get("attributeType", "Actual")
        result = _echo(asked) | {"attributeStatus": status}
        if key is None:
            return result
        if kind not in self.rows[key].attributes:
            return result | {"attributeStatus": "NotSupportedAttributeType"}
        if self.rows[key].secret:
            return result | {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": "WriteOnly"}}
        return result | {"attributeValue": self.shown(key, kind)}

    def write(self, asked: Payload) -> Payload:
        """Set a variable as one setVariableData asks, and return the setVariableResult."""
        status, key = self.find(asked)
        if key is None:
            return _echo(asked) | {"attributeStatus": status}
        row, value, kind = self.rows[key], asked["attributeValue"], asked.get("attributeType", "Actual")
        if kind not in row.attributes:
            return _echo(asked) | {"attributeStatus": "NotSupportedAttributeType"}
        if row.rule is None or kind != "Actual":
            return _echo(asked) | refused("ReadOnly", "the station alone says what this is")
        if why := row.objection(value):
            outside = "below" in why or "above" in why
            return _echo(asked) | refused("ValueOutOfRange" if outside else "InvalidValue", why)
        if (refusal := self._guarded(key, value)) is not None:
            return _echo(asked) | refused(*refusal)
        if not row.secret:  # what nobody may read is kept by whoever uses it
            if row.reboot:
                self.pending[key] = value
            else:
                self._change(key, value)
        self.written.append(key)
        return _echo(asked) | {"attributeStatus": "RebootRequired" if row.reboot else "Accepted"}

    def shown(self, key: Key, kind: str = "Actual") -> str:
        """What a CSMS reads of an attribute: the value that was set last, whether it is in use already or not."""
        return self.pending.get(key, self.values[key]) if kind == "Actual" else self.others.get((key, kind), "")

    def _guarded(self, key: Key, value: str) -> tuple[str, str] | None:
        """Why a value is not taken; a secret that nobody has use for is not, either."""
        if (guard := self.guards.get(key)) is not None:
            return guard(value)
        return ("UnsupportedParam", "nothing uses it here") if self.rows[key].secret else None

    # --- reports ---

    def report(self, chosen: Callable[[Key, Row], bool]) -> Iterator[Payload]:
        """The reportData of the chosen variables."""
        for key, row in self.rows.items():
            if chosen(key, row):
                yield named(key, row) | {
                    "variableAttribute": [self._attribute(key, row, kind) for kind in row.attributes],
                    "variableCharacteristics": _characteristics(row),
                }

    def _attribute(self, key: Key, row: Row, kind: str) -> Payload:
        settable = row.rule is not None and kind == "Actual"
        attribute: Payload = {"type": kind, "mutability": "WriteOnly" if row.secret else "ReadWrite" if settable else "ReadOnly"}
        if settable:
            attribute["persistent"] = True
        return attribute if row.secret else attribute | {"value": self.shown(key, kind)}


def refused(reason: str, words: str) -> Payload:
    """What a setVariableResult says of a value that is not taken."""
    return {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": reason, "additionalInfo": words[:1024]}}


def named(key: Key, row: Row) -> Payload:
    """A variable as OCPP names it: {component, variable}."""
    component, variable, instance, evse = key
    place = {"id": evse} | ({"connectorId": CONNECTOR} if row.connector else {})
    return {
        "component": {"name": component} | ({"evse": place} if evse else {}),
        "variable": {"name": variable} | ({"instance": instance} if instance else {}),
    }


def _characteristics(row: Row) -> Payload:
    said: Payload = {"dataType": row.type, "supportsMonitoring": not row.secret}
    listed = ",".join(row.values)
    optional = {"unit": row.unit or None, "minLimit": row.low, "maxLimit": row.high}
    optional["valuesList"] = listed if 0 < len(listed) <= 1000 else None  # characters that the field has
    return said | {name: value for name, value in optional.items() if value is not None}


def _folded(key: Key) -> Key:
    return key[0].casefold(), key[1].casefold(), key[2].casefold(), key[3]


def _echo(asked: Payload) -> Payload:
    return {name: asked[name] for name in ("attributeType", "component", "variable") if name in asked}
