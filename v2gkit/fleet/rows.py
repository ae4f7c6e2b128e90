"""What is kept of decisions, orders and signals: from values to rows of the store (pure; it needs no library of the store)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import msgspec

from v2gkit.fleet.arms.verbs import Order
from v2gkit.fleet.decision import Car, Decision
from v2gkit.fleet.declared import CLASSES, Asset, Fleet
from v2gkit.grid.lines import Line
from v2gkit.sql.words import Row

ADDED: Final = "added"  # the kind of a row of what was declared by the REST, not by the file


def decision_rows(decision: Decision, orders: Iterable[tuple[Asset, Order]], at: float) -> list[Row]:
    """The rows of a decision before anybody is told: itself, and its orders as open."""
    question, id_ = decision.question, decision.id
    tenant = question.tenant
    about = {"tenant": tenant, "id": id_, "site": question.site.id, "at": question.at}
    rows = [Row("decisions", about | {"cause": decision.cause, "doc": decision.octets.decode()})]
    rows += [
        Row(
            "orders",
            {
                "tenant": tenant, "asset": asset.id, "id": order.id, "decision": id_, "state": "open", "said": "",
                "power": order.power, "safe": order.safe, "lasts": order.lasts, "sent": at,
            },
        )
        for asset, order in orders
    ]  # fmt: skip
    return rows


def shed_rows(decision: Decision) -> list[Row]:
    """Who has less than it wanted: what the decision says as well, for those who ask without reading it."""
    question = decision.question
    told = {"tenant": question.tenant, "decision": decision.id, "site": question.site.id, "at": question.at}
    return [Row("shed", told | msgspec.structs.asdict(each)) for each in decision.answer.shed]


def answer_row(tenant: str, asset: Asset, order: Order, state: str, said: str, at: float) -> Row:
    """What became of an order at `at` (epoch s)."""
    return Row("orders", {"tenant": tenant, "asset": asset.id, "id": order.id, "state": state, "said": said[:500], "answered": at})


def signal_row(line: Line) -> Row | None:
    """The row of a signal in a line of a book; None for a line of something else."""
    said = line.get("signal")
    if said is None:
        return None
    start, seconds, _ = said["steps"][0] if said["steps"] else (0.0, 0.0, None)
    last = said["steps"][-1] if said["steps"] else (start, seconds, None)
    known = {name: said[name] for name in ("tenant", "id", "version", "protocol", "kind", "received", "acknowledged")}
    known |= {"source": line["source"], "fate": line["what"] if line["what"] in ("expired", "withdrawn") else said["fate"]}
    until = last[0] + last[1] if line["what"] != "withdrawn" else min(last[0] + last[1], max(line["at"], start))
    known |= {"by": ", ".join(said["by"]), "start": start, "until": until, "doc": msgspec.json.encode(said["steps"]).decode()}
    return Row("signals", known)


def telemetry(at: float, cars: Iterable[Car]) -> bytes:
    """What the cars of a site draw at `at` (epoch s), as one record of the log: W by asset."""
    return msgspec.json.encode({"at": at, "power": {car.asset: car.drawn for car in cars}})


def declared_rows(fleet: Fleet, at: float) -> list[Row]:
    """All that is declared, a row for each thing."""
    rows = []
    for kind in CLASSES:
        for each in getattr(fleet, kind):
            tenant = each.id if kind == "tenant" else fleet.tenant_of(each) if kind == "asset" else each.tenant
            known = {"tenant": tenant, "kind": kind, "id": each.id, "doc": msgspec.json.encode(each).decode(), "at": at, "gone": 0}
            rows.append(Row("declared", known))
    return rows


def added_row(asset: Asset, tenant: str, at: float, gone: bool = False) -> Row:
    """The row of an asset that was added by the REST, or taken away again."""
    known = {"tenant": tenant, "kind": ADDED, "id": asset.id, "doc": msgspec.json.encode(asset).decode(), "at": at, "gone": int(gone)}
    return Row("declared", known)


def with_added(fleet: Fleet, rows: Iterable[Any]) -> tuple[Fleet, list[str]]:
    """A fleet with the assets of rows that its file does not have, and what is wrong with those that do not fit any more."""
    faults = []
    for row in rows:
        try:
            asset = msgspec.json.decode(row["doc"], type=Asset)
            if fleet.sites.get(asset.site) is None or fleet.sites[asset.site].tenant != row["tenant"]:
                raise ValueError(f"there is no site {asset.site!r} of {row['tenant']}")
            fleet = replace(fleet, asset=(*fleet.asset, asset))
        except ValueError as error:
            faults.append(f"the asset {row['id']!r} that was added by REST: {error}")
    return fleet, faults


def fleet_of(rows: Iterable[Any]) -> Fleet:
    """The fleet of rows with kind, doc and gone. ValueError for what was declared otherwise than it may be."""
    found: dict[str, list[Any]] = {kind: [] for kind in CLASSES}
    for row in rows:
        if not row["gone"]:
            found[row["kind"]].append(msgspec.json.decode(row["doc"], type=CLASSES[row["kind"]]))
    return Fleet(**{kind: tuple(each) for kind, each in found.items()})
