"""Transactions over a restart of the process: each is kept with the number of its next event and its last register.

After the restart a transaction goes on where its car is still there: by the cable (its pilot), or by a session of the same car, told by its
EVCCID. It bears the same id, and the next number (trigger TxResumed). Where the cable is out, another car comes, or nobody within
`TxCtrlr.ResumptionTimeout`, it ends with PowerLoss at the time of its last register.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ocpp_bridge.block import Block
from ocpp_bridge.blocks import transactions
from ocpp_bridge.blocks.availability import tell_status
from ocpp_bridge.charger import Charger, Evse, Interrupted, Transaction
from ocpp_bridge.model.measurands import Sample
from ocpp_bridge.model.variables import NUMBER, WHOLE, Row
from secc.station import MeterReading
from v2g.services import SERVICES

NAME: Final = "transaction/"
OLDEST: Final = 10.0  # s that the kept register may be behind the meter: a commit a second for each car would wear out a flash disk
FIELDS: Final = (
    *("id", "started", "seq", "first", "metered", "state", "remote_start_id", "stopping", "stop_trigger", "mode", "cost"),
    *("unpaid", "spent"),  # which a file of an older version has not
)
OUTLIVES: Final = frozenset({"EVConnected", "Authorized"})  # conditions of TxStopPoint: the contactor is open after a restart


def save(charger: Charger, now: float) -> None:
    """Keep the transactions as they are, and forget those that are over."""
    for evse in charger.evses.values():
        name, tx = f"{NAME}{evse.id}", evse.transaction
        if tx is None:
            if evse.interrupted is None and name in charger.kept:
                charger.keep(name, None)
            continue
        tx.evccid = evse.session.evccid if evse.session is not None else tx.evccid
        row = _row(evse, tx)
        if row != _but_its_register(charger.kept.get(name), row):
            charger.keep(name, row)


def _row(evse: Evse, tx: Transaction) -> dict[str, Any]:
    reading = (evse.sample.reading if tx.metered else None) or tx.register
    said = (
        None
        if reading is None
        else {"meter_id": reading.meter_id, "imported": reading.imported, "exported": reading.exported, "at": reading.at}
    )
    allowed = None if evse.allowed is None else list(evse.allowed)
    row = {name: getattr(tx, name) for name in FIELDS}
    return row | {
        "evccid": tx.evccid,
        "allowed": allowed,
        "conditions": sorted(evse.conditions & OUTLIVES),
        "reading": said,
    }


def _but_its_register(kept: dict[str, Any] | None, row: dict[str, Any]) -> dict[str, Any] | None:
    """A kept row with the register of the present one, where its own is not too old."""
    if kept is None or kept["reading"] is None or row["reading"] is None:
        return kept
    return kept | {"reading": row["reading"]} if row["reading"]["at"] - kept["reading"]["at"] < OLDEST else kept


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """Take back the transactions that the end of the process cut off: they wait for their cars."""
    for name, row in kept.items():
        evse = charger.evses.get(int(name.removeprefix(NAME)))
        tx = Transaction(**{name: row[name] for name in FIELDS if name in row}, evccid=row["evccid"])
        reading = None if row["reading"] is None else MeterReading(**row["reading"])
        allowed = None if row["allowed"] is None else tuple(service for service in row["allowed"] if service in SERVICES)
        cut = Interrupted(tx, frozenset(row["conditions"]), allowed, reading)
        if evse is not None:
            evse.interrupted = cut
        else:  # the station has fewer outlets than before
            charger.keep(name, None)
            charger.note(f"the transaction {tx.id} ran at an EVSE that is not there any more, and cannot be ended at the CSMS")


def go_on(charger: Charger, evse: Evse, now: float) -> None:
    """Go on with a transaction that was cut off, because its car is still there."""
    cut, evse.interrupted = evse.interrupted, None
    if cut is None or evse.transaction is not None:
        return
    evse.transaction, evse.allowed = replace(cut.transaction, register=cut.reading, resumed=True), cut.allowed
    evse.conditions |= cut.conditions | {"EVConnected"}
    charger.note(f"EVSE {evse.id}: the transaction {cut.transaction.id} goes on after a restart")
    transactions.resume(charger, evse, now)
    tell_status(charger, evse, "Occupied", now)


def give_up(charger: Charger, evse: Evse, now: float) -> None:
    """End a transaction that was cut off, with its last register and the time of it: its car is not there any more."""
    cut, evse.interrupted = evse.interrupted, None
    if cut is None:
        return
    wall = charger.wall(now) if cut.reading is None else min(cut.reading.at, charger.wall(now))
    present = evse.transaction, evse.sample, evse.sample_due
    evse.transaction, evse.sample = cut.transaction, Sample(cut.reading)
    transactions.event(
        charger, evse, "Ended", "AbnormalCondition", now, context="Transaction.End", info={"stoppedReason": "PowerLoss"}, wall=wall
    )
    evse.transaction, evse.sample, evse.sample_due = present
    if evse.account is not None and evse.account.transaction == cut.transaction.id:
        evse.account = None  # the next transaction has one of its own
    charger.forget_profiles(cut.transaction.id)


def met(charger: Charger, evse: Evse, evccid: str, now: float, *, resumed: bool) -> None:
    """Note that a session begins at an EVSE: of the car whose transaction was cut off, or of another."""
    tx = evse.transaction
    if evse.interrupted is not None:
        (go_on if resumed or evccid == evse.interrupted.transaction.evccid else give_up)(charger, evse, now)
    elif tx is not None and tx.resumed and tx.evccid and evccid != tx.evccid and not resumed:  # the cable was there, the car is another
        evse.interrupted, evse.transaction = Interrupted(tx, frozenset(), None, tx.register), None
        evse.conditions.clear()
        give_up(charger, evse, now)


def due(charger: Charger) -> float | None:
    """The moment (monotonic s) at which nobody is waited for any more."""
    waits = [0.0 if cut.until is None else cut.until for evse in charger.evses.values() if (cut := evse.interrupted) is not None]
    return min(waits, default=None)


def tick(charger: Charger, now: float) -> None:
    """Begin to wait for cars, and cease to."""
    for evse in charger.evses.values():
        cut = evse.interrupted
        if cut is None:
            continue
        if cut.until is None:
            evse.interrupted = replace(cut, until=now + charger.variables.number("TxCtrlr.ResumptionTimeout"))
        elif now >= cut.until:
            give_up(charger, evse, now)


VARIABLES: Final = (Row("TxCtrlr", "ResumptionTimeout", "900", NUMBER, WHOLE, unit="s"),)
BLOCK: Final = Block(due=due, tick=tick, save=save, keeps=NAME.rstrip("/"), restore=restore, variables=VARIABLES)
