"""Installs the PyPI package `pyslac`, the foreign station for matching, in an environment of its own.

python -m v2gkit.peers.pyslac_setup .interop
"""

import subprocess
import sys
import venv
from pathlib import Path

VERSION = "0.8.3"
PROGRAM = Path(__file__).parent / "pyslac_station.py"


def python_of(home: Path) -> Path:
    """The path of the Python interpreter of the peer's environment, whether or not it is installed yet."""
    return home / "pyslac" / "bin" / "python"


def install(home: Path) -> Path:
    """Make the peer's environment if it is not there; the path of its interpreter. Raises subprocess.CalledProcessError."""
    python = python_of(home)
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
    command = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"pyslac=={VERSION}", "marshmallow<4")
    subprocess.run(command, check=True)  # noqa: S603 - our own words
    return python


if __name__ == "__main__":
    install(Path(sys.argv[1]))
