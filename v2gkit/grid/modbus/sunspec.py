"""How a SunSpec device is read: find its models, then the points of one. Scripts that yield questions and are sent the answers.

script = models_of()
question = next(script)
question = script.send(answer)      until StopIteration, whose value is what the script found
"""

from collections.abc import Generator, Sequence
from typing import Final, TypeVar

from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import HOLDING, MOST_READ, Answer, Declined, Question, Read
from v2gkit.grid.modbus.models import METERS, MODELS, SOURCES, Point
from v2gkit.grid.modbus.registers import implemented, number, width

T = TypeVar("T")
Script = Generator[Question, Answer, T]
BASES: Final = (40_000, 0, 50_000)  # where the mark may stand
MARK: Final = (0x5375, 0x6E53)  # "SunS"
END: Final = 0xFFFF  # the id behind the last model
MOST: Final = 128  # models of a device: more than SunSpec has kinds of them, and a chain that does not end is no map
EXPONENTS: Final = range(-10, 11)


def models_of() -> Script[dict[int, int]]:
    """Where the models of a device begin, by id: the first of each. Raises GridFault where there is no map, or one without end."""
    for base in BASES:
        if (yield Read(HOLDING, base, 2)) == MARK:
            return (yield from _chain(base + 2))
    raise GridFault(Trouble.MALFORMED, f"no SunSpec map at {', '.join(map(str, BASES))}; give its registers one by one")


def _chain(address: int) -> Script[dict[int, int]]:
    found: dict[int, int] = {}
    for _ in range(MOST):
        if address > 0xFFFE:
            raise GridFault(Trouble.MALFORMED, f"a SunSpec map that goes on at register {address}; there are 65536")
        answer = yield Read(HOLDING, address, 2)
        if isinstance(answer, Declined):
            if found:  # there are devices that end without the mark of an end
                return found
            raise GridFault(Trouble.DENIED, f"the first model at register {address}: {answer}")
        model, length = answer
        if model == END:
            return found
        found.setdefault(model, address)
        address += 2 + length
    raise GridFault(Trouble.HUGE, f"a SunSpec map of more than {MOST} models")


def points_of(model: int, address: int, names: Sequence[str]) -> Script[dict[str, float]]:
    """The numbers of points of a model that begins at `address`, in SI or percent as SunSpec has them; a point it has not is left out."""
    points = {name: MODELS[model][name] for name in names}
    first = min(point.offset for point in points.values())
    last = max(max(point.offset + width(point.kind), (point.scale or 0) + 1) for point in points.values())
    registers: tuple[int, ...] = ()
    while len(registers) < last - first:  # one read where it fits: value and scale are of one moment
        at = first + len(registers)
        answer = yield Read(HOLDING, address + at, min(last - at, MOST_READ))
        if isinstance(answer, Declined):
            raise GridFault(Trouble.DENIED, f"model {model} at register {address + at}: {answer}")
        registers += answer
    valued = ((name, _scaled(point, registers, first)) for name, point in points.items())
    return {name: value for name, value in valued if value is not None}


def _scaled(point: Point, registers: Sequence[int], first: int) -> float | None:
    at = point.offset - first
    value = number(registers[at : at + width(point.kind)], point.kind)
    if not implemented(value, point.kind):
        return None
    if point.scale is None:
        return value
    exponent = int(number(registers[point.scale - first : point.scale - first + 1], "int16"))
    if not implemented(exponent, "int16"):  # nobody knows what the number is worth
        return None
    if exponent not in EXPONENTS:
        raise GridFault(Trouble.MALFORMED, f"a scale factor of {exponent}; SunSpec has -10 to 10")
    return value * 10.0**exponent


def power_of(models: dict[int, int]) -> tuple[int, float]:
    """The model that tells a device's power, and its sign: + for a meter, whose import is +, - for a source. GridFault without one."""
    for ids, sign in ((METERS, 1.0), (SOURCES, -1.0)):
        for model in ids:
            if model in models:
                return model, sign
    raise GridFault(Trouble.MALFORMED, f"models {', '.join(map(str, models)) or 'none'}: none of them tells a power; give its register")
