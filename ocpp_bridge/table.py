"""The functional blocks of OCPP that this station has, and their tables as one. A new block is a line here."""

from collections.abc import Mapping
from typing import Final, TypeVar

from ocpp_bridge.block import Answer, Block, Failure, Request
from ocpp_bridge.blocks import (
    arrivals,
    authorization,
    availability,
    certificates,
    cost,
    customer,
    der,
    diagnostics,
    display,
    elsewhere,
    extension,
    fares,
    firmware,
    installed,
    limits,
    local_authorization,
    metering,
    monitoring,
    networks,
    payments,
    provisioning,
    remote,
    reservation,
    resets,
    resumption,
    signing,
    streams,
    transactions,
    vehicles,
)
from ocpp_bridge.charger import Charger
from ocpp_bridge.smart import requests as smart_charging
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import Payload

BLOCKS: Final[tuple[Block, ...]] = (
    provisioning.BLOCK,  # B
    resets.BLOCK,  # B
    authorization.BLOCK,  # C
    payments.BLOCK,  # C18 to C25
    local_authorization.CACHE,  # C10 to C12
    local_authorization.BLOCK,  # D
    transactions.BLOCK,  # E
    resumption.BLOCK,  # E, over a restart: before the profiles, which last no longer than it
    remote.BLOCK,  # F
    availability.BLOCK,  # G
    arrivals.BLOCK,  # G
    reservation.BLOCK,  # H
    cost.BLOCK,  # I
    cost.ACCOUNTS,
    fares.BLOCK,  # I01 to I06
    limits.BLOCK,  # E16
    metering.BLOCK,  # J
    smart_charging.BLOCK,  # K
    certificates.BLOCK,  # M
    installed.BLOCK,  # M
    signing.BLOCK,  # A
    vehicles.BLOCK,  # M
    customer.BLOCK,  # N09, N10
    firmware.BLOCK,  # L
    diagnostics.BLOCK,  # N01
    display.BLOCK,  # O
    networks.BLOCK,  # A, B
    monitoring.BLOCK,  # N
    streams.BLOCK,  # N
    extension.BLOCK,  # P
    der.BLOCK,  # R
    elsewhere.BLOCK,  # L03, L04, S
)


T = TypeVar("T")


def _merged(tables: list[Mapping[str, T]]) -> dict[str, T]:
    merged: dict[str, T] = {}
    for table in tables:
        assert not merged.keys() & table.keys(), f"two blocks have {merged.keys() & table.keys()}"
        merged |= table
    return merged


REQUESTS: Final[dict[str, Request]] = _merged([block.requests for block in BLOCKS])
ANSWERS: Final[dict[str, Answer]] = _merged([block.answers for block in BLOCKS])
FAILURES: Final[dict[str, Failure]] = _merged([block.failures for block in BLOCKS])


def answer(charger: Charger, action: str, payload: Payload, now: float) -> Payload:
    """The result of a CALL of the CSMS, by the function of its action. Raises `Refusal`, also for unusable numbers and times."""
    if charger.boot.status == "Rejected":
        raise Refusal("SecurityError", "the station is not accepted")
    try:
        return REQUESTS[action](charger, payload, now)
    except (ValueError, OverflowError) as error:
        raise Refusal("PropertyConstraintViolation", str(error)) from None
    finally:
        settle(charger, now)


def declare(charger: Charger) -> None:
    """Give a station the variables of all blocks, and let each fill in what it knows."""
    for block in BLOCKS:
        charger.variables.declare(block.variables)
        charger.triggers |= block.triggers
        block.begin(charger)


def settle(charger: Charger, now: float) -> None:
    """Let the blocks act on the variables that have been set, each once."""
    keys, charger.variables.written = dict.fromkeys(charger.variables.written), []
    for key in keys:
        for block in BLOCKS:
            block.changed(charger, key, now)
