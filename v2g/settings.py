"""Settings from strict TOML: frozen dataclasses say what there is; what a file says and they do not know is refused by name.

read(Config, text)                    every key that is not said has its default
read(Config, text, time_scale=60)     flags overrule the file, nested dictionaries overrule tables
"""

import difflib
import tomllib
import typing
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration that cannot be meant; the message names the key, the value and the cure."""


def read(cls: type[T], text: str, **flags: Any) -> T:
    """A configuration from a TOML text. Raises ConfigError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from None
    return _filled(cls, None, _merged(table, flags), "")


def _merged(table: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(table)
    for key, value in over.items():
        both[key] = _merged(both.get(key, {}), value) if isinstance(value, dict) else value
    return both


def _filled(cls: type[T], default: T | None, table: dict[str, Any], path: str) -> T:
    """A dataclass from what the table says; what it does not say is as in `default`, or as the class has it."""
    hints, known = typing.get_type_hints(cls), {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    said: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            cure = f"did you mean {path}{near[0]}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"unknown key {path}{key}; {cure}")
        before = getattr(default, key) if default is not None else known[key].default
        said[key] = _value(value, hints[key], before, f"{path}{key}")
    try:
        return cls(**said) if default is None else replace(default, **said)  # type: ignore[type-var]
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"[{path.rstrip('.')}] {error}" if path else str(error)) from None


def _value(value: Any, kind: Any, before: Any, path: str) -> Any:
    """One value: a table for a dataclass, a list of tables for a tuple of them, else what msgspec makes of it."""
    options = [kind, *typing.get_args(kind)]
    nested = next((option for option in options if isinstance(option, type) and is_dataclass(option)), None)
    if nested is not None and isinstance(value, list):
        return tuple(_filled(nested, None, each, f"{path}.") for each in value)
    if nested is not None:
        if not isinstance(value, dict):
            raise ConfigError(f"{path} is {value!r}; give a table [{path}]")
        return _filled(nested, before if isinstance(before, nested) else None, value, f"{path}.")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path} is {value!r}: {error}") from None
