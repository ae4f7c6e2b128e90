"""Foreign packages under our names: `dogtag-pki` brings a `pki`, and PyPI has others. Imports nothing of ours, because it may be theirs."""

import sys
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import FileHash

OURS = ("v2g", "secc", "evcc", "pki", "ocpp_bridge", "v2gkit")
HOME = Path(__file__).resolve().parents[1]  # where this v2gkit lies, and the rest of ours with it
CURE = (
    "give v2gkit an environment of its own (python -m venv, pipx install v2gkit, uvx v2gkit), or remove the other and then"
    " install v2gkit anew (pip install --force-reinstall --no-deps v2gkit): what was replaced does not come back by itself"
)
NAMED = 4  # files that a message names; the others it counts


class Shadow(NamedTuple):
    """One of our package names that another package has too. `bad`: the other one is imported, or may be."""

    name: str
    found: str
    bad: bool


def elsewhere() -> list[Shadow]:
    """Each of our packages that Python imports from a folder other than this one's. Takes a millisecond."""
    found = []
    for name in OURS:
        place = _place(name)
        if place is not None and place != HOME / name:
            found.append(Shadow(name, f"{name} is imported from {place}, which is not v2gkit's: that one is {HOME / name}", True))
    return found


def _place(name: str) -> Path | None:
    """The folder or file that is imported under this name; None: there is nothing."""
    try:
        spec = util.find_spec(name)
    except (ImportError, ValueError, AttributeError):  # what is loaded already says of itself that it is nothing
        return None
    if spec is None:
        return None
    if spec.origin is not None:
        origin = Path(spec.origin).resolve()
        return origin.parent if origin.stem == "__init__" else origin
    places = list(spec.submodule_search_locations or ())  # folders without __init__.py, because ours is nowhere
    return Path(places[0]).resolve() if places else None


def mixed() -> list[Shadow]:
    """Other installed distributions that bring a package of our names, into the same folder or another. Reads all that is installed."""
    from importlib import metadata

    found = []
    for distribution in metadata.distributions():
        title = str(distribution.metadata["Name"] or "")
        if title.lower() == "v2gkit":
            continue
        for name in sorted({file.parts[0] for file in distribution.files or () if len(file.parts) > 1} & set(OURS)):
            where = Path(str(distribution.locate_file(name))).resolve()
            if where == HOME / name:
                both = f"{title} {distribution.version} writes into {where} too: files of one replace files of the other"
                found.append(Shadow(name, both, True))
            elif where != _place(name):
                found.append(Shadow(name, f"{title} {distribution.version} brings a {name} too, in {where}; ours comes first", False))
            else:
                found.append(Shadow(name, f"it is that of {title} {distribution.version}", True))
    return found


def damaged() -> list[Shadow]:
    """Our packages in which files are not those that were installed: replaced by another's, or gone with it. Reads every file of ours."""
    from importlib import metadata

    try:
        distribution = metadata.distribution("v2gkit")
    except metadata.PackageNotFoundError:
        return []
    wrong: dict[str, list[str]] = {}
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if file.parts[0] in OURS and file.hash is not None and path.resolve().is_relative_to(HOME) and not _as_installed(path, file.hash):
            wrong.setdefault(file.parts[0], []).append(f"{file}{'' if path.exists() else ' (gone)'}")
    return [Shadow(name, f"in {HOME / name} files of v2gkit are replaced or gone: {_listed(files)}", True) for name, files in wrong.items()]


def _as_installed(path: Path, said: "FileHash") -> bool:
    import base64
    import hashlib

    try:
        digest = hashlib.new(said.mode, path.read_bytes()).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == said.value


def _listed(files: list[str]) -> str:
    more = len(files) - NAMED
    return ", ".join(sorted(files)[:NAMED]) + (f" and {more} more" if more > 0 else "")


def refusal() -> str | None:
    """Why our packages cannot be imported, in one line with the cure; None: they can."""
    bad = [each for each in (*elsewhere(), *mixed(), *damaged()) if each.bad]
    return f"{'; '.join(each.found for each in bad)}; {CURE}" if bad else None


def refused() -> int:
    """Print that our packages cannot be imported, without importing them; returns the exit code."""
    print(f"v2g: {refusal()}".encode("unicode_escape").decode("ascii"), file=sys.stderr)
    return 2
