"""Which variables a report of the device model has: one of the bases of GetBaseReport, or those that GetReport names."""

from collections.abc import Callable, Collection
from typing import Final

from ocpp_bridge.model.device_model import DeviceModel
from ocpp_bridge.model.variables import Key, Row
from ocpp_bridge.wire.schemas import Payload

TROUBLE: Final = frozenset({"Problem", "Tripped", "Fault", "Overload"})  # variables that are of interest where they are true


def of_base(model: DeviceModel, base: str) -> list[Payload]:
    """The reportData of ConfigurationInventory (what can be set), FullInventory, or SummaryInventory (how available the station is)."""
    choose: dict[str, Callable[[Key, Row], bool]] = {
        "ConfigurationInventory": lambda key, row: row.rule is not None,
        "FullInventory": lambda key, row: True,
        "SummaryInventory": lambda key, row: key[1] == "AvailabilityState" or (key[1] in TROUBLE and model[key] == "true"),
    }
    return list(model.report(choose[base]))


def chosen(model: DeviceModel, criteria: Collection[str], named: Collection[Payload]) -> list[Payload]:
    """The reportData of the components for which one of the criteria is true, and among them of those that are named; nothing chosen: all.

    A component that lacks Active, Available or Enabled counts as if it were true, one without Problem has none [B08].
    """

    def fits(key: Key, row: Row) -> bool:
        if criteria and not any(_true(model, key, one) for one in criteria):
            return False
        return not named or any(is_meant(key, row, one) for one in named)

    return list(model.report(fits))


def _true(model: DeviceModel, key: Key, criterion: str) -> bool:
    place = key[0], criterion, "", key[3]
    return model[place] == "true" if place in model.rows else criterion != "Problem"


def is_meant(key: Key, row: Row, asked: Payload) -> bool:
    """Whether a variable is meant by {component, variable}; whatever is left out means all of them."""
    component, variable = asked["component"], asked.get("variable", {})
    evse = component.get("evse", {})
    return (
        "instance" not in component
        and component["name"].casefold() == key[0].casefold()
        and evse.get("id", key[3]) == key[3]
        and ("connectorId" not in evse or (row.connector and evse["connectorId"] == 1))
        and variable.get("name", key[1]).casefold() == key[1].casefold()
        and variable.get("instance", key[2]).casefold() == key[2].casefold()
    )
