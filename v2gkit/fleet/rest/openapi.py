"""The OpenAPI description of the REST, made from its declarations (pure)."""

from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Double, Integer

from v2gkit.fleet.rest.declared import BASE, LISTINGS, LONGEST_PAGE, PAGE, PAYLOADS, VERBS, Fault, Listing, Verb
from v2gkit.fleet.store.tables import METADATA

Said = dict[str, Any]
FAULTS: Final = {
    "400": "the request cannot be read",
    "401": "no key, or one that nobody has",
    "403": "the role of the key does not suffice",
    "404": "no such thing of this tenant",
    "409": "it is not so that this can be done now",
    "413": "the body is too long",
    "429": "this key asks too often",
    "503": "too many ask, or the store does not answer",
}


def description(version: str) -> Said:
    """The whole description, OpenAPI 3.1."""
    kinds = (*(verb.body for verb in VERBS if verb.body is not None), Fault)
    _, made = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schemas: Said = msgspec.json.decode(msgspec.json.encode(made))  # a default may be a tuple
    paths: dict[str, Said] = {}
    for listing in LISTINGS:
        schemas[_named(listing.table)] = _row(listing)
        paths.setdefault(BASE + listing.path, {})["get"] = _listing(listing)
    for verb in VERBS:
        paths.setdefault(BASE + verb.path, {})[verb.method.lower()] = _verb(verb)
    said = "Times are epoch s, energies Wh, powers W with + into the car. Everything is of the tenant whose key is given."
    return {
        "openapi": "3.1.0",
        "info": {"title": "v2g fleet", "version": version, "description": said},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
    }


def _named(table: str) -> str:
    return "Row" + table.title()


def _row(listing: Listing) -> Said:
    kinds = {BigInteger: "integer", Integer: "integer", Double: "number"}
    said: dict[str, Said] = {}
    for column in METADATA.tables[listing.table].columns:
        if column.name == "tenant" or (listing.columns and column.name not in listing.columns):
            continue
        kind = next((name for sort, name in kinds.items() if isinstance(column.type, sort)), "string")
        said[column.name] = {} if column.name in PAYLOADS else {"type": [kind, "null"]}
    return {"type": "object", "properties": said}


def _listing(listing: Listing) -> Said:
    parameters = [_parameter(name, "query", "string", f"rows with this {name}") for name in listing.filters]
    if listing.times is not None:
        bounds = (("since", "from this time on (epoch s)"), ("until", "before this time (epoch s)"))
        parameters += [_parameter(name, "query", "number", what) for name, what in bounds]
    parameters += [
        _parameter("limit", "query", "integer", f"rows of a page, up to {LONGEST_PAGE} (default: {PAGE})"),
        _parameter("after", "query", "string", "`next` of the page before"),
        _parameter("newest", "query", "boolean", "the newest first"),
    ]
    rows = {"type": "array", "items": {"$ref": f"#/components/schemas/{_named(listing.table)}"}}
    page = {"type": "object", "required": ["rows", "next"], "properties": {"rows": rows, "next": {"type": ["string", "null"]}}}
    return _operation(f"list_{listing.table}", listing.what, listing.role, page, parameters)


def _verb(verb: Verb) -> Said:
    name = verb.method.lower() + verb.path.replace("/", "_").replace("{", "").replace("}", "")
    parameters = [_parameter("id", "path", "string", "its id")] if "{id}" in verb.path else []
    said = _operation(name, verb.what, verb.role, {"type": "object"}, parameters)
    if verb.body is not None:
        schema = {"$ref": f"#/components/schemas/{verb.body.__name__}"}
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return said


def _operation(name: str, what: str, role: str, schema: Said, parameters: list[Said]) -> Said:
    fault = {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}
    answers: Said = {"200": {"description": what, "content": {"application/json": {"schema": schema}}}}
    answers |= {code: {"description": text, "content": fault} for code, text in FAULTS.items()}
    return {"summary": what, "description": f"Wants the role {role}.", "operationId": name, "parameters": parameters, "responses": answers}


def _parameter(name: str, where: str, kind: str, what: str) -> Said:
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": kind}, "description": what}
