"""The shipped scenarios, and scenarios from a user's files."""

from importlib.resources import files
from pathlib import Path

from evcc.scenario import Scenario, parse
from v2g.settings import suggestion
from v2g.settings.strict import ConfigError, text_of

SHIPPED = files("v2gkit.lab") / "data" / "scenarios"


def names() -> tuple[str, ...]:
    """The names of the shipped scenarios."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in SHIPPED.iterdir() if file.name.endswith(".toml")))


def scenario(name: str) -> Scenario:
    """The scenario in the file `name`, or the shipped one of that name. Raises ConfigError, and OSError for an unreadable file."""
    if "/" in name or name.endswith(".toml"):
        return parse(text_of(file := Path(name)), file)
    if name not in (known := names()):
        raise ConfigError(f"there is no scenario {name!r}, and a file ends in .toml; {suggestion.cure(name, known)}")
    return parse((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"), Path(f"{name}.toml"))
