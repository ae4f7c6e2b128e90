"""What the station knows of a customer (N09, N10): told to the CSMS in pages, and forgotten where it asks for that.

By a token the station knows its entries in the authorization cache and on the local list, and whether it charges here or has reserved. It
keeps no certificates and no other names of customers: by these nothing is found, and nothing is left to be forgotten. The local list is the
CSMS's own and is changed by SendLocalList, a transaction that runs needs its token to its end.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.known_tokens import name_of
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp

PAGE: Final = 512  # characters in one NotifyCustomerInformation
NAMES: Final = ("idToken", "customerCertificate", "customerIdentifier")


def information(charger: Charger, payload: Payload, now: float) -> Payload:
    """CustomerInformation: report what is known of one customer, forget it, or both."""
    named = [name for name in NAMES if name in payload]
    if len(named) != 1:
        return no("InvalidValue", f"a customer is named by one of {', '.join(NAMES)}; here are {len(named)}", status="Invalid")
    if not payload["report"] and not payload["clear"]:
        return no("InvalidValue", "neither a report is asked for nor that anything be forgotten")
    token = payload.get("idToken")
    if payload["report"]:
        _report(charger, payload["requestId"], dict(_known(charger, token)) if token is not None else {}, now)
    if payload["clear"] and token is not None and charger.cache.entries.pop(name_of(token), None) is not None:
        charger.keep(f"cache/{name_of(token)}", None)
    return {"status": "Accepted"}


def _known(charger: Charger, token: Payload) -> Iterator[tuple[str, Any]]:
    name = name_of(token)
    if (entry := charger.cache.entries.get(name)) is not None:
        yield "cache", entry | {"used": timestamp(entry["used"])}
    if (listed := charger.local_list.entries.get(name)) is not None:
        yield "localAuthorizationList", listed
    here = [evse for evse in charger.evses.values() if evse.session and evse.session.token and name_of(evse.session.token) == name]
    if here:
        yield "transactions", [{"evseId": evse.id, "transactionId": evse.transaction.id} for evse in here if evse.transaction is not None]
    if mine := [each.id for each in charger.reservations.held.values() if each.token == name]:
        yield "reservations", mine


def _report(charger: Charger, request: int, found: dict[str, Any], now: float) -> None:
    text = json.dumps(found) if found else "nothing is known of this customer"
    pages = [text[first : first + PAGE] for first in range(0, len(text), PAGE)]  # an entry has two messages at most: 10 pages
    for number, page in enumerate(pages):
        data = {"requestId": request, "seqNo": number, "tbc": number < len(pages) - 1, "data": page}
        data["generatedAt"] = timestamp(charger.wall(now))
        charger.call("NotifyCustomerInformation", data, solicited=True)


BLOCK: Final = Block(requests={"CustomerInformation": information})
