"""Network connection profiles (B09, B10) and upgrades of the security profile (A05): set here, used by the shell after the next reset."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.networks import Held
from ocpp_bridge.model.safe import CSMS_ROOT
from ocpp_bridge.model.variables import FLAG, NUMBER, ORDERED, Key, Row
from ocpp_bridge.wire.schemas import Payload

PRIORITY: Final[Key] = ("OCPPCommCtrlr", "NetworkConfigurationPriority", "", 0)


def held(charger: Charger) -> Held:
    """What the station has to prove itself with, and the CSMS by."""
    own = any(chain.type == "ChargingStationCertificate" for chain in charger.safe.holdings.chains)
    trusts = bool(charger.safe.roots(CSMS_ROOT)) or charger.safe.system_roots
    return Held(charger.safe.password, trusts, own or charger.safe.certified)


def set_profile(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetNetworkProfile: keep a profile in its slot. It is used once NetworkConfigurationPriority names it and the station is reset."""
    slot, data = payload["configurationSlot"], payload["connectionData"]
    if (refused := charger.safe.networks.objection(slot, data, held(charger))) is not None:
        return no(*refused)
    charger.safe.networks.slots[slot] = data
    charger.keep(f"network/{slot}", data)
    charger.note(f"the CSMS has set network profile {slot}: {data['ocppCsmsUrl']}, security profile {data['securityProfile']}")
    return {"status": "Accepted"}


def order_of(text: str) -> tuple[int, ...]:
    """The slots of a NetworkConfigurationPriority, in order."""
    return tuple(int(slot) for slot in text.split(",") if slot)


def _guard(charger: Charger, value: str) -> tuple[str, str] | None:
    return charger.safe.networks.disorder(order_of(value), held(charger))


def connected(charger: Charger, profile: int) -> None:
    """Note that the present slot works, by a security profile: it is the active one, and what lies below it is not tried again."""
    networks = charger.safe.networks
    before = networks.worked, networks.reached
    if networks.succeeded(profile):
        order = ",".join(map(str, networks.order))
        charger.note(f"the station has connected by security profile {profile}; network profiles below it are left (order {order})")
        charger.variables[PRIORITY] = order
        name, value = charger.variables.kept(PRIORITY)
        charger.keep(name, value)
    charger.variables["OCPPCommCtrlr.ActiveNetworkProfile"] = str(networks.present)
    charger.variables["SecurityCtrlr.SecurityProfile"] = str(profile)
    if before != (networks.worked, networks.reached):
        charger.keep("network/worked", [networks.worked, networks.reached])


def _begin(charger: Charger) -> None:
    charger.variables.guards[PRIORITY] = partial(_guard, charger)


def _changed(charger: Charger, key: Key, now: float) -> None:
    """An order that a reset, or a restart, has put into use."""
    if key == PRIORITY and PRIORITY not in charger.variables.pending:
        charger.safe.networks.begin(order_of(charger.variables[PRIORITY]))


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    for name, value in kept.items():
        if name == "network/worked":
            charger.safe.networks.worked, charger.safe.networks.reached = value
        else:
            charger.safe.networks.slots[int(name.partition("/")[2])] = value
    if charger.safe.networks.worked not in (1, *charger.safe.networks.slots):
        charger.safe.networks.worked = 1


BLOCK: Final = Block(
    requests={"SetNetworkProfile": set_profile},
    keeps="network",
    restore=_restore,
    variables=(
        Row("OCPPCommCtrlr", "NetworkConfigurationPriority", "1", ORDERED, r"[1-9](,[1-9]){0,8}", values=("1", "2", "3", "4", "5"),
            reboot=True, required="B10"),
        Row("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", "3", NUMBER, r"[1-9][0-9]?", low=1, required="B10"),
        Row("OCPPCommCtrlr", "ActiveNetworkProfile", "1", NUMBER),
        Row("SecurityCtrlr", "SecurityProfile", "1", NUMBER, required="A05"),
        Row("SecurityCtrlr", "AllowSecurityProfileDowngrade", "false", FLAG),
    ),
    changed=_changed,
    begin=_begin,
)  # fmt: skip
