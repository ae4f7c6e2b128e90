"""What stations measured, out of OCPP's meter values: each value with its time, in W, Wh and the other units without prefix (pure)."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch

KILO: Final = {"kWh": "Wh", "kW": "W", "kvarh": "varh", "kvar": "var", "kVA": "VA", "kVAh": "VAh"}
PREFIXES: Final = range(-12, 13)  # powers of ten that a multiplier may be: from pico to tera, and no number that a float cannot hold


def samples_of(meter_values: Iterable[Payload]) -> Iterator[dict[str, Any]]:
    """Each sampled value of some meter values; `place` counts them, `at` (epoch s) is None where the time cannot be read."""
    place = 0
    for value in meter_values:
        at = moment(value.get("timestamp", ""))
        for sample in value["sampledValue"]:
            unit = sample.get("unitOfMeasure", {})
            named, exponent = unit.get("unit", "Wh"), unit.get("multiplier", 0)
            scale = 10.0 ** (exponent if exponent in PREFIXES else 0) * (1000.0 if named in KILO else 1.0)
            known = {name: sample.get(name) for name in ("phase", "location", "context")}
            measurand = sample.get("measurand", "Energy.Active.Import.Register")  # what OCPP means where it says none
            yield {
                "place": place,
                "at": at,
                "measurand": measurand,
                "value": float(sample["value"]) * scale,
                "unit": KILO.get(named, named),
            } | known
            place += 1


def moment(text: str) -> float | None:
    """The epoch seconds of a time, None for one that cannot be read."""
    try:
        return epoch(text)
    except ValueError:
        return None
