"""What a grid asked of a car that feeds it (AC_DER) and what its inverter told back, as the messages of a trace have it."""

import enum
from collections.abc import Iterable, Iterator
from typing import Any

from v2g.exi.schema import Type
from v2g.iso20.der import alarms
from v2g.iso20.rational import number
from v2g.messages import ac
from v2g.messages.common_types import RationalNumberType
from v2gkit.insight.report.flow import Frame
from v2gkit.insight.report.story import Asked

STATION, CAR = "station", "car"
MODES = {  # message -> its field that differs by service
    ac.AC_ChargeParameterDiscoveryRes: "AC_CPDResEnergyTransferMode",
    ac.AC_ChargeLoopReq: "CLReqControlMode",
    ac.AC_ChargeLoopRes: "CLResControlMode",
}
ALARMS = ("GridEventCondition", "DERAlarmStatus")  # of AC_DER_IEC, and of AC_DER_SAE
TOLD = (*ALARMS, "DERConnectionStatus", "DEROperationalState")
OPERATOR = "DSO"  # begins the set-points of IEC: one that is not said any more is asked for no more
WITHDRAWN = "asked for no more"


def asked_of(pairs: Iterable[tuple[Frame, Frame]]) -> Iterator[Asked]:
    """Each thing that the station asked on behalf of the grid, and that the car told of its inverter, whenever it was another than before.

    Names are those of the messages, without the endings that tell the response at the beginning from that of a loop.
    """
    known: dict[tuple[str, str], str] = {}
    for pair in pairs:
        for frame in pair:
            who, said = _said(frame.message)
            gone = {what for side, what in known if side == who == STATION and what.startswith(OPERATOR)} - said.keys()
            news = {**said, **(dict.fromkeys(gone, WITHDRAWN) if said or _fed(frame.message) else {})}
            for what, value in news.items():
                if known.get((who, what)) != value:
                    known[who, what] = value
                    yield Asked(frame.at, who, what, value)


def _fed(message: Type) -> bool:
    """Whether this is an answer in a loop of a car that feeds the grid."""
    return isinstance(message, ac.AC_ChargeLoopRes) and "ac_der" in type(message.CLResControlMode).__module__


def _said(message: Type) -> tuple[str, dict[str, str]]:
    """Who speaks, and what this message says of the grid: values by name."""
    name = MODES.get(type(message))
    mode = getattr(message, name) if name is not None else None
    if mode is None or "ac_der" not in type(mode).__module__:
        return "", {}
    own = {each: value for each in type(mode).__annotations__ if (value := getattr(mode, each)) is not None}
    if isinstance(message, ac.AC_ChargeLoopReq):
        return CAR, {each: _alarms(value) if each in ALARMS else _leaf(value) for each, value in own.items() if each in TOLD}
    said: dict[str, str] = {}
    for each, value in own.items():
        if not each.startswith("EVSE"):
            said |= _blocks(value, _plain(each))
    return STATION, said


def _alarms(bits: int) -> str:
    return ", ".join(alarms(bits)) or "none"


def _blocks(value: Any, path: str) -> dict[str, str]:
    """The innermost structures below a value: the path of each, and its fields in one line."""
    if not _nested(value):
        return {path: _leaf(value)}
    fields = {each: inner for each in value.__struct_fields__ if (inner := getattr(value, each)) is not None}
    if fields.get("Enable") is False:
        return {path: "not enabled"}
    flat = ", ".join(f"{each} {_leaf(inner)}" for each, inner in fields.items() if not _nested(inner))
    found = {path: flat} if flat else {}
    for each, inner in fields.items():
        if _nested(inner):
            found |= _blocks(inner, f"{path}.{_plain(each)}")
    return found


def _nested(value: Any) -> bool:
    return isinstance(value, Type) and not isinstance(value, RationalNumberType) and _points(value) is None


def _points(value: Any) -> tuple[Any, ...] | None:
    """The points of a curve, where a structure is nothing else."""
    only = getattr(value, value.__struct_fields__[0]) if isinstance(value, Type) and len(value.__struct_fields__) == 1 else None
    return only if isinstance(only, tuple) else None


def _leaf(value: Any) -> str:
    if isinstance(value, RationalNumberType):
        return f"{number(value):g}"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if (points := _points(value)) is not None:
        return " ".join(f"({_leaf(point)})" for point in points)
    if isinstance(value, Type):
        return " ".join(_leaf(inner) for each in value.__struct_fields__ if (inner := getattr(value, each)) is not None)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(name: str) -> str:
    return name.removesuffix("CPDRes").removesuffix("CLRes")
