"""The points of SunSpec models that are read or written here: where each stands in its model. A test holds the table to SunSpec's own."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Point:
    """A number of a model, `offset` registers behind the model's id; `scale` is the offset of its exponent of ten, None without one."""

    offset: int
    kind: str  # of `registers.FORMATS`
    scale: int | None = None


_INVERTER = {"W": Point(14, "int16", 15), "WH": Point(24, "uint32", 26)}
_INVERTER_FLOAT = {"W": Point(22, "float32"), "WH": Point(32, "float32")}
_METER = {"W": Point(18, "int16", 22), "TotWhExp": Point(38, "uint32", 54), "TotWhImp": Point(46, "uint32", 54)}
_METER_FLOAT = {"W": Point(28, "float32"), "TotWhExp": Point(60, "float32"), "TotWhImp": Point(68, "float32")}

MODELS: Final[dict[int, dict[str, Point]]] = {
    **dict.fromkeys((101, 102, 103), _INVERTER),
    **dict.fromkeys((111, 112, 113), _INVERTER_FLOAT),
    **dict.fromkeys((201, 202, 203, 204), _METER),
    **dict.fromkeys((211, 212, 213, 214), _METER_FLOAT),
    701: {"W": Point(10, "int16", 116), "TotWhInj": Point(19, "uint64", 120), "TotWhAbs": Point(23, "uint64", 120)},
    702: {
        "WMaxRtg": Point(2, "uint16", 45),
        "WChaRteMaxRtg": Point(10, "uint16", 45),
        "WDisChaRteMaxRtg": Point(11, "uint16", 45),
        "WMax": Point(26, "uint16", 45),
        "WChaRteMax": Point(34, "uint16", 45),
        "WDisChaRteMax": Point(35, "uint16", 45),
    },
    704: {
        "WMaxLimPctEna": Point(14, "uint16"),
        "WMaxLimPct": Point(15, "uint16", 54),
        "WMaxLimPctRvrtTms": Point(18, "uint32"),
        "WSetEna": Point(22, "uint16"),
        "WSetMod": Point(23, "uint16"),
        "WSet": Point(24, "int32", 55),
        "WSetRvrt": Point(26, "int32", 55),
        "WSetEnaRvrt": Point(30, "uint16"),
        "WSetRvrtTms": Point(31, "uint32"),
        "WSetRvrtRem": Point(33, "uint32"),
    },
    713: {"WHRtg": Point(2, "uint16", 7), "WHAvail": Point(3, "uint16", 7), "SoC": Point(4, "uint16", 8)},
    714: {"DCW": Point(6, "int16", 17), "DCWhInj": Point(7, "uint64", 18), "DCWhAbs": Point(11, "uint64", 18)},
}
METERS: Final = (201, 202, 203, 204, 211, 212, 213, 214)  # + is from the grid
SOURCES: Final = (701, 101, 102, 103, 111, 112, 113)  # + is what the device gives; the newer model first
