"""The files that a grid file names, from the folder in which it is: for whoever reads it from elsewhere."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from v2gkit.grid.declared import Grid

S = TypeVar("S")
NAMES: Final = ("secret_file", "token_file", "keep", "cert", "roots")  # keys of any source whose values are files
TLS: Final = "key"  # is one too where `cert` is beside it; with makers' APIs it is the name of a header


def beside(source: S, folder: Path) -> S:
    """A source whose files are in `folder`, unless their paths are absolute."""
    there = {each.name: getattr(source, each.name) for each in fields(source)}  # type: ignore[arg-type]
    named = [*NAMES, *([TLS] if "cert" in there else [])]
    changed = {name: str(folder / there[name]) for name in named if there.get(name) is not None}
    made: Any = replace(source, **changed) if changed else source  # type: ignore[type-var]
    return made  # type: ignore[no-any-return]


def grid_beside(grid: Grid, folder: Path) -> Grid:
    """A grid file whose sources' files are in `folder`."""
    kinds = ("modbus", "openadr", "openadr2", "oscp", "vendor", "s2", "sep2", *(["serving"] if grid.serving is not None else []))
    made: dict[str, Any] = {}
    for kind in kinds:
        found = getattr(grid, kind)
        made[kind] = tuple(beside(each, folder) for each in found) if isinstance(found, tuple) else beside(found, folder)
    return replace(grid, **made)
