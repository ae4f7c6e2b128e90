"""The shipped cars: TOML files with the keys of `v2g ev --config`, and a line about each."""

from importlib.resources import files
from pathlib import Path

from evcc.config import Config, parse
from v2g.settings import suggestion
from v2g.settings.strict import ConfigError, read_over, text_of

SHIPPED = files("v2gkit.lab") / "data" / "personalities"


def personalities() -> dict[str, Config]:
    """Every shipped car by its name, in alphabetical order."""
    return {name: personality(name) for name in names()}


def names() -> tuple[str, ...]:
    """The names of the shipped cars, in alphabetical order."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in SHIPPED.iterdir() if file.name.endswith(".toml")))


def personality(name: str) -> Config:
    """The configuration of the shipped car `name`. Raises ConfigError, with the nearest names, for an unknown one."""
    if name not in (known := names()):
        raise ConfigError(f"there is no personality {name!r}; {suggestion.cure(name, known)}")
    return parse((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"), Path(f"{name}.toml"))


def configuration(name: str | None, file: Path | None) -> Config:
    """The configuration of a shipped car (None: the default car), overruled by a file. Raises ConfigError and OSError."""
    base = personality(name) if name else Config()
    return read_over(base, text_of(file), file) if file else base
