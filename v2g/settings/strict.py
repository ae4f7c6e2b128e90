"""Settings from strict TOML: frozen dataclasses say which keys there are; a key that they do not know is refused by its name.

read(Config, text)                    every key that is not said has its default
read(Config, text, path)              what is wrong is told with file and line
read(Config, text, time_scale=60)     flags overrule the file, nested dictionaries overrule tables
"""

import re
import tomllib
import typing
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from v2g.settings import suggestion

T = TypeVar("T")
Place = tuple[str | int, ...]  # keys, and the numbers of tables in arrays of tables
LIMIT = 131_072  # octets of a file: a hundred outlets fit; the slowest TOML of that size is read in a third of a second
TABLE_LIMIT = 4_194_304  # octets of a file of data: prices for a year of quarter hours fit
PARTS = 16  # of a dotted key; ours have three, and the time to read one grows with their square
NAME = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
LONG_KEY = re.compile(rf"(?<![\w-]){NAME}(?:[ \t]*+\.[ \t]*+{NAME}){{{PARTS}}}")
HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?")
KEY = re.compile(rf"\s*({NAME}(?:\s*\.\s*{NAME})*)\s*=")
SHOWN = 60  # characters of a value that is wrong


class ConfigError(ValueError):
    """A configuration is wrong. The message names the key, the value and the cure; `place` is the path of the key in the file."""

    def __init__(self, message: str, place: Place = ()):
        super().__init__(message)
        self.place = place


def octets_of(path: Path, limit: int = LIMIT) -> bytes:
    """The octets of a file of at most `limit` octets. Raises OSError; ConfigError for one that is longer, or endless as a device is."""
    with path.open("rb") as file:
        octets = file.read(limit + 1)
    if len(octets) > limit:
        raise ConfigError(f"{path}: longer than {limit} octets; is it the right file?")
    return octets


def text_of(path: Path, limit: int = LIMIT) -> str:
    """The text of a file of at most `limit` octets. Raises OSError; ConfigError for one that is longer or is not UTF-8."""
    octets = octets_of(path, limit)
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: octet 0x{octets[error.start]:02x} is no UTF-8; save the file as UTF-8") from None


def read(cls: type[T], text: str, file: Path | None = None, /, **flags: Any) -> T:
    """An instance of `cls` from a TOML text; `flags` overrule the text, `file` is where it came from. Raises ConfigError."""
    return _read(cls, None, text, file, flags)


def read_over(base: T, text: str, file: Path | None = None) -> T:
    """The configuration `base` with the values of a TOML text in place of its own, which came from `file`. Raises ConfigError."""
    return _read(type(base), base, text, file, {})


def _read(cls: type[T], base: T | None, text: str, file: Path | None, flags: dict[str, Any]) -> T:
    given = table(text, file)
    try:
        return _filled(cls, base, _merged(_long(cls, given), _long(cls, flags)), ())
    except ConfigError as error:
        raise ConfigError(f"{_where(text, error.place, file)}{error}", error.place) from None


def _long(cls: type, table: dict[str, Any]) -> dict[str, Any]:
    """A table in which a bare value stands for a whole table where the class of that says which of its keys it means (`SHORT`)."""
    hints = typing.get_type_hints(cls)

    def key_of(name: str) -> str | None:
        kinds = [hints.get(name), *typing.get_args(hints.get(name))]
        return next((kind.SHORT for kind in kinds if hasattr(kind, "SHORT")), None)

    return {name: {key: value} if isinstance(value, str) and (key := key_of(name)) else value for name, value in table.items()}


def table(text: str, file: Path | None = None) -> dict[str, Any]:
    """A TOML text as a dictionary; `file` is where the text came from. Raises ConfigError."""
    named = f"{file}: " if file else ""
    if len(text) > LIMIT:
        raise ConfigError(f"{named}longer than {LIMIT} characters; is it the right file?")
    if long := LONG_KEY.search(text):
        line = text.count("\n", 0, long.start()) + 1
        raise ConfigError(f"{_at(file, line)}a key of more than {PARTS} parts; known keys have at most three")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{named}not TOML: nested too deeply") from None
    except ValueError as error:  # not only of syntax: an integer of ten thousand digits
        place = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        said = str(error)[: place.start()] if place else str(error)
        raise ConfigError(f"{_at(file, int(place[1])) if place else named}not TOML: {said}") from None


def _at(file: Path | None, line: int) -> str:
    return f"{file}:{line}: " if file else f"line {line}: "


def _merged(table: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(table)
    for key, value in over.items():
        before = both.get(key, {})
        both[key] = _merged(before if isinstance(before, dict) else {}, value) if isinstance(value, dict) else value
    return both


# --- from tables to dataclasses ---


def _filled(cls: type[T], default: T | None, table: dict[str, Any], place: Place) -> T:
    """A dataclass from what the table says; what it does not say is as in `default`, or as the class has it."""
    hints, known = typing.get_type_hints(cls), {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    said: dict[str, Any] = {}
    for key, value in table.items():
        here = (*place, key)
        if key not in known:
            prefix = f"{spelled(place)}." if place else ""
            raise ConfigError(f"unknown key {spelled(here)}; {suggestion.cure(key, known, prefix)}", here)
        before = getattr(default, key) if default is not None else known[key].default
        said[key] = _value(value, hints[key], before, here)
    try:
        return cls(**said) if default is None else replace(default, **said)  # type: ignore[type-var]
    except (TypeError, ValueError) as error:
        here = error.place if isinstance(error, ConfigError) else ()
        message = f"[{spelled(place)}] {error}" if place and not here else str(error)
        if isinstance(error, suggestion.Unknown) and place:
            message = f"{spelled(place)}.{error}"
        named = next((word for word in re.split(r"\W+", str(error)) if word in said), None)
        raise ConfigError(message, here or ((*place, named) if named else place)) from None


def _value(value: Any, kind: Any, before: Any, place: Place) -> Any:
    """One value: a table for a dataclass, a list of tables for a tuple of them, else what msgspec makes of it."""
    options = [kind, *typing.get_args(kind)]
    nested = next((option for option in options if isinstance(option, type) and is_dataclass(option)), None)
    if nested is not None and isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return tuple(_filled(nested, None, each, (*place, number)) for number, each in enumerate(value, 1))
    if nested is not None:
        if not isinstance(value, dict):
            raise ConfigError(f"{spelled(place)} is {value_text(value)}; give a table [{spelled(place)}]", place)
        return _filled(nested, before if isinstance(before, nested) else None, value, place)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{spelled(place)} is {value_text(value)}: {_cured(str(error), value, kind)}", place) from None


def _cured(complaint: str, value: Any, kind: Any) -> str:
    """What msgspec complains of; for a name that there is not, those that there are."""
    choices = _choices(kind)
    values = value if isinstance(value, list) else [value]
    wrong = next((each for each in values if isinstance(each, str) and each not in choices), None)
    if not choices or wrong is None:
        return complaint[0].lower() + complaint[1:].replace(" - at `$", " at `")
    return f"{value_text(wrong)} is none of the choices; {suggestion.cure(wrong[:SHOWN], choices)}"


def _choices(kind: Any) -> tuple[str, ...]:
    """The words that a type admits, which may be of the elements of a tuple."""
    if typing.get_origin(kind) is typing.Literal:
        return tuple(each for each in typing.get_args(kind) if isinstance(each, str))
    return tuple(choice for each in typing.get_args(kind) for choice in _choices(each))


# --- for people ---


def spelled(place: Place) -> str:
    """The path of a key as people write it: offer.services, outlet[2].port."""
    said = ""
    for part in place:
        name = part if isinstance(part, str) and part.isprintable() and len(part) <= SHOWN else ascii(part)[:SHOWN]
        said += f"[{part}]" if isinstance(part, int) else f".{name}" if said else name
    return said


def value_text(value: object) -> str:
    """A value as text for an error message, cut where it is long."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _where(text: str, place: Place, file: Path | None) -> str:
    """File and line of a place, as far as they are known. What a flag said stands in no file."""
    if file is None:
        return ""
    line = line_of(text, place)
    return f"{file}:{line}: " if line else f"{file}: " if not place else ""


def line_of(text: str, place: Place) -> int | None:
    """The number of the line of a key, or of the innermost table around it that the text has; None where it has neither."""
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    current: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.match(line):
            *parents, name = _names(header[2])
            current = (*_numbered(parents, counts), name)
            if header[1] == "[[":
                counts[current] = counts.get(current, 0) + 1
                current = (*current, counts[current])
            found.setdefault(current, number)
        elif key := KEY.match(line):
            found.setdefault((*current, *_names(key[1])), number)
    return next((found[place[:depth]] for depth in range(len(place), 0, -1) if place[:depth] in found), None)


def _names(dotted: str) -> list[str]:
    return [name.strip("\"'") for name in re.findall(NAME, dotted)]


def _numbered(names: list[str], counts: dict[Place, int]) -> Place:
    """A path with the number of the last table wherever it leads through an array of tables."""
    place: Place = ()
    for name in names:
        place = (*place, name)
        if place in counts:
            place = (*place, counts[place])
    return place
