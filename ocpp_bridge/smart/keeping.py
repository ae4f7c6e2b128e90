"""Charging profiles over a restart of the process.

TxDefaultProfiles and the limits of the station are kept; TxProfiles as well, with their transaction, where
`SmartChargingCtrlr.ChargingProfilePersistence` says so.
"""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.charger import Charger
from ocpp_bridge.model.variables import BOOLEAN, FLAG, Row
from ocpp_bridge.smart.profiles import TX, Held

NAME: Final = "profile/"
VARIABLES: Final = (Row("SmartChargingCtrlr", "ChargingProfilePersistence", "true", FLAG, BOOLEAN, instance=TX),)
PERSISTENCE: Final = f"SmartChargingCtrlr.ChargingProfilePersistence[{TX}]"


def save(charger: Charger, now: float) -> None:
    """Keep the profiles that are installed, and forget those that are not."""
    profiles, lasting = charger.profiles, charger.variables.yes(PERSISTENCE)
    for id_, held in profiles.held.items():
        if (lasting or held.purpose != TX) and not _same(charger.kept.get(f"{NAME}{id_}"), held):
            row = {"profile": held.profile, "evse": held.evse, "updated": held.updated, "source": held.source, "dead": held.dead}
            charger.keep(f"{NAME}{id_}", row)
            profiles.kept.add(id_)
    for id_ in profiles.kept - profiles.held.keys():
        charger.keep(f"{NAME}{id_}", None)
        profiles.kept.discard(id_)


def _same(kept: dict[str, Any] | None, held: Held) -> bool:
    return kept is not None and kept["profile"] is held.profile and (kept["updated"], kept["dead"]) == (held.updated, held.dead)


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """Install the profiles that were kept; a TxProfile lasts no longer than its transaction."""
    cut = {evse.interrupted.transaction.id for evse in charger.evses.values() if evse.interrupted is not None}
    for name, row in kept.items():
        id_ = int(name.removeprefix(NAME))
        charger.profiles.kept.add(id_)
        if row["profile"].get("transactionId") in {None, *cut}:
            charger.profiles.held[id_] = Held(row["profile"], row["evse"], row["updated"], row["source"], dead=row["dead"])
