"""A reader of shapes that knows nothing of messages: JSON, XML and EXI events from the rows, the steps, the values and the octets alone."""

import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

Line = dict[str, Any]
_LONGEST = 48


def message(shape: Line, values: list[Any]) -> Any:
    """What `v2g exi json` gives."""
    (name, body), _ = _node(shape["rows"], values, 0)
    return {name: body}


def _node(rows: list[Any], values: list[Any], at: int) -> tuple[tuple[str, Any], int]:
    depth, name, leaf, _, _, _ = rows[at]
    bare = name.lstrip("@#~")
    at += 1
    if leaf >= 0:
        value = values[leaf]
        return (bare, int(value[0]) if isinstance(value, list) else value), at
    found: dict[str, Any] = {}
    while at < len(rows) and rows[at][0] > depth:
        many = rows[at][5]
        (key, value), at = _node(rows, values, at)
        if many:
            found.setdefault(key, []).append(value)
        else:
            found[key] = value
    return (bare, found), at


def xml(shape: Line, values: list[Any]) -> str:
    """What `v2g exi decode` gives, but for declarations that nothing uses."""
    prefixes = [f"{prefix}:" if prefix else "" for prefix in shape["prefixes"]]
    declared = "".join(
        f" xmlns{':' if p else ''}{p}={quoteattr(space)}" for p, space in zip(shape["prefixes"], shape["spaces"], strict=True)
    )
    text: list[str] = []

    def spelled(leaf: int) -> str:
        value = values[leaf]
        return str(value[0]) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)

    def element(at: int, extra: str) -> int:
        depth, name, leaf, _, space, _ = shape["rows"][at]
        at += 1
        if name.startswith("~"):
            while at < len(shape["rows"]) and shape["rows"][at][0] > depth:
                at = element(at, "")
            return at
        tag = (prefixes[space] if space >= 0 else "") + name
        text.append(f"<{tag}{extra}")
        if leaf >= 0:
            text.append(f">{escape(spelled(leaf))}</{tag}>")
            return at
        while at < len(shape["rows"]) and shape["rows"][at][0] > depth and shape["rows"][at][1].startswith("@"):
            _, attribute, own, _, qualified, _ = shape["rows"][at]
            text.append(f" {prefixes[qualified] if qualified >= 0 else ''}{attribute[1:]}={quoteattr(spelled(own))}")
            at += 1
        text.append(">")
        while at < len(shape["rows"]) and shape["rows"][at][0] > depth:
            if shape["rows"][at][1].startswith("#"):
                text.append(escape(spelled(shape["rows"][at][2])))
                at += 1
            else:
                at = element(at, "")
        text.append(f"</{tag}>")
        return at

    element(0, declared)
    return "".join(text)


def events(shape: Line, values: list[Any], octets: bytes) -> Iterator[tuple[int, int, int, str, str]]:
    """What `v2g exi explain` gives: bit, width, depth, what, value."""
    bits = "".join(f"{octet:08b}" for octet in octets)
    at = 0
    for depth, what, width, leaf, kind, _ in shape["steps"]:
        start = at
        if kind == "padding":
            at += -at % 8
            if at > start:
                yield start, at - start, depth, what, str(int(bits[start:at], 2))
            continue
        if kind == "rest":
            at = len(bits)
            if at > start:
                yield start, at - start, depth, what, _cut(octets[start // 8 :].hex())
            continue
        if kind == "bits":
            at += width
            shown = str(int(bits[start:at] or "0", 2)) if leaf < 0 else _value(what, values[leaf])
        else:
            shown, at = _varying(bits, at, kind)
        yield start, at - start, depth, what, _cut(shown)


def _value(what: str, value: Any) -> str:
    return repr(value) if what == "enumeration" else str(value)


def _varying(bits: str, at: int, kind: str) -> tuple[str, int]:
    negative = False
    if kind == "signed":
        negative, at = bits[at] == "1", at + 1
    number, at = _unsigned(bits, at)
    if kind in ("unsigned", "signed"):
        return str(~number if negative else number), at
    if kind == "binary":
        end = at + number * 8
        return "".join(f"{int(bits[i : i + 8], 2):02x}" for i in range(at, end, 8)), end
    characters = []
    for _ in range(number - 2):
        character, at = _unsigned(bits, at)
        characters.append(chr(character))
    return repr("".join(characters)), at


def _unsigned(bits: str, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        group = int(bits[at : at + 8], 2)
        at, number, shift = at + 8, number | (group & 0x7F) << shift, shift + 7
        if group < 0x80:
            return number, at


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def same_json(one: Any, other: Any) -> bool:
    """Equal with order and kinds of values: true is not 1."""
    return json.dumps(one) == json.dumps(other)
