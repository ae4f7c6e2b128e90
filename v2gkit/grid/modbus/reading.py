"""What is asked of a device in each round, as its declaration says. Scripts, as in `sunspec`."""

from collections.abc import Mapping

from v2g.energy.signal import Kind
from v2gkit.grid.declared import Modbus, Register
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import HOLDING, INPUT, Declined, Read
from v2gkit.grid.modbus.registers import implemented, number, width
from v2gkit.grid.modbus.storage import soc_of
from v2gkit.grid.modbus.sunspec import Script, models_of, points_of, power_of
from v2gkit.grid.received import Told
from v2gkit.grid.unversioned import Unversioned

KINDS = {"import_cap": Kind.IMPORT_CAP, "export_cap": Kind.EXPORT_CAP, "setpoint": Kind.SETPOINT}


def round_of(device: Modbus, models: dict[int, int] | None) -> Script[dict[str, float]]:
    """One round: what each register says (W), by what it reads; `models` is where the device's SunSpec models begin.

    Of a battery that a station leads also `soc`, how full it is (%)."""
    if device.sunspec:
        power = yield from _sunspec_power(device, models or {})
        return power | {"soc": (yield from soc_of(device.name, models or {}))} if device.pack else power
    said: dict[str, float] = {}
    for register in device.register:
        value = yield from _value(device, register)
        if value is not None:
            said[register.reads] = value
    return said


def opening_of(device: Modbus) -> Script[dict[int, int] | None]:
    """What has to be known of a device before the first round: where its SunSpec models begin; None without SunSpec."""
    return (yield from models_of()) if device.sunspec else None


def signals_of(said: Mapping[str, float], values: Unversioned, now: float) -> tuple[Told, ...]:
    """The signals of a box of the grid operator's, from one round."""
    return tuple(values.told(KINDS[what], power, now) for what, power in said.items() if what in KINDS)


def _sunspec_power(device: Modbus, models: dict[int, int]) -> Script[dict[str, float]]:
    model, sign = power_of(models)
    points = yield from points_of(model, models[model], ("W",))
    if "W" not in points:
        raise GridFault(Trouble.MALFORMED, f"{device.name}: model {model} has no W")
    return {"power": points["W"] * (-sign if device.invert else sign)}


def _value(device: Modbus, register: Register) -> Script[float | None]:
    function = INPUT if register.function == "input" else HOLDING
    answer = yield Read(function, register.at, width(register.type))
    if isinstance(answer, Declined):
        raise GridFault(Trouble.DENIED, f"{device.name}: register {register.at}: {answer}")
    raw = number(answer, register.type, register.words)
    if raw == register.absent:
        return None
    if register.type.startswith("float") and not implemented(raw, register.type):
        raise GridFault(Trouble.MALFORMED, f"{device.name}: register {register.at} is no number")
    return raw * register.scale * (-1.0 if register.invert else 1.0)
