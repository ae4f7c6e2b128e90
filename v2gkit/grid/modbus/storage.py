"""A battery behind a SunSpec inverter: what it says (713 and its power) and what it is ordered to do (704). Scripts, as in `sunspec`.

An order has a time in 704 after which the device goes back to no power by itself. A device without that time is ordered nothing: it would
go on by the last order when there is nobody any more who gives the next.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import HOLDING, Declined, Read, Write
from v2gkit.grid.modbus.models import MODELS
from v2gkit.grid.modbus.registers import implemented, number, registers_of
from v2gkit.grid.modbus.sunspec import EXPONENTS, Script, points_of

CONTROLS, CAPACITY = 704, 713  # the models
WATTS, ENABLED = 1, 1  # of WSetMod, of WSetEna and WSetEnaRvrt
WANTED: Final = ("WSet", "WSetRvrt", "WSetEnaRvrt", "WSetRvrtTms")  # points without which no order is given


class Storage:
    """A battery of a station: the last it said, and the last order. W, + is drawn. `told` is called when it has said something."""

    def __init__(self, name: str, pack: str, clock: Callable[[], float]) -> None:
        self.name, self.pack, self._clock = name, pack, clock
        self.said: tuple[float, float] | None = None  # %, W
        self.told: Callable[[], None] = lambda: None
        self._order: tuple[float, float] | None = None  # W, until when
        self._at, self._exponent = 0, 0

    def heard(self, values: Mapping[str, float]) -> None:
        """Take what one round has read: `soc` (%) and `power` (W)."""
        self.said = values["soc"], values["power"]
        self.told()

    def ordered(self, power: float, lasts: float) -> None:
        """Take an order, W for so many s. ValueError for what is none."""
        if not (math.isfinite(power) and 0 < lasts <= 3_600):
            raise ValueError(f"{self.pack}: an order of {power} W for {lasts} s; give a power, and up to an hour")
        self._order = power, self._clock() + lasts

    @property
    def ordered_power(self) -> float | None:
        """The power that is ordered at this moment (W); None where no order holds."""
        return self._order[0] if self._order is not None and self._order[1] > self._clock() else None

    def opening(self, models: Mapping[int, int]) -> Script[None]:
        """See that the device can be ordered, and have it go back to no power when orders cease. Raises GridFault where it cannot."""
        if missing := [str(model) for model in (CONTROLS, CAPACITY) if model not in models]:
            raise GridFault(Trouble.DENIED, f"{self.name}: no model {' and '.join(missing)}; the battery {self.pack} gets no orders")
        self._at = models[CONTROLS]
        found = yield from points_of(CONTROLS, self._at, WANTED)
        if absent := [point for point in WANTED if point not in found]:
            raise GridFault(Trouble.DENIED, f"{self.name}: model 704 has no {', '.join(absent)}; the battery {self.pack} gets no orders")
        scale = MODELS[CONTROLS]["WSet"].scale
        assert scale is not None
        answer = yield Read(HOLDING, self._at + scale, 1)
        self._exponent = 0 if isinstance(answer, Declined) else int(number(answer, "int16"))
        if not implemented(self._exponent, "int16") or self._exponent not in EXPONENTS:
            raise GridFault(Trouble.MALFORMED, f"{self.name}: WSet_SF is {self._exponent}; SunSpec has -10 to 10")
        yield from self._written("WSetRvrt", *registers_of(0, "int32"))
        yield from self._written("WSetEnaRvrt", ENABLED)

    def obeyed(self) -> Script[None]:
        """Write the order of this moment; none once it has lapsed, so that the device goes back by itself."""
        if self._order is None or (power := self.ordered_power) is None:
            return
        left = self._order[1] - self._clock()
        try:
            wanted = registers_of(-power / 10.0**self._exponent, "int32")  # SunSpec: + is what the device gives
        except ValueError as error:
            raise GridFault(Trouble.MALFORMED, f"{self.name}: an order of {power:g} W: {error}") from None
        # the time first: whether a device counts from this write or from the next one, no order stands without it
        yield from self._written("WSetRvrtTms", *registers_of(math.ceil(left), "uint32"))
        yield from self._written("WSetEna", ENABLED, WATTS, *wanted)

    def _written(self, point: str, *registers: int) -> Script[None]:
        """Write registers from a point of 704 on."""
        at = self._at + MODELS[CONTROLS][point].offset
        answer = yield Write(at, registers)
        if isinstance(answer, Declined):
            raise GridFault(Trouble.DENIED, f"{self.name}: {point} at register {at}: {answer}")


def soc_of(name: str, models: Mapping[int, int]) -> Script[float]:
    """How full the battery of a device is, %. Raises GridFault where it does not say."""
    if CAPACITY not in models:
        raise GridFault(Trouble.DENIED, f"{name}: no model {CAPACITY}, which says how full a battery is")
    found = yield from points_of(CAPACITY, models[CAPACITY], ("SoC",))
    if not 0 <= found.get("SoC", math.nan) <= 100:
        raise GridFault(Trouble.MALFORMED, f"{name}: model {CAPACITY} says SoC {found.get('SoC', 'of nothing')}; a battery has 0 to 100 %")
    return found["SoC"]
