"""The OpenAPI description of the REST, made from its declarations (pure)."""

from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Double, Integer

from v2gkit.csms.rest.declared import (
    BASE,
    COMMANDS,
    LISTINGS,
    LONGEST_PAGE,
    PAGE,
    PAYLOADS,
    Answer,
    Command,
    Fault,
    Listing,
    Setpoint,
    Start,
    Stop,
)  # fmt: skip
from v2gkit.csms.store.tables import METADATA

Said = dict[str, Any]
FAULTS: Final = {
    "400": "the request cannot be read",
    "401": "no token, or one that nobody has",
    "403": "the role of the token does not suffice",
    "404": "no such thing",
    "409": "the station is not connected, or has nothing that could be steered",
    "413": "the body is too long",
    "422": "the payload breaks its schema",
    "502": "the station answered with an error",
    "503": "too many ask, or the store does not answer",
    "504": "the station did not answer in time",
}
READING: Final = ("400", "401", "403", "404", "503")


def description(version: str) -> Said:
    """The whole description, OpenAPI 3.1."""
    _, schemas = msgspec.json.schema_components((Start, Stop, Setpoint, Answer, Fault), ref_template="#/components/schemas/{name}")
    paths: dict[str, Said] = {}
    for listing in LISTINGS:
        schemas[_row_name(listing.table)] = _row(listing.table)
        paths.setdefault(BASE + listing.path, {})["get"] = _listing(listing)
    for command in COMMANDS:
        paths.setdefault(BASE + command.path, {})["post"] = _command(command)
    for path, what in (("/stream", "what happens, as server-sent events"), ("/fleet", "stations and transactions as they are now")):
        answer = {"200": {"description": what, "content": {"text/event-stream" if path == "/stream" else "application/json": {}}}}
        paths[BASE + path] = {"get": {"summary": what, "operationId": path[1:], "responses": answer | _faults(("401", "403", "503"))}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "v2g csms", "version": version, "description": "Times are epoch s, energies Wh, powers W with + into the car."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _row_name(table: str) -> str:
    return "".join(part.title() for part in table.split("_")).removesuffix("s")


def _row(table: str) -> Said:
    kinds = {BigInteger: "integer", Integer: "integer", Double: "number"}
    columns = METADATA.tables[table].columns
    said: dict[str, Said] = {}
    for column in columns:
        kind = next((name for sort, name in kinds.items() if isinstance(column.type, sort)), "string")
        said[column.name] = {"type": ["object", "null"]} if column.name in PAYLOADS else {"type": [kind, "null"]}
    if table == "stations":
        said["connected"] = {"type": "boolean"}
    return {"type": "object", "properties": said}


def _parameter(name: str, where: str, kind: str, what: str) -> Said:
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": kind}, "description": what}


def _in_path(path: str) -> list[Said]:
    said = {"station": "station id", "transaction": "transaction id", "action": "action of OCPP, as SetChargingProfile"}
    return [_parameter(name, "path", "string", what) for name, what in said.items() if f"{{{name}}}" in path]


def _listing(listing: Listing) -> Said:
    parameters = _in_path(listing.path) + [_parameter(name, "query", "string", f"rows with this {name}") for name in listing.filters]
    if listing.times is not None:
        bounds = (("since", "from this time on (epoch s)"), ("until", "before this time (epoch s)"))
        parameters += [_parameter(name, "query", "number", what) for name, what in bounds]
    if listing.table == "transactions":
        parameters.append(_parameter("running", "query", "boolean", "those that run, or those that ended"))
    parameters += [
        _parameter("limit", "query", "integer", f"rows of a page, up to {LONGEST_PAGE} (default: {PAGE})"),
        _parameter("after", "query", "string", "`next` of the page before"),
        _parameter("newest", "query", "boolean", "the newest first"),
    ]
    rows = {"type": "array", "items": {"$ref": f"#/components/schemas/{_row_name(listing.table)}"}}
    page = {"type": "object", "required": ["rows", "next"], "properties": {"rows": rows, "next": {"type": ["string", "null"]}}}
    answer = {"200": {"description": "a page", "content": {"application/json": {"schema": page}}}}
    return {
        "summary": listing.what,
        "description": f"Wants the role {listing.role}.",
        "operationId": "list" + listing.path.replace("/", "_").replace("{", "").replace("}", ""),
        "parameters": parameters,
        "responses": answer | _faults(READING),
    }


def _command(command: Command) -> Said:
    schema: Said = {"type": "object"} if command.body is None else {"$ref": f"#/components/schemas/{command.body.__name__}"}
    answer = {"200": {"description": "the station's answer", "content": {"application/json": {"schema": _named("Answer")}}}}
    return {
        "summary": command.what,
        "description": "Wants the role operate.",
        "operationId": "do" + command.path.replace("/", "_").replace("{", "").replace("}", ""),
        "parameters": _in_path(command.path),
        "requestBody": {"required": command.body is not Stop, "content": {"application/json": {"schema": schema}}},
        "responses": answer | _faults(tuple(FAULTS)),
    }


def _named(name: str) -> Said:
    return {"$ref": f"#/components/schemas/{name}"}


def _faults(codes: tuple[str, ...]) -> Said:
    return {code: {"description": FAULTS[code], "content": {"application/json": {"schema": _named("Fault")}}} for code in codes}
