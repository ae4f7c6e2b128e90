"""What the station may decide about a token without the CSMS (block D, C10 to C16): local authorization list and authorization cache."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.known_tokens import BYTES_MAXIMUM, ITEMS_MAXIMUM, LIST_MAXIMUM, group_of, name_of, of_csms
from ocpp_bridge.model.variables import BOOLEAN, FLAG, NUMBER, OPTION, WHOLE, Row
from ocpp_bridge.wire.schemas import Payload


def known(charger: Charger, token: Payload, now: float) -> Payload | None:
    """What is known here of a token, as an AuthorizeResponse: from the list, else from the cache; None: nothing that still holds."""
    wall = charger.wall(now)
    if charger.variables.yes("LocalAuthListCtrlr.Enabled") and (info := charger.local_list.find(token, wall)) is not None:
        return {"idTokenInfo": info}
    if not charger.variables.yes("AuthCacheCtrlr.Enabled"):
        return None
    return charger.cache.find(token, wall, charger.variables.number("AuthCacheCtrlr.LifeTime"))


def said_before(charger: Charger, token: Payload, now: float) -> Payload | None:
    """What decides about a token without asking a CSMS that is there; None: it must be asked.

    A token that may charge charges where `LocalPreAuthorize` says so; one that may not is refused where the list or the cache that knows it
    has `DisablePostAuthorize`.
    """
    wall = charger.wall(now)
    listed = charger.variables.yes("LocalAuthListCtrlr.Enabled") and charger.local_list.find(token, wall) is not None
    response = known(charger, token, now)
    if response is None:
        return None
    if response["idTokenInfo"]["status"] == "Accepted":
        may = charger.variables.yes("AuthCtrlr.LocalPreAuthorize")
    else:
        may = charger.variables.yes("LocalAuthListCtrlr.DisablePostAuthorize" if listed else "AuthCacheCtrlr.DisablePostAuthorize")
    if may and not listed and (name := charger.cache.use(token, wall)):
        charger.keep(f"cache/{name}", charger.cache.entries[name])
    return response if may else None


def remember(charger: Charger, token: Payload, response: Payload, now: float) -> None:
    """Keep what the CSMS answered about a token in the cache, for times without connection: its verdict, and what it allows."""
    if not charger.variables.yes("AuthCacheCtrlr.Enabled") or of_csms(token):
        return
    for name in charger.cache.put(token, response, charger.wall(now)):
        charger.keep(f"cache/{name}", None)
    name = name_of(token)
    charger.keep(f"cache/{name}", charger.cache.entries[name])


def master(charger: Charger, response: Payload) -> bool:
    """Whether the token of an AuthorizeResponse is one of the group that may end every transaction and begin none (C16)."""
    group = charger.variables["AuthCtrlr.MasterPassGroupId"].lower()
    return bool(group) and group_of(response["idTokenInfo"]).partition(":")[2] == group


def clear_cache(charger: Charger, payload: Payload, now: float) -> Payload:
    """ClearCache: forget every verdict about a token that was kept."""
    if not charger.variables.yes("AuthCacheCtrlr.Enabled"):
        return no("NotEnabled", "AuthCacheCtrlr.Enabled is false")
    for name in charger.cache.entries:
        charger.keep(f"cache/{name}", None)
    charger.cache.entries.clear()
    return {"status": "Accepted"}


def send_local_list(charger: Charger, payload: Payload, now: float) -> Payload:
    """SendLocalList (D01): replace the list, or change some of its tokens."""
    if not charger.variables.yes("LocalAuthListCtrlr.Enabled"):
        return no("NotEnabled", "LocalAuthListCtrlr.Enabled is false", status="Failed")
    update = payload["versionNumber"], payload["updateType"], payload.get("localAuthorizationList", [])
    if (why := charger.local_list.objection(*update)) is not None:
        return no(why[1], why[2], status=why[0])
    for name in charger.local_list.update(*update):
        charger.keep(f"locallist/token/{name}", charger.local_list.entries.get(name))
    charger.keep("locallist/version", charger.local_list.number)
    charger.variables["LocalAuthListCtrlr.Entries"] = str(len(charger.local_list.entries))
    return {"status": "Accepted"}


def local_list_version(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetLocalListVersion (D02): the version of the list; 0 where there is none or it is not used."""
    return {"versionNumber": charger.local_list.number if charger.variables.yes("LocalAuthListCtrlr.Enabled") else 0}


def _restore_cache(charger: Charger, kept: Mapping[str, Any]) -> None:
    entries = {name.partition("/")[2]: entry for name, entry in kept.items()}
    charger.cache.entries = dict(sorted(entries.items(), key=lambda item: float(item[1]["used"])))


def _restore_list(charger: Charger, kept: Mapping[str, Any]) -> None:
    charger.local_list.number = kept.get("locallist/version", 0)
    charger.local_list.entries = {
        name.removeprefix("locallist/token/"): entry for name, entry in kept.items() if name.startswith("locallist/token/")
    }
    charger.variables["LocalAuthListCtrlr.Entries"] = str(len(charger.local_list.entries))


CACHE: Final = Block(
    requests={"ClearCache": clear_cache},
    keeps="cache",
    restore=_restore_cache,
    variables=(
        Row("AuthCtrlr", "LocalPreAuthorize", "false", FLAG, BOOLEAN, required="C12, C14"),
        Row("AuthCtrlr", "MasterPassGroupId", "", "string", r".{0,255}"),
        Row("AuthCacheCtrlr", "LifeTime", "0", NUMBER, WHOLE, unit="s"),  # since the CSMS spoke of a token; 0: for ever
        Row("AuthCacheCtrlr", "Policy", "LRU", OPTION, values=("LRU",)),
        Row("AuthCacheCtrlr", "DisablePostAuthorize", "false", FLAG, BOOLEAN),
    ),
)
BLOCK: Final = Block(
    requests={"SendLocalList": send_local_list, "GetLocalListVersion": local_list_version},
    keeps="locallist",
    restore=_restore_list,
    variables=(
        Row("LocalAuthListCtrlr", "Available", "true", FLAG),
        Row("LocalAuthListCtrlr", "Enabled", "true", FLAG, BOOLEAN),
        Row("LocalAuthListCtrlr", "Entries", "0", NUMBER, high=LIST_MAXIMUM, required="D01"),
        Row("LocalAuthListCtrlr", "ItemsPerMessage", str(ITEMS_MAXIMUM), NUMBER, required="D01"),
        Row("LocalAuthListCtrlr", "BytesPerMessage", str(BYTES_MAXIMUM), NUMBER, required="D01"),
        Row("LocalAuthListCtrlr", "DisablePostAuthorize", "false", FLAG, BOOLEAN),
        Row("LocalAuthListCtrlr", "SupportsExpiryDateTime", "true", FLAG),
    ),
)
