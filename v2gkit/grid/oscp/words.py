"""The messages of OSCP 2.0 as classes; what is not in them is passed over. A length is bounded before it is read."""

from typing import Annotated, Final, Literal, TypeVar

import msgspec

from v2gkit.grid.faults import GridFault, Trouble, quoted

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=1_024)]
Time = Annotated[str, msgspec.Meta(max_length=40)]
BLOCKS: Final = 4_096  # of a forecast
VERSION: Final = "2.0"
Phase = Literal["UNKNOWN", "ONE", "TWO", "THREE", "ALL"]
Unit = Literal["A", "W", "KW", "WH", "KWH"]
Forecast = Literal["CONSUMPTION", "GENERATION", "FALLBACK_CONSUMPTION", "FALLBACK_GENERATION", "OPTIMUM"]
Configuration = Literal["CONTINUOUS", "INTERMITTENT"]
Category = Literal["CHARGING", "CONSUMPTION", "GENERATION", "STORAGE"]


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of every object."""


class VersionUrl(Word, frozen=True):
    """A version of OSCP, and the URL under which a party has it."""

    version: Text
    base_url: Text


class Register(Word, frozen=True):
    """The token by which the sender wants to be called, and where."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]
    version_url: Annotated[list[VersionUrl], msgspec.Meta(min_length=1, max_length=16)]


class RequiredBehaviour(Word, frozen=True):
    """What the sender wants of the receiver: a heartbeat every so many s, and measurements of these kinds."""

    measurement_configuration: Annotated[list[Configuration], msgspec.Meta(max_length=2)]
    heartbeat_interval: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None


class Handshake(Word, frozen=True):
    """The capacity provider goes online."""

    required_behaviour: RequiredBehaviour | None = None


class HandshakeAcknowledge(Word, frozen=True):
    """The flexibility provider goes online in answer to a handshake."""

    required_behaviour: RequiredBehaviour | None = None


class Heartbeat(Word, frozen=True):
    """The sender is there, and has to be taken for offline from this instant on, unless another heartbeat comes."""

    offline_mode_at: Time


class ForecastedBlock(Word, frozen=True):
    """A capacity over a span of time."""

    capacity: Annotated[float, msgspec.Meta(ge=0, le=1e12)]
    phase: Phase
    unit: Unit
    start_time: Time
    end_time: Time


class UpdateGroupCapacityForecast(Word, frozen=True):
    """What a group of assets may take or give."""

    group_id: Name
    type: Forecast
    forecasted_blocks: Annotated[list[ForecastedBlock], msgspec.Meta(min_length=1, max_length=BLOCKS)]


class AdjustGroupCapacityForecast(UpdateGroupCapacityForecast, frozen=True):
    """What the flexibility provider would like to have instead."""


class GroupCapacityComplianceError(Word, frozen=True):
    """The flexibility provider cannot keep to a forecast, or to these blocks of it."""

    message: Text
    forecasted_blocks: Annotated[list[ForecastedBlock], msgspec.Meta(min_length=1, max_length=BLOCKS)] | None = None


class EnergyMeasurement(Word, frozen=True):
    """An energy: a register at `measure_time`, or what flowed since `initial_measure_time`."""

    value: float
    phase: Phase
    unit: Literal["WH", "KWH"]
    direction: Literal["NET", "IMPORT", "EXPORT"]
    measure_time: Time
    energy_type: Literal["FLEXIBLE", "NONFLEXIBLE", "TOTAL"] | None = None
    initial_measure_time: Time | None = None


class InstantaneousMeasurement(Word, frozen=True):
    """A value of one moment; + is import."""

    value: float
    phase: Phase
    unit: Unit
    measure_time: Time


class AssetMeasurement(Word, frozen=True):
    """What one asset does."""

    asset_id: Name
    asset_category: Category
    energy_measurement: EnergyMeasurement | None = None
    instantaneous_measurement: InstantaneousMeasurement | None = None


class UpdateGroupMeasurements(Word, frozen=True):
    """What a group did."""

    group_id: Name
    measurements: Annotated[list[EnergyMeasurement], msgspec.Meta(min_length=1, max_length=BLOCKS)]


class UpdateAssetMeasurement(Word, frozen=True):
    """What assets of a group do."""

    group_id: Name
    measurements: Annotated[list[AssetMeasurement], msgspec.Meta(min_length=1, max_length=BLOCKS)]


class Error(Word, frozen=True):
    """Why a message is refused."""

    message: str = ""


PATHS: Final[dict[str, type[Word]]] = {
    "register": Register,
    "handshake": Handshake,
    "handshake_acknowledge": HandshakeAcknowledge,
    "heartbeat": Heartbeat,
    "update_group_capacity_forecast": UpdateGroupCapacityForecast,
    "adjust_group_capacity_forecast": AdjustGroupCapacityForecast,
    "group_capacity_compliance_error": GroupCapacityComplianceError,
    "update_group_measurements": UpdateGroupMeasurements,
    "update_asset_measurements": UpdateAssetMeasurement,
}
NAMES: Final = {kind: path for path, kind in PATHS.items()}


def read(octets: bytes, kind: type[T], what: str) -> T:
    """The object in a JSON text. Raises GridFault, which says what `what` has of wrong."""
    try:
        return msgspec.json.decode(octets, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise GridFault(Trouble.MALFORMED, f"{what}: {quoted(error)}") from None
