"""Messages as lines of JSON, many at once: each line is a request and gets one answer, whatever it holds."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from v2g.exi.errors import ExiError
from v2g.messages import MODULES
from v2gkit.insight.exi_reading import MODES, Question, answer, documents
from v2gkit.insight.exi_writing import octets_of_xml


def answer_line(line: bytes, answer: Callable[[dict[str, Any]], Mapping[str, Any]]) -> dict[str, Any]:
    """The answer to one line, with the "id" of its request; an "error" where it is no request or holds no message."""
    identity = None
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise ExiError("a JSON object is expected")
        identity = request.get("id")
        return {"id": identity, **answer(request)}
    except (ExiError, ValueError, RecursionError) as error:
        return {"id": identity, "error": str(error)}


def decode_request(request: dict[str, Any], asked: Question, *, as_json: bool) -> dict[str, Any]:
    """What "exi" says: "root", "xml" (or "message"), what was guessed and tolerated. A request may say set, fragment and mode for itself.

    Raises ExiError.
    """
    found = documents(_text(request, "exi").encode(errors="replace"))
    if len(found) != 1:
        raise ExiError(f"{len(found)} messages; give one in each line")
    mode = request.get("mode", asked.mode)
    if mode not in MODES:
        raise ExiError(f"no mode {mode!r}; there are {', '.join(MODES)}")
    name = _set(request) or asked.set
    told = answer(found[0], replace(asked, set=name, fragment=bool(request.get("fragment", asked.fragment)), mode=mode))
    extra: dict[str, Any] = {} if name else {"set": told.set, "sure": told.sure}
    if told.findings:
        extra["findings"] = told.findings
    shown = {"message": told.message} if as_json else {"xml": told.xml()}
    return {"root": told.reading.name.local, **shown, **extra}


def encode_request(request: dict[str, Any]) -> dict[str, Any]:
    """The octets of "xml" in the "set", as "exi" in hex. Raises ExiError."""
    name = _set(request)
    if name is None:
        raise ExiError("'set' is missing")
    return {"exi": octets_of_xml(_text(request, "xml"), name, fragment=bool(request.get("fragment"))).hex()}


def _text(request: dict[str, Any], key: str) -> str:
    if not isinstance(request.get(key), str):
        raise ExiError(f"{key!r} is missing or no string")
    return str(request[key])


def _set(request: dict[str, Any]) -> str | None:
    name = request.get("set")
    if name is not None and (not isinstance(name, str) or name not in MODULES):
        raise ExiError(f"no schema set {name!r}; there are {', '.join(MODULES)}")
    return name
